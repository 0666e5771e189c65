//! When somebody is busy (RFC 4791 §7.10), without saying with what.

use std::ops::ControlFlow;

use crate::calendar::{Calendar, Kind};
use crate::instances::{Range, Series};
use crate::lines::{Component, push};
use crate::time::{Span, When, utc_text};
use crate::zone::Zone;
use crate::{Budget, Spent};

/// How busy; the larger wins where two overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Busy {
    Tentative,
    Unavailable,
    Busy,
}

impl Busy {
    fn name(self) -> &'static str {
        match self {
            Busy::Tentative => "BUSY-TENTATIVE",
            Busy::Unavailable => "BUSY-UNAVAILABLE",
            Busy::Busy => "BUSY",
        }
    }
}

/// Periods that one answer tells of.
const MAX_PERIODS: usize = 10_000;

/// The FREEBUSY periods that a VFREEBUSY lists.
pub fn periods(component: &Component<'_>) -> Vec<(i64, i64, Busy)> {
    let mut found = Vec::new();
    for line in component.all("FREEBUSY") {
        let busy = match line.param("FBTYPE").map(|t| t.to_ascii_uppercase()).as_deref() {
            Some("FREE") => continue,
            Some("BUSY-TENTATIVE") => Busy::Tentative,
            Some("BUSY-UNAVAILABLE") => Busy::Unavailable,
            _ => Busy::Busy,
        };
        for period in line.value().split(',').take(MAX_PERIODS - found.len().min(MAX_PERIODS)) {
            let Some((start, end)) = period.split_once('/') else { continue };
            let Some(start) = When::parse(start).map(|w| w.local) else { continue };
            let end = Span::parse(end).map(|span| start + span.whole()).or_else(|| When::parse(end).map(|w| w.local));
            found.extend(end.filter(|end| *end > start).map(|end| (start, end, busy)));
        }
    }
    found
}

/// Adds the times at which an object keeps somebody busy.
///
/// # Errors
/// [`Spent`] where it would take too many steps, or tell of too many times.
pub fn add(found: &mut Vec<(i64, i64, Busy)>, calendar: &Calendar<'_>, floating: &Zone, range: Range, budget: &mut Budget) -> Result<(), Spent> {
    let parts: Vec<_> = calendar.parts().collect();
    match calendar.kind {
        Kind::FreeBusy => found.extend(parts.iter().flat_map(|part| periods(part)).filter(|(start, end, _)| *start < range.to && *end > range.from)),
        Kind::Event => {
            let says = |part: usize, name: &str, value: &str| parts[part].value(name).is_some_and(|v| v.trim().eq_ignore_ascii_case(value));
            Series::new(calendar, floating, budget)?.visit(range, budget, &mut |i| {
                if found.len() < MAX_PERIODS && i.end > i.start && !says(i.part, "TRANSP", "TRANSPARENT") && !says(i.part, "STATUS", "CANCELLED") {
                    found.push((i.start, i.end, if says(i.part, "STATUS", "TENTATIVE") { Busy::Tentative } else { Busy::Busy }));
                }
                ControlFlow::Continue(())
            })?;
        }
        _ => {}
    }
    if found.len() >= MAX_PERIODS { Err(Spent) } else { Ok(()) }
}

/// A VCALENDAR that tells of the times; those of one kind that touch become one.
pub fn write(mut found: Vec<(i64, i64, Busy)>, range: Range, stamp: i64) -> String {
    found.sort_by_key(|(start, _, busy)| (*busy, *start));
    let mut merged: Vec<(i64, i64, Busy)> = Vec::new();
    for (start, end, busy) in found {
        let (start, end) = (start.max(range.from), end.min(range.to));
        match merged.last_mut() {
            Some(last) if last.2 == busy && last.1 >= start => last.1 = last.1.max(end),
            _ => merged.push((start, end, busy)),
        }
    }
    merged.sort_by_key(|(start, ..)| *start);
    let mut out = String::new();
    for line in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//holm//EN", "BEGIN:VFREEBUSY"] {
        push(&mut out, line);
    }
    push(&mut out, &format!("DTSTAMP:{}", utc_text(stamp)));
    push(&mut out, &format!("DTSTART:{}", utc_text(range.from)));
    push(&mut out, &format!("DTEND:{}", utc_text(range.to)));
    for (start, end, busy) in merged {
        push(&mut out, &format!("FREEBUSY;FBTYPE={}:{}/{}", busy.name(), utc_text(start), utc_text(end)));
    }
    push(&mut out, "END:VFREEBUSY");
    push(&mut out, "END:VCALENDAR");
    out
}
