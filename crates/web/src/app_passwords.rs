//! Passwords for apps and devices, each with a grant of its own.

use axum::response::{IntoResponse, Response};
use holm_auth::Secret;
use holm_core::{Abilities, CredentialKind, Page, PartyKind, Scope};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Web;
use crate::caller::{Caller, Proven};
use crate::fields::{Id, List, Paging, Time};
use crate::grants::Ability;
use crate::problem::Problem;
use crate::request::{Json, Numbered, Query};

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list_app_passwords, add_app_password)).routes(routes!(revoke_app_password))
}

/// A password that one app or device uses; its secret was shown when it was made.
#[derive(Serialize, ToSchema)]
pub struct AppPassword {
    id: Id,
    /// The device that it proves; its grants say what it may do.
    party: Id,
    name: String,
    created: Time,
    /// When it was last used, to about a minute; null: never.
    used: Option<Time>,
    revoked: Option<Time>,
}

impl From<holm_core::Credential> for AppPassword {
    fn from(c: holm_core::Credential) -> AppPassword {
        let (id, party) = (Id(c.id), Id(c.party.0));
        AppPassword { id, party, name: c.name, created: Time(c.created), used: Time::of(c.used), revoked: Time::of(c.revoked) }
    }
}

/// What an app or device is to have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAppPassword {
    /// What to call it.
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$", example = "phone")]
    name: String,
    /// A path that begins with `/`: everything at and below it. Or a kind of data: calendars, contacts, mail, life, apps.
    #[serde(default = "everything")]
    #[schema(max_length = 8192, pattern = "^(/.*|calendars|contacts|mail|life|apps)$", default = "/")]
    scope: String,
    /// Null: all but `share`.
    #[schema(min_items = 1, max_items = 5)]
    abilities: Option<Vec<Ability>>,
}

fn everything() -> String {
    "/".into()
}

/// A password that was just made.
#[derive(Serialize, ToSchema)]
pub struct MadeAppPassword {
    id: Id,
    name: String,
    /// Shown this once: what the device signs in with, beside the person's name.
    #[schema(example = "abcd-efgh-jkmn-pqrs-tuvw-xyz2-3456")]
    secret: String,
}

/// All app passwords, in the order in which they were made
#[utoipa::path(get, path = "/app-passwords", tag = "app-passwords", params(Paging), responses(
    (status = 200, description = "App passwords, those that were revoked too", body = List<AppPassword>)
))]
async fn list_app_passwords(caller: Caller, Query(paging): Query<Paging>) -> Result<Json<List<AppPassword>>, Problem> {
    let page: Page = paging.into();
    let (web, person) = (caller.web.clone(), caller.session.party.person);
    let found = caller.with(move |_| web.gate.host().credentials(person, CredentialKind::AppPassword, page)).await?;
    Ok(Json(List::new(found.into_iter().map(AppPassword::from).collect(), page, |c| c.id)))
}

/// Make a password for one app or device; asks for a fresh proof of who is there
#[utoipa::path(post, path = "/app-passwords", tag = "app-passwords", request_body = NewAppPassword, responses(
    (status = 201, description = "Made; the secret is shown this once", body = MadeAppPassword)
))]
async fn add_app_password(Proven(caller): Proven<Caller>, Json(new): Json<NewAppPassword>) -> Result<Response, Problem> {
    let secret = Secret::random(caller.web.gate.env());
    let made = caller.with(move |access| {
        let abilities = new.abilities.as_deref().map_or(Ok(Abilities::CHANGE), Ability::set)?;
        let id = access.connect(PartyKind::Device, &new.name, Scope::parse(&new.scope)?, abilities, &Secret::hash(secret.reveal()))?;
        Ok(MadeAppPassword { id: Id(id), name: new.name, secret: secret.reveal().to_owned() })
    });
    Ok((StatusCode::CREATED, Json(made.await?)).into_response())
}

/// End an app password, within a second
#[utoipa::path(delete, path = "/app-passwords/{id}", tag = "app-passwords", params(("id" = inline(Id), Path)), responses(
    (status = 204, description = "It works no more")
))]
async fn revoke_app_password(caller: Caller, Numbered(id): Numbered) -> Result<StatusCode, Problem> {
    let there = caller.with(move |access| access.disconnect(CredentialKind::AppPassword, id)).await?;
    if there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("no app password with that number is left to revoke")) }
}
