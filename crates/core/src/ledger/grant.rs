//! What a party may do, where, for what and how long: the nouns.

use serde::{Deserialize, Serialize};

use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::name::Path;
use crate::party::{Abilities, PartyId, PartyKind};

/// Longest purpose of a grant or address of its terms in characters, and subject of a party in bytes.
pub const MAX_TEXT: usize = 1_024;

/// Data of a kind lies below one folder, whatever protocol put it there.
const KINDS: &[(&str, &str)] = &[("calendars", "calendars"), ("contacts", "contacts"), ("mail", "mail"), ("life", "life"), ("apps", "apps")];

/// What a grant reaches: everything at and below a path, by whole names; or a kind of data, which lies below its folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    Path(Path),
    Kind(&'static str),
}

impl Scope {
    pub fn everything() -> Scope {
        Scope::Path(Path::root())
    }

    /// `/a/path`, or the name of a kind: calendars, contacts, mail, life, apps.
    ///
    /// # Errors
    /// A name that is none of a kind, or a path that is none.
    pub fn parse(text: &str) -> Result<Scope> {
        if text.starts_with('/') {
            return Ok(Scope::Path(Path::parse(text)?));
        }
        let kind = KINDS.iter().find(|k| k.0 == text);
        let all = || KINDS.iter().map(|k| k.0).collect::<Vec<_>>().join(", ");
        kind.map(|k| Scope::Kind(k.0)).ok_or_else(|| Error::Invalid(format!("\"{text}\" is no scope: use a path beginning with /, or one of {}", all())))
    }

    /// The place that this scope is.
    pub fn path(&self) -> Path {
        match self {
            Scope::Path(path) => path.clone(),
            Scope::Kind(kind) => KINDS.iter().find(|k| k.0 == *kind).and_then(|k| Path::parse(k.1).ok()).unwrap_or_default(),
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scope::Path(path) => path.fmt(f),
            Scope::Kind(kind) => f.write_str(kind),
        }
    }
}

/// Conditions that a party agreed to: where they can be read, and the SHA-256 of their text in hex.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Terms {
    pub url: String,
    pub sha256: String,
}

/// What is to be granted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewGrant {
    pub party: PartyId,
    pub scope: Scope,
    pub abilities: Abilities,
    /// What for, in the words that were shown to the person.
    pub purpose: String,
    pub terms: Option<Terms>,
    /// None: it holds at once, whatever the clock shows.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl NewGrant {
    /// At once, without an end or terms.
    pub fn new(party: PartyId, scope: Scope, abilities: Abilities) -> NewGrant {
        NewGrant { party, scope, abilities, purpose: String::new(), terms: None, from: None, until: None }
    }

    pub(super) fn check(&self) -> Result<()> {
        let text = |what: &str, text: &str| {
            let bad = text.chars().count() > MAX_TEXT || text.chars().any(char::is_control);
            if bad { Err(Error::Invalid(format!("{what} is at most {MAX_TEXT} characters, none of them a control character"))) } else { Ok(()) }
        };
        text("a purpose", &self.purpose)?;
        if let Some(terms) = &self.terms {
            text("the address of terms", &terms.url)?;
            if terms.sha256.len() != 64 || !terms.sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
                return Err(Error::Invalid("the hash of terms is a SHA-256 in 64 lower-case hex digits".into()));
            }
        }
        if self.abilities.is_empty() {
            return Err(Error::Invalid("a grant has at least one ability".into()));
        }
        match self.until {
            Some(until) if self.from.is_some_and(|from| until <= from) => Err(Error::Invalid("a grant ends after it begins".into())),
            _ => Ok(()),
        }
    }
}

/// How a grant stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It begins later.
    Ahead,
    Active,
    Expired,
    Revoked,
}

impl Standing {
    pub fn name(self) -> &'static str {
        match self {
            Standing::Ahead => "ahead",
            Standing::Active => "active",
            Standing::Expired => "expired",
            Standing::Revoked => "revoked",
        }
    }
}

/// A grant as it stands in the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    pub id: i64,
    /// The grant that its giver had it from; none where the person gave it.
    pub parent: Option<i64>,
    pub what: NewGrant,
    pub made: Timestamp,
    pub revoked: Option<Timestamp>,
}

impl Grant {
    pub fn standing(&self, now: Timestamp) -> Standing {
        match (self.revoked, self.what.until) {
            (Some(_), _) => Standing::Revoked,
            (_, Some(until)) if now >= until => Standing::Expired,
            _ if self.what.from.is_some_and(|from| now < from) => Standing::Ahead,
            _ => Standing::Active,
        }
    }
}

/// A party as it stands in the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownParty {
    pub id: PartyId,
    pub kind: PartyKind,
    pub name: String,
    /// What it proves to be: for a person here their uid in hex, for an app its origin. Empty where credentials tell.
    pub subject: String,
    pub since: Timestamp,
    pub ended: Option<Timestamp>,
}
