//! What links lead to: `/dav/links/TOKEN/`, for whoever holds the token (T38). A link to a folder is that folder; one to a file
//! is a place with that file in it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use holm_auth::{LinkVerdict, Shown};
use holm_core::{Access, Error, LinkEnd, Name, Party, Path, Via};
use holm_dav::dialect::Plain;
use holm_dav::door::{Door, host_of_http2, too_many};
use holm_dav::{Call, Failure, Mount, Viewer};
use holm_http::body::Incoming;
use holm_http::credentials::{self, LINK_VISIT, LINKS};
use holm_http::path;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};

/// Longest token that is looked at.
const MAX_TOKEN: usize = 256;

/// On every answer: the address is the key, so it is not told on, kept or found by search engines.
const HEADERS: [(&str, &str); 3] = [("referrer-policy", "no-referrer"), ("cache-control", "no-store"), ("x-robots-tag", "noindex, nofollow")];

/// Answers a request below `/dav/links`, where `below` are the names behind the token.
pub async fn answer(door: &Door, mut head: Parts, body: Body, token: &str, below: &[Name], address: IpAddr) -> Response {
    host_of_http2(&mut head);
    let mut response = match opened(door, &head, token, address).await {
        Ok((access, end)) => serve(door, access, end, head, body, (token, below)).await,
        Err(refusal) => *refusal,
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn opened(door: &Door, head: &Parts, token: &str, address: IpAddr) -> Result<(Access, LinkEnd), Box<Response>> {
    let party = admit(door, head, token, address).await?;
    let via = Via { protocol: "link", address: Some(address) };
    let found = door.gate.admit(party, via).and_then(|access| Ok(access.leads_to()?.map(|end| (access, end))));
    match found {
        Ok(Some(found)) => Ok(found),
        Ok(None) | Err(Error::NoSuchPerson(_)) => Err(nowhere()),
        Err(e) => Err(Failure::from(e).into_response().into()),
    }
}

/// The link's party, where the token is one and its password was right, now or before in this browser.
async fn admit(door: &Door, head: &Parts, token: &str, address: IpAddr) -> Result<Arc<Party>, Box<Response>> {
    if token.len() > MAX_TOKEN {
        return Err(nowhere());
    }
    let password = credentials::basic(&head.headers).map(|(_, password)| password);
    // The cookie opens what is only read: another site's page may make a browser send it.
    let visit = if reads(&head.method) { credentials::cookie(&head.headers, LINK_VISIT) } else { None };
    let shown = Shown { password: password.as_deref().map(String::as_str), visit };
    if let Some(party) = door.auth.link_believed(token, shown) {
        return Ok(party);
    }
    let (auth, token, visit) = (door.auth.clone(), token.to_owned(), visit.map(str::to_owned));
    let asked = tokio::task::spawn_blocking(move || {
        let shown = Shown { password: password.as_deref().map(String::as_str), visit: visit.as_deref() };
        (auth.link_holder(&token, shown, address), password.is_some())
    });
    match asked.await {
        Ok((Ok(LinkVerdict::Admitted(party)), _)) => Ok(party),
        Ok((Ok(LinkVerdict::Password), tried)) => {
            if tried {
                tracing::warn!(%address, "sign-in failed: a link's password");
            }
            Err(asks_for_password().into())
        }
        Ok((Ok(LinkVerdict::Unknown), _)) => Err(nowhere()),
        Ok((Ok(LinkVerdict::Throttled(seconds)), _)) => Err(too_many(seconds).into()),
        Ok((Err(e), _)) => Err(Failure::from(e).into_response().into()),
        Err(_) => Err(Failure::from(Error::Poisoned).into_response().into()),
    }
}

fn reads(method: &Method) -> bool {
    matches!(method.as_str(), "GET" | "HEAD" | "PROPFIND" | "REPORT")
}

/// A lock would outlast the link, and only who took it can end it.
fn locks_nothing() -> Response {
    Failure::new(StatusCode::FORBIDDEN, "links lock nothing; write without a lock").into_response()
}

async fn serve(door: &Door, access: Access, end: LinkEnd, head: Parts, body: Body, (token, below): (&str, &[Name])) -> Response {
    let LinkEnd { path: leads_to, folder, .. } = end;
    if head.method.as_str() == "LOCK" {
        return locks_nothing();
    }
    let mut prefix = LINKS.to_owned();
    path::push_name(&mut prefix, token);
    let base = if folder { leads_to.clone() } else { leads_to.parent().unwrap_or_default() };
    let name = base.name().filter(|_| folder).map_or("shared", Name::as_str).to_owned();
    let mount = Mount { prefix, base, name, dialect: &Plain, viewer: Viewer::Unnamed, hosts: door.hosts.clone() };
    let path = match mount.path(below) {
        Ok(path) => path,
        Err(e) => return Failure::from(e).into_response(),
    };
    if !folder && path != leads_to {
        let to_file = path == mount.base && matches!(head.method, Method::GET | Method::HEAD);
        return if to_file { see_file(&mount, &leads_to) } else { *nowhere() };
    }
    let random = door.gate.env().random();
    let call = Call { access, mount: Arc::new(mount), path, headers: head.headers, body: Incoming::new(body), random };
    holm_dav::handle(&head.method, call).await
}

/// To the file of a link to one, so that it is saved under its name.
fn see_file(mount: &Mount, file: &Path) -> Response {
    let answer = Response::builder().status(StatusCode::FOUND).header("Location", mount.href(file, false)).header("Content-Length", "0");
    answer.body(Body::empty()).expect("an escaped path is a header")
}

fn nowhere() -> Box<Response> {
    let text = "this link leads nowhere: it was mistyped, it ended, or it was taken back; ask whoever gave it to you";
    Failure::new(StatusCode::NOT_FOUND, text).into_response().into()
}

fn asks_for_password() -> Response {
    Response::builder()
        .status(StatusCode::UNAUTHORIZED)
        .header("WWW-Authenticate", "Basic realm=\"holm link\", charset=\"UTF-8\"")
        .header("Content-Type", "text/plain; charset=utf-8")
        .body(Body::from("This link asks for its password; any name will do.\n"))
        .expect("a static answer")
}
