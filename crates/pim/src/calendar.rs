//! A calendar object resource (RFC 4791 §4.1): one VCALENDAR with the components of one UID, and the zones they name.

use std::sync::OnceLock;

use crate::Refused;
use crate::lines::{Component, Line, parse};
use crate::rrule::Rule;
use crate::time::{Form, Span, When};
use crate::zone::Zone;

/// What an object is. The numbers are kept in indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Event = 1,
    Todo = 2,
    Journal = 3,
    FreeBusy = 4,
    Card = 5,
}

impl Kind {
    /// Of calendars.
    pub const COMPONENTS: [Kind; 4] = [Kind::Event, Kind::Todo, Kind::Journal, Kind::FreeBusy];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Event => "VEVENT",
            Kind::Todo => "VTODO",
            Kind::Journal => "VJOURNAL",
            Kind::FreeBusy => "VFREEBUSY",
            Kind::Card => "VCARD",
        }
    }

    pub fn of(name: &str) -> Option<Kind> {
        Kind::COMPONENTS.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    pub fn from_number(n: i64) -> Option<Kind> {
        Kind::COMPONENTS.into_iter().chain([Kind::Card]).find(|kind| *kind as i64 == n)
    }
}

/// A time that something has, with all ways to tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the clock of its zone.
    pub local: i64,
    pub utc: i64,
    pub form: Form,
    /// Told by a zone of its own; else a [`Form::Local`] floats.
    pub zoned: bool,
}

/// A calendar object, read.
#[derive(Debug)]
pub struct Calendar<'a> {
    pub root: Component<'a>,
    pub kind: Kind,
    pub uid: String,
    told: OnceLock<Vec<(String, Zone)>>,
}

fn object<T>(why: &str) -> Result<T, Refused> {
    Err(Refused::Object(why.into()))
}

fn invalid<T>(why: String) -> Result<T, Refused> {
    Err(Refused::Invalid(why))
}

impl<'a> Calendar<'a> {
    /// Takes what may be kept as one resource.
    pub fn parse(text: &'a str) -> Result<Calendar<'a>, Refused> {
        let mut top = parse(text)?;
        let root = match (top.pop(), top.is_empty()) {
            (Some(root), true) if root.name == "VCALENDAR" => root,
            (Some(_), false) => return object("it has more than one component at its top; send each as a resource of its own"),
            _ => return invalid("it is no VCALENDAR".into()),
        };
        Calendar::new(root)
    }

    pub fn new(root: Component<'a>) -> Result<Calendar<'a>, Refused> {
        if root.value("VERSION").is_some_and(|v| v.trim() == "1.0") {
            return invalid("it is vCalendar 1.0, not iCalendar".into());
        }
        if root.line("METHOD").is_some() {
            return object("it has a METHOD: that is a message, not something to keep");
        }
        let mut found: Option<(Kind, String)> = None;
        let mut masters = 0;
        for part in root.children.iter().filter(|c| c.name != "VTIMEZONE") {
            let Some(kind) = Kind::of(&part.name) else { return object("it holds a component that no calendar keeps") };
            let uid = part.value("UID").map(str::trim).filter(|uid| !uid.is_empty());
            let Some(uid) = uid else { return object("a component of it has no UID") };
            match &found {
                Some((k, u)) if *k == kind && u == uid => {}
                Some(_) => return object("its components are not of one kind and one UID; send each as a resource of its own"),
                None => found = Some((kind, uid.to_owned())),
            }
            masters += usize::from(part.line("RECURRENCE-ID").is_none());
            check(kind, part)?;
        }
        let Some((kind, uid)) = found else { return object("it holds no event, task, journal or free-busy time") };
        if masters > 1 {
            return object("two of its components have one UID and no RECURRENCE-ID");
        }
        Ok(Calendar { root, kind, uid, told: OnceLock::new() })
    }

    /// The components that are the object: a master and what overrides instances of it.
    pub fn parts(&self) -> impl Iterator<Item = &Component<'a>> {
        self.root.children.iter().filter(move |c| c.name == self.kind.name())
    }

    fn told(&self) -> &[(String, Zone)] {
        self.told.get_or_init(|| self.root.children.iter().filter(|c| c.name == "VTIMEZONE").filter_map(Zone::told).collect())
    }

    /// The zone called so, by the object or by everybody.
    pub fn zone(&self, id: &str) -> Option<Zone> {
        self.told().iter().find(|(name, _)| name == id.trim()).map(|(_, zone)| zone.clone()).or_else(|| Zone::named(id))
    }

    /// The zone of a line's times, where it names one that is known.
    pub fn zone_of(&self, line: &Line<'_>) -> Option<Zone> {
        line.param("TZID").and_then(|id| self.zone(&id))
    }

    /// The time that a value of a line stands for; `floating` is where clocks are that have no zone.
    pub fn moment(&self, line: &Line<'_>, value: &str, floating: &Zone) -> Option<Moment> {
        let When { local, form } = When::parse(value)?;
        Some(match form {
            Form::Utc => Moment { local, utc: local, form, zoned: true },
            Form::Date => Moment { local, utc: floating.utc(local), form, zoned: false },
            Form::Local => match self.zone_of(line) {
                Some(zone) => Moment { local, utc: zone.utc(local), form, zoned: true },
                None => Moment { local, utc: floating.utc(local), form, zoned: false },
            },
        })
    }

    /// The first time that a component's property gives.
    pub fn time(&self, part: &Component<'_>, name: &str, floating: &Zone) -> Option<Moment> {
        part.line(name).and_then(|line| self.moment(line, line.value(), floating))
    }
}

/// What is looked at later must be readable now: else it would be kept and never be found.
fn check(kind: Kind, part: &Component<'_>) -> Result<(), Refused> {
    if kind == Kind::Event && part.line("DTSTART").is_none() {
        return invalid("an event of it has no DTSTART".into());
    }
    for name in ["DTSTART", "DTEND", "DUE", "RECURRENCE-ID"] {
        if let Some(line) = part.line(name)
            && When::parse(line.value()).is_none()
        {
            return invalid(format!("{name}:{} is no date or time", line.value().chars().take(40).collect::<String>()));
        }
    }
    if part.value("DURATION").is_some_and(|text| Span::parse(text).is_none()) {
        return invalid("its DURATION is none".into());
    }
    match part.all("RRULE").find(|line| Rule::parse(line.value()).is_none()) {
        Some(line) => invalid(format!("RRULE:{} is no recurrence rule", line.value().chars().take(80).collect::<String>())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(inner: &str, good: bool) {
        let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{inner}END:VCALENDAR\n");
        let got = Calendar::parse(&text);
        assert_eq!(got.is_ok(), good, "{inner}: {:?}", got.err());
    }

    #[test]
    fn one_object_a_resource() {
        let event = |more: &str| format!("BEGIN:VEVENT\nUID:1\nDTSTART:20260101T000000Z\n{more}END:VEVENT\n");
        check(&event(""), true);
        check(&(event("") + &event("RECURRENCE-ID:20260102T000000Z\n")), true);
        check(&event("RRULE:FREQ=SECONDLY\n"), true);
        check(&event("DTEND:20250101T000000Z\n"), true);
        check("", false);
        check(&(event("") + &event("")), false);
        check(&(event("") + &event("").replace("UID:1", "UID:2")), false);
        check(&(event("") + "BEGIN:VTODO\nUID:1\nEND:VTODO\n"), false);
        check(&event("").replace("UID:1\n", ""), false);
        check(&event("RRULE:FREQ=SOMETIMES\n"), false);
        check(&event("DTEND:tomorrow\n"), false);
        check(&format!("METHOD:REQUEST\n{}", event("")), false);
        check("BEGIN:VALARM\nUID:1\nEND:VALARM\n", false);
        check("BEGIN:VTODO\nUID:1\nEND:VTODO\n", true);
        assert!(Calendar::parse("hello").is_err() && Calendar::parse("BEGIN:VCARD\nEND:VCARD\n").is_err());
    }
}
