//! Links: what whoever holds one may do with a file or folder. What they lead to is at `/dav/links/TOKEN/`.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use holm_auth::{LinkVerdict, Token};
use holm_core::{Abilities, CredentialKind, Env, LinkEnd, NewLink, Page, Path, Via};
use holm_http::client::ClientAddress;
use holm_http::credentials::{LINK_VISIT, LINKS};
use holm_http::path;
use http::header::SET_COOKIE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Web;
use crate::caller::{Caller, Proven, blocking};
use crate::fields::{Id, List, Paging, Time};
use crate::grants::{Ability, Standing};
use crate::problem::{Kind, Problem};
use crate::request::{Json, Numbered, Query, created};

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list_links, add_link)).routes(routes!(get_link, change_link, revoke_link)).routes(routes!(open_link))
}

const TAG: &str = "links";

/// A link; its address was shown when it was made.
#[derive(Serialize, ToSchema)]
pub struct Link {
    id: Id,
    /// The party that whoever holds it is.
    party: Id,
    name: String,
    /// Where it leads.
    path: String,
    abilities: Vec<Ability>,
    purpose: String,
    /// It asks for a password.
    password: bool,
    /// When it ends; null: not by itself.
    until: Option<Time>,
    created: Time,
    /// When it was last used, to about a minute; null: never.
    used: Option<Time>,
    standing: Standing,
}

impl Link {
    fn new(link: holm_core::Link, env: &Env) -> Link {
        let (credential, what) = (&link.credential, &link.grant.what);
        let standing = if credential.revoked.is_some() { holm_core::Standing::Revoked } else { link.grant.standing(env.now()) };
        Link {
            id: Id(credential.id),
            party: Id(credential.party.0),
            name: credential.name.clone(),
            path: what.scope.path().to_string(),
            abilities: Ability::told(what.abilities),
            purpose: what.purpose.clone(),
            password: credential.has_phrase,
            until: Time::of(what.until),
            created: Time(credential.created),
            used: Time::of(credential.used),
            standing: standing.into(),
        }
    }
}

/// What a link is to lead to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLinkBody {
    /// A file or folder that is there.
    #[schema(max_length = 8192, pattern = "^/.*$", example = "/photos/2026")]
    path: String,
    /// What to call it; null: like what it leads to.
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    name: Option<String>,
    /// All but `share`; null: read. With `append` alone others can leave files and see none.
    #[schema(min_items = 1, max_items = 4)]
    abilities: Option<Vec<Ability>>,
    /// What for, in words that both understand.
    #[serde(default)]
    #[schema(max_length = 1024, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    purpose: String,
    /// What it asks whoever comes for; null: nothing.
    #[schema(min_length = 8, max_length = 1024)]
    password: Option<String>,
    /// When it ends; null: not by itself.
    until: Option<Time>,
}

/// A link that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = LinkWithAddress)]
pub struct MadeLink {
    #[serde(flatten)]
    link: Link,
    /// Its address, to give to whom it is for. Shown this once.
    #[schema(example = "https://cloud.example/s/0dJ3…")]
    url: String,
}

/// What to change of a link. What is not named stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkChange {
    /// Another password; null: none.
    #[serde(default, deserialize_with = "named")]
    #[schema(min_length = 8, max_length = 1024)]
    password: Option<Option<String>>,
    /// Another end; null: none.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Time>)]
    until: Option<Option<Time>>,
    #[schema(min_items = 1, max_items = 4)]
    abilities: Option<Vec<Ability>>,
}

/// Tells null from nothing.
fn named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

fn unknown() -> Problem {
    Problem::not_found("no link has that number; GET /api/v1/links lists them")
}

fn told(link: Option<holm_core::Link>, env: &Env) -> Result<Link, Problem> {
    Ok(Link::new(link.ok_or_else(unknown)?, env))
}

/// All links, in the order in which they were made
#[utoipa::path(get, path = "/links", tag = TAG, params(Paging), responses((status = 200, description = "Links, those that were revoked too", body = List<Link>)))]
async fn list_links(caller: Caller, Query(paging): Query<Paging>) -> Result<Json<List<Link>>, Problem> {
    let (env, page): (_, Page) = (caller.web.gate.env().clone(), paging.into());
    let found = caller.with(move |access| access.links(page)).await?;
    Ok(Json(List::new(found.into_iter().map(|link| Link::new(link, &env)).collect(), page, |l| l.id)))
}

/// Make a link to a file or folder; asks for a fresh proof of who is there
#[utoipa::path(post, path = "/links", tag = TAG, request_body = NewLinkBody, responses(
    (status = 201, description = "Made; the address is shown this once", body = MadeLink, headers(("Location" = String, description = "Where it is"))),
    (status = 404, description = "Nothing is at the path")
))]
async fn add_link(Proven(caller): Proven<Caller>, Json(new): Json<NewLinkBody>) -> Result<Response, Problem> {
    let (auth, env) = (caller.web.auth.clone(), caller.web.gate.env().clone());
    let token = Token::random(&env);
    let url = auth.link_address(&token);
    if !new.path.starts_with('/') {
        return Err(Problem::new(Kind::NotPossible, "a path begins with /"));
    }
    let link = caller.with(move |access| {
        let path = Path::parse(&new.path)?;
        let abilities = new.abilities.as_deref().map_or(Ok(Abilities::READ), Ability::set)?;
        let phrase = new.password.as_deref().map(|password| auth.link_phrase(password)).transpose()?;
        let name = new.name.as_deref().or(path.name().map(|n| n.as_str())).unwrap_or("everything");
        let until = new.until.map(|t| t.0);
        let made = NewLink { name, path: &path, abilities, purpose: &new.purpose, until, phrase: phrase.as_deref(), hash: &Token::hash(token.reveal()) };
        let id = access.add_link(&made)?;
        access.link(id)
    });
    let link = told(link.await?, &env)?;
    Ok(created(format!("links/{}", link.id.0), MadeLink { link, url }))
}

/// One link
#[utoipa::path(get, path = "/links/{id}", tag = TAG, params(("id" = inline(Id), Path)), responses(
    (status = 200, description = "The link; also one that was revoked", body = Link)
))]
async fn get_link(caller: Caller, Numbered(id): Numbered) -> Result<Json<Link>, Problem> {
    let env = caller.web.gate.env().clone();
    Ok(Json(told(caller.with(move |access| access.link(id)).await?, &env)?))
}

/// Change a link's password, its end or what it allows; asks for a fresh proof of who is there
#[utoipa::path(patch, path = "/links/{id}", tag = TAG, params(("id" = inline(Id), Path)), request_body = LinkChange, responses(
    (status = 200, description = "As it is now", body = Link)
))]
async fn change_link(Proven(caller): Proven<Caller>, Numbered(id): Numbered, Json(change): Json<LinkChange>) -> Result<Json<Link>, Problem> {
    let (auth, env) = (caller.web.auth.clone(), caller.web.gate.env().clone());
    let link = caller.with(move |access| {
        let Some(link) = access.link(id)?.filter(|link| link.credential.revoked.is_none()) else { return Ok(None) };
        let what = &link.grant.what;
        let abilities = change.abilities.as_deref().map_or(Ok(what.abilities), Ability::set)?;
        let until = change.until.map_or(what.until, |until| until.map(|t| t.0));
        if (abilities, until) != (what.abilities, what.until) {
            access.change_link(id, abilities, until)?;
        }
        if let Some(password) = change.password {
            auth.set_link_password(access, id, password.as_deref())?;
        }
        access.link(id)
    });
    Ok(Json(told(link.await?, &env)?))
}

/// End a link, within a second
#[utoipa::path(delete, path = "/links/{id}", tag = TAG, params(("id" = inline(Id), Path)), responses((status = 204, description = "It leads nowhere any more")))]
async fn revoke_link(caller: Caller, Numbered(id): Numbered) -> Result<StatusCode, Problem> {
    let there = caller.with(move |access| access.disconnect(CredentialKind::Link, id)).await?;
    if there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("no link with that number is left to revoke")) }
}

/// What whoever holds a link shows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldLink {
    /// What stands in its address behind `/s/`.
    #[schema(max_length = 256)]
    token: String,
    /// Where it asks for one.
    #[schema(max_length = 1024)]
    password: Option<String>,
}

/// What a link leads to, for whoever holds it.
#[derive(Serialize, ToSchema)]
pub struct OpenLink {
    /// Of the file or folder.
    name: String,
    folder: bool,
    abilities: Vec<Ability>,
    purpose: String,
    until: Option<Time>,
    /// Where it is, for a WebDAV client; a path of this server.
    #[schema(example = "/dav/links/0dJ3…/")]
    address: String,
}

/// Where a request came from.
struct From(IpAddr);

impl FromRequestParts<Web> for From {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &Web) -> Result<From, Problem> {
        Ok(From(ClientAddress::of(&head.extensions)))
    }
}

/// Look what a link leads to. Where its password was right, this browser need not give it again for twelve hours
#[utoipa::path(post, path = "/links/open", tag = TAG, security(()), request_body = HeldLink, responses(
    (status = 200, description = "What it leads to", body = OpenLink),
    (status = 401, description = "It asks for a password, and this was none or another"),
    (status = 404, description = "It leads nowhere"), (status = 429, description = "Too many wrong tries")
))]
async fn open_link(State(web): State<Web>, From(address): From, Json(held): Json<HeldLink>) -> Result<Response, Problem> {
    blocking(move || {
        let nowhere = || Problem::not_found("this link leads nowhere: it was mistyped, it ended, or it was taken back; ask whoever gave it to you");
        let via = Via { protocol: "link", address: Some(address) };
        let (verdict, visit) = web.auth.open_link(&held.token, held.password.as_deref(), via, address)?;
        let party = match verdict {
            LinkVerdict::Admitted(party) => party,
            LinkVerdict::Password => return Err(Problem::new(Kind::Refused, "this link asks for its password; ask whoever gave it to you")),
            LinkVerdict::Unknown => return Err(nowhere()),
            LinkVerdict::Throttled(seconds) => return Err(Problem::throttled(seconds)),
        };
        let access = web.gate.admit(party, via)?;
        let Some(LinkEnd { path: leads_to, folder, what }) = access.leads_to()? else { return Err(nowhere()) };
        let mut place = LINKS.to_owned();
        path::push_name(&mut place, &held.token);
        let name = leads_to.name().map_or("shared", |n| n.as_str()).to_owned();
        let mut address = format!("{place}/");
        if !folder {
            address.pop();
            path::push_name(&mut address, &name);
        }
        let (abilities, until) = (Ability::told(what.abilities), Time::of(what.until));
        let mut response = Json(OpenLink { name, folder, abilities, purpose: what.purpose, until, address }).into_response();
        if let Some(visit) = visit {
            let cookie = format!("{LINK_VISIT}={}; Path={place}; Secure; HttpOnly; SameSite=Strict; Max-Age=43200", visit.reveal());
            response.headers_mut().append(SET_COOKIE, HeaderValue::try_from(cookie).expect("a token and an escaped path"));
        }
        Ok(response)
    })
    .await
}
