//! Who asks: a bearer token becomes an access to the storage of the person it is for.

use std::net::IpAddr;
use std::sync::Arc;

use holm_auth::Verdict;
use holm_core::{Ability, Access, Error, Party, Via, mutant};
use holm_http::credentials;
use http::{HeaderMap, StatusCode};

use crate::error::Failure;
use crate::place::Place;
use crate::routes::RemoteStorage;

/// How the access log calls this protocol.
const PROTOCOL: &str = "remotestorage";

/// Lets in whoever may come to this place; `reads` says that nothing is to be changed. A document below `public/` is read
/// with any token and with none.
pub async fn admit(rs: &RemoteStorage, headers: &HeaderMap, address: IpAddr, place: &Place, reads: bool) -> Result<Access, Failure> {
    let open = place.is_open() && reads;
    let token = credentials::bearer(headers);
    let Some(token) = token else { return if open { anybody(rs, place) } else { Err(Failure::unauthorized(rs.auth.origin(), false)) } };
    let verdict = match rs.auth.bearer_believed(&token) {
        Some(verdict) => verdict,
        None => {
            let auth = rs.auth.clone();
            tokio::task::spawn_blocking(move || auth.bearer(&token, address)).await.unwrap_or(Err(Error::Poisoned))?
        }
    };
    let entered = match verdict {
        // Whether anybody is called so is not told to others.
        Verdict::Admitted(_, person) if *person != *place.person && !mutant("storage-of-anybody") => Err(Failure::forbidden()),
        Verdict::Admitted(party, _) => enter(rs, party, address, place, open),
        Verdict::Unknown => {
            tracing::warn!(%address, "a token was refused");
            Err(Failure::unauthorized(rs.auth.origin(), true))
        }
        Verdict::Throttled(seconds) => Err(Failure::throttled(seconds)),
    };
    match entered {
        Err(refused) if open && refused.status == StatusCode::FORBIDDEN => anybody(rs, place),
        entered => entered,
    }
}

fn enter(rs: &RemoteStorage, party: Arc<Party>, address: IpAddr, place: &Place, open: bool) -> Result<Access, Failure> {
    let access = rs.gate.admit(party, Via { protocol: PROTOCOL, address: Some(address) })?;
    if open && !access.allows(Ability::Read, &place.path)? { Err(Failure::forbidden()) } else { Ok(access) }
}

/// An access to what is public. Who reads that is not written down: it may be anybody, and they were not asked.
fn anybody(rs: &RemoteStorage, place: &Place) -> Result<Access, Failure> {
    let person = rs.gate.host().person(&place.person)?;
    Ok(rs.gate.admit(Party::anybody(person.id).into(), Via { protocol: PROTOCOL, address: None })?)
}
