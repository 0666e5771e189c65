//! What a protocol tells and takes beside WebDAV, where it hangs a part of a tree of its own.

use holm_core::{Access, Entry, Path};
use holm_formats::xml::{Element, QName, Writer};

use crate::Mount;

/// An entry that is asked for a property.
pub struct Seen<'a> {
    pub mount: &'a Mount,
    pub access: &'a Access,
    pub path: &'a Path,
    pub entry: &'a Entry,
    /// Its dead properties: (Clark name, fragment).
    pub dead: &'a [(String, String)],
}

impl Seen<'_> {
    /// The fragment of a dead property.
    pub fn dead(&self, ns: &str, local: &str) -> Option<&str> {
        let name = |clark: &str| clark.strip_prefix('{').and_then(|c| c.strip_prefix(ns)).and_then(|c| c.strip_prefix('}')) == Some(local);
        self.dead.iter().find(|(clark, _)| name(clark)).map(|(_, value)| value.as_str())
    }
}

/// What a protocol adds to the engine. What it does not answer is as WebDAV has it.
pub trait Dialect: Send + Sync {
    /// Writes a property; answers whether the entry has it and this told it.
    fn write(&self, _xml: &mut Writer, _ns: &str, _local: &str, _seen: &Seen<'_>) -> bool {
        false
    }

    /// Whether clients may not set a property.
    fn is_protected(&self, _name: &QName) -> Option<bool> {
        None
    }

    /// Whether the value of a property that clients may set is one that it may have.
    fn takes(&self, _value: &Element) -> bool {
        true
    }

    /// Whether clients may give names and descriptions of their own to what WebDAV has names for.
    fn keeps_names(&self) -> bool {
        false
    }

    /// Whether a member of a folder is shown.
    fn shows(&self, _folder: &Path, _member: &Entry) -> bool {
        true
    }
}

/// WebDAV itself.
pub struct Plain;

impl Dialect for Plain {}
