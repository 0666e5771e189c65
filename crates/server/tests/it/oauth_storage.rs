//! Apps of remoteStorage, which get a token in the address that they are sent back to, for folders of apps and nothing else; and what
//! pages of other sites may read of the endpoints.

use serde_json::json;

use crate::oauth_flow::{Browser, param, request, send, sha256};
use crate::server::Server;
use crate::sessions::Session;

const APP: &str = "https://unhosted.example/app";

fn asks<'a>(redirect: &'a str, scope: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("response_type", "token"), ("redirect_uri", redirect), ("scope", scope), ("client_id", "whatever"), ("state", "st&te")]
}

#[test]
fn an_app_of_a_storage_gets_its_folders_and_nothing_else() {
    let s = Server::start();
    let mut browser = Browser::of(&s, Session::Proven);
    let ticket = browser.ticket(&asks(APP, "notes:rw files:r"));
    let shown = browser.post("look", &json!({ "ticket": ticket })).expect(200).json();
    // Who it is, its address tells; what it calls itself is nothing.
    assert_eq!(
        (&shown["origin"], &shown["client"], &shown["name"]),
        (&json!("https://unhosted.example"), &json!("https://unhosted.example"), &json!("unhosted.example"))
    );
    let to = browser.allow(&ticket, &["notes:rw", "rs:files:r"]);
    assert!(to.starts_with(&format!("{APP}#access_token=")), "{to}");
    assert_eq!((param(&to, "token_type"), param(&to, "state")), (Some("bearer".into()), Some("st&te".into())));
    let token = format!("Bearer {}", param(&to, "access_token").unwrap());
    let status = |method, path| s.send_as(&token, method, path, &["Content-Type: text/plain"], "x").status;
    assert_eq!((status("PUT", "/rs/ann/notes/a"), status("GET", "/rs/ann/notes/a"), status("PUT", "/rs/ann/public/notes/b")), (201, 200, 201));
    assert_eq!(
        (status("GET", "/rs/ann/files/"), status("PUT", "/rs/ann/files/a"), status("PUT", "/rs/ann/other/a"), status("GET", "/rs/ann/notes-x/a")),
        (200, 403, 403, 403)
    );
    // The word files is a module here: the person's own files are behind another door, and this is no key to it.
    assert_eq!((status("GET", "/dav/files/ann/apps/notes/a"), s.ask("", "GET", "/me", &[&format!("Authorization: {token}")], "").status), (403, 403));
    let ticket = browser.ticket(&asks(APP, "notes:rw"));
    let no = browser.post("deny", &json!({ "ticket": ticket })).expect(200).json()["to"].as_str().unwrap().to_owned();
    assert!(no.starts_with(&format!("{APP}#error=access_denied")), "{no}");
    // The newer way (draft 26): a code, by an app that is who its address says.
    let client = "https://unhosted.example";
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge = sha256(verifier);
    let mut asked = request(client, &challenge, "notes:rw");
    asked[2].1 = APP;
    let ticket = browser.ticket(&asked);
    let code = param(&browser.allow(&ticket, &["notes:rw"]), "code").unwrap();
    let tokens = send(&s, "/oauth/token", "", &[("grant_type", "authorization_code"), ("client_id", client), ("code", &code), ("code_verifier", verifier)]);
    let token = format!("Bearer {}", tokens.expect(200).json()["access_token"].as_str().unwrap());
    assert_eq!(s.send_as(&token, "GET", "/rs/ann/notes/a", &[], "").status, 200);
    assert_eq!(s.send_as(&token, "GET", "/dav/files/ann/apps/notes/a", &[], "").status, 403);
    asked[5].1 = "cal";
    assert!(browser.open(&asked).expect(400).text().contains("invalid_scope"), "told to the person, and sent nowhere");
}

#[test]
fn t22_a_site_that_nobody_knows_is_sent_nothing_before_the_person_answered() {
    let s = Server::start();
    let mut nobody = Browser { s: &s, session: String::new(), asked: String::new() };
    let mut asked = asks("https://evil.example/cb", "notes:rw");
    asked.push(("prompt", "none"));
    let to = nobody.open(&asked).expect(303).header("Location").unwrap().to_owned();
    assert!(to.contains("/allow#") && !to.contains("evil"), "{to}");
    let by_code = [("client_id", "https://evil.example"), ("redirect_uri", "https://evil.example/any?x=1"), ("response_type", "foo")];
    assert_eq!(nobody.open(&by_code).expect(400).header("Location"), None);
}

#[test]
fn t22_t40_what_no_app_of_a_storage_is_answered() {
    let s = Server::start();
    let mut browser = Browser::of(&s, Session::Proven);
    for (redirect, scope, error) in [
        ("https://unhosted.example/app#x", "notes:rw", "invalid_request"),
        ("https://ann@unhosted.example/app", "notes:rw", "invalid_request"),
        ("http://unhosted.example/app", "notes:rw", "invalid_request"),
        ("javascript:alert(1)", "notes:rw", "invalid_request"),
        ("data:text/html,x", "notes:rw", "invalid_request"),
        ("com.example.app:/cb", "notes:rw", "invalid_request"),
        ("", "notes:rw", "invalid_request"),
        (APP, "foo:x", "invalid_scope"),
        (APP, "public:rw", "invalid_scope"),
        (APP, "files:rw:/photos", "invalid_scope"),
        (APP, "cal", "invalid_scope"),
        (APP, "openid", "invalid_scope"),
        (APP, "", "invalid_scope"),
    ] {
        let answer = browser.open(&asks(redirect, scope));
        assert_eq!((answer.status, answer.header("location")), (400, None), "{redirect} {scope}");
        assert!(answer.text().contains(error), "{redirect} {scope}: {}", answer.text());
    }
    let local = browser.open(&asks("http://localhost:5173/", "notes:rw"));
    assert_eq!(local.status, 303, "an app that is being made");
}

#[test]
fn pages_of_any_site_may_call_what_apps_call_and_nothing_else() {
    let s = Server::start();
    let origin = "Origin: https://app.example";
    for path in ["/oauth/token", "/oauth/register", "/oauth/revoke", "/oauth/userinfo", "/.well-known/oauth-authorization-server"] {
        let asked = s.send_as("", "OPTIONS", path, &[origin, "Access-Control-Request-Method: POST"], "").expect(204);
        assert_eq!(asked.header("access-control-allow-origin"), Some("*"), "{path}");
        assert!(asked.header("access-control-allow-headers").unwrap().contains("DPoP") && asked.header("access-control-allow-credentials").is_none());
    }
    let metadata = s.page("/.well-known/oauth-authorization-server", &[origin]).expect(200);
    assert_eq!((metadata.header("access-control-allow-origin"), metadata.header("content-type")), (Some("*"), Some("application/json")));
    let document = metadata.json();
    assert_eq!(document["issuer"], format!("http://localhost:{}", s.address.port()));
    assert_eq!((&document["code_challenge_methods_supported"], &document["response_types_supported"]), (&json!(["S256"]), &json!(["code"])));
    let userinfo = s.page("/oauth/userinfo", &[origin]).expect(401);
    assert!(userinfo.header("www-authenticate").unwrap().contains("invalid_token"));
    for path in ["/oauth/authorize", "/api/v1/me", "/allow"] {
        assert_eq!(s.page(path, &[origin]).header("access-control-allow-origin"), None, "{path}");
    }
}
