//! Every route of this protocol.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use holm_auth::oauth::{Proof, Refusal};
use holm_auth::{Auth, Verdict};
use holm_core::{Access, Gate, Party, Person, Via, mutant};
use holm_dav::{Call, Failure, Mount, place};
use holm_http::body::Incoming;
use holm_http::client::ClientAddress;
use holm_http::{credentials, path};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use zeroize::Zeroizing;

use crate::{links, parents};

/// Where trees hang.
pub const FILES: &str = "/dav/files";
pub const PRINCIPALS: &str = "/dav/principals/users";

/// What the protocol needs.
#[derive(Clone)]
pub struct Webdav {
    pub gate: Arc<Gate>,
    pub auth: Arc<Auth>,
    /// Names this server is known by, beside the one a request names.
    pub hosts: Arc<[String]>,
}

/// `/dav/files/PERSON/…` is a tree; `/dav/links/TOKEN/…` is what a link leads to; `/`, `/dav/`, `/dav/files/` and the principals are collections above it.
pub fn routes(webdav: Webdav) -> Router {
    Router::new().fallback(handle).with_state(webdav)
}

async fn handle(State(webdav): State<Webdav>, request: Request) -> Response {
    let token = credentials::bearer(request.headers()).or_else(|| credentials::dpop(request.headers()));
    let method = token.map(|_| request.method().clone());
    let response = answer(webdav, request).await;
    match method {
        Some(method) if response.status() == StatusCode::FORBIDDEN => insufficient(&method, response),
        _ => response,
    }
}

async fn answer(webdav: Webdav, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    if head.uri.path_and_query().is_some_and(|p| p.as_str().len() > path::MAX_URI) {
        return Failure::new(StatusCode::URI_TOO_LONG, "the URI is longer than 8 KiB").into_response();
    }
    if head.method == Method::OPTIONS && head.uri.path() == "*" {
        return holm_dav::options(holm_dav::ALLOW);
    }
    let whole = match path::parse(head.uri.path()) {
        Ok(path) => path,
        Err(why) => return Failure::bad(why).into_response(),
    };
    let names: Vec<&str> = whole.names().iter().map(|n| n.as_str()).collect();
    if head.method == Method::OPTIONS {
        // Asked before signing in, so it tells nothing of who lives here.
        return holm_dav::options(if matches!(names.as_slice(), ["dav", "files" | "links", _, ..]) { holm_dav::ALLOW } else { holm_dav::place::ALLOW });
    }
    if matches!(head.method, Method::GET | Method::HEAD) && names.is_empty() {
        return parents::welcome();
    }
    let address = ClientAddress::of(&head.extensions);
    if let ["dav", "links", token, ..] = names.as_slice() {
        return links::answer(&webdav, head, body, token, &whole.names()[3..], address).await;
    }
    let (party, person) = match admit(&webdav, &head, address).await {
        Ok(admitted) => admitted,
        Err(refusal) => return *refusal,
    };
    host_of_http2(&mut head);
    let via = Via { protocol: "webdav", address: Some(address) };
    let others = match others(&webdav, &names, &party, &person) {
        Ok(others) => others,
        Err(e) => return Failure::from(e).into_response(),
    };
    match names.as_slice() {
        ["dav", "files", name, ..] if *name == &*person || others.iter().any(|p| p.name == *name) || mutant("person-in-path-ignored") => {
            let mount = Mount::new(FILES, PRINCIPALS, name, &person, webdav.hosts.clone());
            let access = match enter(&webdav, name, &others, party, via) {
                Ok(access) => access,
                // Whether somebody else lives here is not for this person to know.
                Err(holm_core::Error::NoSuchPerson(_)) => return nothing(),
                Err(e) => return Failure::from(e).into_response(),
            };
            let path = match mount.path(&whole.names()[3..]) {
                Ok(path) => path,
                Err(e) => return Failure::from(e).into_response(),
            };
            let random = webdav.gate.env().random();
            let call = Call { access, mount: Arc::new(mount), path, headers: head.headers, body: Incoming::new(body), random };
            holm_dav::handle(&head.method, call).await
        }
        names => {
            let mount = Mount::new(FILES, PRINCIPALS, &person, &person, webdav.hosts.clone());
            let found = mount.principals().and_then(|known| parents::find(names, known, &others));
            let Some((place, members)) = found else { return nothing() };
            let answer = place::answer(&head.method, &place, &members, &head.headers, &mut Incoming::new(body), &mount).await;
            answer.unwrap_or_else(Failure::into_response)
        }
    }
}

fn nothing() -> Response {
    Failure::new(StatusCode::NOT_FOUND, "nothing is kept here").into_response()
}

/// Whose trees a person may reach besides their own; asked only where that matters.
fn others(webdav: &Webdav, names: &[&str], party: &Party, person: &str) -> holm_core::Result<Vec<Person>> {
    match names {
        ["dav", "files"] => webdav.gate.host().reachable(party.person),
        ["dav", "files", name, ..] if *name != person => webdav.gate.host().reachable(party.person),
        _ => Ok(Vec::new()),
    }
}

fn enter(webdav: &Webdav, name: &str, others: &[Person], party: Arc<Party>, via: Via) -> holm_core::Result<Access> {
    match others.iter().find(|p| p.name == name) {
        Some(owner) => webdav.gate.admit_to(owner.id, party, via),
        None => webdav.gate.admit(party, via),
    }
}

/// HTTP/2 names the host in the request's authority, where a Destination is not compared with it.
pub fn host_of_http2(head: &mut http::request::Parts) {
    if !head.headers.contains_key(HOST)
        && let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::try_from(authority.as_str())
    {
        head.headers.insert(HOST, host);
    }
}

/// What a request proves itself with.
enum Presented {
    Basic(String, Zeroizing<String>),
    Bearer(Zeroizing<String>),
    /// With the proof of its key.
    Bound(Zeroizing<String>, String),
}

fn presented(headers: &HeaderMap) -> Option<Presented> {
    let basic = credentials::basic(headers).map(|(name, secret)| Presented::Basic(name, secret));
    let bound = || Some(Presented::Bound(credentials::dpop(headers)?, headers.get("dpop")?.to_str().ok()?.to_owned()));
    basic.or_else(|| credentials::bearer(headers).map(Presented::Bearer)).or_else(bound)
}

/// An app password or an access token become a party; all else is refused here.
async fn admit(webdav: &Webdav, head: &Parts, address: IpAddr) -> Result<(Arc<Party>, Arc<str>), Box<Response>> {
    let Some(presented) = presented(&head.headers) else { return Err(unauthorized(webdav, false).into()) };
    let believed = match &presented {
        Presented::Basic(name, secret) => webdav.auth.believed(name, secret),
        Presented::Bearer(token) => webdav.auth.bearer_believed(token),
        Presented::Bound(..) => None,
    };
    let name = if let Presented::Basic(name, _) = &presented { name.chars().take(64).collect() } else { String::new() };
    let token = !matches!(presented, Presented::Basic(..));
    let verdict = match believed {
        Some(verdict) => Ok(verdict),
        None => {
            let (auth, method, path) = (webdav.auth.clone(), head.method.clone(), head.uri.path().to_owned());
            let asked = tokio::task::spawn_blocking(move || match presented {
                Presented::Basic(name, secret) => auth.app_password(&name, &secret, address),
                Presented::Bearer(token) => auth.bearer(&token, address),
                Presented::Bound(token, jwt) => match auth.bound(&token, &Proof { jwt: &jwt, method: method.as_str(), path: &path }, address) {
                    Ok(verdict) => Ok(verdict),
                    Err(Refusal::Said(..)) => Ok(Verdict::Unknown),
                    Err(Refusal::Throttled(seconds)) => Ok(Verdict::Throttled(seconds)),
                    Err(Refusal::Failed(e)) => Err(e),
                },
            });
            asked.await.unwrap_or(Err(holm_core::Error::Poisoned))
        }
    };
    match verdict {
        Ok(Verdict::Admitted(party, person)) => Ok((party, person)),
        Ok(Verdict::Unknown) => {
            // For the keeper, and for tools that close doors by the log. The name is a stranger's text.
            tracing::warn!(?name, %address, "sign-in failed");
            Err(unauthorized(webdav, token).into())
        }
        Ok(Verdict::Throttled(seconds)) => {
            tracing::debug!(%address, seconds, "sign-in throttled");
            Err(too_many(seconds).into())
        }
        Err(e) => Err(Failure::from(e).into_response().into()),
    }
}

/// Where too many wrong secrets came from.
pub fn too_many(seconds: i64) -> Response {
    let answer = Response::builder().status(StatusCode::TOO_MANY_REQUESTS).header("Retry-After", seconds);
    let text = format!("Too many wrong passwords from here; wait {} minutes.\n", (seconds + 59) / 60);
    answer.body(Body::from(text)).expect("a number is a header")
}

/// Basic stands first: what knows only one scheme, and takes the first, is a WebDAV client.
fn unauthorized(webdav: &Webdav, token: bool) -> Response {
    let error = if token { ", error=\"invalid_token\"" } else { "" };
    Response::builder()
        .status(StatusCode::UNAUTHORIZED)
        .header("WWW-Authenticate", "Basic realm=\"holm\", charset=\"UTF-8\"")
        .header("WWW-Authenticate", format!("Bearer resource_metadata=\"{}/.well-known/oauth-protected-resource/dav\"{error}", webdav.auth.origin()))
        .header("Content-Type", "text/plain; charset=utf-8")
        .body(Body::from("Sign in with your name and an app password (holm app-password add NAME).\n"))
        .expect("an origin is a header")
}

/// What an app that was let in lacks, where that is why it is refused (RFC 6750 §3.1).
fn insufficient(method: &Method, mut response: Response) -> Response {
    let reads = method.is_safe() || matches!(method.as_str(), "PROPFIND" | "REPORT");
    let lacks = if reads { "files:r" } else { "files:rw" };
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{lacks}\"");
    response.headers_mut().append("WWW-Authenticate", HeaderValue::try_from(challenge).expect("plain text"));
    response
}
