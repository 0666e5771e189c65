//! `holm app-password`: add, list, revoke.

use clap::Subcommand;
use holm_auth::Secret;
use holm_core::{Grant, Party, Path};
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
        let host = &opened.host;
        match self {
            AppPassword::Add { person, name, path, read_only, quiet } => {
                let who = host.person(&person)?;
                let grant = Grant { scope: Path::parse(&path)?, write: !read_only };
                let access = opened.gate().admit(Party::operator(who.id).into())?;
                if !access.stat(&grant.scope).is_ok_and(|e| e.is_folder()) {
                    eprintln!("holm: there is no folder {} yet; this password works once it is there", grant.scope);
                }
                let secret = Secret::random(&opened.env);
                let id = host.add_app_password(who.id, &name, &Secret::hash(secret.reveal()), &grant)?;
                if quiet {
                    println!("{}", secret.reveal());
                } else {
                    let text = format!("{}\nThis is shown once. Sign in as {person} with it.", secret.reveal());
                    opened.say(text, json!({ "person": person, "id": id, "name": name, "secret": secret.reveal() }));
                }
            }
            AppPassword::List { person } => {
                for p in host.app_passwords(host.person(&person)?.id)? {
                    let state = if p.revoked.is_some() { "revoked" } else { "active" };
                    let rights = if p.grant.write { "read and write" } else { "read" };
                    let text = format!("{}\t{}\t{state}\t{rights} {}", p.id, p.name, p.grant.scope);
                    let (used, revoked) = (p.used.map(|t| t.0), p.revoked.map(|t| t.0));
                    opened.say(
                        text,
                        json!({ "id": p.id, "name": p.name, "path": p.grant.scope.to_string(), "write": p.grant.write,
                                "created": p.created.0, "used": used, "revoked": revoked }),
                    );
                }
            }
            AppPassword::Revoke { person, id } => {
                if !host.revoke_app_password(host.person(&person)?.id, id)? {
                    return Err(format!("{person} has no active app password {id}; see holm app-password list {person}").into());
                }
                opened.say(format!("App password {id} of {person} works no more, within a second."), json!({ "person": person, "revoked": id }));
            }
        }
        Ok(())
    }
}
