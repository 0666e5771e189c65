//! Request headers, and the head they come in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use holm_core::{Entry, Kind, List, Name, Path, Seq, State, Tags, Timestamp};
use holm_dav::sync_token::Token;
use holm_formats::date;
use holm_http::conditions::{self, MAX_IF, MAX_LISTS, MAX_TERMS};
use holm_http::range::{MAX_RANGES, Range, update_start};
use holm_http::strict::Filter;
use holm_http::{credentials as basic, locks};
use http::header::{AUTHORIZATION, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderValue};

fn parse_if(text: &str) -> Result<Vec<List>, String> {
    conditions::parse_if(text, &Path::root(), |uri| uri.strip_prefix('/').and_then(|rest| Path::parse(rest).ok()))
}

fn write_if(lists: &[List]) -> String {
    let mut out = String::new();
    for list in lists {
        let tag = list.on.as_ref().map_or("elsewhere".to_owned(), Path::to_string);
        let terms: Vec<String> = list
            .terms
            .iter()
            .map(|term| {
                let not = if term.not { "Not " } else { "" };
                match &term.state {
                    State::Token(token) => format!("{not}<{token}>"),
                    State::Etag(tag) => format!("{not}[\"{tag}\"]"),
                }
            })
            .collect();
        out += &format!("<{tag}> ({}) ", terms.join(" "));
    }
    out
}

/// The If header: within its limits, and what is written for what was read is read as the same.
pub fn if_header(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(lists) = parse_if(text) else { return };
    let terms: Vec<_> = lists.iter().flat_map(|l| &l.terms).collect();
    assert!(text.len() <= MAX_IF && !lists.is_empty() && lists.len() <= MAX_LISTS && terms.len() <= MAX_TERMS);
    assert!(lists.iter().all(|l| !l.terms.is_empty()));
    let kept: usize = terms
        .iter()
        .map(|t| match &t.state {
            State::Token(text) | State::Etag(text) => text.len() + 2,
        })
        .sum();
    assert!(kept <= text.len(), "a term is a piece of the header");
    let nots = text.to_ascii_lowercase().matches("not").count();
    assert!(terms.iter().filter(|t| t.not).count() <= nots, "a Not that nobody wrote");
    let written = write_if(&lists);
    if written.len() <= MAX_IF {
        assert_eq!(parse_if(&written).as_ref(), Ok(&lists), "{written}");
    }
}

fn entry() -> Entry {
    Entry {
        id: 4,
        parent: 1,
        name: "a".into(),
        key: "a".into(),
        kind: Kind::File,
        seq: Seq(7),
        version: Seq(6),
        created: Timestamp(784_111_777_000),
        modified: Timestamp(784_111_777_999),
        size: 3,
        content: 0x2a,
        tag: -2,
        media_type: None,
        props: 0,
    }
}

/// The headers that a text gives, one a line.
fn headers(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.trim()), HeaderValue::from_bytes(value.trim().as_bytes())) {
            headers.append(name, value);
        }
    }
    headers
}

fn assert_dates(text: &str) {
    if let Some(millis) = date::parse_http(text) {
        let shown = date::parse_http(&date::http(millis)).expect("a date that was written");
        assert_eq!(shown, millis.max(0).div_euclid(1_000) * 1_000, "{text}");
    }
    if let Some(millis) = date::parse_rfc3339(text).filter(|m| *m >= 0) {
        let shown = date::parse_rfc3339(&date::rfc3339(millis)).expect("a date that was written");
        assert_eq!(shown, millis.div_euclid(1_000) * 1_000, "{text}");
    }
    if let Some(millis) = date::parse_unix(text) {
        let shown = date::parse_http(&date::http(millis)).expect("a date that was written");
        assert_eq!(shown, millis.max(0).div_euclid(1_000) * 1_000, "{text}");
    }
}

/// If-Match, If-None-Match and the dates beside them: a condition that was sent is never overlooked.
pub fn conditions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let sent = headers(text);
    let entry = entry();
    let own = HeaderValue::try_from(format!("\"{}\"", entry.etag())).expect("an ETag");
    for (name, weak) in [(IF_MATCH, false), (IF_NONE_MATCH, true)] {
        let tags = conditions::entity_tags(&sent, name.clone(), weak);
        assert_eq!(tags.is_some(), sent.contains_key(&name));
        let Some(tags) = tags else { continue };
        assert!(!tags.holds(None), "nothing has no tag");
        let mut with = sent.clone();
        with.append(&name, own.clone());
        let with = conditions::entity_tags(&with, name.clone(), weak).expect("a condition");
        if let Tags::List(tags) = &tags {
            let commas: usize = sent.get_all(&name).iter().map(|v| v.as_bytes().iter().filter(|b| **b == b',').count() + 1).sum();
            assert!(tags.len() <= commas);
        }
        assert!(with.holds(Some(&entry)), "the tag among others");
        let mut weakened = HeaderMap::new();
        weakened.insert(&name, HeaderValue::try_from(format!("W/\"{}\"", entry.etag())).expect("an ETag"));
        assert_eq!(conditions::entity_tags(&weakened, name, weak).expect("a condition").holds(Some(&entry)), weak);
    }
    let (not_modified, newer) = (conditions::not_modified(&sent, &entry, date::parse_http), conditions::modified_since(&sent, &entry, date::parse_http));
    if sent.contains_key(IF_NONE_MATCH) {
        assert_eq!(not_modified, conditions::not_modified(&sent, &entry, |_| None), "a tag outranks a date");
    }
    assert!(!(newer && sent.contains_key(IF_MATCH)), "a tag outranks a date");
    for value in [IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE].iter().filter_map(|name| sent.get(name)?.to_str().ok()) {
        assert_dates(value);
    }
    text.lines().for_each(assert_dates);
}

/// Ranges of a file and of a PATCH. The first line says how long file and body are.
pub fn range(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (numbers, header) = text.split_once('\n').unwrap_or(("", text));
    let mut numbers = numbers.split(' ').map(|n| n.parse().unwrap_or(100));
    let (length, body): (u64, u64) = (numbers.next().unwrap_or(100), numbers.next().unwrap_or(100));
    let parse = |header: &str| Range::parse(Some(header), length);
    let parts = match parse(header) {
        Range::Whole | Range::Unsatisfiable => vec![],
        Range::Part { from, to } => vec![(from, to)],
        Range::Parts(parts) => {
            assert!(parts.len() >= 2);
            parts
        }
    };
    assert!(parts.len() <= MAX_RANGES);
    assert!(parts.iter().all(|(from, to)| from < to && *to <= length), "{parts:?} of {length}");
    assert!(parts.windows(2).all(|w| w[0].1 < w[1].0), "{parts:?} touch");
    let written: Vec<String> = parts.iter().rev().map(|(from, to)| format!("{from}-{}", to - 1)).collect();
    match *parts {
        [] => {}
        [(from, to)] => {
            let same = Range::Part { from, to };
            assert_eq!(parse(&format!("bytes={}", written[0])), same);
            if to == length {
                assert_eq!(parse(&format!("bytes={from}-")), same);
                assert_eq!(parse(&format!("bytes=-{}", to - from)), same);
            }
        }
        _ => assert_eq!(parse(&format!("bytes={}", written.join(","))), Range::Parts(parts)),
    }
    if let Ok(start) = update_start(header, length, body) {
        assert!(start <= length);
        let last = start.checked_add(body).and_then(|end| end.checked_sub(1)).filter(|last| *last >= start);
        if let Some(last) = last {
            assert_eq!(update_start(&format!("bytes={start}-{last}"), length, body), Ok(start));
            assert!(update_start(&format!("bytes={start}-{last}"), length, body.wrapping_add(1)).is_err());
        }
        assert_eq!(update_start(&format!("bytes=-{}", length - start), length, body), Ok(start));
    }
}

/// Basic credentials: what was meant is what is read. The first line is the name, the rest the secret.
pub fn credentials(data: &[u8]) {
    let read = |value: &[u8]| {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value).ok()?);
        basic::basic(&headers).map(|(name, secret)| (name, secret.to_string()))
    };
    if let Some((name, secret)) = read(data) {
        assert!(name.len() + secret.len() < 2_048 && !name.contains([':', '\\']));
        assert_eq!(read(format!("basic {}", STANDARD.encode(format!("{name}:{secret}"))).as_bytes()), Some((name, secret)));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (name, secret) = text.split_once('\n').unwrap_or((text, ""));
    let plain = format!("{name}:{secret}");
    if name.contains([':', '\\']) || plain.len() > 1_500 {
        return;
    }
    let meant = Some((name.to_owned(), secret.to_owned()));
    assert_eq!(read(format!("Basic {}", STANDARD.encode(&plain)).as_bytes()), meant);
    assert_eq!(read(format!("BASIC {}", STANDARD.encode(format!("WORK\\{plain}"))).as_bytes()), meant, "as Windows sends it");
}

/// Tokens: those of syncs, and of locks with their times.
pub fn tokens(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let number: String = text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let folder = number.parse().unwrap_or(4);
    let newest = Seq(i64::MAX);
    if let Some(token) = Token::parse(text, folder, newest) {
        assert!(token.folder == folder && token.seq >= Seq(0));
        assert_eq!(Token::parse(&token.text(), folder, newest).as_ref(), Some(&token));
        assert_eq!(Token::parse(text, folder ^ 1, newest), None, "another folder's");
        assert_eq!(Token::parse(text, folder, Seq(token.seq.0 - 1)), None, "of a future that was undone");
    }
    if let Ok(name) = Name::new(text) {
        let token = Token { folder, seq: Seq(7), after: Some(name.key().to_owned()) };
        assert_eq!(Token::parse(&token.text(), folder, newest), Some(token));
    }
    if let Some(seconds) = locks::seconds(text) {
        assert_eq!(locks::seconds(&format!("Second-{seconds}, Infinite")), Some(seconds));
    }
    if let Some(token) = locks::token(text) {
        assert!(!token.is_empty() && text.contains(token));
        assert_eq!(locks::token(&format!("<{token}>")), Some(token));
    }
}

/// What leaves the filter of heads when bytes come in pieces of `size`.
fn filtered(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut filter = Filter::default();
    bytes.chunks_mut(size.max(1)).for_each(|piece| filter.pass(piece));
    bytes
}

/// The filter of HTTP/1 heads: it spoils one byte at most, however the bytes come; bodies pass unread, and what follows
/// them is looked at again.
pub fn head(data: &[u8]) {
    let whole = filtered(data, data.len());
    let size = data.first().map_or(1, |b| usize::from(*b));
    assert!(whole == filtered(data, 1) && whole == filtered(data, size), "pieces make a difference");
    let changed: Vec<usize> = (0..data.len()).filter(|n| data[*n] != whole[*n]).collect();
    assert!(changed.len() <= 1 && changed.iter().all(|n| whole[*n] == 0), "changed at {changed:?}");
    let counted = [format!("PUT /a HTTP/1.1\r\nContent-Length: {}\r\n\r\n", data.len()).as_bytes(), data].concat();
    let mut chunked = b"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in data.chunks(size.max(1)) {
        chunked.extend([format!("{:X}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
    }
    chunked.extend(b"0\r\n\r\n");
    for request in [counted, chunked] {
        let two = [&request[..], b"GET /a#b HTTP/1.1\r\n\r\n"].concat();
        let passed = filtered(&two, size);
        let at = request.len() + 6;
        assert!(passed[..at] == two[..at], "a body was harmed");
        assert!(passed[at] == 0 && passed[at + 1..] == two[at + 1..], "what follows a body was not looked at");
    }
}
