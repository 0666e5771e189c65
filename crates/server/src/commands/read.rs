//! `holm ls` and `holm cat`: what a person keeps, read from the data directory alone.

use std::io::Write;

use clap::Args;
use holm_core::{Access, Content, Path};
use serde_json::json;

use super::Opened;
use crate::settings::Fallible;

#[derive(Args)]
pub struct Place {
    person: String,
    #[arg(default_value = "/")]
    path: String,
}

impl Place {
    fn access(&self, opened: &Opened) -> Fallible<(Access, Path)> {
        Ok((opened.access(&self.person)?, Path::parse(&self.path)?))
    }

    pub fn list(self, opened: &Opened) -> Fallible<()> {
        let (access, path) = self.access(opened)?;
        let folder = access.stat(&path)?;
        let mut after = String::new();
        loop {
            let page = if folder.is_folder() { access.list(&path, folder.id, &after, 1_000)? } else { vec![folder.clone()] };
            for e in &page {
                let slash = if e.is_folder() { "/" } else { "" };
                let text = format!("{:>12}  {}{slash}", e.size, e.name);
                opened.say(text, json!({ "name": e.name, "folder": e.is_folder(), "size": e.size, "modified": e.modified.0, "etag": e.etag() }));
            }
            match page.last() {
                Some(last) if folder.is_folder() => after = last.key.clone(),
                _ => return Ok(()),
            }
        }
    }

    pub fn print(self, opened: &Opened) -> Fallible<()> {
        let (access, path) = self.access(opened)?;
        let mut out = std::io::stdout().lock();
        match access.open(&path)?.1 {
            Content::Inline(bytes) => out.write_all(&bytes)?,
            Content::Chunked(cut) => {
                let (mut at, mut block) = (0, Vec::new());
                while at < cut.size() {
                    block.clear();
                    at += access.read_some(&cut, at, cut.size(), &mut block)?;
                    out.write_all(&block)?;
                }
            }
        }
        Ok(out.flush()?)
    }
}
