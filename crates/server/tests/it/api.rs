//! The JSON API: what it refuses and how, that its description is true, and what people do with it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::server::{Answer, Server, basic};
use crate::sessions::{Session, session};

const DESCRIPTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
/// On every answer, whatever it is.
const HEADERS: &[(&str, &str)] = &[
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];

fn assert_headers(answer: &Answer, what: &str) {
    for (name, value) in HEADERS {
        assert_eq!(answer.header(name), Some(*value), "{what}: {name}");
    }
    assert!(!answer.head.to_ascii_lowercase().contains("access-control"), "{what}: no other site reads along");
}

/// A problem as RFC 9457 has it, of this status and type.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16, kind: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}\n{}", answer.head, answer.text());
    assert_eq!(answer.header("Content-Type"), Some("application/problem+json"), "{what}");
    let problem = answer.json();
    assert_eq!((&problem["type"], &problem["status"]), (&json!(format!("/problems/{kind}")), &json!(status)), "{what}: {problem}");
    for field in ["title", "detail"] {
        assert!(problem[field].as_str().is_some_and(|t| !t.is_empty() && t.len() < 3_000), "{what}: {problem}");
    }
    assert_headers(answer, what);
}

/// Every operation of the description: method, path, what it says of itself.
pub fn operations(description: &Value) -> Vec<(String, String, Value)> {
    let paths = description["paths"].as_object().unwrap();
    let of = |path: &String, item: &Value| {
        let item = item.as_object().unwrap().clone();
        item.into_iter().map(|(method, operation)| (method.to_uppercase(), path.clone(), operation)).collect::<Vec<_>>()
    };
    paths.iter().flat_map(|(path, item)| of(path, item)).collect()
}

#[test]
fn openapi_is_what_the_file_says() {
    let s = Server::start();
    let told = s.ask("", "GET", "/openapi.json", &[], "").expect(200);
    assert_headers(&told, "the description");
    if std::env::var_os("HOLM_RENEW").is_some() {
        std::fs::write(DESCRIPTION, &told.body).unwrap();
    }
    let kept = std::fs::read_to_string(DESCRIPTION).unwrap_or_default();
    assert!(told.text() == kept, "docs/openapi.json is not what the code says; renew it: HOLM_RENEW=1 cargo test -p holm openapi");
    let description = told.json();
    assert_eq!(description["openapi"], "3.1.0");
    let operations = operations(&description);
    let ids: BTreeSet<String> = operations.iter().map(|(_, _, operation)| operation["operationId"].to_string()).collect();
    assert_eq!(ids.len(), operations.len(), "each operation has a name of its own");
    for (method, path, operation) in operations {
        let what = format!("{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|s| s.starts_with('2')), "{what}: how it succeeds");
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            let content = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(content, "#/components/schemas/Problem", "{what}: {status}");
        }
        let open = operation["security"] == json!([{}]);
        assert!(open || responses.contains_key("401") && responses.contains_key("403"), "{what}: who may not");
        assert!(responses.contains_key("500") && responses.contains_key("503"), "{what}");
        assert!(operation["summary"].as_str().is_some_and(|t| !t.is_empty()) && operation["operationId"].is_string(), "{what}: what it is for");
    }
}

/// What it is, the status, the problem's type; method, path, headers, body.
type Row<'a> = (&'a str, u16, &'a str, &'a str, &'a str, &'a [&'a str], &'a str);

#[test]
fn what_is_refused_is_a_problem_that_says_what_to_do() {
    let s = Server::start();
    let token = session(&s, "ann", Session::Proven);
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(64 * 1024));
    let long = format!("/parties?{}", "q".repeat(9_000));
    let text = &["Content-Type: text/plain"][..];
    let json_type = &["Content-Type: application/json; charset=utf-8"][..];
    let deep = "[".repeat(10_000);
    let rows: &[Row] = &[
        ("an unknown path", 404, "not-found", "GET", "/x", &[], ""),
        ("above the version", 404, "not-found", "GET", "/../../api", &[], ""),
        ("a slash too many", 404, "not-found", "GET", "/parties/", &[], ""),
        ("another method", 405, "method-not-allowed", "PUT", "/parties", &[], "{}"),
        ("a WebDAV method", 405, "method-not-allowed", "PROPFIND", "/parties", &[], ""),
        ("a method nobody knows", 405, "method-not-allowed", "FROBNICATE", "/parties", &[], ""),
        ("CORS is not spoken", 405, "method-not-allowed", "OPTIONS", "/parties", &["Origin: https://evil.example", "Access-Control-Request-Method: POST"], ""),
        ("no JSON", 400, "malformed", "POST", "/parties", &[], "x"),
        ("half of it", 400, "malformed", "POST", "/parties", &[], "{\"kind\":\"person\","),
        ("more after it", 400, "malformed", "POST", "/parties", &[], "{\"kind\":\"person\",\"name\":\"bob\"} x"),
        ("too deep", 400, "malformed", "POST", "/parties", &[], &deep),
        ("an empty body", 400, "malformed", "POST", "/parties", json_type, ""),
        ("an unknown field", 400, "malformed", "POST", "/parties", &[], "{\"kind\":\"person\",\"name\":\"bob\",\"admin\":true}"),
        ("a field twice", 400, "malformed", "POST", "/parties", &[], "{\"kind\":\"person\",\"name\":\"bob\",\"name\":\"eve\"}"),
        ("a field missing", 400, "malformed", "POST", "/parties", &[], "{\"kind\":\"person\"}"),
        ("another kind of value", 400, "malformed", "POST", "/parties", &[], "{\"kind\":\"person\",\"name\":1}"),
        ("a number too large", 400, "malformed", "POST", "/grants", &[], "{\"party\":9007199254740992,\"scope\":\"/\",\"abilities\":[\"read\"]}"),
        ("a broken number", 400, "malformed", "POST", "/grants", &[], "{\"party\":2.5,\"scope\":\"/\",\"abilities\":[\"read\"]}"),
        ("no time", 400, "malformed", "POST", "/grants", &[], "{\"party\":2,\"scope\":\"/\",\"abilities\":[\"read\"],\"until\":\"tomorrow\"}"),
        ("an unknown parameter", 400, "malformed", "GET", "/parties?x=1", &[], ""),
        ("a parameter twice", 400, "malformed", "GET", "/parties?limit=1&limit=2", &[], ""),
        ("too many at once", 400, "malformed", "GET", "/parties?limit=1001", &[], ""),
        ("a cursor of somebody's own", 400, "malformed", "GET", "/access-records?after=x", &[], ""),
        ("another media type", 415, "media-type", "POST", "/parties", text, "{}"),
        ("a form, as pages of others can send it", 415, "media-type", "POST", "/parties", &["Content-Type: application/x-www-form-urlencoded"], "a=b"),
        ("a packed body", 415, "media-type", "POST", "/parties", &["Content-Type: application/json", "Content-Encoding: gzip"], "{}"),
        ("a large body", 413, "too-large", "POST", "/parties", &[], &large),
        ("a long URI", 414, "uri-too-long", "GET", &long, &[], ""),
        ("no such number", 404, "not-found", "GET", "/parties/77", &[], ""),
        ("no number", 404, "not-found", "GET", "/parties/x", &[], ""),
        ("a number too large for one", 404, "not-found", "DELETE", "/grants/99999999999999999999", &[], ""),
        ("a name that is not UTF-8", 404, "not-found", "GET", "/persons/%ff", &[], ""),
        ("nobody of that name", 404, "not-found", "GET", "/persons/x", &[], ""),
        ("somebody who is here", 409, "conflict", "POST", "/persons", &[], "{\"name\":\"ann\"}"),
        ("no name for a person", 422, "not-possible", "POST", "/persons", &[], "{\"name\":\"A b\"}"),
        ("a grant for nobody", 422, "not-possible", "POST", "/grants", &[], "{\"party\":77,\"scope\":\"/\",\"abilities\":[\"read\"]}"),
        ("a grant of nothing", 422, "not-possible", "POST", "/grants", &[], "{\"party\":77,\"scope\":\"/\",\"abilities\":[]}"),
        ("a grant of nowhere", 422, "not-possible", "POST", "/grants", &[], "{\"party\":77,\"scope\":\"x\",\"abilities\":[\"read\"]}"),
        ("a name with a line's end", 422, "not-possible", "POST", "/app-passwords", &[], "{\"name\":\"a\\nb\"}"),
        ("oneself", 422, "not-possible", "POST", "/parties", &[], "{\"kind\":\"person\",\"name\":\"ann\"}"),
        ("to take one's own keys away", 409, "conflict", "PATCH", "/persons/ann", &[], "{\"admin\":false}"),
        ("to remove oneself", 409, "conflict", "DELETE", "/persons/ann", &[], ""),
        ("a path and a number", 422, "not-possible", "GET", "/access-records?path=/&entry=1", &[], ""),
        ("a path where nothing is", 404, "not-found", "GET", "/access-records?path=/x", &[], ""),
    ];
    for (what, status, kind, method, path, headers, body) in rows {
        let answer = s.ask(&token, method, path, headers, body);
        assert_problem(&answer, *status, kind, what);
        assert_eq!(answer.header("Allow").is_some(), *status == 405, "{what}");
    }
    assert_eq!(s.ask(&token, "PUT", "/parties", &[], "").header("Allow"), Some("GET,HEAD,POST"));
    // A body that is refused before it is read ends the connection rather than being taken for the next request.
    assert!(s.ask("", "POST", "/parties", &[], &large).head.to_ascii_lowercase().contains("connection: close"));
    for (path, at) in [("/api", 404), ("/api/", 404), ("/api/v2/parties", 404), ("/apix", 401)] {
        assert_eq!(s.raw(format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", s.address).as_bytes()).status, at, "{path}");
    }
}

#[test]
fn t27_pages_of_others_change_nothing() {
    let s = Server::start();
    let token = session(&s, "ann", Session::Proven);
    let description = s.ask("", "GET", "/openapi.json", &[], "").json();
    let own = format!("Origin: http://{}", s.address);
    let mut tried = 0;
    for (method, path, _) in operations(&description).into_iter().filter(|(method, ..)| !["GET", "HEAD", "OPTIONS"].contains(&method.as_str())) {
        let path = path.trim_start_matches("/api/v1").replace("{id}", "77").replace("{name}", "nobody");
        for evil in ["Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"] {
            let answer = s.ask(&token, &method, &path, &[evil], "{}");
            assert_problem(&answer, 403, "cross-site", &format!("{method} {path} {evil}"));
            tried += 1;
        }
        assert_ne!(s.ask("", &method, &path, &[&own, "Sec-Fetch-Site: same-origin"], "{}").status, 403, "{method} {path} from here");
    }
    assert!(tried >= 4 * 9, "{tried}");
}

/// What is shared is found, what was done is told, what is taken back is gone within a second.
#[test]
fn a_person_shares_sees_and_takes_back() {
    let s = Server::start();
    s.send("MKCOL", "/photos", &[], "").expect(201);
    s.send("PUT", "/photos/a", &[], "x").expect(201);
    s.run(&["person", "add", "bob"]).unwrap();
    let bob = basic("bob", s.run(&["app-password", "add", "bob", "--quiet"]).unwrap().trim());
    let token = session(&s, "ann", Session::Proven);
    let reads = || s.send_as(&bob, "GET", "/dav/files/ann/photos/a", &[], "").status;
    assert_eq!(reads(), 404);

    let made = s.ask(&token, "POST", "/parties", &[], r#"{"kind":"person","name":"bob"}"#).expect(201);
    let party = made.json();
    assert_eq!((&party["kind"], &party["name"], &party["ended"]), (&json!("person"), &json!("bob"), &Value::Null));
    let at = made.header("Location").unwrap().trim_start_matches("/api/v1").to_owned();
    assert_eq!(s.ask(&token, "GET", &at, &[], "").expect(200).json(), party);
    s.ask(&token, "POST", "/parties", &[], r#"{"kind":"person","name":"bob"}"#).expect(409);

    let wish = json!({ "party": party["id"], "scope": "/photos", "abilities": ["read", "write"], "purpose": "our holiday", "until": "2099-01-01T00:00:00Z",
        "terms": { "url": "https://example.org/terms", "sha256": "0".repeat(64) } });
    let made = s.ask(&token, "POST", "/grants", &[], &wish.to_string()).expect(201);
    let grant = made.json();
    for (name, want) in wish.as_object().unwrap().iter().filter(|(name, _)| *name != "abilities") {
        assert_eq!(grant[name], *want, "{name}");
    }
    assert_eq!((&grant["abilities"], &grant["standing"]), (&json!(["read", "append", "write"]), &json!("active")));
    let grant_at = made.header("Location").unwrap().trim_start_matches("/api/v1").to_owned();
    assert_eq!(s.ask(&token, "GET", &grant_at, &[], "").expect(200).json(), grant);
    assert_eq!(s.ask(&token, "GET", &format!("{at}/grants"), &[], "").expect(200).json()["items"], json!([grant]));
    assert_eq!(reads(), 200);

    let records = s.ask(&token, "GET", &format!("/access-records?path=/photos/a&party={}&since=2026-01-01T00:00:00Z", party["id"]), &[], "").expect(200).json();
    let record = &records["items"][0];
    assert_eq!(
        (&record["act"], &record["path"], &record["via"], &record["times"]),
        (&json!("read"), &json!("/photos/a"), &json!("webdav"), &json!(1)),
        "{records}"
    );
    assert_eq!((&record["address"], &record["refused"]), (&json!("127.0.0.1"), &json!(false)));
    let before = s.ask(&token, "GET", "/access-records?until=2026-01-01T00:00:00Z", &[], "").expect(200).json();
    assert_eq!(before, json!({ "items": [], "next": null }));

    s.ask(&token, "DELETE", &grant_at, &[], "").expect(204);
    s.ask(&token, "DELETE", &grant_at, &[], "").expect(404);
    assert_eq!(s.ask(&token, "GET", &grant_at, &[], "").expect(200).json()["standing"], "revoked");
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(reads(), 404);
    s.ask(&token, "DELETE", &at, &[], "").expect(204);
    let ledger = s.ask(&token, "GET", "/ledger", &[], "").expect(200).json();
    let events: Vec<String> =
        ledger["items"].as_array().unwrap().iter().map(|e| serde_json::from_str::<Value>(e["body"].as_str().unwrap()).unwrap()["event"].to_string()).collect();
    assert!(events.ends_with(&["\"met\"", "\"granted\"", "\"revoked\"", "\"parted\""].map(str::to_owned)), "{events:?}");
    assert!(s.run(&["check"]).is_ok());
}

#[test]
fn app_passwords_open_their_door_and_no_other() {
    let s = Server::start();
    let token = session(&s, "ann", Session::Proven);
    s.send("MKCOL", "/in", &[], "").expect(201);
    let made = s.ask(&token, "POST", "/app-passwords", &[], r#"{"name":"scanner","scope":"/in","abilities":["append"]}"#).expect(201).json();
    let scanner = basic("ann", made["secret"].as_str().unwrap());
    assert_eq!(s.send_as(&scanner, "PUT", "/dav/files/ann/in/page", &[], "x").status, 201);
    assert_eq!(s.send_as(&scanner, "GET", "/dav/files/ann/in/page", &[], "").status, 403);
    let listed = s.ask(&token, "GET", "/app-passwords", &[], "").expect(200);
    assert!(!listed.text().contains(made["secret"].as_str().unwrap()), "it is shown once");
    assert_eq!(listed.json()["items"][1]["name"], "scanner");
    // T35: neither as it is presented elsewhere nor in the place of a session.
    for refused in [s.send_as(&scanner, "GET", "/api/v1/me", &[], ""), s.ask(made["secret"].as_str().unwrap(), "GET", "/me", &[], "")] {
        assert_problem(&refused, 401, "sign-in", "t35_an_app_password");
        assert!(!refused.header("WWW-Authenticate").unwrap().contains("Basic"), "no browser asks for a password");
    }
    s.ask(&token, "DELETE", &format!("/app-passwords/{}", made["id"]), &[], "").expect(204);
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(s.send_as(&scanner, "PUT", "/dav/files/ann/in/other", &[], "x").status, 401);
    // Devices read every page of a list, each thing once.
    let old = session(&s, "ann", Session::Open);
    assert_problem(&s.ask(&old, "POST", "/app-passwords", &[], r#"{"name":"x"}"#), 403, "step-up", "no fresh proof");
    (0..7).for_each(|n| drop(s.ask(&token, "POST", "/app-passwords", &[], &format!("{{\"name\":\"{n}\"}}")).expect(201)));
    for list in ["/app-passwords", "/parties", "/grants", "/ledger"] {
        let all = s.ask(&token, "GET", list, &[], "").expect(200).json()["items"].as_array().unwrap().clone();
        let (mut pages, mut after) = (Vec::new(), String::new());
        loop {
            let page = s.ask(&token, "GET", &format!("{list}?limit=2{after}"), &[], "").expect(200).json();
            pages.extend(page["items"].as_array().unwrap().clone());
            if page["next"].is_null() {
                break;
            }
            after = format!("&after={}", page["next"]);
        }
        assert!(pages == all && all.len() >= 8, "{list}: {pages:?}");
    }
}

#[test]
fn people_are_looked_after_by_whoever_keeps_this_holm() {
    let s = Server::start();
    let token = session(&s, "ann", Session::Proven);
    let me = s.ask(&token, "GET", "/me", &[], "").expect(200).json();
    assert_eq!((&me["name"], &me["admin"], &me["quota"], &me["kit"]), (&json!("ann"), &json!(true), &Value::Null, &json!("none")));
    let made = s.ask(&token, "POST", "/persons", &[], r#"{"name":"bob","quota":1000}"#).expect(201);
    assert_eq!((&made.json()["quota"], &made.json()["admin"]), (&json!(1_000), &json!(false)));
    let bob = session(&s, "bob", Session::Proven);
    let kit = s.ask(&bob, "GET", "/me", &[], "").expect(200).json()["kit"].clone();
    assert_eq!(kit, Value::Null, "not for everybody to know");
    s.ask(&token, "PATCH", "/persons/bob", &[], r#"{"quota":2000}"#).expect(200);
    assert_eq!(s.ask(&token, "PATCH", "/persons/bob", &[], "{}").expect(200).json()["quota"], 2_000, "what is not given stays");
    assert_eq!(s.ask(&bob, "GET", "/me", &[], "").expect(200).json()["quota"], 2_000);
    assert_eq!(s.ask(&token, "PATCH", "/persons/bob", &[], r#"{"quota":null,"admin":true}"#).expect(200).json()["quota"], Value::Null);
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(s.ask(&bob, "GET", "/persons?limit=1", &[], "").expect(200).json()["next"], "ann");
    assert_eq!(s.ask(&bob, "GET", "/persons?after=ann", &[], "").expect(200).json()["items"][0]["name"], "bob");
    s.ask(&bob, "PATCH", "/persons/ann", &[], r#"{"admin":false}"#).expect(200);
    std::thread::sleep(Duration::from_millis(1_100));
    assert_problem(&s.ask(&token, "GET", "/persons", &[], ""), 403, "admin-only", "no longer");
    s.ask(&bob, "DELETE", "/persons/ann", &[], "").expect(204);
    std::thread::sleep(Duration::from_millis(1_100));
    assert_problem(&s.ask(&token, "GET", "/me", &[], ""), 401, "sign-in", "gone");
    s.send("GET", "/", &[], "").expect(401);
}
