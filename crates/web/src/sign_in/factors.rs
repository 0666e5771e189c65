//! Password, authenticator app and recovery codes of whoever is signed in.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::session::Code;
use crate::Web;
use crate::caller::{Caller, Proven};
use crate::problem::{Kind, Problem};
use crate::request::Json;

const TAG: &str = "second-factors";

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(get_second_factors))
        .routes(routes!(change_password))
        .routes(routes!(begin_totp, finish_totp, remove_totp))
        .routes(routes!(make_recovery_codes))
}

/// What is asked for beside the password.
#[derive(Serialize, ToSchema)]
pub struct Factors {
    /// An authenticator app is set up.
    totp: bool,
    #[schema(minimum = 0)]
    passkeys: usize,
    /// Not used yet.
    #[schema(minimum = 0)]
    recovery_codes: i64,
}

/// What is asked for beside the password
#[utoipa::path(get, path = "/second-factors", tag = TAG, responses((status = 200, description = "Second factors", body = Factors)))]
async fn get_second_factors(caller: Caller) -> Result<Json<Factors>, Problem> {
    let found = caller.with(|access| access.second_factors()).await?;
    Ok(Json(Factors { totp: found.totp, passkeys: found.passkeys, recovery_codes: found.recovery_codes }))
}

/// A password to have from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    #[schema(min_length = 8, max_length = 1024, format = Password)]
    password: String,
}

/// Choose a password; signs out all other browsers, and asks for a fresh proof of who is there
#[utoipa::path(put, path = "/password", tag = TAG, request_body = NewPassword, responses((status = 204, description = "It is changed")))]
async fn change_password(Proven(caller): Proven<Caller>, Json(new): Json<NewPassword>) -> Result<StatusCode, Problem> {
    let auth = caller.web.auth.clone();
    caller.with(move |access| auth.change_password(access, &new.password)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An authenticator app to set up.
#[derive(Serialize, ToSchema)]
pub struct Totp {
    /// What the app reads from a QR code.
    #[schema(example = "otpauth://totp/cloud.example:ann?secret=…")]
    address: String,
    /// The same to type: base32.
    secret: String,
}

/// Begin to set up an authenticator app; it is asked for once a first code of it was right. Asks for a fresh proof of who is there
#[utoipa::path(post, path = "/totp", tag = TAG, responses(
    (status = 200, description = "For the app; shown this once", body = Totp), (status = 403, description = "One is set up already, or the proof is too old")
))]
async fn begin_totp(Proven(caller): Proven<Caller>) -> Result<Json<Totp>, Problem> {
    let (auth, person) = (caller.web.auth.clone(), caller.session.person.clone());
    let (address, secret) = caller.with(move |access| auth.begin_totp(access, &person)).await?;
    Ok(Json(Totp { address, secret }))
}

/// Give the first code of an authenticator app: from then on codes are asked for
#[utoipa::path(put, path = "/totp", tag = TAG, request_body = Code, responses(
    (status = 204, description = "It is set up"), (status = 422, description = "Not right, or none was begun"), (status = 429, description = "Too many wrong tries")
))]
async fn finish_totp(Proven(caller): Proven<Caller>, Json(given): Json<Code>) -> Result<StatusCode, Problem> {
    let auth = caller.web.auth.clone();
    match caller.with(move |access| auth.finish_totp(access, &given.code)).await? {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => {
            Err(Problem::new(Kind::NotPossible, "the code is not right, or no app was begun with: POST /api/v1/totp first, then give the code it shows now"))
        }
        Err(seconds) => Err(Problem::throttled(seconds)),
    }
}

/// Ask for no codes any more; signs out all other browsers, and asks for a fresh proof of who is there
#[utoipa::path(delete, path = "/totp", tag = TAG, responses((status = 204, description = "It is removed"), (status = 404, description = "There is none")))]
async fn remove_totp(Proven(caller): Proven<Caller>) -> Result<StatusCode, Problem> {
    let auth = caller.web.auth.clone();
    let there = caller.with(|access| access.remove_totp()).await?;
    auth.forget_sessions();
    if there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("no authenticator app is set up")) }
}

/// Codes for the day the phone is lost.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// Each works once. Shown this once.
    #[schema(example = json!(["abcd-efgh-jkmn-pqrs"]))]
    codes: Vec<String>,
}

/// Make new recovery codes, in place of all before; asks for a fresh proof of who is there
#[utoipa::path(post, path = "/recovery-codes", tag = TAG, responses((status = 201, description = "To print", body = RecoveryCodes)))]
async fn make_recovery_codes(Proven(caller): Proven<Caller>) -> Result<Response, Problem> {
    let auth = caller.web.auth.clone();
    let made = caller.with(move |access| auth.make_recovery_codes(access)).await?;
    let codes = made.iter().map(|c| c.reveal().to_owned()).collect();
    Ok((StatusCode::CREATED, Json(RecoveryCodes { codes })).into_response())
}
