//! Every route of this protocol.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use holm_core::{Party, Person, Via, mutant};
use holm_dav::door::{Door, host_of_http2, insufficient, nothing};
use holm_dav::{Call, Failure, Mount, place};
use holm_http::body::Incoming;
use holm_http::client::ClientAddress;
use holm_http::{credentials, path};
use http::{Method, StatusCode};

use crate::{links, parents};

/// Where trees hang.
pub const FILES: &str = "/dav/files";
pub const PRINCIPALS: &str = "/dav/principals/users";

/// `/dav/files/PERSON/…` is a tree; `/dav/links/TOKEN/…` is what a link leads to; `/`, `/dav/`, `/dav/files/` and the principals are collections above it.
pub fn routes(door: Door) -> Router {
    Router::new().fallback(handle).with_state(door)
}

async fn handle(State(door): State<Door>, request: Request) -> Response {
    let token = credentials::bearer(request.headers()).or_else(|| credentials::dpop(request.headers()));
    let method = token.map(|_| request.method().clone());
    let response = answer(door, request).await;
    match method {
        Some(method) if response.status() == StatusCode::FORBIDDEN => insufficient(["files:r", "files:rw"], &method, response),
        _ => response,
    }
}

async fn answer(door: Door, request: Request) -> Response {
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
    if matches!(head.method, Method::GET | Method::HEAD) {
        match names.as_slice() {
            [] => return parents::welcome(),
            [".well-known", "caldav" | "carddav"] => return parents::to_dav(),
            _ => {}
        }
    }
    let address = ClientAddress::of(&head.extensions);
    if let ["dav", "links", token, ..] = names.as_slice() {
        return links::answer(&door, head, body, token, &whole.names()[3..], address).await;
    }
    let (party, person) = match door.admit(&head, address).await {
        Ok(admitted) => admitted,
        Err(refusal) => return *refusal,
    };
    host_of_http2(&mut head);
    let via = Via { protocol: "webdav", address: Some(address) };
    let others = match others(&door, &names, &party, &person) {
        Ok(others) => others,
        Err(e) => return Failure::from(e).into_response(),
    };
    match names.as_slice() {
        ["dav", "files", name, ..] if *name == &*person || others.iter().any(|p| p.name == *name) || mutant("person-in-path-ignored") => {
            let mount = Mount::new(FILES, PRINCIPALS, name, &person, door.hosts.clone());
            let access = match door.enter(name, &others, party, via) {
                Ok(access) => access,
                // Whether somebody else lives here is not for this person to know.
                Err(holm_core::Error::NoSuchPerson(_)) => return nothing(),
                Err(e) => return Failure::from(e).into_response(),
            };
            let path = match mount.path(&whole.names()[3..]) {
                Ok(path) => path,
                Err(e) => return Failure::from(e).into_response(),
            };
            let random = door.gate.env().random();
            let call = Call { access, mount: Arc::new(mount), path, headers: head.headers, body: Incoming::new(body), random };
            holm_dav::handle(&head.method, call).await
        }
        names => {
            let mount = Mount::new(FILES, PRINCIPALS, &person, &person, door.hosts.clone());
            let found = mount.principals().and_then(|known| parents::find(names, known, &others));
            let Some((place, members)) = found else { return nothing() };
            let answer = place::answer(&head.method, &place, &members, &head.headers, &mut Incoming::new(body), &mount).await;
            answer.unwrap_or_else(Failure::into_response)
        }
    }
}

/// Whose trees a person may reach besides their own; asked only where that matters.
fn others(door: &Door, names: &[&str], party: &Party, person: &str) -> holm_core::Result<Vec<Person>> {
    match names {
        ["dav", "files"] => door.others(party),
        ["dav", "files", name, ..] if *name != person => door.others(party),
        _ => Ok(Vec::new()),
    }
}
