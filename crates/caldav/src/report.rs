//! REPORT: which one is asked; multiget (RFC 4791 §7.9, RFC 6352 §8.7) and free-busy-query (RFC 4791 §7.10).

use std::collections::VecDeque;

use axum::body::Body;
use axum::response::Response;
use holm_core::{Access, Content, Entry, Error, Path};
use holm_dav::multistatus::{self, Multistatus};
use holm_dav::props::Asked;
use holm_dav::{Answer, Call, Failure};
use holm_formats::dav::{CALDAV, CARDDAV, DAV};
use holm_formats::xml::Element;
use holm_pim::freebusy;
use holm_pim::lines::text;
use holm_pim::{Budget, Calendar, Card, Kind, Zone};
use http::StatusCode;

use crate::body::{Data, Shown, range};
use crate::home::{Home, Level};
use crate::query;

pub async fn report(home: Home, mut call: Call, now: i64) -> Answer {
    let root = call.xml().await?.ok_or_else(|| Failure::bad("REPORT needs a body that names the report"))?;
    let level = Home::level(&call.path);
    // What is not there has no reports.
    call.access.stat(&call.path)?;
    match (&*root.name.ns, root.name.local.as_str(), home) {
        (CALDAV, "calendar-multiget", Home::Calendars) | (CARDDAV, "addressbook-multiget", Home::Contacts) => multiget(home, &call, &root),
        (CALDAV, "calendar-query", Home::Calendars) | (CARDDAV, "addressbook-query", Home::Contacts) => query::query(home, call, &root).await,
        (CALDAV, "free-busy-query", Home::Calendars) if level == Level::Collection => free_busy(call, &root, now).await,
        (DAV, ..) => holm_dav::methods::report::report_of(call, &root),
        _ => Err(Failure::unsupported_report()),
    }
}

/// All bytes of a file, at most [`holm_pim::MAX_OBJECT`] of them; may wait for a disk where they are many.
///
/// # Errors
/// [`Error::Limit`] for more.
pub fn bytes_of(access: &Access, path: &Path) -> holm_core::Result<Vec<u8>> {
    match access.open(path)?.1 {
        Content::Inline(bytes) => Ok(bytes),
        Content::Chunked(cut) if cut.size() > holm_pim::MAX_OBJECT as u64 => Err(Error::Limit("an object is at most 10 MiB")),
        Content::Chunked(cut) => tokio::task::block_in_place(|| {
            let mut bytes = Vec::with_capacity(cut.size() as usize);
            while (bytes.len() as u64) < cut.size() {
                access.read_some(&cut, bytes.len() as u64, cut.size(), &mut bytes)?;
            }
            Ok(bytes)
        }),
    }
}

/// The data of an object as it is asked for; None where it is none.
///
/// # Errors
/// 507 where it would be more than one answer holds.
pub fn data(asked: &Data, bytes: &[u8], floating: &Zone, budget: &mut Budget) -> Result<Option<String>, Failure> {
    let whole = || Some(String::from_utf8_lossy(bytes).into_owned());
    let Ok(text) = text(bytes) else { return Ok(whole()) };
    Ok(match asked {
        Data::Calendar(wanted) if wanted.is_whole() => whole(),
        Data::Calendar(wanted) => match Calendar::parse(&text) {
            Ok(calendar) => {
                let mut own = budget.for_object();
                let written = wanted.write(&calendar, floating, &mut own).map_err(|_| too_many())?;
                budget.give_back(own);
                Some(written)
            }
            Err(_) => whole(),
        },
        Data::Card(None, None) => whole(),
        Data::Card(version, props) => match Card::parse(&text) {
            Ok(card) => {
                let converted = card.converted(version.unwrap_or(card.version));
                match (props, holm_pim::lines::parse(&converted)) {
                    (Some(props), Ok(top)) => top.first().map(|card| holm_pim::card::select(card, props)),
                    _ => Some(converted),
                }
            }
            Err(_) => whole(),
        },
    })
}

pub fn too_many() -> Failure {
    let text = "that is more than one answer holds; ask for a shorter time";
    Failure::new(StatusCode::INSUFFICIENT_STORAGE, text).with("number-of-matches-within-limits")
}

pub fn data_tag(home: Home) -> &'static str {
    if home == Home::Calendars { "cal:calendar-data" } else { "card:address-data" }
}

fn multiget(home: Home, call: &Call, root: &Element) -> Answer {
    let shown = Shown::from_xml(root)?;
    let mut hrefs: VecDeque<String> = root.children().filter(|e| e.is(DAV, "href")).map(|e| e.text().trim().to_owned()).collect();
    let asked = call.asked(shown.propfind())?;
    let (headers, top) = (call.headers.clone(), call.path.clone());
    let zone = query::zone_of(&call.access, &collection(&call.path));
    let mut budget = Budget::new(Budget::REQUEST);
    let step = move |out: &mut Multistatus| {
        let Some(href) = hrefs.pop_front() else { return Ok(false) };
        let path = asked.mount.resolve(&href, &headers).ok().filter(|p| p.is_within(&top));
        match path.map(|path| one(&asked, &shown, path, &zone, &mut budget)) {
            Some(Ok((path, entry, text))) => asked.write_as(out, &href, &path, &entry, text.as_deref().map(|t| (data_tag(home), t)))?,
            Some(Err(failure)) if failure.status == StatusCode::INSUFFICIENT_STORAGE => {
                out.status(&href, failure.status, Some("d:number-of-matches-within-limits"));
            }
            _ => out.status(&href, StatusCode::NOT_FOUND, None),
        }
        Ok(true)
    };
    Ok(multistatus::streamed(Multistatus::new(), step)?)
}

fn one(asked: &Asked, shown: &Shown, path: Path, zone: &Zone, budget: &mut Budget) -> Result<(Path, Entry, Option<String>), Failure> {
    let gone = || Failure::new(StatusCode::NOT_FOUND, "it is not there");
    if Home::level(&path) != Level::Object {
        return Err(gone());
    }
    let entry = asked.access.stat(&path)?;
    if entry.is_folder() {
        return Err(gone());
    }
    let text = match &shown.data {
        Some(wanted) => data(wanted, &bytes_of(&asked.access, &path)?, zone, budget)?,
        None => None,
    };
    Ok((path, entry, text))
}

/// The collection that a path is, or is in.
pub fn collection(path: &Path) -> Path {
    if Home::level(path) == Level::Object { path.parent().unwrap_or_default() } else { path.clone() }
}

async fn free_busy(call: Call, root: &Element, now: i64) -> Answer {
    let range = root.child(CALDAV, "time-range").map(|e| range(e, true)).transpose()?;
    let range = range.ok_or_else(|| Failure::bad("CALDAV:free-busy-query needs a time-range"))?;
    let folder = call.access.stat(&call.path)?;
    let zone = query::zone_of(&call.access, &call.path);
    let work = move || {
        let mut budget = Budget::new(Budget::REQUEST);
        let mut found = Vec::new();
        let items = call.access.items(&call.path, folder.id, Some(range), query::MAX_ITEMS)?;
        let items = items.into_iter().filter(|i| matches!(i.kind, None | Some(Kind::Event | Kind::FreeBusy))).map(|i| i.entry).collect::<Vec<_>>();
        for (_, bytes) in query::read(&call.access, &call.path, folder.id, &items)? {
            if let Ok(text) = text(&bytes)
                && let Ok(calendar) = Calendar::parse(&text)
            {
                let mut own = budget.for_object();
                freebusy::add(&mut found, &calendar, &zone, range, &mut own).map_err(|_| too_many())?;
                budget.give_back(own);
            }
        }
        Ok::<_, Failure>(freebusy::write(found, range, now))
    };
    let text = tokio::task::spawn_blocking(work).await.map_err(|_| Failure::from(Error::Poisoned))??;
    let answer = Response::builder().header("Content-Type", "text/calendar; charset=utf-8").body(Body::from(text));
    answer.map_err(|_| Failure::from(Error::Poisoned))
}
