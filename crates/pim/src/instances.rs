//! The instances of a calendar object: RRULE, RDATE and EXDATE of its master, and the components that override single instances
//! or, with RANGE=THISANDFUTURE, all from one on (RFC 5545 §3.8.5, RFC 4791 §9.9).

use std::cell::Cell;
use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::calendar::{Calendar, Kind, Moment};
use crate::lines::Component;
use crate::rrule::Rule;
use crate::time::{DAY, Form, Span, When};
use crate::zone::Zone;
use crate::{Budget, Spent};

/// From when (included) until when (excluded), since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub from: i64,
    pub to: i64,
}

/// One time that something takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Which of [`Calendar::parts`] tells of it.
    pub part: usize,
    /// By the clock of its zone.
    pub local: i64,
    pub start: i64,
    pub end: i64,
    /// When it was to be by the rule, where there is one: by the clock of its zone, and since 1970 UTC.
    pub id: Option<(i64, i64)>,
    pub form: Form,
    /// In a zone of its own, or UTC; else it floats.
    pub zoned: bool,
}

/// How long something takes: by the calendar, and by a stopwatch after that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Length {
    local: i64,
    exact: i64,
}

/// Which times a component gives, and so how its ranges are compared (RFC 4791 §9.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Both,
    Start,
    Due,
}

/// A component with what is needed of it.
#[derive(Clone, Debug)]
struct Part {
    at: usize,
    start: Moment,
    zone: Zone,
    length: Length,
    given: Given,
    id: Option<Moment>,
    and_future: bool,
}

impl Part {
    fn read(calendar: &Calendar<'_>, at: usize, part: &Component<'_>, floating: &Zone) -> Option<Part> {
        let todo = calendar.kind == Kind::Todo;
        let start_line = part.line("DTSTART").or_else(|| part.line("DUE").filter(|_| todo)).or_else(|| part.line("RECURRENCE-ID"))?;
        let start = calendar.moment(start_line, start_line.value(), floating)?;
        let zone = if start.form == Form::Utc { Zone::Utc } else { calendar.zone_of(start_line).filter(|_| start.zoned).unwrap_or_else(|| floating.clone()) };
        let end = calendar.time(part, if todo { "DUE" } else { "DTEND" }, floating);
        let has_start = start_line.is("DTSTART");
        let span = part.value("DURATION").and_then(Span::parse);
        let day = Length { local: DAY, exact: 0 };
        let (length, given) = match (end, span) {
            (Some(_), _) if !has_start => (Length::default(), Given::Due),
            (Some(end), _) if start.form == Form::Date && end.form == Form::Date => (Length { local: (end.local - start.local).max(0), exact: 0 }, Given::Both),
            (Some(end), _) => (Length { local: 0, exact: (end.utc - start.utc).max(0) }, Given::Both),
            (None, Some(span)) => (Length { local: span.days.max(0) * DAY, exact: span.seconds.max(0) }, Given::Both),
            (None, None) if start.form == Form::Date && !todo => (day, Given::Both),
            (None, None) => (Length::default(), Given::Start),
        };
        let id_line = part.line("RECURRENCE-ID");
        let and_future = id_line.and_then(|l| l.param("RANGE")).is_some_and(|range| range.eq_ignore_ascii_case("THISANDFUTURE"));
        Some(Part { at, start, zone, length, given, id: calendar.time(part, "RECURRENCE-ID", floating), and_future })
    }

    fn instance(&self, local: i64, id: Option<(i64, i64)>) -> Instance {
        let start = self.zone.utc(local);
        let end = if self.length.local == 0 { start } else { self.zone.utc(local + self.length.local) };
        Instance { part: self.at, local, start, end: (end + self.length.exact).max(start), id, form: self.start.form, zoned: self.start.zoned }
    }
}

/// Occurrences told one by one, by the minute or by the day.
#[derive(Default)]
struct Dates {
    moments: HashSet<i64>,
    days: HashSet<i64>,
}

impl Dates {
    fn add(&mut self, moment: Moment, form: Form) {
        if moment.form == Form::Date || form == Form::Date {
            self.days.insert(moment.local.div_euclid(DAY));
        } else {
            self.moments.insert(moment.utc);
        }
    }

    fn has(&self, local: i64, utc: i64) -> bool {
        self.moments.contains(&utc) || self.days.contains(&local.div_euclid(DAY))
    }
}

/// An object made ready for questions about its instances.
pub struct Series {
    kind: Kind,
    master: Option<Part>,
    rules: Vec<Rule>,
    /// By the master's clock, with how long each takes where that is told.
    dates: Vec<(i64, Option<i64>)>,
    without: Dates,
    overrides: Vec<Part>,
    /// Of an override, what it replaces.
    replaced: Dates,
    future: Vec<Part>,
}

impl Series {
    /// `floating` is where clocks are that have no zone.
    pub fn new(calendar: &Calendar<'_>, floating: &Zone, budget: &mut Budget) -> Result<Series, Spent> {
        let mut series = Series {
            kind: calendar.kind,
            master: None,
            rules: Vec::new(),
            dates: Vec::new(),
            without: Dates::default(),
            overrides: Vec::new(),
            replaced: Dates::default(),
            future: Vec::new(),
        };
        let mut master_component = None;
        for (at, component) in calendar.parts().enumerate() {
            budget.spend(1)?;
            let Some(part) = Part::read(calendar, at, component, floating) else { continue };
            match (&part.id, part.and_future) {
                (None, _) => {
                    master_component = Some(component);
                    series.master = Some(part);
                }
                (Some(_), true) => series.future.push(part),
                (Some(_), false) => series.overrides.push(part),
            }
        }
        let form = series.master.as_ref().map_or(Form::Local, |m| m.start.form);
        for part in series.overrides.iter().chain(&series.future) {
            if let Some(id) = part.id {
                series.replaced.add(id, form);
            }
        }
        series.future.sort_by_key(|part| part.id.map(|id| id.utc));
        if let (Some(component), Some(master)) = (master_component, series.master.clone()) {
            series.recur(calendar, component, &master, floating, budget)?;
        }
        Ok(series)
    }

    fn recur(&mut self, calendar: &Calendar<'_>, component: &Component<'_>, master: &Part, floating: &Zone, budget: &mut Budget) -> Result<(), Spent> {
        for line in component.all("RRULE") {
            let Some(mut rule) = Rule::parse(line.value()) else { continue };
            if let Some(When { local, form: Form::Utc }) = rule.until {
                rule.until = Some(When { local: master.zone.local(local), form: Form::Local });
            }
            self.rules.push(rule);
        }
        for line in component.all("EXDATE") {
            for value in line.value().split(',') {
                budget.spend(1)?;
                if let Some(moment) = calendar.moment(line, value, floating) {
                    self.without.add(moment, master.start.form);
                }
            }
        }
        for line in component.all("RDATE") {
            for value in line.value().split(',') {
                budget.spend(1)?;
                let (start, end) = value.split_once('/').map_or((value, None), |(start, end)| (start, Some(end)));
                let Some(moment) = calendar.moment(line, start, floating) else { continue };
                let length = end.and_then(|end| match Span::parse(end) {
                    Some(span) => Some(span.whole().max(0)),
                    None => calendar.moment(line, end, floating).map(|end| (end.utc - moment.utc).max(0)),
                });
                let local = if master.start.form == Form::Date { moment.local - moment.local.rem_euclid(DAY) } else { master.zone.local(moment.utc) };
                self.dates.push((local, length));
            }
        }
        self.dates.sort_unstable();
        self.dates.dedup();
        Ok(())
    }

    pub fn is_recurring(&self) -> bool {
        !self.rules.is_empty() || !self.dates.is_empty()
    }

    /// Calls `each` with the instances that overlap a range, until it breaks. Those of the rules come in order, then single
    /// dates, then overrides.
    ///
    /// # Errors
    /// [`Spent`] where that takes more steps than the budget has.
    pub fn visit(&self, range: Range, budget: &mut Budget, each: &mut dyn FnMut(&Instance) -> ControlFlow<()>) -> Result<(), Spent> {
        let stopped = Cell::new(false);
        let mut tell = |given: Given, instance: Instance| {
            if overlaps(self.kind, given, instance.form, instance.start, instance.end, range) && each(&instance).is_break() {
                stopped.set(true);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        if let Some(master) = &self.master {
            self.by_master(master, range, budget, &mut tell)?;
        }
        if stopped.get() {
            return Ok(());
        }
        for part in self.overrides.iter().chain(&self.future) {
            budget.spend(1)?;
            let id = part.id.map(|id| (id.local, id.utc));
            if tell(part.given, part.instance(part.start.local, id)).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn by_master(&self, master: &Part, range: Range, budget: &mut Budget, tell: &mut dyn FnMut(Given, Instance) -> ControlFlow<()>) -> Result<(), Spent> {
        if !self.is_recurring() {
            if !self.replaced.has(master.start.local, master.start.utc) {
                let _ = tell(master.given, master.instance(master.start.local, None));
            }
            return Ok(());
        }
        let longest = self.future.iter().chain([master]).map(|p| p.length.local + p.length.exact).max().unwrap_or(0);
        let furthest = self.future.iter().filter_map(|p| Some((p.start.local - p.id?.local).abs())).max().unwrap_or(0);
        let slack = longest + furthest + DAY;
        let (from, to) = (master.zone.local(range.from).saturating_sub(slack), master.zone.local(range.to).saturating_add(slack));
        let start = master.start.local;
        let mut told = HashSet::new();
        let mut occurrence = |local: i64, length: Option<i64>| {
            // Where rules and dates name one occurrence, it is one.
            if local > to || !told.insert(local) {
                return if local > to { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            }
            match self.occurrence(master, local, length) {
                Some((given, instance)) => tell(given, instance),
                None => ControlFlow::Continue(()),
            }
        };
        // The start is the first occurrence, whether the rule finds it or not.
        if start >= from && occurrence(start, None).is_break() {
            return Ok(());
        }
        let mut stopped = false;
        for rule in &self.rules {
            rule.visit(start, from, budget, &mut |local| {
                let step = occurrence(local, None);
                stopped = step.is_break() && local <= to;
                step
            })?;
            if stopped {
                return Ok(());
            }
        }
        for (local, length) in self.dates.iter().filter(|(local, _)| *local >= from) {
            budget.spend(1)?;
            if occurrence(*local, *length).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// What takes place where the rule says so; None for what is taken out, or told of by an override.
    fn occurrence(&self, master: &Part, local: i64, length: Option<i64>) -> Option<(Given, Instance)> {
        let utc = master.zone.utc(local);
        if self.without.has(local, utc) || self.replaced.has(local, utc) {
            return None;
        }
        let id = Some((local, utc));
        let since = self.future.iter().rev().find(|p| p.id.is_some_and(|id| id.utc <= utc));
        let mut told = match since {
            Some(part) => {
                let moved = part.start.local - part.id.map_or(part.start.local, |id| id.local);
                (part.given, part.instance(local + moved, id))
            }
            None => (master.given, master.instance(local, id)),
        };
        if let Some(length) = length {
            told.1.end = told.1.start + length;
        }
        Some(told)
    }
}

/// RFC 4791 §9.9.
fn overlaps(kind: Kind, given: Given, form: Form, start: i64, end: i64, range: Range) -> bool {
    let Range { from, to } = range;
    match (kind, given) {
        (Kind::Todo, Given::Both) => (from < end || from <= start) && (to > start || to >= end),
        (Kind::Todo, Given::Start) => from <= start && to > start,
        (Kind::Todo, Given::Due) => from < start && to >= start,
        (Kind::FreeBusy, _) => from <= end && to > start,
        (Kind::Journal, _) if form == Form::Date => from < start + DAY && to > start,
        _ if end > start => start < to && end > from,
        _ => from <= start && start < to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{MAX, MIN, utc_text};

    fn starts(inner: &str, from: &str, to: &str) -> Vec<String> {
        let text = format!("BEGIN:VCALENDAR\n{inner}END:VCALENDAR\n");
        let calendar = Calendar::parse(&text).unwrap();
        let mut budget = Budget::new(Budget::OBJECT);
        let range = Range { from: When::parse(from).unwrap().local, to: When::parse(to).unwrap().local };
        let mut found = Vec::new();
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let series = Series::new(&calendar, &berlin, &mut budget).unwrap();
        series
            .visit(range, &mut budget, &mut |i| {
                found.push(utc_text(i.start));
                ControlFlow::Continue(())
            })
            .unwrap();
        found.sort();
        found
    }

    const WEEKLY: &str = "BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20260105T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY\n\
        EXDATE;TZID=Europe/Berlin:20260112T090000\nRDATE:20260114T100000Z\nEND:VEVENT\n";

    #[test]
    fn a_series_with_exceptions() {
        assert_eq!(starts(WEEKLY, "20260101", "20260120"), ["20260105T080000Z", "20260114T100000Z", "20260119T080000Z"]);
        // The clock is put forward.
        assert_eq!(starts(WEEKLY, "20260401", "20260408"), ["20260406T070000Z"]);
        assert_eq!(starts(WEEKLY, "20900101", "20900108"), ["20900102T080000Z"]);
        let moved = format!("{WEEKLY}BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20260119T090000\nDTSTART:20260120T120000Z\nEND:VEVENT\n");
        assert_eq!(starts(&moved, "20260115", "20260127"), ["20260120T120000Z", "20260126T080000Z"]);
        let future = moved
            .replace("RECURRENCE-ID;", "RECURRENCE-ID;RANGE=THISANDFUTURE;")
            .replace("DTSTART:20260120T120000Z", "DTSTART;TZID=Europe/Berlin:20260120T130000");
        assert_eq!(starts(&future, "20260115", "20260210"), ["20260120T120000Z", "20260127T120000Z", "20260203T120000Z"]);
    }

    #[test]
    fn ranges_touch_as_rfc_4791_says() {
        let check = |lines: &str, from: &str, to: &str, hit: bool| {
            let text = format!("BEGIN:VEVENT\nUID:1\n{lines}END:VEVENT\n");
            assert_eq!(!starts(&text, from, to).is_empty(), hit, "{lines} {from} {to}");
        };
        let hour = "DTSTART:20260105T090000Z\nDTEND:20260105T100000Z\n";
        check(hour, "20260105T100000Z", "20260106", false);
        check(hour, "20260105T095959Z", "20260106", true);
        check(hour, "20260104", "20260105T090000Z", false);
        let point = "DTSTART:20260105T090000Z\n";
        check(point, "20260105T090000Z", "20260105T090001Z", true);
        check(point, "20260105T080000Z", "20260105T090000Z", false);
        // All of a day in Berlin.
        let day = "DTSTART;VALUE=DATE:20260105\n";
        check(day, "20260104T230000Z", "20260104T230001Z", true);
        check(day, "20260105T230000Z", "20260106", false);
        check("DTSTART:20260105T090000Z\nDTEND:20260101T090000Z\n", "20260105T090000Z", "20260106", true);
    }

    #[test]
    fn rules_end() {
        let daily = |rule: &str| format!("BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20260101T003000\nRRULE:{rule}\nEND:VEVENT\n");
        assert_eq!(starts(&daily("FREQ=DAILY;COUNT=3"), "20251231", "20270101").len(), 3);
        assert_eq!(starts(&daily("FREQ=DAILY;COUNT=3"), "20260101", "20270101").len(), 2);
        // In UTC the last one is on the day before.
        assert_eq!(starts(&daily("FREQ=DAILY;UNTIL=20260102T233000Z"), "20251231", "20270101").len(), 3);
        assert_eq!(starts(&daily("FREQ=DAILY;UNTIL=20260103"), "20251231", "20270101").len(), 3);
    }

    #[test]
    fn t18_a_bomb_is_stopped() {
        for rule in [
            "FREQ=SECONDLY",
            "FREQ=MINUTELY;BYSECOND=1,2,3,4,5,6,7,8,9,10",
            "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
            "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=YEARLY;INTERVAL=1000000",
            "FREQ=HOURLY;BYSETPOS=-366;BYMINUTE=0,1,2",
        ] {
            let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:00010101T000000Z\nRRULE:{rule}\nEND:VEVENT\nEND:VCALENDAR\n");
            let calendar = Calendar::parse(&text).unwrap();
            let began = std::time::Instant::now();
            let mut budget = Budget::new(Budget::OBJECT);
            let series = Series::new(&calendar, &Zone::Utc, &mut budget).unwrap();
            let mut found = 0;
            let _ = series.visit(Range { from: MIN, to: MAX }, &mut budget, &mut |_| {
                found += 1;
                ControlFlow::Continue(())
            });
            assert!(found <= Budget::OBJECT && began.elapsed().as_millis() < 500, "{rule}: {found} in {:?}", began.elapsed());
        }
        let many = format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20260101T000000Z\nRRULE:FREQ=DAILY\nEXDATE:{}\nEND:VEVENT\nEND:VCALENDAR\n",
            vec!["20260102T000000Z"; 200_000].join(",")
        );
        let calendar = Calendar::parse(&many).unwrap();
        assert!(Series::new(&calendar, &Zone::Utc, &mut Budget::new(Budget::OBJECT)).is_err());
    }
}
