//! Calendar objects and vCards: whatever is read can be asked, expanded and written again, under its budget.

use std::ops::ControlFlow;

use holm_pim::card::Version;
use holm_pim::data::Wanted;
use holm_pim::filter::{CompFilter, TextMatch};
use holm_pim::instances::{Range, Series};
use holm_pim::lines::text;
use holm_pim::rrule::Rule;
use holm_pim::split::split;
use holm_pim::{Budget, Calendar, Card, Facts, Zone};

/// Some years around now.
const RANGE: Range = Range { from: 1_700_000_000, to: 1_800_000_000 };

/// A calendar object, as bytes of a PUT.
pub fn calendar(data: &[u8]) {
    let Ok(text) = text(data) else { return };
    let Ok(calendar) = Calendar::parse(&text) else { return };
    let facts = Facts::of_calendar(&calendar);
    assert!(facts.first <= facts.last, "{facts:?}");
    let mut budget = Budget::new(Budget::OBJECT);
    if let Ok(series) = Series::new(&calendar, &Zone::Utc, &mut budget) {
        let _ = series.visit(RANGE, &mut budget, &mut |i| {
            assert!(i.start <= i.end, "{i:?}");
            assert!(facts.first <= i.end && i.start <= facts.last, "{facts:?} does not hold {i:?}");
            ControlFlow::Continue(())
        });
    }
    let event = CompFilter { name: calendar.kind.name().into(), range: Some(RANGE), ..CompFilter::default() };
    let filter = CompFilter { name: "VCALENDAR".into(), comps: vec![event], ..CompFilter::default() };
    filter.holds(&calendar, &Zone::Utc, &mut Budget::new(Budget::OBJECT));
    for wanted in [
        Wanted { expand: Some(RANGE), ..Wanted::default() },
        Wanted { limit_recurrences: Some(RANGE), ..Wanted::default() },
        Wanted { limit_free_busy: Some(RANGE), ..Wanted::default() },
    ] {
        if let Ok(written) = wanted.write(&calendar, &Zone::Utc, &mut Budget::new(Budget::OBJECT)) {
            assert!(holm_pim::lines::parse(&written).is_ok(), "what is written can be read: {written}");
        }
    }
}

/// A vCard, as bytes of a PUT.
pub fn card(data: &[u8]) {
    let Ok(text) = text(data) else { return };
    let Ok(card) = Card::parse(&text) else { return };
    for version in [Version::V3, Version::V4] {
        let converted = card.converted(version);
        assert!(Card::parse(&converted).is_ok_and(|c| c.uid == card.uid && c.version == version), "{converted}");
    }
    let _ = TextMatch { text: "a".into(), ..TextMatch::default() }.holds(&card.uid);
}

/// A recurrence rule.
pub fn rule(data: &[u8]) {
    let Some(rule) = std::str::from_utf8(data).ok().and_then(Rule::parse) else { return };
    let mut last = None;
    let _ = rule.visit(RANGE.from, RANGE.from, &mut Budget::new(20_000), &mut |at| {
        assert!(last.is_none_or(|last| last < at), "occurrences come in order: {last:?} {at}");
        last = Some(at);
        ControlFlow::Continue(())
    });
}

/// An export of another program.
pub fn export(data: &[u8]) {
    let Ok(text) = text(data) else { return };
    for object in split(&text).objects {
        let facts = Facts::of(object.text.as_bytes()).expect("what is taken in can be kept");
        assert_eq!(facts, object.facts);
    }
}
