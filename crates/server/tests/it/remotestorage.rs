//! remoteStorage (draft-dejong-remotestorage-26), as clients of it speak: documents, folders, conditions, CORS; what is bad, and
//! what others see of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::oauth::token;
use crate::server::{Answer, Server};

/// The Authorization header of a token.
pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// An app that may do everything with `/notes/` and `/public/notes/`.
struct App {
    s: Server,
    token: String,
}

impl App {
    fn new() -> App {
        let s = Server::start();
        let token = token(&s, "notes:rw", &[], 0);
        App { s, token }
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Answer {
        let answer = self.s.send_as(&bearer(&self.token), method, &format!("/rs/ann{path}"), &[headers, &["Origin: https://app.example"]].concat(), body);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"), "{method} {path}: {}", answer.head);
        assert!(answer.header("access-control-expose-headers").unwrap().contains("ETag"));
        answer
    }

    #[track_caller]
    fn put(&self, path: &str, body: &str) -> Answer {
        let answer = self.ask("PUT", path, &["Content-Type: text/plain"], body);
        assert!(matches!(answer.status, 200 | 201), "{path}: {} {}", answer.status, answer.text());
        answer
    }

    fn items(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, &[], "").expect(200);
        assert_eq!(answer.header("content-type"), Some("application/ld+json"));
        let json: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(json["@context"], "http://remotestorage.io/spec/folder-description");
        json["items"].clone()
    }

    fn names(&self, path: &str) -> String {
        self.items(path).as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
    }

    fn etag(&self, path: &str) -> String {
        self.ask("HEAD", path, &[], "").header("etag").unwrap_or("none").to_owned()
    }
}

#[test]
fn a_document_is_kept_as_it_was_sent() {
    let a = App::new();
    let put = a.ask("PUT", "/notes/caf%C3%A9.txt", &["Content-Type: Text/Plain; charset=binary; x=\"y\""], "one").expect(201);
    let got = a.ask("GET", "/notes/caf%C3%A9.txt", &[], "").expect(200);
    assert_eq!(got.text(), "one");
    assert_eq!(got.header("content-type"), Some("Text/Plain; charset=binary; x=\"y\""));
    assert_eq!((got.header("etag"), got.header("content-length")), (put.header("etag"), Some("3")));
    assert_eq!(got.header("cache-control"), Some("no-cache"));
    assert!(got.header("etag").unwrap().starts_with('"') && got.header("last-modified").is_some());
    // What apps keep is data here and never a page (T28).
    assert_eq!(got.header("content-security-policy"), Some("sandbox; default-src 'none'"));
    assert_eq!(got.header("x-content-type-options"), Some("nosniff"));
    let head = a.ask("HEAD", "/notes/caf%C3%A9.txt", &[], "").expect(200);
    assert_eq!((head.header("etag"), head.header("content-length"), head.body.len()), (put.header("etag"), Some("3"), 0));
    let update = a.ask("PUT", "/notes/caf%C3%A9.txt", &["Content-Type: text/plain"], "two").expect(200);
    assert_ne!(update.header("etag"), put.header("etag"));
    let part = a.ask("GET", "/notes/caf%C3%A9.txt", &["Range: bytes=1-"], "").expect(206);
    assert_eq!((part.text().as_str(), part.header("content-range")), ("wo", Some("bytes 1-2/3")));
    a.ask("GET", "/notes/caf%C3%A9.txt", &["Range: bytes=7-"], "").expect(416);
    let gone = a.ask("DELETE", "/notes/caf%C3%A9.txt", &[], "").expect(200);
    assert_eq!(gone.header("etag"), update.header("etag"), "the ETag of what was deleted");
    a.ask("GET", "/notes/caf%C3%A9.txt", &[], "").expect(404);
    a.ask("DELETE", "/notes/caf%C3%A9.txt", &[], "").expect(404);
    assert_eq!(a.ask("PUT", "/notes/untyped", &[], "").expect(201).body.len(), 0);
    assert_eq!(a.ask("GET", "/notes/untyped", &[], "").expect(200).header("content-type"), Some("application/octet-stream"));
}

#[test]
fn folders_come_and_go_with_their_documents() {
    let a = App::new();
    assert_eq!(a.items("/notes/"), json!({}));
    a.put("/notes/deep/er/b", "b");
    a.put("/notes/a", "12345");
    let a_tag = a.etag("/notes/a").trim_matches('"').to_owned();
    let items = a.items("/notes/");
    assert_eq!(items["a"]["ETag"], a_tag.as_str(), "without quotes");
    assert_eq!((&items["a"]["Content-Length"], &items["a"]["Content-Type"]), (&json!(5), &json!("text/plain")));
    assert!(items["a"]["Last-Modified"].as_str().unwrap().ends_with(" GMT"));
    assert_eq!(items["deep/"], json!({ "ETag": a.etag("/notes/deep/").trim_matches('"') }));
    assert_eq!((a.names("/notes/deep/"), a.names("/notes/deep/er/")), ("er/".into(), "b".into()));
    let (head, whole) = (a.ask("HEAD", "/notes/", &[], "").expect(200), a.ask("GET", "/notes/", &[], "").expect(200));
    assert_eq!((head.header("etag"), head.body.len()), (whole.header("etag"), 0));
    assert!(head.header("content-length").is_none_or(|length| length == whole.body.len().to_string()), "{}", head.head);
    a.ask("DELETE", "/notes/deep/er/b", &[], "").expect(200);
    assert_eq!(a.names("/notes/"), "a");
    assert_eq!((a.items("/notes/deep/"), a.items("/notes/deep/er/")), (json!({}), json!({})));
    // Gone for everybody, and its name is free.
    a.s.send("PROPFIND", "/apps/notes/deep", &["Depth: 0"], "").expect(404);
    a.put("/notes/deep", "a document now");
    // A folder that a person made and left empty is not there either; nor is one that holds only such.
    a.s.send("MKCOL", "/apps/notes/empty", &[], "").expect(201);
    a.s.send("MKCOL", "/apps/notes/empty/too", &[], "").expect(201);
    assert_eq!(a.names("/notes/"), "a deep");
    a.s.send("PUT", "/apps/notes/empty/too/c.txt", &[], "c").expect(201);
    assert_eq!(a.names("/notes/"), "a deep empty/");
    assert_eq!(a.items("/notes/empty/too/")["c.txt"]["Content-Type"], "text/plain", "what came another way has a type by its name");
    // What is deleted is in the trash, and comes back with its folders.
    a.put("/notes/x/y/z", "back");
    a.ask("DELETE", "/notes/x/y/z", &[], "").expect(200);
    let list = a.s.run(&["trash", "list", "ann"]).unwrap();
    let line = list.lines().find(|l| l.contains("/apps/notes/x/y/z")).unwrap();
    a.s.run(&["trash", "restore", "ann", line.split('\t').next().unwrap()]).unwrap();
    assert_eq!(a.ask("GET", "/notes/x/y/z", &[], "").expect(200).text(), "back");
    a.s.run(&["check", "--deep"]).unwrap();
}

#[test]
fn what_is_below_changes_the_etags_above_and_no_others() {
    let a = App::new();
    let app = App { token: token(&a.s, "*:rw", &[], 0), ..a };
    for path in ["/notes/a/b/c", "/notes/other/d", "/todo/e"] {
        app.put(path, "1");
    }
    let above = ["/", "/notes/", "/notes/a/", "/notes/a/b/"];
    let beside = ["/notes/other/", "/todo/", "/notes/other/d"];
    let tags = |paths: &[&str]| paths.iter().map(|p| app.etag(p)).collect::<Vec<_>>();
    let changes: [&dyn Fn(); 4] = [
        &|| drop(app.put("/notes/a/b/c", "2")),
        &|| drop(app.put("/notes/a/b/new", "1")),
        &|| drop(app.ask("DELETE", "/notes/a/b/new", &[], "").expect(200)),
        &|| drop(app.s.send("PUT", "/apps/notes/a/b/by-webdav", &[], "x").expect(201)),
    ];
    for change in changes {
        let (before, others) = (tags(&above), tags(&beside));
        for (path, tag) in above.iter().zip(&before) {
            let answer = app.ask("GET", path, &[&format!("If-None-Match: \"x\", {tag}")], "").expect(304);
            assert_eq!((answer.header("etag"), answer.body.len()), (Some(tag.as_str()), 0));
        }
        change();
        let after = tags(&above);
        assert!(before.iter().zip(&after).all(|(b, a)| b != a), "{before:?} {after:?}");
        assert_eq!(tags(&beside), others);
        app.ask("GET", "/", &[&format!("If-None-Match: {}", before[0])], "").expect(200);
    }
    let none = app.etag("/none/");
    app.ask("GET", "/none/", &[&format!("If-None-Match: {none}")], "").expect(304);
    app.put("/none/now", "1");
    app.ask("GET", "/none/", &[&format!("If-None-Match: {none}")], "").expect(200);
}

#[test]
fn conditions_decide_and_tell_what_is_there() {
    let a = App::new();
    let typed = "Content-Type: text/plain";
    let first = a.ask("PUT", "/notes/a", &[typed, "If-None-Match: *"], "1").expect(201).header("etag").unwrap().to_owned();
    let now = |path: &str| a.etag(path);
    let refused = |method: &str, path: &str, condition: &str| {
        let answer = a.ask(method, path, &[typed, condition], "x").expect(412);
        assert_eq!(answer.header("etag").unwrap_or("none"), now(path), "{method} {path} {condition}");
    };
    refused("PUT", "/notes/a", "If-None-Match: *");
    refused("PUT", "/notes/a", &format!("If-None-Match: \"x\", {first}"));
    refused("PUT", "/notes/a", "If-Match: \"x\"");
    refused("PUT", "/notes/a", &format!("If-Match: W/{first}"));
    refused("PUT", "/notes/none/b", "If-Match: \"x\"");
    refused("PUT", "/notes/none/b", "If-Match: *");
    refused("DELETE", "/notes/a", "If-Match: \"x\"");
    refused("DELETE", "/notes/a", "If-None-Match: *");
    assert_eq!(a.names("/notes/"), "a", "a refused PUT leaves no folder");
    let second = a.ask("PUT", "/notes/a", &[typed, &format!("If-Match: \"x\", {first}")], "2").expect(200).header("etag").unwrap().to_owned();
    a.ask("GET", "/notes/a", &[&format!("If-None-Match: \"x\",{second}")], "").expect(304);
    a.ask("GET", "/notes/a", &["If-None-Match: *"], "").expect(304);
    a.ask("HEAD", "/notes/a", &[&format!("If-None-Match: {second}")], "").expect(304);
    a.ask("GET", "/notes/a", &[&format!("If-None-Match: {first}")], "").expect(200);
    a.ask("DELETE", "/notes/a", &[&format!("If-Match: {second}")], "").expect(200);
}

#[test]
fn names_of_folders_and_documents_do_not_clash() {
    let a = App::new();
    a.put("/notes/doc", "1");
    a.put("/notes/folder/a", "1");
    for (method, path, status) in [
        ("PUT", "/notes/doc/below", 409),
        ("PUT", "/notes/doc/far/below", 409),
        ("PUT", "/notes/folder", 409),
        ("DELETE", "/notes/folder", 404),
        ("GET", "/notes/folder", 404),
        ("HEAD", "/notes/folder", 404),
        ("PUT", "/notes/folder/", 400),
        ("DELETE", "/notes/folder/", 400),
        ("DELETE", "/notes/doc/below", 404),
    ] {
        a.ask(method, path, &["Content-Type: text/plain"], "x").expect(status);
    }
    // The same where the body is not waited for.
    let large = "x".repeat(200_000);
    a.ask("PUT", "/notes/folder", &["Content-Type: text/plain"], &large).expect(409);
    assert_eq!((a.names("/notes/"), a.items("/notes/doc/")), ("doc folder/".into(), json!({})));
}

#[test]
fn t40_bad_requests() {
    let a = App::new();
    a.put("/notes/a", "1");
    let long = format!("Content-Type: text/{}", "x".repeat(1_020));
    for (method, path, headers, status) in [
        ("GET", "/notes//a", &[][..], 400),
        ("GET", "/notes/%2e%2e/a", &[], 400),
        ("GET", "/notes/../a", &[], 400),
        ("GET", "/notes/a%2Fb", &[], 400),
        ("GET", "/notes/a%00", &[], 400),
        ("GET", "/notes/%ff", &[], 400),
        ("PUT", "/notes/%2e", &[], 400),
        ("PUT", "/notes/a", &["If-Match: abc"], 400),
        ("PUT", "/notes/a", &["If-None-Match: \"x\", abc"], 400),
        ("DELETE", "/notes/a", &["If-Match: abc"], 400),
        ("PUT", "/notes/a", &["Content-Range: bytes 0-0/1"], 400),
        ("PUT", "/notes/a", &[long.as_str()], 400),
        ("PUT", "/notes/a", &["Content-Type: a/b", "Content-Type: c/d"], 400),
        ("PUT", "/notes/a", &["Content-Encoding: gzip"], 415),
        ("PATCH", "/notes/a", &[], 405),
        ("TRACE", "/notes/a", &[], 405),
        ("POST", "/notes/", &[], 405),
        ("PROPFIND", "/notes/", &[], 405),
        ("GET", "/notes-x/a", &[], 403),
        ("GET", "/note/a", &[], 403),
        ("GET", "/", &[], 403),
        ("GET", "/public/", &[], 403),
        ("PUT", "/public/other/a", &[], 403),
        ("PUT", "/a", &[], 403),
    ] {
        let answer = a.ask(method, path, headers, "x");
        assert_eq!(answer.status, status, "{method} {path} {headers:?}: {}", answer.text());
    }
    assert_eq!(a.ask("PATCH", "/notes/a", &[], "").header("allow"), Some("OPTIONS, GET, HEAD, PUT, DELETE"));
    assert_eq!(a.ask("GET", "/notes/a", &[], "").expect(200).text(), "1");
    a.ask("GET", &format!("/notes/{}", "x/".repeat(5_000)), &[], "").expect(414);
    // A token in the address is none.
    a.s.send_as("", "GET", &format!("/rs/ann/notes/a?access_token={}", a.token), &[], "").expect(401);
    // Another's storage is not told from one that is nobody's.
    a.s.run(&["person", "add", "bob"]).unwrap();
    let other = |name: &str| a.s.send_as(&bearer(&a.token), "GET", &format!("/rs/{name}/notes/"), &[], "").expect(403);
    assert_eq!(other("bob").text(), other("nobody").text());
    assert!(other("bob").header("www-authenticate").unwrap().ends_with("error=\"insufficient_scope\", scope=\"notes:r\""));
    // Nor is another kind of secret a token.
    a.s.send_as(&bearer(&a.s.secret), "GET", "/rs/ann/notes/a", &[], "").expect(401);
}

#[test]
fn t40_what_is_public_is_read_by_all_and_listed_by_none() {
    let a = App::new();
    a.put("/public/notes/a", "for all");
    a.put("/notes/a", "for me");
    let stranger = |method: &str, path: &str| a.s.send_as("", method, &format!("/rs/ann{path}"), &["Origin: https://app.example"], "x");
    let got = stranger("GET", "/public/notes/a").expect(200);
    assert_eq!((got.text().as_str(), got.header("cache-control")), ("for all", Some("no-cache, public")));
    assert_eq!(got.header("cross-origin-resource-policy"), Some("cross-origin"), "a page elsewhere may show it");
    stranger("HEAD", "/public/notes/a").expect(200);
    stranger("GET", "/public/notes/none").expect(404);
    let listings = ["/public/", "/public/notes/", "/public/none/", "/notes/", "/"].map(|path| {
        let answer = stranger("GET", path).expect(401);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
        answer.text()
    });
    assert!(listings.iter().all(|text| *text == listings[0]), "whether something is there is not told");
    for (method, path, status) in [
        ("PUT", "/public/notes/a", 401),
        ("DELETE", "/public/notes/a", 401),
        ("GET", "/public", 404),
        ("GET", "/public/notes", 404),
        ("GET", "/notes/a", 401),
        ("GET", "/public/../notes/a", 400),
        ("GET", "/public/%2e%2e/notes/a", 400),
        ("GET", "/publicity/a", 401),
    ] {
        stranger(method, path).expect(status);
    }
    let of = |name: &str| a.s.send_as("", "GET", &format!("/rs/{name}/public/notes/none"), &[], "").expect(404).text();
    assert_eq!(of("ann"), of("nobody"));
    // What was read is written down within a second.
    std::thread::sleep(Duration::from_millis(1_300));
    let log = a.s.run(&["log", "ann", "--path", "/apps/public/notes/a", "--party", "anybody"]).unwrap();
    assert!(log.contains("anybody\tread\t/apps/public/notes/a\tremotestorage") && !log.contains("127.0.0.1"), "{log}");
    // With another app's token it is as public as with none; a token that is none is told so.
    let other = token(&a.s, "todo:rw", &[], 0);
    a.s.send_as(&bearer(&other), "GET", "/rs/ann/public/notes/a", &[], "").expect(200);
    a.s.send_as(&bearer(&other), "GET", "/rs/ann/public/notes/", &[], "").expect(403);
    let elsewhere = token(&a.s, "*:rw", &["webdav"], 0);
    a.s.send_as(&bearer(&elsewhere), "GET", "/rs/ann/public/notes/a", &[], "").expect(200);
    a.s.send_as(&bearer(&elsewhere), "GET", "/rs/ann/notes/a", &[], "").expect(403);
    a.s.send_as(&bearer("nonsense"), "GET", "/rs/ann/public/notes/a", &[], "").expect(401);
}

#[test]
fn browsers_may_ask_from_anywhere() {
    let a = App::new();
    let asked = ["Origin: https://app.example", "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: authorization,if-match"];
    let answer = a.s.send_as("", "OPTIONS", "/rs/ann/notes/a", &asked, "").expect(204);
    for (name, holds) in [
        ("access-control-allow-origin", "https://app.example"),
        ("access-control-allow-methods", "GET, HEAD, PUT, DELETE"),
        ("access-control-allow-headers", "Authorization, Content-Type, Content-Length, Origin, X-Requested-With, If-Match, If-None-Match"),
        ("access-control-max-age", "7200"),
        ("access-control-allow-private-network", "true"),
        ("vary", "Origin"),
    ] {
        assert!(answer.header(name).is_some_and(|value| value.contains(holds)), "{name}: {}", answer.head);
    }
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(a.s.send_as("", "OPTIONS", "/rs/nobody/notes/a", &asked, "").expect(204).head.lines().count(), answer.head.lines().count());
}

#[test]
fn quota_large_bodies_and_throttling_are_told_to_pages_too() {
    let a = App::new();
    let body = "large ".repeat(300_000);
    a.ask("PUT", "/notes/large", &["Content-Type: a/b"], &body).expect(201);
    assert_eq!(a.ask("GET", "/notes/large", &[], "").expect(200).text(), body);
    assert_eq!(a.ask("GET", "/notes/large", &["Range: bytes=600000-600005"], "").expect(206).text(), "large ");
    a.s.run(&["person", "quota", "ann", "2"]).unwrap();
    std::thread::sleep(Duration::from_millis(1_100));
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    a.ask("PUT", "/notes/more", &["Content-Type: a/b", "Transfer-Encoding: chunked"], chunked).expect(507);
    a.ask("PUT", "/notes/more", &["Content-Type: a/b"], &body).expect(507);
    assert_eq!(a.names("/notes/"), "large");
    let wrong: Vec<Answer> =
        (0..110).map(|n| a.s.send_as(&bearer(&format!("wrong{n}")), "GET", "/rs/ann/notes/", &["Origin: https://x.example"], "")).collect();
    let told = wrong.iter().find(|answer| answer.status == 429).expect("told to wait");
    assert!(told.header("retry-after").is_some() && told.header("access-control-allow-origin") == Some("https://x.example"));
    a.ask("GET", "/notes/", &[], "").expect(200);
}

#[test]
fn parallel_writes_lose_no_entry() {
    let a = App::new();
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let a = &a;
            scope.spawn(move || (0..25).for_each(|n| drop(a.put(&format!("/notes/many/{worker}-{n}"), "x"))));
        }
    });
    assert_eq!(a.items("/notes/many/").as_object().unwrap().len(), 200);
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let a = &a;
            scope.spawn(move || {
                for n in 0..25 {
                    a.ask("DELETE", &format!("/notes/many/{worker}-{n}"), &[], "").expect(200);
                    a.put(&format!("/notes/again/{n}/{worker}"), "x");
                }
            });
        }
    });
    assert_eq!((a.items("/notes/many/"), a.items("/notes/again/").as_object().unwrap().len()), (json!({}), 25));
    a.s.run(&["check"]).unwrap();
}

#[test]
fn a_long_listing_is_whole() {
    let a = App::new();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let a = &a;
            scope.spawn(move || (0..300).for_each(|n| drop(a.put(&format!("/notes/long/{worker}-{n}"), "x"))));
        }
    });
    assert_eq!(a.items("/notes/long/").as_object().unwrap().len(), 1_200);
}

#[test]
fn t26_a_token_that_is_taken_back_opens_nothing() {
    let a = App::new();
    a.put("/notes/a", "1");
    let parties = a.s.run(&["party", "list", "ann"]).unwrap();
    let app = parties.lines().find(|l| l.contains("\tapp\tApp\t")).unwrap();
    a.s.run(&["party", "end", "ann", app.split('\t').next().unwrap()]).unwrap();
    std::thread::sleep(Duration::from_millis(1_200));
    let answer = a.ask("GET", "/notes/a", &[], "").expect(401);
    assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"));
    // What the app did is on record, and what it kept is ann's.
    let log = a.s.run(&["log", "ann", "--path", "/apps/notes/a"]).unwrap();
    assert!(log.contains("remotestorage"), "{log}");
    assert_eq!(a.s.send("GET", "/apps/notes/a", &[], "").expect(200).text(), "1");
}
