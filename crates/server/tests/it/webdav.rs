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
    s.send("PUT", "/f", &[&format!("If-None-Match: W/{newer}")], "three").expect(412);
    // A date beside an ETag says nothing.
    let same = format!("If-Modified-Since: {}", s.send("GET", "/f", &[], "").header("last-modified").unwrap());
    s.send("GET", "/f", &[&same], "").expect(304);
    s.send("GET", "/f", &[&same, "If-None-Match: \"x\""], "").expect(200);
    // An older file may have taken a newer one's place.
    s.send("GET", "/f", &["If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT"], "").expect(200);
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
    assert!(
        !answer.contains("<d:quota-used-bytes>0<")
            && answer.contains("<d:quota-used-bytes>")
            && answer.contains("/dav/principals/users/ann/")
            && answer.contains("404 Not Found"),
        "{answer}"
    );
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

#[test]
fn options_are_told_to_anybody_and_everywhere() {
    let s = Server::start();
    for path in ["/", "/no", "/dav/", "/dav/files/", "/dav/files/bob/", "*"] {
        let answer = s.send_as("none", "OPTIONS", path, &["Origin: https://elsewhere.example"], "").expect(200);
        for class in ["1", "2", "3", "access-control", "extended-mkcol", "sync-collection", "sabredav-partialupdate"] {
            assert!(answer.header("dav").unwrap().split(", ").any(|c| c == class), "{class}: {}", answer.head);
        }
        assert_eq!((answer.header("ms-author-via"), answer.header("accept-ranges"), answer.header("content-length")), (Some("DAV"), Some("bytes"), Some("0")));
        let whole = path == "/" || path == "/no" || path == "*" || path.ends_with("bob/");
        assert_eq!(answer.header("allow").unwrap().contains("LOCK"), whole, "{path}: {}", answer.head);
    }
    // The connection stays open: Finder fails where it is dropped.
    let options = format!("OPTIONS / HTTP/1.1\r\nHost: {}\r\n\r\n", s.address);
    let twice = s.raw(format!("{options}{}", options.replace("Host", "Connection: close\r\nHost")).as_bytes());
    assert!(twice.text().contains("HTTP/1.1 200 OK"), "{twice:?}");
}

#[test]
fn propfind_in_each_of_its_forms() {
    let s = Server::start();
    s.send("MKCOL", "/d", &[], "").expect(201);
    s.send("PUT", "/d/f", &[], "x").expect(201);
    let set = "<d:propertyupdate xmlns:d='DAV:'><d:set><d:prop><x xmlns='u:'>1</x></d:prop></d:set></d:propertyupdate>";
    s.send("PROPPATCH", "/d", &[], set).expect(207);
    let ask = |headers: &[&str], inner: &str| {
        let body = format!("<d:propfind xmlns:d='DAV:'>{inner}</d:propfind>");
        s.send("PROPFIND", "/d", &[headers, &["Depth: 0"]].concat(), body).expect(207)
    };
    let all = ask(&[], "<d:allprop/>").text();
    assert!(all.contains("<d:getetag>") && all.contains("\"u:\">1</x:x>") && !all.contains("sync-token") && !all.contains("404"), "{all}");
    assert_eq!(s.send("PROPFIND", "/d", &["Depth: 0"], "").text(), all, "no body means all");
    let more = ask(&[], "<d:allprop/><d:include><d:sync-token/><d:owner/><d:getetag/></d:include>").text();
    assert!(more.contains("<d:sync-token>urn:") && more.contains("<d:owner>") && more.matches("<d:getetag>").count() == 1, "{more}");
    let names = ask(&[], "<d:propname/>").text();
    assert!(names.contains("<d:getetag/>") && names.contains("<x:x xmlns:x=\"u:\"/>") && !names.contains("getcontentlength"), "{names}");
    let some = "<d:prop><d:resourcetype/><d:getcontentlength/><y xmlns='u:'/></d:prop>";
    assert!(ask(&[], some).text().contains("404 Not Found"));
    for minimal in ["Prefer: return=minimal", "Brief: t"] {
        let answer = ask(&[minimal], some);
        assert!(!answer.text().contains("404") && answer.header("preference-applied") == Some("return=minimal"), "{}", answer.text());
    }
    // With a slash and without, answered and not redirected; hrefs of collections end in one.
    for path in ["/d", "/d/"] {
        let answer = s.send("PROPFIND", path, &["Depth: 1"], "").expect(207);
        assert_eq!(answer.header("content-location"), Some("/dav/files/ann/d/"));
        assert_eq!(answer.header("content-type"), Some("application/xml; charset=utf-8"));
        let text = answer.text();
        assert!(text.contains("<d:href>/dav/files/ann/d/</d:href>") && text.contains("<d:href>/dav/files/ann/d/f</d:href>"), "{text}");
        assert!(!text.contains('\n') && text.contains("<d:status>HTTP/1.1 200 OK</d:status>"), "{text}");
    }
    s.send("MOVE", "/d", &["Destination: /dav/files/ann/e"], "").expect(201);
    s.send("DELETE", "/e", &[], "").expect(204);
}

#[test]
fn properties_are_changed_in_order_and_travel() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "x").expect(201);
    let patch = |steps: &str| s.send("PROPPATCH", "/f", &[], format!("<d:propertyupdate xmlns:d='DAV:'>{steps}</d:propertyupdate>")).expect(207).text();
    let set = |value: &str| format!("<d:set><d:prop><x xmlns='u:'>{value}</x></d:prop></d:set>");
    let remove = "<d:remove><d:prop><x xmlns='u:'/><never xmlns='u:'/></d:prop></d:remove>";
    assert!(!patch(&[remove, &set("1"), &set("\u{1f600}")].concat()).contains("40"), "what is not there is removed at once");
    let value = |path: &str| {
        let text = s.send("PROPFIND", path, &["Depth: 0"], "<d:propfind xmlns:d='DAV:'><d:prop><x xmlns='u:'/></d:prop></d:propfind>").expect(207).text();
        text.split("xmlns:x=\"u:\">").nth(1).map(|v| v.split('<').next().unwrap().to_owned())
    };
    assert_eq!(value("/f").as_deref(), Some("\u{1f600}"));
    s.send("COPY", "/f", &["Destination: /dav/files/ann/g"], "").expect(201);
    s.send("MOVE", "/f", &["Destination: /dav/files/ann/h"], "").expect(201);
    assert_eq!((value("/g").as_deref(), value("/h").as_deref()), (Some("\u{1f600}"), Some("\u{1f600}")));
}

#[test]
fn locks_of_collections() {
    let s = Server::start();
    for path in ["/flat", "/deep"] {
        s.send("MKCOL", path, &[], "").expect(201);
        s.send("PUT", &format!("{path}/f"), &[], "x").expect(201);
    }
    let other = s.run(&["app-password", "add", "ann", "--quiet"]).unwrap();
    let other = crate::server::basic("ann", other.trim());
    let lock = |path: &str, depth: &str| s.send("LOCK", path, &[depth], LOCKINFO).expect(200).header("lock-token").unwrap().to_owned();
    let (flat, deep) = (lock("/flat", "Depth: 0"), lock("/deep", "Depth: infinity"));
    // Depth 0: members come and go with its token only, and change without.
    s.send("PUT", "/flat/new", &[], "x").expect(423);
    s.send("DELETE", "/flat/f", &[], "").expect(423);
    s.send("PUT", "/flat/f", &[], "y").expect(204);
    s.send("PUT", "/flat/new", &[&format!("If: </dav/files/ann/flat/> ({flat})")], "x").expect(201);
    // What comes from elsewhere is held up like what is written there.
    s.send("PUT", "/free", &[], "x").expect(201);
    for method in ["COPY", "MOVE"] {
        for to in ["/flat/newer", "/deep/f", "/deep/newer"] {
            s.send(method, "/free", &[&format!("Destination: /dav/files/ann{to}")], "").expect(423);
        }
    }
    // Infinity: everything below is locked, is shown as such, and can be refreshed from there.
    s.send("PUT", "/deep/f", &[], "y").expect(423);
    let refreshed = s.send("LOCK", "/deep/f", &[&format!("If: ({deep})"), "Timeout: Second-77"], "").expect(200).text();
    assert!(refreshed.contains("Second-77") && refreshed.contains("<d:lockroot><d:href>/dav/files/ann/deep/</d:href></d:lockroot>"), "{refreshed}");
    assert!(s.send("PROPFIND", "/deep/f", &["Depth: 0"], "").text().contains("<d:depth>infinity</d:depth>"));
    // Nobody is kept from reading, and a lock does not travel with a copy.
    for (method, status) in [("GET", 200), ("HEAD", 200), ("PROPFIND", 207)] {
        s.send_as(&other, method, "/deep/f", &["Depth: 0"], "").expect(status);
    }
    s.send("COPY", "/deep", &["Destination: /dav/files/ann/copy"], "").expect(201);
    s.send_as(&other, "PUT", "/copy/f", &[], "z").expect(204);
    assert!(s.send("PROPFIND", "/copy", &["Depth: 0"], "").text().contains("<d:lockdiscovery></d:lockdiscovery>"));
    s.send("UNLOCK", "/deep/f", &[&format!("Lock-Token: {deep}")], "").expect(204);
    s.send("PUT", "/deep/f", &[], "y").expect(204);
}
