//! Links: whoever holds one gets what it leads to and nothing else (T38).

use std::time::Duration;

use serde_json::{Value, json};

use crate::server::{Answer, Server, basic};
use crate::sessions::{Session, session};

/// A link that ann makes; its token, and all that was answered.
pub fn link(s: &Server, what: Value) -> (String, Value) {
    let token = session(s, "ann", Session::Proven);
    let made = s.ask(&token, "POST", "/links", &[], &what.to_string()).expect(201).json();
    let held = made["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert!(held.len() >= 43, "256 bits: {held}");
    (held, made)
}

/// A request below a link's address by nobody in particular.
fn by(s: &Server, held: &str, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    s.send_as("", method, &format!("/dav/links/{held}{path}"), headers, body)
}

fn filled() -> Server {
    let s = Server::start();
    for folder in ["/private", "/private/trip", "/private/trip/day 1"] {
        s.send("MKCOL", &folder.replace(' ', "%20"), &[], "").expect(201);
    }
    s.send("PUT", "/private/diary", &[], "secret").expect(201);
    s.send("PUT", "/private/trip/a.txt", &[], "sea").expect(201);
    s.send("PUT", "/private/trip/day%201/b.html", &[], "<script>1</script>").expect(201);
    s
}

const ALL_PROPS: &str = "<propfind xmlns='DAV:'><allprop/><include><owner/><acl/><current-user-principal/><principal-collection-set/>\
    <current-user-privilege-set/><lockdiscovery/></include></propfind>";

#[test]
fn t38_a_link_shows_its_folder_and_nothing_above() {
    let s = filled();
    let (held, _) = link(&s, json!({ "path": "/private/trip" }));
    let listed = by(&s, &held, "PROPFIND", "/", &["Depth: 1"], ALL_PROPS).expect(207);
    let text = listed.text();
    assert!(text.contains(&format!("/dav/links/{held}/a.txt")) && text.contains("day%201/"), "{text}");
    assert!(!text.contains("private") && !text.contains("ann") && !text.contains("diary"), "who it is and what else there is: {text}");
    let file = by(&s, &held, "GET", "/day%201/b.html", &[], "").expect(200);
    assert_eq!(file.text(), "<script>1</script>");
    for (name, value) in [("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store"), ("X-Robots-Tag", "noindex, nofollow")] {
        assert_eq!(file.header(name), Some(value));
    }
    assert_eq!(file.header("Content-Security-Policy"), Some("sandbox; default-src 'none'"), "nothing in it runs (T28)");
    let page = by(&s, &held, "GET", "/", &[], "").expect(200).text();
    assert!(page.contains("a.txt") && page.contains("trip") && !page.contains("private") && !page.contains(".."), "{page}");
    for (method, path) in [("GET", "/../diary"), ("GET", "/%2e%2e/diary"), ("GET", "/../../private/diary"), ("GET", "/diary"), ("PROPFIND", "/../")] {
        let status = by(&s, &held, method, path, &["Depth: 0"], "").status;
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
    for (method, path, headers) in [
        ("PUT", "/new", &[][..]),
        ("DELETE", "/a.txt", &[]),
        ("MKCOL", "/new", &[]),
        ("PROPPATCH", "/a.txt", &[]),
        ("COPY", "/a.txt", &[&*format!("Destination: /dav/links/{held}/new")]),
        ("MOVE", "/a.txt", &[&*format!("Destination: /dav/links/{held}/new")]),
    ] {
        let body = if method == "PROPPATCH" { "<propertyupdate xmlns='DAV:'><set><prop><x xmlns='y'>1</x></prop></set></propertyupdate>" } else { "" };
        let refused = by(&s, &held, method, path, headers, body).expect(403);
        assert!(!refused.text().contains("private"), "{method}: {}", refused.text());
    }
    let (works, _) = link(&s, json!({ "path": "/private/trip", "abilities": ["read", "write", "delete"] }));
    s.send(
        "LOCK",
        "/private",
        &["Depth: infinity"],
        "<lockinfo xmlns='DAV:'><lockscope><exclusive/></lockscope><locktype><write/></locktype><owner>Ann Smith</owner></lockinfo>",
    )
    .expect(200);
    for (method, path, status) in
        [("PUT", "/no/such", 409), ("MKCOL", "/a.txt", 405), ("PUT", "/a.txt", 423), ("GET", "/nothing", 404), ("LOCK", "/a.txt", 403)]
    {
        let refused = by(&s, &works, method, path, &[], "").expect(status);
        assert!(!refused.text().contains("private"), "{method}: {}", refused.text());
    }
    let asked = "<propfind xmlns='DAV:'><prop><lockdiscovery/><quota-used-bytes/><quota-available-bytes/></prop></propfind>";
    let told = by(&s, &works, "PROPFIND", "/", &["Depth: 0"], asked).expect(207).text();
    assert!(told.contains("activelock") && !told.contains("Ann") && !told.contains("private"), "{told}");
    assert!(!told.contains("<d:quota-used-bytes>"), "how much is kept in all: {told}");
    by(&s, &held, "COPY", "/a.txt", &["Destination: /dav/files/ann/new"], "").expect(502);
}

#[test]
fn t38_a_link_to_a_file_is_that_file() {
    let s = filled();
    let (held, made) = link(&s, json!({ "path": "/private/trip/a.txt", "name": "for bob" }));
    assert_eq!((made["name"].as_str(), made["standing"].as_str(), made["password"].as_bool()), (Some("for bob"), Some("active"), Some(false)));
    let found = by(&s, &held, "GET", "", &[], "").expect(302);
    assert_eq!(found.header("Location"), Some(&*format!("/dav/links/{held}/a.txt")));
    assert_eq!(by(&s, &held, "GET", "/a.txt", &[], "").expect(200).text(), "sea");
    assert_eq!(by(&s, &held, "GET", "/a.txt", &["Range: bytes=1-1"], "").expect(206).text(), "e");
    by(&s, &held, "PROPFIND", "/a.txt", &["Depth: 0"], "").expect(207);
    for (method, path) in [("PROPFIND", "/"), ("GET", "/day%201/b.html"), ("PROPFIND", "/day%201"), ("PUT", "/c.txt")] {
        by(&s, &held, method, path, &["Depth: 1"], "").expect(404);
    }
    let opened = s.ask("", "POST", "/links/open", &[], &json!({ "token": held, "password": "whatever" }).to_string()).expect(200);
    assert_eq!(opened.header("Set-Cookie"), None, "what asks for nothing keeps nothing");
    let open = opened.json();
    assert_eq!((open["name"].as_str(), open["folder"].as_bool()), (Some("a.txt"), Some(false)));
    assert_eq!(open["address"].as_str(), Some(&*format!("/dav/links/{held}/a.txt")));
    assert!(!open.to_string().contains("private") && !open.to_string().contains("bob"), "{open}");
}

#[test]
fn t38_what_is_dropped_into_a_link_nobody_sees_by_it() {
    let s = filled();
    let (held, _) = link(&s, json!({ "path": "/private/trip", "abilities": ["append"] }));
    by(&s, &held, "PUT", "/mine.jpg", &[], "x").expect(201);
    assert_eq!(s.send("GET", "/private/trip/mine.jpg", &[], "").text(), "x");
    let large = "x".repeat(1_000_000);
    by(&s, &held, "PUT", "/large.jpg", &[], &large).expect(201);
    by(&s, &held, "PUT", "/large.jpg", &[], &large).expect(403);
    by(&s, &held, "PUT", "/mine.jpg", &[], "y").expect(403);
    by(&s, &held, "PUT", "/a.txt", &[], "y").expect(403);
    for method in ["GET", "PROPFIND", "DELETE"] {
        by(&s, &held, method, "/mine.jpg", &["Depth: 0"], "").expect(403);
    }
    by(&s, &held, "PROPFIND", "/", &["Depth: 1"], "").expect(403);
    assert_eq!(s.send("GET", "/private/trip/mine.jpg", &[], "").text(), "x");
}

#[test]
fn t38_a_password_is_asked_for_at_every_door_and_few_are_tried() {
    let s = filled();
    let password = "open sesame, please";
    let (held, made) = link(&s, json!({ "path": "/private/trip", "password": password, "abilities": ["read", "append"] }));
    assert_eq!(made["password"].as_bool(), Some(true));
    assert!(!made.to_string().contains("sesame"));
    let with = |password: &str| format!("Authorization: {}", basic("anybody", password));
    let asked = by(&s, &held, "GET", "/a.txt", &[], "").expect(401);
    assert!(asked.header("WWW-Authenticate").unwrap().starts_with("Basic"));
    by(&s, &held, "GET", "/a.txt", &[&with("open sesame")], "").expect(401);
    by(&s, &held, "GET", "/a.txt", &[&with(password)], "").expect(200);
    by(&s, &held, "PUT", "/new", &[&with(password)], "x").expect(201);
    let open = |body: Value| s.ask("", "POST", "/links/open", &[], &body.to_string());
    open(json!({ "token": held })).expect(401);
    open(json!({ "token": held, "password": "wrong one" })).expect(401);
    let opened = open(json!({ "token": held, "password": password })).expect(200);
    let cookie = opened.header("Set-Cookie").unwrap();
    assert!(cookie.contains(&format!("Path=/dav/links/{held};")) && cookie.contains("Secure; HttpOnly; SameSite=Strict"), "{cookie}");
    let visit = format!("Cookie: {}", cookie.split(';').next().unwrap());
    by(&s, &held, "GET", "/a.txt", &[&visit], "").expect(200);
    by(&s, &held, "PROPFIND", "/", &["Depth: 1", &visit], "").expect(207);
    by(&s, &held, "PUT", "/other", &[&visit], "x").expect(401);
    let (other, _) = link(&s, json!({ "path": "/private", "password": "another password" }));
    by(&s, &other, "GET", "/diary", &[&visit], "").expect(401);
    // Another password ends what the one before opened.
    let token = session(&s, "ann", Session::Proven);
    let more = json!({ "party": made["party"], "scope": "/", "abilities": ["read"] });
    s.ask(&token, "POST", "/grants", &[], &more.to_string()).expect(422);
    open(json!({ "token": held, "password": password })).expect(200);
    s.ask(&token, "PATCH", &format!("/links/{}", made["id"]), &[], r#"{"password":"a newer password"}"#).expect(200);
    open(json!({ "token": held, "password": password })).expect(401);
    std::thread::sleep(Duration::from_millis(1_100));
    by(&s, &held, "GET", "/a.txt", &[&visit], "").expect(401);
    by(&s, &held, "GET", "/a.txt", &[&with(password)], "").expect(401);
    by(&s, &held, "GET", "/a.txt", &[&with("a newer password")], "").expect(200);
    let tried: Vec<u16> = (0..25).map(|n| by(&s, &held, "GET", "/a.txt", &[&with(&format!("guess number {n}"))], "").status).collect();
    assert_eq!(tried.last(), Some(&429), "an address has few tries (T31)");
    // What was right a moment ago is believed for a second.
    std::thread::sleep(Duration::from_millis(1_100));
    s.ask("", "POST", "/links/open", &[], &json!({ "token": held, "password": "a newer password" }).to_string()).expect(429);
}

#[test]
fn t38_a_link_ends_when_it_is_taken_back_and_when_its_time_is_over() {
    let s = filled();
    let token = session(&s, "ann", Session::Proven);
    let (held, made) = link(&s, json!({ "path": "/private/trip" }));
    by(&s, &held, "GET", "/a.txt", &[], "").expect(200);
    let used = || s.ask(&token, "GET", "/links", &[], "").expect(200).json();
    s.ask(&token, "DELETE", &format!("/links/{}", made["id"]), &[], "").expect(204);
    std::thread::sleep(Duration::from_millis(1_100));
    by(&s, &held, "GET", "/a.txt", &[], "").expect(404);
    s.ask("", "POST", "/links/open", &[], &json!({ "token": held }).to_string()).expect(404);
    assert_eq!(used()["items"][0]["standing"].as_str(), Some("revoked"));
    s.ask(&token, "DELETE", &format!("/links/{}", made["id"]), &[], "").expect(404);

    let (held, made) = link(&s, json!({ "path": "/private/trip" }));
    by(&s, &held, "GET", "/a.txt", &[], "").expect(200);
    s.ask(&token, "PATCH", &format!("/links/{}", made["id"]), &[], r#"{"until":"2020-01-01T00:00:00Z"}"#).expect(200);
    std::thread::sleep(Duration::from_millis(1_100));
    by(&s, &held, "GET", "/a.txt", &[], "").expect(404);
    s.ask(&token, "PATCH", &format!("/links/{}", made["id"]), &[], r#"{"until":null,"abilities":["read","write"]}"#).expect(200);
    std::thread::sleep(Duration::from_millis(1_100));
    by(&s, &held, "PUT", "/a.txt", &[], "new").expect(204);

    // What it led to is gone, or its party is.
    s.send("DELETE", "/private/trip", &[], "").expect(204);
    by(&s, &held, "GET", "/a.txt", &[], "").expect(404);
    let (held, made) = link(&s, json!({ "path": "/private/diary" }));
    by(&s, &held, "GET", "/diary", &[], "").expect(200);
    s.ask(&token, "DELETE", &format!("/parties/{}", made["party"]), &[], "").expect(204);
    std::thread::sleep(Duration::from_millis(1_100));
    by(&s, &held, "GET", "/diary", &[], "").expect(404);
}

#[test]
fn t38_tokens_are_not_guessed_and_open_no_other_door() {
    let s = filled();
    let token = session(&s, "ann", Session::Proven);
    let bad = |body: Value| s.ask(&token, "POST", "/links", &[], &body.to_string()).status;
    assert_eq!(bad(json!({ "path": "/nothing" })), 404);
    assert_eq!(bad(json!({ "path": "/private", "abilities": ["read", "share"] })), 422, "reshared");
    assert_eq!(bad(json!({ "path": "/private", "password": "short" })), 422);
    let (held, _) = link(&s, json!({ "path": "/private" }));
    s.send_as(&basic("ann", &held), "GET", "/private/diary", &[], "").expect(401);
    s.ask(&held, "GET", "/me", &[], "").expect(401);
    s.send_as(&format!("Bearer {held}"), "GET", "/private/diary", &[], "").expect(401);
    // An app password, or a session, is no link.
    for other in [&s.secret, &token] {
        by(&s, other, "GET", "/diary", &[], "").expect(404);
    }
    // It is in no journal of its own: what it did is on record, as it.
    by(&s, &held, "GET", "/diary", &[], "").expect(200);
    let records = s.ask(&token, "GET", "/access-records", &[], "").expect(200).json();
    let seen = records["items"].as_array().unwrap().iter().any(|r| r["via"] == "link" && r["act"] == "read");
    assert!(seen, "{records}");
    let guesses: Vec<u16> = (0..130).map(|n| by(&s, &format!("{n:043}"), "GET", "/", &[], "").status).collect();
    assert!(guesses[..50].iter().all(|status| *status == 404) && guesses.last() == Some(&429), "{guesses:?}");
    by(&s, &held, "GET", "/diary", &[], "").expect(200);
}
