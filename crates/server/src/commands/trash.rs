//! `holm trash`: list, restore, empty.

use clap::Subcommand;
use holm_core::{Change, Path, Precondition};
use holm_formats::date;
use serde_json::json;

use super::Opened;
use crate::settings::Fallible;

#[derive(Subcommand)]
pub enum Trash {
    /// What a person deleted, newest first
    List {
        /// Whose
        person: String,
    },
    /// Bring something back, to where it was or elsewhere
    Restore {
        /// Whose
        person: String,
        /// Its number in the list
        entry: i64,
        /// Another path to bring it back to
        #[arg(long)]
        to: Option<String>,
    },
    /// Let everything in it go for good; its room counts no more at once
    Empty {
        /// Whose
        person: String,
        /// Really
        #[arg(long)]
        yes: bool,
    },
}

impl Trash {
    pub fn run(self, opened: &Opened) -> Fallible<()> {
        match self {
            Trash::List { person } => {
                for t in opened.access(&person)?.trash()? {
                    let text = format!("{}\t{}\t{}\tby {}", t.entry, date::rfc3339(t.at.0), t.place, t.party);
                    opened.say(text, json!({ "entry": t.entry, "path": t.place, "deleted": t.at.0, "by": t.party }));
                }
            }
            Trash::Restore { person, entry, to } => {
                let to = to.map(|path| Path::parse(&path)).transpose()?;
                let access = opened.access(&person)?;
                let was = access.trash()?.into_iter().find(|t| t.entry == entry).map(|t| t.place);
                let place = to.as_ref().map(Path::to_string).or(was).unwrap_or_default();
                access.commit_blocking(Change::Restore { entry, to }, Precondition::default())?;
                opened.say(format!("{place} is back."), json!({ "restored": place }));
            }
            Trash::Empty { person, yes } => {
                let access = opened.access(&person)?;
                let all = access.trash()?;
                if !yes {
                    return Err(format!("this lets {} things go for good; add --yes if that is meant", all.len()).into());
                }
                for t in &all {
                    access.commit_blocking(Change::Purge { entry: t.entry }, Precondition::default())?;
                }
                opened
                    .say(format!("{} things are gone; holm gc frees their space, or the server within two days.", all.len()), json!({ "emptied": all.len() }));
            }
        }
        Ok(())
    }
}
