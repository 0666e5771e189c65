//! What pages of other sites may ask and read here (CORS, Fetch §3.2): on doors that look at no cookie, everything.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS};
use http::header::{ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY};
use http::{HeaderName, HeaderValue, Method, StatusCode};

/// Asked by browsers of pages elsewhere before they speak to a server in the home.
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");
/// Seconds for which a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// What a door lets pages of any origin do.
#[derive(Clone, Copy, Debug)]
pub struct Cors {
    pub methods: &'static str,
    /// Of requests.
    pub headers: &'static str,
    /// Of answers.
    pub exposed: &'static str,
}

impl Cors {
    /// Stands around a door: answers OPTIONS, and puts what is allowed on every answer, refusals too. Credentials that a
    /// browser would add by itself are never allowed.
    pub async fn around(self, request: Request, next: Next) -> Response {
        let origin = request.headers().get(ORIGIN).cloned();
        let mut response = if request.method() == Method::OPTIONS { self.options() } else { next.run(request).await };
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.unwrap_or(HeaderValue::from_static("*")));
        headers.append(VARY, HeaderValue::from_static("Origin"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(self.exposed));
        response
    }

    fn options(self) -> Response {
        let answer = Response::builder().status(StatusCode::NO_CONTENT).header("Allow", self.methods);
        let answer = answer.header(ACCESS_CONTROL_ALLOW_METHODS, self.methods).header(ACCESS_CONTROL_ALLOW_HEADERS, self.headers);
        answer.header(ACCESS_CONTROL_MAX_AGE, MAX_AGE).header(ALLOW_PRIVATE_NETWORK, "true").body(Body::empty()).expect("static headers")
    }
}
