//! `holm kit`: make, verify, status.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use clap::Subcommand;
use holm_core::Host;
use holm_core::age::Identity;
use serde_json::json;

use super::Opened;
use crate::durable::{self, Present};
use crate::kit::{self, Keeper, day};
use crate::settings::{Fallible, Settings};

#[derive(Subcommand)]
pub enum Kit {
    /// Make a new recovery kit: 24 words that bring the root key back from any backup made from then on
    Make {
        /// Write the page to print to this file, and show the words nowhere else
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
    /// Type the words of the kit and see that they open what backups hold
    Verify,
    /// When the kit was made, and when somebody last proved to have it
    Status,
}

impl Kit {
    pub fn run(self, settings: &Settings, opened: &Opened) -> Fallible<()> {
        match self {
            Kit::Make { html } => make(settings, opened, html.as_deref()),
            Kit::Verify => verify(settings, opened),
            Kit::Status => status(opened),
        }
    }
}

/// Shown first, in force after: what is in force has been seen.
fn make(settings: &Settings, opened: &Opened, html: Option<&Path>) -> Fallible<()> {
    let identity = Identity::random(&opened.env);
    let recipient = identity.recipient()?.text();
    let words = kit::words(&identity);
    let keeper = keeper(settings, opened);
    if let Some(path) = html {
        durable::write(path, keeper.page(&identity)?.as_bytes(), 0o600, Present::Refuse)?;
    } else if !opened.json {
        opened.print(kit::numbered(&words));
    }
    keeper.enact(&identity)?;
    let (flags, next) = (settings.place_flags(), "From now on backups open with this kit only; older backups keep the older one.");
    match html {
        Some(path) => opened.say(
            format!("Print {}, delete it, then type the words once: holm kit verify{flags}\n{next}", path.display()),
            json!({ "recipient": recipient, "html": path }),
        ),
        None => opened.say(
            format!("Write the words down; they are shown once. Then type them once: holm kit verify{flags}\n{next}"),
            json!({ "recipient": recipient, "words": words }),
        ),
    }
    Ok(())
}

/// Who makes and verifies kits here.
pub fn keeper(settings: &Settings, opened: &Opened) -> Keeper {
    let host = settings.hosts().and_then(|hosts| hosts.first().cloned());
    let called = host.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
    let (host, env) = (opened.host.clone(), opened.env.clone());
    Keeper { host, env, data: opened.data.clone(), keys: opened.keys.clone(), called, turn: Mutex::default() }
}

/// At the first start by hand: the words, on the terminal.
pub fn first(settings: &Settings, opened: &Opened) -> Fallible<()> {
    let flags = settings.place_flags();
    let identity = Identity::random(&opened.env);
    eprintln!("This is its recovery kit. Write the 24 words down on paper: with a backup of the data they bring everything back. They are shown once.\n");
    eprintln!("{}", kit::numbered(&kit::words(&identity)));
    keeper(settings, opened).enact(&identity)?;
    eprintln!("Then type them once: holm kit verify{flags}\nOr have a sheet to print, with new words: holm kit make --html kit.html{flags}\n");
    Ok(())
}

fn verify(settings: &Settings, opened: &Opened) -> Fallible<()> {
    if opened.host.kit()?.is_none() {
        return Err("there is no recovery kit yet: holm kit make".into());
    }
    keeper(settings, opened).verify(&kit::ask()?)?;
    opened.say("The words are right: with them and a backup everything can be restored.", json!({ "proven": true }));
    Ok(())
}

fn status(opened: &Opened) -> Fallible<()> {
    let kit = opened.host.kit()?;
    let text = match &kit {
        None => "There is no recovery kit: holm kit make --html kit.html".to_owned(),
        Some(kit) => {
            let proven = kit.proven.map_or("never proven: holm kit verify".into(), |at| format!("last proven on {}", day(at)));
            format!("Made on {}, {proven}.\n{}", day(kit.made), kit.recipient.text())
        }
    };
    let told = kit.map(|kit| json!({ "recipient": kit.recipient.text(), "made": kit.made.0, "proven": kit.proven.map(|t| t.0) }));
    opened.say(text, told.unwrap_or_else(|| json!({ "made": null, "proven": null })));
    Ok(())
}

/// What the log says at a start as long as the root key could be lost for good.
pub fn warning(host: &Host, data: &Path, flags: &str) -> Fallible<Option<String>> {
    Ok(match host.kit()? {
        Some(_) if !kit::age_file(data).exists() => Some(format!(
            "{} is gone, so backups have nothing that the recovery kit opens: holm kit make --html kit.html{flags}",
            kit::age_file(data).display()
        )),
        Some(kit) if kit.proven.is_none() => Some(format!("nobody has proven yet to hold the recovery kit of {}: holm kit verify{flags}", day(kit.made))),
        Some(_) => None,
        None => Some(format!("there is no recovery kit: if the root key is lost, everything is. Make one: holm kit make --html kit.html{flags}")),
    })
}
