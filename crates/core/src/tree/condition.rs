//! What a write may demand of the state it meets, decided inside the transaction: If-Match, If-None-Match
//! (RFC 9110 §13) and WebDAV's If header (RFC 4918 §10.4), already parsed.

use super::entry::{self, Entry};
use super::lock;
use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::name::Path;
use crate::party::PersonId;
use crate::store::catalog::Tx;

/// If-Match or If-None-Match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// `*`
    Any,
    /// Unquoted strong tags; a weak one matches nothing in a write.
    List(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Etag(String),
    Token(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    pub not: bool,
    pub state: State,
}

/// Terms that must all hold for one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// None where the tag names something outside this tree: its states are all unknown.
    pub on: Option<Path>,
    pub terms: Vec<Term>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    pub if_match: Option<Tags>,
    pub if_none_match: Option<Tags>,
    /// True if any list is; empty means no If header.
    pub if_lists: Vec<List>,
}

impl Precondition {
    /// Lock tokens that were submitted: any named anywhere in the If header.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.if_lists.iter().flat_map(|l| &l.terms).filter_map(|t| match &t.state {
            State::Token(token) => Some(token.as_str()),
            State::Etag(_) => None,
        })
    }

    /// Fails with [`Error::ConditionFailed`] unless everything demanded holds; `target` is what stands at `path`.
    pub fn check(&self, tx: &dyn Tx, person: PersonId, now: Timestamp, path: &Path, target: Option<&Entry>) -> Result<()> {
        let failed = || Err(Error::ConditionFailed(path.clone()));
        if self.if_match.as_ref().is_some_and(|tags| !tags.holds(target)) {
            return failed();
        }
        if self.if_none_match.as_ref().is_some_and(|tags| tags.holds(target)) {
            return failed();
        }
        if self.if_lists.is_empty() {
            return Ok(());
        }
        for list in &self.if_lists {
            if list.holds(tx, person, now)? {
                return Ok(());
            }
        }
        failed()
    }
}

impl Tags {
    pub fn holds(&self, target: Option<&Entry>) -> bool {
        match (self, target) {
            (_, None) => false,
            (Tags::Any, Some(_)) => true,
            (Tags::List(tags), Some(entry)) => {
                let etag = entry.etag();
                tags.contains(&etag)
            }
        }
    }
}

impl List {
    fn holds(&self, tx: &dyn Tx, person: PersonId, now: Timestamp) -> Result<bool> {
        let chain = match &self.on {
            Some(path) => entry::chain(tx, person, path)?,
            None => Vec::new(),
        };
        let target = self.on.as_ref().and_then(|p| chain.get(p.names().len()));
        for term in &self.terms {
            let is = match &term.state {
                State::Etag(tag) => target.is_some_and(|e| e.etag() == *tag),
                State::Token(token) => lock::covering(tx, person, now, &chain, target.is_some())?.iter().any(|l| l.token == *token),
            };
            if is == term.not {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
