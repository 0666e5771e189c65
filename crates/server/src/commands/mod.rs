//! One file a verb.

mod app_password;
mod check;
mod demo;
mod export;
mod gc;
mod grant;
mod import;
mod index;
mod key;
mod kit;
mod log;
mod migrate;
mod party;
mod person;
mod read;
mod recover;
mod serve;
mod trash;
mod versions;

use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use holm_auth::Auth;
use holm_core::{Access, Env, Error, Gate, Host, Party, Person, Place, RootKey, Via};

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
    /// Take in calendars (.ics) and contacts (.vcf) that other programs exported; a server may be running
    Import(import::Import),
    /// What is derived from people's trees: make it anew
    #[command(subcommand)]
    Index(index::Index),
    /// Let go what retention no longer keeps, and free its space; a server does this by itself once a day
    Gc(gc::Gc),
    /// List a folder of a person's tree, without a server
    Ls(read::Place),
    /// Write a file of a person's tree to standard output, without a server
    Cat(read::Place),
    /// Write a person's tree as plain files, without a server; run it again to go on after an interruption
    Export(export::Export),
    /// The recovery kit: words on paper that bring the root key back
    #[command(subcommand)]
    Kit(kit::Kit),
    /// New keys for old ones
    #[command(subcommand)]
    Key(key::Key),
    /// Bring a database of catalogs up to date; servers may go on meanwhile
    Migrate(migrate::Migrate),
    /// Make a person whose cloud is full of pictures, tunes and papers, to try holm with
    Demo(demo::Demo),
    /// Bring the root key back with the words of the recovery kit
    Recover(recover::Recover),
}

pub fn run(command: Command, settings: Settings) -> Fallible<()> {
    let opened = || Opened::new(&settings);
    match command {
        Command::Serve => {
            let opened = Opened::begin(&settings)?;
            serve::run(settings, opened)
        }
        Command::Person(verb @ person::Person::Add { .. }) => verb.run(&Opened::begin(&settings)?),
        Command::Person(verb) => verb.run(&opened()?),
        Command::AppPassword(verb) => verb.run(&opened()?),
        Command::Party(verb) => verb.run(&opened()?),
        Command::Grant(verb) => verb.run(&opened()?),
        Command::Log(log) => log.run(&opened()?),
        Command::Trash(verb) => verb.run(&opened()?),
        Command::Versions(verb) => verb.run(&opened()?),
        Command::Check(check) => check.run(&opened()?),
        Command::Import(import) => import.run(&opened()?),
        Command::Index(verb) => verb.run(&opened()?),
        Command::Gc(gc) => gc.run(&settings, &opened()?),
        Command::Export(export) => export.run(&opened()?),
        Command::Ls(place) => place.list(&opened()?),
        Command::Cat(place) => place.print(&opened()?),
        Command::Kit(verb @ kit::Kit::Make { .. }) => verb.run(&settings, &Opened::open(&settings, true)?.0),
        Command::Kit(verb) => verb.run(&settings, &opened()?),
        Command::Key(verb) => verb.run(&settings, opened()?),
        Command::Demo(demo) => demo.run(&Opened::begin(&settings)?),
        Command::Migrate(migrate) => migrate.run(&settings),
        Command::Recover(recover) => recover.run(&settings),
    }
}

/// The opened data directory.
pub struct Opened {
    pub host: Arc<Host>,
    pub env: Env,
    pub json: bool,
    pub data: PathBuf,
    /// What the root key's file holds, oldest first.
    pub keys: Vec<RootKey>,
    /// Which of them opens the data.
    pub opens: usize,
    /// Where people open holm in their browsers.
    pub origin: String,
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

/// Whether something is kept there, which a new root key would not open.
fn holds_data(place: &Place) -> bool {
    place.catalog.is_some() || place.data.join("holm.db").exists()
}

/// The host's secret that is none: where the server that ran last said that it is opened.
const ORIGIN: &str = "origin";

/// Where people open holm in their browsers: as the settings name it, else where the server last was.
fn origin(settings: &Settings, host: &Host) -> Fallible<String> {
    let told = host.secret(ORIGIN)?.and_then(|bytes| String::from_utf8(bytes).ok());
    match told.filter(|_| !settings.names_origin()) {
        Some(told) => Ok(told),
        None => settings.origin(settings.listen()),
    }
}

/// Opens the data with the newest key that does; answers which it is.
fn open_host(place: &Place, keys: &[RootKey], env: &Env) -> Result<(Host, usize), Error> {
    let mut outcome = Err(Error::Key("there is none"));
    for (n, key) in keys.iter().enumerate().rev() {
        outcome = Host::open(place.clone(), key.clone(), env.clone()).map(|host| (host, n));
        if !matches!(outcome, Err(Error::Key(_))) {
            break;
        }
    }
    outcome
}

impl Opened {
    fn new(settings: &Settings) -> Fallible<Opened> {
        Ok(Opened::open(settings, false)?.0)
    }

    /// [`Opened::new`] for commands that may be the first. Whoever starts holm by hand has its recovery kit at once; elsewhere
    /// what is printed may be kept in logs, and its words must not be.
    fn begin(settings: &Settings) -> Fallible<Opened> {
        let (opened, made) = Opened::open(settings, true)?;
        if made && std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
            kit::first(settings, &opened)?;
        } else if made {
            eprintln!("Make its recovery kit, a sheet to print that brings the key back: holm kit make --html kit.html{}\n", settings.place_flags());
        }
        Ok(opened)
    }

    /// Only commands that begin something make a data directory and a root key: a mistyped path is no empty holm. Answers
    /// whether they were made.
    fn open(settings: &Settings, creates: bool) -> Fallible<(Opened, bool)> {
        let env = host_env::env();
        let (place, key_path) = (settings.place()?, settings.root_key()?);
        let data = place.data.clone();
        // A database is begun by `holm migrate` alone.
        let kept = holds_data(&place);
        if !creates && !kept {
            return Err(format!("{} holds no data of holm; give the directory with --data", data.display()).into());
        }
        owned(&data)?;
        let (keys, made) = root_key::open(&key_path, &data, kept, &env)?;
        let (host, opens) = open_host(&place, &keys, &env)?;
        let origin = origin(settings, &host)?;
        Ok((Opened { host: Arc::new(host), env, json: settings.json, data, keys, opens, origin }, made))
    }

    /// A gate to the trees here.
    pub fn gate(&self) -> Gate {
        Gate::new(self.host.clone(), self.env.clone())
    }

    /// Tells later commands where this server is opened, so that the links they print lead there.
    pub fn tell_origin(&self, origin: &str) -> Fallible<()> {
        if self.origin == origin { Ok(()) } else { Ok(self.host.set_secret(ORIGIN, origin.as_bytes())?) }
    }

    /// Who checks credentials.
    pub fn auth(&self) -> Auth {
        Auth::new(self.gate().into(), &self.origin)
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
