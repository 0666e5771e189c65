//! The recovery kit: 24 words that bring the root key back from any backup. For admins, who keep the sheet.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Web;
use crate::caller::{Admin, Proven, blocking};
use crate::problem::{Kind, Problem};
use crate::request::Json;

/// A kit that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = RecoveryKit)]
pub struct Sheet {
    /// 24 of them. Shown this once.
    pub words: Vec<String>,
    /// A page to print: HTML that needs nothing else.
    pub page: String,
}

/// Makes kits and sees that they are kept. It has the root key, and so stands above this crate; what goes wrong it says in
/// words for people.
pub trait Kits: Send + Sync {
    /// A new kit, in force from now on.
    fn make(&self) -> Result<Sheet, String>;
    /// Sees that these are the words of the present kit, and open what backups hold.
    fn prove(&self, words: &str) -> Result<(), String>;
}

const TAG: &str = "kit";

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(make_kit)).routes(routes!(prove_kit))
}

/// Make a recovery kit, in place of the one before; backups made from then on open with it alone. Asks for a fresh proof of who is
/// there
#[utoipa::path(post, path = "/kit", tag = TAG, responses((status = 201, description = "The kit; shown this once", body = Sheet)))]
async fn make_kit(Proven(Admin(caller)): Proven<Admin>) -> Result<Response, Problem> {
    let made = blocking(move || {
        let sheet = caller.web.kits.make().map_err(|e| Problem::new(Kind::Internal, e))?;
        tracing::warn!(by = &*caller.session.person, "a new recovery kit was made");
        Ok(sheet)
    });
    Ok((StatusCode::CREATED, Json(made.await?)).into_response())
}

/// The words of a kit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// As they were typed: numbers and signs between them do not matter.
    #[schema(max_length = 2000)]
    words: String,
}

/// Type the words of the kit, and see that they open what backups hold
#[utoipa::path(post, path = "/kit/proof", tag = TAG, request_body = Words, responses(
    (status = 204, description = "With them and a backup everything can be restored"), (status = 422, description = "Mistyped, or of another kit")
))]
async fn prove_kit(Admin(caller): Admin, Json(given): Json<Words>) -> Result<StatusCode, Problem> {
    blocking(move || caller.web.kits.prove(&given.words).map_err(|e| Problem::new(Kind::NotPossible, e))).await?;
    Ok(StatusCode::NO_CONTENT)
}
