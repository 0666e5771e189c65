//! One file a verb.

mod app_password;
mod check;
mod export;
mod gc;
mod person;
mod read;
mod serve;

use std::sync::Arc;

use clap::Subcommand;
use holm_core::{Env, Gate, Host, Person};

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
    let opened = Opened::new(&settings)?;
    match command {
        Command::Serve => serve::run(settings, opened),
        Command::Person(verb) => verb.run(&opened),
        Command::AppPassword(verb) => verb.run(&opened),
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
    /// The root key was made just now.
    pub first_start: bool,
}

impl Opened {
    fn new(settings: &Settings) -> Fallible<Opened> {
        let env = host_env::env();
        let data = settings.data()?;
        let (key, first_start) = root_key::open(&settings.root_key()?, &data, &env)?;
        let host = Arc::new(Host::open(&data, key, env.clone())?);
        Ok(Opened { host, env, json: settings.json, first_start })
    }

    /// A gate to the trees here.
    pub fn gate(&self) -> Gate {
        Gate::new(self.host.clone(), self.env.clone())
    }

    /// The people named, or everybody.
    pub fn chosen(&self, name: Option<&str>) -> Fallible<Vec<Person>> {
        Ok(match name {
            Some(name) => vec![self.host.person(name)?],
            None => self.host.people()?,
        })
    }

    /// Prints `text`, or `json` where that was asked for.
    pub fn say(&self, text: impl AsRef<str>, json: serde_json::Value) {
        if self.json {
            println!("{json}");
        } else {
            println!("{}", text.as_ref());
        }
    }
}
