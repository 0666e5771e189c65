//! `holm index`: what is derived from the tree, made anew.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::Opened;
use crate::settings::Fallible;

#[derive(Subcommand)]
pub enum Index {
    /// Read everything anew that an index is of; a server may be running
    Rebuild {
        which: Which,
        /// Only of this person
        person: Option<String>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Which {
    /// Calendar objects and vCards, by folder, UID and time
    Calendar,
}

impl Index {
    pub fn run(self, opened: &Opened) -> Fallible<()> {
        let Index::Rebuild { which: Which::Calendar, person } = self;
        let gate = opened.gate();
        for person in opened.chosen(person.as_deref())? {
            let done = gate.reindex(person.id)?;
            let name = &person.name;
            opened.say(format!("{name}: {} objects listed", done.items), json!({ "person": name, "items": done.items, "unreadable": done.unreadable }));
            if !opened.json {
                done.unreadable.iter().for_each(|path| opened.print(format!("{name}: {path} has the name of one and is none")));
            }
        }
        Ok(())
    }
}
