//! Names and paths. A name keeps the bytes a client sent and is compared by Unicode NFC, so that what a Mac sends
//! (decomposed) and what everybody else sends (composed) is one entry. Knows nothing about URLs or the disk.

use std::fmt;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::error::{Error, Result};

/// Longest name in bytes, as on every common file system.
pub const MAX_NAME: usize = 255;
/// Deepest path.
pub const MAX_DEPTH: usize = 128;

/// One segment of a path.
#[derive(Clone, Eq)]
pub struct Name {
    text: String,
    /// The NFC form, where it differs from `text`.
    key: Option<String>,
}

impl Name {
    /// Refuses empty names, `.`, `..`, `/`, control characters and more than 255 bytes (in either form).
    pub fn new(text: impl Into<String>) -> Result<Name> {
        let text = text.into();
        let invalid = |why: &str| Err(Error::Invalid(format!("name {text:?} {why}")));
        if text.is_empty() {
            return invalid("is empty");
        }
        if text == "." || text == ".." {
            return invalid("is not a name");
        }
        if text.chars().any(|c| c == '/' || c.is_control()) {
            return invalid("holds a slash or a control character");
        }
        if text.len() > MAX_NAME {
            return invalid("is longer than 255 bytes");
        }
        let key = match is_nfc_quick(text.chars()) {
            IsNormalized::Yes => None,
            _ => Some(text.nfc().collect::<String>()).filter(|k| *k != text),
        };
        if key.as_ref().is_some_and(|k| k.len() > MAX_NAME) {
            return invalid("is longer than 255 bytes");
        }
        Ok(Name { text, key })
    }

    /// As the client sent it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form names are compared by (NFC).
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.text)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.key() == other.key()
    }
}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// A place in a person's tree: names from the root. The root itself is the empty path.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Path {
    names: Vec<Name>,
}

impl Path {
    pub fn root() -> Path {
        Path::default()
    }

    /// From text with `/` between names; leading, trailing and doubled slashes do not count.
    pub fn parse(text: &str) -> Result<Path> {
        Path::from_names(text.split('/').filter(|s| !s.is_empty()).map(Name::new).collect::<Result<Vec<_>>>()?)
    }

    pub fn from_names(names: Vec<Name>) -> Result<Path> {
        if names.len() > MAX_DEPTH {
            return Err(Error::Invalid(format!("a path is at most {MAX_DEPTH} names deep")));
        }
        Ok(Path { names })
    }

    pub fn names(&self) -> &[Name] {
        &self.names
    }

    pub fn is_root(&self) -> bool {
        self.names.is_empty()
    }

    pub fn name(&self) -> Option<&Name> {
        self.names.last()
    }

    pub fn parent(&self) -> Option<Path> {
        let (_, rest) = self.names.split_last()?;
        Some(Path { names: rest.to_vec() })
    }

    pub fn join(&self, name: Name) -> Path {
        let mut names = self.names.clone();
        names.push(name);
        Path { names }
    }

    /// `self` is `of` or lies below it; whole names only, so `/photos-x` is not below `/photos`.
    pub fn is_within(&self, of: &Path) -> bool {
        self.names.len() >= of.names.len() && self.names.iter().zip(&of.names).all(|(a, b)| a == b)
    }

    /// The names of `self` below `of`, where it lies there.
    pub fn below(&self, of: &Path) -> Option<&[Name]> {
        self.is_within(of).then(|| &self.names[of.names.len()..])
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() {
            return f.write_str("/");
        }
        self.names.iter().try_for_each(|n| write!(f, "/{}", n.text))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t02_composed_and_decomposed_names_are_one() {
        let nfc = Name::new("caf\u{e9}").unwrap();
        let nfd = Name::new("cafe\u{301}").unwrap();
        assert_eq!(nfc, nfd);
        assert_ne!(nfc.as_str(), nfd.as_str());
        assert_ne!(Name::new("A").unwrap(), Name::new("a").unwrap());
    }

    #[test]
    fn t01_names_that_are_no_names() {
        for bad in ["", ".", "..", "a/b", "a\0b", "a\nb", "\u{7f}", &"x".repeat(256)] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
        for good in ["...", "a\\b", "CON", "a:b", " ", "x.", &"x".repeat(255), "<img src=x>"] {
            assert!(Name::new(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn t40_whole_names_only() {
        let p = |s| Path::parse(s).unwrap();
        assert!(p("/photos/a").is_within(&p("/photos")));
        assert!(!p("/photos-x/a").is_within(&p("/photos")));
        assert!(p("/photos").is_within(&Path::root()));
    }
}
