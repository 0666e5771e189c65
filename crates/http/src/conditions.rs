//! Conditional requests: If-Match and If-None-Match (RFC 9110 §13), If (RFC 4918 §10.4).

use holm_core::{Entry, List, Path, State, Tags, Term};
use http::HeaderMap;
use http::header::HeaderName;

/// Longest If header in bytes, and most lists and terms in it (T07).
pub const MAX_IF: usize = 8 * 1024;
pub const MAX_LISTS: usize = 32;
pub const MAX_TERMS: usize = 128;

/// An unquoted strong tag per entry; with `weak` allowed, `W/"x"` counts as `"x"` (for reads).
fn tags(value: &str, weak: bool) -> Tags {
    if value.trim() == "*" {
        return Tags::Any;
    }
    let mut out = Vec::new();
    for tag in value.split(',').map(str::trim) {
        let strong = if weak { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
        match strong.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
            Some(inner) => out.push(inner.to_owned()),
            // Some clients leave out the quotes.
            None if !strong.starts_with("W/") => out.push(strong.to_owned()),
            None => {}
        }
    }
    Tags::List(out)
}

/// The tags of all headers called `name`.
pub fn entity_tags(headers: &HeaderMap, name: HeaderName, weak: bool) -> Option<Tags> {
    // A tag in bytes that nobody can read still is a condition: one that fails.
    let values: Vec<_> = headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
    if values.is_empty() { None } else { Some(tags(&values.join(","), weak)) }
}

/// Whether If-Unmodified-Since says that `entry` is newer than what the client has. An ETag condition outranks it.
pub fn modified_since(headers: &HeaderMap, entry: &Entry, parse: impl Fn(&str) -> Option<i64>) -> bool {
    if headers.contains_key(http::header::IF_MATCH) {
        return false;
    }
    let since = headers.get(http::header::IF_UNMODIFIED_SINCE).and_then(|v| v.to_str().ok()).and_then(parse);
    since.is_some_and(|since| entry.modified.seconds() > since.div_euclid(1_000))
}

/// Whether a GET is answered 304. A date says so only where it is the very one: an older file may have taken the place of a
/// newer one, by a client's date or by a clock that went back, and what the client has is then another content.
pub fn not_modified(headers: &HeaderMap, entry: &Entry, modified_http: impl Fn(&str) -> Option<i64>) -> bool {
    if let Some(tags) = entity_tags(headers, http::header::IF_NONE_MATCH, true) {
        return tags.holds(Some(entry));
    }
    let since = headers.get(http::header::IF_MODIFIED_SINCE).and_then(|v| v.to_str().ok()).and_then(modified_http);
    since.is_some_and(|since| entry.modified.seconds() == since.div_euclid(1_000))
}

/// Parses an If header. `resolve` turns a tag's URI into a path of this tree, None where it lies elsewhere.
/// An untagged list is about `target`.
pub fn parse_if(text: &str, target: &Path, resolve: impl Fn(&str) -> Option<Path>) -> Result<Vec<List>, String> {
    if text.len() > MAX_IF {
        return Err("the If header is longer than 8 KiB".into());
    }
    let mut rest = text.trim_start();
    let mut on = Some(target.clone());
    let mut lists = Vec::new();
    let mut left = MAX_TERMS;
    while !rest.is_empty() {
        if let Some(tagged) = rest.strip_prefix('<') {
            let (uri, after) = tagged.split_once('>').ok_or("an unclosed < in the If header")?;
            on = resolve(uri);
            rest = after.trim_start();
            if !rest.starts_with('(') {
                return Err("a tag without a list in the If header".into());
            }
        }
        let (terms, after) = list(rest)?;
        left = left.checked_sub(terms.len()).ok_or("more than 128 terms in the If header")?;
        lists.push(List { on: on.clone(), terms });
        if lists.len() > MAX_LISTS {
            return Err("more than 32 lists in the If header".into());
        }
        rest = after.trim_start();
    }
    if lists.is_empty() { Err("an empty If header".into()) } else { Ok(lists) }
}

fn list(text: &str) -> Result<(Vec<Term>, &str), String> {
    let mut rest = text.strip_prefix('(').ok_or("the If header has text outside its lists")?.trim_start();
    let mut terms = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(')') {
            return if terms.is_empty() { Err("an empty list in the If header".into()) } else { Ok((terms, after)) };
        }
        let not = rest.get(..3).is_some_and(|n| n.eq_ignore_ascii_case("not"));
        if not {
            rest = rest[3..].trim_start();
        }
        let (state, after) = if let Some(token) = rest.strip_prefix('<') {
            let (token, after) = token.split_once('>').ok_or("an unclosed state token in the If header")?;
            (State::Token(token.to_owned()), after)
        } else if let Some(tag) = rest.strip_prefix('[') {
            let (tag, after) = tag.split_once(']').ok_or("an unclosed entity tag in the If header")?;
            (State::Etag(tag.trim().trim_matches('"').to_owned()), after)
        } else {
            return Err("the If header is not well formed".into());
        };
        terms.push(Term { not, state });
        rest = after.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_in_unreadable_bytes_do_not_vanish() {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::IF_MATCH, http::HeaderValue::from_bytes(b"\"\xe9\"").unwrap());
        assert_eq!(entity_tags(&headers, http::header::IF_MATCH, false), Some(Tags::List(vec!["\u{fffd}".into()])));
        assert_eq!(entity_tags(&headers, http::header::IF_NONE_MATCH, true), None);
    }

    #[test]
    fn t07_if_headers() {
        let check = |text: &str, want: Option<usize>| {
            let got = parse_if(text, &Path::root(), |u| Path::parse(u).ok());
            assert_eq!(got.as_ref().ok().map(Vec::len), want, "{text:.60} → {got:?}");
        };
        check("(<urn:x>)", Some(1));
        check("(<urn:x> [\"e\"]) (Not <DAV:no-lock>)", Some(2));
        check("</a> (<urn:x>) ([\"e\"]) </b>(NOT [\"e\"])", Some(3));
        for bad in ["", "(", "()", "(<x>", "<a>", "(x)", "([e)", "x (<y>)", "(<a>))", "(Not)"] {
            check(bad, None);
        }
        check(&"(<a>)".repeat(33), None);
        check(&format!("({})", "<a>".repeat(128)), Some(1));
        check(&format!("({})", "<a>".repeat(129)), None);
        check(&"(".repeat(60_000), None);
    }
}
