//! `holm party`: who a person has to do with.

use clap::Subcommand;
use holm_core::{Page, PartyId, PartyKind};
use serde_json::json;

use super::Opened;
use crate::settings::Fallible;

#[derive(Subcommand)]
pub enum PartyVerb {
    /// Make another person of this holm known, to grant them something
    Add {
        /// Whose
        person: String,
        /// The other person's name here
        other: String,
    },
    /// List them
    List { person: String },
    /// End everything with one: its grants and its credentials
    End {
        /// Whose
        person: String,
        /// Its number, first in each line of the list
        #[arg(value_name = "NUMBER")]
        id: i64,
    },
}

impl PartyVerb {
    pub fn run(self, opened: &Opened) -> Fallible<()> {
        match self {
            PartyVerb::Add { person, other } => {
                let access = opened.access(&person)?;
                let guest = opened.host.person(&other)?;
                if guest.name == person {
                    return Err(format!("{person} may do everything with their own tree").into());
                }
                let id = access.meet(PartyKind::Person, &other, &opened.host.subject(guest.id)?)?;
                let text = format!("{other} is party {} of {person} now. Next: holm grant add {person} {} --scope /FOLDER", id.0, id.0);
                opened.say(text, json!({ "person": person, "party": id.0, "name": other }));
            }
            PartyVerb::List { person } => {
                for p in opened.access(&person)?.parties(Page::ALL)? {
                    let state = if p.ended.is_some() { "ended" } else { "active" };
                    let ended = p.ended.map(|t| t.0);
                    opened.say(
                        format!("{}\t{}\t{}\t{state}", p.id.0, p.kind.name(), p.name),
                        json!({ "party": p.id.0, "kind": p.kind.name(), "name": p.name, "since": p.since.0, "ended": ended }),
                    );
                }
            }
            PartyVerb::End { person, id } => {
                if !opened.access(&person)?.part(PartyId(id))? {
                    return Err(format!("{person} has no active party {id}; see holm party list {person}").into());
                }
                opened.say(format!("Party {id} of {person} may do nothing any more, within a second."), json!({ "person": person, "ended": id }));
            }
        }
        Ok(())
    }
}
