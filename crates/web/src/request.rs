//! What requests bring: JSON bodies, queries and names in paths, each read once, strictly and within bounds.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::response::{IntoResponse, Response};
use holm_http::body::Incoming;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ROOT;
use crate::fields::Id;
use crate::problem::{Kind, Problem};

/// Largest body in bytes.
pub const MAX_BODY: usize = 64 * 1024;

fn malformed(why: impl std::fmt::Display) -> Problem {
    Problem::new(Kind::Malformed, format!("{why}; GET /api/v1/openapi.json describes what is taken"))
}

/// Largest body of many changes.
const MAX_LARGE: usize = 4 << 20;

/// A JSON body, of a request or an answer. Fields that the type does not know are refused, where it says so; all of this API's do.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Json<T>, Problem> {
        read(request, MAX_BODY).await.map(Json)
    }
}

/// The same where a request may bring many things at once.
pub struct Large<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Large<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Large<T>, Problem> {
        read(request, MAX_LARGE).await.map(Large)
    }
}

async fn read<T: DeserializeOwned>(request: Request, most: usize) -> Result<T, Problem> {
    let (head, body) = request.into_parts();
    if !is_json(&head.headers) {
        return Err(Problem::new(Kind::MediaType, "send JSON as it is, with Content-Type: application/json"));
    }
    let bytes = Incoming::new(body).whole(most).await?;
    serde_json::from_slice(&bytes).map_err(malformed)
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The answer where something was made: what it is now, and where it is.
pub fn created<T: Serialize>(at: impl std::fmt::Display, what: T) -> Response {
    (StatusCode::CREATED, [(LOCATION, format!("{ROOT}/{at}"))], Json(what)).into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") && !headers.contains_key(CONTENT_ENCODING)
}

/// What stands behind the question mark.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Query<T>, Problem> {
        axum::extract::Query::try_from_uri(&head.uri).map(|query| Query(query.0)).map_err(|e| malformed(e.body_text()))
    }
}

/// The one name in the path that a route leaves open.
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Named, Problem> {
        let path = Path::<String>::from_request_parts(head, state).await;
        path.map(|path| Named(path.0)).map_err(|_| Problem::not_found("nothing can have that name; look at the list"))
    }
}

/// The same where it is a number.
pub struct Numbered(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Numbered {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Numbered, Problem> {
        let Named(text) = Named::from_request_parts(head, state).await?;
        let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        let id = text.parse().ok().filter(|id| plain && (1..=Id::MAX).contains(id));
        id.map(Numbered).ok_or_else(|| Problem::not_found("nothing can have that number; look at the list"))
    }
}
