//! Access tokens of apps at the doors of a server.

use std::sync::Arc;

use holm_auth::Auth;
use holm_auth::oauth::scope::{Dialect, Scopes};
use holm_auth::oauth::{Allowed, STORAGE_LIFE};
use holm_core::{Gate, Party, Via};

use crate::server::Server;
use crate::sessions::host;

/// An access token of an app that ann let in so many milliseconds ago, for these scopes and at these doors.
pub fn token(s: &Server, scope: &str, doors: &[&str], ago: i64) -> String {
    let (host, env) = host(s, ago);
    let ann = host.person("ann").expect("ann").id;
    let gate = Arc::new(Gate::new(Arc::new(host), env));
    let access = gate.admit(Party::operator(ann).into(), Via::HERE).expect("ann");
    let scopes = Scopes::parse(scope, Dialect::Holm).expect("scopes");
    let doors = doors.iter().map(|d| (*d).to_owned()).collect();
    let allowed = Allowed {
        client: "https://app.example",
        subject: "https://app.example",
        name: "App",
        scopes: &scopes,
        purpose: String::new(),
        terms: None,
        until: Some(gate.env().now().plus(STORAGE_LIFE)),
        doors,
        key: None,
        sector: "app.example".into(),
    };
    let token = Auth::new(gate, "http://localhost").storage_token(&access, &allowed).expect("a token").access;
    token.reveal().to_owned()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[test]
fn t26_t35_a_token_opens_webdav_for_what_was_allowed() {
    let s = Server::start();
    s.send("MKCOL", "/in", &[], "").expect(201);
    s.send("PUT", "/in/f", &[], "x").expect(201);
    s.send("PUT", "/other", &[], "x").expect(201);
    let reads = bearer(&token(&s, "files:r:/in", &[], 0));
    let changes = bearer(&token(&s, "files:rw", &["webdav"], 0));
    assert_eq!(s.send_as(&reads, "GET", "/in/f", &[], "").expect(200).text(), "x");
    s.send_as(&reads, "PROPFIND", "/in", &["Depth: 1"], "").expect(207);
    for (method, path, lacks) in [("PUT", "/in/f", "files:rw"), ("GET", "/other", "files:r"), ("DELETE", "/in/f", "files:rw")] {
        let refused = s.send_as(&reads, method, path, &[], "y").expect(403);
        let challenge = refused.header("WWW-Authenticate").unwrap_or_else(|| panic!("{method} {path}"));
        assert_eq!(challenge, format!("Bearer error=\"insufficient_scope\", scope=\"{lacks}\""));
    }
    s.send_as(&changes, "PUT", "/in/f", &[], "y").expect(204);
    // What it did is on record, under the app's name.
    assert!(s.run(&["log", "ann"]).unwrap().contains("App"));
    // No other place of a request is looked at, and no other kind of secret is a token.
    s.send_as("", "GET", &format!("/in/f?access_token={}", reads.trim_start_matches("Bearer ")), &[], "").expect(401);
    s.send_as(&bearer(&s.secret), "GET", "/in/f", &[], "").expect(401);
    s.send_as(&crate::server::basic("ann", reads.trim_start_matches("Bearer ")), "GET", "/in/f", &[], "").expect(401);
    for old in [token(&s, "files:rw", &[], 91 * 86_400_000), token(&s, "files:rw", &[], -7_200_000)] {
        s.send_as(&bearer(&old), "GET", "/in/f", &[], "").expect(401);
    }
    s.send_as(&bearer(&token(&s, "files:rw", &["remotestorage"], 0)), "GET", "/in/f", &[], "").expect(403);
}

#[test]
fn whoever_comes_without_a_token_is_told_where_to_get_one() {
    let s = Server::start();
    let answer = s.send_as("", "GET", "/a", &[], "").expect(401);
    let lines: Vec<&str> =
        answer.head.lines().filter_map(|l| l.split_once(": ")).filter(|(n, _)| n.eq_ignore_ascii_case("www-authenticate")).map(|l| l.1).collect();
    let metadata = format!("Bearer resource_metadata=\"http://localhost:{}/.well-known/oauth-protected-resource/dav\"", s.address.port());
    assert_eq!(lines, ["Basic realm=\"holm\", charset=\"UTF-8\"", &metadata]);
    let answer = s.send_as("Bearer wrong", "GET", "/a", &[], "").expect(401);
    assert!(answer.head.contains(&format!("{metadata}, error=\"invalid_token\"")), "{}", answer.head);
}

#[test]
fn t26_an_app_has_of_the_apis_files_what_was_allowed() {
    let s = Server::start();
    s.send("MKCOL", "/in", &[], "").expect(201);
    s.send("PUT", "/in/f", &[], "x").expect(201);
    s.send("PUT", "/secret", &[], "x").expect(201);
    let ask = |token: &str, method: &str, path: &str, body: &str| s.ask("", method, path, &[&format!("Authorization: Bearer {token}")], body);
    let (reads, changes) = (token(&s, "files:r:/in", &[], 0), token(&s, "files:rw", &["api"], 0));
    let elsewhere = token(&s, "files:rw", &["webdav"], 0);
    assert_eq!(ask(&reads, "GET", "/files/content?path=/in/f", "").expect(200).text(), "x");
    ask(&reads, "GET", "/files/content?path=/secret", "").expect(403);
    let root = ask(&reads, "GET", "/files?path=/", "").expect(200).text();
    assert!(root.contains("\"in\"") && !root.contains("secret"), "{root}");
    let make = r#"{"changes":[{"do":"make-folder","path":"/in/new"}]}"#;
    assert_eq!(ask(&reads, "POST", "/files/changes", make).expect(200).json()["items"][0]["problem"]["type"], "/problems/forbidden");
    assert!(ask(&changes, "POST", "/files/changes", make).expect(200).json()["items"][0]["problem"].is_null());
    ask(&elsewhere, "GET", "/files?path=/", "").expect(403);
    ask(&changes, "GET", "/trash", "").expect(403);
}

#[test]
fn t26_the_api_is_for_the_person_not_for_their_apps() {
    let s = Server::start();
    let token = token(&s, "files:rw openid", &[], 0);
    for (method, path, body) in [("GET", "/me", ""), ("GET", "/grants", ""), ("POST", "/app-passwords", r#"{"name":"x"}"#), ("DELETE", "/sessions", "")] {
        let header = format!("Authorization: Bearer {token}");
        let answer = s.ask("", method, path, &[&header], body).expect(403);
        assert_eq!(answer.json()["type"], "/problems/forbidden", "{method} {path}");
        s.ask("", method, path, &["Authorization: Bearer wrong"], body).expect(401);
        // In a session's place it is nothing.
        s.ask(&token, method, path, &[], body).expect(401);
    }
}
