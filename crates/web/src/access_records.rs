//! The access log: who read or changed what, through what, from where.

use holm_core::{PartyId, Path, RecordFilter, Timestamp};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Web;
use crate::caller::Caller;
use crate::fields::{Id, Limit, Time};
use crate::problem::Problem;
use crate::request::{Json, Query};

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list_access_records))
}

/// What was done.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Saw what is there: a listing, properties, what changed.
    Look,
    /// Read content.
    Read,
    Change,
}

/// What a party did with a file or folder. What is the same within an hour is one record.
#[derive(Serialize, ToSchema)]
pub struct AccessRecord {
    /// 1 is the person themself; null whoever read what is public.
    party: Option<Id>,
    /// The app password or session that was used; null at this machine's command line.
    credential: Option<Id>,
    act: Act,
    /// It was not allowed, and not done.
    refused: bool,
    /// The file or folder, by a number that outlives renames; null where nothing was there.
    entry: Option<Id>,
    /// Where it was then.
    path: String,
    /// Through what: webdav, api, command line.
    via: String,
    /// From where; null at this machine's command line.
    address: Option<String>,
    first: Time,
    last: Time,
    /// How often.
    #[schema(minimum = 1)]
    times: i64,
}

impl From<holm_core::AccessRecord> for AccessRecord {
    fn from(r: holm_core::AccessRecord) -> AccessRecord {
        let number = |n: i64| Some(Id(n)).filter(|id| id.0 > 0);
        AccessRecord {
            party: number(r.party.0),
            credential: number(r.credential),
            act: match r.act {
                holm_core::Act::Look => Act::Look,
                holm_core::Act::Read => Act::Read,
                holm_core::Act::Change => Act::Change,
            },
            refused: r.refused,
            entry: number(r.entry),
            path: r.path,
            via: r.via,
            address: Some(r.address).filter(|a| !a.is_empty()),
            first: Time(r.first),
            last: Time(r.last),
            times: r.times,
        }
    }
}

/// A part of the access log.
#[derive(Serialize, ToSchema)]
pub struct AccessRecords {
    items: Vec<AccessRecord>,
    /// What to give as `after` for more; null at the end.
    next: Option<String>,
}

/// Where a page ended.
#[derive(Clone, Copy)]
struct Cursor(Timestamp, i64);

impl Cursor {
    fn parse(text: &str) -> Option<Cursor> {
        let (last, id) = text.split_once('.')?;
        Some(Cursor(Timestamp(last.parse().ok()?), id.parse().ok()?))
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Cursor, D::Error> {
        Cursor::parse(&String::deserialize(from)?).ok_or_else(|| D::Error::custom("`after` takes what `next` said"))
    }
}

/// Which records.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only what was done with what is at this path now, wherever it was then; give this or `entry`.
    #[param(max_length = 4096, pattern = "^/", example = "/photos/a.jpg")]
    path: Option<String>,
    /// Only what was done with the file or folder of this number.
    #[param(inline)]
    entry: Option<Id>,
    /// Only what this party did.
    #[param(inline)]
    party: Option<Id>,
    /// Not what ended before.
    since: Option<Time>,
    /// Not what began at this time or later.
    until: Option<Time>,
    /// The `next` of the page before.
    #[param(value_type = Option<String>, pattern = r"^-?[0-9]{1,18}\.[0-9]{1,18}$")]
    after: Option<Cursor>,
    /// How many at most.
    #[param(inline)]
    limit: Option<Limit>,
}

/// Who read or changed what, through what, from where: the newest first
#[utoipa::path(get, path = "/access-records", tag = "access-records", params(Filter), responses(
    (status = 200, description = "Records", body = AccessRecords),
    (status = 404, description = "Nothing is at that path"),
    (status = 422, description = "That is no path")
))]
async fn list_access_records(caller: Caller, Query(asked): Query<Filter>) -> Result<Json<AccessRecords>, Problem> {
    let limit = Limit::of(asked.limit);
    let found = caller.with(move |access| {
        let entry = match (asked.path, asked.entry) {
            (Some(_), Some(_)) => return Err(holm_core::Error::Invalid("give `path` or `entry`, not both".into())),
            (Some(path), None) if !path.starts_with('/') => return Err(holm_core::Error::Invalid("a path begins with /".into())),
            (Some(path), None) => Some(access.stat(&Path::parse(&path)?)?.id),
            (None, entry) => entry.map(|id| id.0),
        };
        let filter = RecordFilter {
            entry,
            party: asked.party.map(|p| PartyId(p.0)),
            since: asked.since.map_or(Timestamp(i64::MIN), |t| t.0),
            until: asked.until.map(|t| t.0),
            before: asked.after.map(|Cursor(last, id)| (last, id)),
        };
        access.records(&filter, limit)
    });
    let found = found.await?;
    let next = found.last().filter(|_| found.len() == limit).map(|r| format!("{}.{}", r.last.0, r.id));
    Ok(Json(AccessRecords { items: found.into_iter().map(AccessRecord::from).collect(), next }))
}
