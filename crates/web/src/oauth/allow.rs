//! What an app asks for, shown to the person, and their answer to it.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::FromRequestParts;
use axum::extract::State as Held;
use axum::response::{IntoResponse, Response};
use holm_auth::oauth::scope::{Mode, Scope as Word};
use holm_auth::oauth::{Answer, Pending, Refusal};
use holm_http::credentials::cookie;
use holm_http::fetch::Bounds;
use http::header::SET_COOKIE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authorize::{BROWSER, browser_cookie};
use crate::Web;
use crate::caller::{Caller, blocking};
use crate::grants::Terms;
use crate::problem::{Kind, Problem};
use crate::request::Json;

const TAG: &str = "app-requests";
/// Of an app's terms, which are only read for their hash.
const BOUNDS: Bounds = Bounds { bytes: 512 * 1024, time: Duration::from_secs(5), redirects: 2 };

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(look_at_request)).routes(routes!(allow_request)).routes(routes!(deny_request)).routes(routes!(type_device_code))
}

/// The token of the browser that a request began in.
pub struct Browser(Option<String>);

impl FromRequestParts<Web> for Browser {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &Web) -> Result<Browser, Problem> {
        Ok(Browser(cookie(&head.headers, BROWSER).map(str::to_owned)))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::Said(_, why) => Problem::new(Kind::NotPossible, why),
            Refusal::Throttled(seconds) => Problem::throttled(seconds),
            Refusal::Failed(e) => e.into(),
        }
    }
}

/// A request that waits for an answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// What stands after the `#` of the address that the app sent the browser to.
    #[schema(max_length = 64)]
    ticket: String,
}

/// What kind of thing an app asks for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Who the person is.
    Identity,
    /// What they are called.
    Profile,
    /// To come back without asking.
    Offline,
    Files,
    Calendars,
    Contacts,
    Mail,
    /// Records of a kind.
    Life,
    /// Folders of the app's own.
    Module,
    /// The folders of all apps.
    Apps,
}

/// One thing that an app asks for.
#[derive(Serialize, ToSchema)]
pub struct AskedScope {
    /// In the word of OAuth.
    scope: String,
    what: What,
    /// Which folder, kind of records or module; null where that needs no name.
    name: Option<String>,
    /// More than reading.
    changes: bool,
    /// The word for the same, to read only; null where that is nothing, or it is that already.
    reading: Option<String>,
}

impl From<Word> for AskedScope {
    fn from(word: Word) -> AskedScope {
        let reading = word.reading().filter(|r| *r != word).map(|r| r.to_string());
        let scope = word.to_string();
        let (what, name, mode) = match word {
            Word::Identity => (What::Identity, None, Mode::Read),
            Word::Profile => (What::Profile, None, Mode::Read),
            Word::Offline => (What::Offline, None, Mode::Read),
            Word::Files(mode, path) => (What::Files, Some(path.to_string()), mode),
            Word::Calendars(mode) => (What::Calendars, None, mode),
            Word::Contacts(mode) => (What::Contacts, None, mode),
            Word::Mail => (What::Mail, None, Mode::Read),
            Word::Life(kind, mode) => (What::Life, Some(kind), mode),
            Word::Module(module, mode) => (What::Module, Some(module), mode),
            Word::Apps(mode) => (What::Apps, None, mode),
        };
        AskedScope { scope, what, name, changes: mode == Mode::Change, reading }
    }
}

/// An app, and what it asks for.
#[derive(Serialize, ToSchema)]
pub struct AppRequest {
    /// What the app calls itself; nobody vouches for that.
    name: String,
    /// The site that gets the answer, and whom a browser would not give it to otherwise; null for programs on a device.
    #[schema(example = "https://notes.example")]
    origin: Option<String>,
    /// How its name is written in letters of other scripts, where it is.
    reads: Option<String>,
    /// The app's own identifier.
    client: String,
    /// A device shows the code that was typed: nothing tells which device that is.
    device: bool,
    scopes: Vec<AskedScope>,
    /// Whose it would be.
    person: String,
    /// Whom the app meant, where it said.
    meant_for: Option<String>,
    /// What the app wants to be agreed to, where it could be read.
    terms: Option<Terms>,
    /// What the app says it does with what it gets.
    policy: Option<String>,
    /// The app was let in before.
    known: bool,
}

fn told(pending: Pending, person: String, known: bool) -> AppRequest {
    let asked = pending.asked;
    let url = asked.redirect.as_deref().and_then(|r| Url::parse(r).ok());
    let origin = url.as_ref().filter(|u| u.scheme() == "https" || asked.is_storage()).map(|u| u.origin().ascii_serialization());
    let reads = url.as_ref().and_then(|u| u.host_str()).map(in_letters).filter(|reads| origin.as_ref().is_some_and(|o| !o.contains(reads.as_str())));
    let (device, scopes) = (asked.is_device(), asked.scopes().0.into_iter().map(AskedScope::from).collect());
    let meant_for = asked.login_hint.filter(|hint| *hint != person);
    let terms = pending.terms.map(|t| Terms { url: t.url, sha256: t.sha256 });
    AppRequest { name: asked.name, origin, reads, client: asked.client, device, scopes, person, meant_for, terms, policy: asked.policy_uri, known }
}

/// A name of ASCII in the letters it stands for.
fn in_letters(host: &str) -> String {
    idna::domain_to_unicode(host).0
}

/// What an app asks for
#[utoipa::path(post, path = "/app-requests/look", tag = TAG, request_body = Waiting, responses(
    (status = 200, description = "The app, and what it asks for", body = AppRequest),
    (status = 422, description = "Nothing waits under that ticket for this browser")
))]
async fn look_at_request(caller: Caller, Browser(browser): Browser, Json(given): Json<Waiting>) -> Result<Json<AppRequest>, Problem> {
    let web = caller.web.clone();
    let (auth, ticket, kept) = (web.auth.clone(), given.ticket.clone(), browser.clone());
    let pending = blocking(move || Ok(auth.asked(&ticket, kept.as_deref())?)).await?;
    if let (None, Some(address)) = (&pending.terms, &pending.asked.tos_uri) {
        read_terms(&web, &given.ticket, address).await;
    }
    let person = (*caller.session.person).to_owned();
    let auth = web.auth.clone();
    let found = caller.with(move |access| {
        let known = access.known_app(&pending.asked.subject)?.is_some();
        Ok(auth.asked(&given.ticket, browser.as_deref()).map(|pending| told(pending, person, known)))
    });
    Ok(Json(found.await??))
}

/// Reads an app's terms for their hash; where that fails, nothing is agreed to.
async fn read_terms(web: &Web, ticket: &str, address: &str) {
    let Ok(url) = Url::parse(address) else { return };
    let Ok(fetched) = web.fetch.get(&url, "text/html, text/plain, */*;q=0.1", BOUNDS).await else { return };
    let sha256 = digest(&SHA256, &fetched.body).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let (auth, ticket, terms) = (web.auth.clone(), ticket.to_owned(), holm_core::Terms { url: address.to_owned(), sha256 });
    if let Err(problem) = blocking(move || Ok(auth.note_terms(&ticket, terms)?)).await {
        tracing::debug!(?problem, "an app's terms");
    }
}

/// What the person allows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AppAnswer {
    #[schema(max_length = 64)]
    ticket: String,
    /// Words of OAuth, each within one that was asked for.
    #[schema(min_items = 1, max_items = 32)]
    scopes: Vec<String>,
    /// How long; null: until the app is sent away.
    #[schema(minimum = 1, maximum = 3650)]
    days: Option<i64>,
}

/// Where the browser goes from here.
#[derive(Serialize, ToSchema)]
pub struct Onward {
    /// The app's address, with its answer; null where there is nothing to go to: the device finds out by itself.
    to: Option<String>,
}

/// Let an app in, for what it asks or less; asks for a fresh proof of who is there
#[utoipa::path(post, path = "/app-requests/allow", tag = TAG, request_body = AppAnswer, responses(
    (status = 200, description = "It is let in", body = Onward),
    (status = 422, description = "Nothing waits under that ticket for this browser, or that is more than was asked for")
))]
async fn allow_request(caller: Caller, Browser(browser): Browser, Json(given): Json<AppAnswer>) -> Result<Json<Onward>, Problem> {
    caller.must_be_proven()?;
    let (web, session) = (caller.web.clone(), caller.session.clone());
    let (auth, ticket, kept) = (web.auth.clone(), given.ticket.clone(), browser.clone());
    let pending = blocking(move || Ok(auth.asked(&ticket, kept.as_deref())?)).await?;
    if !pending.is_proven(session.proven, web.gate.env().now()) {
        return Err(Problem::new(Kind::StepUp, "the app wants you to prove who you are; do, and ask again"));
    }
    let answer = Answer { scopes: given.scopes, days: given.days };
    let done = caller.with(move |access| Ok(web.auth.allow(access, &session, &given.ticket, browser.as_deref(), &answer)));
    Ok(Json(Onward { to: done.await?? }))
}

/// Send an app away that asked
#[utoipa::path(post, path = "/app-requests/deny", tag = TAG, request_body = Waiting, responses(
    (status = 200, description = "It gets nothing", body = Onward), (status = 422, description = "Nothing waits under that ticket for this browser")
))]
async fn deny_request(caller: Caller, Browser(browser): Browser, Json(given): Json<Waiting>) -> Result<Json<Onward>, Problem> {
    let to = blocking(move || Ok(caller.web.auth.deny(&given.ticket, browser.as_deref())?)).await?;
    Ok(Json(Onward { to }))
}

/// A code that a device shows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceCode {
    #[schema(max_length = 20, example = "WDJB-MJHT")]
    code: String,
}

/// A request that was found.
#[derive(Serialize, ToSchema)]
pub struct Found {
    ticket: String,
}

/// Type the code that a device shows, to see what it asks for
#[utoipa::path(post, path = "/app-requests/device", tag = TAG, request_body = DeviceCode, responses(
    (status = 200, description = "Under this ticket it waits", body = Found), (status = 422, description = "No device waits with that code"),
    (status = 429, description = "Too many wrong codes")
))]
async fn type_device_code(caller: Caller, Held(web): Held<Web>, headers: HeaderMap, Json(given): Json<DeviceCode>) -> Result<Response, Problem> {
    let browser = cookie(&headers, BROWSER).map_or_else(|| holm_auth::Token::random(web.gate.env()).reveal().to_owned(), str::to_owned);
    let kept = browser.clone();
    let ticket = blocking(move || {
        let asked = web.auth.typed(&given.code, caller.address)?;
        Ok(web.auth.wait(asked, &kept)?.reveal().to_owned())
    });
    let mut response = Json(Found { ticket: ticket.await? }).into_response();
    let cookie = HeaderValue::try_from(browser_cookie(&browser)).map_err(|_| Problem::new(Kind::Malformed, "this browser's cookie is none of ours"))?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}
