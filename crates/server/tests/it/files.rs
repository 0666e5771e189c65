//! Files over the JSON API: folders in any order, many changes at once and what undoes them, content that never runs, zips,
//! and what changes as it changes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{Server, tool};
use crate::sessions::{Session, session};

fn change(s: &Server, token: &str, changes: Value) -> Vec<Value> {
    let answer = s.ask(token, "POST", "/files/changes", &[], &json!({ "changes": changes }).to_string()).expect(200).json();
    answer["items"].as_array().unwrap().clone()
}

/// Names in a folder, page by page.
fn names(s: &Server, token: &str, query: &str) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = s.ask(token, "GET", &format!("/files?{query}{after}"), &[], "").expect(200).json();
        found.extend(page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", next.replace('+', "%2B").replace(' ', "%20")),
            None => return found,
        }
    }
}

#[test]
fn a_folder_is_listed_in_every_order_and_by_name() {
    let s = Server::start();
    let token = session(&s, "ann", Session::Open);
    s.send("MKCOL", "/f", &[], "").expect(201);
    for (name, size, day) in [("b.txt", 30, 3), ("A.txt", 10, 2), ("c.TXT", 30, 1), ("d", 20, 4)] {
        s.send("PUT", &format!("/f/{name}"), &[&format!("X-OC-Mtime: {}", day * 86_400)], "x".repeat(size)).expect(201);
    }
    s.send("MKCOL", "/f/sub", &[], "").expect(201);
    let check = |query: &str, want: &[&str]| {
        for limit in [1, 2, 5, 1000] {
            assert_eq!(names(&s, &token, &format!("path=/f&{query}&limit={limit}")), want, "{query}, {limit} at a time");
        }
    };
    check("order=name", &["A.txt", "b.txt", "c.TXT", "d", "sub"]);
    check("order=name-falling", &["sub", "d", "c.TXT", "b.txt", "A.txt"]);
    check("order=modified", &["c.TXT", "A.txt", "b.txt", "d", "sub"]);
    check("order=modified-falling", &["sub", "d", "b.txt", "A.txt", "c.TXT"]);
    check("order=size", &["sub", "A.txt", "d", "b.txt", "c.TXT"]);
    check("order=size-falling", &["b.txt", "c.TXT", "d", "A.txt", "sub"]);
    check("filter=.txt", &["A.txt", "b.txt", "c.TXT"]);
    check("filter=%25", &[]);
    let item = s.ask(&token, "GET", "/files/item?path=/f/b.txt", &[], "").expect(200).json();
    assert_eq!(
        (&item["kind"], &item["size"], &item["type"], &item["modified"]),
        (&json!("file"), &json!(30), &json!("text/plain"), &json!("1970-01-04T00:00:00Z"))
    );
    for (path, status) in [("/none", 404), ("/f/b.txt", 409), ("f", 422), ("/a/../b", 422), ("/a%00", 422)] {
        s.ask(&token, "GET", &format!("/files?path={path}"), &[], "").expect(status);
    }
}

#[test]
fn what_is_changed_is_undone_by_what_the_answer_says() {
    let s = Server::start();
    let token = session(&s, "ann", Session::Open);
    s.send("PUT", "/a", &[], "first").expect(201);
    s.send("PUT", "/a", &[], "second").expect(204);
    s.send("MKCOL", "/taken", &[], "").expect(201);
    let all = || names(&s, &token, "path=/");
    let before = all();
    let version = s.ask(&token, "GET", "/files/versions?path=/a", &[], "").expect(200).json()["items"][0]["id"].clone();
    let done = change(
        &s,
        &token,
        json!([
            { "do": "make-folder", "path": "/new" },
            { "do": "copy", "from": "/a", "to": "/new/copy" },
            { "do": "move", "from": "/a", "to": "/new/a" },
            { "do": "revert", "path": "/new/a", "version": version },
            { "do": "move", "from": "/new/copy", "to": "/taken" },
            { "do": "delete", "path": "/new/copy" },
            { "do": "delete", "path": "/a/../b" },
            { "do": "delete", "path": "/none" },
        ]),
    );
    let problems: Vec<_> = done.iter().map(|d| d["problem"]["type"].as_str().unwrap_or_default().trim_start_matches("/problems/")).collect();
    assert_eq!(problems, ["", "", "", "", "conflict", "", "not-possible", "not-found"]);
    assert_eq!(s.send("GET", "/new/a", &[], "").text(), "first");
    assert_eq!((all(), names(&s, &token, "path=/new")), (vec!["new".into(), "taken".into()], vec!["a".to_owned()]));
    let undo: Vec<Value> = done.iter().rev().map(|d| d["undo"].clone()).filter(|u| !u.is_null()).collect();
    assert_eq!(undo.len(), 5);
    assert!(change(&s, &token, json!(undo)).iter().all(|d| d["problem"].is_null()));
    assert_eq!((all(), s.send("GET", "/a", &[], "").text()), (before, "second".into()));

    // A thousand in one request, and back.
    change(&s, &token, json!([{ "do": "make-folder", "path": "/many" }]));
    let many = |what: &dyn Fn(usize) -> Value| change(&s, &token, (0..1_000).map(what).collect());
    many(&|n| json!({ "do": "copy", "from": "/a", "to": format!("/many/{n}") }));
    let gone = many(&|n| json!({ "do": "delete", "path": format!("/many/{n}") }));
    assert_eq!(names(&s, &token, "path=/many").len(), 0);
    assert_eq!(s.ask(&token, "GET", "/trash?limit=1000", &[], "").expect(200).json()["items"].as_array().unwrap().len(), 1_000);
    change(&s, &token, gone.iter().map(|d| d["undo"].clone()).collect());
    assert_eq!(names(&s, &token, "path=/many").len(), 1_000);
    for count in [0, 1_001] {
        let changes: Vec<_> = (0..count).map(|_| json!({ "do": "delete", "path": "/x" })).collect();
        s.ask(&token, "POST", "/files/changes", &[], &json!({ "changes": changes }).to_string()).expect(422);
    }
    assert!(s.run(&["check", "--deep"]).is_ok());
}

#[test]
fn the_trash_is_emptied_by_whoever_proved_to_be_there() {
    let s = Server::start();
    for n in 0..3 {
        s.send("PUT", &format!("/{n}"), &[], "x").expect(201);
        s.send("DELETE", &format!("/{n}"), &[], "").expect(204);
    }
    let open = session(&s, "ann", Session::Open);
    let first = s.ask(&open, "GET", "/trash?limit=2", &[], "").expect(200).json();
    assert_eq!((&first["items"][0]["path"], &first["items"][1]["path"], &first["items"][0]["kind"]), (&json!("/2"), &json!("/1"), &json!("file")));
    let rest = s.ask(&open, "GET", &format!("/trash?limit=2&after={}", first["next"].as_str().unwrap()), &[], "").expect(200).json();
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    assert_eq!(s.ask(&open, "DELETE", "/trash", &[], "").expect(403).json()["type"], "/problems/step-up");
    let proven = session(&s, "ann", Session::Proven);
    s.ask(&proven, "DELETE", &format!("/trash/{}", first["items"][0]["id"]), &[], "").expect(204);
    s.ask(&proven, "DELETE", &format!("/trash/{}", first["items"][0]["id"]), &[], "").expect(422);
    s.ask(&proven, "DELETE", "/trash", &[], "").expect(204);
    assert_eq!(s.ask(&open, "GET", "/trash", &[], "").expect(200).json()["items"], json!([]));
}

#[test]
fn t28_content_is_looked_at_or_kept_and_never_run() {
    let s = Server::start();
    let token = session(&s, "ann", Session::Open);
    let script = "<script>alert(1)</script>";
    let kinds = [
        ("a.html", "", "attachment", "text/html"),
        ("a.svg", "", "attachment", "image/svg+xml"),
        ("a.xhtml", "", "attachment", "application/xhtml+xml"),
        ("a.pdf", "", "attachment", "application/pdf"),
        ("a.jpg", "Content-Type: text/html", "attachment", "text/html"),
        ("b.png", "", "inline", "image/png"),
        ("c.txt", "", "inline", "text/plain; charset=utf-8"),
        ("d.mp4", "", "inline", "video/mp4"),
        ("\u{e9}\".txt", "", "inline", "text/plain; charset=utf-8"),
    ];
    for (name, told, how, kind) in kinds {
        let escaped = name.replace('é', "%C3%A9").replace('"', "%22");
        let headers: Vec<&str> = [told].into_iter().filter(|h| !h.is_empty()).collect();
        s.send("PUT", &format!("/{escaped}"), &headers, script).expect(201);
        let answer = s.ask(&token, "GET", &format!("/files/content?path=/{escaped}"), &[], "").expect(200);
        assert_eq!(answer.header("Content-Type"), Some(kind), "{name}");
        assert!(answer.header("Content-Disposition").unwrap().starts_with(how), "{name}: {}", answer.head);
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(answer.header("Content-Security-Policy"), Some("sandbox; default-src 'none'"));
        assert_eq!(answer.header("Cross-Origin-Resource-Policy"), Some("same-origin"));
        assert_eq!(answer.text(), script);
        let kept = s.ask(&token, "GET", &format!("/files/content?path=/{escaped}&download=true"), &[], "").expect(200);
        assert!(kept.header("Content-Disposition").unwrap().starts_with("attachment"), "{name}");
    }
    s.send("PUT", "/big", &[], vec![7; 300_000]).expect(201);
    s.send("PUT", "/big", &[], "small").expect(204);
    let content = |query: &str, headers: &[&str]| s.ask(&token, "GET", &format!("/files/content?path=/{query}"), headers, "");
    let version = s.ask(&token, "GET", "/files/versions?path=/big", &[], "").expect(200).json()["items"][0].clone();
    assert_eq!(version["size"], 300_000);
    let old = content(&format!("big&version={}", version["id"]), &["Range: bytes=299998-"]).expect(206);
    assert_eq!((old.body.as_slice(), old.header("Content-Range")), (&[7, 7][..], Some("bytes 299998-299999/300000")));
    let whole = content("c.txt", &[]).expect(200);
    content("c.txt", &[&format!("If-None-Match: {}", whole.header("ETag").unwrap())]).expect(304);
    content("c.txt", &["Range: bytes=100-"]).expect(416);
    assert_eq!(content("c.txt", &["Range: bytes=0-0,2-2"]).expect(206).header("Content-Type").unwrap().split(';').next(), Some("multipart/byteranges"));
    content("c.txt&version=99", &[]).expect(404);
    content("", &[]).expect(409);
}

#[test]
fn a_folder_comes_as_a_zip_that_others_read() {
    const TEST: &str = "a_folder_comes_as_a_zip_that_others_read";
    let Some(python) = tool("python3", TEST) else { return };
    let s = Server::start();
    let token = session(&s, "ann", Session::Open);
    let large: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for folder in ["/f", "/f/sub", "/f/empty"] {
        s.send("MKCOL", folder, &[], "").expect(201);
    }
    s.send("PUT", "/f/sub/large", &[], &large).expect(201);
    s.send("PUT", "/f/gr%C3%BC%C3%9Fe.txt", &[], "hello").expect(201);
    s.send("PUT", "/f/none", &[], "").expect(201);
    let check = |query: &str, file: &str, want: &str| {
        let answer = s.ask(&token, "GET", &format!("/files/archive?path={query}"), &[], "").expect(200);
        assert!(answer.header("Content-Disposition").unwrap().contains(&format!("filename=\"{file}\"")), "{}", answer.head);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.zip"), &answer.body).unwrap();
        let read = "import zipfile, hashlib\nz = zipfile.ZipFile('a.zip')\nassert z.testzip() is None\n\
            for i in sorted(z.infolist(), key=lambda i: i.filename): print(i.filename, i.file_size, i.compress_type, len(z.read(i)))";
        let output = Command::new(&python).current_dir(dir.path()).args(["-c", read]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), want, "{}", String::from_utf8_lossy(&output.stderr));
        if want.contains("large") {
            let out = "import zipfile, sys\nsys.stdout.buffer.write(zipfile.ZipFile('a.zip').read('sub/large'))";
            let out = Command::new(&python).current_dir(dir.path()).args(["-c", out]).output().unwrap();
            assert!(out.stdout == large, "the bytes are those that were written");
        }
    };
    check("/f", "f.zip", "empty/ 0 0 0\ngrüße.txt 5 0 5\nnone 0 0 0\nsub/ 0 0 0\nsub/large 3000000 0 3000000");
    check("/f&names=none/empty", "f.zip", "empty/ 0 0 0\nnone 0 0 0");
    for (query, status) in [("/f/none", 409), ("/x", 404), ("/f&names=x", 404), ("/f&names=..", 422)] {
        s.ask(&token, "GET", &format!("/files/archive?path={query}"), &[], "").expect(status);
    }
}

/// A stream of events that stays open.
struct Events(TcpStream, String);

impl Events {
    fn open(s: &Server, token: &str, more: &str) -> Events {
        let mut stream = TcpStream::connect(s.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let head = format!(
            "GET /api/v1/events HTTP/1.1\r\nHost: {}\r\nCookie: __Host-holm={token}\r\nAccept: text/event-stream\r\nConnection: close\r\n{more}\r\n",
            s.address
        );
        stream.write_all(head.as_bytes()).unwrap();
        Events(stream, String::new())
    }

    /// Whether this comes, or with None the end, and after how long.
    fn until(&mut self, text: Option<&str>) -> Option<Duration> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(5) {
            if text.is_some_and(|text| self.1.contains(text)) {
                return Some(began.elapsed());
            }
            let mut bytes = [0; 4_096];
            match self.0.read(&mut bytes) {
                Ok(0) => return text.is_none().then(|| began.elapsed()),
                Ok(n) => self.1 += &String::from_utf8_lossy(&bytes[..n]),
                Err(_) => {}
            }
        }
        None
    }
}

#[test]
fn t26_changes_are_told_as_they_come_until_the_session_ends() {
    let s = Server::start();
    let token = session(&s, "ann", Session::Open);
    let mut events = Events::open(&s, &token, "");
    assert!(events.until(Some("data: []")).is_some(), "{}", events.1);
    s.send("PUT", "/a", &[], "x").expect(201);
    let took = events.until(Some("\"path\":\"/a\"")).expect("an event");
    assert!(took < Duration::from_secs(1), "{took:?}");
    s.send("MOVE", "/a", &[&format!("Destination: http://{}/dav/files/ann/b", s.address)], "").expect(201);
    assert!(events.until(Some("\"path\":\"/a\",\"item\":null")).is_some() && events.until(Some("\"path\":\"/b\"")).is_some(), "{}", events.1);
    let at = |text: &str| text.rsplit("id: ").next().unwrap().lines().next().unwrap().to_owned();
    let last = at(&events.1);
    s.send("PUT", "/c", &[], "x").expect(201);

    // Whoever was away goes on where they were; without asking for a stream by name the answer ends.
    let caught_up = s.ask(&token, "GET", "/events", &[&format!("Last-Event-ID: {last}")], "").expect(200).text();
    assert!(caught_up.contains("\"path\":\"/c\"") && !caught_up.contains("\"path\":\"/b\""), "{caught_up}");
    let mut again = Events::open(&s, &token, &format!("Last-Event-ID: {last}\r\n"));
    assert!(again.until(Some("\"path\":\"/c\"")).is_some(), "{}", again.1);

    // Eight at a time.
    let more: Vec<_> = (0..6)
        .map(|_| {
            let mut one = Events::open(&s, &token, "");
            assert!(one.until(Some("data: []")).is_some(), "{}", one.1);
            one
        })
        .collect();
    let mut ninth = Events::open(&s, &token, "");
    assert!(ninth.until(Some("429")).is_some(), "{}", ninth.1);
    drop(more);

    s.ask(&token, "DELETE", "/session", &[], "").expect(204);
    let took = events.until(None).expect("the stream ends");
    assert!(took < Duration::from_millis(1_600), "{took:?}");
}

#[test]
fn an_open_stream_does_not_keep_a_server_from_stopping() {
    let mut s = Server::start();
    let token = session(&s, "ann", Session::Open);
    let mut events = Events::open(&s, &token, "");
    assert!(events.until(Some("data: []")).is_some());
    let began = Instant::now();
    assert!(s.terminate());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
