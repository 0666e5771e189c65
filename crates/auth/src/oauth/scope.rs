//! What an app asks for, in words of OAuth (RFC 6749 §3.3), and the grants that they come to. Two dialects: holm's own, and that of
//! remoteStorage (draft-dejong-remotestorage-26 §4), where every name is a module's.
//!
//! | word | grants |
//! |---|---|
//! | `files:r`, `files:rw`, `files:rw:/a/path` | the tree, or what is at and below a path (percent-encoded) |
//! | `cal`, `cal:r`, `card`, `card:r`, `mail:r` | calendars, contacts, mail |
//! | `life:TYPE:r`, `life:TYPE:w` | records of one kind of one's life: to read them; to add and change them |
//! | `MODULE:r`, `MODULE:rw`, `rs:MODULE:rw` | an app's own folders, `apps/MODULE/` and `apps/public/MODULE/` |
//! | `*:r`, `*:rw` | all of `apps/` |
//! | `openid`, `profile`, `offline_access` | nothing: who the person is, what they are called, a refresh token |
//!
//! Nothing grants to share, to look after people, or to grant: those are not for apps.

use std::fmt;

use holm_core::{Abilities, Ability, Name, Path, Scope as Reach};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// Where documents of apps lie (remoteStorage).
const APPS: &str = "apps";
/// The module that is none: what is in it, all may read.
const PUBLIC: &str = "public";
/// Words in one request, and bytes of it.
const MOST: usize = 32;
const MAX_TEXT: usize = 4_096;
const MAX_MODULE: usize = 64;

/// Which names mean what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// holm's words; what is none of them may be a module.
    Holm,
    /// Modules alone.
    RemoteStorage,
}

/// How much may be done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mode {
    Read,
    /// Read, add, change and delete.
    Change,
}

impl Mode {
    fn parse(text: &str) -> Option<Mode> {
        match text {
            "r" => Some(Mode::Read),
            "rw" => Some(Mode::Change),
            _ => None,
        }
    }

    fn abilities(self) -> Abilities {
        match self {
            Mode::Read => Abilities::READ,
            Mode::Change => Abilities::CHANGE,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Mode::Read { "r" } else { "rw" })
    }
}

/// One word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Who the person is, to this app (OpenID Connect).
    Identity,
    /// What they are called.
    Profile,
    /// A refresh token.
    Offline,
    Files(Mode, Path),
    Calendars(Mode),
    Contacts(Mode),
    /// To read only.
    Mail,
    /// Records of a kind: to read them, or to add and change them.
    Life(String, Mode),
    Module(String, Mode),
    /// Every module.
    Apps(Mode),
}

/// What a path may hold unescaped in a word (RFC 6749 §3.3 allows printable ASCII but for `"` and `\`).
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'\\').add(b'%').add(b':');

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Identity => f.write_str("openid"),
            Scope::Profile => f.write_str("profile"),
            Scope::Offline => f.write_str("offline_access"),
            Scope::Files(mode, path) if path.is_root() => write!(f, "files:{mode}"),
            Scope::Files(mode, path) => write!(f, "files:{mode}:{}", utf8_percent_encode(&path.to_string(), ESCAPED)),
            Scope::Calendars(Mode::Change) => f.write_str("cal"),
            Scope::Calendars(mode) => write!(f, "cal:{mode}"),
            Scope::Contacts(Mode::Change) => f.write_str("card"),
            Scope::Contacts(mode) => write!(f, "card:{mode}"),
            Scope::Mail => f.write_str("mail:r"),
            Scope::Life(kind, Mode::Read) => write!(f, "life:{kind}:r"),
            Scope::Life(kind, Mode::Change) => write!(f, "life:{kind}:w"),
            // What is also a word of ours is told apart by what stands before it.
            Scope::Module(module, mode) if RESERVED.contains(&module.as_str()) => write!(f, "rs:{module}:{mode}"),
            Scope::Module(module, mode) => write!(f, "{module}:{mode}"),
            Scope::Apps(mode) => write!(f, "*:{mode}"),
        }
    }
}

/// Words that are holm's own before they are a module's.
const RESERVED: [&str; 8] = ["files", "cal", "card", "mail", "life", "rs", "share", "admin"];

/// Letters, digits, `_`, `.` and `-`, as real modules are called.
fn is_module(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b);
    !name.is_empty() && name.len() <= MAX_MODULE && name.bytes().all(plain) && !matches!(name, PUBLIC | "." | "..")
}

fn module(name: &str, mode: &str) -> Option<Scope> {
    let mode = Mode::parse(mode)?;
    match name {
        "*" => Some(Scope::Apps(mode)),
        _ => is_module(name).then(|| Scope::Module(name.to_owned(), mode)),
    }
}

/// `/a/path`, percent-encoded.
fn path(text: &str) -> Option<Path> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    text.starts_with('/').then(|| Path::parse(&text).ok()).flatten()
}

impl Scope {
    /// One word; None where it is none.
    pub fn parse(word: &str, dialect: Dialect) -> Option<Scope> {
        let parts: Vec<&str> = word.splitn(3, ':').collect();
        if dialect == Dialect::RemoteStorage {
            return match parts.as_slice() {
                [name, mode] => module(name, mode),
                _ => None,
            };
        }
        match parts.as_slice() {
            ["openid"] => Some(Scope::Identity),
            ["profile"] => Some(Scope::Profile),
            ["offline_access"] => Some(Scope::Offline),
            ["files", mode] => Some(Scope::Files(Mode::parse(mode)?, Path::root())),
            ["files", mode, at] => Some(Scope::Files(Mode::parse(mode)?, path(at)?)),
            ["cal"] => Some(Scope::Calendars(Mode::Change)),
            ["cal", mode] => Some(Scope::Calendars(Mode::parse(mode)?)),
            ["card"] => Some(Scope::Contacts(Mode::Change)),
            ["card", mode] => Some(Scope::Contacts(Mode::parse(mode)?)),
            ["mail", "r"] => Some(Scope::Mail),
            ["life", kind, "r"] => is_module(kind).then(|| Scope::Life((*kind).to_owned(), Mode::Read)),
            ["life", kind, "w"] => is_module(kind).then(|| Scope::Life((*kind).to_owned(), Mode::Change)),
            ["rs", name, mode] => module(name, mode),
            [name, mode] if !RESERVED.contains(name) => module(name, mode),
            _ => None,
        }
    }

    /// What it lets an app do, where.
    pub fn grants(&self) -> Vec<(Reach, Abilities)> {
        let at = |names: &[&str], abilities| {
            let names = names.iter().filter_map(|n| Name::new(*n).ok()).collect();
            (Reach::Path(Path::from_names(names).unwrap_or_default()), abilities)
        };
        let kind = |name: &str, mode: Mode| Reach::parse(name).map(|reach| (reach, mode.abilities())).into_iter().collect();
        match self {
            Scope::Identity | Scope::Profile | Scope::Offline => Vec::new(),
            Scope::Files(mode, path) => vec![(Reach::Path(path.clone()), mode.abilities())],
            Scope::Calendars(mode) => kind("calendars", *mode),
            Scope::Contacts(mode) => kind("contacts", *mode),
            Scope::Mail => kind("mail", Mode::Read),
            Scope::Life(kind, Mode::Read) => vec![at(&["life", kind], Abilities::READ)],
            // Whoever writes down steps has no business with what was written down before.
            Scope::Life(kind, Mode::Change) => vec![at(&["life", kind], Abilities::default().with(Ability::Append).with(Ability::Write))],
            Scope::Module(module, mode) => [&[APPS, module][..], &[APPS, PUBLIC, module]].map(|names| at(names, mode.abilities())).into(),
            Scope::Apps(mode) => vec![at(&[APPS], mode.abilities())],
        }
    }

    /// The same, to read only; where that is something.
    pub fn reading(&self) -> Option<Scope> {
        let mode = Mode::Read;
        match self {
            Scope::Files(_, path) => Some(Scope::Files(mode, path.clone())),
            Scope::Calendars(_) => Some(Scope::Calendars(mode)),
            Scope::Contacts(_) => Some(Scope::Contacts(mode)),
            Scope::Module(module, _) => Some(Scope::Module(module.clone(), mode)),
            Scope::Apps(_) => Some(Scope::Apps(mode)),
            Scope::Life(_, Mode::Change) => None,
            other => Some(other.clone()),
        }
    }

    /// Whether whoever has `other` has this too.
    pub fn is_within(&self, other: &Scope) -> bool {
        if matches!(self, Scope::Identity | Scope::Profile | Scope::Offline) || matches!(other, Scope::Identity | Scope::Profile | Scope::Offline) {
            return self == other;
        }
        let theirs = other.grants();
        self.grants().iter().all(|(reach, abilities)| theirs.iter().any(|(r, a)| reach.path().is_within(&r.path()) && abilities.is_within(*a)))
    }
}

/// What an app asks for, or has: words, each once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scopes(pub Vec<Scope>);

impl Scopes {
    /// Words with spaces between; None where one of them is none, or there are none or too many.
    pub fn parse(text: &str, dialect: Dialect) -> Option<Scopes> {
        let mut scopes: Vec<Scope> = Vec::new();
        for word in text.split(' ').filter(|w| !w.is_empty()) {
            let scope = Scope::parse(word, dialect)?;
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        (!scopes.is_empty() && scopes.len() <= MOST && text.len() <= MAX_TEXT).then_some(Scopes(scopes))
    }

    pub fn has(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// Everything they let an app do; what is within another of them is left out.
    pub fn grants(&self) -> Vec<(Reach, Abilities)> {
        let mut all: Vec<(Reach, Abilities)> = Vec::new();
        for (reach, abilities) in self.0.iter().flat_map(Scope::grants) {
            let within = |of: &(Reach, Abilities)| reach.path().is_within(&of.0.path()) && abilities.is_within(of.1);
            if all.iter().any(within) {
                continue;
            }
            all.retain(|(r, a)| !(r.path().is_within(&reach.path()) && a.is_within(abilities)));
            all.push((reach, abilities));
        }
        all
    }

    /// Whether whoever has `other` has these too.
    pub fn is_within(&self, other: &Scopes) -> bool {
        self.0.iter().all(|scope| other.0.iter().any(|o| scope.is_within(o)))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(Scope::to_string).collect();
        f.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(text: &str, dialect: Dialect) -> Option<String> {
        let told = |(reach, abilities): (Reach, Abilities)| format!("{} {abilities}", reach.path());
        Some(Scopes::parse(text, dialect)?.grants().into_iter().map(told).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn words_and_what_they_grant() {
        use Dialect::{Holm, RemoteStorage};
        const CHANGE: &str = "read,append,write,delete";
        for (text, dialect, due) in [
            ("files:r", Holm, "/ read".to_owned()),
            ("files:rw", Holm, format!("/ {CHANGE}")),
            ("files:rw:/photos/My%20trip", Holm, format!("/photos/My trip {CHANGE}")),
            ("cal card:r mail:r", Holm, format!("/calendars {CHANGE}; /contacts read; /mail read")),
            ("life:steps:r", Holm, "/life/steps read".into()),
            ("life:steps:w", Holm, "/life/steps append,write".into()),
            ("openid profile offline_access", Holm, String::new()),
            ("notes:rw", RemoteStorage, format!("/apps/notes {CHANGE}; /apps/public/notes {CHANGE}")),
            ("my-fav.drinks_2:r", RemoteStorage, "/apps/my-fav.drinks_2 read; /apps/public/my-fav.drinks_2 read".into()),
            ("*:rw notes:r", RemoteStorage, format!("/apps {CHANGE}")),
            ("files:r", RemoteStorage, "/apps/files read; /apps/public/files read".into()),
            ("rs:files:r notes:r", Holm, "/apps/files read; /apps/public/files read; /apps/notes read; /apps/public/notes read".into()),
            ("files:r files:rw:/a", Holm, format!("/ read; /a {CHANGE}")),
        ] {
            assert_eq!(granted(text, dialect), Some(due), "{text}");
            let scopes = Scopes::parse(text, dialect).unwrap();
            assert_eq!(Scopes::parse(&scopes.to_string(), Holm), Some(scopes.clone()), "{scopes} is read back");
        }
    }

    #[test]
    fn t26_what_is_no_word_is_refused_whole() {
        for text in [
            "",
            " ",
            "foo:x",
            "public:rw",
            "files:w",
            "files",
            "files:rw:photos",
            "files:rw:/../etc",
            "files:r:/a%00b",
            "mail:rw",
            "share",
            "admin",
            "admin:rw",
        ] {
            assert_eq!(granted(text, Dialect::Holm), None, "{text}");
        }
        for text in ["foo:x", "public:rw", "FOO:rw", "a/b:r", "..:rw", "foo", "foo:r:w", "foo:rwx", ":rw", "notes:rw public:r", "f\u{f6}:r"] {
            assert_eq!(granted(text, Dialect::RemoteStorage), None, "{text}");
        }
        assert_eq!(granted(&"a:r ".repeat(2_000), Dialect::RemoteStorage), None, "too long");
    }

    #[test]
    fn t40_within_by_whole_names() {
        let s = |text| Scopes::parse(text, Dialect::Holm).unwrap();
        for (less, more, within) in [
            ("files:r", "files:rw", true),
            ("files:rw", "files:r", false),
            ("files:r:/photos", "files:rw:/photos", true),
            ("files:r:/photos-x", "files:rw:/photos", false),
            ("notes:rw", "*:rw", true),
            ("*:r", "notes:rw", false),
            ("notes:r openid", "notes:rw", false),
            ("cal:r", "cal", true),
        ] {
            assert_eq!(s(less).is_within(&s(more)), within, "{less} in {more}");
        }
        assert_eq!(Scope::parse("files:rw:/a", Dialect::Holm).unwrap().reading().unwrap().to_string(), "files:r:/a");
        assert_eq!(Scope::parse("life:steps:w", Dialect::Holm).unwrap().reading(), None);
    }
}
