//! Range requests (RFC 9110 §14), as far as one range goes; several are answered with the whole body, which the RFC
//! allows and which costs an attacker more than us (T13).

/// What a Range header asks of `length` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// No range, a malformed one, or several.
    Whole,
    /// Bytes `from..to`.
    Part { from: u64, to: u64 },
    /// 416.
    Unsatisfiable,
}

impl Range {
    pub fn parse(header: Option<&str>, length: u64) -> Range {
        let Some(spec) = header.and_then(|h| h.trim().strip_prefix("bytes=")) else { return Range::Whole };
        let Some((first, last)) = spec.trim().split_once('-') else { return Range::Whole };
        let number = |s: &str| if s.bytes().all(|b| b.is_ascii_digit()) && !s.is_empty() { Some(s.parse().unwrap_or(u64::MAX)) } else { None };
        match (number(first), number(last), first, last) {
            (Some(from), Some(last), ..) if last < from => Range::Whole,
            (Some(from), _, _, _) if from >= length && (last.is_empty() || number(last).is_some()) => Range::Unsatisfiable,
            (Some(from), Some(last), ..) => Range::Part { from, to: last.saturating_add(1).min(length) },
            (Some(from), None, _, "") => Range::Part { from, to: length },
            (None, Some(0), "", _) => Range::Unsatisfiable,
            (None, Some(_), "", _) if length == 0 => Range::Unsatisfiable,
            (None, Some(suffix), "", _) => Range::Part { from: length.saturating_sub(suffix), to: length },
            _ => Range::Whole,
        }
    }
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
        for none in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999-"] {
            check(none, Unsatisfiable);
        }
        for whole in ["bytes=9-0", "bytes=", "bytes=-", "bytes=a-b", "items=0-1", "bytes=0-0,1-1", "bytes=0-,0-,0-", "bytes=--1", "bytes=+1-2"] {
            check(whole, Whole);
        }
        assert_eq!(Range::parse(Some("bytes=0-"), 0), Unsatisfiable);
    }
}
