//! What WebDAV promises, request by request (RFC 4918, 9110, 5689, 4331).

use crate::server::Server;

const LOCKINFO: &str = "<?xml version='1.0'?><d:lockinfo xmlns:d='DAV:'><d:lockscope><d:exclusive/></d:lockscope>\
    <d:locktype><d:write/></d:locktype><d:owner>me &amp; <x xmlns='u:x'/></d:owner></d:lockinfo>";

#[test]
fn conditional_writes() {
    let s = Server::start();
    let etag = s.send("PUT", "/f", &["If-None-Match: *"], "one").expect(201).header("etag").unwrap().to_owned();
    s.send("PUT", "/f", &["If-None-Match: *"], "two").expect(412);
    s.send("PUT", "/f", &["If-Match: \"nope\""], "two").expect(412);
    s.send("PUT", "/gone", &["If-Match: *"], "two").expect(412);
    let match_it = format!("If-Match: {etag}");
    let newer = s.send("PUT", "/f", &[&match_it], "two").expect(204).header("etag").unwrap().to_owned();
    assert_ne!(etag, newer);
    s.send("PUT", "/f", &[&match_it], "three").expect(412);
    s.send("DELETE", "/f", &[&match_it], "").expect(412);
    s.send("GET", "/f", &[&format!("If-None-Match: W/{newer}, \"x\"")], "").expect(304);
    assert_eq!(s.send("GET", "/f", &[], "").expect(200).body, b"two");
    // One ETag everywhere, and a move keeps it.
    assert!(s.send("PROPFIND", "/f", &["Depth: 0"], "").expect(207).text().contains(&newer.replace("\"", "&quot;")));
    s.send("MOVE", "/f", &["Destination: /dav/files/ann/g"], "").expect(201);
    assert_eq!(s.send("HEAD", "/g", &[], "").expect(200).header("etag"), Some(newer.as_str()));
}

#[test]
fn ranges_of_small_and_large_files() {
    let s = Server::start();
    let body: Vec<u8> = (0..5_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (path, body) in [("/small", &body[..5_000]), ("/large", &body[..])] {
        s.send("PUT", path, &[], body).expect(201);
        assert_eq!(s.send("GET", path, &[], "").expect(200).body, body);
        for (from, to) in [(0, 1), (1_000, 4_999), (body.len() - 10, body.len()), (body.len() / 3, body.len() * 2 / 3)] {
            let answer = s.send("GET", path, &[&format!("Range: bytes={from}-{}", to - 1)], "").expect(206);
            assert_eq!(answer.body, &body[from..to]);
            assert_eq!(answer.header("content-range").unwrap(), format!("bytes {from}-{}/{}", to - 1, body.len()));
        }
        let answer = s.send("GET", path, &[&format!("Range: bytes={}-", body.len())], "").expect(416);
        assert_eq!(answer.header("content-range").unwrap(), format!("bytes */{}", body.len()));
    }
}

#[test]
fn partial_updates() {
    let s = Server::start();
    let large: Vec<u8> = (0..2_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for size in [10, 2_000_000] {
        let mut want = large[..size].to_vec();
        s.send("PUT", "/p", &[], &want);
        let patch =
            |range: &str, body: &str| s.send("PATCH", "/p", &["Content-Type: application/x-sabredav-partialupdate", &format!("X-Update-Range: {range}")], body);
        patch("bytes=2-4", "abc").expect(204);
        want[2..5].copy_from_slice(b"abc");
        patch("append", "end").expect(204);
        want.extend(b"end");
        patch("bytes=-1", "!!").expect(204);
        want.pop();
        want.extend(b"!!");
        patch(&format!("bytes={}-", want.len() + 1), "x").expect(416);
        patch("bytes=0-5", "x").expect(416);
        assert_eq!(s.send("GET", "/p", &[], "").body, want);
    }
}

#[test]
fn chunked_bodies_and_declared_times() {
    let s = Server::start();
    let answer = s
        .send("PUT", "/c", &["Transfer-Encoding: chunked", "X-OC-Mtime: 1000000000", "X-Expected-Entity-Length: 5"], "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")
        .expect(201);
    assert_eq!(answer.header("x-oc-mtime"), Some("accepted"));
    let answer = s.send("GET", "/c", &[], "").expect(200);
    assert_eq!((answer.text().as_str(), answer.header("last-modified")), ("abcde", Some("Sun, 09 Sep 2001 01:46:40 GMT")));
}

#[test]
fn locks_bind_and_survive_a_crash() {
    let mut s = Server::start();
    s.send("MKCOL", "/d", &[], "").expect(201);
    let answer = s.send("LOCK", "/d/new", &["Timeout: Infinite, Second-4100000000"], LOCKINFO).expect(201);
    assert!(answer.text().contains("Second-3600") && answer.text().contains("me &amp; "), "{}", answer.text());
    let token = answer.header("lock-token").unwrap().to_owned();
    s.kill_and_restart();
    s.send("PUT", "/d/new", &[], "x").expect(423);
    s.send("DELETE", "/d", &[], "").expect(423);
    s.send("MOVE", "/d", &["Destination: /dav/files/ann/e"], "").expect(423);
    s.send("PUT", "/d/new", &[&format!("If: ({token})")], "x").expect(204);
    s.send("PUT", "/d/new", &[&format!("If: ({token} [\"no\"])")], "x").expect(412);
    s.send("LOCK", "/d/new", &[], LOCKINFO).expect(423);
    s.send("LOCK", "/d", &[], LOCKINFO).expect(423);
    let refreshed = s.send("LOCK", "/d/new", &[&format!("If: ({token})"), "Timeout: Second-60"], "").expect(200);
    assert!(refreshed.header("lock-token").is_none() && refreshed.text().contains("Second-60"));
    // T06: another credential of the person neither sees the token nor may use it.
    let other = s.run(&["app-password", "add", "ann", "--quiet"]).unwrap();
    let other = crate::server::basic("ann", other.trim());
    let seen = s.send_as(&other, "PROPFIND", "/d/new", &["Depth: 0"], "").expect(207).text();
    assert!(seen.contains("d:activelock") && !seen.contains("urn:uuid"), "{seen}");
    s.send_as(&other, "PUT", "/d/new", &[&format!("If: ({token})")], "x").expect(423);
    s.send("UNLOCK", "/d/new", &["Lock-Token: <urn:uuid:0>"], "").expect(409);
    s.send("UNLOCK", "/d/new", &[&format!("Lock-Token: {}", token.trim_matches(['<', '>']))], "").expect(204);
    s.send("DELETE", "/d", &[], "").expect(204);
}

#[test]
fn properties_live_dead_and_protected() {
    let s = Server::start();
    let patch = |body: &str| {
        s.send(
            "PROPPATCH",
            "/",
            &[],
            format!("<?xml version='1.0'?><d:propertyupdate xmlns:d='DAV:' xmlns:w='urn:schemas-microsoft-com:'>{body}</d:propertyupdate>"),
        )
    };
    let failed = patch("<d:set><d:prop><w:x>1</w:x><d:getetag>no</d:getetag></d:prop></d:set>").expect(207).text();
    assert!(failed.contains("403 Forbidden") && failed.contains("424 Failed Dependency") && failed.contains("cannot-modify-protected-property"), "{failed}");
    patch(
        "<d:set><d:prop><w:Win32LastModifiedTime>Sun, 09 Sep 2001 01:46:40 GMT</w:Win32LastModifiedTime><n xml:lang='de' xmlns=''>ü<b/></n></d:prop></d:set>",
    )
    .expect(207);
    let all = s.send("PROPFIND", "/", &["Depth: 0"], "").expect(207).text();
    assert!(all.contains("Sun, 09 Sep 2001 01:46:40 GMT</d:getlastmodified>") && all.contains("<n xmlns=\"\" xml:lang=\"de\">ü<b xmlns=\"\"/></n>"), "{all}");
    assert!(!all.contains("quota"), "computed properties only when asked for: {all}");
    let named = "<?xml version='1.0'?><d:propfind xmlns:d='DAV:'><d:prop><d:quota-used-bytes/><d:current-user-principal/><x xmlns='u:'/></d:prop></d:propfind>";
    let answer = s.send("PROPFIND", "/", &["Depth: 0"], named).expect(207).text();
    assert!(answer.contains("<d:quota-used-bytes>0<") && answer.contains("/dav/principals/users/ann/") && answer.contains("404 Not Found"), "{answer}");
    assert!(answer.find("200 OK") < answer.find("404 Not Found"), "the 200 propstat comes first");
}

#[test]
fn times_that_clients_set() {
    let s = Server::start();
    s.send("PUT", "/f", &["X-OC-Mtime: 1e300"], "x").expect(201).header("x-oc-mtime").inspect(|_| panic!("no calendar has that time"));
    let patch = |body: &str| {
        let body = format!("<?xml version='1.0'?><d:propertyupdate xmlns:d='DAV:'><d:set><d:prop>{body}</d:prop></d:set></d:propertyupdate>");
        s.send("PROPPATCH", "/f", &[], body).expect(207).text()
    };
    let modified = || s.send("HEAD", "/f", &[], "").expect(200).header("last-modified").unwrap().to_owned();
    for time in ["<d:lastmodified>1000000000</d:lastmodified>", "<d:getlastmodified>Sun, 09 Sep 2001 01:46:40 GMT</d:getlastmodified>"] {
        patch("<d:getlastmodified>1994-11-06T08:49:37Z</d:getlastmodified>");
        assert_eq!(modified(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(patch(time).contains("200 OK"));
        assert_eq!(modified(), "Sun, 09 Sep 2001 01:46:40 GMT");
    }
    for no_time in ["<d:lastmodified>soon</d:lastmodified>", "<d:getlastmodified>1000000000</d:getlastmodified>"] {
        let answer = patch(&format!("{no_time}<x xmlns='u:'/>"));
        assert!(answer.contains("409 Conflict") && answer.contains("424 Failed") && !answer.contains("200 OK"), "{answer}");
    }
    assert_eq!(modified(), "Sun, 09 Sep 2001 01:46:40 GMT");
}

#[test]
fn t05_a_large_folder_is_listed_whole() {
    let s = Server::start();
    s.send("MKCOL", "/many", &[], "").expect(201);
    for n in 0..600 {
        s.send("PUT", &format!("/many/{n}"), &[], "").expect(201);
    }
    let listing = s.send("PROPFIND", "/many", &["Depth: 1"], "").expect(207).text();
    assert_eq!(listing.matches("<d:response>").count(), 601);
    assert!(listing.ends_with("</d:multistatus>"));
    s.send("PROPFIND", "/many", &["Depth: infinity"], "").expect(403);
}

#[test]
fn quota_is_kept_and_told() {
    let s = Server::start();
    s.run(&["person", "quota", "ann", "100K"]).unwrap();
    s.send("PUT", "/a", &[], vec![1; 60_000]).expect(201);
    let full = s.send("PUT", "/b", &[], vec![1; 60_000]).expect(507).text();
    assert!(full.contains("quota-not-exceeded"), "{full}");
    s.send("PUT", "/b", &["Transfer-Encoding: chunked"], [b"11170\r\n".as_slice(), &[1; 70_000], b"\r\n0\r\n\r\n"].concat()).expect(507);
    s.send("COPY", "/a", &["Destination: /dav/files/ann/c"], "").expect(507);
    assert_eq!(s.send("GET", "/a", &[], "").expect(200).body.len(), 60_000);
}

#[test]
fn scopes_and_other_people() {
    let s = Server::start();
    s.send("MKCOL", "/in", &[], "").expect(201);
    s.send("PUT", "/in/f", &[], "x").expect(201);
    let add = |args: &[&str]| crate::server::basic("ann", s.run(&[&["app-password", "add", "ann", "--quiet"], args].concat()).unwrap().trim());
    let reader = add(&["--path", "/in", "--read-only"]);
    s.send_as(&reader, "GET", "/in/f", &[], "").expect(200);
    s.send_as(&reader, "GET", "/", &[], "").expect(403);
    for (method, path) in [("PUT", "/in/f"), ("DELETE", "/in/f"), ("MKCOL", "/in/d"), ("PUT", "/out")] {
        s.send_as(&reader, method, path, &[], "").expect(403);
    }
    let writer = add(&["--path", "/in"]);
    s.send_as(&writer, "PUT", "/in/g", &[], "x").expect(201);
    s.send_as(&writer, "MOVE", "/in/g", &["Destination: /dav/files/ann/out"], "").expect(403);
    s.send_as(&writer, "COPY", "/", &["Destination: /dav/files/ann/in/all"], "").expect(403);
    // T58: another person's tree is not there at all.
    s.run(&["person", "add", "bob"]).unwrap();
    s.send("GET", "/dav/files/bob/", &[], "").expect(404);
    s.send("COPY", "/in/f", &["Destination: /dav/files/bob/f"], "").expect(502);
}
