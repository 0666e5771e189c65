//! PROPPATCH (RFC 4918 §9.2): all or nothing, in document order.

use axum::response::Response;
use holm_core::{Change, Error, PropChange, Timestamp};
use holm_formats::date;
use holm_formats::dav::{self, DAV, PropUpdate};
use holm_formats::xml::QName;
use http::StatusCode;

use crate::multistatus::Multistatus;
use crate::{Answer, Call, Failure, props};

const WIN32: &str = "urn:schemas-microsoft-com:";

pub async fn proppatch(mut call: Call) -> Answer {
    let root = call.xml().await?.ok_or_else(|| Failure::bad("PROPPATCH needs a DAV:propertyupdate body"))?;
    let updates = dav::propertyupdate(&root)?;
    let entry = call.access.stat(&call.path)?;
    let href = call.mount.href_of(&call.path, &entry);
    let mut names: Vec<QName> = Vec::new();
    for name in updates.iter().map(PropUpdate::name) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let protected: Vec<_> = names.iter().filter(|n| props::is_protected(n)).cloned().collect();
    if !protected.is_empty() {
        return Ok(refused(&href, &protected, &names, StatusCode::FORBIDDEN, Some("d:cannot-modify-protected-property")));
    }
    let no_times: Vec<_> =
        updates.iter().filter(|u| matches!(u, PropUpdate::Set(e) if sets_time(&e.name)) && time(u).is_none()).map(|u| u.name().clone()).collect();
    if !no_times.is_empty() {
        return Ok(refused(&href, &no_times, &names, StatusCode::CONFLICT, None));
    }
    let mut changes = Vec::new();
    let mut modified = None;
    for update in updates {
        modified = time(&update).or(modified);
        match update {
            PropUpdate::Set(e) if sets_time(&e.name) => {}
            PropUpdate::Set(e) => changes.push(PropChange::Set { name: e.name.clark(), value: e.to_fragment() }),
            PropUpdate::Remove(name) => changes.push(PropChange::Remove { name: name.clark() }),
        }
    }
    let change = Change::Patch { path: call.path.clone(), props: changes, modified, created: None };
    let mut out = Multistatus::new();
    out.xml.open("d:response").leaf("d:href", &href);
    match call.access.commit(change, call.precondition()?).await {
        Ok(_) => out.propstat(&names, StatusCode::OK, None),
        Err(Error::Limit(_)) => out.propstat(&names, StatusCode::INSUFFICIENT_STORAGE, None),
        Err(e) => return Err(call.failure(e)),
    }
    out.xml.close("d:response");
    Ok(out.finish())
}

/// By these a client sets when a file was changed. `lastmodified` is ownCloud's, and rclone's with it.
fn sets_time(name: &QName) -> bool {
    name.ns == DAV && (name.local == "getlastmodified" || name.local == "lastmodified")
}

/// The time an update tells, if it is about that and tells one.
fn time(update: &PropUpdate) -> Option<Timestamp> {
    let PropUpdate::Set(e) = update else { return None };
    let windows = e.is(WIN32, "Win32LastModifiedTime");
    if !windows && !sets_time(&e.name) {
        return None;
    }
    let text = e.text();
    let seconds = || date::parse_unix(&text).filter(|_| e.is(DAV, "lastmodified"));
    date::parse_http(&text).or_else(|| date::parse_rfc3339(&text)).or_else(seconds).map(Timestamp)
}

/// Nothing is done: the culprits with their status, all else failed with them.
fn refused(href: &str, culprits: &[QName], names: &[QName], status: StatusCode, condition: Option<&'static str>) -> Response {
    let others: Vec<_> = names.iter().filter(|n| !culprits.contains(n)).cloned().collect();
    let mut out = Multistatus::new();
    out.xml.open("d:response").leaf("d:href", href);
    out.propstat(culprits, status, condition);
    if !others.is_empty() {
        out.propstat(&others, StatusCode::FAILED_DEPENDENCY, None);
    }
    out.xml.close("d:response");
    out.finish()
}
