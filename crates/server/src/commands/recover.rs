//! `holm recover`: the root key, from the words of a recovery kit and the age file that every backup holds.

use std::path::PathBuf;

use clap::Args;
use holm_core::Error;
use serde_json::json;

use super::{holds_data, open_host, owned};
use crate::durable::Present;
use crate::settings::{Fallible, Settings};
use crate::{host_env, kit, root_key};

#[derive(Args)]
pub struct Recover {
    /// The age file [default: root.key.age in the data directory]
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

impl Recover {
    /// Writes the key only after it has opened the data, and never over another one.
    pub fn run(self, settings: &Settings) -> Fallible<()> {
        let (place, path, env) = (settings.place()?, settings.root_key()?, host_env::env());
        let data = place.data.clone();
        root_key::outside(&path, &data)?;
        if !holds_data(&place) {
            return Err(format!("{} holds no data of holm: put a backup there first, or give its directory with --data", data.display()).into());
        }
        owned(&data)?;
        let file = self.from.unwrap_or_else(|| kit::age_file(&data));
        let present = root_key::read(&path)?;
        if !file.exists() {
            return Err(format!("{} does not exist; give the age file of the backup with --from", file.display()).into());
        }
        let identity = kit::ask()?;
        let keys = kit::open(&file, &identity)?;
        let (host, n) = open_host(&place, &keys, &env).map_err(|e| match e {
            Error::Key(_) => format!("the words open {}, but its root key is not that of {}: take both from one backup", file.display(), data.display()),
            e => e.to_string(),
        })?;
        let key = keys[n].clone();
        if present.iter().any(|p| p.key == key.key) {
            return Err(format!("{} holds this very key already, and it opens the data: there is nothing to recover", path.display()).into());
        }
        if !present.is_empty() {
            return Err(format!("{} holds another root key: move it away first, it may belong to other data", path.display()).into());
        }
        root_key::write(&path, &[key], Present::Refuse)?;
        if host.kit()?.is_some_and(|k| identity.recipient().is_ok_and(|r| r == k.recipient)) {
            host.note_kit_proven()?;
        }
        let flags = settings.place_flags();
        if settings.json {
            println!("{}", json!({ "root_key": path }));
        } else {
            println!("The root key is in {} again, and it opens the data.", path.display());
            println!(
                "Next: holm check --deep{flags}\nand start holm as before. If others may have seen the words, make a new kit, then: holm key rotate root{flags}"
            );
        }
        Ok(())
    }
}
