//! Addresses: `/rs/PERSON/MODULE/…/document`, and folders with a slash at the end (draft §4).

use holm_core::{Name, Path, mutant};
use holm_http::path;

/// Where storage hangs.
pub const ROOT: &str = "/rs";
/// The folder of a tree that has what apps keep.
const APPS: &str = "apps";
/// What is in it is for everybody (draft §5).
const PUBLIC: &str = "public";

/// What an address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub person: String,
    /// In the person's tree.
    pub path: Path,
    pub is_folder: bool,
    /// Below `public/`.
    pub is_public: bool,
}

impl Place {
    /// # Errors
    /// Why the address names nothing that could be.
    pub fn parse(escaped: &str) -> Result<Place, String> {
        if escaped.contains("//") {
            return Err("a name in the path is empty".into());
        }
        let whole = path::parse(escaped)?;
        let [_, person, names @ ..] = whole.names() else { return Err("the address of storage is /rs/NAME/".into()) };
        let is_folder = escaped.ends_with('/');
        if names.is_empty() && !is_folder {
            return Err("the address of a folder ends with a slash".into());
        }
        let apps = Name::new(APPS).map_err(|e| e.to_string())?;
        let path = Path::from_names([&[apps], names].concat()).map_err(|e| e.to_string())?;
        let is_public = names.first().is_some_and(|first| first.key() == PUBLIC);
        Ok(Place { person: person.as_str().to_owned(), path, is_folder, is_public })
    }

    /// The scope that an app would ask for to come here, in words of OAuth.
    pub fn scope(&self, reads: bool) -> String {
        // The first name is that of the folder of all apps.
        let module = self.path.names().get(if self.is_public { 2 } else { 1 }).map(|name| name.as_str());
        let plain = |name: &&str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b));
        format!("{}:{}", module.filter(plain).unwrap_or("*"), if reads { "r" } else { "rw" })
    }

    /// Whether everybody may read this: documents, never what else is there.
    pub fn is_open(&self) -> bool {
        self.is_public && (!self.is_folder || mutant("public-listed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_those_of_modules() {
        let scope = |path: &str, reads| Place::parse(path).unwrap().scope(reads);
        assert_eq!(scope("/rs/ann/notes/a", true), "notes:r");
        assert_eq!(scope("/rs/ann/public/notes/a", false), "notes:rw");
        for all in ["/rs/ann/", "/rs/ann/public/", "/rs/ann/%22x/a"] {
            assert_eq!(scope(all, false), "*:rw", "{all}");
        }
    }

    #[test]
    fn t40_addresses() {
        let place = |path: &str| Place::parse(path).map(|p| (p.path.to_string(), p.is_folder, p.is_public));
        let is = |path: &str, folder, public| Ok((path.to_owned(), folder, public));
        assert_eq!(place("/rs/ann/"), is("/apps", true, false));
        assert_eq!(place("/rs/ann/notes/"), is("/apps/notes", true, false));
        assert_eq!(place("/rs/ann/notes/a%20b"), is("/apps/notes/a b", false, false));
        assert_eq!(place("/rs/ann/public/notes/a"), is("/apps/public/notes/a", false, true));
        assert_eq!(place("/rs/ann/public"), is("/apps/public", false, true));
        assert_eq!(place("/rs/ann/public-x/a"), is("/apps/public-x/a", false, false));
        assert_eq!(place("/rs/ann/%70ublic/a"), is("/apps/public/a", false, true));
        for bad in
            ["/rs", "/rs/", "/rs/ann", "/rs/ann//", "/rs/ann/notes//x", "/rs//notes/x", "/rs/ann/%2e%2e/x", "/rs/ann/a%2Fb", "/rs/ann/./a", "/rs/ann/a%00"]
        {
            assert!(place(bad).is_err(), "{bad}");
        }
        assert!(place(&format!("/rs/ann{}", "/x".repeat(128))).is_err());
    }
}
