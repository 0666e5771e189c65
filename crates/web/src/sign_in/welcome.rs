//! Coming in by a link: the first owner's, an invitation, or one to choose a new password.

use axum::extract::State;
use axum::response::Response;
use holm_auth::{First, Link};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::cookies::{Browser, Signed, signed};
use super::passkeys::Registration;
use super::session::{Question, begun};
use crate::Web;
use crate::caller::blocking;
use crate::fields::Quota;
use crate::problem::{Kind, Problem};
use crate::request::Json;

const TAG: &str = "welcome";

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(look_at_link)).routes(routes!(ask_to_welcome_passkey)).routes(routes!(accept_link)).routes(routes!(reset_password))
}

/// What a link holds after its `#`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkToken {
    #[schema(max_length = 64)]
    token: String,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// For the first person of this holm, who keeps it.
    Owner,
    /// For one more person.
    Invitation,
    /// For somebody who lives here, to choose a new password.
    Reset,
}

/// What a link is for.
#[derive(Serialize, ToSchema)]
pub struct LinkInfo {
    kind: LinkKind,
    /// Who chooses a new password.
    person: Option<String>,
    /// Who invites.
    by: Option<String>,
    /// The most bytes the new person may keep; null: no limit.
    quota: Option<Quota>,
    /// Passkeys, authenticator app and recovery codes go with the old password.
    removes_second_factors: bool,
}

fn used_up() -> Problem {
    Problem::new(Kind::Forbidden, "this link was used, has expired or was taken back; ask for a new one")
}

/// What a link is for
#[utoipa::path(post, path = "/welcome/link", tag = TAG, security(()), request_body = LinkToken, responses(
    (status = 200, description = "It works", body = LinkInfo), (status = 403, description = "It was used, or its time is over"),
    (status = 429, description = "Too many wrong tries")
))]
async fn look_at_link(State(web): State<Web>, browser: Browser, Json(held): Json<LinkToken>) -> Result<Json<LinkInfo>, Problem> {
    let link = blocking(move || Ok(web.auth.link(&held.token, browser.client())?)).await?.map_err(Problem::throttled)?;
    let info = |kind| LinkInfo { kind, person: None, by: None, quota: None, removes_second_factors: false };
    Ok(Json(match link.ok_or_else(used_up)? {
        Link::Owner => info(LinkKind::Owner),
        Link::Invitation(i) => LinkInfo { by: Some(i.by), quota: Quota::of(i.quota), ..info(LinkKind::Invitation) },
        Link::Reset { person, remove_factors } => LinkInfo { person: Some(person), removes_second_factors: remove_factors, ..info(LinkKind::Reset) },
    }))
}

/// Who wants to be called what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedLink {
    #[schema(max_length = 64)]
    token: String,
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9][a-z0-9._-]{0,63}$", example = "bob")]
    name: String,
}

/// Ask for a challenge to make the passkey of a person who comes in by a link
#[utoipa::path(post, path = "/welcome/passkey-challenge", tag = TAG, security(()), request_body = NamedLink, responses(
    (status = 200, description = "For navigator.credentials.create", body = Question), (status = 403, description = "The link was used, or its time is over"),
    (status = 409, description = "Somebody is called so"), (status = 429, description = "Too many wrong tries")
))]
async fn ask_to_welcome_passkey(State(web): State<Web>, browser: Browser, Json(who): Json<NamedLink>) -> Result<Json<Question>, Problem> {
    let asked = blocking(move || Ok(web.auth.welcome_passkey(&who.token, &who.name, browser.client())?)).await?;
    asked.map(|challenge| Json(challenge.into())).map_err(Problem::throttled)
}

/// A person who comes in by a link: with a password or a passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Newcomer {
    #[schema(max_length = 64)]
    token: String,
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9][a-z0-9._-]{0,63}$", example = "bob")]
    name: String,
    #[schema(min_length = 8, max_length = 1024, format = Password)]
    password: Option<String>,
    passkey: Option<Registration>,
}

/// Come in by a link, with a name and either a password or a passkey; signs in
#[utoipa::path(post, path = "/welcome", tag = TAG, security(()), request_body = Newcomer, responses(
    (status = 200, description = "They live here and are signed in; the cookie is set", body = Signed),
    (status = 403, description = "The link was used, or its time is over"), (status = 409, description = "Somebody is called so"),
    (status = 429, description = "Too many wrong tries")
))]
async fn accept_link(State(web): State<Web>, browser: Browser, Json(new): Json<Newcomer>) -> Result<Response, Problem> {
    let outcome = blocking(move || {
        let first = match (&new.password, &new.passkey) {
            (Some(password), None) => First::Password(password),
            (None, Some(p)) => First::Passkey { ticket: &p.ticket, name: &p.name, credential: &p.credential },
            _ => return Err(Problem::new(Kind::NotPossible, "give a password or a passkey, and not both; the other can be added afterwards")),
        };
        let outcome = web.auth.accept(&new.token, &new.name, first, browser.client())?;
        begun(&web, &browser, &outcome, &new.name)?;
        Ok(outcome)
    });
    signed(outcome.await?, "this link opens nothing")
}

/// A link and the password to have from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    #[schema(max_length = 64)]
    token: String,
    #[schema(min_length = 8, max_length = 1024, format = Password)]
    password: String,
}

/// Choose a new password by a link; signs out all browsers. What else the person signs in with is asked for afterwards as before
#[utoipa::path(post, path = "/welcome/reset", tag = TAG, security(()), request_body = PasswordReset, responses(
    (status = 204, description = "It is chosen: sign in with it"), (status = 403, description = "The link was used, or its time is over"),
    (status = 429, description = "Too many wrong tries")
))]
async fn reset_password(State(web): State<Web>, browser: Browser, Json(given): Json<PasswordReset>) -> Result<StatusCode, Problem> {
    let done = blocking(move || Ok(web.auth.reset(&given.token, &given.password, browser.client())?)).await?;
    done.map(|()| StatusCode::NO_CONTENT).map_err(Problem::throttled)
}
