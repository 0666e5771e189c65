//! Who lives here: for those who keep this holm.

use axum::response::Response;
use holm_core::Gate;
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Web;
use crate::caller::{Admin, Proven, blocking};
use crate::fields::{Limit, Quota, Time};
use crate::problem::{Kind, Problem};
use crate::request::{Json, Named, Query, created};

/// Longest name of a person.
const MAX_NAME: usize = 64;

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list_persons, add_person)).routes(routes!(get_person, change_person, remove_person))
}

/// Somebody who lives here. What they keep, those who keep this holm do not see.
#[derive(Serialize, ToSchema)]
pub struct Person {
    name: String,
    /// Keeps this holm: may look after people.
    admin: bool,
    created: Time,
    /// Bytes kept.
    #[schema(minimum = 0)]
    used: u64,
    /// Null: no limit.
    quota: Option<Quota>,
}

impl Person {
    fn new(person: holm_core::Person, gate: &Gate) -> holm_core::Result<Person> {
        let usage = gate.usage(person.id)?;
        Ok(Person { name: person.name, admin: person.admin, created: Time(person.created), used: usage.used, quota: Quota::of(usage.quota) })
    }

    fn named(name: &str, gate: &Gate) -> Result<Person, Problem> {
        Ok(Person::new(gate.host().person(name)?, gate)?)
    }
}

/// A part of those who live here.
#[derive(Serialize, ToSchema)]
pub struct Persons {
    items: Vec<Person>,
    /// What to give as `after` for more; null at the end.
    next: Option<String>,
}

/// Who is to live here. They sign in once they were invited.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// What they sign in with; it stays.
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9][a-z0-9._-]{0,63}$", example = "bob")]
    name: String,
    /// Null: no limit.
    quota: Option<Quota>,
}

/// What is to change; what is not given stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonChange {
    /// Null: no limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Quota>)]
    quota: Option<Option<Quota>>,
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "present")]
    admin: Option<bool>,
}

/// Tells what is null from what is not given.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Quota>>, D::Error> {
    Option::<Quota>::deserialize(from).map(Some)
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    bool::deserialize(from).map(Some)
}

/// Which part of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Names {
    /// Only names after this one: the `next` of the page before.
    #[param(max_length = 64)]
    after: Option<String>,
    /// How many at most.
    #[param(inline)]
    limit: Option<Limit>,
}

/// Everybody who lives here, by name
#[utoipa::path(get, path = "/persons", tag = "persons", params(Names), responses((status = 200, description = "People", body = Persons)))]
async fn list_persons(Admin(caller): Admin, Query(names): Query<Names>) -> Result<Json<Persons>, Problem> {
    let (limit, after) = (Limit::of(names.limit), names.after.unwrap_or_default());
    if after.len() > MAX_NAME {
        return Err(Problem::new(Kind::Malformed, "`after` takes what `next` said"));
    }
    let people = blocking(move || {
        let gate = &caller.web.gate;
        let people = gate.host().people()?.into_iter().filter(|p| p.name > after).take(limit);
        Ok(people.map(|person| Person::new(person, gate)).collect::<holm_core::Result<Vec<_>>>()?)
    });
    let items = people.await?;
    let next = items.last().filter(|_| items.len() == limit).map(|p| p.name.clone());
    Ok(Json(Persons { items, next }))
}

/// Give somebody a tree; asks for a fresh proof of who is there
#[utoipa::path(post, path = "/persons", tag = "persons", request_body = NewPerson, responses(
    (status = 201, description = "They live here", body = Person, headers(("Location" = String, description = "Where they are"))),
    (status = 409, description = "Somebody is called so")
))]
async fn add_person(Proven(Admin(caller)): Proven<Admin>, Json(new): Json<NewPerson>) -> Result<Response, Problem> {
    let person = blocking(move || {
        let gate = &caller.web.gate;
        let person = gate.host().add_person(&new.name, None, Quota::bytes(new.quota))?;
        Ok(Person::new(person, gate)?)
    });
    let person = person.await?;
    Ok(created(format!("persons/{}", person.name), person))
}

/// One person
#[utoipa::path(get, path = "/persons/{name}", tag = "persons", params(("name" = String, Path)), responses(
    (status = 200, description = "The person", body = Person)
))]
async fn get_person(Admin(caller): Admin, Named(name): Named) -> Result<Json<Person>, Problem> {
    blocking(move || Person::named(&name, &caller.web.gate)).await.map(Json)
}

/// Change what somebody may keep, and whether they keep this holm; asks for a fresh proof of who is there
#[utoipa::path(patch, path = "/persons/{name}", tag = "persons", params(("name" = String, Path)), request_body = PersonChange, responses(
    (status = 200, description = "What they are now", body = Person),
    (status = 409, description = "Nobody would be left to keep this holm")
))]
async fn change_person(Proven(Admin(caller)): Proven<Admin>, Named(name): Named, Json(change): Json<PersonChange>) -> Result<Json<Person>, Problem> {
    let changed = blocking(move || {
        let gate = &caller.web.gate;
        let person = gate.host().person(&name)?;
        if change.admin == Some(false) && person.id == caller.session.party.person {
            return Err(not_oneself());
        }
        if let Some(quota) = change.quota {
            gate.host().set_quota(person.id, Quota::bytes(quota))?;
        }
        if let Some(admin) = change.admin {
            gate.host().set_admin(person.id, admin)?;
        }
        Person::named(&name, gate)
    });
    changed.await.map(Json)
}

/// Destroy somebody's key and everything they keep; asks for a fresh proof of who is there
#[utoipa::path(delete, path = "/persons/{name}", tag = "persons", params(("name" = String, Path)), responses(
    (status = 204, description = "Nothing of it can ever be read again"),
    (status = 409, description = "Nobody would be left to keep this holm")
))]
async fn remove_person(Proven(Admin(caller)): Proven<Admin>, Named(name): Named) -> Result<StatusCode, Problem> {
    let removed = blocking(move || {
        let gate = &caller.web.gate;
        let person = gate.host().person(&name)?;
        if person.id == caller.session.party.person {
            return Err(not_oneself());
        }
        gate.close(person.id);
        gate.host().remove_person(&person)?;
        tracing::warn!(name, by = &*caller.session.person, "a person was removed");
        Ok(StatusCode::NO_CONTENT)
    });
    removed.await
}

/// Whoever asks keeps this holm: as long as nobody takes that from themself, somebody does.
fn not_oneself() -> Problem {
    Problem::new(Kind::Conflict, "this would leave you without what you ask it with; somebody else who keeps this holm can do it")
}
