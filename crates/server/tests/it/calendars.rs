//! Calendars and contacts as their clients meet them: discovery, collections, objects, and the reports (RFC 4791, RFC 6352).

use crate::server::{Answer, Server, basic};

pub const HOME: &str = "/dav/calendars/ann";
pub const CALENDAR: &str = "/dav/calendars/ann/personal";
pub const BOOK: &str = "/dav/contacts/ann/personal";
const NS: &str = "xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav' xmlns:a='urn:ietf:params:xml:ns:carddav' xmlns:s='http://calendarserver.org/ns/'";

pub fn event(uid: &str, lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

pub fn card(uid: &str, lines: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\n{lines}END:VCARD\r\n")
}

pub fn put(s: &Server, path: &str, body: &str) -> Answer {
    let kind = if path.contains("/contacts/") { "Content-Type: text/vcard" } else { "Content-Type: text/calendar; charset=utf-8" };
    s.send("PUT", path, &[kind], body)
}

pub fn propfind(s: &Server, path: &str, depth: &str, props: &str) -> String {
    s.send("PROPFIND", path, &[&format!("Depth: {depth}")], format!("<d:propfind {NS}><d:prop>{props}</d:prop></d:propfind>")).expect(207).text()
}

pub fn report(s: &Server, path: &str, name: &str, inner: &str) -> Answer {
    s.send("REPORT", path, &["Depth: 1"], format!("<{name} {NS}>{inner}</{name}>"))
}

/// A calendar-query for events with more in their filter.
fn query(s: &Server, inner: &str) -> String {
    let filter = format!("<c:filter><c:comp-filter name='VCALENDAR'><c:comp-filter name='VEVENT'>{inner}</c:comp-filter></c:comp-filter></c:filter>");
    report(s, CALENDAR, "c:calendar-query", &format!("<d:prop><d:getetag/></d:prop>{filter}")).expect(207).text()
}

/// The names of the objects an answer tells of.
pub fn names(text: &str) -> Vec<String> {
    let href = |part: &str| part.split('<').next().unwrap().rsplit('/').next().unwrap().to_owned();
    let mut names: Vec<_> = text.split("<d:href>").skip_while(|p| p.starts_with("<?xml")).map(href).filter(|n| !n.is_empty()).collect();
    names.sort();
    names
}

#[test]
fn discovery_leads_to_both_homes() {
    let s = Server::start();
    for path in ["/", "/.well-known/caldav", "/.well-known/carddav", "/dav/", "/dav/principals/", "/principals/", "/remote.php/dav/"] {
        let request = |authorization: &str| {
            let body = "<propfind xmlns='DAV:'><prop><current-user-principal/><resourcetype/></prop></propfind>";
            let head = format!(
                "PROPFIND {path} HTTP/1.1\r\nHost: {}\r\nDepth: 0\r\nConnection: close\r\n{authorization}Content-Length: {}\r\n\r\n{body}",
                s.address,
                body.len()
            );
            s.raw(head.as_bytes())
        };
        assert!(request("").expect(401).header("www-authenticate").unwrap().starts_with("Basic "));
        let text = request(&format!("Authorization: {}\r\n", s.authorization())).expect(207).text();
        assert!(text.contains("<d:current-user-principal><d:href>/dav/principals/users/ann/</d:href>"), "{path}: {text}");
    }
    assert_eq!(s.page("/.well-known/caldav", &[]).expect(301).header("location"), Some("/dav/"));
    let dav = s.send("OPTIONS", "/dav/principals/users/ann/", &[], "").expect(200).header("dav").unwrap().to_owned();
    assert!(dav.contains("calendar-access") && dav.contains("addressbook") && !dav.contains("calendar-auto-schedule"), "{dav}");
    let text =
        propfind(&s, "/dav/principals/users/ann/", "0", "<c:calendar-home-set/><a:addressbook-home-set/><c:calendar-user-address-set/><c:schedule-inbox-URL/>");
    assert!(text.contains("<cal:calendar-home-set><d:href>/dav/calendars/ann/</d:href>"), "{text}");
    assert!(text.contains("<card:addressbook-home-set><d:href>/dav/contacts/ann/</d:href>"), "{text}");
    assert!(text.contains("404 Not Found"), "scheduling is not there: {text}");
}

#[test]
fn a_person_finds_a_calendar_tasks_and_contacts() {
    let s = Server::start();
    let text = propfind(&s, HOME, "1", "<d:resourcetype/><d:displayname/><c:supported-calendar-component-set/><s:getctag/><d:sync-token/>");
    for part in [
        "<d:href>/dav/calendars/ann/</d:href>",
        "<d:href>/dav/calendars/ann/personal/</d:href>",
        "<d:href>/dav/calendars/ann/tasks/</d:href>",
        "<d:resourcetype><d:collection/><cal:calendar/></d:resourcetype>",
        "<d:displayname>Tasks</d:displayname>",
        "<cal:comp name=\"VTODO\"/></cal:supported-calendar-component-set>",
        "<cs:getctag>urn:holm:sync:",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let text = propfind(&s, "/dav/contacts/ann/", "1", "<d:resourcetype/><a:supported-address-data/>");
    assert!(text.contains("<card:addressbook/>") && text.contains("version=\"4.0\""), "{text}");
    // Whoever takes one away does not get it back.
    s.send("DELETE", &format!("{HOME}/tasks/"), &[], "").expect(204);
    assert!(!propfind(&s, HOME, "1", "<d:resourcetype/>").contains("/tasks/"));
    s.send("DELETE", HOME, &[], "").expect(403);
}

#[test]
fn calendars_are_made_and_changed() {
    let s = Server::start();
    let body = format!(
        "<c:mkcalendar {NS}><d:set><d:prop><d:displayname>L&amp;M</d:displayname><x:calendar-color xmlns:x='http://apple.com/ns/ical/'>#FF0000FF</x:calendar-color>\
        <c:supported-calendar-component-set><c:comp name='VTODO'/></c:supported-calendar-component-set></d:prop></d:set></c:mkcalendar>"
    );
    let path = format!("{HOME}/list");
    s.send("MKCALENDAR", &path, &[], &body).expect(201);
    assert!(s.send("MKCALENDAR", &path, &[], &body).expect(405).text().contains("resource-must-be-null"));
    assert!(s.send("MKCALENDAR", &format!("{path}/inner"), &[], "").expect(403).text().contains("cal:calendar-collection-location-ok"));
    s.send("MKCALENDAR", "/dav/files/ann/x", &[], "").expect(405);
    let text = propfind(&s, &path, "0", "<d:displayname/><c:supported-calendar-component-set/><x:calendar-color xmlns:x='http://apple.com/ns/ical/'/>");
    assert!(text.contains(">L&amp;M</d:displayname>") && text.contains("name=\"VTODO\"/></cal:") && text.contains("#FF0000FF"), "{text}");
    let set = |inner: &str| {
        s.send("PROPPATCH", &path, &[], format!("<d:propertyupdate {NS}><d:set><d:prop>{inner}</d:prop></d:set></d:propertyupdate>")).expect(207).text()
    };
    assert!(set("<d:displayname>New</d:displayname>").contains("200 OK"));
    assert!(propfind(&s, &path, "0", "<d:displayname/>").contains(">New<"));
    assert!(set("<c:supported-calendar-component-set/>").contains("cannot-modify-protected-property"));
    assert!(set("<c:calendar-timezone>nonsense</c:calendar-timezone>").contains("409"));
    assert!(set("<a:me-card><d:href>/x</d:href></a:me-card>").contains("200 OK"));
    let book = "<d:mkcol xmlns:d='DAV:' xmlns:a='urn:ietf:params:xml:ns:carddav'><d:set><d:prop><d:resourcetype><d:collection/><a:addressbook/></d:resourcetype></d:prop></d:set></d:mkcol>";
    s.send("MKCOL", "/dav/contacts/ann/work", &[], book).expect(201);
    assert!(s.send("MKCOL", &format!("{HOME}/x"), &[], book).expect(403).text().contains("valid-resourcetype"));
    // A name is free again when its calendar is gone.
    s.send("DELETE", &path, &[], "").expect(204);
    s.send("MKCALENDAR", &path, &[], "").expect(201);
}

#[test]
fn objects_stay_as_they_came() {
    let s = Server::start();
    let body = event("one", "DTSTART:20260105T090000Z\r\nSUMMARY:A very long line that somebody folded so\r\n mewhere odd\r\nX-MINE;X-P=\"a,b\":kept\r\n");
    let path = format!("{CALENDAR}/one.ics");
    let put_headers = ["Content-Type: text/calendar", "If-None-Match: *"];
    let etag = s.send("PUT", &path, &put_headers, &body).expect(201).header("etag").unwrap().to_owned();
    s.send("PUT", &path, &put_headers, &body).expect(412);
    let got = s.send("GET", &path, &[], "").expect(200);
    assert_eq!((got.text(), got.header("etag").unwrap(), got.header("content-type").unwrap()), (body.clone(), etag.as_str(), "text/calendar; charset=utf-8"));
    assert!(propfind(&s, &path, "0", "<d:getetag/>").contains(&etag.replace('"', "&quot;")));
    let multiget = report(
        &s,
        CALENDAR,
        "c:calendar-multiget",
        &format!(
            "<d:prop><d:getetag/><c:calendar-data/></d:prop><d:href>{path}</d:href><d:href>{CALENDAR}/none.ics</d:href><d:href>/dav/calendars/bob/personal/one.ics</d:href>"
        ),
    );
    let text = multiget.expect(207).text();
    assert!(text.contains(&etag.replace('"', "&quot;")) && text.contains("SUMMARY:A very long line that somebody folded so&#13;\n mewhere odd&#13;"), "{text}");
    assert_eq!(text.matches("404 Not Found").count(), 2, "{text}");
    s.send("PUT", &path, &[&format!("If-Match: {etag}")], event("one", "DTSTART:20260106T090000Z\r\n")).expect(204);
    s.send("PUT", &path, &[&format!("If-Match: {etag}")], &body).expect(412);
    s.send("DELETE", &path, &[&format!("If-Match: {etag}")], "").expect(412);
    s.send("DELETE", &path, &[], "").expect(204);
    // A UID is free again.
    put(&s, &format!("{CALENDAR}/two.ics"), &body).expect(201);
}

#[test]
fn what_is_no_object_is_refused_with_the_reason() {
    let s = Server::start();
    let check = |path: &str, body: &str, status: u16, condition: &str| {
        let answer = put(&s, path, body).expect(status);
        assert!(answer.text().contains(&format!("<{condition}")), "{condition} in {}", answer.text());
    };
    let one = format!("{CALENDAR}/one.ics");
    let start = "DTSTART:20260105T090000Z\r\n";
    check(&one, "hello", 403, "cal:valid-calendar-data");
    check(&one, &event("1", start).replace("END:VEVENT", "END:VTODO"), 403, "cal:valid-calendar-data");
    check(&one, &event("1", start).replace("UID:1\r\n", ""), 403, "cal:valid-calendar-object-resource");
    check(&one, &event("1", start).replace("VERSION:2.0", "VERSION:2.0\r\nMETHOD:REQUEST"), 403, "cal:valid-calendar-object-resource");
    let two = event("1", start).replace("END:VCALENDAR\r\n", "") + &event("2", start).replace("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n", "");
    check(&one, &two, 403, "cal:valid-calendar-object-resource");
    check(&format!("{HOME}/tasks/one.ics"), &event("1", start), 403, "cal:supported-calendar-component");
    check(&one, &format!("{}{}", event("1", start), " ".repeat(11 << 20)), 413, "cal:max-resource-size");
    let answer = s.send("PUT", &one, &["Content-Type: text/plain"], event("1", start)).expect(403);
    assert!(answer.text().contains("cal:supported-calendar-data"));
    put(&s, &one, &event("1", start)).expect(201);
    let answer = put(&s, &format!("{CALENDAR}/other.ics"), &event("1", start)).expect(403);
    assert!(answer.text().contains("<cal:no-uid-conflict><d:href>/dav/calendars/ann/personal/one.ics</d:href>"), "{}", answer.text());
    // In another calendar it may be.
    s.send("MKCALENDAR", &format!("{HOME}/other"), &[], "").expect(201);
    put(&s, &format!("{HOME}/other/one.ics"), &event("1", start)).expect(201);
    let answer = s.send("MOVE", &format!("{HOME}/other/one.ics"), &[&format!("Destination: {CALENDAR}/moved.ics")], "").expect(403);
    assert!(answer.text().contains("cal:no-uid-conflict"));
    put(&s, &format!("{HOME}/missing/one.ics"), &event("1", start)).expect(409);
    put(&s, &format!("{HOME}/one.ics"), &event("1", start)).expect(405);
    s.send("PATCH", &one, &[], "").expect(405);
    let card_path = format!("{BOOK}/1.vcf");
    check(&card_path, "hello", 403, "card:valid-address-data");
    check(&card_path, &card("1", "FN:x\r\nBEGIN:VCARD\r\nEND:VCARD\r\n"), 403, "card:valid-address-data");
    check(&card_path, &card("1", &format!("FN:x\r\nPHOTO;ENCODING=b:{}\r\n", "A".repeat(3 << 20))), 403, "card:max-resource-size");
    check(&card_path, &event("1", start), 403, "card:valid-address-data");
    // What is not pretty and still means something.
    put(&s, &one, &format!("\u{feff}{}", event("1", start).replace("\r\n", "\n"))).expect(204);
    s.send("PUT", &one, &["Content-Type: text/calendar"], b"BEGIN:VCALENDAR\nSUMMARY:caf\xe9\nEND:VCALENDAR\n").expect(403);
}

#[test]
fn sync_tells_what_changed() {
    let s = Server::start();
    let ask = |token: &str| {
        let body = format!(
            "<d:sync-collection {NS}><d:sync-token>{token}</d:sync-token><d:sync-level>1</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>"
        );
        let text = s.send("REPORT", CALENDAR, &["Depth: 0"], body).expect(207).text();
        let token = text.split("<d:sync-token>").nth(1).unwrap().split('<').next().unwrap().to_owned();
        (text, token)
    };
    let start = "DTSTART:20260105T090000Z\r\n";
    propfind(&s, HOME, "0", "<d:resourcetype/>");
    let (_, empty) = ask("");
    put(&s, &format!("{CALENDAR}/1.ics"), &event("1", start)).expect(201);
    // Not an object, and not seen: it came by another door.
    s.send("PUT", "/calendars/personal/.DS_Store", &[], "x").expect(201);
    let (text, token) = ask(&empty);
    assert_eq!(names(&text), ["1.ics"], "{text}");
    s.send("DELETE", &format!("{CALENDAR}/1.ics"), &[], "").expect(204);
    let (text, last) = ask(&token);
    assert!(text.contains("1.ics</d:href><d:status>HTTP/1.1 404"), "{text}");
    assert!(propfind(&s, CALENDAR, "0", "<d:sync-token/><s:getctag/>").matches(&last).count() == 2);
    assert!(!propfind(&s, CALENDAR, "1", "<d:getetag/>").contains(".DS_Store"));
}

#[test]
fn an_object_that_comes_by_another_door_is_found() {
    let s = Server::start();
    propfind(&s, HOME, "0", "<d:resourcetype/>");
    let body = event("1", "DTSTART:20260105T090000Z\r\nDTEND:20260105T100000Z\r\n");
    let january = "<c:time-range start='20260101T000000Z' end='20260201T000000Z'/>";
    s.send("PUT", "/calendars/personal/a.ics", &[], &body).expect(201);
    assert_eq!(names(&query(&s, january)), ["a.ics"]);
    // Written beside, and moved over.
    s.send("PUT", "/calendars/personal/a.tmp", &[], body.replace("20260105", "20260305")).expect(201);
    s.send("MOVE", "/calendars/personal/a.tmp", &["Destination: /dav/files/ann/calendars/personal/a.ics"], "").expect(204);
    assert!(names(&query(&s, january)).is_empty());
    s.send("MKCOL", "/elsewhere", &[], "").expect(201);
    s.send("PUT", "/elsewhere/b.ics", &[], &body).expect(201);
    s.send("COPY", "/elsewhere/b.ics", &["Destination: /dav/files/ann/calendars/personal/c.ics"], "").expect(201);
    assert_eq!(names(&query(&s, january)), ["c.ics"]);
    s.send("MOVE", "/calendars/personal/c.ics", &["Destination: /dav/files/ann/calendars/personal/c.txt"], "").expect(201);
    assert!(names(&query(&s, january)).is_empty());
    s.send("MOVE", "/elsewhere", &["Destination: /dav/files/ann/calendars/moved"], "").expect(201);
    assert!(propfind(&s, &format!("{HOME}/moved/"), "1", "<d:getetag/>").contains("b.ics"));
    s.send("PUT", "/calendars/personal/broken.ics", &[], "no calendar").expect(201);
    assert!(names(&query(&s, "")).contains(&"a.ics".to_owned()) && !names(&query(&s, "")).contains(&"broken.ics".to_owned()));
    // An object that lies in packs.
    let large = event("9", &format!("DTSTART:20260105T090000Z\r\nDESCRIPTION:{}\r\n", "x".repeat(200_000)));
    put(&s, &format!("{CALENDAR}/large.ics"), &large).expect(201);
    assert_eq!(names(&query(&s, january)), ["large.ics"]);
    s.send("PUT", "/calendars/personal/larger.ics", &[], large.replace("UID:9", "UID:10")).expect(201);
    assert_eq!(names(&query(&s, january)), ["large.ics", "larger.ics"]);
    let again = s.run(&["index", "rebuild", "calendar"]).unwrap();
    assert!(again.contains("4 objects") && again.contains("/calendars/personal/broken.ics"), "{again}");
    assert_eq!(names(&query(&s, january)), ["large.ics", "larger.ics"]);
    s.run(&["check", "--deep"]).unwrap();
}

#[test]
fn nobody_sees_anothers_calendars() {
    let s = Server::start();
    s.run(&["person", "add", "bob"]).unwrap();
    let bob = basic("bob", s.run(&["app-password", "add", "bob", "--quiet"]).unwrap().trim());
    put(&s, &format!("{CALENDAR}/1.ics"), &event("1", "DTSTART:20260105T090000Z\r\n")).expect(201);
    for (method, path) in [
        ("PROPFIND", CALENDAR),
        ("GET", "/dav/calendars/ann/personal/1.ics"),
        ("PUT", "/dav/calendars/ann/personal/2.ics"),
        ("PROPFIND", "/dav/calendars/nobody/"),
    ] {
        s.send_as(&bob, method, path, &[], "").expect(404);
    }
    s.send_as("", "PROPFIND", CALENDAR, &[], "").expect(401);
}
