//! Letting an app in: what the person allowed becomes grants in their ledger, and a credential for those alone.

use holm_core::{Access, NewApp, NewToken, PersonId, Result, Terms, Timestamp};

use super::scope::Scopes;
use super::{ACCESS, Held, REFRESH};
use crate::{Auth, Token};

/// Milliseconds that a token of a storage opens doors, where the person named no end.
pub const STORAGE_LIFE: i64 = 90 * Timestamp::DAY;

/// How long an access token opens doors; a refresh token brings the next.
const ACCESS_LIFE: i64 = Timestamp::HOUR;
/// How long a refresh token may lie unused.
const REFRESH_LIFE: i64 = 90 * Timestamp::DAY;

/// What a person allowed an app.
#[derive(Clone, Debug)]
pub struct Allowed<'a> {
    /// The app's identifier.
    pub client: &'a str,
    /// What it proves to be.
    pub subject: &'a str,
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
    /// Whom the person's name for it is told to.
    pub sector: String,
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
        let Allowed { client, subject, name, scopes, terms, until, .. } = allowed;
        let grants = scopes.grants();
        let new =
            NewApp { name: (*name).to_owned(), subject: (*subject).to_owned(), grants, purpose: allowed.purpose.clone(), terms: terms.clone(), until: *until };
        let made = access.allow_app(&new)?;
        let held = Held {
            client: (*client).to_owned(),
            scope: scopes.to_string(),
            grants: made.grants,
            doors: allowed.doors.clone(),
            key: allowed.key.clone(),
            sector: allowed.sector.clone(),
            until: until.map(|t| t.0),
        };
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

    /// Tokens of an app that was let in: for these doors, where some are named; with `offline` also one by which it gets the next, in
    /// place of the one it `spends`. None where its credential holds no more.
    pub(super) fn hand_out(&self, in_: &LetIn, offline: bool, doors: Vec<String>, spends: Option<&[u8; 32]>) -> Result<Option<Handed>> {
        let now = self.env().now();
        let end = in_.until.unwrap_or(Timestamp(i64::MAX));
        let until = now.plus(ACCESS_LIFE).min(end);
        if until <= now {
            return Ok(None);
        }
        if let Some(old) = spends {
            self.host().spend_token(old)?;
        }
        let (access, refresh) = (Token::random(self.env()), offline.then(|| Token::random(self.env())));
        let narrow = LetIn { held: Held { doors: if doors.is_empty() { in_.held.doors.clone() } else { doors }, ..in_.held.clone() }, ..in_.clone() };
        if !self.keep(&narrow, &[(&access, ACCESS, until)])? {
            return Ok(None);
        }
        if let Some(token) = &refresh {
            self.keep(in_, &[(token, REFRESH, now.plus(REFRESH_LIFE).min(end))])?;
        }
        Ok(Some(Handed { access, seconds: (until.0 - now.0) / Timestamp::SECOND, refresh }))
    }

    /// Answers whether the credential holds.
    fn keep(&self, in_: &LetIn, tokens: &[(&Token, &str, Timestamp)]) -> Result<bool> {
        let body = serde_json::to_string(&in_.held).map_err(|e| holm_core::Error::Invalid(e.to_string()))?;
        let hashes: Vec<_> = tokens.iter().map(|(token, ..)| Token::hash(token.reveal())).collect();
        let new = tokens.iter().zip(&hashes).map(|((_, kind, until), hash)| NewToken { hash, kind, body: &body, until: *until });
        self.host().add_tokens(in_.person, in_.credential, &new.collect::<Vec<_>>())
    }
}
