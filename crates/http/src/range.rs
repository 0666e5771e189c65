//! Range requests (RFC 9110 §14), and the ranges that a PATCH writes. Up to [`MAX_RANGES`] ranges are answered, each byte once: what overlaps or touches
//! becomes one part. More ranges get the whole, which the RFC allows and which costs an attacker more than us (T13).

use holm_core::mutant;

/// Ranges one request may name.
pub const MAX_RANGES: usize = 8;

/// What a Range header asks of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// No range, a malformed one, or too many.
    Whole,
    /// Bytes `from..to`.
    Part { from: u64, to: u64 },
    /// Two or more parts `from..to`, apart from each other and in order.
    Parts(Vec<(u64, u64)>),
    /// 416.
    Unsatisfiable,
}

/// One range of the list.
enum One {
    Malformed,
    Nothing,
    Part(u64, u64),
}

impl Range {
    pub fn parse(header: Option<&str>, length: u64) -> Range {
        let Some(list) = header.and_then(|h| h.trim().strip_prefix("bytes=")) else { return Range::Whole };
        if list.matches(',').count() >= MAX_RANGES {
            return Range::Whole;
        }
        let mut parts = Vec::new();
        for spec in list.split(',') {
            match one(spec.trim(), length) {
                One::Malformed => return Range::Whole,
                One::Nothing => {}
                One::Part(from, to) => parts.push((from, to)),
            }
        }
        parts.sort_unstable();
        let mut apart: Vec<(u64, u64)> = Vec::with_capacity(parts.len());
        for (from, to) in parts {
            match apart.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => apart.push((from, to)),
            }
        }
        match *apart {
            [] => Range::Unsatisfiable,
            [(from, to)] => Range::Part { from, to },
            _ => Range::Parts(apart),
        }
    }
}

fn one(spec: &str, length: u64) -> One {
    let Some((first, last)) = spec.split_once('-') else { return One::Malformed };
    let number = |s: &str| if s.bytes().all(|b| b.is_ascii_digit()) && !s.is_empty() { Some(s.parse().unwrap_or(u64::MAX)) } else { None };
    match (number(first), number(last), first, last) {
        (Some(from), Some(last), ..) if last < from => One::Malformed,
        (Some(from), Some(_), ..) if from >= length => One::Nothing,
        (Some(from), None, _, "") if from >= length => One::Nothing,
        (Some(from), Some(last), ..) => One::Part(from, last.saturating_add(u64::from(!mutant("range-without-its-end"))).min(length)),
        (Some(from), None, _, "") => One::Part(from, length),
        (None, Some(suffix), "", _) if suffix == 0 || length == 0 => One::Nothing,
        (None, Some(suffix), "", _) => One::Part(length.saturating_sub(suffix), length),
        _ => One::Malformed,
    }
}

/// Why an X-Update-Range is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Malformed,
    /// It begins beyond the file's end, or has another length than the body.
    Unsatisfiable,
}

/// Where in a file of `size` bytes a PATCH puts the `length` bytes of its body. Its X-Update-Range is `append`,
/// `bytes=A-B`, `bytes=A-` or `bytes=-N`, which leaves the last N bytes to be replaced.
pub fn update_start(header: &str, size: u64, length: u64) -> Result<u64, Refused> {
    if header == "append" {
        return Ok(size);
    }
    let (first, last) = header.strip_prefix("bytes=").and_then(|r| r.split_once('-')).ok_or(Refused::Malformed)?;
    let number = |s: &str| s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse::<u64>().ok()).flatten().ok_or(Refused::Malformed);
    if first.is_empty() {
        return size.checked_sub(number(last)?).ok_or(Refused::Unsatisfiable);
    }
    let from = number(first)?;
    if !last.is_empty() && number(last)?.checked_sub(from).and_then(|n| n.checked_add(1)) != Some(length) {
        return Err(Refused::Unsatisfiable);
    }
    if from > size { Err(Refused::Unsatisfiable) } else { Ok(from) }
}

#[cfg(test)]
mod tests {
    use super::Range::*;
    use super::*;

    #[test]
    fn t13_ranges() {
        let check = |header: &str, want: Range| assert_eq!(Range::parse(Some(header), 100), want, "{header}");
        check("bytes=0-9", Part { from: 0, to: 10 });
        check("bytes=90-", Part { from: 90, to: 100 });
        check("bytes=-10", Part { from: 90, to: 100 });
        check("bytes=-1000", Part { from: 0, to: 100 });
        check("bytes=50-1000", Part { from: 50, to: 100 });
        check("bytes=0-18446744073709551615", Part { from: 0, to: 100 });
        check("bytes=0-99999999999999999999999", Part { from: 0, to: 100 });
        for none in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999-", "bytes=100-,200-300"] {
            check(none, Unsatisfiable);
        }
        for whole in ["bytes=9-0", "bytes=", "bytes=-", "bytes=a-b", "items=0-1", "bytes=--1", "bytes=+1-2", "bytes=0-1,", "bytes=0-1,x", "bytes=100-x"] {
            check(whole, Whole);
        }
        assert_eq!(Range::parse(Some("bytes=0-"), 0), Unsatisfiable);
    }

    #[test]
    fn t13_many_ranges() {
        let check = |header: &str, want: Range| assert_eq!(Range::parse(Some(header), 100), want, "{header}");
        check("bytes=0-0, 2-2", Parts(vec![(0, 1), (2, 3)]));
        check("bytes=90-,0-4, 200-300", Parts(vec![(0, 5), (90, 100)]));
        check("bytes=0-0,1-1", Part { from: 0, to: 2 });
        check("bytes=0-,0-,0-", Part { from: 0, to: 100 });
        check("bytes=10-19,0-50,40-60", Part { from: 0, to: 61 });
        check(&format!("bytes={}", ["0-0"; 8].join(",")), Part { from: 0, to: 1 });
        check(&format!("bytes={}", ["0-0"; 9].join(",")), Whole);
        check(&format!("bytes={}", ["0-"; 10_000].join(",")), Whole);
    }
}
