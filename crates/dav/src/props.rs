//! The properties of entries: live ones computed here, dead ones from the tree.

use std::sync::Arc;

use holm_core::{Access, Depth, Entry, Lock, Path, Result, Usage};
use holm_formats::acl::Expand;
use holm_formats::date;
use holm_formats::dav::{DAV, Propfind};
use holm_formats::xml::{QName, Writer};
use holm_http::transfer::download::content_type;

use crate::acl::{self, Control, Rights};
use crate::dialect::Seen;
use crate::expand::{self, Live};
use crate::mount::Mount;
use crate::multistatus::Multistatus;
use crate::sync_token::Token;

/// What `allprop` answers of the live properties (RFC 4918 §9.1 leaves the choice).
const ALL: &[&str] =
    &["creationdate", "displayname", "getcontentlength", "getcontenttype", "getetag", "getlastmodified", "resourcetype", "supportedlock", "lockdiscovery"];
/// Computed ones, only when asked by name; so are those of [`acl::NAMES`].
const NAMED: &[&str] = &["quota-available-bytes", "quota-used-bytes", "supported-report-set", "sync-token"];

fn is_live(local: &str) -> bool {
    [ALL, NAMED, acl::NAMES].iter().any(|names| names.contains(&local))
}

/// Live properties that a client may not set. Nor may it set what only principals have: others would believe it.
pub fn is_protected(mount: &Mount, name: &QName) -> bool {
    mount.dialect.is_protected(name).unwrap_or_else(|| is_plainly_protected(name))
}

fn is_plainly_protected(name: &QName) -> bool {
    let local = name.local.as_str();
    &*name.ns == DAV && (is_live(local) || crate::place::PRINCIPAL.contains(&local)) && local != "getlastmodified"
}

/// What a request asks of every entry it meets, with what it takes to answer.
pub struct Asked {
    pub propfind: Propfind,
    pub mount: Arc<Mount>,
    pub access: Access,
    /// Leave out the 404 propstat (RFC 8144).
    pub minimal: bool,
    usage: Option<Usage>,
    locks: bool,
}

impl Asked {
    /// `hide_quota`: quota makes some macOS versions hang.
    pub fn new(propfind: Propfind, mount: Arc<Mount>, access: Access, minimal: bool, hide_quota: bool) -> Result<Asked> {
        let names: &[QName] = match &propfind {
            Propfind::Prop(names) | Propfind::AllProp { include: names } => names,
            Propfind::PropName => &[],
        };
        let named = |local: &str| names.iter().any(|n| &*n.ns == DAV && n.local == local);
        let quota = !hide_quota && (named("quota-available-bytes") || named("quota-used-bytes"));
        let usage = if quota { Some(access.usage()?) } else { None };
        let locks = (named("lockdiscovery") || matches!(propfind, Propfind::AllProp { .. })) && access.any_locks()?;
        Ok(Asked { propfind, mount, access, minimal, usage, locks })
    }

    /// Writes the response element of one entry.
    pub fn write(&self, out: &mut Multistatus, path: &Path, entry: &Entry) -> Result<()> {
        let href = self.mount.href_of(path, entry);
        let one = self.one(path, entry)?;
        out.response(&href, self.minimal, |xml| one.found(xml));
        Ok(())
    }

    /// The same under an href that a client gave, with one property more: its tag and text.
    pub fn write_as(&self, out: &mut Multistatus, href: &str, path: &Path, entry: &Entry, more: Option<(&str, &str)>) -> Result<()> {
        let one = self.one(path, entry)?;
        out.response(href, self.minimal, |xml| {
            if let Some((tag, text)) = more {
                xml.leaf(tag, text);
            }
            one.found(xml)
        });
        Ok(())
    }

    /// Writes the response element of one entry with what its properties name (RFC 3253 §3.8).
    pub fn expand(&self, out: &mut Multistatus, path: &Path, entry: &Entry, properties: &[Expand]) -> Result<()> {
        let href = self.mount.href_of(path, entry);
        let one = self.one(path, entry)?;
        out.response(&href, self.minimal, |xml| expand::found(xml, &one, &self.mount, properties));
        Ok(())
    }

    fn one<'a>(&'a self, path: &'a Path, entry: &'a Entry) -> Result<One<'a>> {
        let locks = if self.locks { self.access.locks(path)? } else { Vec::new() };
        let dead = if entry.props > 0 && self.wants_dead() { self.access.props(path, entry.id)? } else { Vec::new() };
        Ok(One { asked: self, path, entry, locks, dead })
    }

    fn wants_dead(&self) -> bool {
        match &self.propfind {
            Propfind::Prop(names) => self.mount.dialect.keeps_names() || names.iter().any(|n| &*n.ns != DAV || !is_live(&n.local)),
            _ => true,
        }
    }
}

struct One<'a> {
    asked: &'a Asked,
    path: &'a Path,
    entry: &'a Entry,
    locks: Vec<(Lock, Path)>,
    dead: Vec<(String, String)>,
}

impl Live for One<'_> {
    fn write(&self, xml: &mut Writer, name: &QName) -> bool {
        if self.told(xml, &name.ns, &name.local) || (&*name.ns == DAV && self.live(xml, &name.local)) {
            return true;
        }
        let clark = name.clark();
        match self.dead.iter().find(|(n, _)| *n == clark) {
            Some((_, value)) => _ = xml.fragment(value),
            None => return false,
        }
        true
    }
}

impl One<'_> {
    /// What the dialect knows of.
    fn told(&self, xml: &mut Writer, ns: &str, local: &str) -> bool {
        let Asked { mount, access, .. } = self.asked;
        mount.dialect.write(xml, ns, local, &Seen { mount, access, path: self.path, entry: self.entry, dead: &self.dead })
    }

    /// Writes what is there; answers the names that are not.
    fn found(&self, xml: &mut Writer) -> Vec<QName> {
        match &self.asked.propfind {
            Propfind::Prop(names) => return names.iter().filter(|name| !self.write(xml, name)).cloned().collect(),
            Propfind::AllProp { include } => {
                for name in ALL {
                    let _ = self.told(xml, DAV, name) || self.live(xml, name);
                }
                for (name, value) in &self.dead {
                    // What is told by that name has been told.
                    if !QName::from_clark(name).is_some_and(|n| &*n.ns == DAV && ALL.contains(&n.local.as_str())) {
                        xml.fragment(value);
                    }
                }
                for name in include.iter().filter(|n| &*n.ns == DAV && is_live(&n.local) && !ALL.contains(&n.local.as_str())) {
                    self.live(xml, &name.local);
                }
            }
            Propfind::PropName => {
                for name in ALL.iter().chain(NAMED).chain(acl::NAMES).filter(|n| self.has(n)) {
                    xml.empty(&format!("d:{name}"));
                }
                for name in self.dead.iter().filter_map(|(n, _)| QName::from_clark(n)) {
                    xml.empty_qname(&name);
                }
            }
        }
        Vec::new()
    }

    fn has(&self, name: &str) -> bool {
        let mut scratch = Writer::default();
        self.live(&mut scratch, name)
    }

    /// Writes a DAV: property; answers whether this entry has it.
    fn live(&self, xml: &mut Writer, name: &str) -> bool {
        let Entry { created, modified, size, .. } = *self.entry;
        let folder = self.entry.is_folder();
        match name {
            "creationdate" => xml.leaf("d:creationdate", &date::rfc3339(created.0)),
            "displayname" if *self.path == self.asked.mount.base => xml.leaf("d:displayname", &self.asked.mount.name),
            "displayname" => xml.leaf("d:displayname", &self.entry.name),
            "getcontentlength" if !folder => xml.leaf("d:getcontentlength", &size.to_string()),
            "getcontenttype" if !folder => xml.leaf("d:getcontenttype", content_type(self.entry)),
            "getetag" => xml.leaf("d:getetag", &format!("\"{}\"", self.entry.etag())),
            "getlastmodified" => xml.leaf("d:getlastmodified", &date::http(modified.0)),
            "resourcetype" if folder => xml.open("d:resourcetype").empty("d:collection").close("d:resourcetype"),
            "resourcetype" => xml.empty("d:resourcetype"),
            "supportedlock" => supported_lock(xml),
            "lockdiscovery" => {
                xml.open("d:lockdiscovery");
                for (lock, root) in &self.locks {
                    let (own, named) = (self.own(lock), self.asked.mount.principals().is_some());
                    // Programs write people's names there.
                    let shown = Lock { owner: if own || named { lock.owner.clone() } else { String::new() }, ..lock.clone() };
                    active_lock(xml, &shown, &self.asked.mount.href(root, folder && root == self.path), own);
                }
                xml.close("d:lockdiscovery")
            }
            "supported-report-set" => crate::methods::report::supported(xml, crate::methods::report::of_entry(folder)),
            "sync-token" if folder => xml.leaf("d:sync-token", &Token::of(self.entry).text()),
            "quota-used-bytes" | "quota-available-bytes" if folder => return self.quota(xml, name),
            _ => {
                let rights = Rights::of(&self.asked.access, self.path);
                return acl::write(xml, name, &self.asked.mount, Control::Tree(rights));
            }
        };
        true
    }

    fn own(&self, lock: &Lock) -> bool {
        lock.credential == self.asked.access.party().credential
    }

    fn quota(&self, xml: &mut Writer, name: &str) -> bool {
        match (self.asked.usage.filter(|_| self.asked.mount.principals().is_some()), name) {
            (Some(usage), "quota-used-bytes") => xml.leaf("d:quota-used-bytes", &usage.used.to_string()),
            (Some(Usage { used, quota }), _) if quota > 0 => xml.leaf("d:quota-available-bytes", &quota.saturating_sub(used).to_string()),
            _ => return false,
        };
        true
    }
}

fn supported_lock(xml: &mut Writer) -> &mut Writer {
    xml.open("d:supportedlock");
    for scope in ["d:exclusive", "d:shared"] {
        xml.open("d:lockentry").open("d:lockscope").empty(scope).close("d:lockscope");
        xml.open("d:locktype").empty("d:write").close("d:locktype").close("d:lockentry");
    }
    xml.close("d:supportedlock")
}

/// RFC 4918 §14.1. The token is shown only to whoever holds the lock (T06).
pub fn active_lock(xml: &mut Writer, lock: &Lock, root: &str, own: bool) {
    xml.open("d:activelock").open("d:locktype").empty("d:write").close("d:locktype");
    xml.open("d:lockscope").empty(if lock.exclusive { "d:exclusive" } else { "d:shared" }).close("d:lockscope");
    xml.leaf("d:depth", if lock.depth == Depth::Infinity { "infinity" } else { "0" });
    if !lock.owner.is_empty() {
        xml.open("d:owner").fragment(&lock.owner).close("d:owner");
    }
    xml.leaf("d:timeout", &format!("Second-{}", lock.seconds));
    if own {
        xml.open("d:locktoken").leaf("d:href", &lock.token).close("d:locktoken");
    }
    xml.open("d:lockroot").leaf("d:href", root).close("d:lockroot").close("d:activelock");
}
