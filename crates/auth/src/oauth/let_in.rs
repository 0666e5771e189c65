//! Letting an app in: what the person allowed becomes grants in their ledger, and a credential for those alone.

use holm_core::{Access, NewApp, NewToken, PersonId, Result, Terms, Timestamp};

use super::scope::Scopes;
use super::{ACCESS, Held};
use crate::{Auth, Token};

/// Milliseconds that a token of a storage opens doors, where the person named no end.
pub const STORAGE_LIFE: i64 = 90 * Timestamp::DAY;

/// What a person allowed an app.
#[derive(Clone, Debug)]
pub struct Allowed<'a> {
    /// The app's identifier, which is what it proves to be.
    pub client: &'a str,
    /// What to call it.
    pub name: &'a str,
    pub scopes: &'a Scopes,
    /// The words that were shown.
    pub purpose: String,
    pub terms: Option<Terms>,
    /// The end of it all; none: not by itself.
    pub until: Option<Timestamp>,
    /// At these doors alone; none named: at any.
    pub doors: Vec<String>,
    /// The key it proves to have (RFC 9449 §6.1), as a thumbprint.
    pub key: Option<String>,
}

/// An app that was let in: its credential, and what tokens of it are for.
#[derive(Clone, Debug)]
pub(super) struct LetIn {
    pub person: PersonId,
    pub credential: i64,
    pub held: Held,
    pub until: Option<Timestamp>,
}

/// Tokens that were just handed out.
#[derive(Debug)]
pub struct Handed {
    pub access: Token,
    /// Seconds for which it opens doors.
    pub seconds: i64,
    pub refresh: Option<Token>,
}

impl Auth {
    /// Writes down what the person allowed. `access` is theirs.
    pub(super) fn let_in(&self, access: &Access, allowed: &Allowed<'_>) -> Result<LetIn> {
        let Allowed { client, name, scopes, terms, until, .. } = allowed;
        let grants = scopes.grants();
        let new =
            NewApp { name: (*name).to_owned(), subject: (*client).to_owned(), grants, purpose: allowed.purpose.clone(), terms: terms.clone(), until: *until };
        let made = access.allow_app(&new)?;
        let held =
            Held { client: (*client).to_owned(), scope: scopes.to_string(), grants: made.grants, doors: allowed.doors.clone(), key: allowed.key.clone() };
        Ok(LetIn { person: access.party().person, credential: made.credential, held, until: *until })
    }

    /// A token that opens doors until all ends, as apps of remoteStorage get it (RFC 6749 §4.2): they ask for a new one then.
    /// `access` is the person's.
    pub fn storage_token(&self, access: &Access, allowed: &Allowed<'_>) -> Result<Handed> {
        let in_ = self.let_in(access, allowed)?;
        let now = self.env().now();
        let until = in_.until.unwrap_or(now.plus(STORAGE_LIFE));
        let token = Token::random(self.env());
        self.keep(&in_, &[(&token, ACCESS, until)])?;
        Ok(Handed { access: token, seconds: (until.0 - now.0) / Timestamp::SECOND, refresh: None })
    }

    /// Answers whether the credential holds.
    fn keep(&self, in_: &LetIn, tokens: &[(&Token, &str, Timestamp)]) -> Result<bool> {
        let body = serde_json::to_string(&in_.held).map_err(|e| holm_core::Error::Invalid(e.to_string()))?;
        let hashes: Vec<_> = tokens.iter().map(|(token, ..)| Token::hash(token.reveal())).collect();
        let new = tokens.iter().zip(&hashes).map(|((_, kind, until), hash)| NewToken { hash, kind, body: &body, until: *until });
        self.host().add_tokens(in_.person, in_.credential, &new.collect::<Vec<_>>())
    }
}
