//! Every route of these protocols.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use holm_core::{Error, Via};
use holm_dav::door::{Door, host_of_http2, insufficient, nothing};
use holm_dav::{Answer, Call, Failure, Mount};
use holm_http::body::Incoming;
use holm_http::client::ClientAddress;
use holm_http::{credentials, path};
use http::{Method, StatusCode};

use crate::home::{Home, Level};
use crate::{first_look, make, put, report, transfer};

/// Where principals are, for every DAV protocol.
const PRINCIPALS: &str = "/dav/principals/users";
/// What these places answer to.
const ALLOW: &str = "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, MKCALENDAR, COPY, MOVE, PROPFIND, PROPPATCH, LOCK, UNLOCK, REPORT";

pub fn routes(door: Door) -> Router {
    let mut router = Router::new();
    for home in Home::ALL {
        for below in ["/{person}", "/{person}/", "/{person}/{*rest}"] {
            let handler = move |state: State<Door>, request: Request| handle(home, state, request);
            router = router.route(&format!("{}{below}", home.prefix()), any(handler));
        }
    }
    router.with_state(door)
}

async fn handle(home: Home, State(door): State<Door>, request: Request) -> Response {
    let token = credentials::bearer(request.headers()).or_else(|| credentials::dpop(request.headers()));
    let method = token.map(|_| request.method().clone());
    let response = answer(home, door, request).await;
    match method {
        Some(method) if response.status() == StatusCode::FORBIDDEN => insufficient(home.scopes(), &method, response),
        _ => response,
    }
}

async fn answer(home: Home, door: Door, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    if head.uri.path_and_query().is_some_and(|p| p.as_str().len() > path::MAX_URI) {
        return Failure::new(StatusCode::URI_TOO_LONG, "the URI is longer than 8 KiB").into_response();
    }
    let whole = match path::parse(head.uri.path()) {
        Ok(path) => path,
        Err(why) => return Failure::bad(why).into_response(),
    };
    if head.method == Method::OPTIONS {
        // Asked before signing in, so it tells nothing of who lives here.
        return holm_dav::options(ALLOW);
    }
    let address = ClientAddress::of(&head.extensions);
    let (party, person) = match door.admit(&head, address).await {
        Ok(admitted) => admitted,
        Err(refusal) => return *refusal,
    };
    host_of_http2(&mut head);
    let Some(owner) = whole.names().get(2).map(|n| n.as_str().to_owned()) else { return nothing() };
    let own = owner == *person;
    let others = match if own { Ok(Vec::new()) } else { door.others(&party) } {
        Ok(others) => others,
        Err(e) => return Failure::from(e).into_response(),
    };
    if !own && !others.iter().any(|p| p.name == owner) {
        return nothing();
    }
    let via = Via { protocol: home.protocol(), address: Some(address) };
    let access = match door.enter(&owner, &others, party, via) {
        Ok(access) => access,
        // Whether somebody else lives here is not for this person to know.
        Err(Error::NoSuchPerson(_)) => return nothing(),
        Err(e) => return Failure::from(e).into_response(),
    };
    let mount = Mount::new(home.prefix(), PRINCIPALS, &owner, &person, door.hosts.clone()).at(home.path(), &owner, home.dialect());
    let path = match mount.path(&whole.names()[3..]) {
        Ok(path) => path,
        Err(e) => return Failure::from(e).into_response(),
    };
    if own && let Err(e) = first_look::furnish(&access).await {
        return Failure::from(e).into_response();
    }
    let (mount, random) = (Arc::new(mount), door.gate.env().random());
    let call = Call { access: access.clone(), mount: mount.clone(), path, headers: head.headers, body: Incoming::new(body), random };
    let now = door.gate.env().now().0.div_euclid(1_000);
    let answer = dispatch(home, &head.method, call, now).await;
    holm_dav::told(&access, &mount, answer)
}

async fn dispatch(home: Home, method: &Method, call: Call, now: i64) -> Answer {
    match (method.as_str(), Home::level(&call.path)) {
        ("OPTIONS", _) => holm_dav::dispatch(method, call).await,
        (_, Level::Deeper) => Err(Failure::new(StatusCode::NOT_FOUND, "nothing lies within an object")),
        ("PUT", _) => put::put(home, call).await,
        ("MKCALENDAR" | "MKCOL", _) => make::make(home, method.as_str(), call).await,
        ("COPY" | "MOVE", _) => transfer::transfer(home, method, call).await,
        ("DELETE", Level::Home) => Err(Failure::new(StatusCode::FORBIDDEN, "the home of calendars and contacts stays; delete what is in it")),
        ("REPORT", _) => report::report(home, call, now).await,
        // Parts of an object are no object.
        ("PATCH", _) => Err(Failure { allow: ALLOW, ..Failure::not_allowed() }),
        _ => holm_dav::dispatch(method, call).await,
    }
}
