//! `holm key rotate`: new keys for old ones. An interruption at any point leaves data that opens, and the same command goes
//! on.

use std::sync::Arc;

use clap::Subcommand;
use holm_core::{Gate, RootKey, mutant};
use serde_json::json;

use super::Opened;
use crate::durable::Present;
use crate::settings::{Fallible, Settings};
use crate::{kit, root_key};

#[derive(Subcommand)]
pub enum Key {
    /// Put a new key in the place of an old one; no server may be running
    #[command(subcommand)]
    Rotate(Rotate),
}

#[derive(Subcommand)]
pub enum Rotate {
    /// The root key: seals everybody's keys anew; the recovery kit stays valid
    Root,
    /// A person's key, or everybody's: seals all they keep anew
    Person {
        name: Option<String>,
        /// Use the new key from now on, and leave what is there already to the server's daily upkeep
        #[arg(long)]
        later: bool,
    },
}

impl Key {
    pub fn run(self, settings: &Settings, opened: Opened) -> Fallible<()> {
        match self {
            Key::Rotate(Rotate::Root) => root(settings, opened),
            Key::Rotate(Rotate::Person { name, later }) => person(settings, opened, name.as_deref(), later),
        }
    }
}

/// Both keys are in the root key's file and in the age file before the data opens with the new one, until it does.
fn root(settings: &Settings, opened: Opened) -> Fallible<()> {
    opened.host.alone()?;
    let path = settings.root_key()?;
    let Opened { host, env, data, keys, opens, json, .. } = opened;
    let keep = |keys: &[RootKey]| root_key::write(&path, keys, Present::Replace);
    let kit = host.kit()?.map(|kit| kit.recipient);
    let seal = |keys: &[RootKey]| kit.map_or(Ok(()), |kit| kit::seal(&data, &env, &kit, keys));
    let present = keys[opens].clone();
    let next = match keys.last() {
        // An interrupted change came as far as the data: only the old key is to be forgotten.
        Some(newest) if keys.len() > 1 && newest.epoch == present.epoch => present,
        newest => {
            let begun = newest.filter(|newest| newest.epoch > present.epoch).cloned();
            let next = begun.unwrap_or_else(|| RootKey { key: holm_core::Key::random(&env), epoch: present.epoch + 1 });
            let both = [present, next.clone()];
            seal(&both)?;
            keep(&both[usize::from(mutant("old-root-key-forgotten"))..])?;
            Arc::into_inner(host).ok_or("the data directory is in use")?.change_root(&next)?;
            next
        }
    };
    seal(std::slice::from_ref(&next))?;
    keep(std::slice::from_ref(&next))?;
    let sheet = if kit.is_some() { "The recovery kit stays valid." } else { "There is no recovery kit yet: holm kit make --html kit.html" };
    let text = format!("Root key number {} is in {}: keep a copy of it; older ones open older backups only. {sheet}", next.epoch, path.display());
    if json {
        println!("{}", json!({ "epoch": next.epoch }))
    } else {
        println!("{text}")
    }
    Ok(())
}

fn person(settings: &Settings, opened: Opened, name: Option<&str>, later: bool) -> Fallible<()> {
    let mut left = 0;
    for person in opened.chosen(name)? {
        // A gate of its own: nobody may have the tree open while its key is changed.
        let gate = Gate::new(opened.host.clone(), opened.env.clone());
        if !gate.has_earlier_keys(person.id)? {
            opened.host.change_key(&person)?;
        }
        if later {
            let text = format!("{} has a new key for all that is written; what is there already follows with the daily upkeep, or holm gc.", person.name);
            opened.say(text, json!({ "person": person.name, "complete": false }));
            continue;
        }
        let done = gate.reseal(person.id)?;
        left += done.packs_outdated;
        let text = format!("{} has a new key; {} packs were sealed anew.", person.name, done.packs_compacted);
        opened.say(text, json!({ "person": person.name, "packs": done.packs_compacted, "complete": done.packs_outdated == 0 }));
    }
    if left > 0 {
        let flags = settings.place_flags();
        return Err(format!("{left} packs could not be sealed anew, and the old key is kept for them: run holm check --deep{flags}").into());
    }
    Ok(())
}
