//! The two homes: where each hangs, and what it holds.

use holm_core::{Entry, Name, Path};
use holm_dav::place::{CALENDARS, CONTACTS};
use holm_formats::dav::{CALDAV, CARDDAV};
use holm_pim::{MAX_CARD, MAX_OBJECT};

/// Where a kind of data is at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    Calendars,
    Contacts,
}

impl Home {
    pub const ALL: [Home; 2] = [Home::Calendars, Home::Contacts];

    /// The folder of a person's tree.
    pub fn folder(self) -> &'static str {
        match self {
            Home::Calendars => "calendars",
            Home::Contacts => "contacts",
        }
    }

    pub fn path(self) -> Path {
        Path::root().join(Name::new(self.folder()).expect("a plain name"))
    }

    /// Where it hangs, without a person.
    pub fn prefix(self) -> &'static str {
        match self {
            Home::Calendars => CALENDARS,
            Home::Contacts => CONTACTS,
        }
    }

    pub fn protocol(self) -> &'static str {
        match self {
            Home::Calendars => "caldav",
            Home::Contacts => "carddav",
        }
    }

    /// The scopes of apps that may read and change it.
    pub fn scopes(self) -> [&'static str; 2] {
        match self {
            Home::Calendars => ["cal:r", "cal"],
            Home::Contacts => ["card:r", "card"],
        }
    }

    pub fn namespace(self) -> &'static str {
        match self {
            Home::Calendars => CALDAV,
            Home::Contacts => CARDDAV,
        }
    }

    /// What a collection in it is, beside a collection; in DAV:resourcetype.
    pub fn resource_type(self) -> &'static str {
        match self {
            Home::Calendars => "calendar",
            Home::Contacts => "addressbook",
        }
    }

    /// A name of its vocabulary, with the prefix that answers have.
    pub fn tag(self, name: &str) -> String {
        match self {
            Home::Calendars => format!("cal:{name}"),
            Home::Contacts => format!("card:{name}"),
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Home::Calendars => "text/calendar; charset=utf-8",
            Home::Contacts => "text/vcard; charset=utf-8",
        }
    }

    /// Largest object, in bytes.
    pub fn max_size(self) -> usize {
        match self {
            Home::Calendars => MAX_OBJECT,
            Home::Contacts => MAX_CARD,
        }
    }

    /// What a path below the home is.
    pub fn level(path: &Path) -> Level {
        match path.names().len() {
            0 | 1 => Level::Home,
            2 => Level::Collection,
            3 => Level::Object,
            _ => Level::Deeper,
        }
    }

    /// Whether an entry is shown there: other files, and folders in collections, are seen as files only.
    pub fn shows(folder: &Path, member: &Entry) -> bool {
        match Home::level(folder) {
            Level::Home => member.is_folder(),
            Level::Collection => holm_core::may_be_item(member),
            Level::Object | Level::Deeper => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Home,
    /// A calendar or an address book.
    Collection,
    Object,
    /// Where these protocols have nothing.
    Deeper,
}
