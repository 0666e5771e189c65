//! WebFinger (RFC 7033): where somebody's storage is, for pages of any site; and no more of who lives here than that tells.

use serde_json::Value;

use crate::server::Server;

fn find(s: &Server, query: &str) -> crate::server::Answer {
    s.page(&format!("/.well-known/webfinger{query}"), &["Origin: https://app.example"])
}

#[test]
fn a_storage_is_found_by_an_address() {
    let s = Server::start();
    let port = s.address.port();
    for account in [format!("acct:ann@localhost:{port}"), format!("acct%3Aann%40127.0.0.1%3A{port}"), "acct:ann@localhost".into()] {
        let answer = find(&s, &format!("?resource={account}")).expect(200);
        assert_eq!(answer.header("content-type"), Some("application/jrd+json"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let json: Value = serde_json::from_slice(&answer.body).unwrap();
        let link = &json["links"][0];
        assert_eq!(link["rel"], "http://tools.ietf.org/id/draft-dejong-remotestorage");
        assert_eq!(link["href"], format!("http://localhost:{port}/rs/ann"), "without a slash: clients add paths");
        let properties = &link["properties"];
        assert_eq!(properties["http://remotestorage.io/spec/version"], "draft-dejong-remotestorage-26");
        for url in ["http://tools.ietf.org/html/rfc6749#section-4.2", "http://tools.ietf.org/html/rfc6749#section-3.1"] {
            assert!(properties[url].as_str().unwrap().starts_with(&format!("http://localhost:{port}/")), "{properties}");
        }
        assert_eq!(properties["http://tools.ietf.org/html/rfc7636"], "S256");
        assert_eq!(properties["http://tools.ietf.org/html/rfc7233"], "GET");
        assert!(properties.as_object().unwrap()["http://tools.ietf.org/html/rfc6750#section-2.3"].is_null());
    }
    let some = find(&s, &format!("?resource=acct:ann@localhost:{port}&rel=other")).expect(200).text();
    assert!(some.contains("\"links\":[]"), "{some}");
}

#[test]
fn bad_and_unknown_resources() {
    let s = Server::start();
    for (query, status) in [
        ("", 400),
        ("?rel=x", 400),
        ("?resource=", 400),
        ("?resource=ann", 400),
        ("?resource=acct:ann@localhost&resource=acct:bob@localhost", 400),
        ("?resource=acct:%ff@localhost", 400),
        ("?resource=acct:bob@localhost", 404),
        ("?resource=acct:Ann@localhost", 404),
        ("?resource=acct:ann@elsewhere.example", 404),
        ("?resource=acct:ann", 404),
        ("?resource=mailto:ann@localhost", 404),
        ("?resource=http://localhost/ann", 404),
        ("?resource=acct:%00@localhost", 404),
    ] {
        let answer = find(&s, query).expect(status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{query}");
    }
    s.send_as("", "POST", "/.well-known/webfinger?resource=acct:ann@localhost", &[], "").expect(405);
}

#[test]
fn t32_whoever_guesses_names_is_told_to_wait() {
    let s = Server::start();
    let ask = |name: &str| find(&s, &format!("?resource=acct:{name}@localhost")).status;
    let guesses: Vec<u16> = (0..101).map(|n| ask(&format!("guess{n}"))).collect();
    assert_eq!(guesses.iter().filter(|status| **status == 404).count(), 100);
    assert_eq!((guesses[100], ask("ann")), (429, 429), "who is there is not told then either");
}
