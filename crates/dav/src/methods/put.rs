//! PUT (RFC 9110 §9.3.4, RFC 4918 §9.7): small bodies go with the commit, larger ones stream into the store first.

use axum::body::Body;
use axum::response::Response;
use holm_core::{Change, Done, Entry, Error, Outcome, Timestamp};
use holm_formats::date;
use holm_http::transfer::upload;
use http::StatusCode;

use crate::methods::conflict;
use crate::{Answer, Call, Failure};

pub async fn put(mut call: Call) -> Answer {
    if call.headers.contains_key("content-range") {
        return Err(Failure::bad("PUT takes no Content-Range; use PATCH with X-Update-Range"));
    }
    let precondition = call.precondition()?;
    early(&call, &precondition)?;
    let announced = call.header("content-length").and_then(|l| l.parse::<u64>().ok());
    let content = upload::receive(&call.access, &call.path, &mut call.body, announced).await?;
    let modified = call.header("x-oc-mtime").and_then(date::parse_unix).map(Timestamp);
    let media_type = call.header("content-type").filter(|t| t.len() <= 255).map(str::to_owned);
    let change = Change::Put { path: call.path.clone(), content, media_type, modified };
    let done = call.access.commit(change, precondition).await?;
    Ok(stored(&done, modified.is_some()))
}

/// What can be refused before a large body comes: `Expect: 100-continue` then gets its answer at once.
pub fn early(call: &Call, precondition: &holm_core::Precondition) -> Result<(), Failure> {
    if call.path.is_root() {
        return Err(Failure::not_allowed());
    }
    call.access.may_add(&call.path)?;
    if call.header("expect").is_none() && call.header("content-length").is_some_and(|l| l.len() < 6) {
        return Ok(());
    }
    match call.access.stat(&call.path) {
        Ok(entry) if entry.is_folder() => return Err(Failure::not_allowed()),
        Err(Error::NotFound(_)) => {
            let parent = call.path.parent().unwrap_or_default();
            // The grant may not reach the parent; the commit knows better then.
            if matches!(call.access.stat(&parent), Err(Error::NotFound(_))) {
                return Err(conflict("the folder that should hold this does not exist; create it first"));
            }
        }
        // Who may add but not look: the commit knows what is there.
        Err(Error::Denied(..)) => return Ok(()),
        Err(e) => return Err(e.into()),
        Ok(_) => {}
    }
    call.access.check(&call.path, precondition)?;
    // Which token frees which lock is the commit's to decide; without any there is nothing to wait for.
    match call.access.locks(&call.path)?.into_iter().next() {
        Some((_, root)) if precondition.tokens().next().is_none() => Err(Error::Locked { path: call.path.clone(), root }.into()),
        _ => Ok(()),
    }
}

pub fn stored(done: &Done, mtime_taken: bool) -> Response {
    let created = done.outcome == Outcome::Created;
    let etag = done.entry.as_ref().map(Entry::etag).unwrap_or_default();
    let builder = Response::builder().status(if created { StatusCode::CREATED } else { StatusCode::NO_CONTENT }).header("ETag", format!("\"{etag}\""));
    let builder = if created { builder.header("Content-Length", "0") } else { builder };
    let builder = if mtime_taken { builder.header("X-OC-Mtime", "accepted") } else { builder };
    builder.body(Body::empty()).expect("an ETag of hex digits")
}
