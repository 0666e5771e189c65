//! Who comes in, and to whose tree: credentials become a party, for every DAV protocol alike.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use holm_auth::oauth::{Proof, Refusal};
use holm_auth::{Auth, Verdict};
use holm_core::{Access, Gate, Party, Person, Via};
use holm_http::credentials;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use zeroize::Zeroizing;

use crate::Failure;

/// What a DAV protocol needs to let people in.
#[derive(Clone)]
pub struct Door {
    pub gate: Arc<Gate>,
    pub auth: Arc<Auth>,
    /// Names this server is known by, beside the one a request names.
    pub hosts: Arc<[String]>,
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

impl Door {
    /// An app password or an access token become a party; all else is refused here.
    pub async fn admit(&self, head: &Parts, address: IpAddr) -> Result<(Arc<Party>, Arc<str>), Box<Response>> {
        let Some(presented) = presented(&head.headers) else { return Err(unauthorized(&self.auth, false).into()) };
        let believed = match &presented {
            Presented::Basic(name, secret) => self.auth.believed(name, secret),
            Presented::Bearer(token) => self.auth.bearer_believed(token),
            Presented::Bound(..) => None,
        };
        let name = if let Presented::Basic(name, _) = &presented { name.chars().take(64).collect() } else { String::new() };
        let token = !matches!(presented, Presented::Basic(..));
        let verdict = match believed {
            Some(verdict) => Ok(verdict),
            None => {
                let (auth, method, path) = (self.auth.clone(), head.method.clone(), head.uri.path().to_owned());
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
                Err(unauthorized(&self.auth, token).into())
            }
            Ok(Verdict::Throttled(seconds)) => {
                tracing::debug!(%address, seconds, "sign-in throttled");
                Err(too_many(seconds).into())
            }
            Err(e) => Err(Failure::from(e).into_response().into()),
        }
    }

    /// Whose trees a person may reach besides their own.
    pub fn others(&self, party: &Party) -> holm_core::Result<Vec<Person>> {
        self.gate.host().reachable(party.person)
    }

    /// The tree of a person, one's own or one that is reached.
    ///
    /// # Errors
    /// [`holm_core::Error::NoSuchPerson`] also where somebody lives who granted nothing.
    pub fn enter(&self, name: &str, others: &[Person], party: Arc<Party>, via: Via) -> holm_core::Result<Access> {
        match others.iter().find(|p| p.name == name) {
            Some(owner) => self.gate.admit_to(owner.id, party, via),
            None => self.gate.admit(party, via),
        }
    }
}

/// HTTP/2 names the host in the request's authority, where a Destination is not compared with it.
pub fn host_of_http2(head: &mut Parts) {
    if !head.headers.contains_key(HOST)
        && let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::try_from(authority.as_str())
    {
        head.headers.insert(HOST, host);
    }
}

/// What a stranger gets to hear of anything.
pub fn nothing() -> Response {
    Failure::new(StatusCode::NOT_FOUND, "nothing is kept here").into_response()
}

/// Where too many wrong secrets came from.
pub fn too_many(seconds: i64) -> Response {
    let answer = Response::builder().status(StatusCode::TOO_MANY_REQUESTS).header("Retry-After", seconds);
    let text = format!("Too many wrong passwords from here; wait {} minutes.\n", (seconds + 59) / 60);
    answer.body(Body::from(text)).expect("a number is a header")
}

/// Basic stands first: what knows only one scheme, and takes the first, is a WebDAV client.
fn unauthorized(auth: &Auth, token: bool) -> Response {
    let error = if token { ", error=\"invalid_token\"" } else { "" };
    Response::builder()
        .status(StatusCode::UNAUTHORIZED)
        .header("WWW-Authenticate", "Basic realm=\"holm\", charset=\"UTF-8\"")
        .header("WWW-Authenticate", format!("Bearer resource_metadata=\"{}/.well-known/oauth-protected-resource/dav\"{error}", auth.origin()))
        .header("Content-Type", "text/plain; charset=utf-8")
        .body(Body::from("Sign in with your name and an app password (holm app-password add NAME).\n"))
        .expect("an origin is a header")
}

/// What an app that was let in lacks, where that is why it is refused (RFC 6750 §3.1).
/// `scopes` are those to read and to change what was asked for.
pub fn insufficient(scopes: [&str; 2], method: &Method, mut response: Response) -> Response {
    let reads = method.is_safe() || matches!(method.as_str(), "PROPFIND" | "REPORT");
    let lacks = if reads { scopes[0] } else { scopes[1] };
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{lacks}\"");
    response.headers_mut().append("WWW-Authenticate", HeaderValue::try_from(challenge).expect("plain text"));
    response
}
