//! Apps that register themselves (RFC 7591).

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use holm_http::client::ClientAddress;
use http::StatusCode;
use serde_json::json;

use super::client::waiting;
use super::{Failure, answer, text};
use crate::Web;

pub async fn register(State(web): State<Web>, request: Request) -> Result<Response, Response> {
    let (head, body) = request.into_parts();
    let body = text(body).await?;
    let (auth, address) = (web.auth.clone(), ClientAddress::of(&head.extensions));
    let made = waiting(move || auth.register(body.as_bytes(), address)).await.map_err(|e| Failure(e).into_response())?;
    let mut told = json!(made.metadata);
    told["client_id_issued_at"] = json!(made.at.seconds());
    if let Some(secret) = &made.secret {
        told["client_secret"] = json!(secret.reveal());
        told["client_secret_expires_at"] = json!(0);
    }
    Ok(answer(StatusCode::CREATED, &told))
}
