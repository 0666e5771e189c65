//! Dates as the protocols write them: IMF-fixdate (RFC 9110 §5.6.7) and RFC 3339. Times are milliseconds since 1970.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;

/// `Sun, 06 Nov 1994 08:49:37 GMT`; never before 1970, which some clients do not survive.
pub fn http(millis: i64) -> String {
    let at = Timestamp::from_second(millis.max(0).div_euclid(1_000)).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// `1994-11-06T08:49:37Z`
pub fn rfc3339(millis: i64) -> String {
    let at = Timestamp::from_second(millis.div_euclid(1_000)).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Year, month, day, hour, minute and second in UTC.
pub fn civil(millis: i64) -> (i16, u8, u8, u8, u8, u8) {
    let at = Timestamp::from_second(millis.div_euclid(1_000)).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC);
    let small = |n: i8| n.unsigned_abs();
    (at.year(), small(at.month()), small(at.day()), small(at.hour()), small(at.minute()), small(at.second()))
}

/// An HTTP date; None if it is none.
pub fn parse_http(text: &str) -> Option<i64> {
    DateTimeParser::new().parse_timestamp(text.trim()).ok().map(|t| t.as_millisecond())
}

/// An RFC 3339 time; None if it is none.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    text.trim().parse::<Timestamp>().ok().map(|t| t.as_millisecond())
}

/// Seconds since 1970, with or without a fraction, as ownCloud's clients write times; None if no calendar has it.
pub fn parse_unix(text: &str) -> Option<i64> {
    let seconds = text.trim().parse::<f64>().ok().filter(|s| s.is_finite())?;
    Timestamp::from_second(seconds as i64).ok().map(|_| (seconds * 1_000.0) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip() {
        assert_eq!(http(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(parse_http("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        assert_eq!(rfc3339(784_111_777_000), "1994-11-06T08:49:37Z");
        assert_eq!(parse_rfc3339("1994-11-06T08:49:37Z"), Some(784_111_777_000));
        assert_eq!(http(-5), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(parse_http("yesterday"), None);
        assert_eq!(parse_unix("784111777.5"), Some(784_111_777_500));
        for none in ["", "inf", "NaN", "1e300", "-1e300", "784111777 s"] {
            assert_eq!(parse_unix(none), None, "{none}");
        }
    }
}
