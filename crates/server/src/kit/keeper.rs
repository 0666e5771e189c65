//! Who may put a kit in force and see that it is kept: the command line and the JSON API, in the same way.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use holm_core::age::Identity;
use holm_core::{Env, Host, RootKey, Timestamp};
use holm_formats::date;
use holm_web::{Kits, Sheet};

use super::{age_file, open, page, parse, seal, words};
use crate::settings::Fallible;

/// The root key, and where it is sealed to a kit.
pub struct Keeper {
    pub host: Arc<Host>,
    pub env: Env,
    pub data: PathBuf,
    /// Oldest first.
    pub keys: Vec<RootKey>,
    /// What a sheet says it is of.
    pub called: String,
    /// One kit at a time: the row and the file must be of the same.
    pub turn: Mutex<()>,
}

/// The day of a moment, UTC.
pub fn day(at: Timestamp) -> String {
    date::rfc3339(at.0)[..10].to_owned()
}

impl Keeper {
    /// The page to print.
    pub fn page(&self, identity: &Identity) -> Fallible<String> {
        page(identity, &self.called, &day(self.env.now()))
    }

    /// Puts a kit in force. The row first: where a crash comes between, the kit counts as unproven until its words have opened the
    /// file.
    pub fn enact(&self, identity: &Identity) -> Fallible<()> {
        let _turn = self.turn.lock().expect("nobody failed while making a kit");
        let recipient = identity.recipient()?;
        self.host.set_kit(&recipient)?;
        seal(&self.data, &self.env, &recipient, &self.keys)
    }

    /// Sees that a kit is the present one and opens what backups hold.
    pub fn verify(&self, identity: &Identity) -> Fallible<()> {
        let present = self.host.kit()?.ok_or("there is no recovery kit yet: make one")?;
        if identity.recipient()? != present.recipient {
            return Err(
                format!("these are the words of another kit; the present one was made on {}: find its sheet, or make a new one", day(present.made)).into()
            );
        }
        let held = open(&age_file(&self.data), identity)?;
        if self.keys.iter().any(|key| !held.iter().any(|h| h.key == key.key)) {
            return Err("the words open the age file, but it holds another root key: make a new kit".into());
        }
        Ok(self.host.note_kit_proven()?)
    }
}

impl Kits for Keeper {
    fn make(&self) -> Result<Sheet, String> {
        let identity = Identity::random(&self.env);
        let sheet = self.page(&identity).and_then(|page| self.enact(&identity).map(|()| page));
        let words = words(&identity).into_iter().map(str::to_owned).collect();
        sheet.map(|page| Sheet { words, page }).map_err(|e| e.to_string())
    }

    fn prove(&self, words: &str) -> Result<(), String> {
        parse(words).and_then(|identity| self.verify(&identity)).map_err(|e| e.to_string())
    }
}
