//! Which parts of holm a token may be for (RFC 8707), and how each part tells of itself (RFC 9728).

use super::refusal::{Refusal, said};
use crate::Auth;

/// The door of remoteStorage, as [`holm_core::Via`] names it.
pub const STORAGE: &str = "remotestorage";

/// Below the origin: where a part is, and the doors behind that address.
const PARTS: &[(&str, &[&str])] = &[("", &[]), ("/dav", &["webdav", "caldav", "carddav"]), ("/api/v1", &["api"]), ("/rs", &[STORAGE])];

impl Auth {
    /// The doors behind these resources; none where none is named: then any.
    ///
    /// # Errors
    /// `invalid_target` for what is no part of this holm.
    pub(super) fn doors<'a>(&self, resources: impl Iterator<Item = &'a str>) -> Result<Vec<String>, Refusal> {
        let (mut doors, mut all) = (Vec::new(), false);
        for resource in resources {
            let Some((_, behind)) = self.part(resource) else {
                return said("invalid_target", "a resource is an address of this holm, as its metadata tell it");
            };
            all |= behind.is_empty();
            doors.extend(behind.iter().map(|d| (*d).to_owned()));
        }
        doors.sort_unstable();
        doors.dedup();
        Ok(if all { Vec::new() } else { doors })
    }

    fn part(&self, resource: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
        let path = resource.strip_prefix(self.origin())?;
        let path = path.strip_suffix('/').unwrap_or(path);
        PARTS.iter().find(|(at, _)| *at == path)
    }

    /// The identifier of the part of holm that is at this path, which may end in a slash.
    pub fn resource_at(&self, path: &str) -> Option<String> {
        let whole = format!("{}{path}", self.origin());
        let (at, _) = self.part(&whole)?;
        Some(format!("{}{at}", self.origin()))
    }
}
