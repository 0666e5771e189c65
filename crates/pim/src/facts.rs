//! What an index keeps of an object: its kind, its UID, and within which time all of it lies.

use std::ops::ControlFlow;

use crate::calendar::{Calendar, Kind};
use crate::card::Card;
use crate::instances::{Range, Series};
use crate::lines::{Component, text};
use crate::time::{DAY, Form, MAX, MIN, Span};
use crate::zone::Zone;
use crate::{Budget, Refused};

/// Steps spent on finding the end of a series that is counted; one that is longer counts as endless.
const STEPS: u64 = 20_000;

/// Whether the times of the facts decide a question, or only that the object must be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Look at it: it recurs, or has no one time.
    Open = 0,
    /// It takes place once, from first until last, UTC.
    Fixed = 1,
    /// The same by the clock of wherever one is.
    Floating = 2,
}

impl Shape {
    pub fn from_number(n: i64) -> Shape {
        [Shape::Open, Shape::Fixed, Shape::Floating].into_iter().find(|s| *s as i64 == n).unwrap_or(Shape::Open)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub kind: Kind,
    pub uid: String,
    /// Nothing of it is before.
    pub first: i64,
    /// Nor after.
    pub last: i64,
    pub shape: Shape,
}

/// How long what is in a class of an index lasts at most, in seconds.
pub const CLASSES: [i64; 4] = [DAY, 16 * DAY, 256 * DAY, i64::MAX];

impl Facts {
    /// What bytes say that are a calendar object or a vCard.
    pub fn of(bytes: &[u8]) -> Result<Facts, Refused> {
        let text = text(bytes)?;
        let begins = text.trim_start().get(..12).unwrap_or_default().to_ascii_uppercase();
        if begins.starts_with("BEGIN:VCARD") {
            Card::parse(&text).map(|card| Facts::of_card(&card))
        } else {
            Calendar::parse(&text).map(|c| Facts::of_calendar(&c))
        }
    }

    pub fn of_card(card: &Card<'_>) -> Facts {
        Facts { kind: Kind::Card, uid: card.uid.clone(), first: MIN, last: MAX, shape: Shape::Open }
    }

    pub fn of_calendar(calendar: &Calendar<'_>) -> Facts {
        let uid = calendar.uid.clone();
        let kind = calendar.kind;
        let (first, last, shape) = span(calendar).unwrap_or((MIN, MAX, Shape::Open));
        Facts { kind, uid, first, last, shape }
    }

    /// The class of an index that it is in, by how long it lasts.
    pub fn class(&self) -> i64 {
        let lasts = self.last.saturating_sub(self.first);
        CLASSES.iter().position(|most| lasts <= *most).unwrap_or(CLASSES.len() - 1) as i64
    }

    /// Whether its times fit a range; only a sure answer for those that are not [`Shape::Open`]. `local` is the range by the clock
    /// that floating times are read by.
    pub fn fits(first: i64, last: i64, shape: Shape, range: Range, local: Range) -> bool {
        let Range { from, to } = if shape == Shape::Floating { local } else { range };
        match shape {
            Shape::Open => first <= to && last >= from,
            _ if last > first => first < to && last > from,
            _ => from <= first && first < to,
        }
    }
}

/// All the times that a component names.
fn times(calendar: &Calendar<'_>, part: &Component<'_>) -> Option<(i64, i64)> {
    let names = ["DTSTART", "DTEND", "DUE", "COMPLETED", "CREATED", "RECURRENCE-ID"];
    let used = |name: &&&str| calendar.kind == Kind::Todo || !["COMPLETED", "CREATED"].contains(*name);
    let named = names.iter().filter(used).filter_map(|name| calendar.time(part, name, &Zone::Utc));
    let dates = part.all("RDATE").flat_map(|line| line.value().split(',').map(move |value| (line, value.split('/').next().unwrap_or(value))));
    let dates = dates.filter_map(|(line, value)| calendar.moment(line, value, &Zone::Utc));
    let found: Vec<i64> = named.chain(dates).map(|m| m.utc).collect();
    let (first, last) = (*found.iter().min()?, *found.iter().max()?);
    let lasts = part.value("DURATION").and_then(Span::parse).map_or(DAY, |span| span.whole().max(DAY));
    // Clocks without a zone differ by less than a day.
    Some((first - DAY, last + lasts + DAY))
}

/// None where it may be at any time.
fn span(calendar: &Calendar<'_>) -> Option<(i64, i64, Shape)> {
    let parts: Vec<_> = calendar.parts().collect();
    if let [event] = parts[..]
        && calendar.kind == Kind::Event
        && ["RRULE", "RDATE", "RECURRENCE-ID"].iter().all(|name| event.line(name).is_none())
    {
        return once(calendar, event);
    }
    // A task without times is always there; one that was only created, ever since.
    let whole = parts.iter().try_fold((MAX, MIN), |(first, last), part| {
        let dated = calendar.kind != Kind::Todo || part.line("DTSTART").is_some() || part.line("DUE").is_some() || part.line("COMPLETED").is_some();
        let (a, b) = times(calendar, part).filter(|_| dated)?;
        Some((first.min(a), last.max(b)))
    })?;
    let mut budget = Budget::new(STEPS);
    let series = Series::new(calendar, &Zone::Utc, &mut budget).ok()?;
    let mut last = whole.1;
    if series.is_recurring() {
        let endless = parts
            .iter()
            .any(|p| p.all("RRULE").any(|l| !l.value().to_ascii_uppercase().contains("UNTIL=") && !l.value().to_ascii_uppercase().contains("COUNT=")));
        let walked = series.visit(Range { from: MIN, to: MAX }, &mut if endless { Budget::new(0) } else { budget }, &mut |i| {
            last = last.max(i.end + DAY);
            ControlFlow::Continue(())
        });
        if walked.is_err() {
            last = MAX;
        }
    }
    // What is moved may be moved to before the start.
    Some((whole.0, last, Shape::Open))
}

fn once(calendar: &Calendar<'_>, event: &Component<'_>) -> Option<(i64, i64, Shape)> {
    let mut budget = Budget::new(10);
    // Read as if clocks without a zone showed UTC: so are the days of a floating one counted by its own clock.
    let series = Series::new(calendar, &Zone::Utc, &mut budget).ok()?;
    let start = calendar.time(event, "DTSTART", &Zone::Utc)?;
    let end = calendar.time(event, "DTEND", &Zone::Utc);
    // An end by another clock than the start is told by none of both.
    let mixed = end.is_some_and(|end| end.zoned != start.zoned || (end.form == Form::Date) != (start.form == Form::Date));
    let mut found = None;
    series
        .visit(Range { from: MIN, to: MAX }, &mut budget, &mut |i| {
            found = Some((i.start, i.end));
            ControlFlow::Break(())
        })
        .ok()?;
    let (first, last) = found?;
    Some(match (mixed, start.zoned) {
        (true, _) => (first - DAY, last + DAY, Shape::Open),
        (false, true) => (first, last, Shape::Fixed),
        (false, false) => (first, last, Shape::Floating),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::When;

    fn facts(inner: &str) -> Facts {
        Facts::of(format!("BEGIN:VCALENDAR\n{inner}END:VCALENDAR\n").as_bytes()).unwrap()
    }

    #[test]
    fn spans_hold_all_of_an_object() {
        let at = |text: &str| When::parse(text).unwrap().local;
        let once = facts("BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20260701T120000\nDURATION:PT1H\nEND:VEVENT\n");
        assert_eq!((once.first, once.last, once.shape, once.class()), (at("20260701T100000Z"), at("20260701T110000Z"), Shape::Fixed, 0));
        let day = facts("BEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20260701\nDTEND;VALUE=DATE:20260703\nEND:VEVENT\n");
        assert_eq!((day.first, day.last, day.shape, day.class()), (at("20260701"), at("20260703"), Shape::Floating, 1));
        let endless = facts("BEGIN:VEVENT\nUID:1\nDTSTART:20260701T120000Z\nRRULE:FREQ=DAILY\nEND:VEVENT\n");
        assert_eq!((endless.last, endless.class()), (MAX, 3));
        let counted = facts("BEGIN:VEVENT\nUID:1\nDTSTART:20260701T120000Z\nRRULE:FREQ=DAILY;COUNT=10\nEND:VEVENT\n");
        assert!(counted.last >= at("20260710T120000Z") && counted.last < at("20260713"), "{counted:?}");
        let task = facts("BEGIN:VTODO\nUID:1\nEND:VTODO\n");
        assert_eq!((task.first, task.last, task.kind), (MIN, MAX, Kind::Todo));
    }
}
