//! What parties may do.

use axum::response::Response;
use holm_core::{Abilities, Env, Page, PartyId, Scope};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Web;
use crate::caller::{Caller, Proven};
use crate::fields::{Id, Limit, List, Paging, Time};
use crate::parties;
use crate::problem::Problem;
use crate::request::{Json, Numbered, Query, created};

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list_grants, add_grant)).routes(routes!(get_grant, revoke_grant))
}

/// What may be done.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ability {
    /// See that something is there, and read it.
    Read,
    /// Put something where nothing is.
    Append,
    /// Change what is there; brings `append`.
    Write,
    /// Take away what is there.
    Delete,
    /// Grant others a part of this.
    Share,
}

const ABILITIES: [(Ability, holm_core::Ability); 5] = [
    (Ability::Read, holm_core::Ability::Read),
    (Ability::Append, holm_core::Ability::Append),
    (Ability::Write, holm_core::Ability::Write),
    (Ability::Delete, holm_core::Ability::Delete),
    (Ability::Share, holm_core::Ability::Share),
];

impl Ability {
    pub fn told(held: Abilities) -> Vec<Ability> {
        ABILITIES.iter().filter(|a| held.contains(a.1)).map(|a| a.0).collect()
    }

    /// The set they come to.
    ///
    /// # Errors
    /// More than there are.
    pub fn set(told: &[Ability]) -> holm_core::Result<Abilities> {
        if told.len() > ABILITIES.len() {
            return Err(holm_core::Error::Invalid("there are five abilities; name each once".into()));
        }
        let set = ABILITIES.iter().filter(|a| told.contains(&a.0)).fold(Abilities::default(), |set, a| set.with(a.1));
        Ok(if set.contains(holm_core::Ability::Write) { set.with(holm_core::Ability::Append) } else { set })
    }
}

/// Conditions that a party agreed to.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Where they can be read.
    #[schema(max_length = 1024, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$", example = "https://example.org/terms")]
    pub url: String,
    /// The SHA-256 of their text, in hex.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
}

/// How a grant stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It begins later.
    Ahead,
    Active,
    Expired,
    Revoked,
}

impl From<holm_core::Standing> for Standing {
    fn from(standing: holm_core::Standing) -> Standing {
        match standing {
            holm_core::Standing::Ahead => Standing::Ahead,
            holm_core::Standing::Active => Standing::Active,
            holm_core::Standing::Expired => Standing::Expired,
            holm_core::Standing::Revoked => Standing::Revoked,
        }
    }
}

/// What a party may do, where, what for and how long.
#[derive(Serialize, ToSchema)]
pub struct Grant {
    pub id: Id,
    party: Id,
    /// The grant that its giver had it from; null where the person gave it.
    parent: Option<Id>,
    /// A path that begins with `/`, or a kind of data.
    scope: String,
    abilities: Vec<Ability>,
    purpose: String,
    terms: Option<Terms>,
    /// When it begins; null: it began when it was made.
    from: Option<Time>,
    /// When it ends; null: not by itself.
    until: Option<Time>,
    made: Time,
    revoked: Option<Time>,
    standing: Standing,
}

impl Grant {
    fn new(grant: holm_core::Grant, env: &Env) -> Grant {
        let standing = grant.standing(env.now()).into();
        let what = grant.what;
        Grant {
            id: Id(grant.id),
            party: Id(what.party.0),
            parent: grant.parent.map(Id),
            scope: what.scope.to_string(),
            abilities: Ability::told(what.abilities),
            purpose: what.purpose,
            terms: what.terms.map(|t| Terms { url: t.url, sha256: t.sha256 }),
            from: Time::of(what.from),
            until: Time::of(what.until),
            made: Time(grant.made),
            revoked: Time::of(grant.revoked),
            standing,
        }
    }
}

/// What is to be granted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    party: Id,
    /// A path that begins with `/`: everything at and below it. Or a kind of data: calendars, contacts, mail, life, apps.
    #[schema(max_length = 8192, pattern = "^(/.*|calendars|contacts|mail|life|apps)$", example = "/photos/2026")]
    scope: String,
    #[schema(min_items = 1, max_items = 5)]
    abilities: Vec<Ability>,
    /// What for, in words that both understand.
    #[serde(default)]
    #[schema(max_length = 1024, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    purpose: String,
    terms: Option<Terms>,
    /// When it begins; null: now.
    from: Option<Time>,
    /// When it ends; null: not by itself.
    until: Option<Time>,
}

impl NewGrant {
    fn read(self) -> holm_core::Result<holm_core::NewGrant> {
        let mut what = holm_core::NewGrant::new(PartyId(self.party.0), Scope::parse(&self.scope)?, Ability::set(&self.abilities)?);
        what.purpose = self.purpose;
        what.terms = self.terms.map(|t| holm_core::Terms { url: t.url, sha256: t.sha256 });
        (what.from, what.until) = (self.from.map(|t| t.0), self.until.map(|t| t.0));
        Ok(what)
    }
}

/// Which grants.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only this party's.
    #[param(inline)]
    party: Option<Id>,
    /// Only what comes after this number: the `next` of the page before.
    #[param(inline)]
    after: Option<Id>,
    /// How many at most.
    #[param(inline)]
    limit: Option<Limit>,
}

fn unknown() -> Problem {
    Problem::not_found("no grant has that number; GET /api/v1/grants lists them")
}

/// The grants of a party that there is.
pub async fn of_party(caller: Caller, party: PartyId, page: Page) -> Result<Json<List<Grant>>, Problem> {
    let env = caller.web.gate.env().clone();
    let found = caller.with(move |access| access.known_party(party)?.map(|_| access.grants(Some(party), page)).transpose());
    Ok(told(found.await?.ok_or_else(parties::unknown)?, page, &env))
}

fn told(grants: Vec<holm_core::Grant>, page: Page, env: &Env) -> Json<List<Grant>> {
    Json(List::new(grants.into_iter().map(|g| Grant::new(g, env)).collect(), page, |g| g.id))
}

/// All grants, in the order in which they were made
#[utoipa::path(get, path = "/grants", tag = "grants", params(Filter), responses((status = 200, description = "Grants", body = List<Grant>)))]
async fn list_grants(caller: Caller, Query(filter): Query<Filter>) -> Result<Json<List<Grant>>, Problem> {
    let (env, page) = (caller.web.gate.env().clone(), Paging::new(filter.after, filter.limit).into());
    let grants = caller.with(move |access| access.grants(filter.party.map(|p| PartyId(p.0)), page)).await?;
    Ok(told(grants, page, &env))
}

/// Grant something to a party; asks for a fresh proof of who is there
#[utoipa::path(post, path = "/grants", tag = "grants", request_body = NewGrant, responses(
    (status = 201, description = "Granted", body = Grant, headers(("Location" = String, description = "Where it is")))
))]
async fn add_grant(Proven(caller): Proven<Caller>, Json(new): Json<NewGrant>) -> Result<Response, Problem> {
    let env = caller.web.gate.env().clone();
    let grant = caller.with(move |access| {
        let id = access.grant(&new.read()?)?;
        access.known_grant(id)
    });
    let grant = Grant::new(grant.await?.ok_or_else(unknown)?, &env);
    Ok(created(format!("grants/{}", grant.id.0), grant))
}

/// One grant
#[utoipa::path(get, path = "/grants/{id}", tag = "grants", params(("id" = inline(Id), Path)), responses(
    (status = 200, description = "The grant; also one that was revoked", body = Grant)
))]
async fn get_grant(caller: Caller, Numbered(id): Numbered) -> Result<Json<Grant>, Problem> {
    let env = caller.web.gate.env().clone();
    let grant = caller.with(move |access| access.known_grant(id)).await?;
    Ok(Json(Grant::new(grant.ok_or_else(unknown)?, &env)))
}

/// Take a grant back, with all that hangs on it, within a second
#[utoipa::path(delete, path = "/grants/{id}", tag = "grants", params(("id" = inline(Id), Path)), responses((status = 204, description = "Revoked")))]
async fn revoke_grant(caller: Caller, Numbered(id): Numbered) -> Result<StatusCode, Problem> {
    let there = caller.with(move |access| access.revoke(id)).await?;
    if there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("no grant with that number is left to revoke")) }
}
