//! `holm versions`: list, restore.

use clap::Subcommand;
use holm_core::{Change, Path, Precondition, Seq};
use holm_formats::date;
use serde_json::json;

use super::Opened;
use crate::settings::Fallible;

#[derive(Subcommand)]
pub enum Versions {
    /// Earlier versions of a file, newest first
    List {
        /// Whose
        person: String,
        path: String,
    },
    /// Make an earlier version the current one; the current one becomes a version
    Restore {
        /// Whose
        person: String,
        path: String,
        /// Its number in the list
        version: i64,
    },
}

impl Versions {
    pub fn run(self, opened: &Opened) -> Fallible<()> {
        match self {
            Versions::List { person, path } => {
                for v in opened.access(&person)?.versions(&Path::parse(&path)?)? {
                    let text = format!("{}\t{} bytes\tof {}\tuntil {}", v.seq.0, v.size, date::rfc3339(v.modified.0), date::rfc3339(v.ended.0));
                    opened.say(text, json!({ "version": v.seq.0, "size": v.size, "modified": v.modified.0, "replaced": v.ended.0 }));
                }
            }
            Versions::Restore { person, path, version } => {
                let path = Path::parse(&path)?;
                let access = opened.access(&person)?;
                if !access.versions(&path)?.iter().any(|v| v.seq.0 == version) {
                    return Err(format!("{path} has no version {version}; see holm versions list {person} {path}").into());
                }
                access.commit_blocking(Change::Revert { path: path.clone(), version: Seq(version) }, Precondition::default())?;
                opened.say(format!("{path} is as it was in version {version}."), json!({ "restored": path.to_string(), "version": version }));
            }
        }
        Ok(())
    }
}
