//! Apps that are let in, over HTTP: what an app, a browser and a person do in turn; and every wrong way to do it.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::server::{Answer, Server, basic};
use crate::sessions::{Session, session};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CALLBACK: &str = "https://app.example/cb";

pub fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

pub fn encoded(pairs: &[(&str, &str)]) -> String {
    let escape = |text: &str| text.bytes().map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") }).collect::<String>();
    pairs.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
}

/// A parameter of an address, in its query or its fragment.
pub fn param(url: &str, name: &str) -> Option<String> {
    let query = url.split_once(['?', '#'])?.1;
    let value = query.split(['&', '#']).find_map(|p| p.split_once('=').filter(|(n, _)| *n == name))?.1;
    let mut out = Vec::new();
    let mut bytes = value.bytes();
    while let Some(b) = bytes.next() {
        let mut hex = || u8::from_str_radix(&[bytes.next()?, bytes.next()?].map(char::from).iter().collect::<String>(), 16).ok();
        out.push(match b {
            b'%' => hex()?,
            b'+' => b' ',
            b => b,
        });
    }
    String::from_utf8(out).ok()
}

/// Somebody with a browser and a session of ann's.
pub struct Browser<'a> {
    pub s: &'a Server,
    pub session: String,
    pub asked: String,
}

impl<'a> Browser<'a> {
    pub fn of(s: &'a Server, like: Session) -> Browser<'a> {
        Browser { s, session: session(s, "ann", like), asked: String::new() }
    }

    fn cookies(&self) -> String {
        format!("Cookie: __Host-holm={}; __Host-holm-asked={}", self.session, self.asked)
    }

    /// Where an app sends the browser.
    pub fn open(&mut self, pairs: &[(&str, &str)]) -> Answer {
        let answer = self.s.page(&format!("/oauth/authorize?{}", encoded(pairs)), &[&self.cookies()]);
        if let Some(set) = answer.head.lines().find_map(|l| l.split_once("__Host-holm-asked=")) {
            self.asked = set.1.split(';').next().unwrap().to_owned();
        }
        answer
    }

    /// The ticket of what waits for an answer.
    #[track_caller]
    pub fn ticket(&mut self, pairs: &[(&str, &str)]) -> String {
        let answer = self.open(pairs).expect(303);
        let to = answer.header("Location").unwrap().to_owned();
        to.split_once("/allow#").unwrap_or_else(|| panic!("{to}")).1.to_owned()
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.s.ask("", "POST", &format!("/app-requests/{path}"), &[&self.cookies()], &body.to_string())
    }

    /// Where the browser goes after the person said yes.
    #[track_caller]
    pub fn allow(&self, ticket: &str, scopes: &[&str]) -> String {
        let answer = self.post("allow", &json!({ "ticket": ticket, "scopes": scopes, "days": 90 })).expect(200).json();
        answer["to"].as_str().unwrap_or_default().to_owned()
    }
}

pub fn send(s: &Server, path: &str, authorization: &str, pairs: &[(&str, &str)]) -> Answer {
    s.send_as(authorization, "POST", path, &["Content-Type: application/x-www-form-urlencoded"], encoded(pairs))
}

/// An app that registers itself; its identifier and secret.
pub fn register(s: &Server, metadata: &Value) -> (String, String) {
    let made = s.send_as("", "POST", "/oauth/register", &["Content-Type: application/json"], metadata.to_string()).expect(201).json();
    (made["client_id"].as_str().unwrap().into(), made["client_secret"].as_str().unwrap_or_default().into())
}

pub fn public_app(s: &Server) -> String {
    register(s, &json!({ "redirect_uris": [CALLBACK], "client_name": "Notes", "token_endpoint_auth_method": "none" })).0
}

pub fn request<'a>(client: &'a str, challenge: &'a str, scope: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
        ("scope", scope),
        ("state", "st&te"),
    ]
}

fn exchange<'a>(client: &'a str, code: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("grant_type", "authorization_code"), ("client_id", client), ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)]
}

#[track_caller]
fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status, &answer.json()["error"]), (status, &json!(error)), "{}\n{}", answer.head, answer.text());
}

/// A code of an app that ann let in.
fn code(browser: &mut Browser<'_>, client: &str, scope: &str) -> String {
    let ticket = browser.ticket(&request(client, &sha256(VERIFIER), scope));
    let to = browser.allow(&ticket, &scope.split(' ').collect::<Vec<_>>());
    param(&to, "code").unwrap_or_else(|| panic!("{to}"))
}

fn tokens(s: &Server, client: &str, code: &str) -> Value {
    send(s, "/oauth/token", "", &exchange(client, code)).expect(200).json()
}

fn opens(s: &Server, token: &Value, path: &str) -> u16 {
    s.send_as(&format!("Bearer {}", token.as_str().unwrap()), "GET", path, &[], "").status
}

/// Every secret that there is to letting an app in, used rightly and wrongly; with what each is.
pub fn secrets(s: &Server) -> Vec<(&'static str, String)> {
    let (client, secret) = register(s, &json!({ "redirect_uris": [CALLBACK] }));
    let mut browser = Browser::of(s, Session::Proven);
    let ticket = browser.ticket(&request(&client, &sha256(VERIFIER), "files:r"));
    let code = param(&browser.allow(&ticket, &["files:r"]), "code").unwrap();
    let mut body = exchange(&client, &code);
    body.retain(|(name, _)| *name != "client_id");
    refused(&send(s, "/oauth/token", &basic(&client, &code), &body), 401, "invalid_client");
    let got = send(s, "/oauth/token", &basic(&client, &secret), &body).expect(200).json();
    let token = |kind: &str| got[kind].as_str().unwrap().to_owned();
    let (access, refresh) = (token("access_token"), token("refresh_token"));
    s.send_as(&format!("Bearer {access}"), "GET", "/f", &[], "").expect(200);
    s.send_as(&format!("Bearer {refresh}"), "GET", "/f", &[], "").expect(401);
    s.page(&format!("/oauth/authorize?client_id={secret}&state={secret}"), &[]).expect(400);
    refused(&send(s, "/oauth/token", &basic(&client, &secret), &[("grant_type", "refresh_token"), ("refresh_token", &access)]), 400, "invalid_grant");
    // Twice: what is written of that names neither.
    refused(&send(s, "/oauth/token", &basic(&client, &secret), &body), 400, "invalid_grant");
    let asked = browser.asked.clone();
    [
        ("an app's secret", secret),
        ("a code", code),
        ("an access token", access),
        ("a refresh token", refresh),
        ("a ticket", ticket),
        ("a browser's token", asked),
    ]
    .into()
}

#[test]
fn an_app_is_let_in_by_a_code_and_comes_back_by_its_refresh_token() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "x").expect(201);
    let client = public_app(&s);
    let mut browser = Browser::of(&s, Session::Proven);
    let ticket = browser.ticket(&request(&client, &sha256(VERIFIER), "files:rw openid"));
    let shown = browser.post("look", &json!({ "ticket": ticket })).expect(200).json();
    assert_eq!((&shown["name"], &shown["origin"], &shown["person"]), (&json!("Notes"), &json!("https://app.example"), &json!("ann")));
    assert_eq!(shown["scopes"][0], json!({ "scope": "files:rw", "what": "files", "name": "/", "changes": true, "reading": "files:r" }));
    // The person allows less.
    let to = browser.allow(&ticket, &["files:r:/f", "openid"]);
    assert!(to.starts_with("https://app.example/cb?code="), "{to}");
    assert_eq!((param(&to, "state"), param(&to, "iss")), (Some("st&te".into()), Some(format!("http://localhost:{}", s.address.port()))));
    let answer = send(&s, "/oauth/token", "", &exchange(&client, &param(&to, "code").unwrap())).expect(200);
    assert_eq!((answer.header("cache-control"), answer.header("access-control-allow-origin")), (Some("no-store"), Some("*")));
    let first = answer.json();
    assert_eq!((&first["scope"], &first["token_type"], &first["expires_in"]), (&json!("files:r:/f openid"), &json!("Bearer"), &json!(3600)));
    assert_eq!((opens(&s, &first["access_token"], "/f"), opens(&s, &first["access_token"], "/g")), (200, 403));
    let refresh =
        |token: &Value| send(&s, "/oauth/token", "", &[("grant_type", "refresh_token"), ("client_id", &client), ("refresh_token", token.as_str().unwrap())]);
    let second = refresh(&first["refresh_token"]).expect(200).json();
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(opens(&s, &second["access_token"], "/f"), 200);
    // Its answer may have been lost on the way: within half a minute it may be used once more.
    assert_eq!(opens(&s, &refresh(&first["refresh_token"]).expect(200).json()["access_token"], "/f"), 200);
    // The person finds it in the ledger, and sends it away.
    let parties = s.ask(&browser.session, "GET", "/parties", &[], "").expect(200).json();
    let app = parties["items"].as_array().unwrap().iter().find(|p| p["kind"] == "app").unwrap().clone();
    assert_eq!((&app["name"], &app["app"]), (&json!("Notes"), &json!("https://app.example")));
    s.ask(&browser.session, "DELETE", &format!("/parties/{}", app["id"]), &[], "").expect(204);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(opens(&s, &second["access_token"], "/f"), 401);
    refused(&refresh(&second["refresh_token"]), 400, "invalid_grant");
}

#[test]
fn t22_a_wrong_redirect_uri_is_a_page_and_leads_nowhere() {
    let s = Server::start();
    let client = public_app(&s);
    let challenge = sha256(VERIFIER);
    for uri in [
        "https://app.example.evil/cb",
        "https://app.example/cb/..",
        "https://app.example/cb/x",
        "https://app.example/CB",
        "https://app.example//cb",
        "https://ann@app.example/cb",
        "https://app.example/cb#x",
        "https://app.example/cb?x=1",
        "http://app.example/cb",
        "javascript:alert(1)",
        "//evil.example/cb",
        "/cb",
    ] {
        let mut asked = request(&client, &challenge, "files:r");
        asked[2].1 = uri;
        let answer = Browser::of(&s, Session::Proven).open(&asked);
        assert_eq!((answer.status, answer.header("location")), (400, None), "{uri}");
        assert_eq!((answer.header("x-frame-options"), answer.header("referrer-policy")), (Some("DENY"), Some("no-referrer")));
        assert!(answer.text().contains("can not be connected") && !answer.text().contains("<script"), "{}", answer.text());
    }
    for id in ["", "nobody", "https://10.0.0.1/app.json", "https://app.example/\"><script>alert(1)</script>"] {
        let answer = Browser::of(&s, Session::Proven).open(&request(id, &challenge, "files:r"));
        assert_eq!((answer.status, answer.header("location")), (400, None), "{id}");
        assert!(!answer.text().contains("<script"), "{}", answer.text());
    }
    // A port on this machine is the app's to choose, and nothing else.
    let native = register(&s, &json!({ "redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none" })).0;
    for (uri, status) in [("http://127.0.0.1:49152/cb", 303), ("http://127.0.0.1:49152/other", 400), ("http://127.0.0.1.evil.example/cb", 400)] {
        let mut asked = request(&native, &challenge, "files:r");
        asked[2].1 = uri;
        assert_eq!(Browser::of(&s, Session::Proven).open(&asked).status, status, "{uri}");
    }
    for bad in [json!({ "redirect_uris": vec![CALLBACK; 100] }), json!({ "redirect_uris": ["javascript:alert(1)"] })] {
        let answer = s.send_as("", "POST", "/oauth/register", &["Content-Type: application/json"], bad.to_string());
        refused(&answer, 400, "invalid_redirect_uri");
    }
}

#[test]
fn t24_without_s256_there_is_no_code() {
    let s = Server::start();
    let client = public_app(&s);
    let challenge = sha256(VERIFIER);
    for (n, name, value) in
        [(3, "code_challenge", ""), (3, "code_challenge", VERIFIER), (4, "code_challenge_method", "plain"), (4, "code_challenge_method", "")]
    {
        let mut asked = request(&client, &challenge, "files:r");
        asked[n] = (name, value);
        // A verifier in the place of its own hash is 43 letters too: only the method tells, and it is not taken.
        if value == VERIFIER {
            asked[4].1 = "plain";
        }
        let to = Browser::of(&s, Session::Proven).open(&asked).expect(303).header("Location").unwrap().to_owned();
        assert_eq!(param(&to, "error").as_deref(), Some("invalid_request"), "{to}");
        assert_eq!(param(&to, "state").as_deref(), Some("st&te"));
    }
    let mut browser = Browser::of(&s, Session::Proven);
    let code = code(&mut browser, &client, "files:r");
    for verifier in ["", "x", &challenge, &"a".repeat(43)] {
        let mut asked = exchange(&client, &code);
        asked[4].1 = verifier;
        refused(&send(&s, "/oauth/token", "", &asked), 400, "invalid_grant");
    }
    // Whoever guesses wrong has not used it up.
    tokens(&s, &client, &code);
}

#[test]
fn t23_a_code_works_once_and_for_whom_it_was_made() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "x").expect(201);
    let (client, other) = (public_app(&s), public_app(&s));
    let mut browser = Browser::of(&s, Session::Proven);
    let code = code(&mut browser, &client, "files:r");
    refused(&send(&s, "/oauth/token", "", &exchange(&other, &code)), 400, "invalid_grant");
    let mut elsewhere = exchange(&client, &code);
    elsewhere[3].1 = "https://app.example/other";
    refused(&send(&s, "/oauth/token", "", &elsewhere), 400, "invalid_grant");
    let first = tokens(&s, &client, &code);
    assert_eq!(opens(&s, &first["access_token"], "/f"), 200);
    // The second use ends what the first one got, access token and all.
    refused(&send(&s, "/oauth/token", "", &exchange(&client, &code)), 400, "invalid_grant");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(opens(&s, &first["access_token"], "/f"), 401);
    let refresh = [("grant_type", "refresh_token"), ("client_id", &*client), ("refresh_token", first["refresh_token"].as_str().unwrap())];
    refused(&send(&s, "/oauth/token", "", &refresh), 400, "invalid_grant");
    // Twenty at once: one has it.
    let code = self::code(&mut browser, &client, "files:r");
    let won = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..20).map(|_| scope.spawn(|| send(&s, "/oauth/token", "", &exchange(&client, &code)).status)).collect();
        tries.into_iter().map(|t| t.join().unwrap()).filter(|status| *status == 200).count()
    });
    assert!(won <= 1, "{won}");
}

#[test]
fn t25_only_the_browser_it_began_in_answers() {
    let s = Server::start();
    let client = public_app(&s);
    let (mut begun, mut victim) = (Browser::of(&s, Session::Proven), Browser::of(&s, Session::Proven));
    let ticket = begun.ticket(&request(&client, &sha256(VERIFIER), "files:rw"));
    let mine = victim.ticket(&request(&client, &sha256(VERIFIER), "files:r"));
    for path in ["look", "deny"] {
        assert_eq!(victim.post(path, &json!({ "ticket": ticket })).status, 422, "{path}");
    }
    let allow = json!({ "ticket": ticket, "scopes": ["files:rw"], "days": 90 });
    assert_eq!(victim.post("allow", &allow).status, 422);
    victim.asked = String::new();
    assert_eq!(victim.post("allow", &allow).status, 422, "nor a browser that nothing began in");
    // What is answered is what was asked for: not more, not another's, and once.
    for wrong in [json!(["files:rw"]), json!(["files:r", "openid"]), json!(["files:r:/../x"]), json!([])] {
        victim.asked = String::new();
        let mut own = Browser { asked: String::new(), session: victim.session.clone(), s: &s };
        let mine = own.ticket(&request(&client, &sha256(VERIFIER), "files:r"));
        let answer = own.post("allow", &json!({ "ticket": mine, "scopes": wrong, "days": 90 }));
        assert!(matches!(answer.status, 400 | 422), "{wrong}: {}", answer.text());
    }
    assert_ne!(mine, ticket);
    begun.allow(&ticket, &["files:r"]);
    assert_eq!(begun.post("allow", &allow).status, 422, "twice");
    // Another site's page answers nothing, and an old proof is not enough.
    let ticket = begun.ticket(&request(&client, &sha256(VERIFIER), "files:rw"));
    let body = json!({ "ticket": ticket, "scopes": ["files:rw"], "days": 90 }).to_string();
    let cookies = begun.cookies();
    let cross = s.ask("", "POST", "/app-requests/allow", &[&cookies, "Origin: https://evil.example"], &body);
    assert_eq!(cross.status, 403);
    begun.session = session(&s, "ann", Session::Open);
    assert_eq!(begun.post("allow", &json!({ "ticket": ticket, "scopes": ["files:rw"], "days": 90 })).json()["type"], "/problems/step-up");
    // Who says no sends the app a no.
    let to = begun.post("deny", &json!({ "ticket": ticket })).expect(200).json()["to"].as_str().unwrap().to_owned();
    assert_eq!(param(&to, "error").as_deref(), Some("access_denied"));
}

#[test]
fn bad_requests_of_the_token_endpoint() {
    let s = Server::start();
    let client = public_app(&s);
    let mut browser = Browser::of(&s, Session::Proven);
    let code = code(&mut browser, &client, "files:r");
    let twice = format!("{}&code={code}", encoded(&exchange(&client, &code)));
    let form = "Content-Type: application/x-www-form-urlencoded";
    refused(&s.send_as("", "POST", "/oauth/token", &[form], twice), 400, "invalid_request");
    let query = encoded(&exchange(&client, &code));
    assert_eq!(s.page(&format!("/oauth/token?{query}"), &[]).status, 405);
    refused(&s.send_as("", "POST", "/oauth/token", &["Content-Type: application/json"], "{}"), 400, "invalid_request");
    refused(&send(&s, "/oauth/token", "", &[("grant_type", "password"), ("client_id", &client)]), 400, "unsupported_grant_type");
    refused(&send(&s, "/oauth/token", "", &[("grant_type", "authorization_code")]), 401, "invalid_client");
    refused(&send(&s, "/oauth/token", &basic(&client, "wrong"), &exchange(&client, &code)), 401, "invalid_client");
    refused(&send(&s, "/oauth/introspect", "", &[("token", "x"), ("client_id", &client)]), 401, "invalid_client");
    refused(&send(&s, "/oauth/introspect", "", &[("token", "x")]), 401, "invalid_client");
    let mut twice = request(&client, "x", "files:r");
    twice.push(("scope", "files:rw"));
    assert_eq!(browser.open(&twice).status, 400, "a parameter given twice");
    let challenge = sha256(VERIFIER);
    for (name, value, error) in [
        ("scope", "foo:x", "invalid_scope"),
        ("scope", "admin", "invalid_scope"),
        ("response_type", "id_token", "unsupported_response_type"),
        ("resource", "https://elsewhere.example/", "invalid_target"),
        ("request", "x.y.z", "request_not_supported"),
    ] {
        let mut asked = request(&client, &challenge, "files:r");
        asked.retain(|(n, _)| *n != name);
        asked.push((name, value));
        let to = browser.open(&asked).expect(303).header("Location").unwrap().to_owned();
        assert_eq!(param(&to, "error").as_deref(), Some(error), "{to}");
    }
}

#[test]
fn prompt_none_shows_nothing() {
    let s = Server::start();
    let client = public_app(&s);
    let challenge = sha256(VERIFIER);
    let mut asked = request(&client, &challenge, "files:r openid");
    asked.push(("prompt", "none"));
    let error = |browser: &mut Browser<'_>, asked: &[(&str, &str)]| param(browser.open(asked).expect(303).header("Location").unwrap(), "error");
    let mut nobody = Browser { s: &s, session: String::new(), asked: String::new() };
    assert_eq!(error(&mut nobody, &asked).as_deref(), Some("login_required"));
    let mut ann = Browser::of(&s, Session::Proven);
    assert_eq!(error(&mut ann, &asked).as_deref(), Some("consent_required"));
    tokens(&s, &client, &code(&mut ann, &client, "files:r openid"));
    let to = ann.open(&asked).expect(303).header("Location").unwrap().to_owned();
    let again = tokens(&s, &client, &param(&to, "code").unwrap_or_else(|| panic!("{to}")));
    assert_eq!(again["scope"], "files:r openid");
    asked[5].1 = "files:rw openid";
    assert_eq!(error(&mut ann, &asked).as_deref(), Some("consent_required"), "more than before");
    (asked[5].1, asked[6].1) = ("files:r", "x");
    asked.push(("max_age", "0"));
    let mut long_ago = Browser::of(&s, Session::Open);
    assert_eq!(error(&mut long_ago, &asked).as_deref(), Some("login_required"));
}

#[test]
fn a_token_is_taken_back_and_looked_at_by_its_app() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "x").expect(201);
    let (client, secret) = register(&s, &json!({ "redirect_uris": [CALLBACK] }));
    let (other, others) = register(&s, &json!({ "redirect_uris": [CALLBACK] }));
    let mut browser = Browser::of(&s, Session::Proven);
    let code = code(&mut browser, &client, "files:r openid");
    let without = exchange(&client, &code);
    refused(&send(&s, "/oauth/token", "", &without), 401, "invalid_client");
    let mut body = without.clone();
    body.retain(|(name, _)| *name != "client_id");
    let got = send(&s, "/oauth/token", &basic(&client, &secret), &body).expect(200).json();
    let access = got["access_token"].as_str().unwrap();
    let look = |app: (&str, &str), token: &str| send(&s, "/oauth/introspect", &basic(app.0, app.1), &[("token", token)]).expect(200).json();
    let told = look((&client, &secret), access);
    assert_eq!((&told["active"], &told["scope"], &told["client_id"]), (&json!(true), &json!("files:r openid"), &json!(client)));
    assert_eq!(look((&other, &others), access), json!({ "active": false }));
    assert_eq!(look((&client, &secret), "unknown"), json!({ "active": false }));
    let revoke = |app: (&str, &str), token: &str| send(&s, "/oauth/revoke", &basic(app.0, app.1), &[("token", token)]).expect(200);
    revoke((&client, &secret), "unknown");
    revoke((&other, &others), access);
    assert_eq!(opens(&s, &got["access_token"], "/f"), 200, "another app takes nothing back");
    revoke((&client, &secret), got["refresh_token"].as_str().unwrap());
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(opens(&s, &got["access_token"], "/f"), 401);
    assert_eq!(look((&client, &secret), access), json!({ "active": false }));
}
