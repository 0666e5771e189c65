//! MKCALENDAR (RFC 4791 §5.3.1) and extended MKCOL (RFC 5689) of calendars and address books.

use holm_core::{Change, Error, MAX_VALUE, PropChange};
use holm_dav::methods::mkcol::{Refused, body, refusal};
use holm_dav::{Answer, Call, Failure, props, status};
use holm_formats::dav::{self, CALDAV, DAV, PropUpdate};
use holm_formats::xml::{Element, QName};
use http::StatusCode;

use crate::first_look::component_set;
use crate::home::{Home, Level};
use crate::properties::{component_names, takes};

pub async fn make(home: Home, method: &str, mut call: Call) -> Answer {
    let by_mkcalendar = method == "MKCALENDAR";
    if by_mkcalendar && home != Home::Calendars {
        return Err(wrong_place("calendars are made below /dav/calendars"));
    }
    match Home::level(&call.path) {
        Level::Collection => {}
        Level::Home => return Err(exists()),
        Level::Object | Level::Deeper => return Err(wrong_place("calendars and address books are made in the home, not in one another")),
    }
    let updates = match body(&mut call).await? {
        None => Vec::new(),
        Some(root) if by_mkcalendar => dav::mkcalendar(&root)?,
        Some(root) if root.is(DAV, "mkcol") => dav::mkcol(&root)?,
        Some(_) => return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body of MKCOL is DAV:mkcol or nothing")),
    };
    let names: Vec<QName> = updates.iter().map(|p| p.name().clone()).collect();
    let props = match properties(home, &call, updates)? {
        Ok(props) => props,
        Err(refused) => return Ok(refusal(&names, &refused)),
    };
    let change = Change::MakeFolder { path: call.path.clone(), props };
    call.access.commit(change, call.precondition()?).await.map_err(|e| match e {
        Error::Exists(_) => exists(),
        e => e.into(),
    })?;
    Ok(status(StatusCode::CREATED))
}

fn exists() -> Failure {
    Failure { allow: holm_dav::ALLOW, ..Failure::new(StatusCode::METHOD_NOT_ALLOWED, "there is something already; choose another name") }
        .with("resource-must-be-null")
}

fn wrong_place(text: &str) -> Failure {
    Failure::new(StatusCode::FORBIDDEN, text).with("cal:calendar-collection-location-ok")
}

fn properties(home: Home, call: &Call, updates: Vec<PropUpdate>) -> Result<Result<Vec<PropChange>, Refused>, Failure> {
    let mut changes = Vec::new();
    for update in updates {
        let PropUpdate::Set(element) = update else { return Err(Failure::bad("what is made anew has no properties to remove")) };
        let refused = |condition| Ok(Err(Refused { name: element.name.clone(), status: StatusCode::FORBIDDEN, condition: Some(condition) }));
        if element.is(DAV, "resourcetype") {
            if !is_one(home, &element) {
                let text = format!("here DAV:resourcetype is a collection and a {}", home.resource_type());
                return Err(Failure::new(StatusCode::FORBIDDEN, text).with("valid-resourcetype"));
            }
        } else if element.is(CALDAV, "supported-calendar-component-set") && home == Home::Calendars {
            let kinds = component_names(&element);
            if kinds.is_empty() {
                return refused("cal:supported-calendar-component");
            }
            changes.push(component_set(kinds.into_iter().map(|kind| kind.name())));
        } else if !takes(&element) {
            return refused("cal:valid-calendar-data");
        } else if props::is_protected(&call.mount, &element.name) {
            return refused("d:cannot-modify-protected-property");
        } else {
            match element.to_fragment(MAX_VALUE) {
                Some(value) => changes.push(PropChange::Set { name: element.name.clark(), value }),
                None => return Ok(Err(Refused { name: element.name.clone(), status: StatusCode::INSUFFICIENT_STORAGE, condition: None })),
            }
        }
    }
    Ok(Ok(changes))
}

/// A plain collection becomes what the home is for: nothing else is in it.
fn is_one(home: Home, resource_type: &Element) -> bool {
    resource_type.children().all(|t| t.is(DAV, "collection") || t.is(home.namespace(), home.resource_type()))
}
