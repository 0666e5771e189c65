//! COPY and MOVE: objects between collections, and whole collections within a home. What arrives must be what a PUT would take.

use holm_dav::methods::transfer::target;
use holm_dav::{Answer, Call, Failure};
use http::{Method, StatusCode};

use crate::home::{Home, Level};
use crate::{put, report};

pub async fn transfer(home: Home, method: &Method, call: Call) -> Answer {
    let (to, _) = target(&call)?;
    let refused = |text: &str| Err(Failure::new(StatusCode::FORBIDDEN, text));
    match (Home::level(&call.path), Home::level(&to)) {
        (Level::Collection, Level::Collection) => {}
        (Level::Object, Level::Object) => {
            let entry = call.access.stat(&call.path)?;
            let bytes = report::bytes_of(&call.access, &call.path)?;
            let facts = put::read(home, &bytes)?;
            let collection = to.parent().unwrap_or_default();
            put::takes(home, &call, &collection, facts.kind)?;
            if let Ok(folder) = call.access.stat(&collection)
                && let Some(other) = call.access.with_uid(&collection, folder.id, &facts.uid)?
                && other.id != entry.id
                && to.name().is_none_or(|name| name.key() != other.key)
            {
                let at = collection.join(holm_core::Name::new(other.name)?);
                return Err(put::same_uid(home, holm_core::Error::SameUid(at)));
            }
        }
        _ => return refused("an object goes into a collection, and a collection into its home"),
    }
    holm_dav::dispatch(method, call).await
}
