//! One file a verb.

mod app_password;
mod person;
mod read;
mod serve;

use std::sync::Arc;

use clap::Subcommand;
use holm_core::{Env, Host};

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
    /// List a folder of a person's tree, without a server
    Ls(read::Place),
    /// Write a file of a person's tree to standard output, without a server
    Cat(read::Place),
}

pub fn run(command: Command, settings: Settings) -> Fallible<()> {
    let opened = Opened::new(&settings)?;
    match command {
        Command::Serve => serve::run(settings, opened),
        Command::Person(verb) => verb.run(&opened),
        Command::AppPassword(verb) => verb.run(&opened),
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

    /// Prints `text`, or `json` where that was asked for.
    pub fn say(&self, text: impl AsRef<str>, json: serde_json::Value) {
        if self.json {
            println!("{json}");
        } else {
            println!("{}", text.as_ref());
        }
    }
}
