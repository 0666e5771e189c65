//! Exports taken apart: a file with many events or many vCards, as other programs write them, becomes objects of which each may be
//! kept. What can not be understood is handed back with the reason; nothing is dropped.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::lines::{Component, escape, parse, push, unescape};
use crate::{Facts, MAX_OBJECT};

/// One object, ready to be kept.
#[derive(Clone, Debug)]
pub struct Object {
    pub text: String,
    pub facts: Facts,
}

/// What a file came to.
#[derive(Clone, Debug, Default)]
pub struct Export {
    /// What the file calls its calendar.
    pub name: Option<String>,
    /// The zone of times that name none.
    pub zone: Option<String>,
    pub objects: Vec<Object>,
    /// Text, and why it was not understood.
    pub left: Vec<(String, String)>,
}

/// A component at the top, or in a calendar, as it stands in the file.
struct Piece<'a> {
    /// VCARD, VEVENT…; empty for lines outside of everything.
    name: String,
    text: &'a str,
}

/// Physical lines with their ends.
fn physical(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n')
}

fn keyword<'l>(line: &'l str, word: &str) -> Option<&'l str> {
    let (name, value) = line.trim_start_matches('\u{feff}').split_once(':')?;
    name.trim().eq_ignore_ascii_case(word).then_some(value.trim())
}

/// The components of a file: those in calendars, and others at the top. Lines of the calendars themselves come as `Head`.
fn pieces(text: &str) -> (Vec<Piece<'_>>, Vec<&str>) {
    let (mut found, mut head) = (Vec::new(), Vec::new());
    let mut open: Option<(String, usize, usize)> = None;
    let mut at = 0;
    for line in physical(text) {
        let start = at;
        at += line.len();
        // A line that goes on is no keyword.
        let folded = line.starts_with([' ', '\t']);
        let begins = keyword(line, "BEGIN").filter(|_| !folded);
        let ends = keyword(line, "END").filter(|_| !folded);
        match &mut open {
            None => match (begins, ends) {
                (Some(name), _) if name.eq_ignore_ascii_case("VCALENDAR") => {}
                (Some(name), _) => open = Some((name.to_ascii_uppercase(), start, 1)),
                (None, Some(_)) => {}
                (None, None) => head.push(line),
            },
            Some((_, _, depth)) if begins.is_some() => *depth += 1,
            Some((name, from, depth)) if ends.is_some() => {
                *depth -= 1;
                if *depth == 0 {
                    found.push(Piece { name: std::mem::take(name), text: &text[*from..at] });
                    open = None;
                }
            }
            Some(_) => {}
        }
    }
    if let Some((_, from, _)) = open {
        found.push(Piece { name: String::new(), text: &text[from..] });
    }
    (found, head)
}

fn crlf(out: &mut String, text: &str) {
    for line in text.lines() {
        out.push_str(line.trim_end_matches('\r'));
        out.push_str("\r\n");
    }
}

/// A UID for what has none: the same text gets the same one.
fn made_uid(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.trim().hash(&mut hasher);
    format!("imported-{:016x}", hasher.finish())
}

/// Takes a file apart.
pub fn split(text: &str) -> Export {
    let mut export = Export::default();
    let (pieces, head) = pieces(text);
    let value = |name: &str| head.iter().find_map(|line| keyword(line, name)).map(|v| unescape(v).into_owned()).filter(|v| !v.is_empty());
    (export.name, export.zone) = (value("X-WR-CALNAME"), value("X-WR-TIMEZONE"));
    let mut zones: HashMap<String, &str> = HashMap::new();
    let mut order: Vec<String> = Vec::new();
    let mut grouped: HashMap<String, Vec<String>> = HashMap::new();
    for piece in pieces {
        let parsed = parse(piece.text).ok().and_then(|mut top| top.pop());
        match (piece.name.as_str(), parsed) {
            ("VCARD", Some(card)) => match one_card(piece.text, &card) {
                Ok(object) => export.objects.push(object),
                Err(why) => export.left.push((piece.text.to_owned(), why)),
            },
            ("VTIMEZONE", Some(zone)) => _ = zone.value("TZID").map(|id| zones.insert(id.trim().to_owned(), piece.text)),
            ("VEVENT" | "VTODO" | "VJOURNAL" | "VFREEBUSY", Some(part)) => {
                let mut text = String::new();
                crlf(&mut text, piece.text);
                let uid = match part.value("UID").map(str::trim).filter(|uid| !uid.is_empty()) {
                    Some(uid) => uid.to_owned(),
                    None => {
                        let uid = made_uid(&text);
                        let end = text.find("\r\n").map_or(0, |at| at + 2);
                        text.insert_str(end, &format!("UID:{uid}\r\n"));
                        uid
                    }
                };
                // One UID may be an event here and a task there.
                let key = format!("{}\u{0}{uid}", part.name);
                let group = grouped.entry(key.clone()).or_default();
                if group.is_empty() {
                    order.push(key);
                }
                group.push(text);
            }
            (_, None) => export.left.push((piece.text.to_owned(), "it can not be read".into())),
            (name, Some(_)) => export.left.push((piece.text.to_owned(), format!("{name} is nothing that is kept"))),
        }
    }
    for key in order {
        let parts = grouped.remove(&key).unwrap_or_default();
        match assemble(&parts, &zones) {
            Ok(object) => export.objects.push(object),
            Err(why) => export.left.push((parts.concat(), why)),
        }
    }
    export
}

fn assemble(parts: &[String], zones: &HashMap<String, &str>) -> Result<Object, String> {
    let build = |parts: &[&String]| {
        let mut out = String::new();
        for line in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//holm//import//EN"] {
            push(&mut out, line);
        }
        for (id, zone) in zones {
            if parts.iter().any(|part| part.contains(id.as_str())) {
                crlf(&mut out, zone);
            }
        }
        parts.iter().for_each(|part| out.push_str(part));
        push(&mut out, "END:VCALENDAR");
        out
    };
    let mut unique: Vec<&String> = Vec::new();
    parts.iter().filter(|part| !unique.contains(part)).collect::<Vec<_>>().into_iter().for_each(|part| unique.push(part));
    let text = build(&unique);
    if text.len() > MAX_OBJECT {
        return Err("it is larger than 10 MiB".into());
    }
    match Facts::of(text.as_bytes()) {
        Ok(facts) => Ok(Object { text, facts }),
        // The same component twice, in two states: the one that was changed last is meant.
        Err(_) if unique.len() > 1 => newest(&unique, &build),
        Err(why) => Err(why.to_string()),
    }
}

/// Of components that stand for one instance, the one with the largest SEQUENCE, and of those the last in the file.
fn newest(parts: &[&String], build: &dyn Fn(&[&String]) -> String) -> Result<Object, String> {
    let mut best: Vec<(String, i64, &String)> = Vec::new();
    for part in parts {
        let Some(component) = parse(part).ok().and_then(|mut top| top.pop()) else { continue };
        let id = component.value("RECURRENCE-ID").unwrap_or_default().to_owned();
        let sequence = component.value("SEQUENCE").and_then(|n| n.trim().parse().ok()).unwrap_or(0);
        match best.iter_mut().find(|(known, ..)| *known == id) {
            Some(found) if sequence >= found.1 => *found = (id, sequence, part),
            Some(_) => {}
            None => best.push((id, sequence, part)),
        }
    }
    let text = build(&best.iter().map(|(_, _, part)| *part).collect::<Vec<_>>());
    Facts::of(text.as_bytes()).map(|facts| Object { text, facts }).map_err(|why| why.to_string())
}

fn one_card(piece: &str, card: &Component<'_>) -> Result<Object, String> {
    let mut text = String::new();
    crlf(&mut text, piece);
    let mut more = String::new();
    if card.value("UID").is_none_or(|uid| uid.trim().is_empty()) {
        push(&mut more, &format!("UID:{}", made_uid(&text)));
    }
    if card.line("FN").is_none() {
        push(&mut more, &format!("FN:{}", shown_name(card)));
    }
    let end = text.to_ascii_uppercase().rfind("END:VCARD").unwrap_or(text.len());
    text.insert_str(end, &more);
    Facts::of(text.as_bytes()).map(|facts| Object { text, facts }).map_err(|why| why.to_string())
}

/// What to call somebody whose card does not say.
fn shown_name(card: &Component<'_>) -> String {
    let name = card.value("N").map(|n| {
        let parts: Vec<&str> = n.split(';').map(str::trim).collect();
        [parts.get(1), parts.first()].into_iter().flatten().filter(|p| !p.is_empty()).copied().collect::<Vec<_>>().join(" ")
    });
    let other = ["ORG", "NICKNAME", "EMAIL", "TEL"].iter().filter_map(|n| card.value(n)).map(|v| escape(unescape(v).trim_end_matches(';')));
    name.into_iter().chain(other).find(|n| !n.is_empty()).unwrap_or_else(|| "?".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn a_calendar_comes_apart_into_objects() {
        let text = "BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:PUBLISH\nX-WR-CALNAME:Work\\, mine\nBEGIN:VTIMEZONE\nTZID:Europe/Berlin\nEND:VTIMEZONE\n\
            BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20260101T090000\nRRULE:FREQ=DAILY\nBEGIN:VALARM\nTRIGGER:-PT5M\nEND:VALARM\nEND:VEVENT\n\
            BEGIN:VTODO\nUID:2\nEND:VTODO\n\
            BEGIN:VEVENT\nDTSTART:20260101T090000Z\nEND:VEVENT\n\
            BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20260102T090000\nDTSTART:20260102T100000Z\nEND:VEVENT\n\
            BEGIN:VEVENT\nUID:3\nSEQUENCE:2\nDTSTART:20260102T100000Z\nEND:VEVENT\nBEGIN:VEVENT\nUID:3\nDTSTART:20260103T100000Z\nEND:VEVENT\n\
            BEGIN:VEVENT\nUID:4\nSUMMARY:no start\nEND:VEVENT\nEND:VCALENDAR\n";
        let export = split(text);
        assert_eq!(export.name.as_deref(), Some("Work, mine"));
        let kinds: Vec<_> = export.objects.iter().map(|o| (o.facts.kind, o.facts.uid.as_str())).collect();
        assert_eq!(kinds[..2], [(Kind::Event, "1"), (Kind::Todo, "2")]);
        assert!(kinds[2].1.starts_with("imported-") && kinds.len() == 4, "{kinds:?}");
        assert!(
            export.objects[0].text.contains("VTIMEZONE") && export.objects[0].text.contains("RECURRENCE-ID") && !export.objects[1].text.contains("VTIMEZONE")
        );
        assert!(export.objects[3].text.contains("SEQUENCE:2") && !export.objects[3].text.contains("20260103"));
        assert!(export.left.len() == 1 && export.left[0].0.contains("no start") && export.left[0].1.contains("DTSTART"), "{:?}", export.left);
        assert_eq!(split(text).objects[2].facts.uid, export.objects[2].facts.uid);
    }

    #[test]
    fn cards_get_what_they_lack() {
        let text = "BEGIN:VCARD\nVERSION:3.0\nN:Lee;Ann;;;\nEND:VCARD\nBEGIN:VCARD\nVERSION:2.1\nN:x\nEND:VCARD\nBEGIN:VCARD\nVERSION:3.0\nFN:cut";
        let export = split(text);
        assert_eq!(export.objects.len(), 1);
        assert!(export.objects[0].text.contains("FN:Ann Lee\r\n") && export.objects[0].text.contains("UID:imported-"), "{:?}", export.objects);
        assert_eq!(export.left.len(), 2, "{:?}", export.left);
    }
}
