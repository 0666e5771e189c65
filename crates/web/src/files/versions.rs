//! Earlier contents of a file.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Place, TAG, path};
use crate::Web;
use crate::caller::Caller;
use crate::fields::{Id, Time};
use crate::problem::Problem;
use crate::request::{Json, Query};

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list_versions))
}

/// An earlier content of a file.
#[derive(Serialize, ToSchema)]
struct Version {
    id: Id,
    /// In bytes.
    #[schema(minimum = 0)]
    size: u64,
    /// When it was written, as its writer says.
    modified: Time,
    /// When another content took its place.
    ended: Time,
}

/// The versions of a file.
#[derive(Serialize, ToSchema)]
struct Versions {
    items: Vec<Version>,
}

/// Earlier contents of a file, the newest first
#[utoipa::path(get, path = "/files/versions", tag = TAG, params(Place), responses(
    (status = 200, description = "Those that are kept", body = Versions),
    (status = 404, description = "Nothing is there"),
    (status = 422, description = "That is no path")
))]
async fn list_versions(caller: Caller, Query(asked): Query<Place>) -> Result<Json<Versions>, Problem> {
    let found = caller.with(move |access| access.versions(&path(&asked.path)?)).await?;
    let items = found.into_iter().map(|v| Version { id: Id(v.seq.0), size: v.size, modified: Time(v.modified), ended: Time(v.ended) });
    Ok(Json(Versions { items: items.collect() }))
}
