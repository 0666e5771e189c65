//! The authorization endpoint (OAuth 2.1 §4.1.1): an app sends the person here. What it asks for is kept under a ticket, for this
//! browser; the page `/allow` shows it.

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use holm_auth::Token;
use holm_auth::oauth::{Asked, Params, Refusal, Unasked};
use holm_core::Via;
use holm_http::client::ClientAddress;
use holm_http::credentials::cookie;
use http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use super::client::{known, waiting};
use super::form;
use crate::Web;
use crate::caller::token;

/// By which the browser is known that a request began in (T25).
pub const BROWSER: &str = "__Host-holm-asked";
/// Seconds: as long as a request waits.
const AGE: i64 = 600;

pub async fn get(State(web): State<Web>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let query = head.uri.query().unwrap_or_default().to_owned();
    authorize(web, head, &query).await
}

pub async fn post(State(web): State<Web>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    match form(&head.headers, body).await {
        Ok(form) => authorize(web, head, &form).await,
        Err(response) => response,
    }
}

async fn authorize(web: Web, head: Parts, encoded: &str) -> Response {
    let address = ClientAddress::of(&head.extensions);
    let asked = match asked(&web, encoded, address).await {
        Ok(asked) => asked,
        Err(Unasked::Page(refusal)) => return page(refusal),
        Err(Unasked::Redirect(to)) => return see(&to, None),
    };
    let (auth, browser) = (web.auth.clone(), browser(&web, &head.headers));
    let done = if asked.is_silent() {
        silently(&web, &head, asked).await.map(|to| (to, None))
    } else {
        let kept = browser.clone();
        waiting(move || {
            auth.count_request(address)?;
            Ok((format!("{}/allow#{}", auth.origin(), auth.wait(asked, &browser)?.reveal()), Some(kept)))
        })
        .await
    };
    match done {
        Ok((to, browser)) => see(&to, browser.as_deref()),
        Err(refusal) => page(refusal),
    }
}

/// What is asked for, and by which app.
async fn asked(web: &Web, encoded: &str, address: IpAddr) -> Result<Asked, Unasked> {
    let mut params = Params::parse(encoded)?;
    if let Some(uri) = params.get("request_uri") {
        let (auth, id, uri) = (web.auth.clone(), params.need("client_id")?.to_owned(), uri.to_owned());
        params = waiting(move || auth.pushed(&id, &uri)).await?;
    } else if params.get("response_type") == Some("token") {
        return Ok(web.auth.ask_for_storage(&params)?);
    }
    let client = known(web, params.need("client_id")?, address).await?;
    web.auth.ask_for_app(&client, &params)
}

/// Without showing anything.
async fn silently(web: &Web, head: &Parts, asked: Asked) -> Result<String, Refusal> {
    let (web, token, address) = (web.clone(), token(&head.headers).map(str::to_owned), ClientAddress::of(&head.extensions));
    let to = waiting(move || {
        web.auth.count_request(address)?;
        let session = match token.map(|token| web.auth.session(&token)).transpose()? {
            Some(holm_auth::Standing::Open(session)) => Some(session),
            _ => None,
        };
        let via = Via { protocol: "api", address: Some(address) };
        let access = session.as_ref().map(|s| web.gate.admit(s.party.clone(), via)).transpose()?;
        web.auth.silently(&asked, access.as_ref().zip(session.as_ref()))
    });
    to.await?.ok_or(Refusal::Said("invalid_request", "an app of a storage asks the person".into()))
}

/// The browser's token: the one it has, or a new one.
fn browser(web: &Web, headers: &HeaderMap) -> String {
    let known = cookie(headers, BROWSER).filter(|b| b.len() == 43 && b.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    known.map_or_else(|| Token::random(web.gate.env()).reveal().to_owned(), str::to_owned)
}

/// The cookie by which the browser is known.
pub fn browser_cookie(browser: &str) -> String {
    format!("{BROWSER}={browser}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={AGE}")
}

fn see(to: &str, browser: Option<&str>) -> Response {
    let mut response = Response::builder().status(StatusCode::SEE_OTHER).header(LOCATION, to).header("cache-control", "no-store");
    if let Some(browser) = browser {
        response = response.header(SET_COOKIE, browser_cookie(browser));
    }
    response.body(Body::empty()).unwrap_or_else(|_| page(Refusal::Said("invalid_request", "the app's redirect_uri is no address".into())))
}

/// What is wrong with a request whose sender can not be told.
fn page(refusal: Refusal) -> Response {
    let (status, error, why) = match refusal {
        Refusal::Said(error, why) => (StatusCode::BAD_REQUEST, error, why.into_owned()),
        Refusal::Throttled(seconds) => (StatusCode::TOO_MANY_REQUESTS, "slow_down", format!("too many tries; wait {} minutes", seconds / 60 + 1)),
        Refusal::Failed(e) => return crate::problem::Problem::from(e).into_response(),
    };
    let plain: String = why.chars().filter(|c| !matches!(c, '<' | '>' | '&' | '"' | '\'')).collect();
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>holm</title><h1>The app can not be connected</h1>\
         <p>It sent you here with a request that is not right, so nothing was done and nothing was sent anywhere.</p>\
         <p>{plain}</p><p><code>{error}</code></p><p><a href=\"/\">holm</a></p>"
    );
    let builder = Response::builder().status(status).header(CONTENT_TYPE, "text/html; charset=utf-8").header("cache-control", "no-store");
    builder.body(Body::from(html)).expect("plain headers")
}
