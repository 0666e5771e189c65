//! Who am I?

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Web;
use crate::caller::Caller;
use crate::fields::{Quota, Time};
use crate::problem::Problem;
use crate::request::Json;

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(get_me))
}

/// Whoever is signed in.
#[derive(Serialize, ToSchema)]
pub struct Me {
    name: String,
    /// Keeps this holm: may look after people.
    admin: bool,
    /// Bytes kept: files, their earlier versions, the trash.
    #[schema(minimum = 0)]
    used: u64,
    /// Null: no limit.
    quota: Option<Quota>,
    /// When this session last proved who is there. What asks for a proof takes one of the last ten minutes.
    proven: Time,
    /// How the recovery kit stands; null for those who do not keep this holm.
    kit: Option<Kit>,
}

/// How the recovery kit stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kit {
    /// There is none: make one.
    None,
    /// Nobody has shown yet that its words open it.
    Unproven,
    Proven,
}

/// Who am I
#[utoipa::path(get, path = "/me", tag = "me", responses((status = 200, description = "Whoever is signed in", body = Me)))]
async fn get_me(caller: Caller) -> Result<Json<Me>, Problem> {
    let (session, web) = (caller.session.clone(), caller.web.clone());
    let answer = caller.with(move |access| {
        let usage = access.usage()?;
        let kit = match session.admin.then(|| web.gate.host().kit()).transpose()? {
            None => None,
            Some(None) => Some(Kit::None),
            Some(Some(kit)) => Some(if kit.proven.is_some() { Kit::Proven } else { Kit::Unproven }),
        };
        let (name, admin, proven) = (session.person.to_string(), session.admin, Time(session.proven));
        Ok(Me { name, admin, used: usage.used, quota: Quota::of(usage.quota), proven, kit })
    });
    answer.await.map(Json)
}
