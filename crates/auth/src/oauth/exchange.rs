//! The token endpoint (OAuth 2.1 §3.2): codes, refresh tokens and device codes become tokens; and tokens are taken back, or looked
//! at by the app they were given to.

use std::net::IpAddr;

use holm_core::{Access, Party, PersonId, Result, Timestamp, TokenRecord, Via, mutant};
use serde::Serialize;

use super::client::Client;
use super::consent::{CODE, Code, read};
use super::let_in::{Handed, LetIn};
use super::refusal::{Params, Refusal, said};
use super::scope::{Dialect, Scope, Scopes};
use super::{ACCESS, DEVICE, REFRESH, bearer, request};
use crate::{Auth, Token};

/// A code that was used; known for a while, so that using it again ends what came of it (RFC 9700 §4.5).
const SPENT: &str = "oauth-spent";
const SPENT_LIFE: i64 = 10 * 60 * Timestamp::SECOND;
/// How long after a refresh token was used its app may use it once more, because the answer did not reach it.
const GRACE: i64 = 30 * Timestamp::SECOND;

/// What the token endpoint answers.
#[derive(Debug)]
pub struct Exchanged {
    pub handed: Handed,
    pub scope: String,
    /// Bound to a key (RFC 9449 §5).
    pub bound: bool,
    pub id_token: Option<String>,
}

/// What is told of a token to the app it was given to (RFC 7662 §2.2).
#[derive(Debug, Serialize)]
pub struct Introspected {
    pub active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
}

fn not_granted<T>(why: &'static str) -> Result<T, Refusal> {
    said("invalid_grant", why)
}

/// What a code or refresh token of an app's is good for, with the key that this request proved.
struct Good {
    in_: LetIn,
    nonce: Option<String>,
    auth_time: Option<i64>,
    /// The refresh token that is spent for it.
    spends: Option<[u8; 32]>,
}

impl Auth {
    /// Hands out tokens for what an app comes with, which has authenticated. `key` is the thumbprint of the key it proved to have.
    /// Blocking.
    pub fn exchange(&self, client: &Client, params: &Params, key: Option<String>, address: IpAddr) -> Result<Exchanged, Refusal> {
        let mut good = match params.need("grant_type")? {
            "authorization_code" => self.of_code(client, params)?,
            "refresh_token" => self.of_refresh(client, params)?,
            DEVICE => {
                let (in_, auth_time) = self.poll(client, params, address)?;
                Good { in_, nonce: None, auth_time: Some(auth_time.0), spends: None }
            }
            _ => return said("unsupported_grant_type", "the grant types are authorization_code, refresh_token and the device grant"),
        };
        match (&good.in_.held.key, &key) {
            (Some(due), Some(key)) if due == key => {}
            (Some(_), _) => return said("invalid_dpop_proof", "this is bound to a key; prove to have it"),
            (None, _) if client.metadata.dpop_bound_access_tokens && key.is_none() => {
                return said("invalid_dpop_proof", "the app said that its tokens are bound to keys; send a DPoP proof");
            }
            (None, _) if good.spends.is_none() => good.in_.held.key = key,
            (None, _) => {}
        }
        let doors = self.doors(params.all("resource"))?;
        let wider = |door: &String| !good.in_.held.doors.is_empty() && !good.in_.held.doors.contains(door);
        if doors.iter().any(wider) {
            return said("invalid_target", "this was not asked for when the person was");
        }
        self.hand(client, good, doors)
    }

    fn hand(&self, client: &Client, good: Good, doors: Vec<String>) -> Result<Exchanged, Refusal> {
        let held = good.in_.held.clone();
        let scopes = Scopes::parse(&held.scope, Dialect::Holm).unwrap_or_default();
        // Who came back before without being let in anew may do so again.
        let offline = scopes.has(&Scope::Offline) || !scopes.grants().is_empty();
        let Some(handed) = self.hand_out(&good.in_, offline, doors, good.spends.as_ref())? else {
            return not_granted("the person has sent this app away");
        };
        let id_token = match good.auth_time {
            Some(at) if scopes.has(&Scope::Identity) => Some(self.id_token(&client.id, &good.in_, Timestamp(at), good.nonce.as_deref())?),
            _ => None,
        };
        Ok(Exchanged { handed, scope: held.scope, bound: held.key.is_some(), id_token })
    }

    fn of_code(&self, client: &Client, params: &Params) -> Result<Good, Refusal> {
        let hash = Token::hash(params.need("code")?);
        let verifier = params.get("code_verifier").unwrap_or_default();
        let Some(ticket) = self.host().ticket(&hash, CODE)? else {
            self.was_spent(&hash)?;
            return not_granted("this code is not known, or its minute is over; begin again");
        };
        let code: Code = read(&ticket)?;
        if code.held.client != client.id || params.get("redirect_uri").is_some_and(|uri| uri != code.redirect) {
            return not_granted("this code is for another app or another redirect_uri");
        }
        if !request::fits(verifier, &code.challenge) {
            return not_granted("the code_verifier does not fit the code_challenge");
        }
        let until = self.env().now().plus(SPENT_LIFE);
        let Some(ticket) = (if mutant("code-works-twice") { Some(ticket) } else { self.host().turn_ticket(&hash, CODE, SPENT, until)? }) else {
            self.was_spent(&hash)?;
            return not_granted("this code was used at the same time");
        };
        let Some(person) = ticket.person else { return not_granted("nobody gave this code") };
        let until = code.held.until.map(Timestamp);
        let in_ = LetIn { person, credential: code.credential, held: code.held, until };
        Ok(Good { in_, nonce: code.nonce, auth_time: Some(code.auth_time), spends: None })
    }

    /// A code that comes twice was stolen from one of those who came with it: what it led to ends (T23).
    fn was_spent(&self, hash: &[u8; 32]) -> Result<()> {
        let Some(ticket) = self.host().ticket(hash, SPENT)? else { return Ok(()) };
        let code: Code = read(&ticket)?;
        match ticket.person {
            Some(person) => self.end_app(person, code.credential, &code.held.grants, "a code that came twice"),
            None => Ok(()),
        }
    }

    fn of_refresh(&self, client: &Client, params: &Params) -> Result<Good, Refusal> {
        let hash = Token::hash(params.need("refresh_token")?);
        let now = self.env().now();
        let found = self.host().token(&hash)?.filter(|t| t.kind == REFRESH && (t.created.plus(-Timestamp::HOUR)..t.expires).contains(&now));
        let Some(record) = found else { return not_granted("this refresh token is not known, or its time is over; ask the person again") };
        let held = bearer::held(&record)?;
        if held.client != client.id {
            return not_granted("this refresh token is another app's");
        }
        if record.spent.is_some_and(|spent| !(0..GRACE).contains(&(now.0 - spent.0))) && !mutant("refresh-token-works-twice") {
            self.end_app(record.person, record.credential, &held.grants, "a refresh token that came twice")?;
            return not_granted("this refresh token was used before; ask the person again");
        }
        if let Some(asked) = params.get("scope") {
            let had = Scopes::parse(&held.scope, Dialect::Holm).unwrap_or_default();
            if !Scopes::parse(asked, Dialect::Holm).is_some_and(|asked| asked.is_within(&had)) {
                return said("invalid_scope", "no more can be had than the person allowed");
            }
        }
        let until = held.until.map(Timestamp);
        let TokenRecord { person, credential, .. } = record;
        Ok(Good { in_: LetIn { person, credential, held, until }, nonce: None, auth_time: None, spends: Some(hash) })
    }

    /// Ends what an app was let in with, this once: the credential, and the grants that were made for it.
    fn end_app(&self, person: PersonId, credential: i64, grants: &[i64], why: &str) -> Result<()> {
        tracing::warn!(person = person.0, credential, "an app was sent away: {why}");
        let by = Party { label: why.to_owned(), ..Party::operator(person) };
        let access: Access = self.gate.admit(by.into(), Via { protocol: "oauth", address: None })?;
        access.end_app(credential, grants)?;
        self.bearers.lock().expect("checked tokens").clear();
        Ok(())
    }

    /// Takes a token back (RFC 7009 §2). What is not known, or another app's, is answered alike.
    pub fn take_back_token(&self, client: &Client, token: &str) -> Result<()> {
        let hash = Token::hash(token);
        let Some(record) = self.host().token(&hash)? else { return Ok(()) };
        let held = bearer::held(&record)?;
        if held.client != client.id {
            return Ok(());
        }
        if record.kind == REFRESH || held.doors == [super::resource::STORAGE] {
            return self.end_app(record.person, record.credential, &held.grants, "at the app's own wish");
        }
        self.bearers.lock().expect("checked tokens").remove(&hash);
        self.host().drop_token(&hash)
    }

    /// What a token is, to the app it was given to (RFC 7662).
    pub fn introspect(&self, client: &Client, token: &str) -> Result<Introspected> {
        let nothing = Introspected { active: false, scope: None, client_id: None, token_type: None, exp: None, iat: None, sub: None, iss: None };
        let Some(record) = self.host().token(&Token::hash(token))?.filter(|t| bearer::is_now(t, self.env().now())) else { return Ok(nothing) };
        let held = bearer::held(&record)?;
        if held.client != client.id {
            return Ok(nothing);
        }
        Ok(Introspected {
            active: true,
            sub: Some(self.subject(record.person, &held.sector)?),
            token_type: (record.kind == ACCESS).then_some(if held.key.is_some() { "DPoP" } else { "Bearer" }),
            scope: Some(held.scope),
            client_id: Some(held.client),
            exp: Some(record.expires.seconds()),
            iat: Some(record.created.seconds()),
            iss: Some(self.origin().to_owned()),
        })
    }
}
