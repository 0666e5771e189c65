//! Fields that several requests and answers share, each with its bounds in the type, so that they are in the description too.

use std::fmt;

use holm_core::{Page, Timestamp};
use holm_formats::date;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{IntoParams, ToSchema};

/// Largest whole number that every reader of JSON tells from its neighbours (RFC 8259 §6).
const MAX_SAFE: i64 = (1 << 53) - 1;

/// A whole number within bounds; in JSON also as `1.0`, which JSON Schema takes for one.
pub struct Whole(pub i64, pub i64);

impl Visitor<'_> for Whole {
    type Value = i64;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "a whole number from {} to {}", self.0, self.1)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        if (self.0..=self.1).contains(&number) { Ok(number) } else { Err(E::invalid_value(Unexpected::Signed(number), &self)) }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        let signed = i64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))?;
        self.visit_i64(signed)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<i64, E> {
        let whole = number.fract() == 0.0 && (self.0 as f64..=self.1 as f64).contains(&number);
        if whole { Ok(number as i64) } else { Err(E::invalid_value(Unexpected::Float(number), &self)) }
    }
}

fn bounded<'de, D: Deserializer<'de>>(from: D, least: i64, most: i64) -> Result<i64, D::Error> {
    from.deserialize_i64(Whole(least, most))
}

/// A number that names something; never used again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64, example = 7)]
pub struct Id(pub i64);

impl Id {
    pub const MAX: i64 = MAX_SAFE;
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Id, D::Error> {
        bounded(from, 1, MAX_SAFE).map(Id)
    }
}

/// The most bytes somebody may keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64, example = 500_000_000_000_i64)]
pub struct Quota(i64);

impl Quota {
    /// As the core says it: 0 is no limit.
    pub fn of(bytes: u64) -> Option<Quota> {
        (bytes > 0).then(|| Quota(i64::try_from(bytes).unwrap_or(MAX_SAFE).min(MAX_SAFE)))
    }

    pub fn bytes(quota: Option<Quota>) -> u64 {
        quota.map_or(0, |quota| quota.0.unsigned_abs())
    }
}

impl<'de> Deserialize<'de> for Quota {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Quota, D::Error> {
        bounded(from, 1, MAX_SAFE).map(Quota)
    }
}

/// How many to answer at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ToSchema)]
#[schema(minimum = 1, maximum = 1000, default = 100)]
pub struct Limit(i64);

impl Limit {
    pub fn of(limit: Option<Limit>) -> usize {
        limit.map_or(100, |limit| limit.0 as usize)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Limit, D::Error> {
        bounded(from, 1, 1_000).map(Limit)
    }
}

/// A time in UTC (RFC 3339 §5.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-22T14:05:00Z")]
pub struct Time(pub Timestamp);

impl Time {
    pub fn of(at: Option<Timestamp>) -> Option<Time> {
        at.map(Time)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&date::rfc3339(self.0.0))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        let text = String::deserialize(from)?;
        // What else the parser takes, like times without seconds or with the name of a zone, RFC 3339 does not know.
        let b = text.as_bytes();
        let strict = (20..=40).contains(&b.len()) && b[4] == b'-' && matches!(b[10], b'T' | b't') && b[16] == b':' && !b.contains(&b'[');
        let at = date::parse_rfc3339(&text).filter(|_| strict);
        at.map(|millis| Time(Timestamp(millis))).ok_or_else(|| D::Error::custom("a time is like 2026-11-22T14:05:00Z"))
    }
}

/// Which part of a list.
#[derive(Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Only what comes after this number: the `next` of the page before.
    #[param(inline)]
    after: Option<Id>,
    /// How many at most.
    #[param(inline)]
    limit: Option<Limit>,
}

impl Paging {
    pub fn new(after: Option<Id>, limit: Option<Limit>) -> Paging {
        Paging { after, limit }
    }
}

impl From<Paging> for Page {
    fn from(paging: Paging) -> Page {
        Page { after: paging.after.map_or(0, |id| id.0), limit: Limit::of(paging.limit) }
    }
}

/// A part of a list.
#[derive(Serialize, ToSchema)]
pub struct List<T> {
    pub items: Vec<T>,
    /// What to give as `after` for more; null at the end.
    pub next: Option<Id>,
}

impl<T> List<T> {
    /// `items` are what there is in a page, each numbered by `number`.
    pub fn new(items: Vec<T>, page: Page, number: impl Fn(&T) -> Id) -> List<T> {
        let next = items.last().map(number).filter(|_| items.len() == page.limit);
        List { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_have_bounds() {
        let id = |text: &str| serde_json::from_str::<Id>(text).ok().map(|id| id.0);
        assert_eq!((id("1"), id("9007199254740991"), id("7.0"), id("1e3")), (Some(1), Some(MAX_SAFE), Some(7), Some(1_000)));
        for bad in ["0", "-1", "9007199254740992", "1.5", "0.0", "1e300", "-1e300", "\"1\"", "null", "99999999999999999999999"] {
            assert_eq!(id(bad), None, "{bad}");
        }
        let time = |text: &str| serde_json::from_value::<Time>(text.into()).ok().map(|t| t.0.0);
        assert_eq!(time("1994-11-06T08:49:37Z"), Some(784_111_777_000));
        assert_eq!(time("1994-11-06T09:49:37.5+01:00"), Some(784_111_777_500));
        for bad in ["", "1994-11-06", "1994-11-06T08:49Z", "1994-11-06 08:49:37Z", "1994-11-06T08:49:37", "1994-13-06T08:49:37Z", "1994-11-06T08:49:37Z[UTC]"] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
