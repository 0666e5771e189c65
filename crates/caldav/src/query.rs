//! calendar-query (RFC 4791 §7.8) and addressbook-query (RFC 6352 §8.6). Where the list of objects decides, only what is found is
//! read; else what may fit is read and asked.

use std::collections::VecDeque;

use holm_core::{Access, Entry, Error, Item, Name, Path};
use holm_dav::multistatus::{self, Multistatus};
use holm_dav::props::Asked;
use holm_dav::{Answer, Call, Failure};
use holm_formats::dav::{CALDAV, CARDDAV};
use holm_formats::xml::Element;
use holm_pim::filter::{CardFilter, CompFilter};
use holm_pim::instances::Range;
use holm_pim::lines::text;
use holm_pim::{Budget, Calendar, Card, Facts, Kind, Shape, Zone};
use http::StatusCode;

use crate::body::{Data, Shown, calendar_filter, card_filter, limit};
use crate::home::{Home, Level};
use crate::properties::{text_of, zone_in};
use crate::report::{bytes_of, collection, data, data_tag, too_many};

/// Objects that one query looks at.
pub const MAX_ITEMS: usize = 1_000_000;
/// Objects read at a time.
const PAGE: usize = 64;
/// Bytes of data that are made, rather than read, for one answer.
const MAX_MADE: usize = 16 << 20;

/// What is asked of each object.
enum Filter {
    Calendar(CompFilter),
    Card(CardFilter),
}

/// The zone in which times of a calendar are read that have none: as it is set, else UTC.
pub fn zone_of(access: &Access, collection: &Path) -> Zone {
    let known = || {
        let folder = access.stat(collection).ok().filter(|f| f.props > 0)?;
        let props = access.props(collection, folder.id).ok()?;
        let value = |local: &str| props.iter().find(|(n, _)| *n == format!("{{{CALDAV}}}{local}")).and_then(|(_, v)| text_of(v));
        value("calendar-timezone").and_then(|t| zone_in(&t)).or_else(|| value("calendar-timezone-id").and_then(|id| Zone::named(&id)))
    };
    known().unwrap_or(Zone::Utc)
}

/// One question to one folder.
struct Question {
    filter: Filter,
    zone: Zone,
    path: Path,
    folder: i64,
    shown: Shown,
}

pub async fn query(home: Home, call: Call, root: &Element) -> Answer {
    let shown = Shown::from_xml(root)?;
    let filter = match home {
        Home::Calendars => {
            let filter = root.child(CALDAV, "filter").map(calendar_filter).transpose()?;
            Filter::Calendar(filter.unwrap_or_else(|| CompFilter { name: "VCALENDAR".into(), ..CompFilter::default() }))
        }
        Home::Contacts => Filter::Card(root.child(CARDDAV, "filter").map(card_filter).transpose()?.unwrap_or_default()),
    };
    let at = collection(&call.path);
    let own_zone = root.child(CALDAV, "timezone").and_then(|e| zone_in(&e.text()));
    let own_zone = own_zone.or_else(|| root.child(CALDAV, "timezone-id").and_then(|e| Zone::named(&e.text())));
    let zone = own_zone.unwrap_or_else(|| zone_of(&call.access, &at));
    let asked = call.asked(shown.propfind())?;
    let most = limit(root)?;
    // A home holds collections, and they are not what is asked for.
    if Home::level(&call.path) == Level::Home {
        return Ok(Multistatus::new().finish());
    }
    let folder = call.access.stat(&at)?;
    let question = Question { filter, zone, path: at, folder: folder.id, shown };
    let mut items = call.access.items(&question.path, folder.id, question.window(), MAX_ITEMS)?;
    if Home::level(&call.path) == Level::Object {
        let only = call.access.stat(&call.path)?.id;
        items.retain(|i| i.entry == only);
    }
    let made = question.shown.data.as_ref().is_some_and(|d| !matches!(d, Data::Calendar(w) if w.is_whole()) && !matches!(d, Data::Card(None, None)));
    let (question, found) = if question.decides() && !made {
        let found: Vec<i64> = question.listed(&items).filter_map(|(id, sure)| sure.then_some(id)).collect();
        let rest: Vec<i64> = question.listed(&items).filter_map(|(id, sure)| (!sure).then_some(id)).collect();
        blocking(call.access.clone(), question, rest, Found::Ids(found)).await?
    } else {
        let all = question.listed(&items).map(|(id, _)| id).collect();
        let start = if made { Found::Made(Vec::new()) } else { Found::Ids(Vec::new()) };
        blocking(call.access.clone(), question, all, start).await?
    };
    write(home, asked, question, found, most)
}

/// What was found: which, or what is to be shown of it, where that had to be made.
enum Found {
    Ids(Vec<i64>),
    Made(Vec<(Entry, Option<String>)>),
}

/// Looks through what has to be read, on a thread that may wait; nothing to read, no thread.
async fn blocking(access: Access, question: Question, ids: Vec<i64>, found: Found) -> Result<(Question, Found), Failure> {
    if ids.is_empty() {
        return Ok((question, found));
    }
    let work = move || {
        let found = question.look(&access, &ids, found)?;
        Ok((question, found))
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure::from(Error::Poisoned))?
}

/// Entries of a folder with their bytes; larger ones are read from their packs.
pub fn read(access: &Access, path: &Path, folder: i64, ids: &[i64]) -> Result<Vec<(Entry, Vec<u8>)>, Failure> {
    let mut found = Vec::with_capacity(ids.len());
    let mut large = Vec::new();
    access.entries(path, folder, ids, true, &mut |entry, bytes| {
        match bytes {
            Some(bytes) => found.push((entry, bytes)),
            None => large.push(entry),
        }
        Ok(())
    })?;
    for entry in large {
        match bytes_of(access, &path.clone().join(Name::new(entry.name.as_str())?)) {
            Ok(bytes) => found.push((entry, bytes)),
            // It went, or is no object any more.
            Err(Error::NotFound(_) | Error::Limit(_)) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(found)
}

impl Question {
    fn window(&self) -> Option<Range> {
        match &self.filter {
            Filter::Calendar(filter) => filter.window().1,
            Filter::Card(_) => None,
        }
    }

    /// Whether the list alone can decide about an object.
    fn decides(&self) -> bool {
        match &self.filter {
            Filter::Calendar(filter) => filter.is_plain() && !filter.absent,
            Filter::Card(filter) => filter.props.is_empty(),
        }
    }

    /// What of the list may fit, and whether it does for sure.
    fn listed<'q>(&'q self, items: &'q [Item]) -> impl Iterator<Item = (i64, bool)> + 'q {
        let kind = match &self.filter {
            Filter::Calendar(filter) => filter.window().0,
            Filter::Card(_) => Some(Kind::Card),
        };
        let range = self.window();
        let local = range.map(|r| Range { from: self.zone.local(r.from), to: self.zone.local(r.to) });
        let plain = self.decides();
        items.iter().filter_map(move |item| {
            // Nothing but cards in an address book, and none in a calendar.
            let of_home = item.kind.is_none_or(|k| (k == Kind::Card) == matches!(self.filter, Filter::Card(_)));
            if !of_home || kind.is_some_and(|k| item.kind.is_some_and(|i| i != k)) {
                return None;
            }
            let fits = |range, local| Facts::fits(item.first, item.last, item.shape, range, local);
            match range.zip(local) {
                Some((range, local)) if !fits(range, local) && item.kind == Some(Kind::Event) => None,
                Some(_) => Some((item.entry, plain && item.kind == Some(Kind::Event) && item.shape != Shape::Open)),
                None => Some((item.entry, plain && item.kind.is_some())),
            }
        })
    }

    fn holds(&self, bytes: &[u8], budget: &mut Budget) -> bool {
        let Ok(text) = text(bytes) else { return false };
        match &self.filter {
            Filter::Calendar(filter) => Calendar::parse(&text).is_ok_and(|calendar| filter.holds(&calendar, &self.zone, budget)),
            Filter::Card(filter) => Card::parse(&text).is_ok_and(|card| filter.holds(&card)),
        }
    }

    fn look(&self, access: &Access, ids: &[i64], mut found: Found) -> Result<Found, Failure> {
        let mut budget = Budget::new(Budget::REQUEST);
        let mut made_bytes = 0;
        for page in ids.chunks(PAGE) {
            for (entry, bytes) in read(access, &self.path, self.folder, page)? {
                if !self.holds(&bytes, &mut budget) {
                    continue;
                }
                match &mut found {
                    Found::Ids(ids) => ids.push(entry.id),
                    Found::Made(made) => {
                        let text = match &self.shown.data {
                            Some(wanted) => data(wanted, &bytes, &self.zone, &mut budget)?,
                            None => None,
                        };
                        made_bytes += text.as_ref().map_or(0, String::len);
                        if made_bytes > MAX_MADE {
                            return Err(too_many());
                        }
                        made.push((entry, text));
                    }
                }
            }
        }
        Ok(found)
    }
}

fn write(home: Home, asked: Asked, question: Question, found: Found, most: Option<usize>) -> Answer {
    let mut left = most.unwrap_or(usize::MAX);
    let tag = data_tag(home);
    let whole = question.shown.data.is_some();
    let (place, folder) = (question.path.clone(), question.folder);
    let href = move |asked: &Asked, entry: &Entry| -> holm_core::Result<(String, Path)> {
        let path = question.path.join(Name::new(entry.name.as_str())?);
        Ok((asked.mount.href(&path, false), path))
    };
    let cut_off = move |out: &mut Multistatus, asked: &Asked, path: &Path| {
        out.status(&asked.mount.href(path, true), StatusCode::INSUFFICIENT_STORAGE, Some("d:number-of-matches-within-limits"));
        Ok(false)
    };
    match found {
        Found::Made(made) => {
            let mut made = VecDeque::from(made);
            let step = move |out: &mut Multistatus| {
                let Some((entry, text)) = made.pop_front() else { return Ok(false) };
                if left == 0 {
                    return cut_off(out, &asked, &place);
                }
                left -= 1;
                let (href, path) = href(&asked, &entry)?;
                asked.write_as(out, &href, &path, &entry, text.as_deref().map(|t| (tag, t)))?;
                Ok(true)
            };
            Ok(multistatus::streamed(Multistatus::new(), step)?)
        }
        Found::Ids(ids) => {
            let mut ids = VecDeque::from(ids);
            let step = move |out: &mut Multistatus| {
                if ids.is_empty() {
                    return Ok(false);
                }
                if left == 0 {
                    return cut_off(out, &asked, &place);
                }
                let page: Vec<i64> = ids.drain(..ids.len().min(PAGE).min(left)).collect();
                left -= page.len();
                let mut entries = Vec::with_capacity(page.len());
                asked.access.entries(&place, folder, &page, whole, &mut |entry, bytes| {
                    entries.push((entry, bytes));
                    Ok(())
                })?;
                for (entry, bytes) in entries {
                    let (href, path) = href(&asked, &entry)?;
                    let bytes = match (bytes, whole) {
                        (None, true) => bytes_of(&asked.access, &path).ok(),
                        (bytes, _) => bytes,
                    };
                    let text = bytes.as_deref().map(String::from_utf8_lossy);
                    asked.write_as(out, &href, &path, &entry, text.as_deref().map(|t| (tag, t)))?;
                }
                Ok(true)
            };
            Ok(multistatus::streamed(Multistatus::new(), step)?)
        }
    }
}
