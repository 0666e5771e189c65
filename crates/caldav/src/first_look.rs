//! What a person finds when they first look: a calendar, a list of tasks and an address book. Whoever takes one away
//! afterwards does not get it back.

use holm_core::{Access, Change, Error, Name, Path, Precondition, PropChange, Result};
use holm_formats::dav::CALDAV;
use holm_formats::xml::Writer;

use crate::home::Home;

/// Folder, name to show, and kinds of components, where it is a calendar.
const FURNITURE: [(Home, &str, &str, &[&str]); 3] = [
    (Home::Calendars, "personal", "Calendar", &["VEVENT", "VJOURNAL"]),
    // Apple's Reminders keep tasks where there is nothing else.
    (Home::Calendars, "tasks", "Tasks", &["VTODO"]),
    (Home::Contacts, "personal", "Contacts", &[]),
];

/// Makes what a new person has, where the homes are not there and the party may make them.
pub async fn furnish(access: &Access) -> Result<()> {
    for home in Home::ALL {
        let path = home.path();
        match access.stat(&path) {
            Err(Error::NotFound(_)) => {}
            _ => continue,
        }
        if access.may_add(&path).is_err() || !made(access, path.clone(), Vec::new()).await? {
            continue;
        }
        for (_, folder, name, components) in FURNITURE.iter().filter(|(of, ..)| *of == home) {
            let mut props = vec![property("DAV:", "displayname", name)];
            if !components.is_empty() {
                props.push(component_set(components.iter().copied()));
            }
            made(access, path.join(Name::new(*folder)?), props).await?;
        }
    }
    Ok(())
}

/// Answers whether this made it; another request may have.
async fn made(access: &Access, path: Path, props: Vec<PropChange>) -> Result<bool> {
    match access.commit(Change::MakeFolder { path, props }, Precondition::default()).await {
        Ok(_) => Ok(true),
        Err(Error::Exists(_)) => Ok(false),
        Err(e) => Err(e),
    }
}

/// A property of text, as it is kept.
pub fn property(ns: &str, local: &str, text: &str) -> PropChange {
    element(ns, local, |xml| _ = xml.text(text))
}

fn element(ns: &str, local: &str, inner: impl FnOnce(&mut Writer)) -> PropChange {
    let mut xml = Writer::default();
    xml.fragment(&format!("<x:{local} xmlns:x=\"{ns}\">"));
    inner(&mut xml);
    xml.fragment(&format!("</x:{local}>"));
    PropChange::Set { name: format!("{{{ns}}}{local}"), value: xml.take() }
}

/// CALDAV:supported-calendar-component-set, as it is kept with a calendar.
pub fn component_set<'n>(names: impl Iterator<Item = &'n str>) -> PropChange {
    element(CALDAV, "supported-calendar-component-set", |xml| {
        names.for_each(|name| _ = xml.fragment(&format!("<x:comp name=\"{name}\"/>")));
    })
}
