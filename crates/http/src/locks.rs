//! The headers of locks: Timeout and Lock-Token (RFC 4918 §10.5, §10.7).

/// The first time named in a Timeout header, in seconds; None where that is none, or has no end.
pub fn seconds(timeout: &str) -> Option<i64> {
    timeout.split(',').next()?.trim().strip_prefix("Second-")?.parse().ok()
}

/// The token in a Lock-Token header. Windows leaves the angle brackets out.
pub fn token(header: &str) -> Option<&str> {
    let token = header.trim().trim_start_matches('<').trim_end_matches('>');
    (!token.is_empty()).then_some(token)
}
