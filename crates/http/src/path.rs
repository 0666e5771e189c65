//! Paths in URIs: decoded once, split once (T01).

use holm_core::{Name, Path, mutant};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// Longest request-target in bytes.
pub const MAX_URI: usize = 8 * 1024;

/// Characters a path segment needs escaped (RFC 3986 §3.3: pchar is what stays).
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'\\');

/// The path that an escaped URI path names; why not, where it names none.
pub fn parse(escaped: &str) -> Result<Path, String> {
    if escaped.len() > MAX_URI {
        return Err("the URI is longer than 8 KiB".into());
    }
    if escaped.contains('#') {
        return Err("a request URI has no fragment".into());
    }
    let mut names = Vec::new();
    for segment in escaped.split('/').filter(|s| !s.is_empty()) {
        let decoded = decode(segment)?;
        names.push(Name::new(if mutant("decoded-twice") { decode(&decoded)? } else { decoded }).map_err(|e| e.to_string())?);
    }
    Path::from_names(names).map_err(|e| e.to_string())
}

fn decode(segment: &str) -> Result<String, String> {
    let bytes = segment.as_bytes();
    for (n, _) in bytes.iter().enumerate().filter(|(_, b)| **b == b'%') {
        if !bytes.get(n + 1..n + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) {
            return Err("a percent sign without two hexadecimal digits".into());
        }
    }
    let decoded = percent_decode_str(segment).decode_utf8().map_err(|_| "a name that is not UTF-8".to_owned())?;
    Ok(decoded.into_owned())
}

/// Appends `/name` for every name, escaped.
pub fn push(out: &mut String, names: &[Name]) {
    for name in names {
        push_name(out, name.as_str());
    }
}

/// Appends `/name`, escaped.
pub fn push_name(out: &mut String, name: &str) {
    out.push('/');
    out.extend(utf8_percent_encode(name, SEGMENT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t01_paths() {
        let check = |uri: &str, want: Option<&str>| assert_eq!(parse(uri).ok().map(|p| p.to_string()).as_deref(), want, "{uri}");
        check("/", Some("/"));
        check("/a//b/", Some("/a/b"));
        check("/a%20b/%C3%A9", Some("/a b/é"));
        check("/%252e%252e", Some("/%2e%2e"));
        for bad in ["/a/../b", "/%2e%2e/x", "/a/%2E", "/a%2Fb", "/a%00", "/a%0a", "/%zz", "/%", "/%ff", "/%c0%ae", "/a#b"] {
            check(bad, None);
        }
    }

    #[test]
    fn escaping_round_trips() {
        let path = Path::parse("/a b/ü%#?[x]/'\"<>\\").unwrap();
        let mut out = String::new();
        push(&mut out, path.names());
        assert_eq!(parse(&out).unwrap(), path);
    }
}
