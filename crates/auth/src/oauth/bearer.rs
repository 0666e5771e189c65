//! Access tokens at a door (RFC 6750): whom they prove, and with which limits. They open what [`Auth::bearer`] stands before and
//! nothing else; neither app passwords nor sessions are tokens here (T35).

use std::net::IpAddr;
use std::sync::Arc;

use holm_core::{Error, Limits, Party, Result, Timestamp, TokenRecord};

use super::{ACCESS, Held};
use crate::{Auth, BELIEVED, KEPT, Token, Try, Verdict};

/// Longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 256;

/// What a token in the catalog is for.
pub(super) fn held(record: &TokenRecord) -> Result<Held> {
    serde_json::from_str(&record.body).map_err(|e| Error::Corrupt(format!("a token in the catalog: {e}")))
}

/// Whether a token holds now. A clock before its beginning is a wrong one (D12).
pub(super) fn is_now(record: &TokenRecord, now: Timestamp) -> bool {
    record.spent.is_none() && (record.created.plus(-Timestamp::HOUR)..record.expires).contains(&now)
}

impl Auth {
    /// The verdict on an access token that was right a moment ago. Never waits.
    pub fn bearer_believed(&self, token: &str) -> Option<Verdict> {
        let now = self.env().now();
        let checked = self.bearers.lock().expect("checked tokens");
        let (party, person, at) = checked.get(&Token::hash(token))?;
        if !(0..BELIEVED).contains(&(now.0 - at.0)) {
            return None;
        }
        self.used(party, now);
        Some(Verdict::Admitted(party.clone(), person.clone()))
    }

    /// Checks an access token that was presented from `address`, on its own (RFC 6750 §2.1). One that is bound to a key is
    /// [`Verdict::Unknown`] here. Blocking.
    pub fn bearer(&self, token: &str, address: IpAddr) -> Result<Verdict> {
        if let Some(verdict) = self.bearer_believed(token) {
            return Ok(verdict);
        }
        match self.access_token(token)? {
            Some((record, held)) if held.key.is_none() => {
                let verdict = self.admitted(&record, held);
                if let Verdict::Admitted(party, person) = &verdict {
                    let mut checked = self.bearers.lock().expect("checked tokens");
                    if checked.len() >= KEPT {
                        checked.clear();
                    }
                    checked.insert(Token::hash(token), (party.clone(), person.clone(), self.env().now()));
                }
                Ok(verdict)
            }
            _ => {
                self.bearers.lock().expect("checked tokens").remove(&Token::hash(token));
                self.refused(address)
            }
        }
    }

    /// An access token that holds, and what it is for.
    pub(super) fn access_token(&self, token: &str) -> Result<Option<(TokenRecord, Held)>> {
        if token.is_empty() || token.len() > MAX_TOKEN {
            return Ok(None);
        }
        let now = self.env().now();
        let found = self.host().token(&Token::hash(token))?;
        let found = found.filter(|t| t.kind == ACCESS && is_now(t, now));
        found.map(|record| held(&record).map(|held| (record, held))).transpose()
    }

    /// Whom a token that was right proves.
    pub(super) fn admitted(&self, record: &TokenRecord, held: Held) -> Verdict {
        let limits = Some(Arc::new(Limits { grants: held.grants, doors: held.doors }));
        let party = Party { person: record.person, id: record.party, credential: record.credential, label: record.label.clone(), limits };
        self.used(&party, self.env().now());
        Verdict::Admitted(Arc::new(party), record.name.as_str().into())
    }

    /// A wrong token; whoever comes with many is told to wait. Nobody guesses one: a right one is never made to.
    pub(super) fn refused(&self, address: IpAddr) -> Result<Verdict> {
        let wait = self.limiter.attempt(Try::Token(address), self.env().now())?;
        Ok(wait.map_or(Verdict::Unknown, Verdict::Throttled))
    }
}
