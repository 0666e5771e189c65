//! The session: begin it, prove more, look at all of them, end them.

use axum::extract::State as Held;
use axum::response::{IntoResponse, Response};
use holm_auth::{Again, Challenge, SignIn, Standing};
use holm_core::SessionRecord;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::cookies::{Browser, Signed, State, clear, signed};
use crate::Web;
use crate::caller::{Caller, blocking, token};
use crate::fields::{Id, Time};
use crate::problem::{Kind, Problem};
use crate::request::{Json, Numbered};

const TAG: &str = "session";

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(get_session, sign_in, sign_out))
        .routes(routes!(give_totp))
        .routes(routes!(give_recovery_code))
        .routes(routes!(ask_for_passkey))
        .routes(routes!(sign_in_with_passkey))
        .routes(routes!(prove))
        .routes(routes!(list_sessions, end_other_sessions))
        .routes(routes!(end_session))
}

/// How far the sign-in is.
#[derive(Serialize, ToSchema)]
pub struct Current {
    state: State,
}

/// Whether anybody is signed in with this browser
#[utoipa::path(get, path = "/session", tag = TAG, security(()), responses((status = 200, description = "How far the sign-in is", body = Current)))]
async fn get_session(Held(web): Held<Web>, headers: HeaderMap) -> Result<Json<Current>, Problem> {
    let Some(token) = token(&headers).map(str::to_owned) else { return Ok(Json(Current { state: State::None })) };
    let state = match blocking(move || Ok(web.auth.session(&token)?)).await? {
        Standing::Nothing => State::None,
        Standing::SecondFactorDue => State::SecondFactor,
        Standing::Open(_) => State::Open,
    };
    Ok(Json(Current { state }))
}

/// Name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Password {
    #[schema(max_length = 64, example = "ann")]
    name: String,
    #[schema(max_length = 1024, format = Password)]
    password: String,
}

const WRONG: &str = "name or password are not right; look for typing errors, or ask whoever keeps this holm for a link to choose a new password";

/// Sign in with name and password; where there is a second factor, it is asked for next
#[utoipa::path(post, path = "/session", tag = TAG, security(()), request_body = Password, responses(
    (status = 200, description = "Signed in, or the second factor is due; the cookie is set", body = Signed),
    (status = 401, description = "Not right"), (status = 429, description = "Too many wrong tries")
))]
async fn sign_in(Held(web): Held<Web>, browser: Browser, Json(given): Json<Password>) -> Result<Response, Problem> {
    let outcome = blocking(move || {
        let outcome = web.auth.password(&given.name, &given.password, browser.client())?;
        begun(&web, &browser, &outcome, &given.name)?;
        Ok(outcome)
    });
    signed(outcome.await?, WRONG)
}

/// A sign-in that was begun anew takes the place of the session that the browser had before (T30). `what` was not right goes to the
/// log, for the keeper, and for tools that close doors by it; it is a stranger's text.
pub fn begun(web: &Web, browser: &Browser, outcome: &SignIn, what: &str) -> Result<(), Problem> {
    match outcome {
        SignIn::Open(_) | SignIn::SecondFactor { .. } => {
            if let Some(before) = &browser.before {
                web.auth.leave(before)?;
            }
        }
        SignIn::Refused => failed(browser, what),
        SignIn::Throttled(_) => {}
    }
    Ok(())
}

fn failed(browser: &Browser, what: &str) {
    let what: String = what.chars().take(64).collect();
    tracing::warn!(name = ?what, address = %browser.client().address, "sign-in failed");
}

/// A code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    #[schema(max_length = 64, example = "123456")]
    pub code: String,
}

/// The session of which the second factor is due.
fn due(headers: &HeaderMap) -> Result<String, Problem> {
    token(headers).map(str::to_owned).ok_or_else(|| Problem::new(Kind::SignIn, "give the password first"))
}

/// Give an authenticator app's code as second factor
#[utoipa::path(post, path = "/session/totp", tag = TAG, security(()), request_body = Code, responses(
    (status = 200, description = "Signed in, under a new cookie", body = Signed),
    (status = 401, description = "Not right, used before, or no password was given in the last ten minutes"),
    (status = 429, description = "Too many wrong tries")
))]
async fn give_totp(Held(web): Held<Web>, headers: HeaderMap, browser: Browser, Json(given): Json<Code>) -> Result<Response, Problem> {
    let pending = due(&headers)?;
    let outcome = blocking(move || {
        let outcome = web.auth.code(&pending, &given.code, browser.client())?;
        if matches!(outcome, SignIn::Refused) {
            failed(&browser, "an authenticator app's code");
        }
        Ok(outcome)
    });
    let outcome = outcome.await?;
    signed(outcome, "the code is not right, or was used already; wait for the next one, and see that the clock of the phone is right")
}

/// Give one of the recovery codes as second factor; each works once
#[utoipa::path(post, path = "/session/recovery-code", tag = TAG, security(()), request_body = Code, responses(
    (status = 200, description = "Signed in, under a new cookie", body = Signed),
    (status = 401, description = "Not right, used before, or no password was given in the last ten minutes"),
    (status = 429, description = "Too many wrong tries")
))]
async fn give_recovery_code(Held(web): Held<Web>, headers: HeaderMap, browser: Browser, Json(given): Json<Code>) -> Result<Response, Problem> {
    let pending = due(&headers)?;
    let outcome = blocking(move || {
        let outcome = web.auth.recovery_code(&pending, &given.code, browser.client())?;
        if matches!(outcome, SignIn::Refused) {
            failed(&browser, "a recovery code");
        }
        Ok(outcome)
    });
    let outcome = outcome.await?;
    signed(outcome, "the code is not right, or was used already; try another one")
}

/// A question for an authenticator.
#[derive(Serialize, ToSchema)]
pub struct Question {
    /// To be sent back with the answer, within five minutes.
    ticket: String,
    /// What `navigator.credentials` takes, in the JSON form of WebAuthn level 3.
    #[schema(value_type = Object)]
    options: Value,
}

impl From<Challenge> for Question {
    fn from(challenge: Challenge) -> Question {
        Question { ticket: challenge.ticket.reveal().to_owned(), options: challenge.options }
    }
}

/// The answer of an authenticator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    #[schema(max_length = 64)]
    ticket: String,
    /// What `navigator.credentials.get` gave, in the JSON form of WebAuthn level 3.
    #[schema(value_type = Object)]
    credential: Value,
}

/// Ask for a challenge that a passkey answers: to sign in without a name, or to prove who is there
#[utoipa::path(post, path = "/session/passkey-challenge", tag = TAG, security(()), responses(
    (status = 200, description = "For navigator.credentials.get", body = Question), (status = 422, description = "Passkeys need a name, this is an address"),
    (status = 429, description = "Too many were asked for")
))]
async fn ask_for_passkey(Held(web): Held<Web>, browser: Browser) -> Result<Json<Question>, Problem> {
    let asked = blocking(move || Ok(web.auth.ask_passkey(browser.client())?)).await?;
    asked.map(|challenge| Json(challenge.into())).map_err(Problem::throttled)
}

const REFUSED: &str = "this passkey is not known here, or its answer does not fit the question; ask for a new challenge, or sign in with the password";

/// Sign in with a passkey
#[utoipa::path(post, path = "/session/passkey", tag = TAG, security(()), request_body = Assertion, responses(
    (status = 200, description = "Signed in; the cookie is set", body = Signed),
    (status = 401, description = "Not known, or the answer does not fit"), (status = 429, description = "Too many wrong tries")
))]
async fn sign_in_with_passkey(Held(web): Held<Web>, browser: Browser, Json(given): Json<Assertion>) -> Result<Response, Problem> {
    let outcome = blocking(move || {
        let outcome = web.auth.passkey(&given.ticket, &given.credential, browser.client())?;
        begun(&web, &browser, &outcome, "a passkey")?;
        Ok(outcome)
    });
    let outcome = outcome.await?;
    signed(outcome, REFUSED)
}

/// A fresh proof of who is there: the password, with a code where there is an authenticator app; or a passkey's answer.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Proof {
    Passkey(Assertion),
    Password(PasswordAgain),
}

/// The password once more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordAgain {
    #[schema(max_length = 1024, format = Password)]
    password: String,
    #[schema(max_length = 64, example = "123456")]
    code: Option<String>,
}

/// Prove anew who is there, before what destroys something or opens a door; holds for ten minutes
#[utoipa::path(post, path = "/session/proof", tag = TAG, request_body = Proof, responses(
    (status = 200, description = "Proven, under a new cookie", body = Signed),
    (status = 401, description = "Nobody is signed in, or not right"), (status = 429, description = "Too many wrong tries")
))]
async fn prove(caller: Caller, Json(given): Json<Proof>) -> Result<Response, Problem> {
    let outcome = blocking(move || {
        let (auth, session) = (&caller.web.auth, &caller.session);
        Ok(match &given {
            Proof::Passkey(given) => auth.prove_passkey(session, &given.ticket, &given.credential)?,
            Proof::Password(given) => auth.prove(session, Again { password: &given.password, code: given.code.as_deref() })?,
        })
    });
    signed(outcome.await?, "that is not right; where an authenticator app is set up, its code belongs to the password")
}

/// Sign out, also where the second factor is still to come
#[utoipa::path(delete, path = "/session", tag = TAG, responses((status = 204, description = "Nobody is signed in with this browser any more")))]
async fn sign_out(caller: Result<Caller, Problem>, Held(web): Held<Web>, headers: HeaderMap) -> Result<Response, Problem> {
    let held = token(&headers).unwrap_or_default().to_owned();
    if !blocking(move || Ok(web.auth.leave(&held)?)).await? {
        return Err(caller.err().unwrap_or_else(|| Problem::new(Kind::SignIn, "nobody is signed in with this browser any more")));
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    clear(&mut response);
    Ok(response)
}

/// A browser that is signed in.
#[derive(Serialize, ToSchema)]
pub struct Session {
    id: Id,
    /// It is the one that asks.
    current: bool,
    created: Time,
    /// To about a minute.
    used: Time,
    until: Time,
    /// From where it was begun.
    address: String,
    /// What the browser called itself.
    agent: String,
}

/// Browsers that are signed in.
#[derive(Serialize, ToSchema)]
pub struct Sessions {
    items: Vec<Session>,
}

fn session(record: SessionRecord, current: i64) -> Session {
    Session {
        id: Id(record.id),
        current: record.id == current,
        created: Time(record.created),
        used: Time(record.used),
        until: Time(record.until),
        address: record.address,
        agent: record.agent,
    }
}

/// The browsers that are signed in, the newest first
#[utoipa::path(get, path = "/sessions", tag = TAG, responses((status = 200, description = "Sessions", body = Sessions)))]
async fn list_sessions(caller: Caller) -> Result<Json<Sessions>, Problem> {
    let current = caller.session.party.credential;
    let found = caller.with(|access| access.sessions()).await?;
    Ok(Json(Sessions { items: found.into_iter().filter(|s| !s.awaits).map(|s| session(s, current)).collect() }))
}

/// Sign out all browsers but this one
#[utoipa::path(delete, path = "/sessions", tag = TAG, responses((status = 204, description = "Only this one is left")))]
async fn end_other_sessions(caller: Caller) -> Result<StatusCode, Problem> {
    let auth = caller.web.auth.clone();
    caller.with(|access| access.end_other_sessions()).await?;
    auth.forget_sessions();
    Ok(StatusCode::NO_CONTENT)
}

/// Sign out one browser
#[utoipa::path(delete, path = "/sessions/{id}", tag = TAG, params(("id" = inline(Id), Path)), responses((status = 204, description = "It is signed out")))]
async fn end_session(caller: Caller, Numbered(id): Numbered) -> Result<StatusCode, Problem> {
    let auth = caller.web.auth.clone();
    let there = caller.with(move |access| access.end_session(id)).await?;
    auth.forget_sessions();
    if there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("no session of that number is open; GET /api/v1/sessions lists those that are")) }
}
