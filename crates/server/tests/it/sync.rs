//! REPORT sync-collection (RFC 6578).

use crate::server::Server;

fn report(s: &Server, path: &str, token: &str, extra: &str) -> (String, String) {
    let body = format!("<d:sync-collection xmlns:d='DAV:'><d:sync-token>{token}</d:sync-token>{extra}<d:prop><d:getetag/></d:prop></d:sync-collection>");
    let text = s.send("REPORT", path, &["Depth: 0"], body).expect(207).text();
    let token = text.split("<d:sync-token>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    (text, token)
}

#[test]
fn every_change_is_told_once() {
    let s = Server::start();
    s.send("MKCOL", "/d", &[], "").expect(201);
    s.send("PUT", "/d/a", &[], "1").expect(201);
    let (all, token) = report(&s, "/d/", "", "<d:sync-level>1</d:sync-level>");
    assert!(all.contains("/d/a</d:href>"), "{all}");
    s.send("PUT", "/d/b", &[], "1").expect(201);
    s.send("DELETE", "/d/a", &[], "").expect(204);
    s.send("MKCOL", "/d/e", &[], "").expect(201);
    s.send("PUT", "/d/e/deep", &[], "1").expect(201);
    let (changes, newer) = report(&s, "/d/", &token, "<d:sync-level>1</d:sync-level>");
    assert!(changes.contains("/d/b</d:href><d:propstat>") && changes.contains("/d/a</d:href><d:status>HTTP/1.1 404 Not Found"), "{changes}");
    assert!(!changes.contains("deep"), "{changes}");
    let (deep, _) = report(&s, "/d/", &token, "<d:sync-level>infinite</d:sync-level>");
    assert!(deep.contains("/d/e/deep"), "{deep}");
    let (none, same) = report(&s, "/d/", &newer, "<d:sync-level>1</d:sync-level>");
    assert!(!none.contains("<d:response>") && same == newer, "{none}");
    // A whole folder arrives by MOVE: a deep sync tells of everything in it.
    s.send("MOVE", "/d/e", &["Destination: /dav/files/ann/d/moved"], "").expect(201);
    let (moved, _) = report(&s, "/d/", &newer, "<d:sync-level>infinite</d:sync-level>");
    assert!(moved.contains("/d/moved/deep") && moved.contains("/d/e</d:href><d:status>"), "{moved}");
}

#[test]
fn limits_are_kept_and_the_token_goes_on() {
    let s = Server::start();
    for n in 0..10 {
        s.send("PUT", &format!("/f{n}"), &[], "x").expect(201);
    }
    let (mut token, mut seen) = (String::new(), 0);
    for _ in 0..10 {
        let (text, next) = report(&s, "/", &token, "<d:sync-level>1</d:sync-level><d:limit><d:nresults>3</d:nresults></d:limit>");
        seen += text.matches("<d:propstat>").count();
        token = next;
        if !text.contains("507 Insufficient Storage") {
            break;
        }
    }
    assert_eq!(seen, 10);
}
