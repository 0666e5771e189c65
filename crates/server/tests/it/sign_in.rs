//! Signing in over the JSON API: what a browser sends and keeps, and what it is refused.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::server::{Answer, Server, basic, command};
use crate::sessions::{Session, session};

const PASSWORD: &str = "correct horse battery";

impl Server {
    /// A holm where ann has a password.
    fn with_password() -> Server {
        let s = Server::start();
        s.run_with_input(&["person", "passwd", "ann"], PASSWORD).unwrap();
        s
    }

    fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.ask(token, "POST", path, &[], &body.to_string())
    }

    fn sign_in(&self, name: &str, password: &str) -> Answer {
        self.post("", "/session", &json!({ "name": name, "password": password }))
    }

    fn signed_in(&self) -> String {
        cookie(&self.sign_in("ann", PASSWORD).expect(200))
    }

    /// What a session's token is good for.
    fn state(&self, token: &str) -> String {
        self.ask(token, "GET", "/session", &[], "").expect(200).json()["state"].as_str().unwrap().to_owned()
    }
}

/// The session's token that an answer sets.
#[track_caller]
fn cookie(answer: &Answer) -> String {
    let set = answer.head.lines().find_map(|l| l.split_once("__Host-holm=")).unwrap_or_else(|| panic!("no cookie: {}\n{}", answer.head, answer.text()));
    set.1.split(';').next().unwrap().to_owned()
}

fn code(secret: &str, steps: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 30 * steps;
    Builder::new().with_secret(Secret::try_from_base32(secret).unwrap()).build().unwrap().generate(now).to_string()
}

#[track_caller]
fn problem(answer: &Answer, status: u16, kind: &str) {
    assert_eq!((answer.status, &answer.json()["type"]), (status, &json!(format!("/problems/{kind}"))), "{}", answer.text());
}

#[test]
fn t30_the_cookie_is_for_this_host_alone_and_new_at_each_step() {
    let s = Server::with_password();
    let answer = s.sign_in("ann", PASSWORD).expect(200);
    let lines: Vec<&str> = answer.head.lines().filter(|l| l.to_ascii_lowercase().starts_with("set-cookie")).collect();
    assert_eq!(lines.len(), 2, "the session's, and the browser's: {lines:?}");
    for line in lines {
        assert!(line.contains("__Host-") && line.contains("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=") && !line.contains("Domain"), "{line}");
    }
    // A session that somebody put there before is not taken over (fixation).
    let planted = "A".repeat(43);
    let answer = s.post(&planted, "/session", &json!({ "name": "ann", "password": PASSWORD })).expect(200);
    assert_ne!(cookie(&answer), planted);
    assert_eq!(s.state(&planted), "none");
    // Proving anew gives another token, and ends the one before.
    let before = cookie(&answer);
    let proven = cookie(&s.post(&before, "/session/proof", &json!({ "password": PASSWORD })).expect(200));
    assert_eq!((s.state(&before), s.state(&proven)), ("none".into(), "open".into()));
    problem(&s.post(&proven, "/session/proof", &json!({ "password": "wrong" })), 401, "refused");
    // Signing out ends it on the server too, not only in the browser.
    let gone = s.ask(&proven, "DELETE", "/session", &[], "").expect(204);
    assert!(gone.head.contains("__Host-holm=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"), "{}", gone.head);
    assert_eq!(s.state(&proven), "none");
    problem(&s.ask(&proven, "GET", "/me", &[], ""), 401, "sign-in");
}

#[test]
fn t30_signing_in_anew_ends_what_the_browser_had_before() {
    let s = Server::with_password();
    let before = s.signed_in();
    let answer = s.post(&before, "/session", &json!({ "name": "ann", "password": "wrong" }));
    problem(&answer, 401, "refused");
    assert_eq!(s.state(&before), "open", "nothing was proven");
    let after = cookie(&s.post(&before, "/session", &json!({ "name": "ann", "password": PASSWORD })).expect(200));
    assert_eq!((s.state(&before), s.state(&after)), ("none".into(), "open".into()));
    // Whoever is signed in by half may leave, too.
    let half = session(&s, "ann", Session::AwaitsSecondFactor);
    assert_eq!(s.state(&half), "second-factor");
    s.ask(&half, "DELETE", "/session", &[], "").expect(204);
    assert_eq!(s.state(&half), "none");
    problem(&s.ask(&half, "DELETE", "/session", &[], ""), 401, "sign-in");
    assert_eq!(s.state(&after), "open");
}

#[test]
fn wrong_second_factors_and_passkeys_are_in_the_log_as_failed() {
    let mut s = Server::start_told(&[], Some("said"));
    let half = session(&s, "ann", Session::AwaitsSecondFactor);
    for (path, body) in [("/session/totp", json!({ "code": "000000" })), ("/session/recovery-code", json!({ "code": "abcd" }))] {
        problem(&s.post(&half, path, &body), 401, "refused");
    }
    problem(&s.post("", "/session/passkey", &json!({ "ticket": "x", "credential": {} })), 401, "refused");
    assert!(s.terminate());
    let said = std::fs::read_to_string(s.dir.path().join("said")).unwrap();
    for what in ["an authenticator app's code", "a recovery code", "a passkey"] {
        assert!(said.lines().any(|l| l.contains("sign-in failed") && l.contains(what) && l.contains("127.0.0.1")), "{what}: {said}");
    }
}

#[test]
fn t32_unknown_names_and_wrong_passwords_are_answered_alike() {
    let s = Server::with_password();
    s.run(&["person", "add", "bob"]).unwrap();
    let answers = ["ann", "bob", "nobody", "", "x\u{0}y", &"n".repeat(5_000)].map(|name| s.sign_in(name, "wrong"));
    for answer in &answers {
        problem(answer, 401, "refused");
        let plain = |a: &Answer| a.head.lines().filter(|l| !l.starts_with("date")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!((plain(answer), answer.text()), (plain(&answers[0]), answers[0].text()));
    }
    problem(&s.sign_in("ann", &"x".repeat(2_000)), 401, "refused");
}

#[test]
fn t31_wrong_passwords_are_throttled_through_this_door_too() {
    let s = Server::with_password();
    let tried = (0..30).filter(|_| s.sign_in("ann", "wrong").status == 401).count();
    assert_eq!(tried, 20);
    let throttled = s.sign_in("ann", PASSWORD);
    problem(&throttled, 429, "throttled");
    assert!(throttled.header("Retry-After").unwrap().parse::<u64>().unwrap() > 60);
    assert_eq!(s.send_as(&basic("ann", "wrong"), "GET", "/", &[], "").status, 429, "one count for all doors");
    assert_eq!(s.send("PROPFIND", "/", &["Depth: 0"], "").status, 429, "an app password that was never used can not be told from a guess");
}

#[test]
fn t35_a_session_that_awaits_its_second_factor_opens_no_door() {
    let s = Server::with_password();
    let token = s.signed_in();
    let totp = s.ask(&token, "POST", "/totp", &[], "").expect(200).json();
    let secret = totp["secret"].as_str().unwrap();
    assert!(totp["address"].as_str().unwrap().starts_with("otpauth://totp/"));
    problem(&s.ask(&token, "PUT", "/totp", &[], r#"{"code":"000000"}"#), 422, "not-possible");
    s.ask(&token, "PUT", "/totp", &[], &json!({ "code": code(secret, 0) }).to_string()).expect(204);
    let codes = s.ask(&token, "POST", "/recovery-codes", &[], "").expect(201).json()["codes"].clone();
    let factors = s.ask(&token, "GET", "/second-factors", &[], "").expect(200).json();
    assert_eq!(factors, json!({ "totp": true, "passkeys": 0, "recovery_codes": 10 }));

    let answer = s.sign_in("ann", PASSWORD).expect(200);
    assert_eq!(answer.json(), json!({ "state": "second-factor", "totp": true, "passkey": false }));
    let pending = cookie(&answer);
    assert_eq!(s.state(&pending), "second-factor");
    for (method, path) in [("GET", "/me"), ("GET", "/sessions"), ("DELETE", "/sessions"), ("POST", "/recovery-codes"), ("DELETE", "/totp")] {
        problem(&s.ask(&pending, method, path, &[], ""), 401, "second-factor");
    }
    problem(&s.ask(&pending, "PUT", "/password", &[], r#"{"password":"stolen horse battery"}"#), 401, "second-factor");
    let dav = s.send_as("", "PROPFIND", "/", &[&format!("Cookie: __Host-holm={pending}")], "");
    assert_eq!(dav.status, 401);
    assert_eq!(s.send_as(&basic("ann", PASSWORD), "PROPFIND", "/", &[], "").status, 401, "the password itself is for this door only");

    // The code of a moment ago was used to set it up; the next one may come a step early.
    problem(&s.post(&pending, "/session/totp", &json!({ "code": code(secret, 0) })), 401, "refused");
    let open = cookie(&s.post(&pending, "/session/totp", &json!({ "code": code(secret, 1) })).expect(200));
    assert_eq!((s.state(&open), s.state(&pending)), ("open".into(), "none".into()));
    let pending = cookie(&s.sign_in("ann", PASSWORD).expect(200));
    problem(&s.post(&pending, "/session/totp", &json!({ "code": code(secret, 1) })), 401, "refused");
    let recovered = s.post(&pending, "/session/recovery-code", &json!({ "code": codes[3] })).expect(200);
    assert_eq!(recovered.json()["person"], "ann");
    problem(&s.post("", "/session/totp", &json!({ "code": "123456" })), 401, "sign-in");
    let ledger = s.ask(&open, "GET", "/ledger?limit=1000", &[], "").expect(200).text();
    for act in ["password-changed", "authenticator-added", "recovery-codes-made", "recovery-code-used"] {
        assert!(ledger.contains(act), "{act}: {ledger}");
    }
    assert!(s.run(&["check"]).is_ok(), "the chain holds");
}

#[test]
fn t30_a_changed_password_and_a_word_at_the_command_line_end_sessions_within_a_second() {
    let s = Server::with_password();
    let (mine, other) = (s.signed_in(), s.signed_in());
    let listed = s.ask(&mine, "GET", "/sessions", &[], "").expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().iter().filter(|i| i["current"] == true).count(), 1, "{listed}");
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    s.ask(&mine, "PUT", "/password", &[], r#"{"password":"another horse battery"}"#).expect(204);
    assert_eq!((s.state(&mine), s.state(&other)), ("open".into(), "none".into()));
    problem(&s.sign_in("ann", PASSWORD), 401, "refused");

    let (two, three) = (cookie(&s.sign_in("ann", "another horse battery")), cookie(&s.sign_in("ann", "another horse battery")));
    let id = &s.ask(&mine, "GET", "/sessions", &[], "").expect(200).json()["items"][0]["id"];
    s.ask(&mine, "DELETE", &format!("/sessions/{id}"), &[], "").expect(204);
    assert_eq!((s.state(&two), s.state(&three)), ("open".into(), "none".into()), "the newest is the first");
    problem(&s.ask(&mine, "DELETE", &format!("/sessions/{id}"), &[], ""), 404, "not-found");
    s.ask(&mine, "DELETE", "/sessions", &[], "").expect(204);
    assert_eq!((s.state(&mine), s.state(&two)), ("open".into(), "none".into()));
    // Another process: the server asks its catalog again after a second at most.
    s.ask(&mine, "GET", "/me", &[], "").expect(200);
    s.run_with_input(&["person", "passwd", "ann"], PASSWORD).unwrap();
    std::thread::sleep(Duration::from_millis(1_100));
    problem(&s.ask(&mine, "GET", "/me", &[], ""), 401, "sign-in");
}

#[test]
fn t37_a_reset_by_an_admin_is_on_record_and_leaves_second_factors() {
    let s = Server::with_password();
    s.run(&["person", "add", "bob"]).unwrap();
    let admin = s.signed_in();
    let made = s.ask(&admin, "POST", "/persons/bob/reset", &[], "{}").expect(201).json();
    let token = made["link"].as_str().unwrap().split_once("/welcome#").unwrap().1.to_owned();
    let link = s.post("", "/welcome/link", &json!({ "token": token })).expect(200).json();
    assert_eq!((&link["kind"], &link["person"], &link["removes_second_factors"]), (&json!("reset"), &json!("bob"), &json!(false)));
    problem(&s.post("", "/welcome/reset", &json!({ "token": token, "password": "short" })), 422, "not-possible");
    problem(&s.post("", "/welcome", &json!({ "token": token, "name": "eve", "password": PASSWORD })), 403, "forbidden");
    s.post("", "/welcome/reset", &json!({ "token": token, "password": PASSWORD })).expect(204);
    problem(&s.post("", "/welcome/reset", &json!({ "token": token, "password": "another horse" })), 403, "forbidden");
    let bob = cookie(&s.sign_in("bob", PASSWORD).expect(200));
    let ledger = s.ask(&bob, "GET", "/ledger", &[], "").expect(200).text();
    assert!(ledger.contains("reset-offered") && ledger.contains("admin ann"), "bob sees who did it: {ledger}");
    problem(&s.ask(&bob, "POST", "/persons/ann/reset", &[], "{}"), 403, "admin-only");
    problem(&s.ask(&bob, "POST", "/invitations", &[], "{}"), 403, "admin-only");
    // At the command line too.
    let printed = s.run(&["person", "reset", "bob"]).unwrap();
    let token = printed.lines().next().unwrap().split_once("/welcome#").unwrap().1.to_owned();
    s.post("", "/welcome/reset", &json!({ "token": token, "password": "another horse battery" })).expect(204);
    assert_eq!(s.state(&bob), "none");
}

#[test]
fn invitations_make_people_with_their_quota() {
    let s = Server::with_password();
    let admin = s.signed_in();
    let made = s.ask(&admin, "POST", "/invitations", &[], r#"{"note":"my brother","quota":100000,"days":3}"#).expect(201).json();
    let token = made["link"].as_str().unwrap().split_once("/welcome#").unwrap().1.to_owned();
    let waiting = s.ask(&admin, "GET", "/invitations", &[], "").expect(200).json();
    assert_eq!((&waiting["items"][0]["note"], &waiting["items"][0]["by"]), (&json!("my brother"), &json!("ann")));
    problem(&s.post("", "/welcome", &json!({ "token": token, "name": "ann", "password": PASSWORD })), 409, "conflict");
    problem(&s.post("", "/welcome", &json!({ "token": token, "name": "bob" })), 422, "not-possible");
    let bob = cookie(&s.post("", "/welcome", &json!({ "token": token, "name": "bob", "password": PASSWORD })).expect(200));
    let me = s.ask(&bob, "GET", "/me", &[], "").expect(200).json();
    assert_eq!((&me["name"], &me["quota"], &me["admin"]), (&json!("bob"), &json!(100_000), &json!(false)));
    let app = s.ask(&bob, "POST", "/app-passwords", &[], r#"{"name":"phone"}"#).expect(201).json();
    let phone = basic("bob", app["secret"].as_str().unwrap());
    assert_eq!(s.send_as(&phone, "PUT", "/dav/files/bob/a", &[], "x").status, 201);
    assert_eq!(s.send_as(&phone, "PUT", "/dav/files/bob/b", &[], vec![0; 100_000]).status, 507);
    let printed = s.run(&["person", "invite", "--days", "1"]).unwrap();
    assert!(printed.starts_with(&format!("http://localhost:{}/welcome#", s.address.port())), "where the server is: {printed}");
    let id = s.ask(&admin, "GET", "/invitations", &[], "").expect(200).json()["items"][0]["id"].as_str().unwrap().to_owned();
    s.ask(&admin, "DELETE", &format!("/invitations/{id}"), &[], "").expect(204);
    let token = printed.lines().next().unwrap().split_once('#').unwrap().1.to_owned();
    problem(&s.post("", "/welcome/link", &json!({ "token": token })), 403, "forbidden");
}

/// A holm where nobody lives yet, and what it printed of a link.
fn first_start(dir: &std::path::Path) -> (Child, std::net::SocketAddr, String) {
    let mut child = command(dir).args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    let address = first.split("://").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    let link = lines.find_map(|l| l.split_once("/welcome#").map(|(before, token)| (before.trim().to_owned(), token.to_owned()))).unwrap();
    assert!(link.0.starts_with("http://localhost:"), "{}", link.0);
    (child, address, link.1)
}

#[test]
fn t56_the_first_owner_comes_in_by_the_printed_link_only_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, _, old) = first_start(dir.path());
    child.kill().unwrap();
    child.wait().unwrap();
    let (mut child, address, token) = first_start(dir.path());
    let post = |path: &str, body: &Value| {
        let body = body.to_string();
        let head = format!(
            "POST /api/v1{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        std::io::Write::write_all(&mut stream, (head + &body).as_bytes()).unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stream, &mut text).unwrap();
        text
    };
    let accept = |token: &str| post("/welcome", &json!({ "token": token, "name": "ann", "password": PASSWORD }));
    // From this very machine, but without the link: a proxy may stand here, and other users work here.
    for wrong in ["", "x", &old] {
        assert!(accept(wrong).starts_with("HTTP/1.1 403"), "{wrong}");
    }
    assert!(post("/session", &json!({ "name": "admin", "password": "admin" })).starts_with("HTTP/1.1 401"), "there is nobody by default");
    assert!(post("/welcome/link", &json!({ "token": token })).contains("\"kind\":\"owner\""));
    let came = accept(&token);
    assert!(came.starts_with("HTTP/1.1 200") && came.contains("__Host-holm="), "{came}");
    assert!(accept(&token).starts_with("HTTP/1.1 403"), "once");
    child.kill().unwrap();
    child.wait().unwrap();
    let people = command(dir.path()).args(["--json", "person", "list"]).output().unwrap().stdout;
    let people: Value = serde_json::from_slice(&people).unwrap();
    assert_eq!((&people["person"], &people["admin"]), (&json!("ann"), &json!(true)));
}
