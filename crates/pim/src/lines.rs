//! Content lines (RFC 5545 §3.1, RFC 6350 §3.2): unfolding, names, parameters, and the components they make up.
//! A line keeps the text it came as, so that it can be written again unchanged.

use std::borrow::Cow;

use crate::Refused;

/// Components in components.
const MAX_DEPTH: usize = 6;
/// Lines of one object; each takes about 80 bytes while it is looked at.
const MAX_LINES: usize = 100_000;
const MAX_COMPONENTS: usize = 10_000;
/// Bytes of a line as it is written, without its end.
const FOLD: usize = 75;

/// One content line, unfolded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// As it came, with its folds, without its end.
    raw: &'a str,
    text: Cow<'a, str>,
    /// Where the name begins, behind a group; and ends.
    name: (usize, usize),
    value: usize,
}

/// A component, or a vCard: its lines in order, and the components in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Component<'a> {
    /// In capitals.
    pub name: String,
    pub lines: Vec<Line<'a>>,
    pub children: Vec<Component<'a>>,
}

fn invalid<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::Invalid(why.into()))
}

/// Bytes as text. A byte order mark goes, and so do folds that cut a character in two.
///
/// # Errors
/// What is not UTF-8, or holds NUL, is refused.
pub fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Refused> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.contains(&0) {
        return invalid("it holds a NUL");
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(_) => String::from_utf8(unfold(bytes)).map(Cow::Owned).or_else(|_| invalid("it is not UTF-8")),
    }
}

fn unfold(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let fold = match rest {
            [b'\r', b'\n', b' ' | b'\t', ..] => 3,
            [b'\n' | b'\r', b' ' | b'\t', ..] => 2,
            _ => 0,
        };
        if fold > 0 {
            rest = &rest[fold..];
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

/// Splits text into unfolded lines. Ends are CRLF, LF or CR; empty lines do not count.
struct Lines<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Lines<'a> {
    /// As it came, and unfolded.
    type Item = (&'a str, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let whole = self.rest;
            let mut unfolded: Option<String> = None;
            let mut at = 0;
            let (end, next) = loop {
                let end = whole[at..].find(['\n', '\r']).map_or(whole.len(), |n| at + n);
                let next = end + if whole[end..].starts_with("\r\n") { 2 } else { usize::from(end < whole.len()) };
                if let Some(unfolded) = &mut unfolded {
                    unfolded.push_str(&whole[at..end]);
                }
                if !whole[next..].starts_with([' ', '\t']) || next == end {
                    break (end, next);
                }
                unfolded.get_or_insert_with(|| whole[..end].to_owned());
                at = next + 1;
            };
            self.rest = &whole[next..];
            let raw = &whole[..end];
            if !raw.trim().is_empty() {
                return Some((raw, unfolded.map_or(Cow::Borrowed(raw), Cow::Owned)));
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    // Underscores and dots are not in the grammar, and are in use.
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

impl<'a> Line<'a> {
    fn parse(raw: &'a str, text: Cow<'a, str>) -> Result<Line<'a>, Refused> {
        let shown = || text.chars().take(40).collect::<String>();
        let end = text.find([':', ';']).ok_or_else(|| Refused::Invalid(format!("the line \"{}\" has no value", shown())))?;
        let begin = text[..end].rfind('.').map_or(0, |dot| dot + 1);
        if !is_name(&text[begin..end]) || (begin > 0 && !text[..begin - 1].split('.').all(is_name)) {
            return invalid(format!("\"{}\" has no name", shown()));
        }
        let mut quoted = false;
        let colon = text.as_bytes()[end..].iter().position(|&b| {
            quoted ^= b == b'"';
            b == b':' && !quoted
        });
        // A quote that nobody closes is text.
        let colon = colon.map(|n| end + n).or_else(|| text[end..].find(':').map(|n| end + n));
        let value = colon.ok_or_else(|| Refused::Invalid(format!("the line \"{}\" has no value", shown())))? + 1;
        Ok(Line { raw, name: (begin, end), value, text })
    }

    pub fn name(&self) -> &str {
        &self.text[self.name.0..self.name.1]
    }

    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    /// The group before the name, as in `item1.TEL`.
    pub fn group(&self) -> Option<&str> {
        self.name.0.checked_sub(1).map(|dot| &self.text[..dot])
    }

    /// As it stands there, escaped.
    pub fn value(&self) -> &str {
        &self.text[self.value..]
    }

    /// Without its line's end, folds and all.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// Names with their values, as they are meant (RFC 6868); a parameter without `=` (vCard 2.1) has its name for a value.
    pub fn params(&self) -> Vec<(&str, Vec<Cow<'_, str>>)> {
        let mut params = Vec::new();
        let mut rest = &self.text[self.name.1..self.value - 1];
        while let Some(param) = rest.strip_prefix(';') {
            let end = unquoted(param, &[';']);
            let (param, more) = param.split_at(end);
            rest = more;
            let (name, mut values) = param.split_once('=').unwrap_or(("TYPE", param));
            let mut list = Vec::new();
            loop {
                let end = unquoted(values, &[',']);
                list.push(meant(values[..end].trim_matches('"')));
                match values.get(end + 1..) {
                    Some(more) => values = more,
                    None => break,
                }
            }
            params.push((name, list));
        }
        params
    }

    /// The first value of a parameter.
    pub fn param(&self, name: &str) -> Option<String> {
        // Most lines have none.
        if self.name.1 + 1 == self.value {
            return None;
        }
        let found = self.params().into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.and_then(|(_, values)| values.into_iter().next()).map(Cow::into_owned)
    }
}

/// Where one of these first stands outside quotes, or else the end.
fn unquoted(text: &str, ends: &[char]) -> usize {
    let mut quoted = false;
    let found = text.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        !quoted && ends.contains(c)
    });
    found.map_or(text.len(), |(at, _)| at)
}

/// RFC 6868.
fn meant(value: &str) -> Cow<'_, str> {
    if !value.contains('^') {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.replace("^n", "\n").replace("^'", "\"").replace("^^", "^"))
}

/// A TEXT value without its escapes.
pub fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n' | 'N')) => out.push('\n'),
            ('\\', Some(c)) => out.push(c),
            (c, _) => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Text as a TEXT value.
pub fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace("\r\n", "\\n").replace('\n', "\\n")
}

/// All components at the top of a text.
pub fn parse(text: &str) -> Result<Vec<Component<'_>>, Refused> {
    let mut top = Vec::new();
    let mut open: Vec<Component<'_>> = Vec::new();
    let (mut lines, mut components) = (0, 0);
    for (raw, text) in (Lines { rest: text }) {
        lines += 1;
        if lines > MAX_LINES {
            return Err(Refused::TooMuch("more than 100,000 lines"));
        }
        let line = Line::parse(raw, text)?;
        if line.is("BEGIN") {
            components += 1;
            if open.len() == MAX_DEPTH || components > MAX_COMPONENTS {
                return Err(Refused::TooMuch("components nested too deep, or too many of them"));
            }
            open.push(Component { name: line.value().trim().to_ascii_uppercase(), ..Component::default() });
        } else if line.is("END") {
            match open.pop() {
                Some(done) if done.name.eq_ignore_ascii_case(line.value().trim()) => match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => top.push(done),
                },
                _ => return invalid(format!("END:{} ends nothing that began", line.value().chars().take(40).collect::<String>())),
            }
        } else {
            match open.last_mut() {
                Some(component) => component.lines.push(line),
                None => return invalid(format!("\"{}\" stands outside", line.name())),
            }
        }
    }
    match open.last() {
        None => Ok(top),
        Some(open) => invalid(format!("{} does not end", open.name)),
    }
}

impl<'a> Component<'a> {
    pub fn line(&self, name: &str) -> Option<&Line<'a>> {
        self.lines.iter().find(|l| l.is(name))
    }

    pub fn all<'c>(&'c self, name: &'c str) -> impl Iterator<Item = &'c Line<'a>> {
        self.lines.iter().filter(move |l| l.is(name))
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.line(name).map(Line::value)
    }
}

/// Appends a line that is new, folded.
pub fn push(out: &mut String, line: &str) {
    let mut rest = line;
    let mut room = FOLD;
    while rest.len() > room {
        let mut at = room;
        while !rest.is_char_boundary(at) {
            at -= 1;
        }
        out.push_str(&rest[..at]);
        out.push_str("\r\n ");
        rest = &rest[at..];
        room = FOLD - 1;
    }
    out.push_str(rest);
    out.push_str("\r\n");
}

/// Appends a line as it came.
pub fn push_raw(out: &mut String, line: &Line<'_>) {
    let raw = line.raw();
    if raw.contains(['\r', '\n']) {
        // Folds of another kind would be no folds for everybody.
        raw.split('\n').for_each(|part| {
            out.push_str(part.trim_end_matches('\r'));
            out.push_str("\r\n");
        });
    } else {
        out.push_str(raw);
        out.push_str("\r\n");
    }
}

/// Appends a component whole.
pub fn push_component(out: &mut String, component: &Component<'_>) {
    push(out, &format!("BEGIN:{}", component.name));
    component.lines.iter().for_each(|line| push_raw(out, line));
    component.children.iter().for_each(|child| push_component(out, child));
    push(out, &format!("END:{}", component.name));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_unfold_whatever_ends_them() {
        for end in ["\r\n", "\n", "\r"] {
            let text = ["BEGIN:VCARD", "item1.NOTE;X=\"a;b:c\",d;Y=^'e^n:one", " two", "\t three", "", "END:VCARD", ""].join(end);
            let cards = parse(&text).unwrap();
            let line = &cards[0].lines[0];
            assert_eq!((line.group(), line.name(), line.value()), (Some("item1"), "NOTE", "onetwo three"));
            assert_eq!(line.params(), [("X", vec!["a;b:c".into(), "d".into()]), ("Y", vec!["\"e\n".into()])]);
            let mut out = String::new();
            push_component(&mut out, &cards[0]);
            assert_eq!(parse(&out).unwrap()[0].lines[0].text, line.text);
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in ["", "BEGIN:A\n", "END:A\n", "BEGIN:A\nEND:B\n", "BEGIN:A\nno value\nEND:A\n", "A:b\n", "BEGIN:A\n:x\nEND:A\n", "BEGIN:A\n.B:x\nEND:A"] {
            assert!(parse(bad).is_ok_and(|top| top.is_empty()) == bad.is_empty(), "{bad:?}");
        }
        assert!(text(b"a\0b").is_err() && text(b"\xff").is_err());
        assert_eq!(text("\u{feff}a".as_bytes()).unwrap(), "a");
        // A fold in the midst of a character.
        assert_eq!(text(b"\xc3\r\n \xa9").unwrap(), "\u{e9}");
    }

    #[test]
    fn t20_nesting_and_folding_have_an_end() {
        assert!(parse(&("BEGIN:A\n".repeat(7) + &"END:A\n".repeat(7))).is_err());
        assert!(parse(&format!("BEGIN:A\n{}END:A\n", "B:c\n".repeat(MAX_LINES))).is_err());
        let folded = format!("BEGIN:A\nB:{}\nEND:A\n", "\n x".repeat(500_000));
        assert_eq!(parse(&folded).unwrap()[0].lines[0].value().len(), 500_000);
    }

    #[test]
    fn long_lines_are_folded_between_characters() {
        let mut out = String::new();
        push(&mut out, &format!("X:{}", "\u{e9}".repeat(200)));
        assert!(out.lines().all(|l| l.len() <= FOLD));
        assert_eq!(Lines { rest: &out }.next().unwrap().1.len(), 402);
    }
}
