//! What calendar-query, free-busy-query and addressbook-query find, and what they show of it.

use std::time::Instant;

use crate::calendars::{BOOK, CALENDAR, HOME, card, event, names, propfind, put, report};
use crate::server::Server;

const PROPS: &str = "<d:prop><d:getetag/></d:prop>";

fn find(s: &Server, component: &str, inner: &str) -> Vec<String> {
    let filter = format!("<c:filter><c:comp-filter name='VCALENDAR'><c:comp-filter name='{component}'>{inner}</c:comp-filter></c:comp-filter></c:filter>");
    let path = if component == "VTODO" { format!("{HOME}/tasks") } else { CALENDAR.to_owned() };
    names(&report(s, &path, "c:calendar-query", &format!("{PROPS}{filter}")).expect(207).text())
}

fn within(from: &str, to: &str) -> String {
    let end = |name: &str, at: &str| if at.is_empty() { String::new() } else { format!("{name}='{at}' ") };
    format!("<c:time-range {}{}/>", end("start", from), end("end", to))
}

fn fill(s: &Server) {
    propfind(s, HOME, "0", "<d:resourcetype/>");
    let zone = "BEGIN:VTIMEZONE\r\nTZID:Office\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0530\r\nTZOFFSETTO:+0530\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";
    for (name, lines) in [
        ("once", "DTSTART:20260105T090000Z\r\nDTEND:20260105T100000Z\r\nSUMMARY:Tea\r\nCATEGORIES:Work,Home\r\n"),
        ("day", "DTSTART;VALUE=DATE:20260106\r\nCLASS:PRIVATE\r\n"),
        ("weekly", "DTSTART;TZID=Europe/Berlin:20250602T090000\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY\r\nEXDATE;TZID=Europe/Berlin:20260119T090000\r\n"),
        ("windows", "DTSTART;TZID=\"W. Europe Standard Time\":20260120T090000\r\nDURATION:PT1H\r\n"),
        ("custom", "DTSTART;TZID=Office:20260121T090000\r\nDURATION:PT1H\r\n"),
        ("ended", "DTSTART:20240101T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=10\r\n"),
        ("long", "DTSTART:20251201T000000Z\r\nDTEND:20260301T000000Z\r\n"),
    ] {
        let body = event(name, lines).replace("BEGIN:VEVENT", &if name == "custom" { format!("{zone}BEGIN:VEVENT") } else { "BEGIN:VEVENT".into() });
        put(s, &format!("{CALENDAR}/{name}.ics"), &body).expect(201);
    }
}

#[test]
fn times_are_found_whatever_zone_or_rule() {
    let s = Server::start();
    fill(&s);
    let check = |from: &str, to: &str, want: &[&str]| {
        let want: Vec<String> = want.iter().map(|n| format!("{n}.ics")).collect();
        assert_eq!(find(&s, "VEVENT", &within(from, to)), want, "{from} {to}");
    };
    check("20260105T090000Z", "20260105T093000Z", &["long", "once"]);
    check("20260105T080000Z", "20260105T083000Z", &["long", "weekly"]);
    check("20260106T120000Z", "20260106T130000Z", &["day", "long"]);
    check("20260119T080000Z", "20260119T090000Z", &["long"]);
    check("20260120T080000Z", "20260120T083000Z", &["long", "windows"]);
    check("20260121T033000Z", "20260121T040000Z", &["custom", "long"]);
    check("20900102T080000Z", "20900102T083000Z", &["weekly"]);
    check("20240110T090000Z", "20240110T093000Z", &["ended"]);
    check("20240111T090000Z", "20240111T093000Z", &[]);
    check("20300101T000000Z", "", &["weekly"]);
    check("", "20240105T000000Z", &["ended"]);
    check("19700101T000000Z", "21000101T000000Z", &["custom", "day", "ended", "long", "once", "weekly", "windows"]);
    // An all-day event is where the calendar is.
    let zone = "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Pacific/Auckland\nEND:VTIMEZONE\nEND:VCALENDAR";
    let set = format!(
        "<d:propertyupdate xmlns:d='DAV:'><d:set><d:prop><c:calendar-timezone xmlns:c='urn:ietf:params:xml:ns:caldav'>{zone}</c:calendar-timezone></d:prop></d:set></d:propertyupdate>"
    );
    s.send("PROPPATCH", CALENDAR, &[], set).expect(207);
    check("20260105T110000Z", "20260105T113000Z", &["day", "long"]);
    check("20260106T120000Z", "20260106T130000Z", &["long"]);
    let text = report(
        &s,
        CALENDAR,
        "c:calendar-query",
        &format!(
            "{PROPS}<c:filter><c:comp-filter name='VCALENDAR'><c:comp-filter name='VEVENT'>{}</c:comp-filter></c:comp-filter></c:filter>",
            "<c:time-range start='yesterday'/>"
        ),
    )
    .expect(403)
    .text();
    assert!(text.contains("cal:valid-filter"), "{text}");
}

#[test]
fn words_are_found_as_they_are_asked_for() {
    let s = Server::start();
    fill(&s);
    let text =
        |prop: &str, attributes: &str, text: &str| format!("<c:prop-filter name='{prop}'><c:text-match {attributes}>{text}</c:text-match></c:prop-filter>");
    assert_eq!(find(&s, "VEVENT", &text("SUMMARY", "", "tE")), ["once.ics"]);
    assert!(find(&s, "VEVENT", &text("SUMMARY", "collation='i;octet'", "tea")).is_empty());
    assert_eq!(find(&s, "VEVENT", &text("CATEGORIES", "", "home")), ["once.ics"]);
    assert_eq!(find(&s, "VEVENT", &(text("SUMMARY", "", "tea") + &text("CATEGORIES", "", "nothing"))), [""; 0]);
    assert_eq!(find(&s, "VEVENT", "<c:prop-filter name='CLASS'><c:is-not-defined/></c:prop-filter>").len(), 6);
    assert_eq!(find(&s, "VEVENT", &(text("SUMMARY", "", "tea") + &within("20260105T000000Z", "20260106T000000Z"))), ["once.ics"]);
    let other = format!(
        "{PROPS}<c:filter><c:comp-filter name='VCALENDAR'><c:comp-filter name='VEVENT'>{}</c:comp-filter></c:comp-filter></c:filter>",
        text("SUMMARY", "collation='i;klingon'", "x")
    );
    assert!(report(&s, CALENDAR, "c:calendar-query", &other).expect(403).text().contains("cal:supported-collation"));
    // Without a component, everything.
    let all = report(&s, CALENDAR, "c:calendar-query", &format!("{PROPS}<c:filter><c:comp-filter name='VCALENDAR'/></c:filter>")).expect(207).text();
    assert_eq!(names(&all).len(), 7);
}

#[test]
fn tasks_and_journals() {
    let s = Server::start();
    propfind(&s, HOME, "0", "<d:resourcetype/>");
    let task = |uid: &str, lines: &str| event(uid, lines).replace("VEVENT", "VTODO");
    for (name, lines) in [
        ("bare", ""),
        ("due", "DUE:20260105T120000Z\r\n"),
        ("both", "DTSTART:20260104T120000Z\r\nDUE:20260106T120000Z\r\n"),
        ("done", "COMPLETED:20260101T120000Z\r\nCREATED:20251201T000000Z\r\nSTATUS:COMPLETED\r\n"),
        ("daily", "DTSTART:20260101T080000Z\r\nDUE:20260101T090000Z\r\nRRULE:FREQ=DAILY\r\n"),
    ] {
        put(&s, &format!("{HOME}/tasks/{name}.ics"), &task(name, lines)).expect(201);
    }
    assert_eq!(find(&s, "VTODO", &within("20260105T110000Z", "20260105T130000Z")), ["bare.ics", "both.ics", "due.ics"]);
    assert_eq!(find(&s, "VTODO", &within("20270105T080000Z", "20270105T083000Z")), ["bare.ics", "daily.ics"]);
    assert_eq!(find(&s, "VTODO", &within("20251215T000000Z", "20251216T000000Z")), ["bare.ics", "done.ics"]);
    assert_eq!(find(&s, "VTODO", "<c:prop-filter name='COMPLETED'><c:is-not-defined/></c:prop-filter>").len(), 4);
    put(&s, &format!("{CALENDAR}/j.ics"), &event("j", "DTSTART;VALUE=DATE:20260105\r\n").replace("VEVENT", "VJOURNAL")).expect(201);
    assert_eq!(find(&s, "VJOURNAL", &within("20260105T000000Z", "20260106T000000Z")), ["j.ics"]);
}

#[test]
fn instances_are_written_one_by_one() {
    let s = Server::start();
    fill(&s);
    let ask = |data: &str, from: &str, to: &str| {
        let filter =
            format!("<c:filter><c:comp-filter name='VCALENDAR'><c:comp-filter name='VEVENT'>{}</c:comp-filter></c:comp-filter></c:filter>", within(from, to));
        report(&s, CALENDAR, "c:calendar-query", &format!("<d:prop><d:getetag/><c:calendar-data>{data}</c:calendar-data></d:prop>{filter}"))
    };
    let text = ask("<c:expand start='20260101T000000Z' end='20260201T000000Z'/>", "20260101T000000Z", "20260201T000000Z").expect(207).text();
    let weekly = text.split("<d:response>").find(|r| r.contains("weekly.ics")).unwrap();
    assert_eq!(weekly.matches("BEGIN:VEVENT").count(), 3, "{weekly}");
    assert!(weekly.contains("RECURRENCE-ID:20260126T080000Z") && !weekly.contains("RRULE") && !weekly.contains("TZID"), "{weekly}");
    let some = ask("<c:comp name='VCALENDAR'><c:comp name='VEVENT'><c:prop name='SUMMARY'/></c:comp></c:comp>", "20260105T093000Z", "20260105T094000Z")
        .expect(207)
        .text();
    assert!(some.contains("SUMMARY:Tea") && !some.contains("CATEGORIES"), "{some}");
}

#[test]
fn t18_a_series_without_end_harms_nobody() {
    let s = Server::start();
    propfind(&s, HOME, "0", "<d:resourcetype/>");
    let bomb = event("bomb", "DTSTART:19700101T000000Z\r\nRRULE:FREQ=SECONDLY;BYSETPOS=1,-1\r\n");
    put(&s, &format!("{CALENDAR}/bomb.ics"), &bomb).expect(201);
    let exceptions = vec!["20260102T000000Z"; 10_000].join(",");
    put(&s, &format!("{CALENDAR}/many.ics"), &event("many", &format!("DTSTART:20260101T000000Z\r\nRRULE:FREQ=DAILY\r\nEXDATE:{exceptions}\r\n"))).expect(201);
    assert_eq!(s.send("GET", &format!("{CALENDAR}/bomb.ics"), &[], "").expect(200).text(), bomb);
    let began = Instant::now();
    assert_eq!(find(&s, "VEVENT", &within("20260102T000000Z", "20260103T000000Z")), ["bomb.ics"]);
    let years = "<c:time-range start='20260101T000000Z' end='21260101T000000Z'/>";
    let expand = "<d:prop><c:calendar-data><c:expand start='20260101T000000Z' end='21260101T000000Z'/></c:calendar-data></d:prop>";
    let filter = format!("<c:filter><c:comp-filter name='VCALENDAR'><c:comp-filter name='VEVENT'>{years}</c:comp-filter></c:comp-filter></c:filter>");
    let text = report(&s, CALENDAR, "c:calendar-query", &format!("{expand}{filter}")).expect(507).text();
    assert!(text.contains("number-of-matches-within-limits"), "{text}");
    report(&s, CALENDAR, "c:free-busy-query", years).expect(507);
    assert!(began.elapsed().as_millis() < 3_000, "{:?}", began.elapsed());
}

#[test]
fn busy_times_tell_when_and_not_what() {
    let s = Server::start();
    propfind(&s, HOME, "0", "<d:resourcetype/>");
    for (name, lines) in [
        ("a", "DTSTART:20260105T090000Z\r\nDURATION:PT1H\r\nSUMMARY:secret\r\n"),
        ("b", "DTSTART:20260105T093000Z\r\nDURATION:PT1H\r\n"),
        ("c", "DTSTART:20260105T120000Z\r\nDURATION:PT1H\r\nSTATUS:TENTATIVE\r\n"),
        ("d", "DTSTART:20260105T130000Z\r\nDURATION:PT1H\r\nTRANSP:TRANSPARENT\r\n"),
        ("e", "DTSTART:20260105T140000Z\r\nDURATION:PT1H\r\nSTATUS:CANCELLED\r\n"),
    ] {
        put(&s, &format!("{CALENDAR}/{name}.ics"), &event(name, lines)).expect(201);
    }
    let answer = report(&s, CALENDAR, "c:free-busy-query", "<c:time-range start='20260105T000000Z' end='20260106T000000Z'/>").expect(200);
    let text = answer.text();
    assert_eq!(answer.header("content-type"), Some("text/calendar; charset=utf-8"));
    assert_eq!(text.matches("FREEBUSY;").count(), 2, "{text}");
    assert!(text.contains("FREEBUSY;FBTYPE=BUSY:20260105T090000Z/20260105T103000Z\r\n") && !text.contains("secret"), "{text}");
    assert!(text.contains("FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260105T120000Z/20260105T130000Z\r\n"), "{text}");
}

#[test]
fn contacts_are_found_and_shown_as_asked() {
    let s = Server::start();
    propfind(&s, "/dav/contacts/ann", "0", "<d:resourcetype/>");
    for (name, lines) in [
        (
            "ann",
            "FN:Ann \u{c9}lise\r\nN:\u{c9}lise;Ann;;;\r\nitem1.EMAIL;TYPE=WORK,pref:ann@example.org\r\nitem1.X-ABLabel:mine\r\nPHOTO;ENCODING=b;TYPE=JPEG:AAAA\r\n",
        ),
        ("bob", "FN:Bob\r\nN:;Bob;;;\r\nTEL;TYPE=CELL:+1\r\n"),
        ("all", "FN:All\r\nN:All;;;;\r\nX-ADDRESSBOOKSERVER-KIND:group\r\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:ann\r\n"),
    ] {
        put(&s, &format!("{BOOK}/{name}.vcf"), &card(name, lines)).expect(201);
    }
    let find = |filter: &str| names(&report(&s, BOOK, "a:addressbook-query", &format!("{PROPS}{filter}")).expect(207).text());
    let text =
        |prop: &str, kind: &str, text: &str| format!("<a:prop-filter name='{prop}'><a:text-match match-type='{kind}'>{text}</a:text-match></a:prop-filter>");
    assert_eq!(find(&format!("<a:filter>{}</a:filter>", text("FN", "contains", "\u{e9}l"))), ["ann.vcf"]);
    assert_eq!(find(&format!("<a:filter>{}</a:filter>", text("FN", "equals", "bob"))), ["bob.vcf"]);
    assert_eq!(find(&format!("<a:filter>{}</a:filter>", text("EMAIL", "starts-with", "ann@"))), ["ann.vcf"]);
    assert_eq!(find(&format!("<a:filter>{}</a:filter>", text("EMAIL", "ends-with", ".ORG"))), ["ann.vcf"]);
    let (a, b) = (text("FN", "equals", "bob"), text("EMAIL", "contains", "ann"));
    assert_eq!(find(&format!("<a:filter test='anyof'>{a}{b}</a:filter>")), ["ann.vcf", "bob.vcf"]);
    assert!(find(&format!("<a:filter test='allof'>{a}{b}</a:filter>")).is_empty());
    assert_eq!(find("<a:filter><a:prop-filter name='TEL'><a:is-not-defined/></a:prop-filter></a:filter>"), ["all.vcf", "ann.vcf"]);
    let param =
        "<a:filter><a:prop-filter name='EMAIL'><a:param-filter name='TYPE'><a:text-match>work</a:text-match></a:param-filter></a:prop-filter></a:filter>";
    assert_eq!(find(param), ["ann.vcf"]);
    let limited = report(&s, BOOK, "a:addressbook-query", &format!("{PROPS}<a:filter/><a:limit><a:nresults>2</a:nresults></a:limit>")).expect(207).text();
    assert_eq!(limited.matches("<d:propstat>").count(), 2, "{limited}");
    assert!(limited.contains("507 Insufficient Storage"), "{limited}");
    let get = |data: &str| {
        report(&s, BOOK, "a:addressbook-multiget", &format!("<d:prop>{data}</d:prop><d:href>{BOOK}/ann.vcf</d:href><d:href>{BOOK}/all.vcf</d:href>"))
            .expect(207)
            .text()
    };
    let four = get("<a:address-data content-type='text/vcard' version='4.0'/>");
    for part in [
        "VERSION:4.0&#13;",
        "PHOTO:data:image/jpeg;base64,AAAA",
        "item1.EMAIL;TYPE=WORK;PREF=1:ann@example.org",
        "item1.X-ABLabel:mine",
        "KIND:group",
        "MEMBER:urn:uuid:ann",
    ] {
        assert!(four.contains(part), "{part} in {four}");
    }
    let some = get("<a:address-data><a:prop name='EMAIL'/></a:address-data>");
    assert!(some.contains("EMAIL") && some.contains("UID:ann") && !some.contains("PHOTO"), "{some}");
    assert!(get("<a:address-data/>").contains("PHOTO;ENCODING=b;TYPE=JPEG:AAAA"));
    let wrong = report(&s, BOOK, "a:addressbook-query", "<d:prop><a:address-data version='2.1'/></d:prop><a:filter/>").expect(403).text();
    assert!(wrong.contains("card:supported-address-data"), "{wrong}");
}
