//! Who a person has to do with.

use axum::response::Response;
use holm_core::{KnownParty, PartyId, PartyKind};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Web;
use crate::caller::Caller;
use crate::fields::{Id, List, Paging, Time};
use crate::grants::{self, Grant};
use crate::problem::Problem;
use crate::request::{Json, Numbered, Query, created};

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list_parties, add_party)).routes(routes!(get_party, end_party)).routes(routes!(list_grants_of_party))
}

/// Whoever has to do with a person: a device of theirs, an app, another person, an organisation.
#[derive(Serialize, ToSchema)]
pub struct Party {
    id: Id,
    kind: Kind,
    name: String,
    /// Of an app, what it proves to be: the site that gets its answers, or its own identifier; null for all others.
    app: Option<String>,
    since: Time,
    /// When everything with it ended; null while it has not.
    ended: Option<Time>,
}

/// What kind of party it is.
#[derive(Serialize, ToSchema)]
#[schema(as = PartyKind)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Owner,
    Device,
    App,
    Person,
    Organisation,
    Link,
    Everyone,
}

impl From<PartyKind> for Kind {
    fn from(kind: PartyKind) -> Kind {
        match kind {
            PartyKind::Owner => Kind::Owner,
            PartyKind::Device => Kind::Device,
            PartyKind::App => Kind::App,
            PartyKind::Person => Kind::Person,
            PartyKind::Organisation => Kind::Organisation,
            PartyKind::Link => Kind::Link,
            PartyKind::Everyone => Kind::Everyone,
        }
    }
}

impl From<KnownParty> for Party {
    fn from(p: KnownParty) -> Party {
        let app = Some(p.subject).filter(|s| p.kind == PartyKind::App && !s.is_empty());
        Party { id: Id(p.id.0), kind: p.kind.into(), name: p.name, app, since: Time(p.since), ended: Time::of(p.ended) }
    }
}

/// Who is to be known. Devices become known with their app password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewParty {
    #[serde(rename = "kind")]
    _kind: NewKind,
    /// What the other person is called in this holm. Whether somebody is called so, the answer does not tell.
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9][a-z0-9._-]{0,63}$", example = "bob")]
    name: String,
}

/// What kind of party can be made known by its name.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewPartyKind)]
#[serde(rename_all = "kebab-case")]
enum NewKind {
    Person,
}

pub fn unknown() -> Problem {
    Problem::not_found("no party has that number; GET /api/v1/parties lists them")
}

/// All parties, in the order in which they became known
#[utoipa::path(get, path = "/parties", tag = "parties", params(Paging), responses((status = 200, description = "Parties", body = List<Party>)))]
async fn list_parties(caller: Caller, Query(paging): Query<Paging>) -> Result<Json<List<Party>>, Problem> {
    let page = paging.into();
    let parties = caller.with(move |access| access.parties(page)).await?;
    Ok(Json(List::new(parties.into_iter().map(Party::from).collect(), page, |p| p.id)))
}

/// Make another person known, to grant them something
#[utoipa::path(post, path = "/parties", tag = "parties", request_body = NewParty, responses(
    (status = 201, description = "Known from now on", body = Party, headers(("Location" = String, description = "Where it is"))),
    (status = 409, description = "Known already")
))]
async fn add_party(caller: Caller, Json(new): Json<NewParty>) -> Result<Response, Problem> {
    let party = caller.with(move |access| {
        let id = access.meet_person(&new.name)?;
        access.known_party(id)
    });
    let party = Party::from(party.await?.ok_or_else(unknown)?);
    Ok(created(format!("parties/{}", party.id.0), party))
}

/// One party
#[utoipa::path(get, path = "/parties/{id}", tag = "parties", params(("id" = inline(Id), Path)), responses(
    (status = 200, description = "The party; also one with which everything ended", body = Party)
))]
async fn get_party(caller: Caller, Numbered(id): Numbered) -> Result<Json<Party>, Problem> {
    let party = caller.with(move |access| access.known_party(PartyId(id))).await?;
    Ok(Json(party.ok_or_else(unknown)?.into()))
}

/// End everything with a party: its grants and its credentials, within a second
#[utoipa::path(delete, path = "/parties/{id}", tag = "parties", params(("id" = inline(Id), Path)), responses((status = 204, description = "Ended")))]
async fn end_party(caller: Caller, Numbered(id): Numbered) -> Result<StatusCode, Problem> {
    let there = caller.with(move |access| access.part(PartyId(id))).await?;
    if there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("no party with that number is left to end")) }
}

/// What one party may do, and might do once
#[utoipa::path(get, path = "/parties/{id}/grants", tag = "parties", params(("id" = inline(Id), Path), Paging), responses(
    (status = 200, description = "Its grants", body = List<Grant>)
))]
async fn list_grants_of_party(caller: Caller, Numbered(id): Numbered, Query(paging): Query<Paging>) -> Result<Json<List<Grant>>, Problem> {
    grants::of_party(caller, PartyId(id), paging.into()).await
}
