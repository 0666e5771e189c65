//! LOCK and UNLOCK (RFC 4918 §9.10, §9.11).

use holm_core::{Change, Done, LockRequest, MAX_SECONDS, Outcome};
use holm_formats::dav::{DAV, LockInfo};
use holm_formats::xml::Writer;
use holm_http::locks;
use http::{HeaderValue, StatusCode};

use crate::methods::conflict;
use crate::props::active_lock;
use crate::{Answer, Call, Failure, status, xml_answer};

pub async fn lock(mut call: Call) -> Answer {
    let depth = call.deep()?;
    let seconds = call.header("timeout").and_then(locks::seconds).unwrap_or(MAX_SECONDS);
    let precondition = call.precondition()?;
    let Some(root) = call.xml().await? else {
        return refresh(call, seconds).await;
    };
    let info = LockInfo::from_xml(&root)?;
    let token = token(call.random);
    let request = LockRequest { exclusive: info.exclusive, depth, owner: info.owner, seconds, token };
    let change = Change::Lock { path: call.path.clone(), lock: request };
    let done = call.access.commit(change, precondition).await?;
    answer(&call, &done, true)
}

async fn refresh(call: Call, seconds: i64) -> Answer {
    let precondition = call.precondition()?;
    let token = precondition.tokens().next().ok_or_else(|| Failure::bad("a LOCK without a body refreshes; it needs an If header with the token"))?;
    let change = Change::Refresh { path: call.path.clone(), token: token.to_owned(), seconds };
    let done = call.access.commit(change, precondition.clone()).await?;
    answer(&call, &done, false)
}

fn answer(call: &Call, done: &Done, new: bool) -> Answer {
    let lock = done.lock.as_ref().ok_or_else(|| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "no lock came of a LOCK"))?;
    let root = call.access.locks(&call.path)?.into_iter().find(|(l, _)| l.token == lock.token).map_or(call.path.clone(), |(_, root)| root);
    let folder = call.access.stat(&root).is_ok_and(|e| e.is_folder());
    let mut xml = Writer::document("d:prop", &[("d", DAV)]);
    xml.open("d:lockdiscovery");
    active_lock(&mut xml, lock, &call.mount.href(&root, folder), true);
    xml.close("d:lockdiscovery").close("d:prop");
    let code = if done.outcome == Outcome::Created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = xml_answer(code, xml.take());
    if new {
        let token = HeaderValue::try_from(format!("<{}>", lock.token)).expect("a token of hex digits");
        response.headers_mut().insert("Lock-Token", token);
    }
    Ok(response)
}

/// A version 4 UUID as a URN (RFC 9562).
fn token(mut random: [u8; 16]) -> String {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let hex: String = random.iter().map(|b| format!("{b:02x}")).collect();
    format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

pub async fn unlock(call: Call) -> Answer {
    let header = call.one("lock-token")?.ok_or_else(|| Failure::bad("UNLOCK needs a Lock-Token header"))?;
    let token = locks::token(header).ok_or_else(|| conflict("that is no lock token").with("lock-token-matches-request-uri"))?.to_owned();
    let change = Change::Unlock { path: call.path.clone(), token };
    let precondition = call.precondition()?;
    call.access.commit(change, precondition).await?;
    Ok(status(StatusCode::NO_CONTENT))
}
