//! Time zones: by their IANA names, by those of Windows, or as a VTIMEZONE alone tells of them (RFC 5545 §3.6.5). A VTIMEZONE
//! whose name is known is not looked into: the database knows better than a copy somebody made of it once.

use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::civil;
use jiff::tz::TimeZone;

use crate::lines::Component;
use crate::rrule::{Freq, Rule};
use crate::time::{DAY, When, civil as date};
use crate::{Budget, windows};

/// Observances of one VTIMEZONE that are looked at, and single onsets of each.
const MAX_OBSERVANCES: usize = 64;
const MAX_ONSETS: usize = 1_000;
/// Steps that one conversion may take.
const STEPS: u64 = 2_000;

/// What turns the time of a clock on the wall into that of the world.
#[derive(Clone, Debug)]
pub enum Zone {
    Utc,
    Named(TimeZone),
    Told(Arc<Vec<Observance>>),
}

/// From when on which offset holds.
#[derive(Clone, Debug)]
pub struct Observance {
    /// By the clock that showed `from` then.
    onset: i64,
    onsets: Vec<i64>,
    rule: Option<Rule>,
    from: i64,
    to: i64,
}

impl Zone {
    /// The zone of an IANA or Windows name. What some programs put before the name does not count, as in
    /// `/freeassociation.sourceforge.net/Europe/Berlin`.
    pub fn named(name: &str) -> Option<Zone> {
        let name = name.trim().trim_matches('"');
        if ["UTC", "Z", "GMT", "Etc/UTC"].iter().any(|utc| name.eq_ignore_ascii_case(utc)) {
            return Some(Zone::Utc);
        }
        let known = |name: &str| TimeZone::get(name).ok().map(Zone::Named);
        let windows = || windows::iana(name).and_then(known);
        let behind = || {
            // America/Argentina/Buenos_Aires has three parts; the others two.
            let cut = |parts: usize| name.rmatch_indices('/').nth(parts - 1).map(|(at, _)| &name[at + 1..]);
            [3, 2].into_iter().filter_map(cut).find_map(known)
        };
        if name.is_empty() { None } else { known(name).or_else(windows).or_else(behind) }
    }

    /// The zone that a VTIMEZONE tells of, with its TZID.
    pub fn told(timezone: &Component<'_>) -> Option<(String, Zone)> {
        let id = timezone.value("TZID")?.trim().to_owned();
        let location = || timezone.value("X-LIC-LOCATION").and_then(Zone::named);
        let zone = Zone::named(&id).or_else(location).or_else(|| Zone::observances(timezone))?;
        Some((id, zone))
    }

    fn observances(timezone: &Component<'_>) -> Option<Zone> {
        if timezone.children.len() > MAX_OBSERVANCES {
            return None;
        }
        let all: Option<Vec<Observance>> = timezone.children.iter().map(Observance::read).collect();
        all.filter(|all| !all.is_empty()).map(|all| Zone::Told(Arc::new(all)))
    }

    /// What a clock there shows as `local`, since 1970 UTC. Where it shows that twice, the first time; where it never does, as if
    /// it had not been put forward yet (RFC 5545 §3.3.5).
    pub fn utc(&self, local: i64) -> i64 {
        match self {
            Zone::Utc => local,
            Zone::Named(zone) => named_utc(zone, local).unwrap_or(local),
            Zone::Told(observances) => {
                let (before, after) = (offset(observances, local - DAY), offset(observances, local + DAY));
                // What a clock that is put forward never shows counts by the offset before.
                let forward = (after - before).max(0);
                local - offset(observances, local - forward)
            }
        }
    }

    /// What a clock there shows.
    pub fn local(&self, utc: i64) -> i64 {
        match self {
            Zone::Utc => utc,
            Zone::Named(zone) => {
                let at = jiff::Timestamp::from_second(utc.clamp(-377_705_000_000, 253_402_000_000)).unwrap_or_default();
                utc + i64::from(zone.to_offset(at).seconds())
            }
            Zone::Told(observances) => {
                let guess = utc + offset(observances, utc);
                utc + offset(observances, guess)
            }
        }
    }
}

fn named_utc(zone: &TimeZone, local: i64) -> Option<i64> {
    let (year, month, day) = date(local.div_euclid(DAY));
    let of_day = local.rem_euclid(DAY);
    let time = civil::date(0, 1, 1);
    let time = time.with().year(year.try_into().ok()?).month(month as i8).day(day as i8).build().ok()?;
    let time = time.at((of_day / 3_600) as i8, (of_day / 60 % 60) as i8, (of_day % 60) as i8, 0);
    zone.to_timestamp(time).ok().map(|at| at.as_second())
}

/// The offset that holds when clocks show `local`.
fn offset(observances: &[Observance], local: i64) -> i64 {
    let latest = observances.iter().filter_map(|o| o.latest(local).map(|at| (at, o.to))).max_by_key(|(at, _)| *at);
    let first = || observances.iter().min_by_key(|o| o.onset).map(|o| o.from);
    latest.map(|(_, to)| to).or_else(first).unwrap_or(0)
}

fn seconds(offset: &str) -> Option<i64> {
    let (sign, digits) = match offset.trim().split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) || !matches!(digits.len(), 4 | 6) {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2).and_then(|d| d.parse::<i64>().ok()).unwrap_or(0);
    Some(sign * (part(0) * 3_600 + part(2) * 60 + part(4)))
}

impl Observance {
    /// None where it says nothing that could be used, or too much.
    fn read(observance: &Component<'_>) -> Option<Observance> {
        let onset = When::parse(observance.value("DTSTART")?)?.local;
        let rule = match observance.value("RRULE") {
            // Clocks change once a year by one rule; anything more often is no zone.
            Some(rule) => Some(Rule::parse(rule).filter(|rule| rule.freq == Freq::Yearly && !rule.has_times())?),
            None => None,
        };
        let onsets: Vec<i64> = observance.all("RDATE").flat_map(|l| l.value().split(',')).filter_map(When::parse).take(MAX_ONSETS).map(|w| w.local).collect();
        let (from, to) = (seconds(observance.value("TZOFFSETFROM")?)?, seconds(observance.value("TZOFFSETTO")?)?);
        Some(Observance { onset, onsets, rule, from, to })
    }

    /// When it began last, before or at `local`.
    fn latest(&self, local: i64) -> Option<i64> {
        let mut latest = self.onsets.iter().copied().chain([self.onset]).filter(|at| *at <= local).max();
        if let Some(rule) = &self.rule
            && self.onset <= local
        {
            // An UNTIL of long ago leaves the last of its years to be found.
            let end = rule.until.map_or(local, |until| until.local.min(local));
            let from = (end - 800 * DAY).max(self.onset);
            let mut each = |at: i64| {
                if at > local {
                    return ControlFlow::Break(());
                }
                latest = latest.max(Some(at));
                ControlFlow::Continue(())
            };
            let _ = rule.visit(self.onset, from, &mut Budget::new(STEPS), &mut each);
        }
        latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::parse;

    fn local(text: &str) -> i64 {
        When::parse(text).unwrap().local
    }

    const TOLD: &str = "BEGIN:VTIMEZONE\nTZID:Office\nBEGIN:STANDARD\nDTSTART:19701025T030000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\n\
        TZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:19700329T020000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\n\
        TZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:DAYLIGHT\nEND:VTIMEZONE\n";

    #[test]
    fn a_zone_told_of_is_the_zone_named() {
        let told = Zone::told(&parse(TOLD).unwrap()[0]).unwrap();
        assert!(matches!(told.1, Zone::Told(_)) && told.0 == "Office");
        let named = Zone::named("Europe/Berlin").unwrap();
        for at in [
            "20260101T120000",
            "20260329T015959",
            "20260329T023000",
            "20260329T030000",
            "20260701T000000",
            "20261025T023000",
            "20261025T030000",
            "20901231T235959",
        ] {
            assert_eq!(told.1.utc(local(at)), named.utc(local(at)), "{at}");
            assert_eq!(told.1.local(local(at)), named.local(local(at)), "{at}");
        }
        assert_eq!(named.utc(local("20260701T120000")), local("20260701T100000"));
    }

    #[test]
    fn names_are_found_however_they_are_dressed() {
        for name in [
            "Europe/Berlin",
            "europe/berlin",
            "W. Europe Standard Time",
            "/freeassociation.sourceforge.net/Europe/Berlin",
            "/mozilla.org/20050126_1/Europe/Berlin",
            "\"Europe/Berlin\"",
        ] {
            let zone = Zone::named(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(zone.utc(local("20260701T120000")), local("20260701T100000"), "{name}");
        }
        for name in ["", "Nowhere", "/", "a/b/c/d", "../../etc/passwd", "/etc/passwd"] {
            assert!(Zone::named(name).is_none(), "{name}");
        }
    }

    #[test]
    fn t19_a_zone_of_endless_rules_is_none() {
        for rule in ["FREQ=SECONDLY", "FREQ=YEARLY;BYHOUR=1,2,3", "FREQ=NEVER"] {
            let text = TOLD.replace("FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3", rule);
            assert!(Zone::told(&parse(&text).unwrap()[0]).is_none(), "{rule}");
        }
        let many = format!(
            "BEGIN:VTIMEZONE\nTZID:X\n{}END:VTIMEZONE\n",
            "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\n".repeat(65)
        );
        assert!(Zone::told(&parse(&many).unwrap()[0]).is_none());
    }
}
