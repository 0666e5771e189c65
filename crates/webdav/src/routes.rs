//! Every route of this protocol.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use holm_auth::{Auth, RETRY_SECONDS, Verdict};
use holm_core::{Gate, Party};
use holm_dav::{Call, Failure, Mount};
use holm_http::{credentials, path};
use http::StatusCode;

use crate::parents;

/// Where trees hang.
pub const FILES: &str = "/dav/files";
pub const PRINCIPALS: &str = "/dav/principals/users";

/// What the protocol needs.
#[derive(Clone)]
pub struct Webdav {
    pub gate: Arc<Gate>,
    pub auth: Arc<Auth>,
}

/// The address a request came from; the server puts it into each request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// `/dav/files/PERSON/…` is a tree; `/`, `/dav/`, `/dav/files/` and the principals are collections above it.
pub fn routes(webdav: Webdav) -> Router {
    Router::new().fallback(handle).with_state(webdav)
}

async fn handle(State(webdav): State<Webdav>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if head.method == http::Method::OPTIONS {
        return holm_dav::options();
    }
    let whole = match path::parse(head.uri.path()) {
        Ok(path) => path,
        Err(why) => return Failure::bad(why).into_response(),
    };
    let names: Vec<&str> = whole.names().iter().map(|n| n.as_str()).collect();
    if head.method == http::Method::GET && names.is_empty() {
        return parents::welcome();
    }
    let address = head.extensions.get::<ClientAddress>().map_or(IpAddr::from([0, 0, 0, 0]), |a| a.0);
    let (party, person) = match admit(&webdav, &head.headers, address) {
        Ok(admitted) => admitted,
        Err(refusal) => return *refusal,
    };
    let mount = Mount { prefix: format!("{FILES}/{person}"), principal: format!("{PRINCIPALS}/{person}/") };
    match names.as_slice() {
        // Whether somebody else lives here is not for this person to know.
        ["dav", "files", name, ..] if *name == &*person => {
            let access = match webdav.gate.admit(party) {
                Ok(access) => access,
                Err(e) => return Failure::from(e).into_response(),
            };
            let names = whole.names()[3..].to_vec();
            let path = match holm_core::Path::from_names(names) {
                Ok(path) => path,
                Err(e) => return Failure::from(e).into_response(),
            };
            let random = webdav.gate.env().random();
            holm_dav::handle(&head.method, Call { access, mount, path, headers: head.headers, body }, random).await
        }
        names => parents::answer(&head.method, names, &head.headers, body, &mount).await.unwrap_or_else(Failure::into_response),
    }
}

/// Basic credentials with an app password become a party; all else is refused here.
fn admit(webdav: &Webdav, headers: &http::HeaderMap, address: IpAddr) -> Result<(Arc<Party>, Arc<str>), Box<Response>> {
    let Some((name, secret)) = credentials::basic(headers) else { return Err(unauthorized().into()) };
    match webdav.auth.app_password(&name, &secret, address) {
        Ok(Verdict::Admitted(party, person)) => Ok((party, person)),
        Ok(Verdict::Unknown) => Err(unauthorized().into()),
        Ok(Verdict::Throttled) => {
            let answer = Response::builder().status(StatusCode::TOO_MANY_REQUESTS).header("Retry-After", RETRY_SECONDS);
            Err(answer.body(Body::from("Too many wrong passwords from here; wait a minute.\n")).expect("a static answer").into())
        }
        Err(e) => Err(Failure::from(e).into_response().into()),
    }
}

fn unauthorized() -> Response {
    Response::builder()
        .status(StatusCode::UNAUTHORIZED)
        .header("WWW-Authenticate", "Basic realm=\"holm\", charset=\"UTF-8\"")
        .header("Content-Type", "text/plain; charset=utf-8")
        .body(Body::from("Sign in with your name and an app password (holm app-password add NAME).\n"))
        .expect("a static answer")
}
