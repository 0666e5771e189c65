//! Apps with permission, over HTTP: the endpoints of an authorization server (OAuth 2.1, OpenID Connect), which apps of any site may
//! call, and what tells them where those are. What a request is worth `holm_auth::oauth` decides; what the person says to it comes
//! through the JSON API ([`allow`]).

mod allow;
mod authorize;
mod client;
mod metadata;
mod register;
mod tokens;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use holm_auth::oauth::Refusal;
use holm_http::body::Incoming;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use crate::Web;
use crate::problem::Problem;
use crate::request::MAX_BODY;

pub use allow::routes as api;

/// What apps of other sites may know (Fetch §3.2): there is no cookie in any of this, so anybody may ask.
const CORS: [(&str, &str); 5] = [
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "GET, HEAD, POST, OPTIONS"),
    ("access-control-allow-headers", "Authorization, Content-Type, DPoP"),
    ("access-control-expose-headers", "WWW-Authenticate"),
    ("access-control-max-age", "7200"),
];
/// On every answer.
const HEADERS: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "cross-origin"),
];

/// Every route.
pub fn routes(web: Web) -> Router {
    let open = Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata::server))
        .route("/.well-known/openid-configuration", get(metadata::server))
        .route("/.well-known/oauth-protected-resource", get(metadata::resource))
        .route("/.well-known/oauth-protected-resource/{*path}", get(metadata::resource))
        .route("/oauth/jwks", get(metadata::jwks))
        .route("/oauth/token", post(tokens::token))
        .route("/oauth/revoke", post(tokens::revoke))
        .route("/oauth/introspect", post(tokens::introspect))
        .route("/oauth/par", post(tokens::push))
        .route("/oauth/device_authorization", post(tokens::device))
        .route("/oauth/register", post(register::register))
        .route("/oauth/userinfo", get(tokens::userinfo).post(tokens::userinfo))
        .layer(middleware::from_fn(cors));
    let page = Router::new().route("/oauth/authorize", get(authorize::get).post(authorize::post));
    open.merge(page).layer(middleware::from_fn(hardened)).with_state(web)
}

async fn cors(request: Request, next: Next) -> Response {
    let asked = request.method() == Method::OPTIONS;
    let mut response = if asked { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    insert(&mut response, &CORS);
    response
}

async fn hardened(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    insert(&mut response, &HEADERS);
    response
}

fn insert(response: &mut Response, headers: &[(&'static str, &'static str)]) {
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

/// An error of OAuth, as JSON (RFC 6749 §5.2).
struct Failure(Refusal);

impl<E: Into<Refusal>> From<E> for Failure {
    fn from(e: E) -> Failure {
        Failure(e.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (error, why) = match self.0 {
            Refusal::Said(error, why) => (error, why),
            Refusal::Throttled(seconds) => return slow_down(seconds),
            // A problem says all that there is to say of those.
            Refusal::Failed(e) => return Problem::from(e).into_response(),
        };
        let status = match error {
            "invalid_client" | "invalid_token" => StatusCode::UNAUTHORIZED,
            "insufficient_scope" => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        };
        let mut response = answer(status, &json!({ "error": error, "error_description": ascii(&why) }));
        if error == "invalid_client" {
            response.headers_mut().insert("www-authenticate", HeaderValue::from_static("Basic realm=\"holm\", error=\"invalid_client\""));
        } else if status != StatusCode::BAD_REQUEST {
            let challenge = HeaderValue::try_from(format!("Bearer error=\"{error}\"")).expect("a registered name");
            response.headers_mut().insert("www-authenticate", challenge);
        }
        response
    }
}

fn slow_down(seconds: i64) -> Response {
    let mut response = answer(StatusCode::TOO_MANY_REQUESTS, &json!({ "error": "slow_down", "error_description": "too many tries; wait" }));
    response.headers_mut().insert("retry-after", HeaderValue::from(seconds.max(1)));
    response
}

/// What a description may hold (RFC 6749 §5.2).
fn ascii(text: &str) -> String {
    text.chars().filter(|c| (' '..='~').contains(c) && !matches!(c, '"' | '\\')).take(300).collect()
}

/// JSON that nobody keeps (RFC 6749 §5.1).
fn answer(status: StatusCode, body: &Value) -> Response {
    let builder = Response::builder().status(status).header(CONTENT_TYPE, "application/json").header("cache-control", "no-store").header("pragma", "no-cache");
    builder.body(Body::from(body.to_string())).expect("plain headers")
}

/// The body of a request, as text.
async fn text(body: Body) -> Result<String, Response> {
    let bytes = Incoming::new(body).whole(MAX_BODY).await.map_err(|e| Problem::from(e).into_response())?;
    String::from_utf8(bytes).map_err(|_| Failure(Refusal::Said("invalid_request", "the body is not UTF-8".into())).into_response())
}

/// A form, and nothing else (RFC 6749 §3.2).
async fn form(headers: &HeaderMap, body: Body) -> Result<String, Response> {
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().split(';').next().unwrap_or_default().trim().to_owned();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Failure(Refusal::Said("invalid_request", "send a form: application/x-www-form-urlencoded".into())).into_response());
    }
    text(body).await
}
