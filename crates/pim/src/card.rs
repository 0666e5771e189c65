//! vCards (RFC 2426: 3.0; RFC 6350: 4.0), and one version turned into the other.

use crate::lines::{Component, Line, escape, parse, push, push_raw, unescape};
use crate::{MAX_CARD, Refused};

/// Largest picture or sound, in base64.
const MAX_MEDIA: usize = (2 << 20) / 3 * 4 + 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V3,
    V4,
}

impl Version {
    pub fn parse(text: &str) -> Option<Version> {
        match text.trim() {
            "3.0" => Some(Version::V3),
            "4.0" => Some(Version::V4),
            _ => None,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Version::V3 => "3.0",
            Version::V4 => "4.0",
        }
    }
}

/// A vCard, read.
#[derive(Debug)]
pub struct Card<'a> {
    pub root: Component<'a>,
    pub version: Version,
    pub uid: String,
}

impl<'a> Card<'a> {
    /// Takes what may be kept as one resource.
    pub fn parse(text: &'a str) -> Result<Card<'a>, Refused> {
        if text.len() > MAX_CARD {
            return Err(Refused::TooMuch("a vCard is at most 4 MiB"));
        }
        let mut top = parse(text)?;
        match (top.pop(), top.is_empty()) {
            (Some(root), true) => Card::new(root),
            (Some(_), false) => Err(Refused::Object("it has more than one vCard; send each as a resource of its own".into())),
            (None, _) => Err(Refused::Invalid("it is no vCard".into())),
        }
    }

    pub fn new(root: Component<'a>) -> Result<Card<'a>, Refused> {
        let invalid = |why: &str| Err(Refused::Invalid(why.into()));
        if root.name != "VCARD" || !root.children.is_empty() {
            return invalid("it is no vCard, or one within another");
        }
        let Some(version) = root.value("VERSION").and_then(Version::parse) else {
            return invalid("its VERSION is neither 3.0 nor 4.0");
        };
        let Some(uid) = root.value("UID").map(str::trim).filter(|uid| !uid.is_empty()).map(str::to_owned) else {
            return invalid("it has no UID");
        };
        if root.line("FN").is_none() {
            return invalid("it has no FN, the name to show");
        }
        if ["PHOTO", "LOGO", "SOUND", "KEY"].iter().flat_map(|name| root.all(name)).any(|line| line.value().len() > MAX_MEDIA) {
            return Err(Refused::TooMuch("a picture in a vCard is at most 2 MiB"));
        }
        Ok(Card { root, version, uid })
    }

    /// The card as another version of the format has it.
    pub fn converted(&self, to: Version) -> String {
        let mut out = String::new();
        push(&mut out, "BEGIN:VCARD");
        push(&mut out, &format!("VERSION:{}", to.text()));
        let mut names = 0;
        for line in self.root.lines.iter().filter(|l| !l.is("VERSION")) {
            names += usize::from(line.is("FN"));
            match to {
                _ if to == self.version => push_raw(&mut out, line),
                Version::V4 => newer(&mut out, line),
                // RFC 2426 knows one FN.
                Version::V3 if line.is("FN") && names > 1 => {}
                Version::V3 => older(&mut out, line),
            }
        }
        if to == Version::V3 && self.root.line("N").is_none() {
            let name = self.root.value("FN").map(|fn_| escape(&unescape(fn_))).unwrap_or_default();
            push(&mut out, &format!("N:{name};;;;"));
        }
        push(&mut out, "END:VCARD");
        out
    }
}

/// A line with another name, other parameters or another value.
fn changed(out: &mut String, line: &Line<'_>, name: &str, params: &[(String, String)], value: &str) {
    let mut text = line.group().map(|g| format!("{g}.")).unwrap_or_default();
    text += name;
    for (name, value) in params {
        // What can stand unquoted does.
        let quoted = value.contains([':', ';', ',']);
        let value = value.replace('^', "^^").replace('\n', "^n").replace('"', "^'");
        text += &if quoted { format!(";{name}=\"{value}\"") } else { format!(";{name}={value}") };
    }
    text.push(':');
    text += value;
    push(out, &text);
}

/// Each value of each parameter; a parameter without a name is a TYPE.
fn flat(line: &Line<'_>) -> Vec<(String, String)> {
    let params = line.params().into_iter();
    params.flat_map(|(name, values)| values.into_iter().map(|v| (name.to_ascii_uppercase(), v.into_owned())).collect::<Vec<_>>()).collect()
}

fn is_media(line: &Line<'_>) -> bool {
    ["PHOTO", "LOGO", "SOUND", "KEY"].iter().any(|name| line.is(name))
}

/// 3.0 to 4.0.
fn newer(out: &mut String, line: &Line<'_>) {
    let mut params = flat(line);
    let has = |params: &[(String, String)], name: &str, value: &str| params.iter().any(|(n, v)| n == name && v.eq_ignore_ascii_case(value));
    let name = match line.name().to_ascii_uppercase().as_str() {
        "X-ADDRESSBOOKSERVER-KIND" => "KIND".to_owned(),
        "X-ADDRESSBOOKSERVER-MEMBER" => "MEMBER".to_owned(),
        _ => line.name().to_owned(),
    };
    if is_media(line) && (has(&params, "ENCODING", "b") || has(&params, "ENCODING", "base64")) {
        let sound = line.is("SOUND");
        let is_type = |t: &String| !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'+' | b'.'));
        let kind = params.iter().find(|(n, _)| n == "TYPE").map(|(_, t)| t.to_ascii_lowercase()).filter(is_type);
        let media = match kind {
            Some(kind) if kind.contains('/') => kind,
            Some(kind) if line.is("KEY") => format!("application/{kind}"),
            Some(kind) => format!("{}/{kind}", if sound { "audio" } else { "image" }),
            None => "application/octet-stream".into(),
        };
        params.retain(|(n, _)| !["ENCODING", "TYPE", "VALUE"].contains(&n.as_str()));
        return changed(out, line, &name, &params, &format!("data:{media};base64,{}", line.value().trim()));
    }
    let preferred = has(&params, "TYPE", "pref");
    params.retain(|(n, v)| !(n == "TYPE" && (v.eq_ignore_ascii_case("pref") || v.eq_ignore_ascii_case("internet"))) && n != "CHARSET");
    if preferred {
        params.push(("PREF".into(), "1".into()));
    }
    let value = match name.to_ascii_uppercase().as_str() {
        "BDAY" | "ANNIVERSARY" | "REV" => line.value().replace(['-', ':'], ""),
        "GEO" => line.value().split_once(';').map_or(line.value().to_owned(), |(a, b)| format!("geo:{},{}", a.trim(), b.trim())),
        _ => line.value().to_owned(),
    };
    if params == flat(line) && value == line.value() && name == line.name() { push_raw(out, line) } else { changed(out, line, &name, &params, &value) }
}

/// 4.0 to 3.0.
fn older(out: &mut String, line: &Line<'_>) {
    let mut params = flat(line);
    let name = match line.name().to_ascii_uppercase().as_str() {
        // That is what every card of 3.0 is.
        "KIND" if line.value().trim().eq_ignore_ascii_case("individual") => return,
        "KIND" => "X-ADDRESSBOOKSERVER-KIND".to_owned(),
        "MEMBER" => "X-ADDRESSBOOKSERVER-MEMBER".to_owned(),
        _ => line.name().to_owned(),
    };
    if is_media(line)
        && let Some((media, data)) = line.value().trim().strip_prefix("data:").and_then(|v| v.split_once(";base64,"))
    {
        params.retain(|(n, _)| !["MEDIATYPE", "VALUE", "TYPE"].contains(&n.as_str()));
        let kind = media.rsplit('/').next().unwrap_or_default().to_ascii_uppercase();
        params.extend([("ENCODING".to_owned(), "b".to_owned()), ("TYPE".to_owned(), kind)]);
        return changed(out, line, &name, &params, data);
    }
    if let Some(at) = params.iter().position(|(n, _)| n == "PREF") {
        params[at] = ("TYPE".into(), "pref".into());
    }
    let value = match name.to_ascii_uppercase().as_str() {
        "TEL" => match line.value().trim().strip_prefix("tel:") {
            Some(number) => {
                params.retain(|(n, _)| n != "VALUE");
                number.split(';').next().unwrap_or(number).to_owned()
            }
            None => line.value().to_owned(),
        },
        "BDAY" | "ANNIVERSARY" if line.value().len() == 8 && line.value().bytes().all(|b| b.is_ascii_digit()) => {
            let v = line.value();
            format!("{}-{}-{}", &v[..4], &v[4..6], &v[6..])
        }
        "GEO" => line.value().trim().strip_prefix("geo:").map_or(line.value().to_owned(), |v| v.replacen(',', ";", 1)),
        _ => line.value().to_owned(),
    };
    if params == flat(line) && value == line.value() && name == line.name() { push_raw(out, line) } else { changed(out, line, &name, &params, &value) }
}

/// A card with only some of its properties (RFC 6352 §10.4.2); what a card can not be without is always there.
pub fn select(card: &Component<'_>, props: &[(String, bool)]) -> String {
    let mut out = String::new();
    push(&mut out, "BEGIN:VCARD");
    for line in &card.lines {
        let named = props.iter().find(|(name, _)| match name.split_once('.') {
            Some((group, name)) => line.is(name) && line.group().is_some_and(|g| g.eq_ignore_ascii_case(group)),
            None => line.is(name),
        });
        match named {
            Some((_, true)) => changed(&mut out, line, line.name(), &[], ""),
            Some(_) => push_raw(&mut out, line),
            None if ["VERSION", "UID", "FN"].iter().any(|name| line.is(name)) => push_raw(&mut out, line),
            None => {}
        }
    }
    push(&mut out, "END:VCARD");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &str = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Ann\r\nN:Lee;Ann;;;\r\nitem1.TEL;TYPE=CELL,pref:+1 2\r\nitem1.X-ABLabel:mine\r\n\
        PHOTO;ENCODING=b;TYPE=JPEG:AAAA\r\nBDAY:1996-04-15\r\nGEO:37.3;-122.0\r\nX-ADDRESSBOOKSERVER-KIND:group\r\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:2\r\nEND:VCARD\r\n";

    #[test]
    fn one_version_turns_into_the_other_and_back() {
        let four = Card::parse(THREE).unwrap().converted(Version::V4);
        for line in [
            "VERSION:4.0",
            "item1.TEL;TYPE=CELL;PREF=1:+1 2",
            "item1.X-ABLabel:mine",
            "PHOTO:data:image/jpeg;base64,AAAA",
            "BDAY:19960415",
            "GEO:geo:37.3,-122.0",
            "KIND:group",
            "MEMBER:urn:uuid:2",
        ] {
            assert!(four.contains(&format!("\r\n{line}\r\n")), "{line} in {four}");
        }
        let back = Card::parse(&four).unwrap().converted(Version::V3);
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(|l| l.replace("CELL,pref", "CELL;TYPE=pref")).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&back), sorted(THREE));
        let bare = "BEGIN:VCARD\nVERSION:4.0\nUID:1\nFN:Ann\nFN:Anna\nTEL;VALUE=uri:tel:+1\nKIND:individual\nEND:VCARD\n";
        assert_eq!(Card::parse(bare).unwrap().converted(Version::V3), "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Ann\r\nTEL:+1\r\nN:Ann;;;;\r\nEND:VCARD\r\n");
    }

    #[test]
    fn what_is_no_card_is_refused() {
        let check = |text: &str, good: bool| assert_eq!(Card::parse(text).is_ok(), good, "{:.60}", text);
        check(THREE, true);
        check(&THREE.replace("UID:1\r\n", ""), false);
        check(&THREE.replace("FN:Ann\r\n", ""), false);
        check(&THREE.replace("3.0", "2.1"), false);
        check(&format!("{THREE}{THREE}"), false);
        check(&THREE.replace("FN:Ann", "BEGIN:VCARD\r\nEND:VCARD\r\nFN:Ann"), false);
        check("BEGIN:VCALENDAR\nEND:VCALENDAR\n", false);
        check("", false);
    }

    #[test]
    fn t20_pictures_have_an_end() {
        let large = THREE.replace("AAAA", &"A".repeat(3 << 20));
        assert!(matches!(Card::parse(&large), Err(Refused::TooMuch(_))));
        assert!(matches!(Card::parse(&THREE.replace("AAAA", &"A".repeat(5 << 20))), Err(Refused::TooMuch(_))));
    }
}
