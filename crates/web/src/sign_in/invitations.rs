//! Links that an admin gives: to come in, and to come back in.

use axum::response::{IntoResponse, Response};
use holm_auth::Waiting;
use holm_core::{Party, Via};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Web;
use crate::caller::{Admin, Proven, blocking};
use crate::fields::{Quota, Time};
use crate::problem::Problem;
use crate::request::{Json, Named};

const TAG: &str = "invitations";

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list_invitations, make_invitation)).routes(routes!(take_back_invitation)).routes(routes!(offer_reset))
}

/// An invitation that nobody accepted yet.
#[derive(Serialize, ToSchema)]
pub struct Invitation {
    /// Tells it from others; opens nothing.
    #[schema(example = "0f1e2d3c4b5a6978")]
    id: String,
    /// Whom it is for.
    note: String,
    by: String,
    /// The most bytes the new person may keep; null: no limit.
    quota: Option<Quota>,
    created: Time,
    expires: Time,
}

impl From<Waiting> for Invitation {
    fn from(w: Waiting) -> Invitation {
        let (created, expires) = (Time(w.created), Time(w.expires));
        Invitation { id: w.id, note: w.invitation.note, by: w.invitation.by, quota: Quota::of(w.invitation.quota), created, expires }
    }
}

/// Invitations that wait.
#[derive(Serialize, ToSchema)]
pub struct Invitations {
    items: Vec<Invitation>,
}

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// Whom it is for, for the list.
    #[serde(default)]
    #[schema(max_length = 200, example = "my brother")]
    note: String,
    /// The most bytes the new person may keep; null: no limit.
    quota: Option<Quota>,
    /// How long the link holds.
    #[serde(default = "week")]
    #[schema(minimum = 1, maximum = 90, default = 7)]
    days: i64,
}

fn week() -> i64 {
    7
}

/// A link that was just made.
#[derive(Serialize, ToSchema)]
pub struct MadeLink {
    /// To give to whom it is for. Works once; shown this once.
    #[schema(example = "https://cloud.example/welcome#…")]
    link: String,
}

/// Invitations that nobody accepted yet, the newest first
#[utoipa::path(get, path = "/invitations", tag = TAG, responses((status = 200, description = "Invitations", body = Invitations)))]
async fn list_invitations(Admin(caller): Admin) -> Result<Json<Invitations>, Problem> {
    let found = blocking(move || Ok(caller.web.auth.invitations()?)).await?;
    Ok(Json(Invitations { items: found.into_iter().map(Invitation::from).collect() }))
}

/// Make a link by which somebody makes an account of their own; asks for a fresh proof of who is there
#[utoipa::path(post, path = "/invitations", tag = TAG, request_body = NewInvitation, responses((status = 201, description = "The link", body = MadeLink)))]
async fn make_invitation(Proven(Admin(caller)): Proven<Admin>, Json(new): Json<NewInvitation>) -> Result<Response, Problem> {
    let link = blocking(move || {
        let by = (*caller.session.person).to_owned();
        let invitation = holm_auth::Invitation { quota: Quota::bytes(new.quota), note: new.note, by };
        let token = caller.web.auth.invite(&invitation, new.days)?;
        Ok(caller.web.auth.welcome(&token))
    });
    Ok((StatusCode::CREATED, Json(MadeLink { link: link.await? })).into_response())
}

/// Take back an invitation
#[utoipa::path(delete, path = "/invitations/{id}", tag = TAG, params(("id" = String, Path)), responses((status = 204, description = "It opens nothing any more")))]
async fn take_back_invitation(Admin(caller): Admin, Named(id): Named) -> Result<StatusCode, Problem> {
    let there = blocking(move || Ok(caller.web.auth.take_back(&id)?)).await?;
    if there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("no such invitation waits; GET /api/v1/invitations lists those that do")) }
}

/// What to offer somebody who lost their password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReset {
    /// Passkeys, authenticator app and recovery codes are lost too, and go with the password.
    #[serde(default)]
    remove_second_factors: bool,
}

/// Make a link by which somebody who lost their password chooses a new one, within 15 minutes; they find it in their ledger.
/// Asks for a fresh proof of who is there
#[utoipa::path(post, path = "/persons/{name}/reset", tag = TAG, params(("name" = String, Path)), request_body = NewReset, responses(
    (status = 201, description = "The link", body = MadeLink)
))]
async fn offer_reset(Proven(Admin(caller)): Proven<Admin>, Named(name): Named, Json(new): Json<NewReset>) -> Result<Response, Problem> {
    let link = blocking(move || {
        let person = caller.web.gate.host().person(&name)?;
        // Not as this person: what is done is all that it can do to them, and it is in their ledger by whom.
        let by = Party { label: format!("admin {}", caller.session.person), ..Party::operator(person.id) };
        let access = caller.web.gate.admit(by.into(), Via { protocol: "api", address: Some(caller.address) })?;
        let token = caller.web.auth.offer_reset(&access, new.remove_second_factors)?;
        tracing::warn!(name, by = &*caller.session.person, "a link to choose a new password was made");
        Ok(caller.web.auth.welcome(&token))
    });
    Ok((StatusCode::CREATED, Json(MadeLink { link: link.await? })).into_response())
}
