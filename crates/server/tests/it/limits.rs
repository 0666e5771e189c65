//! Limits and promises that take more than one request: names (T02), memory (T04), locks (T06), grants (T08), races
//! (T09), several ranges (T13), quota (T14).

use std::io::Write;
use std::net::TcpStream;

use crate::server::{Server, basic};

/// What the server may grow by for one hostile request (T04).
const BUDGET: i64 = 16 << 20;

const SHARED: &str = "<d:lockinfo xmlns:d='DAV:'><d:lockscope><d:shared/></d:lockscope><d:locktype><d:write/></d:locktype></d:lockinfo>";

#[test]
fn t02_names_are_kept_as_sent_and_compared_composed() {
    let s = Server::start();
    for name in ["/CON", "/a:b", "/trailing.", "/trailing%20", "/%E2%80%AEfdp.exe", "/zero%E2%80%8Bwidth", "/%3Cimg%20src=x%3E", "/A", "/a", "/*%22%3C%3E%7C"] {
        s.send("PUT", name, &[], "x").expect(201);
        assert!(s.send("PROPFIND", "/", &["Depth: 1"], "").text().contains(&format!("/dav/files/ann{name}</d:href>")), "{name}");
    }
    s.send("PUT", "/cafe%CC%81", &[], "decomposed").expect(201);
    s.send("PUT", "/caf%C3%A9", &[], "composed").expect(204);
    s.send("MKCOL", "/caf%C3%A9", &[], "").expect(405);
    assert_eq!(s.send("GET", "/cafe%CC%81", &[], "").expect(200).text(), "composed");
    let list = s.send("PROPFIND", "/", &["Depth: 1"], "").expect(207).text();
    assert!(list.contains("/cafe%CC%81<") && !list.contains("/caf%C3%A9<"), "{list}");
}

fn many_props(count: usize, size: usize) -> String {
    let props: String = (0..count).map(|n| format!("<p{n} xmlns='u:'>{}</p{n}>", "x".repeat(size))).collect();
    format!("<d:propertyupdate xmlns:d='DAV:'><d:set><d:prop>{props}</d:prop></d:set></d:propertyupdate>")
}

/// Each body is as large as it may be, and made to cost more than its size.
#[test]
fn t04_hostile_bodies_cost_little_memory() {
    let s = Server::start();
    s.send("MKCOL", "/d", &[], "").expect(201);
    for n in 0..300 {
        s.send("PUT", &format!("/d/{n}"), &[], "x").expect(201);
    }
    let long = "u".repeat(500_000);
    let kib = "u".repeat(1_000);
    let propfind = |inner: &str| format!("<d:propfind xmlns:d='DAV:'>{inner}</d:propfind>");
    let asked: String = (0..500).map(|n| format!("<p{n}{}/>", "x".repeat(100))).collect();
    let asked = format!("<d:prop xmlns='u:'>{asked}</d:prop>");
    let attributes = (0..60).map(|n| format!("a{n}='' ")).collect::<String>();
    let nested = format!(
        "<d:propertyupdate xmlns:d='DAV:'><d:set><d:prop><p xmlns='{kib}' xmlns:q='v'>{}</p></d:prop></d:set></d:propertyupdate>",
        "<b/><q:c/>".repeat(9_000)
    );
    let table: Vec<(u16, &str, &str, &[&str], String)> = vec![
        (400, "small elements", "PROPFIND", &["Depth: 0"], propfind(&"<a/>".repeat(240_000))),
        (
            207,
            "as many elements as may be",
            "PROPFIND",
            &["Depth: 0"],
            propfind(&format!("<d:allprop/>{}", format!("<a>{}</a>", "x".repeat(40)).repeat(19_000))),
        ),
        (400, "one long namespace", "PROPFIND", &["Depth: 0"], format!("<propfind xmlns='{long}'>{}</propfind>", "<b/>".repeat(120_000))),
        (400, "a namespace of 1 KiB", "PROPFIND", &["Depth: 0"], format!("<propfind xmlns='{kib}'>{}</propfind>", "<b/>".repeat(19_000))),
        (400, "attributes", "PROPFIND", &["Depth: 0"], propfind(&format!("<d:x {attributes}/>").repeat(2_500))),
        (
            400,
            "namespace declarations",
            "PROPFIND",
            &["Depth: 0"],
            propfind(&format!("<d:x {}/>", (0..60_000).map(|n| format!("xmlns:a{n}='u' ")).collect::<String>())),
        ),
        (400, "deep", "PROPFIND", &["Depth: 0"], propfind(&"<a>".repeat(300_000))),
        (400, "references", "PROPFIND", &["Depth: 0"], propfind(&"&amp;".repeat(200_000))),
        (400, "comments", "PROPFIND", &["Depth: 0"], propfind(&"<!---->".repeat(140_000))),
        (207, "a property of a megabyte", "PROPPATCH", &[], many_props(1, 1_000_000)),
        (207, "500 properties of 2 KB", "PROPPATCH", &[], many_props(500, 2_000)),
        (400, "35,000 properties", "PROPPATCH", &[], many_props(35_000, 0)),
        (207, "a value that declares namespaces again and again", "PROPPATCH", &[], nested),
        (207, "long names answered for each member", "PROPFIND", &["Depth: 1"], propfind(&asked)),
        (207, "long names answered for each change", "REPORT", &[], format!("<d:sync-collection xmlns:d='DAV:'><d:sync-token/>{asked}</d:sync-collection>")),
    ];
    // What a server takes once and keeps (threads, caches) is not what these are about.
    for (_, _, method, headers, _) in &table {
        s.send(method, "/d", headers, propfind("<d:allprop/>"));
    }
    s.peak();
    let mut over = Vec::new();
    for (status, name, method, headers, body) in &table {
        let before = resident(&s);
        assert_eq!(s.send(method, "/d", headers, body).status, *status, "{name}");
        let grew = s.peak() - before;
        eprintln!("{name}: {} KiB of body, {} KiB more memory", body.len() / 1024, grew / 1024);
        if grew > BUDGET {
            over.push(format!("{name}: {} MiB", grew >> 20));
        }
    }
    assert!(over.is_empty(), "more than {} MiB: {over:?}", BUDGET >> 20);
    s.send("GET", "/d/0", &[], "").expect(200);
}

fn resident(s: &Server) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", s.pid())).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<i64>().unwrap() * 1024
}

/// Many at once that announce much and send little, and heads that never end.
#[test]
fn t10_announced_bytes_take_no_memory() {
    let s = Server::start();
    s.send("PUT", "/f", &[], vec![1; 3_000_000]).expect(201);
    let before = s.peak().max(resident(&s));
    let mut open = Vec::new();
    for n in 0..100 {
        let (line, rest) = match n % 3 {
            0 => ("PUT /dav/files/ann/f HTTP/1.1", "Content-Length: 10000000000\r\n\r\nxxxx"),
            1 => ("PROPFIND /dav/files/ann/ HTTP/1.1", "Content-Length: 1000000\r\n\r\n<d:prop"),
            _ => ("GET /dav/files/ann/f HTTP/1.1", "X-Open: a"),
        };
        let mut stream = TcpStream::connect(s.address).unwrap();
        stream.write_all(format!("{line}\r\nHost: {}\r\nAuthorization: {}\r\n{rest}", s.address, s.authorization()).as_bytes()).unwrap();
        open.push(stream);
    }
    s.send("GET", "/f", &[], "").expect(200);
    let grew = s.peak() - before;
    assert!(grew < BUDGET, "{} MiB", grew >> 20);
}

/// Large uploads side by side wait for their turn, so their number costs no memory.
#[test]
fn t10_many_uploads_at_once_take_little_memory() {
    let s = Server::start();
    let before = s.peak();
    let done = std::thread::scope(|scope| {
        let one = |n: usize| {
            let mut stream = TcpStream::connect(s.address).unwrap();
            stream.set_write_timeout(Some(std::time::Duration::from_secs(3))).unwrap();
            let head =
                format!("PUT /dav/files/ann/{n} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nContent-Length: 50000000\r\n\r\n", s.address, s.authorization());
            stream.write_all(head.as_bytes()).unwrap();
            // Not all of it, and where nobody reads, not even that.
            let _ = stream.write_all(&vec![n as u8; 3_400_000]);
            stream
        };
        let clients: Vec<_> = (0..120).map(|n| scope.spawn(move || one(n))).collect();
        clients.into_iter().map(|c| c.join().unwrap()).collect::<Vec<_>>()
    });
    std::thread::sleep(std::time::Duration::from_secs(1));
    let grown = s.peak() - before;
    assert!(grown < 160 << 20, "{} uploads hold {grown} bytes", done.len());
    drop(done);
    s.send("PUT", "/after", &[], vec![1; 300_000]).expect(201);
}

#[test]
fn an_entrys_properties_are_bounded() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "x").expect(201);
    assert!(s.send("PROPPATCH", "/f", &[], many_props(1, 70_000)).expect(207).text().contains("507 Insufficient"));
    assert!(s.send("PROPPATCH", "/f", &[], many_props(15, 60_000)).expect(207).text().contains("200 OK"));
    let more = many_props(10, 60_000).replace("<p", "<q").replace("</p", "</q");
    assert!(s.send("PROPPATCH", "/f", &[], more).expect(207).text().contains("507 Insufficient"));
    assert!(s.send("PROPPATCH", "/f", &[], many_props(512, 1)).expect(207).text().contains("200 OK"));
    let more = many_props(1, 1).replace("<p", "<q").replace("</p", "</q");
    assert!(s.send("PROPPATCH", "/f", &[], more).expect(207).text().contains("507 Insufficient"));
    assert!(!s.send("PROPFIND", "/f", &["Depth: 0"], "").expect(207).text().contains("<x:q0"));
    s.send("COPY", "/f", &["Destination: /dav/files/ann/g"], "").expect(201);
    assert_eq!(s.send("PROPFIND", "/g", &["Depth: 0"], "").expect(207).text().matches(" xmlns:x=\"u:\">x<").count(), 512);
}

#[test]
fn times_that_are_none_are_not_taken() {
    let s = Server::start();
    for time in ["1e300", "-1e300", "inf", "NaN", "0x10", "", "99999999999999"] {
        let answer = s.send("PUT", "/f", &[&format!("X-OC-Mtime: {time}")], "x");
        assert!(answer.status / 100 == 2 && answer.header("x-oc-mtime").is_none(), "{time}: {}", answer.head);
    }
    let patch = |value: &str| {
        format!(
            "<d:propertyupdate xmlns:d='DAV:'><d:set><d:prop><d:getlastmodified>{value}</d:getlastmodified><x xmlns='u:'/></d:prop></d:set></d:propertyupdate>"
        )
    };
    let refused = s.send("PROPPATCH", "/f", &[], patch("yesterday")).expect(207).text();
    assert!(refused.contains("409 Conflict") && refused.contains("424 Failed Dependency"), "{refused}");
    let taken = s.send("PROPPATCH", "/f", &[], patch("Sun, 09 Sep 2001 01:46:40 GMT")).expect(207).text();
    assert!(taken.contains("200 OK") && !taken.contains("424"), "{taken}");
    assert_eq!(s.send("HEAD", "/f", &[], "").header("last-modified"), Some("Sun, 09 Sep 2001 01:46:40 GMT"));
    let since = "If-Unmodified-Since: Sun, 09 Sep 2001 01:46:40 GMT";
    s.send("PUT", "/f", &[since], "y").expect(204);
    s.send("PUT", "/f", &[since], "z").expect(412);
    // A date says nothing beside an ETag.
    let etag = s.send("HEAD", "/f", &[], "").header("etag").unwrap().to_owned();
    s.send("PUT", "/f", &[since, &format!("If-Match: {etag}")], "z").expect(204);
}

#[test]
fn t06_locks_are_counted_and_end() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "x").expect(201);
    for timeout in ["Infinite", "Second-4100000000", "Second-99999999999999999999", "x"] {
        let text = s.send("LOCK", "/f", &[&format!("Timeout: {timeout}")], SHARED).expect(200).text();
        assert!(text.contains("<d:timeout>Second-3600<"), "{text}");
    }
    let statuses: Vec<u16> = (0..1_000).map(|_| s.send("LOCK", "/f", &[], SHARED).status).collect();
    assert_eq!(statuses.iter().filter(|c| **c == 200).count(), 996, "the thousandth is the last");
    assert_eq!(statuses.last(), Some(&507));
    s.send("LOCK", "/new", &[], SHARED).expect(507);
    s.send("GET", "/new", &[], "").expect(404);
    let text = s.send("PROPFIND", "/f", &["Depth: 0"], "").expect(207).text();
    assert_eq!(text.matches("<d:activelock>").count(), 1_000);
}

#[test]
fn t08_grants_bound_both_ends() {
    let s = Server::start();
    for folder in ["/a", "/b"] {
        s.send("MKCOL", folder, &[], "").expect(201);
        s.send("PUT", &format!("{folder}/f"), &[], folder).expect(201);
    }
    let add = |args: &[&str]| basic("ann", s.run(&[&["app-password", "add", "ann", "--quiet"], args].concat()).unwrap().trim());
    let (in_a, reader) = (add(&["--path", "/a"]), add(&["--read-only"]));
    let table = [
        ("into another's scope", &in_a, "COPY", "/a/f", "/b/g", 403),
        ("out of another's scope", &in_a, "COPY", "/b/f", "/a/g", 403),
        ("moved out of the scope", &in_a, "MOVE", "/a/f", "/b/g", 403),
        ("moved into the scope", &in_a, "MOVE", "/b/f", "/a/g", 403),
        ("the scope itself moved away", &in_a, "MOVE", "/a", "/c", 403),
        ("beside the scope, named alike", &in_a, "COPY", "/a/f", "/a-x", 403),
        ("copied while reading only", &reader, "COPY", "/a/f", "/a/g", 403),
        ("moved while reading only", &reader, "MOVE", "/a/f", "/a/g", 403),
        ("within the scope", &in_a, "COPY", "/a/f", "/a/g", 201),
    ];
    for (name, who, method, from, to, want) in table {
        assert_eq!(s.send_as(who, method, from, &[&format!("Destination: /dav/files/ann{to}")], "").status, want, "{name}");
    }
    for method in ["PUT", "DELETE", "MKCOL", "PROPPATCH", "LOCK", "PATCH", "UNLOCK"] {
        let headers = ["Content-Type: application/x-sabredav-partialupdate", "X-Update-Range: append", "Lock-Token: <urn:x>"];
        let headers: &[&str] = match method {
            "PATCH" => &headers[..2],
            "UNLOCK" => &headers[2..],
            _ => &[],
        };
        let body = match method {
            "PROPPATCH" => many_props(1, 1),
            "LOCK" => SHARED.to_owned(),
            _ => String::new(),
        };
        assert_eq!(s.send_as(&reader, method, if method == "MKCOL" { "/new" } else { "/a/f" }, headers, body).status, 403, "{method}");
    }
    assert_eq!(s.send("GET", "/a/f", &[], "").expect(200).text(), "/a");
    assert_eq!(s.send("GET", "/b/f", &[], "").expect(200).text(), "/b");
}

#[test]
fn t09_one_of_many_writers_wins() {
    let s = Server::start();
    let mut etag = s.send("PUT", "/f", &[], "0").expect(201).header("etag").unwrap().to_owned();
    for round in 0..5 {
        let matching = format!("If-Match: {etag}");
        let answers: Vec<_> = std::thread::scope(|scope| {
            let put = |n: usize| s.send("PUT", "/f", &[&matching], format!("{round} {n}").repeat(n * 10_000 + 1));
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || put(n))).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let statuses: Vec<_> = answers.iter().map(|a| a.status).collect();
        assert_eq!(statuses.iter().filter(|c| **c == 204).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|c| **c == 412).count(), 7, "{statuses:?}");
        etag = s.send("HEAD", "/f", &[], "").header("etag").unwrap().to_owned();
        assert_eq!(answers.iter().find(|a| a.status == 204).unwrap().header("etag"), Some(etag.as_str()));
    }
    let made: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                scope.spawn({
                    let s = &s;
                    move || s.send("PUT", "/new", &["If-None-Match: *"], format!("{n}")).status
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|c| **c == 201).count(), 1, "{made:?}");
}

#[test]
fn t13_several_ranges_in_one_answer() {
    let s = Server::start();
    let body: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (path, body) in [("/small.txt", &body[..5_000]), ("/large.txt", &body[..])] {
        s.send("PUT", path, &[], body).expect(201);
        let last = body.len() - 1;
        let answer = s.send("GET", path, &[&format!("Range: bytes=-1, 10-19,15-2999, 4000-4001,{last}0-")], "").expect(206);
        let kind = answer.header("content-type").unwrap();
        let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
        assert_eq!(answer.header("content-length").unwrap(), answer.body.len().to_string());
        assert!(answer.header("content-range").is_none());
        let mut want = Vec::new();
        for (from, to) in [(10, 3_000), (4_000, 4_002), (last, last + 1)] {
            want.extend(format!("\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {from}-{}/{}\r\n\r\n", to - 1, body.len()).bytes());
            want.extend(&body[from..to]);
        }
        want.extend(format!("\r\n--{boundary}--\r\n").bytes());
        assert!(answer.body == want, "{}", String::from_utf8_lossy(&answer.body[..200]));
        let again = s.send("GET", path, &["Range: bytes=0-0,2-2"], "").expect(206);
        assert_ne!(again.header("content-type").unwrap(), kind, "no boundary is used twice");
        let spans: String = (0..8).map(|n| format!("{}-{},", n * 500, n * 500 + 10)).collect();
        let eight = s.send("GET", path, &[&format!("Range: bytes={}", spans.trim_end_matches(','))], "").expect(206);
        assert_eq!(String::from_utf8_lossy(&eight.body).matches("Content-Range").count(), 8);
        assert_eq!(s.send("GET", path, &[&format!("Range: bytes={spans}{last}-")], "").expect(200).body, body, "nine are too many");
    }
}

#[test]
fn t14_everything_owned_counts() {
    let s = Server::start();
    s.run(&["person", "quota", "ann", "100K"]).unwrap();
    let chunked = |path: &str, size: usize| {
        let body = [format!("{size:x}\r\n").as_bytes(), &vec![1; size], b"\r\n0\r\n\r\n"].concat();
        s.send("PUT", path, &["Transfer-Encoding: chunked"], body).status
    };
    // Four at once, each of which would fit alone.
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|n| scope.spawn(move || chunked(&format!("/{n}"), 60_000 + n))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!((statuses.iter().filter(|c| **c == 201).count(), statuses.iter().filter(|c| **c == 507).count()), (1, 3), "{statuses:?}");
    let kept = (0..4).map(|n| format!("/{n}")).find(|p| s.send("GET", p, &[], "").status == 200).unwrap();
    // Growth by PATCH, a version of the same file, what lies in the trash.
    let partial = ["Content-Type: application/x-sabredav-partialupdate", "X-Update-Range: append"];
    s.send("PATCH", &kept, &partial, vec![1; 45_000]).expect(507);
    s.send("PUT", &kept, &[], vec![2; 60_000]).expect(507);
    s.send("DELETE", &kept, &[], "").expect(204);
    s.send("PUT", "/again", &[], vec![2; 60_000]).expect(507);
    s.send("PUT", "/little", &[], vec![2; 30_000]).expect(201);
    let usage =
        s.send("PROPFIND", "/", &["Depth: 0"], "<d:propfind xmlns:d='DAV:'><d:prop><d:quota-used-bytes/><d:quota-available-bytes/></d:prop></d:propfind>");
    let usage = usage.expect(207).text();
    let number = |name: &str| usage.split(&format!("<d:{name}>")).nth(1).unwrap().split('<').next().unwrap().parse::<i64>().unwrap();
    let (used, left) = (number("quota-used-bytes"), number("quota-available-bytes"));
    assert!((90_000..=90_010).contains(&used) && used + left == 102_400, "{usage}");
}

#[test]
fn nothing_gets_deeper_than_a_path_can_say() {
    let s = Server::start();
    let chain = |name: &str, levels: usize| {
        let mut path = String::new();
        for _ in 0..levels {
            path += &format!("/{name}");
            s.send("MKCOL", &path, &[], "").expect(201);
        }
        path
    };
    let (a, b) = (chain("a", 100), chain("b", 60));
    for method in ["MOVE", "COPY"] {
        s.send(method, "/a", &[&format!("Destination: /dav/files/ann{b}/a")], "").expect(403);
        s.send("PROPFIND", &a, &["Depth: 0"], "").expect(207);
    }
    s.send("MOVE", &format!("/a{}", "/a".repeat(79)), &[&format!("Destination: /dav/files/ann{b}/a")], "").expect(201);
    s.send("PROPFIND", &format!("{b}{}", "/a".repeat(21)), &["Depth: 1"], "").expect(207);
    // To the last level and not beyond.
    s.send("MOVE", "/a", &[&format!("Destination: /dav/files/ann{}/a", "/b".repeat(49))], "").expect(201);
    s.send("MOVE", &format!("/b{}/a", "/b".repeat(48)), &[&format!("Destination: /dav/files/ann{}/c", "/b".repeat(50))], "").expect(403);
}

#[test]
fn a_request_that_breaks_off_frees_what_it_held() {
    let s = Server::start();
    let before = std::fs::read_dir(format!("/proc/{}/fd", s.pid())).unwrap().count();
    // Each holds a connection; what the catalog keeps open for later is fewer than these.
    for n in 0..50 {
        let mut stream = TcpStream::connect(s.address).unwrap();
        let head = format!("PUT /dav/files/ann/{n} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nContent-Length: 5000000\r\n\r\n", s.address, s.authorization());
        stream.write_all(&[head.as_bytes(), &vec![n; 700_000]].concat()).unwrap();
    }
    let mut left = usize::MAX;
    for _ in 0..50 {
        left = std::fs::read_dir(format!("/proc/{}/fd", s.pid())).unwrap().count();
        if left <= before + 25 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(left <= before + 25, "{left} descriptors are open, {before} were");
    s.send("GET", "/0", &[], "").expect(404);
}
