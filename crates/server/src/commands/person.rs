//! `holm person`: add, invite, list, passwd, reset, admin, quota, remove.

use clap::Subcommand;
use holm_auth::{Invitation, password};
use serde_json::json;

use super::Opened;
use crate::settings::Fallible;

#[derive(Subcommand)]
pub enum Person {
    /// Give a person a tree
    Add {
        name: String,
        /// Read a password from standard input (for the web; devices use app passwords)
        #[arg(long)]
        password_stdin: bool,
        /// Most bytes the person may keep, like 500G; none means no limit
        #[arg(long, value_parser = bytes)]
        quota: Option<u64>,
    },
    /// Print a link by which somebody makes an account of their own, once
    Invite {
        /// Most bytes the person may keep, like 500G; none means no limit
        #[arg(long, value_parser = bytes)]
        quota: Option<u64>,
        /// How many days the link holds
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(i64).range(1..=90))]
        days: i64,
        /// Whom it is for
        #[arg(long, default_value = "")]
        note: String,
    },
    /// List everybody
    List,
    /// Change a password; asks for it, or reads it from a pipe
    Passwd { name: String },
    /// Print a link by which a person who lost their password chooses a new one, once, within 15 minutes
    Reset {
        name: String,
        /// Also take away passkeys, authenticator app and recovery codes, where they are lost too
        #[arg(long)]
        remove_second_factors: bool,
    },
    /// Let a person invite others and look after their accounts
    Admin {
        name: String,
        /// No longer
        #[arg(long)]
        revoke: bool,
    },
    /// Set how much a person may keep, like 500G or none
    Quota {
        name: String,
        #[arg(value_parser = bytes)]
        quota: u64,
    },
    /// Destroy a person's key and everything they keep
    Remove {
        name: String,
        /// Really: nothing of it can ever be read again
        #[arg(long)]
        yes: bool,
    },
}

/// `500G`, `1.5T`, `1000` or `none`.
fn bytes(text: &str) -> Result<u64, String> {
    if text == "none" {
        return Ok(0);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text[digits.len()..].to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 1u64,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return Err("use K, M, G or T, or none".into()),
    };
    let number: f64 = digits.parse().map_err(|_| "not a size; try 500G, or none")?;
    let total = number * factor as f64;
    if number > 0.0 && total < i64::MAX as f64 { Ok(total as u64) } else { Err("a size is more than nothing; none means no limit".into()) }
}

fn read_password() -> Fallible<String> {
    use std::io::IsTerminal;
    if std::io::stdin().is_terminal() {
        return Ok(rpassword::prompt_password("Password: ")?);
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

impl Person {
    pub fn run(self, opened: &Opened) -> Fallible<()> {
        let host = &opened.host;
        match self {
            Person::Add { name, password_stdin, quota } => {
                let hash = if password_stdin { Some(password::hash(&opened.env, &read_password()?)?) } else { None };
                let person = host.add_person(&name, hash.as_deref(), quota.unwrap_or(0))?;
                let text = format!("{name} has a tree now, in {}. Next: holm app-password add {name} --name DEVICE", opened.data.display());
                opened.say(text, json!({ "person": person.name, "number": person.id.0 }));
            }
            Person::List => list(opened)?,
            Person::Passwd { name } => {
                opened.access(&name)?.set_password(&password::hash(&opened.env, &read_password()?)?)?;
                opened.say(format!("The password of {name} is changed, and their sessions are ended. Devices use app passwords."), json!({ "person": name }));
            }
            Person::Invite { quota, days, note } => {
                let invitation = Invitation { quota: quota.unwrap_or(0), note, by: "the command line".into() };
                let auth = opened.auth();
                let link = auth.welcome(&auth.invite(&invitation, days)?);
                opened.say(format!("{link}\nWhoever opens this makes an account here. It works once, and holds for {days} days."), json!({ "link": link }));
            }
            Person::Reset { name, remove_second_factors } => {
                let auth = opened.auth();
                let link = auth.welcome(&auth.offer_reset(&opened.access(&name)?, remove_second_factors)?);
                let kept = if remove_second_factors { "goes with it" } else { "stays" };
                let text = format!("{link}\nBy this {name} chooses a new password, once, within 15 minutes. What else they sign in with {kept}.");
                opened.say(text, json!({ "person": name, "link": link }));
            }
            Person::Admin { name, revoke } => {
                host.set_admin(host.person(&name)?.id, !revoke)?;
                let text = if revoke { "looks after others' accounts no more" } else { "may invite others and look after their accounts" };
                opened.say(format!("{name} {text}."), json!({ "person": name, "admin": !revoke }));
            }
            Person::Quota { name, quota } => {
                host.set_quota(host.person(&name)?.id, quota)?;
                opened.say(format!("{name} may keep {}.", limit(quota)), json!({ "person": name, "quota": quota }));
            }
            Person::Remove { name, yes } => {
                let person = host.person(&name)?;
                if !yes {
                    return Err(format!("this destroys the key of {name}: nothing they keep here can ever be read again. Add --yes if that is meant").into());
                }
                let shredded = host.remove_person(&person)?;
                let rest = if shredded { "" } else { " The server is reading its log, which may hold the destroyed key until it is stopped." };
                opened.say(format!("{name} is gone.{rest}"), json!({ "removed": name, "shredded": shredded }));
            }
        }
        Ok(())
    }
}

/// In the units that quotas are given in: K is 1,024 bytes.
fn human(bytes: u64) -> String {
    let unit = ["", "K", "M", "G", "T"].iter().enumerate().rev().find(|(n, _)| bytes >> (10 * n) > 0);
    match unit {
        None | Some((0, _)) => format!("{bytes} bytes"),
        Some((n, unit)) => format!("{:.1}{unit}", bytes as f64 / (1u64 << (10 * n)) as f64),
    }
}

fn limit(quota: u64) -> String {
    if quota == 0 { "as much as fits".into() } else { human(quota) }
}

fn list(opened: &Opened) -> Fallible<()> {
    let gate = opened.gate();
    for person in opened.host.people()? {
        let usage = gate.usage(person.id)?;
        let admin = if person.admin { "\tadmin" } else { "" };
        let text = format!("{}\t{} of {}{admin}", person.name, human(usage.used), limit(usage.quota));
        opened.say(text, json!({ "person": person.name, "number": person.id.0, "admin": person.admin, "used": usage.used, "quota": (usage.quota > 0).then_some(usage.quota), "created": person.created.0 }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes() {
        for (text, want) in [
            ("1000", Some(1000)),
            ("1K", Some(1024)),
            ("1.5 g", None),
            ("1.5g", Some(3 << 29)),
            ("2GiB", Some(2 << 30)),
            ("none", Some(0)),
            ("0", None),
            ("-1", None),
            ("1X", None),
            ("", None),
        ] {
            assert_eq!(bytes(text).ok(), want, "{text}");
        }
    }
}
