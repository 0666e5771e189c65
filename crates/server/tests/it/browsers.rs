//! What a browser could be made to do with the credentials it remembers for a WebDAV address: pages elsewhere (T27), and what a
//! person keeps (T28).

use crate::server::{Server, basic};

/// A page elsewhere gets a browser to send plain requests, and to ask whether it may send others. It may not, and what is plain
/// changes nothing.
#[test]
fn t27_a_page_elsewhere_changes_and_reads_nothing() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "kept").expect(201);
    let open = |head: &str| head.to_ascii_lowercase().contains("access-control-allow");
    for place in ["/f", "/", "/dav/", "/dav/files/", "/dav/principals/users/ann/"] {
        for method in ["PUT", "DELETE", "PROPFIND", "MOVE", "GET"] {
            let asks = ["Origin: https://evil.example", &format!("Access-Control-Request-Method: {method}"), "Access-Control-Request-Headers: authorization"];
            for who in [String::new(), s.authorization()] {
                assert!(!open(&s.send_as(&who, "OPTIONS", place, &asks, "").head), "{place} is open to pages elsewhere");
            }
        }
        for origin in ["https://evil.example", "null"] {
            let origin = format!("Origin: {origin}");
            assert!(!open(&s.send("GET", place, &[&origin], "").head), "{place}");
            for kind in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"] {
                let answer = s.send("POST", place, &[&origin, &format!("Content-Type: {kind}")], "<propfind xmlns='DAV:'/>").expect(405);
                assert!(!open(&answer.head));
            }
        }
    }
    // No browser signs in by itself with anything but what its user typed for this very place.
    let answer = s.send_as("", "GET", "/f", &["Cookie: holm=x; __Host-holm=x", "Origin: https://evil.example"], "").expect(401);
    assert!(answer.header("set-cookie").is_none(), "{}", answer.head);
    let secret = s.secret.clone();
    s.send_as(&basic("ann", "x"), "GET", "/f", &[&format!("Cookie: password={secret}")], "").expect(401);
    assert_eq!(s.send("GET", "/f", &[], "").expect(200).text(), "kept");
}

/// Whatever its name and type say, a file is data: no script of it runs with this server's rights, and no page elsewhere embeds it.
#[test]
fn t28_what_is_kept_is_never_a_page_of_this_server() {
    let s = Server::start();
    let script = "<script>fetch('/dav/files/ann/')</script>";
    for (name, kind) in [
        ("/a.html", "text/html"),
        ("/a.svg", "image/svg+xml"),
        ("/a.xhtml", "application/xhtml+xml"),
        ("/a.xml", "text/xml"),
        ("/a.pdf", "application/pdf"),
        ("/a.js", "text/javascript"),
        ("/a", "text/html"),
        ("/a.jpg", "image/jpeg"),
    ] {
        s.send("PUT", name, &[&format!("Content-Type: {kind}")], script).expect(201);
        for more in ["X-Other: x", "Range: bytes=0-3", "Range: bytes=0-3,6-8"] {
            for method in ["GET", "HEAD"] {
                let answer = s.send(method, name, &[more], "");
                let policy = answer.header("content-security-policy").unwrap_or_default();
                assert!(policy.contains("sandbox") && policy.contains("default-src 'none'") && !policy.contains("allow"), "{name}: {}", answer.head);
                assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{name}");
                assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{name}");
            }
        }
    }
    // Names are text on the pages that show them, and in what clients read.
    for name in ["<img src=x onerror=alert(1)>", "\"><script>alert(1)</script>", "'onmouseover='alert(1)", "]]><x:a xmlns:x='y'/>", "&lt;"] {
        let escaped: String = name.bytes().map(|b| format!("%{b:02X}")).collect();
        let folder = format!("/{}", escaped.replace("%2F", "_"));
        s.send("MKCOL", &folder, &[], "").expect(201);
    }
    let page = s.send("GET", "/", &[], "").expect(200);
    let policy = page.header("content-security-policy").unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    let text = page.text();
    assert!(!text.contains("<img") && !text.contains("<script") && text.contains("&lt;img src=x onerror=alert(1)"), "{text}");
    // What stands before the first link is none.
    let links = text.split("href=\"").skip(1);
    assert!(links.clone().count() > 10 && links.clone().all(|l| l.split_once('"').is_some_and(|(_, rest)| rest.starts_with('>'))), "{text}");
    let list = s.send("PROPFIND", "/", &["Depth: 1"], "").expect(207).text();
    assert!(!list.contains("<img") && !list.contains("<script") && !list.contains("<x:a"), "{list}");
}
