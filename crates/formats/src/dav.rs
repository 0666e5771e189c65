//! The XML bodies of WebDAV: RFC 4918, RFC 5689 (extended MKCOL) and RFC 6578 (sync-collection).

use crate::xml::{Element, QName, Refused};

pub const DAV: &str = "DAV:";
pub const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
pub const CARDDAV: &str = "urn:ietf:params:xml:ns:carddav";
/// Apple's CalendarServer.
pub const CALENDAR_SERVER: &str = "http://calendarserver.org/ns/";
/// Properties one request may name (T04).
pub const MAX_PROPS: usize = 512;
/// Bytes of their names together: an answer repeats them for every entry it tells of.
const MAX_NAMES: usize = 64 * 1024;
/// Longest DAV:owner of a lock.
const MAX_OWNER: usize = 4 * 1024;

fn refuse<T>(why: &str) -> Result<T, Refused> {
    Err(Refused(why.into()))
}

/// The names in a DAV:prop element.
pub fn prop_names(prop: &Element) -> Result<Vec<QName>, Refused> {
    let names: Vec<_> = prop.children().take(MAX_PROPS + 1).map(|e| e.name.clone()).collect();
    if names.len() > MAX_PROPS || names.iter().map(|n| n.ns.len() + n.local.len()).sum::<usize>() > MAX_NAMES {
        return refuse("it names more than 512 properties, or longer ones than anybody has");
    }
    Ok(names)
}

/// RFC 4918 §14.20. An empty body means all properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Propfind {
    AllProp { include: Vec<QName> },
    PropName,
    Prop(Vec<QName>),
}

impl Propfind {
    pub fn from_xml(root: &Element) -> Result<Propfind, Refused> {
        if !root.is(DAV, "propfind") {
            return refuse("the root is not DAV:propfind");
        }
        if let Some(prop) = root.child(DAV, "prop") {
            return Ok(Propfind::Prop(prop_names(prop)?));
        }
        if root.child(DAV, "propname").is_some() {
            return Ok(Propfind::PropName);
        }
        if root.child(DAV, "allprop").is_some() {
            let include = root.child(DAV, "include").map(prop_names).transpose()?.unwrap_or_default();
            return Ok(Propfind::AllProp { include });
        }
        refuse("DAV:propfind asks for nothing known")
    }
}

/// One instruction of a PROPPATCH, in document order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropUpdate {
    Set(Element),
    Remove(QName),
}

impl PropUpdate {
    pub fn name(&self) -> &QName {
        match self {
            PropUpdate::Set(e) => &e.name,
            PropUpdate::Remove(name) => name,
        }
    }
}

fn updates(parent: &Element) -> Result<Vec<PropUpdate>, Refused> {
    let mut out = Vec::new();
    for step in parent.children().filter(|e| e.is(DAV, "set") || e.is(DAV, "remove")) {
        let lang = step.child(DAV, "prop").and_then(|p| p.attributes.iter().find(|(n, _)| n.local == "lang"));
        for prop in step.children().filter(|e| e.is(DAV, "prop")).flat_map(Element::children) {
            if out.len() == MAX_PROPS {
                return refuse("it changes more than 512 properties");
            }
            if step.is(DAV, "remove") {
                out.push(PropUpdate::Remove(prop.name.clone()));
                continue;
            }
            let mut prop = prop.clone();
            // xml:lang in scope is part of a property's value (RFC 4918 §4.3).
            if let Some(lang) = lang
                && !prop.attributes.iter().any(|(n, _)| *n == lang.0)
            {
                prop.attributes.push(lang.clone());
            }
            out.push(PropUpdate::Set(prop));
        }
    }
    Ok(out)
}

/// RFC 4918 §14.19.
pub fn propertyupdate(root: &Element) -> Result<Vec<PropUpdate>, Refused> {
    if !root.is(DAV, "propertyupdate") {
        return refuse("the root is not DAV:propertyupdate");
    }
    let updates = updates(root)?;
    if updates.is_empty() { refuse("DAV:propertyupdate changes nothing") } else { Ok(updates) }
}

/// RFC 5689 §5.1.
pub fn mkcol(root: &Element) -> Result<Vec<PropUpdate>, Refused> {
    if root.is(DAV, "mkcol") { updates(root) } else { refuse("the root is not DAV:mkcol") }
}

/// RFC 4791 §9.2; the body of MKCALENDAR.
pub fn mkcalendar(root: &Element) -> Result<Vec<PropUpdate>, Refused> {
    if root.is(CALDAV, "mkcalendar") { updates(root) } else { refuse("the root is not CALDAV:mkcalendar") }
}

/// RFC 4918 §14.11.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockInfo {
    pub exclusive: bool,
    /// What stands inside DAV:owner, as a fragment.
    pub owner: String,
}

impl LockInfo {
    pub fn from_xml(root: &Element) -> Result<LockInfo, Refused> {
        if !root.is(DAV, "lockinfo") {
            return refuse("the root is not DAV:lockinfo");
        }
        if root.child(DAV, "locktype").and_then(|t| t.child(DAV, "write")).is_none() {
            return refuse("only write locks exist");
        }
        let scope = root.child(DAV, "lockscope").ok_or_else(|| Refused("no DAV:lockscope".into()))?;
        let exclusive = match (scope.child(DAV, "exclusive"), scope.child(DAV, "shared")) {
            (Some(_), None) => true,
            (None, Some(_)) => false,
            _ => return refuse("DAV:lockscope is neither exclusive nor shared"),
        };
        let owner = match root.child(DAV, "owner") {
            Some(owner) => owner.inner_fragment(MAX_OWNER).ok_or_else(|| Refused("DAV:owner is longer than 4 KiB".into()))?,
            None => String::new(),
        };
        Ok(LockInfo { exclusive, owner })
    }
}

/// RFC 6578 §6.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncCollection {
    pub token: String,
    pub deep: bool,
    pub limit: Option<usize>,
    pub props: Vec<QName>,
}

impl SyncCollection {
    pub fn from_xml(root: &Element) -> Result<SyncCollection, Refused> {
        let text = |name| root.child(DAV, name).map(Element::text).map(|t| t.trim().to_owned());
        let token = text("sync-token").ok_or_else(|| Refused("no DAV:sync-token".into()))?;
        let deep = match text("sync-level").as_deref() {
            None | Some("1") => false,
            Some("infinite") => true,
            Some(_) => return refuse("DAV:sync-level is 1 or infinite"),
        };
        let limit = match root.child(DAV, "limit").and_then(|l| l.child(DAV, "nresults")) {
            Some(n) => Some(n.text().trim().parse().map_err(|_| Refused("DAV:nresults is no number".into()))?),
            None => None,
        };
        let props = root.child(DAV, "prop").map(prop_names).transpose()?.unwrap_or_default();
        Ok(SyncCollection { token, deep, limit, props })
    }
}
