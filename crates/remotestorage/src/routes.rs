//! Every route of this protocol, and what holds for each answer.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::any;
use holm_auth::Auth;
use holm_core::{Access, Gate};
use holm_http::body::Incoming;
use holm_http::client::ClientAddress;
use holm_http::cors::Cors;
use holm_http::path;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

use crate::error::Failure;
use crate::place::Place;
use crate::{caller, document, listing};

/// What pages of any origin may do here: they need a token for it, and no cookie is looked at.
const CORS: Cors = Cors {
    methods: "OPTIONS, GET, HEAD, PUT, DELETE",
    headers: "Authorization, Content-Type, Content-Length, Origin, X-Requested-With, If-Match, If-None-Match, Range",
    exposed: "ETag, Content-Length, Content-Type, Content-Range, Last-Modified, WWW-Authenticate, Retry-After",
};

/// What the protocol needs.
#[derive(Clone)]
pub struct RemoteStorage {
    pub gate: Arc<Gate>,
    pub auth: Arc<Auth>,
}

/// A request for something that may be there, of somebody who may ask.
pub struct Call {
    pub access: Access,
    pub place: Place,
    pub headers: HeaderMap,
    pub body: Incoming<Body>,
    /// Of this request alone, and not to be guessed.
    pub random: [u8; 16],
}

pub type Answer = Result<Response, Failure>;

pub fn routes(rs: RemoteStorage) -> Router {
    let storage = Router::new().route("/rs", any(handle)).route("/rs/", any(handle)).route("/rs/{*path}", any(handle));
    storage.layer(from_fn(|request, next| CORS.around(request, next))).with_state(rs)
}

async fn handle(State(rs): State<RemoteStorage>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if head.uri.path_and_query().is_some_and(|p| p.as_str().len() > path::MAX_URI) {
        return Failure::new(StatusCode::URI_TOO_LONG, "the URI is longer than 8 KiB").into_response();
    }
    let answer = match Place::parse(head.uri.path()) {
        Ok(place) => answer(&rs, place, head.method, head.headers, body, ClientAddress::of(&head.extensions)).await,
        Err(why) => Err(Failure::bad(why)),
    };
    let mut response = answer.unwrap_or_else(Failure::into_response);
    // Pages elsewhere show what is public, as pictures too; all else asks for a token, which they have or not.
    response.headers_mut().insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin"));
    response
}

async fn answer(rs: &RemoteStorage, place: Place, method: Method, headers: HeaderMap, body: Body, address: IpAddr) -> Answer {
    let scope = place.scope(method.is_safe());
    let answer = done(rs, place, method, headers, body, address).await;
    answer.map_err(|failure| if failure.status == StatusCode::FORBIDDEN { failure.lacking(&scope) } else { failure })
}

async fn done(rs: &RemoteStorage, place: Place, method: Method, headers: HeaderMap, body: Body, address: IpAddr) -> Answer {
    let access = caller::admit(rs, &headers, address, &place, method.is_safe()).await?;
    let asked = access.clone();
    let (path, is_folder) = (place.path.clone(), place.is_folder);
    let call = Call { access, place, headers, body: Incoming::new(body), random: rs.gate.env().random() };
    let answer = match (method.as_str(), is_folder) {
        // Of the answer to a HEAD the body is not sent, but its length is told.
        ("GET" | "HEAD", true) => listing::get(call).await,
        ("GET" | "HEAD", false) => document::get(call, method == Method::HEAD).await,
        ("PUT" | "DELETE", true) => Err(Failure::bad("folders come and go with the documents in them; name a document")),
        ("PUT", false) => document::put(call).await,
        ("DELETE", false) => document::delete(call).await,
        _ => Err(Failure::method(CORS.methods)),
    };
    match answer {
        // The client goes on from what is there.
        Err(failure) if failure.status == StatusCode::PRECONDITION_FAILED => match asked.stat(&path) {
            Ok(entry) => Err(failure.tagged(&entry.etag())),
            Err(_) => Err(failure),
        },
        answer => answer,
    }
}
