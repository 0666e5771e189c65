//! One file a verb.

mod app_password;
mod check;
mod export;
mod gc;
mod grant;
mod log;
mod party;
mod person;
mod read;
mod serve;
mod trash;
mod versions;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use holm_core::{Access, Env, Gate, Host, Party, Person, Via};

use crate::settings::{Fallible, Settings};
use crate::{host_env, root_key};

#[derive(Subcommand)]
pub enum Command {
    /// Serve (the default)
    Serve,
    /// Who lives here
    #[command(subcommand)]
    Person(person::Person),
    /// Passwords for apps and devices
    #[command(subcommand)]
    AppPassword(app_password::AppPassword),
    /// Who a person has to do with: other people, firms, devices, apps
    #[command(subcommand)]
    Party(party::PartyVerb),
    /// What parties may do: grant it, list it, take it back
    #[command(subcommand)]
    Grant(grant::GrantVerb),
    /// Who read or changed what, and through what
    Log(log::Log),
    /// What was deleted: list it, bring it back, or empty it
    #[command(subcommand)]
    Trash(trash::Trash),
    /// Earlier versions of a file: list them, or bring one back
    #[command(subcommand)]
    Versions(versions::Versions),
    /// See whether catalogs, packs, journals and quotas agree; a server may be running
    Check(check::Check),
    /// Let go what retention no longer keeps, and free its space; a server does this by itself once a day
    Gc(gc::Gc),
    /// List a folder of a person's tree, without a server
    Ls(read::Place),
    /// Write a file of a person's tree to standard output, without a server
    Cat(read::Place),
    /// Write a person's tree as plain files, without a server; run it again to go on after an interruption
    Export(export::Export),
}

pub fn run(command: Command, settings: Settings) -> Fallible<()> {
    let creates = matches!(command, Command::Serve | Command::Person(person::Person::Add { .. }));
    let opened = Opened::new(&settings, creates)?;
    match command {
        Command::Serve => serve::run(settings, opened),
        Command::Person(verb) => verb.run(&opened),
        Command::AppPassword(verb) => verb.run(&opened),
        Command::Party(verb) => verb.run(&opened),
        Command::Grant(verb) => verb.run(&opened),
        Command::Log(log) => log.run(&opened),
        Command::Trash(verb) => verb.run(&opened),
        Command::Versions(verb) => verb.run(&opened),
        Command::Check(check) => check.run(&opened),
        Command::Gc(gc) => gc.run(&settings, &opened),
        Command::Export(export) => export.run(&opened),
        Command::Ls(place) => place.list(&opened),
        Command::Cat(place) => place.print(&opened),
    }
}

/// The opened data directory.
pub struct Opened {
    pub host: Arc<Host>,
    pub env: Env,
    pub json: bool,
    pub data: PathBuf,
}

/// Files made here by somebody else than the data's owner would lock the owner out.
fn owned(data: &Path) -> Fallible<()> {
    let Ok(meta) = std::fs::metadata(data) else { return Ok(()) };
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me {
        let owner = meta.uid();
        return Err(
            format!("{} belongs to user {owner}, and this runs as user {me}: run it as its owner, like sudo -u '#{owner}' holm …", data.display()).into()
        );
    }
    Ok(())
}

impl Opened {
    /// Only commands that begin something make a data directory and a root key: a mistyped path is no empty holm.
    fn new(settings: &Settings, creates: bool) -> Fallible<Opened> {
        let env = host_env::env();
        let (data, key_path) = (settings.data()?, settings.root_key()?);
        if !creates && !data.join("holm.db").exists() {
            return Err(format!("{} holds no data of holm; give the directory with --data", data.display()).into());
        }
        owned(&data)?;
        let (key, made) = root_key::open(&key_path, &data, &env)?;
        if made {
            eprintln!("A new root key is in {}. Everything here is encrypted under it:", key_path.display());
            eprintln!("copy it somewhere safe, apart from the data. Data and key together restore everything; data alone is noise.\n");
        }
        let host = Arc::new(Host::open(&data, key, env.clone())?);
        Ok(Opened { host, env, json: settings.json, data })
    }

    /// A gate to the trees here.
    pub fn gate(&self) -> Gate {
        Gate::new(self.host.clone(), self.env.clone())
    }

    /// The tree of the person of this name, as the operator.
    pub fn access(&self, name: &str) -> Fallible<Access> {
        Ok(self.gate().admit(Party::operator(self.host.person(name)?.id).into(), Via::HERE)?)
    }

    /// The people named, or everybody.
    pub fn chosen(&self, name: Option<&str>) -> Fallible<Vec<Person>> {
        Ok(match name {
            Some(name) => vec![self.host.person(name)?],
            None => self.host.people()?,
        })
    }

    /// Prints a line. Whoever reads may have seen enough (`| head`): then there is nothing left to do.
    pub fn print(&self, text: impl AsRef<str>) {
        use std::io::Write;
        if writeln!(std::io::stdout(), "{}", text.as_ref()).is_err() {
            std::process::exit(0);
        }
    }

    /// Prints `text`, or `json` where that was asked for.
    pub fn say(&self, text: impl AsRef<str>, json: serde_json::Value) {
        if self.json { self.print(json.to_string()) } else { self.print(text) }
    }
}
