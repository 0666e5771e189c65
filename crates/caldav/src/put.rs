//! PUT of a calendar object or a vCard (RFC 4791 §5.3.2, RFC 6352 §6.3.2): kept as it came, if it is one.

use bytes::Bytes;
use holm_core::{Change, Error, INLINE_MAX, NewContent, Path};
use holm_dav::methods::put::{early, stored};
use holm_dav::{Answer, Call, Failure};
use holm_formats::dav::CALDAV;
use holm_http::transfer::upload::Upload;
use holm_pim::lines::text;
use holm_pim::{Calendar, Card, Facts, Kind, Refused};
use http::StatusCode;

use crate::home::{Home, Level};
use crate::properties::components;

pub async fn put(home: Home, mut call: Call) -> Answer {
    match Home::level(&call.path) {
        Level::Object => {}
        Level::Home | Level::Collection => return Err(Failure::not_allowed()),
        Level::Deeper => return Err(Failure::new(StatusCode::FORBIDDEN, "objects lie directly in a calendar or address book")),
    }
    if call.headers.contains_key("content-range") {
        return Err(Failure::bad("PUT takes no Content-Range; send the object whole"));
    }
    let precondition = call.precondition()?;
    early(&call, &precondition)?;
    media_type(home, &call)?;
    let bytes = call.body.whole(home.max_size()).await.map_err(|e| {
        let failure = Failure::from(e);
        if failure.status == StatusCode::PAYLOAD_TOO_LARGE { failure.with(too_large(home)) } else { failure }
    })?;
    let facts = read(home, &bytes)?;
    let collection = call.path.parent().unwrap_or_default();
    takes(home, &call, &collection, facts.kind)?;
    let content = content(&mut call, bytes).await?;
    let media_type = Some(home.media_type().to_owned());
    let change = Change::PutItem { path: call.path.clone(), content, media_type, facts };
    let done = call.access.commit(change, precondition).await.map_err(|e| same_uid(home, e))?;
    Ok(stored(&done, false))
}

pub fn same_uid(home: Home, e: Error) -> Failure {
    match e {
        Error::SameUid(at) => Failure::new(StatusCode::FORBIDDEN, format!("{at} has the same UID"))
            .at(if home == Home::Calendars { "cal:no-uid-conflict" } else { "card:no-uid-conflict" }, &at),
        e => e.into(),
    }
}

fn too_large(home: Home) -> &'static str {
    if home == Home::Calendars { "cal:max-resource-size" } else { "card:max-resource-size" }
}

/// What says it is something else is not looked into.
fn media_type(home: Home, call: &Call) -> Result<(), Failure> {
    let Some(given) = call.one("content-type")? else { return Ok(()) };
    let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known: &[&str] = match home {
        Home::Calendars => &["text/calendar"],
        Home::Contacts => &["text/vcard", "text/x-vcard", "text/directory"],
    };
    if known.contains(&kind.as_str()) || kind == "application/octet-stream" || kind.is_empty() {
        return Ok(());
    }
    let condition = if home == Home::Calendars { "cal:supported-calendar-data" } else { "card:supported-address-data" };
    Err(Failure::new(StatusCode::FORBIDDEN, format!("here {} is kept, not {kind}", known[0])).with(condition))
}

/// What the bytes say, if they are what belongs here.
pub fn read(home: Home, bytes: &[u8]) -> Result<Facts, Failure> {
    let facts = text(bytes).and_then(|text| match home {
        Home::Calendars => Calendar::parse(&text).map(|c| Facts::of_calendar(&c)),
        Home::Contacts => Card::parse(&text).map(|c| Facts::of_card(&c)),
    });
    facts.map_err(|refused| {
        let condition = match (home, &refused) {
            (_, Refused::TooMuch(_)) => too_large(home),
            (Home::Calendars, Refused::Invalid(_)) => "cal:valid-calendar-data",
            (Home::Calendars, Refused::Object(_)) => "cal:valid-calendar-object-resource",
            (Home::Contacts, _) => "card:valid-address-data",
        };
        Failure::new(StatusCode::FORBIDDEN, refused.to_string()).with(condition)
    })
}

/// Whether a calendar takes a kind of component.
pub fn takes(home: Home, call: &Call, collection: &Path, kind: Kind) -> Result<(), Failure> {
    if home == Home::Contacts {
        return Ok(());
    }
    let folder = match call.access.stat(collection) {
        // The commit knows better what is wrong.
        Err(Error::NotFound(_) | Error::Denied(..)) => return Ok(()),
        other => other?,
    };
    let name = format!("{{{CALDAV}}}supported-calendar-component-set");
    let props = if folder.props > 0 { call.access.props(collection, folder.id)? } else { Vec::new() };
    let kept = props.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str());
    if components(kept).contains(&kind) {
        return Ok(());
    }
    Err(Failure::new(StatusCode::FORBIDDEN, format!("this calendar takes no {}", kind.name())).with("cal:supported-calendar-component"))
}

async fn content(call: &mut Call, bytes: Vec<u8>) -> Result<NewContent, Failure> {
    if bytes.len() <= INLINE_MAX {
        return Ok(NewContent::Inline(bytes));
    }
    let mut upload = Upload::new(call.access.upload(&call.path, Some(bytes.len() as u64))?);
    let bytes = Bytes::from(bytes);
    for at in (0..bytes.len()).step_by(512 * 1024) {
        upload.push(&bytes.slice(at..bytes.len().min(at + 512 * 1024))).await?;
    }
    Ok(upload.finish().await?)
}
