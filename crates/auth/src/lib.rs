//! Who are you: app passwords and the limiter that stands before every check. Ends in a [`holm_core::Party`]; knows
//! nothing about HTTP.

mod limiter;
pub mod password;
mod secret;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use holm_core::{Env, Host, Party, PersonId, Result, Timestamp};

pub use limiter::Limiter;
pub use secret::Secret;

/// How long a checked credential is believed without asking the catalog again: a revoked one works no longer than this.
const BELIEVED: i64 = Timestamp::SECOND;
/// Checked credentials kept; more empties the lot.
const KEPT: usize = 10_000;

/// What a presented credential came to.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The party and its person's name.
    Admitted(Arc<Party>, Arc<str>),
    Unknown,
    /// Too many failures from this place; ask again after so many seconds.
    Throttled(i64),
}

type Checked = (Arc<Party>, Arc<str>, Timestamp);

/// Checks credentials.
pub struct Auth {
    host: Arc<Host>,
    env: Env,
    limiter: Limiter,
    checked: Mutex<HashMap<[u8; 32], Checked>>,
    uses: Mutex<HashMap<(PersonId, i64), Timestamp>>,
}

impl Auth {
    pub fn new(host: Arc<Host>, env: Env) -> Auth {
        Auth { host, env, limiter: Limiter::default(), checked: Mutex::default(), uses: Mutex::default() }
    }

    /// Checks an app password for the account `name`, presented from `address`.
    pub fn app_password(&self, name: &str, secret: &str, address: IpAddr) -> Result<Verdict> {
        let now = self.env.now();
        let hash = Secret::hash(secret);
        let mut known = false;
        if let Some((party, person, at)) = self.checked.lock().expect("checked credentials").get(&hash) {
            known = **person == *name;
            if known && (0..BELIEVED).contains(&(now.0 - at.0)) {
                self.used(party, now);
                return Ok(Verdict::Admitted(party.clone(), person.clone()));
            }
        }
        // A credential that was right here before is not counted: strangers must not lock its owner out.
        if !known && let Some(seconds) = self.limiter.attempt(name, address, now) {
            return Ok(Verdict::Throttled(seconds));
        }
        let found = self.host.party_of(&hash)?.filter(|(_, person)| person == name);
        let mut checked = self.checked.lock().expect("checked credentials");
        let Some((party, person)) = found else {
            checked.remove(&hash);
            return Ok(Verdict::Unknown);
        };
        if !known {
            self.limiter.succeeded(name, address);
        }
        if checked.len() >= KEPT {
            checked.clear();
        }
        let (party, person): (_, Arc<str>) = (Arc::new(party), person.into());
        checked.insert(hash, (party.clone(), person.clone(), now));
        drop(checked);
        self.used(&party, now);
        Ok(Verdict::Admitted(party, person))
    }

    fn used(&self, party: &Party, now: Timestamp) {
        self.uses.lock().expect("uses").insert((party.person, party.credential), now);
    }

    /// Writes down when credentials were last used: now and then, and at the end, not at each request.
    pub fn flush_uses(&self) -> Result<()> {
        let uses: Vec<_> = self.uses.lock().expect("uses").drain().map(|((p, id), at)| (p, id, at)).collect();
        if uses.is_empty() { Ok(()) } else { self.host.note_uses(&uses) }
    }
}
