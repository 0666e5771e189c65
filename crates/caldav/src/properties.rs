//! The properties of calendars, address books and what is in them (RFC 4791 §5.2, RFC 6352 §6.2; getctag of CalendarServer).

use holm_core::{Entry, Path};
use holm_dav::dialect::{Dialect, Seen};
use holm_dav::methods::report;
use holm_dav::sync_token::Token;
use holm_formats::dav::{CALDAV, CALENDAR_SERVER, CARDDAV, DAV};
use holm_formats::xml::{self, Element, QName, Writer};
use holm_pim::lines::parse;
use holm_pim::{Kind, Zone};

use crate::home::{Home, Level};

const CALENDAR_REPORTS: &[&str] =
    &["acl-principal-prop-set", "cal:calendar-multiget", "cal:calendar-query", "cal:free-busy-query", "expand-property", "sync-collection"];
const CONTACT_REPORTS: &[&str] = &["acl-principal-prop-set", "card:addressbook-multiget", "card:addressbook-query", "expand-property", "sync-collection"];
/// Names that only the server has an answer to.
const PROTECTED: [(&str, &[&str]); 3] = [
    (
        CALDAV,
        &[
            "supported-calendar-component-set",
            "supported-calendar-data",
            "max-resource-size",
            "min-date-time",
            "max-date-time",
            "max-instances",
            "supported-collation-set",
            "calendar-data",
            "calendar-home-set",
            "calendar-user-address-set",
            "calendar-user-type",
        ],
    ),
    (CARDDAV, &["supported-address-data", "max-resource-size", "supported-collation-set", "address-data", "addressbook-home-set"]),
    (CALENDAR_SERVER, &["getctag"]),
];
/// Instances that a report writes of one object at most.
const MAX_INSTANCES: usize = holm_pim::data::MAX_INSTANCES;

struct Calendars;
struct Contacts;

impl Home {
    pub fn dialect(self) -> &'static dyn Dialect {
        match self {
            Home::Calendars => &Calendars,
            Home::Contacts => &Contacts,
        }
    }
}

macro_rules! dialect {
    ($name:ident, $home:expr) => {
        impl Dialect for $name {
            fn write(&self, xml: &mut Writer, ns: &str, local: &str, seen: &Seen<'_>) -> bool {
                write($home, xml, ns, local, seen)
            }

            fn is_protected(&self, name: &QName) -> Option<bool> {
                match (&*name.ns, name.local.as_str()) {
                    (DAV, "displayname") => Some(false),
                    (ns, local) => PROTECTED.iter().find(|(n, _)| *n == ns).map(|(_, names)| names.contains(&local)),
                }
            }

            fn takes(&self, value: &Element) -> bool {
                takes(value)
            }

            fn keeps_names(&self) -> bool {
                true
            }

            fn shows(&self, folder: &Path, member: &Entry) -> bool {
                Home::shows(folder, member)
            }
        }
    };
}

dialect!(Calendars, Home::Calendars);
dialect!(Contacts, Home::Contacts);

fn write(home: Home, xml: &mut Writer, ns: &str, local: &str, seen: &Seen<'_>) -> bool {
    match (Home::level(seen.path), ns) {
        (level, DAV) => webdav(home, level, xml, local, seen),
        (Level::Collection, CALDAV) if home == Home::Calendars => calendar(xml, local, seen),
        (Level::Collection, CARDDAV) if home == Home::Contacts => address_book(xml, local),
        (Level::Home | Level::Collection, CALENDAR_SERVER) if local == "getctag" => {
            // Whatever changes one changes the other.
            xml.leaf("cs:getctag", &Token::of(seen.entry).text());
            true
        }
        _ => false,
    }
}

fn webdav(home: Home, level: Level, xml: &mut Writer, local: &str, seen: &Seen<'_>) -> bool {
    match (local, level) {
        ("resourcetype", Level::Collection) => {
            xml.open("d:resourcetype").empty("d:collection").empty(&home.tag(home.resource_type())).close("d:resourcetype");
        }
        ("displayname", Level::Collection | Level::Home) => match seen.dead(DAV, "displayname").and_then(text_of) {
            Some(name) => _ = xml.leaf("d:displayname", &name),
            None => return false,
        },
        ("supported-report-set", Level::Collection | Level::Object) => {
            let reports = if home == Home::Calendars { CALENDAR_REPORTS } else { CONTACT_REPORTS };
            report::supported(xml, reports);
        }
        ("getcontenttype", Level::Object) => _ = xml.leaf("d:getcontenttype", home.media_type()),
        _ => return false,
    }
    true
}

fn calendar(xml: &mut Writer, local: &str, seen: &Seen<'_>) -> bool {
    match local {
        "supported-calendar-component-set" => {
            xml.open("cal:supported-calendar-component-set");
            for kind in components(seen.dead(CALDAV, local)) {
                xml.fragment(&format!("<cal:comp name=\"{}\"/>", kind.name()));
            }
            xml.close("cal:supported-calendar-component-set");
        }
        "supported-calendar-data" => {
            xml.open("cal:supported-calendar-data").fragment("<cal:calendar-data content-type=\"text/calendar\" version=\"2.0\"/>");
            xml.close("cal:supported-calendar-data");
        }
        "max-resource-size" => _ = xml.leaf("cal:max-resource-size", &Home::Calendars.max_size().to_string()),
        "min-date-time" => _ = xml.leaf("cal:min-date-time", "00010101T000000Z"),
        "max-date-time" => _ = xml.leaf("cal:max-date-time", "99991231T235959Z"),
        "max-instances" => _ = xml.leaf("cal:max-instances", &MAX_INSTANCES.to_string()),
        "supported-collation-set" => collations(xml, "cal"),
        _ => return false,
    }
    true
}

fn address_book(xml: &mut Writer, local: &str) -> bool {
    match local {
        "supported-address-data" => {
            xml.open("card:supported-address-data");
            for version in ["3.0", "4.0"] {
                xml.fragment(&format!("<card:address-data-type content-type=\"text/vcard\" version=\"{version}\"/>"));
            }
            xml.close("card:supported-address-data");
        }
        "max-resource-size" => _ = xml.leaf("card:max-resource-size", &Home::Contacts.max_size().to_string()),
        "supported-collation-set" => collations(xml, "card"),
        _ => return false,
    }
    true
}

fn collations(xml: &mut Writer, prefix: &str) {
    let (set, one) = (format!("{prefix}:supported-collation-set"), format!("{prefix}:supported-collation"));
    xml.open(&set);
    for name in ["i;ascii-casemap", "i;octet", "i;unicode-casemap"] {
        xml.leaf(&one, name);
    }
    xml.close(&set);
}

/// The text of a property as it is kept.
pub fn text_of(fragment: &str) -> Option<String> {
    Some(xml::parse(fragment.as_bytes()).ok()?.text())
}

/// The kinds of components that a calendar takes, by its property as it is kept.
pub fn components(kept: Option<&str>) -> Vec<Kind> {
    let named: Vec<Kind> = kept.and_then(|f| xml::parse(f.as_bytes()).ok()).map(|e| component_names(&e)).unwrap_or_default();
    if named.is_empty() { vec![Kind::Event, Kind::Todo, Kind::Journal] } else { named }
}

/// The kinds that a CALDAV:supported-calendar-component-set names.
pub fn component_names(set: &Element) -> Vec<Kind> {
    let name = |comp: &Element| comp.attributes.iter().find(|(n, _)| n.local == "name").and_then(|(_, v)| Kind::of(v));
    set.children().filter(|c| c.is(CALDAV, "comp")).filter_map(name).collect()
}

/// The zone that a CALDAV:calendar-timezone holds.
pub fn zone_in(text: &str) -> Option<Zone> {
    let top = parse(text.trim()).ok()?;
    let told = top.iter().flat_map(|root| &root.children).chain(&top).find(|c| c.name == "VTIMEZONE").and_then(Zone::told);
    told.map(|(_, zone)| zone)
}

/// What could not be understood later is refused now.
pub fn takes(value: &Element) -> bool {
    match (&*value.name.ns, value.name.local.as_str()) {
        (CALDAV, "calendar-timezone") => value.text().trim().is_empty() || zone_in(&value.text()).is_some(),
        (CALDAV, "calendar-timezone-id") => value.text().trim().is_empty() || Zone::named(&value.text()).is_some(),
        _ => true,
    }
}
