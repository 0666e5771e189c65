//! The WebDAV method engine that every DAV protocol here shares: each method once, conditions once, one status table.
//! A protocol hands in the mount, the admitted access and the request; what it adds are routes and properties.

pub mod error;
mod methods;
mod mount;
mod multistatus;
mod props;

use axum::body::Body;
use axum::response::Response;
use holm_core::{Access, Path};
use http::{HeaderMap, Method, StatusCode};

pub use error::Failure;
pub use mount::Mount;
pub use multistatus::Multistatus;

/// Largest XML body of a request.
pub const MAX_XML: usize = 1 << 20;
/// What a collection of this engine answers to.
pub const ALLOW: &str = "OPTIONS, GET, HEAD, PUT, PATCH, DELETE, MKCOL, COPY, MOVE, PROPFIND, PROPPATCH, LOCK, UNLOCK, REPORT";
/// The compliance classes, announced where they are true.
pub const CLASSES: &str = "1, 2, 3, access-control, extended-mkcol, sync-collection, sabredav-partialupdate";

/// A parsed request, ready for its method.
pub struct Call {
    pub access: Access,
    pub mount: Mount,
    pub path: Path,
    pub headers: HeaderMap,
    pub body: Body,
}

pub type Answer = Result<Response, Failure>;

/// Does what the method says.
pub async fn handle(method: &Method, call: Call, random: [u8; 16]) -> Response {
    let answer = match method.as_str() {
        "GET" | "HEAD" => methods::get::get(call).await,
        "PUT" => methods::put::put(call).await,
        "PATCH" => methods::patch::patch(call).await,
        "DELETE" => methods::delete::delete(call).await,
        "MKCOL" => methods::mkcol::mkcol(call).await,
        "COPY" => methods::transfer::copy(call).await,
        "MOVE" => methods::transfer::move_(call).await,
        "PROPFIND" => methods::propfind::propfind(call).await,
        "PROPPATCH" => methods::proppatch::proppatch(call).await,
        "LOCK" => methods::lock::lock(call, random).await,
        "UNLOCK" => methods::lock::unlock(call).await,
        "REPORT" => methods::report::report(call).await,
        "OPTIONS" => Ok(options()),
        "ACL" => Err(Failure::new(StatusCode::FORBIDDEN, "access is granted in holm, not by ACL requests")),
        "POST" | "TRACE" | "CONNECT" => Err(Failure::not_allowed()),
        _ => Err(Failure::new(StatusCode::NOT_IMPLEMENTED, "this method is not known here")),
    };
    answer.unwrap_or_else(Failure::into_response)
}

/// 200 and not 204: some clients take nothing else.
pub fn options() -> Response {
    Response::builder()
        .header("DAV", CLASSES)
        .header("Allow", ALLOW)
        .header("MS-Author-Via", "DAV")
        .header("Accept-Ranges", "bytes")
        .header("Content-Length", "0")
        .body(Body::empty())
        .expect("a static answer")
}

pub(crate) fn status(code: StatusCode) -> Response {
    Response::builder().status(code).header("Content-Length", "0").body(Body::empty()).expect("a static answer")
}
