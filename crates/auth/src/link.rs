//! Links: whoever holds the token, and knows the password where it asks for one, is the link's party.

use std::net::IpAddr;
use std::sync::Arc;

use holm_core::{Access, CredentialKind, Party, Proof, Result, Timestamp, Via, mutant};

use crate::{Auth, Token, Try};

/// What a link's token came to.
#[derive(Clone, Debug)]
pub enum LinkVerdict {
    Admitted(Arc<Party>),
    /// It asks for a password, and this was none or another.
    Password,
    /// It was mistyped, taken back, or never was.
    Unknown,
    /// Too many tries; ask again after so many seconds.
    Throttled(i64),
}

/// What comes with a link's token.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    pub password: Option<&'a str>,
    /// What the browser was given when the password was right in it: [`Auth::visit_link`].
    pub visit: Option<&'a str>,
}

impl Auth {
    /// The address of a link.
    pub fn link_address(&self, token: &Token) -> String {
        format!("{}/s/{}", self.origin, token.reveal())
    }

    /// The verdict on a link that was right a moment ago. Never waits.
    pub fn link_believed(&self, token: &str, shown: Shown<'_>) -> Option<Arc<Party>> {
        let (party, _) = self.checked_lately(&believed_by(token, shown))?;
        Some(party)
    }

    /// Who holds a link, from `address`. Blocking, and as long as hashing a password takes where one is shown.
    pub fn link_holder(&self, token: &str, shown: Shown<'_>, address: IpAddr) -> Result<LinkVerdict> {
        if let Some(party) = self.link_believed(token, shown) {
            return Ok(LinkVerdict::Admitted(party));
        }
        let now = self.env().now();
        let Some(Proof { party, phrase, .. }) = self.host().proof(CredentialKind::Link, &Token::hash(token))? else {
            let throttled = self.limiter.attempt(Try::Token(address), now)?;
            return Ok(throttled.map_or(LinkVerdict::Unknown, LinkVerdict::Throttled));
        };
        let party = match phrase {
            None => party,
            Some(phrase) => match (self.visit_of(&party, shown.visit)?, shown.password) {
                (Some(visitor), _) => visitor,
                (None, None) => return Ok(LinkVerdict::Password),
                (None, Some(password)) => match self.link_password(&party, &phrase, password, address, now)? {
                    Ok(true) => party,
                    Ok(false) => return Ok(LinkVerdict::Password),
                    Err(seconds) => return Ok(LinkVerdict::Throttled(seconds)),
                },
            },
        };
        Ok(LinkVerdict::Admitted(self.check(believed_by(token, shown), party, "", now)))
    }

    /// Who a browser is in which this link's password was right.
    fn visit_of(&self, link: &Party, visit: Option<&str>) -> Result<Option<Party>> {
        let Some(visit) = visit else { return Ok(None) };
        let proof = self.host().proof(CredentialKind::LinkVisit, &Token::hash(visit))?;
        Ok(proof.map(|proof| proof.party).filter(|p| (p.person, p.id) == (link.person, link.id) || mutant("visit-of-any-link")))
    }

    /// Whether a link's password is right, or how many seconds to wait.
    fn link_password(&self, link: &Party, phrase: &str, password: &str, address: IpAddr, now: Timestamp) -> Result<Result<bool, i64>> {
        let tried = Try::Link(link.person, link.credential, address);
        if let Some(seconds) = self.limiter.attempt(tried, now)? {
            return Ok(Err(seconds));
        }
        let right = self.hashing.verify(Some(phrase), password)?;
        if right {
            self.limiter.succeeded(tried)?;
        }
        Ok(Ok(right))
    }

    /// Opens a link in a browser: what its token and password come to, and, where it asked for one, what the browser keeps so that
    /// it need not ask again for twelve hours. Blocking.
    pub fn open_link(&self, token: &str, password: Option<&str>, via: Via, address: IpAddr) -> Result<(LinkVerdict, Option<Token>)> {
        // Not what was believed a moment ago: the password may be another one since.
        self.checked.lock().expect("checked credentials").remove(&believed_by(token, Shown { password, visit: None }));
        let before = self.host().proof(CredentialKind::Link, &Token::hash(token))?.and_then(|proof| proof.phrase);
        let verdict = self.link_holder(token, Shown { password, visit: None }, address)?;
        let (LinkVerdict::Admitted(party), Some(phrase)) = (&verdict, before) else { return Ok((verdict, None)) };
        let visit = Token::random(self.env());
        let held = self.gate.admit(party.clone(), via)?.visit_link(&phrase, &Token::hash(visit.reveal()))?;
        Ok(if held { (verdict, Some(visit)) } else { (LinkVerdict::Password, None) })
    }

    /// The PHC string of a link's password. Blocking.
    ///
    /// # Errors
    /// [`holm_core::Error::Invalid`] for a password that is too short or long.
    pub fn link_phrase(&self, password: &str) -> Result<String> {
        self.hashing.hash(self.env(), password)
    }

    /// Another password for a link, or none; answers whether there is such a link. Blocking.
    pub fn set_link_password(&self, access: &Access, id: i64, password: Option<&str>) -> Result<bool> {
        let phrase = password.map(|password| self.link_phrase(password)).transpose()?;
        access.set_link_phrase(id, phrase.as_deref())
    }
}

/// Of a token and all that was shown with it.
fn believed_by(token: &str, shown: Shown<'_>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("holm 1 link");
    for part in [Some(token), shown.password, shown.visit] {
        hasher.update(&[u8::from(part.is_some())]).update(&Token::hash(part.unwrap_or_default()));
    }
    *hasher.finalize().as_bytes()
}
