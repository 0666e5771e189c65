//! PROPPATCH (RFC 4918 §9.2): all or nothing, in document order.

use holm_core::{Change, Error, MAX_VALUE, PropChange, Timestamp};
use holm_formats::date;
use holm_formats::dav::{self, DAV, PropUpdate};
use holm_formats::xml::{Element, QName};
use http::StatusCode;

use crate::multistatus::Multistatus;
use crate::{Answer, Call, Failure, Mount, props};

const WIN32: &str = "urn:schemas-microsoft-com:";

pub async fn proppatch(mut call: Call) -> Answer {
    let root = call.xml().await?.ok_or_else(|| Failure::bad("PROPPATCH needs a DAV:propertyupdate body"))?;
    let updates = dav::propertyupdate(&root)?;
    drop(root);
    let entry = call.access.stat(&call.path)?;
    let href = call.mount.href_of(&call.path, &entry);
    let mut names: Vec<QName> = Vec::new();
    for name in updates.iter().map(PropUpdate::name) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let (changes, modified) = match changes(&call.mount, updates) {
        Ok(changes) => changes,
        Err(culprits) => return Ok(refusal(&href, &names, &culprits)),
    };
    let change = Change::Patch { path: call.path.clone(), props: changes, modified, created: None };
    let mut out = Multistatus::new();
    out.xml.open("d:response").leaf("d:href", &href);
    match call.access.commit(change, call.precondition()?).await {
        Ok(_) => out.propstat(&names, StatusCode::OK, None),
        Err(Error::Limit(_)) => out.propstat(&names, StatusCode::INSUFFICIENT_STORAGE, None),
        Err(e) => return Err(e.into()),
    }
    out.xml.close("d:response");
    Ok(out.finish())
}

/// Properties that stand in the way, with the reason of each.
type Culprits = Vec<(QName, StatusCode)>;

/// What is to be done, and the time of modification that was given among it.
fn changes(mount: &Mount, updates: Vec<PropUpdate>) -> Result<(Vec<PropChange>, Option<Timestamp>), Culprits> {
    let mut changes = Vec::new();
    let mut modified = None;
    let mut culprits = Culprits::new();
    for update in updates {
        let name = update.name().clone();
        if props::is_protected(mount, &name) {
            culprits.push((name, StatusCode::FORBIDDEN));
            continue;
        }
        match update {
            PropUpdate::Set(e) if sets_time(&name) => match time(&e) {
                Some(time) => modified = Some(time),
                None => culprits.push((name, StatusCode::CONFLICT)),
            },
            PropUpdate::Remove(_) if sets_time(&name) => culprits.push((name, StatusCode::FORBIDDEN)),
            PropUpdate::Remove(name) => changes.push(PropChange::Remove { name: name.clark() }),
            PropUpdate::Set(e) if !mount.dialect.takes(&e) => culprits.push((name, StatusCode::CONFLICT)),
            PropUpdate::Set(e) => {
                if e.is(WIN32, "Win32LastModifiedTime") {
                    modified = time(&e).or(modified);
                }
                match e.to_fragment(MAX_VALUE) {
                    Some(value) => changes.push(PropChange::Set { name: name.clark(), value }),
                    None => culprits.push((name, StatusCode::INSUFFICIENT_STORAGE)),
                }
            }
        }
    }
    if culprits.is_empty() { Ok((changes, modified)) } else { Err(culprits) }
}

/// By these a client sets when a file was changed. `lastmodified` is ownCloud's, and rclone's with it.
fn sets_time(name: &QName) -> bool {
    &*name.ns == DAV && (name.local == "getlastmodified" || name.local == "lastmodified")
}

fn time(element: &Element) -> Option<Timestamp> {
    let text = element.text();
    let seconds = || date::parse_unix(&text).filter(|_| element.is(DAV, "lastmodified"));
    date::parse_http(&text).or_else(|| date::parse_rfc3339(&text)).or_else(seconds).map(Timestamp)
}

fn refusal(href: &str, names: &[QName], culprits: &[(QName, StatusCode)]) -> axum::response::Response {
    let mut out = Multistatus::new();
    out.xml.open("d:response").leaf("d:href", href);
    let mut told: Vec<&QName> = Vec::new();
    for status in [StatusCode::FORBIDDEN, StatusCode::CONFLICT, StatusCode::INSUFFICIENT_STORAGE] {
        let mut these: Vec<QName> = Vec::new();
        for (name, _) in culprits.iter().filter(|(_, s)| *s == status) {
            if !told.contains(&name) {
                told.push(name);
                these.push(name.clone());
            }
        }
        if !these.is_empty() {
            out.propstat(&these, status, (status == StatusCode::FORBIDDEN).then_some("d:cannot-modify-protected-property"));
        }
    }
    let others: Vec<_> = names.iter().filter(|n| !told.contains(n)).cloned().collect();
    if !others.is_empty() {
        out.propstat(&others, StatusCode::FAILED_DEPENDENCY, None);
    }
    out.xml.close("d:response");
    out.finish()
}
