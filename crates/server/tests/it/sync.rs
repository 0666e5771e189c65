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
fn every_change_is_seen_in_the_folders_above() {
    let s = Server::start();
    s.send("MKCOL", "/d", &[], "").expect(201);
    let ask = "<d:propfind xmlns:d='DAV:'><d:prop><d:getetag/><d:sync-token/></d:prop></d:propfind>";
    let state = || ["/", "/d/"].map(|path| s.send("PROPFIND", path, &["Depth: 0"], ask).expect(207).text());
    let mut before = state();
    for (method, path, headers) in [
        ("PUT", "/d/a", ""),
        ("PUT", "/d/a", ""),
        ("COPY", "/d/a", "Destination: /dav/files/ann/d/b"),
        ("MOVE", "/d/b", "Destination: /dav/files/ann/d/c"),
        ("MOVE", "/d/c", "Destination: /dav/files/ann/elsewhere"),
        ("DELETE", "/d/a", ""),
        ("MKCOL", "/d/e", ""),
        ("MKCOL", "/d/e/f", ""),
        ("DELETE", "/d/e", ""),
    ] {
        let headers: Vec<&str> = Some(headers).filter(|h| !h.is_empty()).into_iter().collect();
        assert_eq!(s.send(method, path, &headers, "").status / 100, 2, "{method} {path}");
        let after = state();
        for (old, new) in before.iter().zip(&after) {
            for property in ["getetag>", "sync-token>"] {
                assert_ne!(old.split(property).nth(1), new.split(property).nth(1), "{property} after {method} {path}");
            }
        }
        before = after;
    }
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

/// The journal does not name the members of a copied collection one by one.
#[test]
fn a_copied_collection_is_told_whole() {
    let s = Server::start();
    s.send("MKCOL", "/d", &[], "").expect(201);
    s.send("MKCOL", "/d/e", &[], "").expect(201);
    for n in 0..5 {
        s.send("PUT", &format!("/d/f%20{n}"), &[], "x").expect(201);
        s.send("PUT", &format!("/d/e/{n}"), &[], "x").expect(201);
    }
    let (before, token) = report(&s, "/", "", "<d:sync-level>infinite</d:sync-level>");
    assert_eq!(before.matches("<d:propstat>").count(), 12, "{before}");
    s.send("COPY", "/d", &["Destination: /dav/files/ann/copy"], "").expect(201);
    let (deep, _) = report(&s, "/", &token, "<d:sync-level>infinite</d:sync-level>");
    assert_eq!(deep.matches("/copy/").count(), 12, "{deep}");
    let (all, _) = report(&s, "/copy/", "", "<d:sync-level>1</d:sync-level>");
    assert_eq!(all.matches("<d:propstat>").count(), 6, "{all}");
    let (below, _) = report(&s, "/copy/e/", "", "<d:sync-level>1</d:sync-level>");
    assert_eq!(below.matches("<d:propstat>").count(), 5, "{below}");
    // In pieces, while others write: what changes meanwhile is told afterwards.
    let three = "<d:sync-level>1</d:sync-level><d:limit><d:nresults>3</d:nresults></d:limit>";
    let (first, middle) = report(&s, "/copy/", "", three);
    assert!(first.contains("507 Insufficient Storage") && first.contains("number-of-matches-within-limits"), "{first}");
    s.send("DELETE", "/copy/e", &[], "").expect(204);
    s.send("PUT", "/copy/a", &[], "x").expect(201);
    let (second, end) = report(&s, "/copy/", &middle, three);
    assert!(second.contains("/copy/f%204<") && !second.contains("507"), "{second}");
    let (rest, _) = report(&s, "/copy/", &end, "<d:sync-level>1</d:sync-level>");
    assert!(rest.contains("/copy/a<") && rest.contains("/copy/e</d:href><d:status>HTTP/1.1 404"), "{rest}");
}

/// A token belongs to a collection, not to a name.
#[test]
fn another_collection_at_the_same_place_is_another() {
    let s = Server::start();
    for name in ["/d", "/e"] {
        s.send("MKCOL", name, &[], "").expect(201);
        s.send("PUT", &format!("{name}/f"), &[], "x").expect(201);
    }
    let (_, token) = report(&s, "/d/", "", "");
    let ask = |path: &str| {
        let body = format!("<d:sync-collection xmlns:d='DAV:'><d:sync-token>{token}</d:sync-token><d:prop/></d:sync-collection>");
        s.send("REPORT", path, &[], body).status
    };
    assert_eq!((ask("/d/"), ask("/e/")), (207, 403));
    s.send("MOVE", "/d", &["Destination: /dav/files/ann/moved"], "").expect(201);
    s.send("MOVE", "/e", &["Destination: /dav/files/ann/d"], "").expect(201);
    assert_eq!((ask("/d/"), ask("/moved/")), (403, 207));
    s.send("DELETE", "/moved", &[], "").expect(204);
    s.send("MKCOL", "/moved", &[], "").expect(201);
    assert_eq!(ask("/moved/"), 403);
}
