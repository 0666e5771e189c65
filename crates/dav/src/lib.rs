//! The WebDAV method engine that every DAV protocol here shares: each method once, conditions once, one status table.
//! A protocol hands in the mount, the admitted access and the request; what it adds are routes and properties.

mod acl;
pub mod dialect;
pub mod door;
pub mod error;
mod expand;
pub mod methods;
mod mount;
pub mod multistatus;
pub mod place;
pub mod props;
pub mod sync_token;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use holm_core::{Access, Path};
use holm_http::body::Incoming;
use http::{HeaderMap, Method, StatusCode};

pub use dialect::Dialect;
pub use door::Door;
pub use error::Failure;
pub use mount::{Mount, Principals, Viewer};

/// Largest XML body of a request.
pub const MAX_XML: usize = 1 << 20;
/// What a tree of this engine answers to.
pub const ALLOW: &str = "OPTIONS, GET, HEAD, PUT, PATCH, DELETE, MKCOL, COPY, MOVE, PROPFIND, PROPPATCH, LOCK, UNLOCK, REPORT";
/// The compliance classes, announced where they are true. Access control is shown and not taken: ACL is refused.
pub const CLASSES: &str = "1, 2, 3, access-control, extended-mkcol, calendar-access, addressbook, sync-collection, sabredav-partialupdate";

/// A parsed request, ready for its method.
pub struct Call {
    pub access: Access,
    pub mount: Arc<Mount>,
    pub path: Path,
    pub headers: HeaderMap,
    pub body: Incoming<Body>,
    /// Of this request alone, and not to be guessed.
    pub random: [u8; 16],
}

pub type Answer = Result<Response, Failure>;

/// Does what the method says.
pub async fn handle(method: &Method, call: Call) -> Response {
    let (access, mount) = (call.access.clone(), call.mount.clone());
    told(&access, &mount, dispatch(method, call).await)
}

/// An answer as it goes out: what failed says where by hrefs.
pub fn told(access: &Access, mount: &Mount, answer: Answer) -> Response {
    let href = |path: &Path| mount.href(path, access.stat(path).is_ok_and(|e| e.is_folder()));
    // Texts name whole paths; whoever holds a link is told nothing of what lies above.
    let shown = |failure: Failure| if mount.principals().is_some() { failure } else { failure.without_places() };
    answer.unwrap_or_else(|failure| shown(failure).respond(href))
}

/// Does what the method says; a failure is still to be told.
pub async fn dispatch(method: &Method, call: Call) -> Answer {
    if call.one("content-encoding")?.is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        // Kept as it came it would be served as what it is not.
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bodies are taken without a Content-Encoding; send it as it is"));
    }
    match method.as_str() {
        "GET" => methods::get::get(call, false).await,
        "HEAD" => methods::get::get(call, true).await,
        "PUT" => methods::put::put(call).await,
        "PATCH" => methods::patch::patch(call).await,
        "DELETE" => methods::delete::delete(call).await,
        "MKCOL" => methods::mkcol::mkcol(call).await,
        "COPY" => methods::transfer::copy(call).await,
        "MOVE" => methods::transfer::move_(call).await,
        "PROPFIND" => methods::propfind::propfind(call).await,
        "PROPPATCH" => methods::proppatch::proppatch(call).await,
        "LOCK" => methods::lock::lock(call).await,
        "UNLOCK" => methods::lock::unlock(call).await,
        "REPORT" => methods::report::report(call).await,
        "OPTIONS" => Ok(options(ALLOW)),
        "ACL" => Err(Failure::new(StatusCode::FORBIDDEN, "access is granted in holm, not by ACL requests").need_privilege("write-acl", &call.path)),
        name => Err(Failure::unknown_method(name)),
    }
}

/// 200 and not 204: some clients take nothing else.
pub fn options(allow: &'static str) -> Response {
    Response::builder()
        .header("DAV", CLASSES)
        .header("Allow", allow)
        .header("MS-Author-Via", "DAV")
        .header("Accept-Ranges", "bytes")
        .header("Content-Length", "0")
        .body(Body::empty())
        .expect("a static answer")
}

pub fn status(code: StatusCode) -> Response {
    Response::builder().status(code).header("Content-Length", "0").body(Body::empty()).expect("a static answer")
}

pub fn xml_answer(code: StatusCode, xml: String) -> Response {
    Response::builder().status(code).header("Content-Type", "application/xml; charset=utf-8").body(Body::from(xml)).expect("static headers and a body")
}
