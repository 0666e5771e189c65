//! Passkeys of whoever is signed in.

use axum::response::{IntoResponse, Response};
use holm_core::PasskeyRecord;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::session::Question;
use crate::Web;
use crate::caller::{Caller, Proven};
use crate::fields::{Id, Time};
use crate::problem::Problem;
use crate::request::{Json, Numbered};

const TAG: &str = "passkeys";

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list_passkeys, register_passkey)).routes(routes!(ask_to_register_passkey)).routes(routes!(remove_passkey))
}

/// A passkey.
#[derive(Serialize, ToSchema)]
pub struct Passkey {
    id: Id,
    name: String,
    created: Time,
    used: Option<Time>,
}

/// All passkeys.
#[derive(Serialize, ToSchema)]
pub struct Passkeys {
    items: Vec<Passkey>,
}

impl From<PasskeyRecord> for Passkey {
    fn from(record: PasskeyRecord) -> Passkey {
        Passkey { id: Id(record.id), name: record.name, created: Time(record.created), used: Time::of(record.used) }
    }
}

/// All passkeys, in the order in which they were registered
#[utoipa::path(get, path = "/passkeys", tag = TAG, responses((status = 200, description = "Passkeys", body = Passkeys)))]
async fn list_passkeys(caller: Caller) -> Result<Json<Passkeys>, Problem> {
    let found = caller.with(|access| access.passkeys()).await?;
    Ok(Json(Passkeys { items: found.into_iter().map(Passkey::from).collect() }))
}

/// Ask for a challenge to register a passkey; asks for a fresh proof of who is there
#[utoipa::path(post, path = "/passkeys/challenge", tag = TAG, responses(
    (status = 200, description = "For navigator.credentials.create", body = Question), (status = 422, description = "Passkeys need a name, this is an address")
))]
async fn ask_to_register_passkey(Proven(caller): Proven<Caller>) -> Result<Json<Question>, Problem> {
    let (auth, session) = (caller.web.auth.clone(), caller.session.clone());
    let challenge = caller.with(move |access| auth.begin_passkey(access, &session)).await?;
    Ok(Json(challenge.into()))
}

/// The answer of an authenticator that made a passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    #[schema(max_length = 64)]
    pub ticket: String,
    /// What to call it.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$", example = "phone")]
    pub name: String,
    /// What `navigator.credentials.create` gave, in the JSON form of WebAuthn level 3.
    #[schema(value_type = Object)]
    pub credential: Value,
}

/// Register a passkey with the answer to a challenge; asks for a fresh proof of who is there
#[utoipa::path(post, path = "/passkeys", tag = TAG, request_body = Registration, responses((status = 201, description = "It is registered", body = Passkey)))]
async fn register_passkey(Proven(caller): Proven<Caller>, Json(given): Json<Registration>) -> Result<Response, Problem> {
    let (auth, session) = (caller.web.auth.clone(), caller.session.clone());
    let made = caller.with(move |access| {
        let id = auth.finish_passkey(access, &session, &given.ticket, &given.name, &given.credential)?;
        Ok(access.passkeys()?.into_iter().find(|p| p.id == id))
    });
    let made = made.await?.ok_or_else(|| Problem::not_found("it was removed as it was made"))?;
    Ok((StatusCode::CREATED, Json(Passkey::from(made))).into_response())
}

/// Remove a passkey; signs out all other browsers, and asks for a fresh proof of who is there
#[utoipa::path(delete, path = "/passkeys/{id}", tag = TAG, params(("id" = inline(Id), Path)), responses((status = 204, description = "It opens nothing any more")))]
async fn remove_passkey(Proven(caller): Proven<Caller>, Numbered(id): Numbered) -> Result<StatusCode, Problem> {
    let auth = caller.web.auth.clone();
    let there = caller.with(move |access| access.remove_passkey(id)).await?;
    auth.forget_sessions();
    if there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("no passkey has that number; GET /api/v1/passkeys lists them")) }
}
