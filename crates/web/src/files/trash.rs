//! What was deleted, as long as it stays.

use holm_core::{Change, Timestamp};
use holm_formats::media;
use http::StatusCode;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Kind;
use crate::Web;
use crate::caller::{Caller, Proven};
use crate::fields::{Id, Limit, Time};
use crate::problem::Problem;
use crate::request::{Json, Numbered, Query};

const TAG: &str = "trash";
/// Things taken out of the trash for good at a time.
const SLICE: usize = 500;

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list_trash, empty_trash)).routes(routes!(purge))
}

/// Something that was deleted.
#[derive(Serialize, ToSchema)]
struct Trashed {
    /// What restoring it takes.
    id: Id,
    /// Where it was.
    path: String,
    kind: Kind,
    /// Of a file, in bytes.
    #[schema(minimum = 0)]
    size: u64,
    /// A file's media type.
    r#type: Option<String>,
    deleted: Time,
    /// Who deleted it.
    by: String,
}

impl From<holm_core::Trashed> for Trashed {
    fn from(t: holm_core::Trashed) -> Trashed {
        let (kind, told) = (t.kind.into(), t.media_type.filter(|told| told != "application/octet-stream"));
        let r#type = (kind == Kind::File).then(|| told.unwrap_or_else(|| media::by_name(&t.place).to_owned()));
        Trashed { id: Id(t.entry), path: t.place, kind, size: t.size, r#type, deleted: Time(t.at), by: t.party }
    }
}

/// A part of the trash.
#[derive(Serialize, ToSchema)]
struct Trash {
    items: Vec<Trashed>,
    /// What to give as `after` for more; null at the end.
    next: Option<String>,
}

/// Where a page ended.
struct Cursor(Timestamp, i64);

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Cursor, D::Error> {
        let text = String::deserialize(from)?;
        let parts = text.split_once('.').and_then(|(at, id)| Some(Cursor(Timestamp(at.parse().ok()?), id.parse().ok()?)));
        parts.ok_or_else(|| D::Error::custom("`after` takes what `next` said"))
    }
}

/// Which part.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The `next` of the page before.
    #[param(value_type = Option<String>, pattern = r"^-?[0-9]{1,18}\.[0-9]{1,18}$")]
    after: Option<Cursor>,
    /// How many at most.
    #[param(inline)]
    limit: Option<Limit>,
}

/// What was deleted, the newest first
#[utoipa::path(get, path = "/trash", tag = TAG, params(Asked), responses((status = 200, description = "The trash", body = Trash)))]
async fn list_trash(caller: Caller, Query(asked): Query<Asked>) -> Result<Json<Trash>, Problem> {
    let limit = Limit::of(asked.limit);
    let found = caller.with(move |access| access.trash_after(asked.after.map(|c| (c.0, c.1)), limit)).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|t| format!("{}.{}", t.at.0, t.entry));
    Ok(Json(Trash { items: found.into_iter().map(Trashed::from).collect(), next }))
}

/// Empty the trash, for good; asks for a fresh proof of who is there
#[utoipa::path(delete, path = "/trash", tag = TAG, responses((status = 204, description = "It is empty")))]
async fn empty_trash(Proven(caller): Proven<Caller>) -> Result<StatusCode, Problem> {
    let access = caller.access().await?;
    loop {
        let looking = access.clone();
        let left = crate::caller::blocking(move || Ok(looking.trash_after(None, SLICE)?)).await?;
        if left.is_empty() {
            return Ok(StatusCode::NO_CONTENT);
        }
        let done = access.commit_all(left.iter().map(|t| Change::Purge { entry: t.entry }).collect()).await;
        if done.iter().all(Result::is_err) {
            done.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
    }
}

/// Take one thing out of the trash for good; asks for a fresh proof of who is there
#[utoipa::path(delete, path = "/trash/{id}", tag = TAG, params(("id" = inline(Id), Path)), responses(
    (status = 204, description = "It is gone"), (status = 422, description = "It is not in the trash")
))]
async fn purge(Proven(caller): Proven<Caller>, Numbered(id): Numbered) -> Result<StatusCode, Problem> {
    caller.access().await?.commit(Change::Purge { entry: id }, Default::default()).await?;
    Ok(StatusCode::NO_CONTENT)
}
