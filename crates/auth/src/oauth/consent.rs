//! The person's answer. What is asked for waits in a ticket; whoever answers comes with the ticket, the browser that it began in
//! (T25) and a session, and can allow less than was asked for, never more.

use holm_core::{Access, Error, Party, Terms, Ticket, Timestamp, mutant};
use serde::{Deserialize, Serialize};

use super::let_in::{Allowed, LetIn};
use super::refusal::{Refusal, said};
use super::request::{Asked, Flow};
use super::scope::{Dialect, Scope, Scopes};
use crate::{Auth, Session, Token};

const ASKED: &str = "oauth-asked";
pub(super) const CODE: &str = "oauth-code";
/// How long a request waits for its answer, and a code for its app.
const WAITS: i64 = 10 * 60 * Timestamp::SECOND;
const CODE_LIFE: i64 = 60 * Timestamp::SECOND;
/// Days that an app may be let in for.
const LONGEST: i64 = 3_650;

/// What waits for a person's answer.
#[derive(Serialize, Deserialize)]
struct Waiting {
    asked: Asked,
    /// The hash of what the browser was given that it began in, in hex.
    browser: String,
    terms: Option<Terms>,
}

/// What a code is for.
#[derive(Serialize, Deserialize)]
pub(super) struct Code {
    pub credential: i64,
    pub held: super::Held,
    pub redirect: String,
    pub challenge: String,
    pub nonce: Option<String>,
    /// When the person last proved who they are, in milliseconds since 1970.
    pub auth_time: i64,
}

/// A request that waits.
#[derive(Debug)]
pub struct Pending {
    pub asked: Asked,
    /// The app's terms, where they could be read.
    pub terms: Option<Terms>,
    /// When it began.
    pub since: Timestamp,
}

impl Pending {
    /// Whether a proof of who is there, of that time, is as new as the app wants it.
    pub fn is_proven(&self, proven: Timestamp, now: Timestamp) -> bool {
        let age = self.asked.max_age.map_or(i64::MAX, |age| age.saturating_mul(Timestamp::SECOND));
        proven >= self.since || !self.asked.wants_sign_in() && now.0 - proven.0 <= age
    }
}

/// What a person answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What they allow: words within those that were asked for; none: nothing.
    pub scopes: Vec<String>,
    /// How long; None: until they take it back.
    pub days: Option<i64>,
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(super) fn json(what: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(what).map_err(|e| Error::Invalid(e.to_string()))
}

pub(super) fn read<'a, T: Deserialize<'a>>(ticket: &'a Ticket) -> Result<T, Error> {
    serde_json::from_str(&ticket.body).map_err(|e| Error::Corrupt(format!("a ticket in the catalog: {e}")))
}

fn over<T>() -> Result<T, Refusal> {
    said("invalid_request", "this request was answered already, waited for too long, or began in another browser; go back to the app and begin again")
}

impl Auth {
    pub(super) fn put(&self, kind: &str, body: &impl Serialize, life: i64) -> Result<Token, Error> {
        let (token, created) = (Token::random(self.env()), self.env().now());
        let hash = Token::hash(token.reveal());
        self.host().put_ticket(&Ticket { hash, kind: kind.into(), person: None, body: json(body)?, created, expires: created.plus(life) })?;
        Ok(token)
    }

    /// Keeps what is asked for until the person answers, in the browser that has `browser`. Answers the ticket.
    pub fn wait(&self, asked: Asked, browser: &str) -> Result<Token, Error> {
        self.put(ASKED, &Waiting { asked, browser: hex(&Token::hash(browser)), terms: None }, WAITS)
    }

    /// Counts what a stranger makes this server keep or fetch.
    ///
    /// # Errors
    /// Too much came from there.
    pub fn count_request(&self, address: std::net::IpAddr) -> Result<(), Refusal> {
        let wait = self.limiter.attempt(crate::Try::Challenge(address), self.env().now())?;
        wait.map_or(Ok(()), |seconds| Err(Refusal::Throttled(seconds)))
    }

    /// What a ticket asks for.
    pub fn asked(&self, ticket: &str, browser: Option<&str>) -> Result<Pending, Refusal> {
        let Some(found) = self.host().ticket(&Token::hash(ticket), ASKED)? else { return over() };
        let Waiting { asked, browser: due, terms } = read(&found)?;
        let same = browser.is_some_and(|b| hex(&Token::hash(b)) == due) || mutant("any-browser-answers");
        if same { Ok(Pending { asked, terms, since: found.created }) } else { over() }
    }

    /// The app's terms were read, and are what is agreed to.
    pub fn note_terms(&self, ticket: &str, terms: Terms) -> Result<(), Refusal> {
        let Some(found) = self.host().ticket(&Token::hash(ticket), ASKED)? else { return over() };
        let waiting = Waiting { terms: Some(terms), ..read(&found)? };
        self.host().change_ticket(&found, &json(&waiting)?)?;
        Ok(())
    }

    /// The person says no. Answers where the browser goes, if anywhere.
    pub fn deny(&self, ticket: &str, browser: Option<&str>) -> Result<Option<String>, Refusal> {
        let asked = self.asked(ticket, browser)?.asked;
        if self.host().take_ticket(&Token::hash(ticket), ASKED)?.is_none() {
            return over();
        }
        if let Flow::Device { code } = &asked.flow {
            self.answer_device(code, None)?;
        }
        Ok(asked.answer(self.origin(), &[("error", "access_denied")]))
    }

    /// The person says yes, to all of it or less. Answers where the browser goes, if anywhere. `access` is the person's, of this
    /// session.
    pub fn allow(&self, access: &Access, session: &Session, ticket: &str, browser: Option<&str>, answer: &Answer) -> Result<Option<String>, Refusal> {
        let Pending { asked, terms, .. } = self.asked(ticket, browser)?;
        let scopes = narrowed(&asked.scopes(), &answer.scopes)?;
        if answer.days.is_some_and(|days| !(1..=LONGEST).contains(&days)) {
            return said("invalid_request", "an app is let in for 1 to 3,650 days, or until it is sent away");
        }
        if self.host().take_ticket(&Token::hash(ticket), ASKED)?.is_none() {
            return over();
        }
        let until = answer.days.map(|days| self.env().now().plus(days * Timestamp::DAY));
        let allowed = Allowed {
            client: &asked.client,
            subject: &asked.subject,
            name: &asked.name,
            scopes: &scopes,
            purpose: asked.scope.chars().take(1_000).collect(),
            terms,
            until,
            doors: asked.doors.clone(),
            key: asked.key.clone(),
            sector: sector(&asked),
        };
        if asked.is_storage() {
            let handed = self.storage_token(access, &allowed)?;
            let (seconds, scope) = (handed.seconds.to_string(), scopes.to_string());
            let params = [("access_token", handed.access.reveal()), ("token_type", "bearer"), ("scope", &scope), ("expires_in", &seconds)];
            return Ok(asked.answer(self.origin(), &params));
        }
        let in_ = self.let_in(access, &allowed)?;
        self.note_used(&asked.client)?;
        self.answered(&asked, session, in_)
    }

    /// Sends the app what it gets, now that it was let in.
    fn answered(&self, asked: &Asked, session: &Session, in_: LetIn) -> Result<Option<String>, Refusal> {
        match &asked.flow {
            Flow::Device { code } => {
                self.answer_device(code, Some((in_, session.proven)))?;
                Ok(None)
            }
            Flow::Code { challenge } => {
                let body = Code {
                    credential: in_.credential,
                    held: in_.held,
                    redirect: asked.redirect.clone().unwrap_or_default(),
                    challenge: challenge.clone(),
                    nonce: asked.nonce.clone(),
                    auth_time: session.proven.0,
                };
                let (code, created) = (Token::random(self.env()), self.env().now());
                let (hash, person) = (Token::hash(code.reveal()), Some(in_.person));
                self.host().put_ticket(&Ticket { hash, kind: CODE.into(), person, body: json(&body)?, created, expires: created.plus(CODE_LIFE) })?;
                Ok(asked.answer(self.origin(), &[("code", code.reveal())]))
            }
            Flow::Storage => over(),
        }
    }

    /// What an app that asks without showing anything gets (OpenID Connect §3.1.2.1): what it was allowed before, in the same
    /// words, where its answer goes to a site that nobody else can be. `access` is the person's, where one is signed in.
    pub fn silently(&self, asked: &Asked, signed_in: Option<(&Access, &Session)>) -> Result<Option<String>, Refusal> {
        let refuse = |error| Ok(asked.answer(self.origin(), &[("error", error)]));
        let Some((access, session)) = signed_in else { return refuse("login_required") };
        let age = self.env().now().0 - session.proven.0;
        if asked.max_age.is_some_and(|most| age > most.saturating_mul(Timestamp::SECOND)) || asked.login_hint.as_deref().is_some_and(|h| h != &*session.person)
        {
            return refuse("login_required");
        }
        let Party { person, .. } = *access.party();
        let known = if asked.redirect.as_deref().is_some_and(|r| r.starts_with("https://")) { access.known_app(&asked.subject)? } else { None };
        let Some(party) = known else { return refuse("consent_required") };
        let wanted = asked.scopes();
        for token in self.host().tokens_of(person, party)? {
            let held = super::bearer::held(&token)?;
            let had = Scopes::parse(&held.scope, Dialect::Holm).unwrap_or_default();
            if held.client != asked.client || held.doors != asked.doors || !wanted.is_within(&had) {
                continue;
            }
            let credential = access.allow_app_again(party, &asked.name)?;
            let held = super::Held { key: asked.key.clone(), ..held };
            let until = held.until.map(Timestamp);
            return self.answered(asked, session, LetIn { person, credential, held, until });
        }
        refuse("consent_required")
    }
}

/// Whom a person's name for the app is told to: who gets the answers (OpenID Connect §8.1).
fn sector(asked: &Asked) -> String {
    let host = asked.redirect.as_deref().and_then(|r| url::Url::parse(r).ok()).and_then(|u| u.host_str().map(str::to_owned));
    host.unwrap_or_else(|| asked.client.clone())
}

/// What the person allows, each word within one that was asked for. Who they are goes with whatever they allow.
fn narrowed(asked: &Scopes, allowed: &[String]) -> Result<Scopes, Refusal> {
    let mut scopes: Vec<Scope> = Vec::new();
    for word in allowed {
        let scope = Scope::parse(word, Dialect::Holm).filter(|scope| asked.0.iter().any(|a| scope.is_within(a)) || mutant("more-than-was-asked"));
        let Some(scope) = scope else {
            return said("invalid_scope", "no more can be allowed than was asked for");
        };
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() { said("invalid_scope", "nothing of it is allowed; deny the request instead") } else { Ok(Scopes(scopes)) }
}
