//! `holm migrate`: brings a database of catalogs up to date, and makes the root key where the database is new.

use clap::Args;
use holm_core::{Host, Key, RootKey};
use serde_json::json;

use super::Opened;
use crate::durable::Present;
use crate::settings::{Fallible, Settings};
use crate::{host_env, root_key};

#[derive(Args)]
pub struct Migrate {}

impl Migrate {
    pub fn run(self, settings: &Settings) -> Fallible<()> {
        let (place, env, path) = (settings.place()?, host_env::env(), settings.root_key()?);
        let Some(told) = settings.catalog.told() else {
            return Err("catalogs are files here, and brought up to date when they are opened: there is nothing to do".into());
        };
        root_key::outside(&path, &place.data)?;
        let done = Host::migrate(&place, &env)?;
        let made = root_key::read(&path)?.is_empty() && done.fresh;
        if made {
            root_key::write(&path, &[RootKey { key: Key::random(&env), epoch: 1 }], Present::Refuse)?;
            root_key::announce(&path);
        }
        // Looks whether the key is the right one, and that all is there.
        let opened = Opened::new(settings)?;
        let text = format!("{told} is up to date; {} scripts were applied.", done.scripts);
        opened.say(text, json!({ "scripts": done.scripts, "root_key_made": made }));
        Ok(())
    }
}
