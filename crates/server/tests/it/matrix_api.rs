//! Every operation of the JSON API, for everybody who may come: what the description tells of must have a rule here, and
//! what the rule says must be so (T26, T35, T58).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::operations;
use crate::server::{Answer, Server, basic};
use crate::sessions::{Session, session};

/// What an operation asks of whoever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Answered before anybody signs in.
    Open,
    /// Asked before anybody signs in, for a secret: what the callers bring is none.
    Secret,
    /// For whoever is signed in, by half too.
    Half,
    /// For whoever is signed in, about what is theirs.
    Person,
    /// The same; and for apps that the person let in.
    Granted,
    /// For whoever is signed in, for a secret that no caller has.
    Guess,
    /// The same, with a fresh proof of who is there.
    Proven,
    /// For those who keep this holm.
    Admin,
    ProvenAdmin,
}

/// The method, the path, a body that is right, and what it asks.
const RULES: &[(&str, &str, &str, Rule)] = &[
    ("GET", "/openapi.json", "", Rule::Open),
    ("GET", "/session", "", Rule::Open),
    ("POST", "/session", r#"{"name":"eve","password":"guess"}"#, Rule::Secret),
    ("POST", "/session/totp", r#"{"code":"123456"}"#, Rule::Secret),
    ("POST", "/session/recovery-code", r#"{"code":"abcd"}"#, Rule::Secret),
    ("POST", "/session/passkey-challenge", "", Rule::Open),
    ("POST", "/session/passkey", r#"{"ticket":"x","credential":{}}"#, Rule::Secret),
    ("POST", "/session/proof", r#"{"ticket":"x","credential":{}}"#, Rule::Guess),
    ("GET", "/sessions", "", Rule::Person),
    ("DELETE", "/sessions/{id}", "", Rule::Person),
    ("DELETE", "/sessions", "", Rule::Person),
    ("DELETE", "/session", "", Rule::Half),
    ("GET", "/second-factors", "", Rule::Person),
    ("PUT", "/password", r#"{"password":"correct horse battery"}"#, Rule::Proven),
    ("POST", "/totp", "", Rule::Proven),
    ("PUT", "/totp", r#"{"code":"123456"}"#, Rule::Proven),
    ("DELETE", "/totp", "", Rule::Proven),
    ("POST", "/recovery-codes", "", Rule::Proven),
    ("GET", "/passkeys", "", Rule::Person),
    ("POST", "/passkeys/challenge", "", Rule::Proven),
    ("POST", "/passkeys", r#"{"ticket":"x","name":"x","credential":{}}"#, Rule::Proven),
    ("DELETE", "/passkeys/{id}", "", Rule::Proven),
    ("POST", "/welcome/link", r#"{"token":"guess"}"#, Rule::Secret),
    ("POST", "/welcome/passkey-challenge", r#"{"token":"guess","name":"NEW"}"#, Rule::Secret),
    ("POST", "/welcome", r#"{"token":"guess","name":"NEW","password":"correct horse battery"}"#, Rule::Secret),
    ("POST", "/welcome/reset", r#"{"token":"guess","password":"correct horse battery"}"#, Rule::Secret),
    ("GET", "/invitations", "", Rule::Admin),
    ("POST", "/invitations", "{}", Rule::ProvenAdmin),
    ("DELETE", "/invitations/{id}", "", Rule::Admin),
    ("POST", "/persons/{name}/reset", "{}", Rule::ProvenAdmin),
    ("GET", "/me", "", Rule::Person),
    ("GET", "/parties", "", Rule::Person),
    ("POST", "/parties", r#"{"kind":"person","name":"NEW"}"#, Rule::Person),
    ("GET", "/parties/{id}", "", Rule::Person),
    ("DELETE", "/parties/{id}", "", Rule::Person),
    ("GET", "/parties/{id}/grants", "", Rule::Person),
    ("GET", "/grants", "", Rule::Person),
    ("POST", "/grants", r#"{"party":2,"scope":"/","abilities":["read"]}"#, Rule::Proven),
    ("POST", "/grants", r#"{"party":2,"scope":"/","abilities":["share"]}"#, Rule::Proven),
    ("GET", "/grants/{id}", "", Rule::Person),
    ("DELETE", "/grants/{id}", "", Rule::Person),
    ("GET", "/app-passwords", "", Rule::Person),
    ("POST", "/app-passwords", r#"{"name":"x"}"#, Rule::Proven),
    ("DELETE", "/app-passwords/{id}", "", Rule::Person),
    ("GET", "/links", "", Rule::Person),
    ("POST", "/links", r#"{"path":"/"}"#, Rule::Proven),
    ("POST", "/links/open", r#"{"token":"guess"}"#, Rule::Open),
    ("GET", "/links/{id}", "", Rule::Person),
    ("PATCH", "/links/{id}", r#"{"password":null}"#, Rule::Proven),
    ("DELETE", "/links/{id}", "", Rule::Person),
    ("POST", "/app-requests/look", r#"{"ticket":"guess"}"#, Rule::Person),
    ("POST", "/app-requests/allow", r#"{"ticket":"guess","scopes":["files:r"]}"#, Rule::Proven),
    ("POST", "/app-requests/deny", r#"{"ticket":"guess"}"#, Rule::Person),
    ("POST", "/app-requests/device", r#"{"code":"BCDF-GHJK"}"#, Rule::Person),
    ("GET", "/ledger", "", Rule::Person),
    ("GET", "/access-records", "", Rule::Person),
    ("POST", "/kit", "", Rule::ProvenAdmin),
    ("POST", "/kit/proof", r#"{"words":"abandon ability able"}"#, Rule::Admin),
    ("GET", "/files?path=/", "", Rule::Granted),
    ("GET", "/files/item?path=/", "", Rule::Granted),
    ("GET", "/files/content?path=/none", "", Rule::Granted),
    ("GET", "/files/archive?path=/", "", Rule::Granted),
    ("GET", "/files/versions?path=/none", "", Rule::Person),
    ("POST", "/files/changes", r#"{"changes":[{"do":"make-folder","path":"/NEW"}]}"#, Rule::Granted),
    ("GET", "/trash", "", Rule::Person),
    ("DELETE", "/trash", "", Rule::Proven),
    ("DELETE", "/trash/{id}", "", Rule::Proven),
    ("OPTIONS", "/uploads", "", Rule::Open),
    ("POST", "/uploads", "abc", Rule::Person),
    ("HEAD", "/uploads/{id}", "", Rule::Person),
    ("PATCH", "/uploads/{id}", "abc", Rule::Person),
    ("DELETE", "/uploads/{id}", "", Rule::Person),
    ("GET", "/events", "", Rule::Person),
    ("GET", "/persons", "", Rule::Admin),
    ("POST", "/persons", r#"{"name":"NEW"}"#, Rule::ProvenAdmin),
    ("GET", "/persons/{name}", "", Rule::Admin),
    ("PATCH", "/persons/{name}", r#"{"quota":5}"#, Rule::ProvenAdmin),
    ("DELETE", "/persons/{name}", "", Rule::ProvenAdmin),
];

/// What uploads ask of every request: the metadata say `/a`.
const UPLOAD: [&str; 5] =
    ["Tus-Resumable: 1.0.0", "Upload-Length: 3", "Upload-Offset: 0", "Upload-Metadata: path L2E=", "Content-Type: application/offset+octet-stream"];

/// Somebody who comes, with what they bring.
struct Caller {
    name: &'static str,
    /// In the session's cookie.
    token: String,
    /// Whose session and of which kind they come with, a new one each time: some operations end it.
    like: Option<(&'static str, Session)>,
    headers: Vec<String>,
    /// What they get where a session is asked for; None where they have one.
    refusal: Option<&'static str>,
    admin: bool,
    proven: bool,
}

impl Caller {
    /// The type of the problem they must get; None where they may.
    fn due(&self, rule: Rule) -> Option<&'static str> {
        let refusal = |asked: bool, has: bool, kind| (asked && !has).then_some(kind);
        match rule {
            Rule::Open | Rule::Secret => None,
            Rule::Granted => self.refusal.filter(|kind| *kind != "forbidden"),
            Rule::Half => self.refusal.filter(|kind| *kind != "second-factor"),
            _ => self.refusal.or(refusal(matches!(rule, Rule::Admin | Rule::ProvenAdmin), self.admin, "admin-only")).or(refusal(
                matches!(rule, Rule::Proven | Rule::ProvenAdmin),
                self.proven,
                "step-up",
            )),
        }
    }

    fn ask(&self, s: &Server, method: &str, path: &str, body: &str) -> Answer {
        let mut headers: Vec<&str> = self.headers.iter().map(String::as_str).collect();
        if path.starts_with("/uploads") {
            headers.extend(UPLOAD);
        }
        let token = self.like.map_or_else(|| self.token.clone(), |(person, like)| session(s, person, like));
        s.ask(&token, method, path, &headers, body)
    }
}

fn callers(s: &Server) -> Vec<Caller> {
    let read_only = s.run(&["app-password", "add", "ann", "--read-only", "--quiet"]).unwrap();
    let revoked = s.run(&["app-password", "add", "ann", "--quiet"]).unwrap();
    let last = s.run(&["app-password", "list", "ann"]).unwrap().lines().last().unwrap().split('\t').next().unwrap().to_owned();
    s.run(&["app-password", "revoke", "ann", &last]).unwrap();
    let header = |credentials: String| vec![format!("Authorization: {credentials}")];
    let stranger =
        |name, token: &str, headers, refusal| Caller { name, token: token.into(), like: None, headers, refusal: Some(refusal), admin: false, proven: false };
    let of = |person, like| session(s, person, like);
    let known = |name, like, admin, proven| Caller { name, token: String::new(), like: Some(like), headers: Vec::new(), refusal: None, admin, proven };
    let proven = of("ann", Session::Proven);
    vec![
        stranger("anonymous", "", vec![], "sign-in"),
        stranger("a made-up session", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", vec![], "sign-in"),
        stranger("an app password", "", header(basic("ann", &s.secret)), "sign-in"),
        stranger("a read-only app password", "", header(basic("ann", read_only.trim())), "sign-in"),
        stranger("a revoked app password", "", header(basic("ann", revoked.trim())), "sign-in"),
        stranger("an app password for a session", &s.secret, vec![], "sign-in"),
        stranger("a session for a bearer's token", "", header(format!("Bearer {proven}")), "sign-in"),
        stranger("a session for an app password", "", header(basic("ann", &proven)), "sign-in"),
        stranger("an app that reads", "", header(format!("Bearer {}", crate::oauth::token(s, "files:r", &[], 0))), "forbidden"),
        stranger("an app's token for a session", &crate::oauth::token(s, "files:rw", &[], 0), vec![], "sign-in"),
        stranger("two sessions", "", vec![format!("Cookie: __Host-holm={proven}; __Host-holm={proven}")], "sign-in"),
        stranger("a session under another name", "", vec![format!("Cookie: holm={proven}")], "sign-in"),
        stranger("a session whose time is over", &of("ann", Session::Expired), vec![], "sign-in"),
        stranger("a session that was ended", &of("ann", Session::Ended), vec![], "sign-in"),
        Caller { refusal: Some("second-factor"), ..known("a session awaiting its second factor", ("ann", Session::AwaitsSecondFactor), false, false) },
        known("another person", ("bob", Session::Open), false, false),
        known("another person, proven", ("bob", Session::Proven), false, true),
        known("the person", ("ann", Session::Open), true, false),
        known("the person, proven", ("ann", Session::Proven), true, true),
    ]
}

/// All that is ann's, as she sees it.
fn state(s: &Server) -> Vec<Value> {
    let token = &session(s, "ann", Session::Proven);
    let lists = ["/parties", "/grants", "/app-passwords", "/ledger", "/passkeys", "/invitations", "/persons", "/files?path=/", "/trash"];
    let list = |path: &&str| {
        let mut list = s.ask(token, "GET", path, &[], "").expect(200).json();
        // When they were last used is written down now and then.
        list["items"].as_array_mut().unwrap().iter_mut().filter_map(Value::as_object_mut).for_each(|item| drop(item.insert("used".into(), json!(0))));
        list
    };
    lists.iter().map(list).collect()
}

#[test]
fn t26_t35_t58_every_operation_is_for_whom_its_rule_says() {
    let s = Server::start();
    s.run(&["person", "add", "bob"]).unwrap();
    s.run(&["person", "add", "eve"]).unwrap();
    s.run(&["party", "add", "ann", "bob"]).unwrap();
    let description = s.ask("", "GET", "/openapi.json", &[], "").expect(200).json();
    let operations = operations(&description);
    let told: BTreeSet<(&str, &str)> = operations.iter().map(|(method, path, _)| (method.as_str(), path.trim_start_matches("/api/v1"))).collect();
    assert_eq!(told, RULES.iter().map(|r| (r.0, r.1.split('?').next().unwrap())).collect(), "each operation has a rule, and each rule an operation");
    let callers = callers(&s);
    let mut news = 0;
    for caller in &callers {
        let before = state(&s);
        for (method, path, body, rule) in RULES {
            news += 1;
            // Numbers of what is ann's, and somebody whom only ann can take away.
            let (path, body) = (path.replace("{id}", "2").replace("{name}", "eve"), body.replace("NEW", &format!("new{news}")));
            let answer = caller.ask(&s, method, &path, &body);
            let what = format!("{}: {method} {path} is answered {}: {}", caller.name, answer.status, answer.text());
            match caller.due(*rule) {
                // Whoever goes on with one wrong token is made to wait.
                Some("sign-in") if answer.status == 429 && caller.headers.iter().any(|h| h.contains("Bearer")) => {}
                Some(kind) => {
                    let status = if matches!(kind, "sign-in" | "second-factor") { 401 } else { 403 };
                    // Of what has no body, the status is all there is.
                    let told = if *method == "HEAD" { json!(format!("/problems/{kind}")) } else { answer.json()["type"].clone() };
                    assert_eq!((answer.status, &told), (status, &json!(format!("/problems/{kind}"))), "{what}");
                }
                None if matches!(rule, Rule::Secret | Rule::Guess) => {
                    let kinds = ["refused", "sign-in", "forbidden", "throttled"];
                    assert!(kinds.iter().any(|kind| answer.json()["type"] == json!(format!("/problems/{kind}"))), "{what}");
                }
                None => assert!(!matches!(answer.status, 400 | 401 | 403 | 405 | 415) && answer.status < 500, "{what}"),
            }
        }
        // T58: whatever others did, what is ann's is as it was.
        if !caller.name.starts_with("the person") {
            assert_eq!(before, state(&s), "{}", caller.name);
        }
    }
}
