//! Every method of every place, for everybody who may come: what a server says it allows must have a rule here, and
//! what the rule says must be so (T26, T58).

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::links::link;
use crate::oauth::token;
use crate::server::{Server, basic};
use crate::sessions::{Session, session};

/// What a method asks of whoever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Answered before anybody signs in.
    Open,
    Read,
    Append,
    Write,
    Delete,
    ReadAndAppend,
    ReadAndWrite,
    ReadAndDelete,
}

/// The method, a request that succeeds for whoever may do everything, and what it asks.
const RULES: &[(&str, &str, &[&str], &str, Rule)] = &[
    ("OPTIONS", "/in/f", &[], "", Rule::Open),
    ("GET", "/in/f", &[], "", Rule::Read),
    ("HEAD", "/in/f", &[], "", Rule::Read),
    ("PROPFIND", "/in", &["Depth: 1"], "", Rule::Read),
    ("REPORT", "/in", &["Depth: 0"], "<sync-collection xmlns='DAV:'><sync-token/><sync-level>1</sync-level><prop/></sync-collection>", Rule::Read),
    ("PUT", "/in/NEW", &[], "x", Rule::Append),
    ("PUT", "/in/f", &[], "x", Rule::Write),
    ("PATCH", "/in/f", &["Content-Type: application/x-sabredav-partialupdate", "X-Update-Range: append"], "x", Rule::ReadAndWrite),
    ("MKCOL", "/in/NEW", &[], "", Rule::Append),
    ("COPY", "/in/f", &["Destination: ROOT/in/NEW"], "", Rule::ReadAndAppend),
    ("MOVE", "/in/f", &["Destination: ROOT/in/NEW"], "", Rule::ReadAndDelete),
    ("PROPPATCH", "/in/f", &[], "<propertyupdate xmlns='DAV:'><set><prop><x xmlns='y'>1</x></prop></set></propertyupdate>", Rule::Write),
    ("LOCK", "/in/f", &["Timeout: Second-1"], "<lockinfo xmlns='DAV:'><lockscope><shared/></lockscope><locktype><write/></locktype></lockinfo>", Rule::Write),
    ("UNLOCK", "/in/f", &["Lock-Token: <urn:uuid:00000000-0000-0000-0000-000000000000>"], "", Rule::Write),
    ("DELETE", "/in/f", &[], "", Rule::Delete),
];

struct Caller {
    name: &'static str,
    /// Nothing where it does not sign in.
    authorization: String,
    /// The abilities that its grant names; nothing where it has none that holds.
    may: &'static str,
    /// What it gets for what it may not do.
    refusal: u16,
    /// Where ann's tree is for it.
    root: String,
}

impl Caller {
    fn allowed(&self, rule: Rule) -> bool {
        let has = |ability: &str| self.may.split(',').any(|a| a == ability);
        match rule {
            Rule::Open => true,
            Rule::Read => has("read"),
            Rule::Append => has("append") || has("write"),
            Rule::Write => has("write"),
            Rule::Delete => has("delete"),
            Rule::ReadAndWrite => has("read") && has("write"),
            Rule::ReadAndAppend => has("read") && (has("append") || has("write")),
            Rule::ReadAndDelete => has("read") && has("delete") && (has("append") || has("write")),
        }
    }
}

/// A device of ann's whose one grant is ended and another made instead; answers its credentials.
fn device(s: &Server, name: &str, grants: &[(&str, &str, &[&str])]) -> String {
    let secret = s.run(&["app-password", "add", "ann", "--name", name, "--quiet"]).unwrap();
    let line = s.run(&["grant", "list", "ann"]).unwrap().lines().last().unwrap().to_owned();
    let mut fields = line.split('\t');
    let (grant, party) = (fields.next().unwrap(), fields.next().unwrap().trim_start_matches("party "));
    if !grants.is_empty() {
        s.run(&["grant", "revoke", "ann", grant]).unwrap();
    }
    for (scope, may, more) in grants {
        s.run(&[&["grant", "add", "ann", party, "--scope", scope, "--abilities", may], *more].concat()).unwrap();
    }
    basic("ann", secret.trim())
}

fn callers(s: &Server) -> Vec<Caller> {
    let caller = |name, authorization, may, refusal| Caller { name, authorization, may, refusal, root: "/dav/files/ann".into() };
    s.run(&["person", "add", "bob"]).unwrap();
    s.run(&["person", "add", "eve"]).unwrap();
    let secret = |person: &str| basic(person, s.run(&["app-password", "add", person, "--quiet"]).unwrap().trim());
    let (bob, eve) = (secret("bob"), secret("eve"));
    let party = s.run(&["--json", "party", "add", "ann", "bob"]).unwrap();
    let party = party.split("\"party\":").nth(1).unwrap().split(['}', ',']).next().unwrap().to_owned();
    s.run(&["grant", "add", "ann", &party, "--scope", "/in", "--abilities", "read,append"]).unwrap();
    let revoked = device(s, "revoked grant", &[("/in", "read,write,delete", &[])]);
    let last = s.run(&["grant", "list", "ann"]).unwrap().lines().last().unwrap().split('\t').next().unwrap().to_owned();
    s.run(&["grant", "revoke", "ann", &last]).unwrap();
    let ended = device(s, "ended", &[]);
    let last = s.run(&["app-password", "list", "ann"]).unwrap().lines().last().unwrap().split('\t').next().unwrap().to_owned();
    s.run(&["app-password", "revoke", "ann", &last]).unwrap();
    let expired = device(s, "expired grant", &[("/", "read,write,delete", &["--for", "1s"])]);
    let app = |scope: &str, doors: &[&str], ago| format!("Bearer {}", token(s, scope, doors, ago));
    let holder =
        |name, link: (String, Value), may, refusal| Caller { name, authorization: String::new(), may, refusal, root: format!("/dav/links/{}", link.0) };
    let to = |what: Value| link(s, what);
    let (taken_back, asks) = (to(json!({ "path": "/" })), to(json!({ "path": "/", "password": "open sesame" })));
    let own = session(s, "ann", Session::Proven);
    s.ask(&own, "DELETE", &format!("/links/{}", taken_back.1["id"]), &[], "").expect(204);
    let asked_and_told = Caller { authorization: basic("x", "open sesame"), ..holder("a link and its password", asks.clone(), "read", 403) };
    let all = vec![
        holder("a link", to(json!({ "path": "/" })), "read", 403),
        holder("a link to drop into", to(json!({ "path": "/", "abilities": ["append"] })), "append", 403),
        holder("a link to work in", to(json!({ "path": "/", "abilities": ["read", "write", "delete"] })), "read,write,delete", 403),
        holder("a link that ended", to(json!({ "path": "/", "until": "2020-01-01T00:00:00Z" })), "", 404),
        holder("a link that was taken back", taken_back, "", 404),
        holder("a link that leads nowhere", ("0123456789".into(), Value::Null), "", 404),
        holder("a link without its password", asks, "", 401),
        asked_and_told,
        caller("anonymous", String::new(), "", 401),
        caller("a wrong kind of credential", "Bearer 0123456789abcdef".into(), "", 401),
        caller("a wrong secret", basic("ann", "abcd-abcd-abcd-abcd-abcd-abcd-abcd"), "", 401),
        caller("ann's secret under another name", basic("bob", &s.secret), "", 401),
        caller("another person", eve, "", 404),
        caller("another person with a grant", bob, "read,append", 403),
        caller("everything", device(s, "all", &[]), "read,append,write,delete", 403),
        caller("a reader", device(s, "reader", &[("/in", "read", &[])]), "read", 403),
        caller("a dropper", device(s, "dropper", &[("/in", "append", &[])]), "append", 403),
        caller("a writer", device(s, "writer", &[("/in", "read,write", &[])]), "read,write", 403),
        caller("a cleaner", device(s, "cleaner", &[("/in", "delete", &[])]), "delete", 403),
        caller("with a grant elsewhere", device(s, "elsewhere", &[("/other", "read,write,delete", &[])]), "", 403),
        caller("with an expired grant", expired, "", 403),
        caller("with a revoked grant", revoked, "", 403),
        caller("with a revoked credential", ended, "", 401),
        caller("an app that may do everything", app("files:rw", &[], 0), "read,append,write,delete", 403),
        caller("an app that reads", app("files:r:/in", &["webdav"], 0), "read", 403),
        caller("an app with folders of its own", app("notes:rw", &[], 0), "", 403),
        caller("an app at another door", app("files:rw", &["remotestorage"], 0), "", 403),
        caller("an app whose time is over", app("files:rw", &[], 91 * 86_400_000), "", 401),
    ];
    std::thread::sleep(Duration::from_millis(1_200));
    all
}

#[test]
fn t26_t58_every_method_is_for_whom_the_ledger_says() {
    let s = Server::start();
    s.send("MKCOL", "/in", &[], "").expect(201);
    s.send("MKCOL", "/other", &[], "").expect(201);
    let allow = s.send("OPTIONS", "/", &[], "").header("Allow").unwrap().to_owned();
    let told: BTreeSet<&str> = allow.split(", ").collect();
    assert_eq!(told, RULES.iter().map(|r| r.0).collect(), "each method has a rule");
    let mut news = 0;
    for caller in callers(&s) {
        for (method, path, headers, body, rule) in RULES {
            assert!(matches!(s.send("PUT", "/in/f", &[], "x").status, 201 | 204));
            news += 1;
            let new = |text: &&str| text.replace("NEW", &format!("new{news}")).replace("ROOT", &caller.root);
            let (path, headers): (_, Vec<String>) = (new(path), headers.iter().map(new).collect());
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            let path = format!("{}{path}", caller.root);
            let answer = s.send_as(&caller.authorization, method, &path, &headers, body);
            let got = answer.status;
            let what = format!("{}: {method} {path} {headers:?} is answered {got}: {}", caller.name, answer.text());
            match (caller.allowed(*rule), *method) {
                (true, "LOCK") if caller.root.starts_with("/dav/links") => assert_eq!(got, 403, "{what}"),
                // There is no such lock: it may ask, and is told so.
                (true, "UNLOCK") => assert_eq!(got, 409, "{what}"),
                (true, _) => assert!((200..300).contains(&got), "{what}"),
                // Whoever tries wrong secrets often is told to wait.
                (false, _) => assert!(got == caller.refusal || (matches!(caller.refusal, 401 | 404), got) == (true, 429), "{what}"),
            }
            // A lock that somebody may take is not to stand in the next one's way.
            if *method == "LOCK" && got == 200 {
                let token = answer.header("Lock-Token").unwrap_or_default().to_owned();
                s.send_as(&caller.authorization, "UNLOCK", &path, &[&format!("Lock-Token: {token}")], "");
            }
        }
    }
}

#[test]
fn t58_places_above_show_a_person_what_is_theirs() {
    let s = Server::start();
    let all = callers(&s);
    let seen = |name: &str| {
        let caller = all.iter().find(|c| c.name == name).unwrap();
        let text = s.send_as(&caller.authorization, "PROPFIND", "/dav/files/", &["Depth: 1"], "").expect(207).text();
        ["ann", "bob", "eve"].into_iter().filter(|n| text.contains(&format!("<d:href>/dav/files/{n}/</d:href>"))).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(seen("another person"), "eve");
    assert_eq!(seen("another person with a grant"), "ann bob");
    assert_eq!(seen("a reader"), "ann");
}
