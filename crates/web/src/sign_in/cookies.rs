//! The two cookies: the session's, and the one by which a browser is known to have been signed in with before.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use holm_auth::{Client, Opened, SignIn};
use holm_http::client::ClientAddress;
use holm_http::credentials;
use http::header::{SET_COOKIE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Web;
use crate::caller::COOKIE;
use crate::problem::{Kind, Problem};
use crate::request::Json;

/// Stays when the session ends.
const DEVICE: &str = "__Host-holm-device";
/// Seconds: as long as a session may last, and as long as browsers keep a cookie at most (RFC 6265bis §5.6.2).
const SESSION_AGE: i64 = 90 * 86_400;
const DEVICE_AGE: i64 = 400 * 86_400;
/// Bytes of what a browser calls itself that are looked at.
const AGENT: usize = 1_024;

/// The browser a request came from, whoever sits at it.
pub struct Browser {
    address: IpAddr,
    agent: String,
    device: Option<String>,
    /// The token of the session that it has.
    pub before: Option<String>,
}

impl Browser {
    pub fn client(&self) -> Client<'_> {
        Client { address: self.address, agent: &self.agent, device: self.device.as_deref() }
    }
}

impl FromRequestParts<Web> for Browser {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &Web) -> Result<Browser, Problem> {
        let agent = head.headers.get(USER_AGENT).and_then(|v| v.to_str().ok()).filter(|a| a.len() <= AGENT).unwrap_or_default();
        let device = credentials::cookie(&head.headers, DEVICE).map(str::to_owned);
        let before = credentials::cookie(&head.headers, COOKIE).map(str::to_owned);
        Ok(Browser { address: ClientAddress::of(&head.extensions), agent: agent.to_owned(), device, before })
    }
}

fn set(headers: &mut HeaderMap, name: &str, value: &str, age: i64) {
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}");
    headers.append(SET_COOKIE, HeaderValue::from_str(&text).expect("a token is letters and digits"));
}

/// How far a sign-in is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Signed in.
    Open,
    /// The password was right; one of the second factors is due.
    SecondFactor,
    /// Nobody is signed in.
    None,
}

/// What a step of signing in led to.
#[derive(Serialize, ToSchema)]
pub struct Signed {
    state: State,
    /// Who is signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    /// An authenticator app's code would do as second factor.
    totp: bool,
    /// A passkey would do.
    passkey: bool,
}

fn opened(opened: &Opened) -> Response {
    let signed = Signed { state: State::Open, person: Some((*opened.session.person).to_owned()), totp: false, passkey: false };
    let mut response = Json(signed).into_response();
    set(response.headers_mut(), COOKIE, opened.token.reveal(), SESSION_AGE);
    if let Some(device) = &opened.device {
        set(response.headers_mut(), DEVICE, device.reveal(), DEVICE_AGE);
    }
    response
}

/// The answer to a step of signing in. What was wrong it does not tell; `hint` tells what to do.
pub fn signed(outcome: SignIn, hint: &'static str) -> Result<Response, Problem> {
    match outcome {
        SignIn::Open(session) => Ok(opened(&session)),
        SignIn::SecondFactor { token, totp, passkey } => {
            let mut response = Json(Signed { state: State::SecondFactor, person: None, totp, passkey }).into_response();
            set(response.headers_mut(), COOKIE, token.reveal(), SESSION_AGE);
            Ok(response)
        }
        SignIn::Refused => Err(Problem::new(Kind::Refused, hint)),
        SignIn::Throttled(seconds) => Err(Problem::throttled(seconds)),
    }
}

/// Takes the session's cookie away.
pub fn clear(response: &mut Response) {
    set(response.headers_mut(), COOKIE, "", 0);
}
