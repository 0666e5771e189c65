//! The ledger: every grant that was ever made or taken back, for whoever wants to check it.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Web;
use crate::caller::Caller;
use crate::fields::{Id, List, Paging, Time};
use crate::problem::Problem;
use crate::request::{Json, Query};

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list_ledger))
}

/// An entry as it is kept.
#[derive(Serialize, ToSchema)]
pub struct LedgerEntry {
    number: Id,
    at: Time,
    /// What it says: JSON, to the byte as it was sealed.
    body: String,
    /// Over the hash before, the number, the time and the body, in hex.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
}

impl From<holm_core::LedgerEntry> for LedgerEntry {
    fn from(entry: holm_core::LedgerEntry) -> LedgerEntry {
        let hash = entry.hash.iter().map(|b| format!("{b:02x}")).collect();
        LedgerEntry { number: Id(entry.number), at: Time(entry.at), body: entry.body, hash }
    }
}

/// The ledger, the oldest entries first
#[utoipa::path(get, path = "/ledger", tag = "ledger", params(Paging), responses((status = 200, description = "Entries", body = List<LedgerEntry>)))]
async fn list_ledger(caller: Caller, Query(paging): Query<Paging>) -> Result<Json<List<LedgerEntry>>, Problem> {
    let page = paging.into();
    let entries = caller.with(move |access| access.ledger(page)).await?;
    Ok(Json(List::new(entries.into_iter().map(LedgerEntry::from).collect(), page, |e| e.number)))
}
