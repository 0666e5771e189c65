//! The pages, the JSON API at `/api/v1`, and what apps ask to be let in by (`/oauth/`): what people do with their holm beside keeping
//! files, for its own pages and for programs of a person who signed in. Whoever asks the API has a session; app passwords are for
//! other doors (T35). It holds no rules of its own: a handler reads the request, makes one call on the core, and writes the answer.

mod access_records;
mod app;
mod app_passwords;
mod caller;
mod description;
mod events;
mod fields;
mod files;
mod grants;
mod guard;
mod kit;
mod ledger;
mod links;
mod me;
mod oauth;
mod parties;
mod persons;
pub mod problem;
mod request;
mod sign_in;
mod uploads;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::any;
use holm_auth::Auth;
use holm_core::Gate;
use holm_http::fetch::Fetcher;
use http::header::CONTENT_TYPE;
use http::{Method, Uri};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use app::app;
pub use events::Live;
pub use kit::{Kits, Sheet};
use problem::{Kind, Problem};
pub use uploads::Turns;

/// Where all of it hangs; the version changes when old clients would break.
const ROOT: &str = "/api/v1";

/// What the API needs.
#[derive(Clone)]
pub struct Web {
    pub kits: Arc<dyn Kits>,
    pub gate: Arc<Gate>,
    pub auth: Arc<Auth>,
    pub live: Live,
    pub turns: Turns,
    /// What apps say of themselves is fetched by this.
    pub fetch: Arc<Fetcher>,
}

/// The description, as it is served and as `docs/openapi.json` holds it.
static DESCRIPTION: LazyLock<String> = LazyLock::new(|| described().1.to_pretty_json().expect("a description is JSON") + "\n");

/// Everything below `/api`, and what apps call.
pub fn routes(web: Web) -> Router {
    let api = described().0.method_not_allowed_fallback(other_method);
    // What is nested somewhere is not asked for that place with a slash behind it.
    let inside = Router::new().nest("/api/v1", api).route("/api/", any(nothing)).nest("/api", Router::new().fallback(nothing));
    inside.layer(middleware::from_fn(guard::guard)).with_state(web.clone()).merge(oauth::routes(web))
}

/// Every route in one list, and what they say of themselves.
fn described() -> (Router<Web>, OpenApi) {
    let (router, operations) = OpenApiRouter::new()
        .routes(routes!(get_description))
        .merge(sign_in::routes())
        .merge(me::routes())
        .merge(parties::routes())
        .merge(grants::routes())
        .merge(app_passwords::routes())
        .merge(links::routes())
        .merge(ledger::routes())
        .merge(access_records::routes())
        .merge(persons::routes())
        .merge(kit::routes())
        .merge(files::routes())
        .merge(uploads::routes())
        .merge(events::routes())
        .merge(oauth::api())
        .split_for_parts();
    let mut api = description::begin().nest(ROOT, operations);
    description::complete(&mut api);
    (router, api)
}

/// This description
#[utoipa::path(get, path = "/openapi.json", tag = "about", security(()), responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
async fn get_description() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DESCRIPTION.as_str())
}

async fn nothing(uri: Uri) -> Problem {
    Problem::not_found(format!("there is no {}; GET {ROOT}/openapi.json tells what there is", uri.path()))
}

async fn other_method(method: Method) -> Problem {
    Problem::new(Kind::MethodNotAllowed, format!("{method} is not for this place; the header Allow tells what is"))
}
