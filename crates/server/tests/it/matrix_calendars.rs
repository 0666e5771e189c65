//! Every method of calendars and contacts, for everybody who may come: what a server says it allows must have a rule here, and what
//! the rule says must be so (T26, T58).

use std::collections::BTreeSet;

use crate::calendars::{BOOK, CALENDAR, card, event, propfind, put};
use crate::server::{Server, basic};

/// The method, the end of its path, headers, a body, and which abilities it asks: `r`ead, `a`ppend, `w`rite, `d`elete.
const RULES: &[(&str, &str, &[&str], &str, &str)] = &[
    ("OPTIONS", "/f", &[], "", ""),
    ("GET", "/f", &[], "", "r"),
    ("HEAD", "/f", &[], "", "r"),
    ("PROPFIND", "", &["Depth: 1"], "", "r"),
    ("REPORT", "", &["Depth: 0"], "<sync-collection xmlns='DAV:'><sync-token/><sync-level>1</sync-level><prop/></sync-collection>", "r"),
    ("REPORT", "", &["Depth: 1"], "QUERY", "r"),
    ("PUT", "/NEW", &[], "NEW", "a"),
    ("PUT", "/f", &[], "SAME", "w"),
    ("COPY", "/f", &["Destination: OTHER/NEW"], "", "ra"),
    ("MOVE", "/f", &["Destination: OTHER/NEW"], "", "rda"),
    ("PROPPATCH", "", &[], "<propertyupdate xmlns='DAV:'><set><prop><displayname>x</displayname></prop></set></propertyupdate>", "w"),
    ("LOCK", "/f", &["Timeout: Second-1"], "<lockinfo xmlns='DAV:'><lockscope><shared/></lockscope><locktype><write/></locktype></lockinfo>", "w"),
    ("UNLOCK", "/f", &["Lock-Token: <urn:uuid:00000000-0000-0000-0000-000000000000>"], "", "w"),
    ("MKCOL", "/../NEW", &[], "", "a"),
    ("MKCALENDAR", "/../NEW", &[], "", "a"),
    ("DELETE", "/f", &[], "", "d"),
];

struct Caller {
    name: &'static str,
    authorization: String,
    may: &'static str,
    refusal: u16,
}

/// A device of ann's with one grant, on the folder of both homes.
fn device(s: &Server, name: &'static str, folders: [&str; 2], abilities: &str, may: &'static str) -> Caller {
    let secret = s.run(&["app-password", "add", "ann", "--name", name, "--quiet"]).unwrap();
    let line = s.run(&["grant", "list", "ann"]).unwrap().lines().last().unwrap().to_owned();
    let mut fields = line.split('\t');
    let (grant, party) = (fields.next().unwrap(), fields.next().unwrap().trim_start_matches("party "));
    s.run(&["grant", "revoke", "ann", grant]).unwrap();
    for folder in folders {
        s.run(&["grant", "add", "ann", party, "--scope", folder, "--abilities", abilities]).unwrap();
    }
    Caller { name, authorization: basic("ann", secret.trim()), may, refusal: 403 }
}

fn callers(s: &Server) -> Vec<Caller> {
    s.run(&["person", "add", "eve"]).unwrap();
    let eve = basic("eve", s.run(&["app-password", "add", "eve", "--quiet"]).unwrap().trim());
    let homes = ["/calendars", "/contacts"];
    vec![
        Caller { name: "anonymous", authorization: String::new(), may: "", refusal: 401 },
        Caller { name: "another person", authorization: eve, may: "", refusal: 404 },
        Caller { name: "everything", authorization: s.authorization(), may: "rawd", refusal: 403 },
        device(s, "a reader", homes, "read", "r"),
        device(s, "a dropper", homes, "append", "a"),
        device(s, "a writer", homes, "read,write", "raw"),
        device(s, "a cleaner", homes, "delete", "d"),
        device(s, "a reader of files elsewhere", ["/pictures", "/music"], "read,write,delete", ""),
    ]
}

#[test]
fn t26_t58_calendars_and_contacts_are_for_whom_the_ledger_says() {
    let s = Server::start();
    propfind(&s, CALENDAR, "0", "<d:resourcetype/>");
    let allow = s.send("OPTIONS", CALENDAR, &[], "").header("Allow").unwrap().to_owned();
    assert_eq!(allow.split(", ").collect::<BTreeSet<_>>(), RULES.iter().map(|r| r.0).collect(), "each method has a rule");
    s.send("MKCALENDAR", "/dav/calendars/ann/other", &[], "").expect(201);
    s.send("MKCOL", "/dav/contacts/ann/other", &[], "").expect(201);
    let mut news = 0;
    for caller in callers(&s) {
        for (home, collection) in [("calendars", CALENDAR), ("contacts", BOOK)] {
            for (method, end, headers, body, asks) in RULES {
                if home == "contacts" && *method == "MKCALENDAR" {
                    continue;
                }
                let object = |uid: &str| if home == "calendars" { event(uid, "DTSTART:20260105T090000Z\r\n") } else { card(uid, "FN:x\r\n") };
                news += 1;
                let new = format!("new{news}");
                put(&s, &format!("{collection}/f"), &object("f"));
                let headers: Vec<String> = headers.iter().map(|h| h.replace("OTHER", &format!("/dav/{home}/ann/other")).replace("NEW", &new)).collect();
                let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
                let query = "<c:calendar-query xmlns:c='urn:ietf:params:xml:ns:caldav' xmlns:d='DAV:'><d:prop><d:getetag/></d:prop></c:calendar-query>";
                let cards = "<c:addressbook-query xmlns:c='urn:ietf:params:xml:ns:carddav' xmlns:d='DAV:'><d:prop><d:getetag/></d:prop></c:addressbook-query>";
                let body = match *body {
                    "NEW" => object(&new),
                    "SAME" => object("f"),
                    "QUERY" => (if home == "calendars" { query } else { cards }).to_owned(),
                    text => text.to_owned(),
                };
                let path = match end.strip_prefix("/../") {
                    Some(_) => format!("/dav/{home}/ann/{new}"),
                    None => format!("{collection}{}", end.replace("NEW", &new)),
                };
                let answer = s.send_as(&caller.authorization, method, &path, &headers, &body);
                let (got, text) = (answer.status, answer.text());
                let what = format!("{}: {method} {path} {headers:?} is answered {got}: {text}", caller.name);
                let has = |ability: char| caller.may.contains(ability) || (ability == 'a' && caller.may.contains('w'));
                match (asks.chars().all(has), *method) {
                    (true, "UNLOCK") => assert_eq!(got, 409, "{what}"),
                    (true, _) => assert!((200..300).contains(&got), "{what}"),
                    (false, _) => assert_eq!(got, caller.refusal, "{what}"),
                }
                if *method == "LOCK" && got == 200 {
                    let token = answer.header("Lock-Token").unwrap_or_default().to_owned();
                    s.send_as(&caller.authorization, "UNLOCK", &path, &[&format!("Lock-Token: {token}")], "");
                }
                s.send("DELETE", &format!("/dav/{home}/ann/other/{new}"), &[], "");
                s.send("DELETE", &format!("{collection}/{new}"), &[], "");
            }
        }
    }
}
