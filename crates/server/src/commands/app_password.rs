//! `holm app-password`: add, list, revoke.

use clap::Subcommand;
use holm_auth::Secret;
use holm_core::{Abilities, CredentialKind, Page, PartyKind, Path, Scope};
use serde_json::json;

use super::Opened;
use crate::settings::Fallible;

#[derive(Subcommand)]
pub enum AppPassword {
    /// Make a password for one app or device; it is shown once
    Add {
        person: String,
        /// What to call it: "phone", "laptop"
        #[arg(long, default_value = "app")]
        name: String,
        /// Only what lies at and below this folder
        #[arg(long, default_value = "/")]
        path: String,
        /// May read but not write
        #[arg(long)]
        read_only: bool,
        /// Print the secret alone
        #[arg(long)]
        quiet: bool,
    },
    /// List a person's app passwords
    List { person: String },
    /// End one, by its number in the list
    Revoke {
        /// Whose
        person: String,
        /// Its number, first in each line of the list
        #[arg(value_name = "NUMBER")]
        id: i64,
    },
}

impl AppPassword {
    pub fn run(self, opened: &Opened) -> Fallible<()> {
        match self {
            AppPassword::Add { person, name, path, read_only, quiet } => {
                let access = opened.access(&person)?;
                let path = Path::parse(&path)?;
                if !access.stat(&path).is_ok_and(|e| e.is_folder()) {
                    eprintln!("holm: there is no folder {path} yet; this password works once it is there");
                }
                let secret = Secret::random(&opened.env);
                let abilities = if read_only { Abilities::READ } else { Abilities::CHANGE };
                let id = access.connect(PartyKind::Device, &name, Scope::Path(path), abilities, &Secret::hash(secret.reveal()))?;
                if quiet {
                    println!("{}", secret.reveal());
                } else {
                    let text = format!("{}\nThis is shown once. Sign in as {person} with it.", secret.reveal());
                    opened.say(text, json!({ "person": person, "id": id, "name": name, "secret": secret.reveal() }));
                }
            }
            AppPassword::List { person } => {
                let access = opened.access(&person)?;
                for c in opened.host.credentials(opened.host.person(&person)?.id, CredentialKind::AppPassword, Page::ALL)? {
                    let state = if c.revoked.is_some() { "revoked" } else { "active" };
                    let grants = access.grants(Some(c.party), Page::ALL)?;
                    let may: Vec<_> = grants.iter().map(|g| format!("{} {}", g.what.abilities, g.what.scope)).collect();
                    let (used, revoked) = (c.used.map(|t| t.0), c.revoked.map(|t| t.0));
                    opened.say(
                        format!("{}\t{}\t{state}\t{}", c.id, c.name, may.join("; ")),
                        json!({ "id": c.id, "party": c.party.0, "name": c.name, "may": may, "created": c.created.0, "used": used, "revoked": revoked }),
                    );
                }
            }
            AppPassword::Revoke { person, id } => {
                if !opened.access(&person)?.disconnect(CredentialKind::AppPassword, id)? {
                    return Err(format!("{person} has no active app password {id}; see holm app-password list {person}").into());
                }
                opened.say(format!("App password {id} of {person} works no more, within a second."), json!({ "person": person, "revoked": id }));
            }
        }
        Ok(())
    }
}
