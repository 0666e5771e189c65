//! The filters of queries (RFC 4791 §9.7, RFC 6352 §10.5), asked of one object.

use std::ops::ControlFlow;

use crate::Budget;
use crate::calendar::{Calendar, Kind};
use crate::card::Card;
use crate::instances::{Range, Series};
use crate::lines::{Component, Line, unescape};
use crate::time::Span;
use crate::zone::Zone;

/// How texts are compared (RFC 4790, RFC 5051).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collation {
    #[default]
    AsciiCasemap,
    Octet,
    UnicodeCasemap,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatchType {
    Equals,
    #[default]
    Contains,
    StartsWith,
    EndsWith,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextMatch {
    pub text: String,
    pub collation: Collation,
    pub kind: MatchType,
    pub negate: bool,
}

impl TextMatch {
    pub fn holds(&self, value: &str) -> bool {
        let fold = |text: &str| match self.collation {
            Collation::Octet => text.to_owned(),
            Collation::AsciiCasemap => text.to_ascii_lowercase(),
            Collation::UnicodeCasemap => text.to_lowercase(),
        };
        let (value, text) = (fold(value), fold(&self.text));
        let found = match self.kind {
            MatchType::Equals => value == text,
            MatchType::Contains => value.contains(&text),
            MatchType::StartsWith => value.starts_with(&text),
            MatchType::EndsWith => value.ends_with(&text),
        };
        found != self.negate
    }
}

/// What is asked of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamFilter {
    pub name: String,
    pub absent: bool,
    pub text: Option<TextMatch>,
}

/// What is asked of a property. Without more, that it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropFilter {
    pub name: String,
    pub absent: bool,
    pub range: Option<Range>,
    pub texts: Vec<TextMatch>,
    pub params: Vec<ParamFilter>,
    /// One of the questions is enough.
    pub any: bool,
}

/// What is asked of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompFilter {
    pub name: String,
    pub absent: bool,
    pub range: Option<Range>,
    pub props: Vec<PropFilter>,
    pub comps: Vec<CompFilter>,
}

/// What is asked of a vCard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardFilter {
    pub props: Vec<PropFilter>,
    pub any: bool,
}

impl ParamFilter {
    fn holds(&self, line: &Line<'_>) -> bool {
        let params = line.params();
        let mut values = params.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&self.name)).flat_map(|(_, values)| values).peekable();
        match (&self.text, self.absent) {
            (_, true) => values.peek().is_none(),
            (None, _) => values.peek().is_some(),
            (Some(text), _) if text.negate => values.peek().is_some() && values.all(|v| text.holds(v)),
            (Some(text), _) => values.any(|v| text.holds(v)),
        }
    }
}

impl PropFilter {
    fn names(&self, line: &Line<'_>) -> bool {
        match self.name.split_once('.') {
            Some((group, name)) => line.is(name) && line.group().is_some_and(|g| g.eq_ignore_ascii_case(group)),
            None => line.is(&self.name),
        }
    }

    /// `in_range` says whether a line's time lies in a range.
    fn holds(&self, component: &Component<'_>, in_range: &dyn Fn(&Line<'_>, Range) -> bool) -> bool {
        let mut lines = component.lines.iter().filter(|line| self.names(line)).peekable();
        if self.absent {
            return lines.peek().is_none();
        }
        lines.any(|line| {
            let value = unescape(line.value());
            let questions = self.texts.len() + self.params.len();
            let mut answers = self.texts.iter().map(|text| text.holds(&value)).chain(self.params.iter().map(|param| param.holds(line)));
            let said = if questions == 0 {
                true
            } else if self.any {
                answers.any(|yes| yes)
            } else {
                answers.all(|yes| yes)
            };
            said && self.range.is_none_or(|range| in_range(line, range))
        })
    }
}

impl CardFilter {
    pub fn holds(&self, card: &Card<'_>) -> bool {
        let mut answers = self.props.iter().map(|prop| prop.holds(&card.root, &|_, _| false));
        if self.props.is_empty() {
            true
        } else if self.any {
            answers.any(|yes| yes)
        } else {
            answers.all(|yes| yes)
        }
    }
}

/// A filter's question to one object.
struct Asked<'a> {
    calendar: &'a Calendar<'a>,
    floating: &'a Zone,
    series: Option<Series>,
    budget: Budget,
}

impl CompFilter {
    /// The time that anything which matches must take place in, where the filter is about one kind of component; and that kind.
    pub fn window(&self) -> (Option<Kind>, Option<Range>) {
        match &self.comps[..] {
            [only] if !only.absent => (Kind::of(&only.name), only.range.filter(|_| Kind::of(&only.name).is_some())),
            _ => (None, None),
        }
    }

    /// Whether the kind and the window are all that is asked.
    pub fn is_plain(&self) -> bool {
        self.props.is_empty()
            && matches!(&self.comps[..], [] | [CompFilter { absent: false, props: _, .. }])
            && self.comps.iter().all(|c| c.props.is_empty() && c.comps.is_empty())
    }

    /// Asks an object. What can not be decided within the budget counts as found: whoever asks will see it.
    pub fn holds(&self, calendar: &Calendar<'_>, floating: &Zone, budget: &mut Budget) -> bool {
        if self.absent || !self.name.eq_ignore_ascii_case("VCALENDAR") {
            return false;
        }
        let mut own = budget.for_object();
        let series = Series::new(calendar, floating, &mut own).ok();
        let mut asked = Asked { calendar, floating, series, budget: own };
        let held = asked.props(&self.props, &calendar.root) && self.comps.iter().all(|comp| asked.has(comp));
        budget.give_back(asked.budget);
        held
    }
}

impl Asked<'_> {
    fn props(&self, props: &[PropFilter], component: &Component<'_>) -> bool {
        let in_range = |line: &Line<'_>, range: Range| {
            let moment = self.calendar.moment(line, line.value(), self.floating);
            moment.is_some_and(|m| range.from <= m.utc && m.utc < range.to)
        };
        props.iter().all(|prop| prop.holds(component, &in_range))
    }

    fn has(&mut self, filter: &CompFilter) -> bool {
        let calendar = self.calendar;
        let mut named = calendar.root.children.iter().filter(|c| c.name.eq_ignore_ascii_case(&filter.name)).peekable();
        if filter.absent {
            return named.peek().is_none();
        }
        // Components of the object are told by number.
        named.enumerate().any(|(at, component)| {
            self.props(&filter.props, component)
                && filter.comps.iter().all(|inner| self.inner(inner, component, at))
                && filter.range.is_none_or(|range| self.in_range(component, at, range))
        })
    }

    fn in_range(&mut self, component: &Component<'_>, at: usize, range: Range) -> bool {
        if component.name == "VTIMEZONE" {
            return false;
        }
        if self.calendar.kind == Kind::Todo && ["DTSTART", "DUE", "RECURRENCE-ID"].iter().all(|name| component.line(name).is_none()) {
            return self.undated(component, range);
        }
        if self.calendar.kind == Kind::FreeBusy && component.line("DTSTART").is_none() {
            return crate::freebusy::periods(component).iter().any(|(start, end, _)| *start < range.to && *end > range.from);
        }
        let Some(series) = &self.series else { return true };
        let mut found = false;
        let walked = series.visit(range, &mut self.budget, &mut |instance| {
            found = instance.part == at;
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found || walked.is_err()
    }

    /// A task without DTSTART and DUE.
    fn undated(&self, task: &Component<'_>, Range { from, to }: Range) -> bool {
        let time = |name| self.calendar.time(task, name, self.floating).map(|m| m.utc);
        match (time("COMPLETED"), time("CREATED")) {
            (Some(done), Some(made)) => (from <= made || from <= done) && (to >= made || to >= done),
            (Some(done), None) => from <= done && to >= done,
            (None, Some(made)) => to > made,
            (None, None) => true,
        }
    }

    /// A component in a component: an alarm.
    fn inner(&mut self, filter: &CompFilter, parent: &Component<'_>, at: usize) -> bool {
        let mut named = parent.children.iter().filter(|c| c.name.eq_ignore_ascii_case(&filter.name)).peekable();
        if filter.absent {
            return named.peek().is_none();
        }
        named.any(|alarm| self.props(&filter.props, alarm) && filter.range.is_none_or(|range| self.goes_off(alarm, at, range)))
    }

    fn goes_off(&mut self, alarm: &Component<'_>, at: usize, range: Range) -> bool {
        let Some(trigger) = alarm.line("TRIGGER") else { return false };
        let times = alarm.value("REPEAT").and_then(|n| n.trim().parse::<i64>().ok()).unwrap_or(0).clamp(0, 100);
        let pause = alarm.value("DURATION").and_then(Span::parse).map_or(0, Span::whole);
        let Some(span) = Span::parse(trigger.value()) else {
            let moment = self.calendar.moment(trigger, trigger.value(), self.floating);
            return moment.is_some_and(|m| (0..=times).any(|n| range.from <= m.utc + n * pause && m.utc + n * pause < range.to));
        };
        let by_end = trigger.param("RELATED").is_some_and(|r| r.eq_ignore_ascii_case("END"));
        let Some(series) = &self.series else { return true };
        let mut found = false;
        for n in 0..=times {
            let later = span.whole() + n * pause;
            let shifted = Range { from: range.from.saturating_sub(later), to: range.to.saturating_sub(later) };
            let looked_at = Range { from: shifted.from.saturating_sub(1), to: shifted.to.saturating_add(1) };
            let walked = series.visit(looked_at, &mut self.budget, &mut |instance| {
                let when = if by_end { instance.end } else { instance.start };
                found |= instance.part == at && shifted.from <= when && when < shifted.to;
                if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            if found || walked.is_err() {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::When;

    const OBJECT: &str = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20260105T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\nSUMMARY:Caf\u{c9}\\, please\n\
        CATEGORIES:Work,Home\nATTENDEE;PARTSTAT=ACCEPTED:mailto:a@b\nBEGIN:VALARM\nTRIGGER:-PT15M\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR\n";

    fn range(from: &str, to: &str) -> Option<Range> {
        Some(Range { from: When::parse(from).unwrap().local, to: When::parse(to).unwrap().local })
    }

    fn check(event: CompFilter, want: bool) {
        let shown = format!("{event:?}");
        let filter = CompFilter { name: "VCALENDAR".into(), comps: vec![event], ..CompFilter::default() };
        let calendar = Calendar::parse(OBJECT).unwrap();
        assert_eq!(filter.holds(&calendar, &Zone::Utc, &mut Budget::new(Budget::REQUEST)), want, "{shown}");
    }

    fn event(props: Vec<PropFilter>) -> CompFilter {
        CompFilter { name: "VEVENT".into(), props, ..CompFilter::default() }
    }

    fn says(name: &str, text: &str, collation: Collation, kind: MatchType) -> CompFilter {
        let texts = vec![TextMatch { text: text.into(), collation, kind, negate: false }];
        event(vec![PropFilter { name: name.into(), texts, ..PropFilter::default() }])
    }

    #[test]
    fn texts_are_compared_by_their_collation() {
        use Collation::*;
        use MatchType::*;
        check(says("SUMMARY", "caf\u{c9}, p", AsciiCasemap, Contains), true);
        check(says("SUMMARY", "caf\u{e9}", AsciiCasemap, Contains), false);
        check(says("SUMMARY", "CAF\u{e9}", UnicodeCasemap, StartsWith), true);
        check(says("SUMMARY", "caf", Octet, Contains), false);
        check(says("SUMMARY", "please", AsciiCasemap, EndsWith), true);
        check(says("SUMMARY", "please", AsciiCasemap, Equals), false);
        check(says("CATEGORIES", "home", AsciiCasemap, Contains), true);
        let mut negated = says("SUMMARY", "tea", AsciiCasemap, Contains);
        negated.props[0].texts[0].negate = true;
        check(negated, true);
    }

    #[test]
    fn what_is_there_and_what_is_not() {
        let prop = |name: &str, absent| event(vec![PropFilter { name: name.into(), absent, ..PropFilter::default() }]);
        check(prop("SUMMARY", false), true);
        check(prop("CLASS", true), true);
        check(prop("CLASS", false), false);
        check(CompFilter { name: "VTODO".into(), absent: true, ..CompFilter::default() }, true);
        check(CompFilter { name: "VTODO".into(), ..CompFilter::default() }, false);
        let param = |name: &str, absent, text: Option<&str>| {
            let text = text.map(|text| TextMatch { text: text.into(), ..TextMatch::default() });
            event(vec![PropFilter { name: "ATTENDEE".into(), params: vec![ParamFilter { name: name.into(), absent, text }], ..PropFilter::default() }])
        };
        check(param("PARTSTAT", false, Some("accepted")), true);
        check(param("PARTSTAT", false, Some("needs")), false);
        check(param("ROLE", true, None), true);
    }

    #[test]
    fn times_of_instances_and_alarms() {
        let at = |from, to| CompFilter { range: range(from, to), ..event(vec![]) };
        check(at("20260107T093000Z", "20260107T094000Z"), true);
        check(at("20260108", "20260201"), false);
        let alarm = |from, to| {
            let comps = vec![CompFilter { name: "VALARM".into(), range: range(from, to), ..CompFilter::default() }];
            CompFilter { comps, ..event(vec![]) }
        };
        check(alarm("20260106T084500Z", "20260106T084600Z"), true);
        check(alarm("20260106T084600Z", "20260106T090000Z"), false);
        check(CompFilter { comps: vec![CompFilter { name: "VALARM".into(), absent: true, ..CompFilter::default() }], ..event(vec![]) }, false);
    }
}
