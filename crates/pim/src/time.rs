//! Dates, times and durations as iCalendar writes them (RFC 5545 §3.3), in seconds: of a clock on the wall (local), or since
//! 1970 UTC. The calendar is the proleptic Gregorian one.

pub const DAY: i64 = 86_400;
/// Years from which and until which something is looked for.
pub const MIN: i64 = -62_135_596_800;
pub const MAX: i64 = 253_402_300_799;

/// A DATE or DATE-TIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct When {
    /// Seconds of the clock it is written by.
    pub local: i64,
    pub form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    Date,
    /// Of a zone given beside it, or of wherever one is.
    Local,
    Utc,
}

/// Days since 1970-01-01.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day.
pub fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// 0 is Monday.
pub fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

pub fn year_length(year: i64) -> i64 {
    365 + i64::from(is_leap(year))
}

fn number(text: &str) -> Option<i64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl When {
    /// `20260131`, `20260131T235960Z`. A leap second is the one before it.
    pub fn parse(text: &str) -> Option<When> {
        let text = text.trim();
        let date = text.get(..8)?;
        let (year, month, day) = (number(&date[..4])?, number(&date[4..6])?, number(&date[6..])?);
        if year < 1 || !(1..=12).contains(&month) || !(1..=month_length(year, month)).contains(&day) {
            return None;
        }
        let midnight = days(year, month, day) * DAY;
        let rest = &text[8..];
        if rest.is_empty() {
            return Some(When { local: midnight, form: Form::Date });
        }
        let time = rest.strip_prefix(['T', 't'])?;
        let (time, form) = match time.strip_suffix(['Z', 'z']) {
            Some(time) => (time, Form::Utc),
            None => (time, Form::Local),
        };
        if time.len() != 6 {
            return None;
        }
        let (hour, minute, second) = (number(time.get(..2)?)?, number(time.get(2..4)?)?, number(time.get(4..)?)?.min(59));
        (hour < 24 && minute < 60).then_some(When { local: midnight + hour * 3_600 + minute * 60 + second, form })
    }
}

/// As a DATE-TIME, without a zone.
pub fn local_text(seconds: i64) -> String {
    let of_day = seconds.rem_euclid(DAY);
    format!("{}T{:02}{:02}{:02}", date_text(seconds), of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

pub fn utc_text(seconds: i64) -> String {
    local_text(seconds) + "Z"
}

pub fn date_text(seconds: i64) -> String {
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    format!("{year:04}{month:02}{day:02}")
}

/// A DURATION: days of the calendar, and seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub days: i64,
    pub seconds: i64,
}

impl Span {
    /// `-P1DT2H`, `P2W`. At most about 3,000 years.
    pub fn parse(text: &str) -> Option<Span> {
        let text = text.trim();
        let (sign, rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let mut rest = rest.strip_prefix(['P', 'p'])?;
        let mut span = Span::default();
        let mut time = false;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix(['T', 't']) {
                (time, rest) = (true, after);
                continue;
            }
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            let count = number(rest.get(..end)?).filter(|n| *n < 100_000_000_000)?;
            match (rest.as_bytes()[end].to_ascii_uppercase(), time) {
                (b'W', false) => span.days += count * 7,
                (b'D', false) => span.days += count,
                (b'H', true) => span.seconds += count * 3_600,
                (b'M', true) => span.seconds += count * 60,
                (b'S', true) => span.seconds += count,
                _ => return None,
            }
            rest = &rest[end + 1..];
        }
        (span.days < 1_100_000 && span.seconds < 1_100_000 * DAY).then_some(Span { days: span.days * sign, seconds: span.seconds * sign })
    }

    /// Where every day has 24 hours.
    pub fn whole(self) -> i64 {
        self.days * DAY + self.seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_both_ways() {
        assert_eq!((days(1970, 1, 1), days(2000, 3, 1), days(1, 1, 1)), (0, 11_017, -719_162));
        for n in (-719_162..2_932_896).step_by(97) {
            let (year, month, day) = civil(n);
            assert_eq!(days(year, month, day), n);
        }
        assert_eq!(weekday(days(2026, 11, 22)), 6);
    }

    #[test]
    fn times_and_durations() {
        let check = |text: &str, want: Option<(i64, Form)>| assert_eq!(When::parse(text).map(|w| (w.local, w.form)), want, "{text}");
        check("19700102", Some((DAY, Form::Date)));
        check("19700101T000001Z", Some((1, Form::Utc)));
        check("19700101T235960", Some((DAY - 1, Form::Local)));
        for bad in
            ["", "1970", "19700230", "19701301", "19700101T", "19700101T2400", "19700101T240000", "19700101T0000000", "+9700101", "1970010\u{e9}", "00000101"]
        {
            check(bad, None);
        }
        let check = |text: &str, want: Option<i64>| assert_eq!(Span::parse(text).map(Span::whole), want, "{text}");
        check("P1DT2H", Some(93_600));
        check("-PT15M", Some(-900));
        check("P2W", Some(14 * DAY));
        check("PT0S", Some(0));
        for bad in ["", "1D", "P1", "P1H", "PT1D", "P99999999999D", "P1\u{e9}", "P-1D"] {
            check(bad, None);
        }
        assert_eq!(utc_text(0) + &date_text(DAY), "19700101T000000Z19700102");
    }
}
