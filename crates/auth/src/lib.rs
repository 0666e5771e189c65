//! Who are you: passwords, passkeys, codes, app passwords, sessions, tokens of apps, and the limiter that stands before every
//! check. Ends in a [`holm_core::Party`]; knows nothing about HTTP.

#[cfg(test)]
mod fixture;
mod limiter;
mod link;
pub mod oauth;
mod passkey;
pub mod password;
mod secret;
mod session;
mod sign_in;
#[cfg(test)]
mod tests;
mod token;
mod totp;
mod welcome;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use holm_core::{CredentialKind, Env, Gate, Host, Party, PersonId, Proof, Result, Timestamp, mutant};
use webauthn_rs::prelude::{Url, Webauthn};

pub use limiter::{Limiter, Try};
pub use link::{LinkVerdict, Shown};
pub use passkey::Challenge;
pub use secret::Secret;
pub use session::{Client, Opened, PROVEN, Session, Standing};
pub use sign_in::{Again, SignIn};
pub use token::Token;
pub use welcome::{First, Invitation, Link, Waiting};

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
    gate: Arc<Gate>,
    limiter: Limiter,
    hashing: password::Hashing,
    webauthn: Option<Webauthn>,
    /// Where people open holm in their browsers.
    origin: String,
    sessions: session::Believed,
    checked: Mutex<HashMap<[u8; 32], Checked>>,
    bearers: Mutex<HashMap<[u8; 32], Checked>>,
    used_proofs: oauth::proof::Used,
    uses: Mutex<HashMap<(PersonId, i64), Timestamp>>,
}

impl Auth {
    /// `origin` is where people open holm in their browsers, like `https://cloud.example`: passkeys are for its name.
    pub fn new(gate: Arc<Gate>, origin: &str) -> Auth {
        Auth {
            limiter: Limiter::new(gate.host().clone()),
            gate,
            hashing: password::Hashing::default(),
            webauthn: passkey::relying_party(origin),
            origin: origin.to_owned(),
            sessions: session::Believed::default(),
            checked: Mutex::default(),
            bearers: Mutex::default(),
            used_proofs: oauth::proof::Used::default(),
            uses: Mutex::default(),
        }
    }

    fn host(&self) -> &Host {
        self.gate.host()
    }

    fn env(&self) -> &Env {
        self.gate.env()
    }

    /// Where people open holm in their browsers.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The name that authenticator apps show.
    fn issuer(&self) -> String {
        Url::parse(&self.origin).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "holm".into())
    }

    /// A link to come in by. What follows `#` is sent to no server, and so stands in no log.
    pub fn welcome(&self, token: &Token) -> String {
        format!("{}/welcome#{}", self.origin, token.reveal())
    }

    /// The verdict on an app password that was right a moment ago. Never waits.
    pub fn believed(&self, name: &str, secret: &str) -> Option<Verdict> {
        let (party, person) = self.checked_lately(&Secret::hash(secret)).filter(|(_, person)| **person == *name)?;
        Some(Verdict::Admitted(party, person))
    }

    /// Whom the credential with this hash proved a moment ago.
    fn checked_lately(&self, hash: &[u8; 32]) -> Option<(Arc<Party>, Arc<str>)> {
        let now = self.env().now();
        let checked = self.checked.lock().expect("checked credentials");
        let (party, person, at) = checked.get(hash)?;
        if !(mutant("believed-for-ever") || (0..BELIEVED).contains(&(now.0 - at.0))) {
            return None;
        }
        self.used(party, now);
        Some((party.clone(), person.clone()))
    }

    /// Believes a credential for a moment.
    fn check(&self, hash: [u8; 32], party: Party, person: &str, now: Timestamp) -> Arc<Party> {
        let party = Arc::new(party);
        let mut checked = self.checked.lock().expect("checked credentials");
        if checked.len() >= KEPT {
            checked.clear();
        }
        checked.insert(hash, (party.clone(), person.into(), now));
        drop(checked);
        self.used(&party, now);
        party
    }

    /// Checks an app password for the account `name`, presented from `address`. Blocking.
    pub fn app_password(&self, name: &str, secret: &str, address: IpAddr) -> Result<Verdict> {
        if let Some(verdict) = self.believed(name, secret) {
            return Ok(verdict);
        }
        let now = self.env().now();
        if mutant("unknown-name-answered-at-once") && self.host().person(name).is_err() {
            return Ok(Verdict::Unknown);
        }
        let hash = Secret::hash(secret);
        let known = self.checked.lock().expect("checked credentials").get(&hash).is_some_and(|(_, person, _)| **person == *name);
        let found = self.host().proof(CredentialKind::AppPassword, &hash)?.filter(|proof| proof.person == name);
        // A credential that was right before is not counted: strangers must not lock its owner out. Whether another one is
        // right is looked at after it was counted.
        let counted = !known && !found.as_ref().is_some_and(|proof| proof.before || mutant("limiter-after-verify"));
        if counted && let Some(seconds) = self.limiter.attempt(Try::Account(name, address), now)? {
            return Ok(Verdict::Throttled(seconds));
        }
        let Some(Proof { party, person, .. }) = found else {
            self.checked.lock().expect("checked credentials").remove(&hash);
            return Ok(Verdict::Unknown);
        };
        if counted {
            self.limiter.succeeded(Try::Account(name, address))?;
        }
        let party = self.check(hash, party, &person, now);
        Ok(Verdict::Admitted(party, person.into()))
    }

    /// Counts that somebody at `address` asks whether a name is known here; answers for how many seconds they are not told, none
    /// if they are. Blocking.
    pub fn asks_whereabouts(&self, address: IpAddr) -> Result<Option<i64>> {
        self.limiter.attempt(Try::Whereabouts(address), self.env().now())
    }

    /// Forgets tries that count no more, tickets whose time is over and sessions that ended long ago.
    pub fn forget_old(&self) -> Result<()> {
        self.host().forget_tries(self.env().now())?;
        self.host().forget_tickets()?;
        self.host().forget_sessions()?;
        self.host().forget_tokens()
    }

    fn used(&self, party: &Party, now: Timestamp) {
        self.uses.lock().expect("uses").insert((party.person, party.credential), now);
    }

    /// Writes down when credentials were last used: now and then, and at the end, not at each request.
    pub fn flush_uses(&self) -> Result<()> {
        let uses: Vec<_> = self.uses.lock().expect("uses").drain().map(|((p, id), at)| (p, id, at)).collect();
        if uses.is_empty() { Ok(()) } else { self.host().note_uses(&uses) }
    }
}
