//! PROPPATCH (RFC 4918 §9.2): all or nothing, in document order.

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
    let (protected, others): (Vec<_>, Vec<_>) = names.iter().cloned().partition(props::is_protected);
    if !protected.is_empty() {
        let mut out = Multistatus::new();
        out.xml.open("d:response").leaf("d:href", &href);
        out.propstat(&protected, StatusCode::FORBIDDEN, Some("d:cannot-modify-protected-property"));
        if !others.is_empty() {
            out.propstat(&others, StatusCode::FAILED_DEPENDENCY, None);
        }
        out.xml.close("d:response");
        return Ok(out.finish());
    }
    let mut changes = Vec::new();
    let mut modified = None;
    for update in updates {
        if let PropUpdate::Set(e) = &update
            && (e.is(DAV, "getlastmodified") || e.is(WIN32, "Win32LastModifiedTime"))
        {
            modified = date::parse_http(&e.text()).or_else(|| date::parse_rfc3339(&e.text())).map(Timestamp).or(modified);
        }
        match update {
            PropUpdate::Set(e) if e.is(DAV, "getlastmodified") => {}
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
