//! What a report shows of a calendar object (RFC 4791 §9.6): parts of it, its instances one by one, or fewer of its overrides.

use std::ops::ControlFlow;

use crate::calendar::{Calendar, Kind};
use crate::instances::{Instance, Range, Series};
use crate::lines::{Component, parse, push, push_component, push_raw};
use crate::time::{Form, date_text, local_text, utc_text};
use crate::zone::Zone;
use crate::{Budget, Spent};

/// Instances of one object that are written one by one.
pub const MAX_INSTANCES: usize = 10_000;

/// Which components and properties are to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comp {
    pub name: String,
    pub all_props: bool,
    /// Names, and whether only the name is wanted.
    pub props: Vec<(String, bool)>,
    pub all_comps: bool,
    pub comps: Vec<Comp>,
}

/// CALDAV:calendar-data. Empty: all, byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub comp: Option<Comp>,
    pub expand: Option<Range>,
    pub limit_recurrences: Option<Range>,
    pub limit_free_busy: Option<Range>,
}

impl Wanted {
    pub fn is_whole(&self) -> bool {
        *self == Wanted::default()
    }

    /// Writes what is wanted of an object. `floating` is where clocks are that have no zone.
    ///
    /// # Errors
    /// [`Spent`] where there is more to write than one answer may hold.
    pub fn write(&self, calendar: &Calendar<'_>, floating: &Zone, budget: &mut Budget) -> Result<String, Spent> {
        let whole = if let Some(range) = self.expand {
            expand(calendar, floating, range, budget)?
        } else if let Some(range) = self.limit_recurrences {
            limit(calendar, floating, range, budget)?
        } else {
            let mut out = String::new();
            push_component(&mut out, &calendar.root);
            out
        };
        let whole = self.limit_free_busy.map_or(whole.clone(), |range| limit_free_busy(&whole, range));
        let Some(comp) = &self.comp else { return Ok(whole) };
        let mut out = String::with_capacity(whole.len());
        if let Some(root) = parse(&whole).unwrap_or_default().first() {
            comp.select(&mut out, root);
        }
        Ok(out)
    }
}

impl Comp {
    fn select(&self, out: &mut String, component: &Component<'_>) {
        push(out, &format!("BEGIN:{}", component.name));
        for line in &component.lines {
            let named = self.props.iter().find(|(name, _)| line.is(name));
            match named {
                Some((name, true)) => push(out, &format!("{name}:")),
                Some(_) => push_raw(out, line),
                // Without a word on properties or components, all are meant.
                None if self.all_props || (self.props.is_empty() && self.comps.is_empty() && !self.all_comps) => push_raw(out, line),
                None => {}
            }
        }
        for child in &component.children {
            match self.comps.iter().find(|c| c.name.eq_ignore_ascii_case(&child.name)) {
                Some(comp) => comp.select(out, child),
                None if self.all_comps || (self.props.is_empty() && self.comps.is_empty() && !self.all_props) => push_component(out, child),
                None => {}
            }
        }
        push(out, &format!("END:{}", component.name));
    }
}

/// Every instance as a component of its own, in UTC, without rules and zones (RFC 4791 §9.6.5).
fn expand(calendar: &Calendar<'_>, floating: &Zone, range: Range, budget: &mut Budget) -> Result<String, Spent> {
    let mut found: Vec<Instance> = Vec::new();
    let series = Series::new(calendar, floating, budget)?;
    series.visit(range, budget, &mut |instance| {
        found.push(*instance);
        if found.len() > MAX_INSTANCES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if found.len() > MAX_INSTANCES {
        return Err(Spent);
    }
    found.sort_by_key(|i| i.start);
    let parts: Vec<_> = calendar.parts().collect();
    let mut out = String::new();
    push(&mut out, "BEGIN:VCALENDAR");
    calendar.root.lines.iter().for_each(|line| push_raw(&mut out, line));
    for instance in &found {
        // What is written counts as steps too: 16 MiB are spent by then.
        budget.spend(parts[instance.part].lines.len() as u64)?;
        one(&mut out, parts[instance.part], instance);
    }
    // A task that has no time takes place always.
    if calendar.kind == Kind::Todo && found.is_empty() {
        parts.iter().filter(|p| p.line("DTSTART").is_none() && p.line("DUE").is_none()).for_each(|part| push_component(&mut out, part));
    }
    push(&mut out, "END:VCALENDAR");
    Ok(out)
}

fn one(out: &mut String, part: &Component<'_>, instance: &Instance) {
    let time = |name: &str, local: i64, utc: i64| match (instance.form, instance.zoned) {
        (Form::Date, _) => format!("{name};VALUE=DATE:{}", date_text(local)),
        (_, true) => format!("{name}:{}", utc_text(utc)),
        (_, false) => format!("{name}:{}", local_text(local)),
    };
    push(out, &format!("BEGIN:{}", part.name));
    let lasts = instance.end - instance.start;
    for line in &part.lines {
        match line.name().to_ascii_uppercase().as_str() {
            "RRULE" | "RDATE" | "EXDATE" | "EXRULE" | "RECURRENCE-ID" => {}
            "DTSTART" => push(out, &time("DTSTART", instance.local, instance.start)),
            name @ ("DTEND" | "DUE") => {
                let by_due = name == "DUE" && part.line("DTSTART").is_none();
                let lasts = if by_due { 0 } else { lasts };
                let days = if instance.form == Form::Date { (lasts + 43_200) / 86_400 * 86_400 } else { lasts };
                push(out, &time(name, instance.local + days, instance.start + lasts));
            }
            _ => push_raw(out, line),
        }
    }
    if let Some((local, utc)) = instance.id {
        push(out, &time("RECURRENCE-ID", local, utc));
    }
    part.children.iter().for_each(|child| push_component(out, child));
    push(out, &format!("END:{}", part.name));
}

/// The master, and the overrides that matter in a range (RFC 4791 §9.6.6).
fn limit(calendar: &Calendar<'_>, floating: &Zone, range: Range, budget: &mut Budget) -> Result<String, Spent> {
    let series = Series::new(calendar, floating, budget)?;
    let mut seen = std::collections::HashSet::new();
    series.visit(range, budget, &mut |instance| {
        seen.insert(instance.part);
        ControlFlow::Continue(())
    })?;
    let mut out = String::new();
    push(&mut out, "BEGIN:VCALENDAR");
    calendar.root.lines.iter().for_each(|line| push_raw(&mut out, line));
    let mut number = 0;
    for child in &calendar.root.children {
        let own = child.name == calendar.kind.name();
        let id = calendar.time(child, "RECURRENCE-ID", floating);
        // One that was moved out of the range matters too: the instance it replaces was in it.
        let was_in = id.is_some_and(|id| range.from <= id.utc && id.utc < range.to);
        if !own || id.is_none() || was_in || seen.contains(&number) {
            push_component(&mut out, child);
        }
        number += usize::from(own);
    }
    push(&mut out, "END:VCALENDAR");
    Ok(out)
}

fn limit_free_busy(text: &str, range: Range) -> String {
    let mut out = String::with_capacity(text.len());
    for root in parse(text).unwrap_or_default() {
        push(&mut out, &format!("BEGIN:{}", root.name));
        root.lines.iter().for_each(|line| push_raw(&mut out, line));
        for child in &root.children {
            if child.name != "VFREEBUSY" {
                push_component(&mut out, child);
                continue;
            }
            push(&mut out, "BEGIN:VFREEBUSY");
            for line in &child.lines {
                let lone = Component { lines: vec![line.clone()], ..Component::default() };
                let outside = line.is("FREEBUSY") && !crate::freebusy::periods(&lone).iter().any(|(start, end, _)| *start < range.to && *end > range.from);
                if !outside {
                    push_raw(&mut out, line);
                }
            }
            push(&mut out, "END:VFREEBUSY");
        }
        push(&mut out, &format!("END:{}", root.name));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::When;

    const SERIES: &str = "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VTIMEZONE\nTZID:Europe/Berlin\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\nSUMMARY:each\nX-MINE:1\n\
        DTSTART;TZID=Europe/Berlin:20260105T090000\nDTEND;TZID=Europe/Berlin:20260105T100000\nRRULE:FREQ=DAILY\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\nSUMMARY:moved\n\
        RECURRENCE-ID;TZID=Europe/Berlin:20260106T090000\nDTSTART;TZID=Europe/Berlin:20260106T120000\nEND:VEVENT\nEND:VCALENDAR\n";

    fn range(from: &str, to: &str) -> Option<Range> {
        Some(Range { from: When::parse(from).unwrap().local, to: When::parse(to).unwrap().local })
    }

    fn write(wanted: Wanted, text: &str) -> Result<String, Spent> {
        wanted.write(&Calendar::parse(text).unwrap(), &Zone::Utc, &mut Budget::new(Budget::OBJECT))
    }

    #[test]
    fn instances_one_by_one() {
        let text = write(Wanted { expand: range("20260105", "20260108"), ..Wanted::default() }, SERIES).unwrap();
        assert_eq!(text.matches("BEGIN:VEVENT").count(), 3, "{text}");
        assert!(!text.contains("RRULE") && !text.contains("VTIMEZONE") && !text.contains("TZID"), "{text}");
        assert!(text.contains("DTSTART:20260106T110000Z\r\n") && text.contains("RECURRENCE-ID:20260106T080000Z\r\n"), "{text}");
        assert!(text.contains("DTEND:20260107T090000Z\r\n") && text.contains("X-MINE:1"), "{text}");
        let days = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20260105\nDTEND;VALUE=DATE:20260106\nRRULE:FREQ=DAILY;COUNT=2\nEND:VEVENT\nEND:VCALENDAR\n";
        let text = write(Wanted { expand: range("20260106", "20260108"), ..Wanted::default() }, days).unwrap();
        assert!(text.contains("DTSTART;VALUE=DATE:20260106\r\nDTEND;VALUE=DATE:20260107\r\nRECURRENCE-ID;VALUE=DATE:20260106"), "{text}");
    }

    #[test]
    fn t18_too_many_instances_are_refused() {
        let bomb = SERIES.replace("FREQ=DAILY", "FREQ=SECONDLY");
        assert_eq!(write(Wanted { expand: range("20260105", "20360108"), ..Wanted::default() }, &bomb), Err(Spent));
    }

    #[test]
    fn fewer_overrides_and_parts() {
        let limited = |from, to| write(Wanted { limit_recurrences: range(from, to), ..Wanted::default() }, SERIES).unwrap();
        assert!(limited("20260106", "20260107").contains("moved") && !limited("20260201", "20260202").contains("moved"));
        let event = Comp { name: "VEVENT".into(), props: vec![("SUMMARY".into(), false), ("UID".into(), true)], ..Comp::default() };
        let comp = Some(Comp { name: "VCALENDAR".into(), comps: vec![event], ..Comp::default() });
        let text = write(Wanted { comp, ..Wanted::default() }, SERIES).unwrap();
        assert!(text.starts_with("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:\r\nSUMMARY:each\r\nEND:VEVENT\r\n"), "{text}");
    }
}
