//! The API's description (OpenAPI 3.1): what the handlers say of themselves, and what holds for all of them.

use std::collections::BTreeMap;

use utoipa::openapi::path::{HttpMethod, Operation, ParameterIn, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Info, License, OpenApi, OpenApiBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use crate::caller::COOKIE;
use crate::problem::{Details, KINDS, Kind};

/// Whoever has no cookie names no security; see [`open`].
const SESSION: &str = "session";
/// Beside it, where apps may ask too.
const TOKEN: &str = "token";

pub fn begin() -> OpenApi {
    let info = Info::builder()
        .title("holm")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "What people do with their holm beside keeping files: who has what, who did what, devices, people. Errors are problem details \
             (RFC 9457). Requests that change something must not come from pages of other sites. Lists answer `next`: give it as `after` for \
             the rest.",
        ))
        .license(Some(License::builder().name("AGPL-3.0-only").identifier(Some("AGPL-3.0-only")).build()))
        .build();
    OpenApiBuilder::new().info(info).build()
}

/// Adds what holds for every operation: who may come, and which problems may be answered.
pub fn complete(api: &mut OpenApi) {
    let components = api.components.get_or_insert_default();
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description(COOKIE, "The session, as signing in sets it."));
    components.security_schemes.insert(SESSION.into(), SecurityScheme::ApiKey(cookie).into());
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An access token of an app that the person let in."));
    components.security_schemes.insert(TOKEN.into(), SecurityScheme::Http(bearer.build()).into());
    components.schemas.insert(Details::name().into_owned(), Details::schema());
    for item in api.paths.paths.values_mut() {
        for (method, operation) in operations(item) {
            describe(&method, operation);
        }
    }
}

fn operations(item: &mut PathItem) -> Vec<(HttpMethod, &mut Operation)> {
    let all = [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Head, &mut item.head),
        (HttpMethod::Options, &mut item.options),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Patch, &mut item.patch),
        (HttpMethod::Delete, &mut item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?))).collect()
}

/// An operation that says nothing of security needs a session; `security(())` says that it does not.
fn describe(method: &HttpMethod, operation: &mut Operation) {
    let session = operation.security.as_ref().is_none_or(|all| all.iter().any(|one| *one != SecurityRequirement::default()));
    if operation.security.is_none() {
        operation.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>(SESSION, [])]);
    }
    let parameters = operation.parameters.iter().flatten();
    let places: Vec<_> = parameters.filter_map(|p| if let RefOr::T(p) = p { Some(p.parameter_in.clone()) } else { None }).collect();
    let (query, path, body) =
        (places.contains(&ParameterIn::Query) || places.contains(&ParameterIn::Header), places.contains(&ParameterIn::Path), operation.request_body.is_some());
    let changes = !matches!(method, HttpMethod::Get | HttpMethod::Head | HttpMethod::Options);
    let mut kinds = vec![Kind::UriTooLong, Kind::Internal, Kind::Unavailable];
    let mut add = |when: bool, more: &[Kind]| kinds.extend(more.iter().copied().filter(|_| when));
    add(session, &[Kind::SignIn]);
    add(session || changes, &[Kind::Forbidden]);
    add(body || query, &[Kind::Malformed]);
    add(path, &[Kind::NotFound]);
    add(changes, &[Kind::NoRoom]);
    add(body, &[Kind::Timeout, Kind::TooLarge, Kind::MediaType, Kind::NotPossible]);
    let described: BTreeMap<String, RefOr<Response>> = std::mem::take(&mut operation.responses.responses);
    for kind in kinds {
        let (_, _, status, title) = KINDS[kind as usize];
        let response = ResponseBuilder::new().description(title).build();
        operation.responses.responses.insert(status.as_u16().to_string(), RefOr::T(response));
    }
    operation.responses.responses.extend(described);
    for (status, response) in &mut operation.responses.responses {
        if let (true, RefOr::T(response)) = (status.starts_with(['4', '5']), response) {
            let schema = Ref::from_schema_name(Details::name());
            response.content.insert("application/problem+json".into(), ContentBuilder::new().schema(Some(schema)).build().into());
        }
    }
}
