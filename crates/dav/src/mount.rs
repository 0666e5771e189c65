//! Where a tree hangs in the URI space, and hrefs into it.

use std::sync::Arc;

use holm_core::{Entry, Name, Path};
use holm_http::path;
use http::HeaderMap;

use crate::dialect::{Dialect, Plain};

/// Where a tree, or a part of one, hangs, like `/dav/files/ann`; and who looks at it.
#[derive(Clone)]
pub struct Mount {
    /// Escaped, without a slash at its end.
    pub prefix: String,
    /// What hangs there: this and everything below it.
    pub base: Path,
    /// What the root is called.
    pub name: String,
    /// What this place tells and takes beside what WebDAV does.
    pub dialect: &'static dyn Dialect,
    pub viewer: Viewer,
    /// Names of this server beside the one a request names, without ports: a proxy may have changed that one.
    pub hosts: Arc<[String]>,
}

/// Who looks at a tree.
#[derive(Clone, Debug)]
pub enum Viewer {
    Principal(Principals),
    /// Whoever holds a link: of whose tree it is they are told nothing.
    Unnamed,
}

/// The principals that somebody may know of.
#[derive(Clone, Debug)]
pub struct Principals {
    /// The collection of them.
    pub all: String,
    /// Who looks: the name, which needs no escaping, and the principal.
    pub person: String,
    pub own: String,
    /// The principal whose tree it is.
    pub owner: String,
}

/// Why a Destination names nothing here.
pub enum Elsewhere {
    Malformed,
    OtherServer,
}

impl Mount {
    /// A whole tree. `files` and `principals` are the collections of trees and of principals, without a slash at their ends;
    /// `owner` is whose tree it is, and `person` who looks at it.
    pub fn new(files: &str, principals: &str, owner: &str, person: &str, hosts: Arc<[String]>) -> Mount {
        let viewer = Viewer::Principal(Principals {
            all: format!("{principals}/"),
            person: person.to_owned(),
            own: format!("{principals}/{person}/"),
            owner: format!("{principals}/{owner}/"),
        });
        Mount { prefix: format!("{files}/{owner}"), base: Path::root(), name: person.to_owned(), dialect: &Plain, viewer, hosts }
    }

    /// The same, with a folder of the tree in its place, and a protocol of its own.
    pub fn at(self, base: Path, name: &str, dialect: &'static dyn Dialect) -> Mount {
        Mount { base, name: name.to_owned(), dialect, ..self }
    }

    /// The principals that whoever looks may know of.
    pub fn principals(&self) -> Option<&Principals> {
        match &self.viewer {
            Viewer::Principal(principals) => Some(principals),
            Viewer::Unnamed => None,
        }
    }

    /// The path of what is named below this mount.
    ///
    /// # Errors
    /// [`holm_core::Error::Invalid`] for one that is too long.
    pub fn path(&self, below: &[Name]) -> holm_core::Result<Path> {
        Path::from_names(self.base.names().iter().chain(below).cloned().collect())
    }

    /// An absolute path, escaped; collections end in a slash.
    pub fn href(&self, path: &Path, folder: bool) -> String {
        let mut out = self.prefix.clone();
        // Nothing above the base is ever asked about.
        path::push(&mut out, path.below(&self.base).unwrap_or_default());
        if folder {
            out.push('/');
        }
        out
    }

    pub fn href_of(&self, path: &Path, entry: &Entry) -> String {
        self.href(path, entry.is_folder())
    }

    /// The path that a URI or absolute path names, if it lies in this mount on this server.
    pub fn resolve(&self, uri: &str, headers: &HeaderMap) -> Result<Path, Elsewhere> {
        let local = match uri.split_once("://") {
            None if uri.starts_with('/') => uri,
            None => return Err(Elsewhere::Malformed),
            Some((scheme, rest)) => {
                if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
                    return Err(Elsewhere::OtherServer);
                }
                let at = rest.find('/').unwrap_or(rest.len());
                let host = headers.get("host").and_then(|h| h.to_str().ok()).unwrap_or_default();
                if !same_host(&rest[..at], host) && !self.hosts.iter().any(|name| same_host(&rest[..at], name)) {
                    return Err(Elsewhere::OtherServer);
                }
                &rest[at..]
            }
        };
        let local = local.split('?').next().unwrap_or(local);
        let whole = path::parse(local).map_err(|_| Elsewhere::Malformed)?;
        let prefix = path::parse(&self.prefix).map_err(|_| Elsewhere::Malformed)?;
        let names = whole.below(&prefix).ok_or(Elsewhere::OtherServer)?;
        self.path(names).map_err(|_| Elsewhere::Malformed)
    }
}

/// Without user information, which some clients add. A port is compared where both name one: proxies drop it.
fn same_host(a: &str, b: &str) -> bool {
    let split = |h: &str| {
        let h = h.rsplit_once('@').map_or(h, |(_, h)| h).to_ascii_lowercase();
        let (name, port) = h.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).unwrap_or((&h, ""));
        (name.to_owned(), Some(port.to_owned()).filter(|p| !["", "80", "443"].contains(&p.as_str())))
    };
    let ((a, a_port), (b, b_port)) = (split(a), split(b));
    a == b && (a_port == b_port || a_port.is_none() || b_port.is_none())
}

#[cfg(test)]
mod tests {
    use super::same_host;

    #[test]
    fn hosts_are_compared_as_proxies_leave_them() {
        for (a, b, same) in [
            ("cloud.example", "Cloud.Example:443", true),
            ("cloud.example:8443", "cloud.example", true),
            ("ann@cloud.example:8443", "cloud.example:8443", true),
            ("cloud.example:8443", "cloud.example:9443", false),
            ("cloud.example", "other.example", false),
            ("[::1]:8420", "[::1]:8420", true),
            ("[::1]:8420", "[::2]:8420", false),
        ] {
            assert_eq!(same_host(a, b), same, "{a} {b}");
        }
    }
}
