//! `holm grant`: what parties may do.

use clap::Subcommand;
use holm_core::{Abilities, NewGrant, Page, PartyId, Scope, Timestamp};
use serde_json::json;

use super::Opened;
use crate::settings::Fallible;

#[derive(Subcommand)]
pub enum GrantVerb {
    /// Grant something to a party
    Add {
        /// Whose
        person: String,
        /// The party's number; see holm party list
        party: i64,
        /// A path, or a kind of data: calendars, contacts, mail, life, apps
        #[arg(long)]
        scope: String,
        /// Of read, append, write, delete, share; with commas between
        #[arg(long, default_value = "read")]
        abilities: String,
        /// What for
        #[arg(long, default_value = "")]
        purpose: String,
        /// Ends after this long, like 90d, 12h, 30m or 10s; none means not by itself
        #[arg(long = "for", value_parser = span)]
        span: Option<i64>,
    },
    /// List grants, with how they stand
    List { person: String },
    /// Take one back, with all that hangs on it
    Revoke {
        /// Whose
        person: String,
        /// Its number, first in each line of the list
        #[arg(value_name = "NUMBER")]
        id: i64,
    },
}

/// Milliseconds.
fn span(text: &str) -> Result<i64, String> {
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let unit = match unit {
        "d" => Timestamp::DAY,
        "h" => Timestamp::HOUR,
        "m" => 60 * Timestamp::SECOND,
        "s" => Timestamp::SECOND,
        _ => 0,
    };
    let millis = number.parse::<i64>().ok().and_then(|n| n.checked_mul(unit)).filter(|millis| *millis > 0);
    millis.ok_or_else(|| "a number of days, hours, minutes or seconds, like 90d, 12h, 30m or 10s".into())
}

impl GrantVerb {
    pub fn run(self, opened: &Opened) -> Fallible<()> {
        let now = opened.env.now();
        match self {
            GrantVerb::Add { person, party, scope, abilities, purpose, span } => {
                let mut what = NewGrant::new(PartyId(party), Scope::parse(&scope)?, Abilities::parse(&abilities)?);
                what.purpose = purpose;
                what.until = span.map(|span| now.plus(span));
                let id = opened.access(&person)?.grant(&what)?;
                opened.say(format!("Grant {id}: party {party} may {} {}.", what.abilities, what.scope), json!({ "person": person, "grant": id }));
            }
            GrantVerb::List { person } => {
                for g in opened.access(&person)?.grants(None, Page::ALL)? {
                    let (what, standing) = (&g.what, g.standing(now).name());
                    let until = what.until.map(|t| t.0);
                    opened.say(
                        format!("{}\tparty {}\t{standing}\t{} {}\t{}", g.id, what.party.0, what.abilities, what.scope, what.purpose),
                        json!({ "grant": g.id, "party": what.party.0, "parent": g.parent, "standing": standing, "scope": what.scope.to_string(),
                                "abilities": what.abilities.to_string(), "purpose": what.purpose, "from": what.from.map(|t| t.0), "until": until }),
                    );
                }
            }
            GrantVerb::Revoke { person, id } => {
                if !opened.access(&person)?.revoke(id)? {
                    return Err(format!("{person} has no active grant {id}; see holm grant list {person}").into());
                }
                opened.say(format!("Grant {id} of {person} is revoked, within a second."), json!({ "person": person, "revoked": id }));
            }
        }
        Ok(())
    }
}
