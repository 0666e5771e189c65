//! What clients of calendars and contacts that cannot run here send, replayed: adding an account, and keeping in step.

use crate::calendars::{BOOK, CALENDAR, HOME, card, event, propfind, put, report};
use crate::server::{Server, basic};

const PRINCIPAL: &str = "/dav/principals/users/ann/";

fn sync(s: &Server, path: &str, token: &str, props: &str) -> (String, String) {
    let body = format!("<sync-collection xmlns='DAV:'><sync-token>{token}</sync-token><sync-level>1</sync-level><prop>{props}</prop></sync-collection>");
    let text = s.send("REPORT", path, &["Depth: 0"], body).expect(207).text();
    let token = text.rsplit("<d:sync-token>").next().unwrap().split('<').next().unwrap().to_owned();
    (text, token)
}

/// Every response of a multistatus.
fn responses(text: &str) -> Vec<&str> {
    // The first piece is what stands before the first response.
    // What stands before the first response is the head of the document.
    text.split("<d:response>").skip(1).collect()
}

#[test]
fn davx5_adds_an_account_and_syncs() {
    let s = Server::start();
    // At first without credentials.
    s.send_as("", "PROPFIND", "/dav/", &["Depth: 0"], "").expect(401);
    let text = propfind(&s, "/dav/", "0", "<d:resourcetype/><d:displayname/><d:current-user-principal/>");
    assert!(text.contains(PRINCIPAL), "{text}");
    let homes = propfind(
        &s,
        PRINCIPAL,
        "0",
        "<a:addressbook-home-set/><c:calendar-home-set/><c:calendar-user-address-set/><s:calendar-proxy-read-for/><d:group-membership/>",
    );
    assert!(homes.contains("/dav/calendars/ann/") && homes.contains("/dav/contacts/ann/"), "{homes}");
    let dav = s.send("OPTIONS", PRINCIPAL, &[], "").expect(200).header("dav").unwrap().to_owned();
    assert!(dav.contains("calendar-access") && dav.contains("addressbook"));
    let list = propfind(
        &s,
        HOME,
        "1",
        "<d:resourcetype/><d:displayname/><d:current-user-privilege-set/><c:supported-calendar-component-set/><x:calendar-color xmlns:x='http://apple.com/ns/ical/'/><s:source/>",
    );
    assert_eq!(list.matches("<cal:calendar/>").count(), 2, "{list}");
    let state = propfind(&s, CALENDAR, "0", "<c:max-resource-size/><d:supported-report-set/><s:getctag/><d:sync-token/>");
    assert!(
        state.contains("<d:sync-collection/>") && state.contains("<cal:calendar-multiget/>") && state.contains("<cal:max-resource-size>10485760<"),
        "{state}"
    );
    let (_, token) = sync(&s, CALENDAR, "", "<getetag/><resourcetype/>");
    let path = format!("{CALENDAR}/new.ics");
    let answer =
        s.send("PUT", &path, &["Content-Type: text/calendar; charset=utf-8", "If-None-Match: *"], event("new", "DTSTART:20260105T090000Z\r\n")).expect(201);
    let etag = answer.header("etag").unwrap().to_owned();
    let (changes, token) = sync(&s, CALENDAR, &token, "<getetag/><resourcetype/>");
    assert!(changes.contains("new.ics") && changes.contains(&etag.replace('"', "&quot;")), "{changes}");
    let data = report(
        &s,
        CALENDAR,
        "c:calendar-multiget",
        &format!("<d:prop><d:getetag/><c:calendar-data content-type='text/calendar' version='2.0'/></d:prop><d:href>{path}</d:href>"),
    );
    assert!(data.expect(207).text().contains("UID:new&#13;"));
    s.send("DELETE", &path, &[&format!("If-Match: {etag}")], "").expect(204);
    let (gone, _) = sync(&s, CALENDAR, &token, "<getetag/>");
    assert!(gone.contains("new.ics</d:href><d:status>HTTP/1.1 404"), "{gone}");
    // vCard 4, because the address book says that it takes it.
    put(&s, &format!("{BOOK}/x.vcf"), "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:x\r\nFN:X\r\nEND:VCARD\r\n").expect(201);
    let text = report(
        &s,
        BOOK,
        "a:addressbook-multiget",
        &format!("<d:prop><d:getetag/><a:address-data content-type='text/vcard' version='4.0'/></d:prop><d:href>{BOOK}/x.vcf</d:href>"),
    );
    assert!(text.expect(207).text().contains("VERSION:4.0"));
}

#[test]
fn thunderbird_adds_a_calendar_and_reads_back_what_it_puts() {
    let s = Server::start();
    let text = propfind(
        &s,
        HOME,
        "1",
        "<d:resourcetype/><d:owner/><d:displayname/><d:current-user-principal/><d:current-user-privilege-set/><s:getctag/><c:calendar-home-set/><x:calendar-color xmlns:x='http://apple.com/ns/ical/'/>",
    );
    for response in responses(&text) {
        assert!(response.contains("<d:resourcetype>") && response.contains("HTTP/1.1 200 OK"), "{response}");
    }
    s.send("OPTIONS", HOME, &[], "").expect(200);
    let one = propfind(
        &s,
        CALENDAR,
        "0",
        "<d:resourcetype/><d:owner/><d:current-user-principal/><d:current-user-privilege-set/><d:supported-report-set/><c:supported-calendar-component-set/><s:getctag/>",
    );
    assert!(one.contains("<d:privilege><d:write/></d:privilege>") && one.contains("<d:owner><d:href>/dav/principals/users/ann/"), "{one}");
    let path = format!("{CALENDAR}/t.ics");
    s.send("PUT", &path, &["Content-Type: text/calendar; charset=utf-8", "If-None-Match: *"], event("t", "DTSTART:20260105T090000Z\r\n")).expect(201);
    let back =
        report(&s, CALENDAR, "c:calendar-multiget", &format!("<d:prop><d:getetag/><c:calendar-data/></d:prop><d:href>{path}</d:href>")).expect(207).text();
    assert!(back.contains(&format!("<d:href>{path}</d:href>")) && back.contains("UID:t"), "{back}");
    s.send("PUT", &path, &["If-None-Match: *"], event("t", "DTSTART:20260105T090000Z\r\n")).expect(412);
}

#[test]
fn apple_calendar_and_contacts_find_everything_themselves() {
    let s = Server::start();
    let found = propfind(&s, "/.well-known/caldav", "0", "<d:current-user-principal/><d:principal-URL/><d:resourcetype/>");
    assert!(found.contains(PRINCIPAL), "{found}");
    let answer = s.send("PROPFIND", PRINCIPAL, &["Depth: 0"], "<propfind xmlns='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav' xmlns:s='http://calendarserver.org/ns/'><prop><c:calendar-home-set/><c:calendar-user-address-set/><current-user-principal/><displayname/><s:dropbox-home-URL/><s:email-address-set/><s:notification-URL/><principal-collection-set/><principal-URL/><resource-id/><c:schedule-inbox-URL/><c:schedule-outbox-URL/><supported-report-set/></prop></propfind>").expect(207);
    assert!(answer.header("dav").unwrap().contains("calendar-access"));
    let text = answer.text();
    assert_eq!(text.matches("<cal:calendar-home-set><d:href>").count(), 1, "{text}");
    assert!(text.contains("404 Not Found"), "what is not there is told within: {text}");
    for path in ["/caldav/v2", "/principals/users/ann/", "/calendar/dav/ann/user/"] {
        let request = format!(
            "PROPFIND {path} HTTP/1.1\r\nHost: {}\r\nDepth: 0\r\nConnection: close\r\nAuthorization: {}\r\nContent-Length: 0\r\n\r\n",
            s.address,
            s.authorization()
        );
        s.raw(request.as_bytes()).expect(404);
    }
    let search = "<principal-search-property-set xmlns='DAV:'/>";
    s.send("REPORT", "/dav/principals/users/", &["Depth: 0"], search).expect(200);
    let list = format!("{HOME}/0F5A8B2C-LIST");
    let body = "<B:mkcalendar xmlns:A='DAV:' xmlns:B='urn:ietf:params:xml:ns:caldav' xmlns:D='http://apple.com/ns/ical/'><A:set><A:prop><D:calendar-order>3</D:calendar-order>\
        <B:supported-calendar-component-set><B:comp name='VTODO'/></B:supported-calendar-component-set><D:calendar-color symbolic-color='red'>#FF2968</D:calendar-color><A:displayname>Shopping</A:displayname>\
        <B:calendar-free-busy-set><YES/></B:calendar-free-busy-set><B:calendar-timezone>BEGIN:VCALENDAR&#13;\nVERSION:2.0&#13;\nBEGIN:VTIMEZONE&#13;\nTZID:Europe/Berlin&#13;\nEND:VTIMEZONE&#13;\nEND:VCALENDAR&#13;\n</B:calendar-timezone></A:prop></A:set></B:mkcalendar>";
    s.send("MKCALENDAR", &list, &[], body).expect(201);
    let text = propfind(
        &s,
        HOME,
        "1",
        "<d:displayname/><c:supported-calendar-component-set/><c:calendar-timezone/><x:calendar-order xmlns:x='http://apple.com/ns/ical/'/><d:quota-used-bytes/>",
    );
    assert!(text.contains(">Shopping<") && responses(&text).iter().all(|r| r.split("</d:href>").next().unwrap().ends_with('/')), "{text}");
    let colour =
        "<propertyupdate xmlns='DAV:'><set><prop><calendar-color xmlns='http://apple.com/ns/ical/'>#00FF00</calendar-color></prop></set></propertyupdate>";
    assert!(s.send("PROPPATCH", &list, &[], colour).expect(207).text().contains("200 OK"));
    // Contacts: the home, the book, then cards by name.
    let home = propfind(&s, "/dav/contacts/ann/", "1", "<a:max-image-size/><a:max-resource-size/><a:me-card/><d:resourcetype/><d:add-member/><s:getctag/>");
    assert!(home.contains("<card:addressbook/>"), "{home}");
    let me = "<propertyupdate xmlns='DAV:'><set><prop><me-card xmlns='http://calendarserver.org/ns/'><href xmlns='DAV:'>/dav/contacts/ann/personal/me.vcf</href></me-card></prop></set></propertyupdate>";
    assert!(s.send("PROPPATCH", "/dav/contacts/ann/", &[], me).expect(207).text().contains("200 OK"));
    put(&s, &format!("{BOOK}/A.vcf"), &card("A", "FN:A\r\nN:A;;;;\r\n")).expect(201);
    assert!(propfind(&s, BOOK, "1", "<d:getetag/>").contains("A.vcf"));
}

#[test]
fn evolution_kde_and_home_assistant_read() {
    let s = Server::start();
    for path in ["/dav/", "/dav/calendars/ann/"] {
        assert!(s.send("OPTIONS", path, &[], "").expect(200).header("dav").unwrap().contains("calendar-access"));
    }
    put(&s, &format!("{CALENDAR}/w.ics"), &event("w", "DTSTART:20260105T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY\r\n")).expect(201);
    let listed = propfind(&s, CALENDAR, "1", "<d:getetag/><d:getcontenttype/><d:resourcetype/>");
    assert!(listed.contains("text/calendar") && listed.contains("w.ics"), "{listed}");
    // Absolute hrefs, too.
    let href = format!("http://{}{CALENDAR}/w.ics", s.address);
    let text =
        report(&s, CALENDAR, "c:calendar-multiget", &format!("<d:prop><d:getetag/><c:calendar-data/></d:prop><d:href>{href}</d:href>")).expect(207).text();
    assert!(text.contains(&format!("<d:href>{href}</d:href>")) && text.contains("UID:w"), "{text}");
    let expand = "<d:prop><c:calendar-data><c:expand start='20260201T000000Z' end='20260301T000000Z'/></c:calendar-data></d:prop><c:filter><c:comp-filter name='VCALENDAR'><c:comp-filter name='VEVENT'><c:time-range start='20260201T000000Z' end='20260301T000000Z'/></c:comp-filter></c:comp-filter></c:filter>";
    let text = report(&s, CALENDAR, "c:calendar-query", expand).expect(207).text();
    assert_eq!(text.matches("BEGIN:VEVENT").count(), 4, "{text}");
}

#[test]
fn imports_say_what_they_did() {
    let s = Server::start();
    let file = s.dir.path().join("Holidays.ics");
    let events: String = (0..300).map(|n| format!("BEGIN:VEVENT\nUID:{n}\nDTSTART:20260105T090000Z\nSUMMARY:e{n}\nEND:VEVENT\n")).collect();
    let text = format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nX-WR-CALNAME:My days\nX-WR-TIMEZONE:Europe/Berlin\n{events}BEGIN:VEVENT\nUID:bad\nEND:VEVENT\nBEGIN:VTODO\nUID:t\nEND:VTODO\nEND:VCALENDAR\n"
    );
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let told = s.run(&["import", "ann", file]).unwrap();
    assert!(told.contains("301 new, 0 changed, 0 there already, 1 not understood") && told.contains("no DTSTART"), "{told}");
    let told = s.run(&["import", "ann", file]).unwrap();
    assert!(told.contains("0 new, 0 changed, 301 there already"), "{told}");
    let list = propfind(&s, HOME, "1", "<d:displayname/>");
    assert!(list.contains(">My days<") && list.contains(">My days tasks<"), "{list}");
    assert!(s.send("GET", "/imported/Holidays%20not%20understood.txt", &[], "").expect(200).text().contains("UID:bad"));
    let cards = s.dir.path().join("people.vcf");
    std::fs::write(&cards, "BEGIN:VCARD\nVERSION:3.0\nFN:Ann\nN:;Ann;;;\nEND:VCARD\nBEGIN:VCARD\nVERSION:2.1\nN:old\nEND:VCARD\n").unwrap();
    let told = s.run(&["import", "ann", "--into", "personal", cards.to_str().unwrap()]).unwrap();
    assert!(told.contains("1 new, 0 changed, 0 there already, 1 not understood"), "{told}");
    assert!(propfind(&s, BOOK, "1", "<d:getetag/>").contains(".vcf"));
    s.run(&["person", "add", "bob"]).unwrap();
    let bob = basic("bob", s.run(&["app-password", "add", "bob", "--quiet"]).unwrap().trim());
    assert!(!s.send_as(&bob, "PROPFIND", "/dav/calendars/bob/", &["Depth: 1"], "").expect(207).text().contains("My days"));
}
