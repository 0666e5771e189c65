//! Uploads by tus 1.0: in pieces, over lost connections and restarts, within the quota, and given up in the end.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::server::{Answer, Server};
use crate::sessions::{Session, session};

const VERSION: &str = "Tus-Resumable: 1.0.0";
const OCTETS: &str = "Content-Type: application/offset+octet-stream";

fn bytes(count: usize) -> Vec<u8> {
    (0..count as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 23) as u8).collect()
}

struct Client {
    s: Server,
    token: String,
}

impl Client {
    fn new(s: Server) -> Client {
        let token = session(&s, "ann", Session::Open);
        Client { s, token }
    }

    fn send(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let cookie = format!("Cookie: __Host-holm={}", self.token);
        let headers: Vec<&str> = headers.iter().copied().chain([VERSION, &cookie]).collect();
        let path = if path.starts_with("/api") { path.to_owned() } else { format!("/api/v1{path}") };
        self.s.send_as("", method, &path, &headers, body)
    }

    fn begin(&self, path: &str, size: usize, more: &[&str], body: &[u8]) -> Answer {
        let metadata = format!("Upload-Metadata: path {},type {}", BASE64_STANDARD.encode(path), BASE64_STANDARD.encode("text/x-test"));
        let length = format!("Upload-Length: {size}");
        let headers: Vec<&str> = more.iter().copied().chain([metadata.as_str(), &length]).collect();
        self.send("POST", "/uploads", &headers, body)
    }

    fn offset(&self, at: &str) -> u64 {
        self.send("HEAD", at, &[], b"").expect(200).header("Upload-Offset").unwrap().parse().unwrap()
    }

    fn patch(&self, at: &str, from: u64, more: &[&str], body: &[u8]) -> Answer {
        let offset = format!("Upload-Offset: {from}");
        let headers: Vec<&str> = more.iter().copied().chain([OCTETS, offset.as_str()]).collect();
        self.send("PATCH", at, &headers, body)
    }

    fn used(&self) -> u64 {
        self.s.ask(&self.token, "GET", "/me", &[], "").expect(200).json()["used"].as_u64().unwrap()
    }
}

#[test]
fn a_file_comes_in_pieces_over_a_restart() {
    let mut c = Client::new(Server::start());
    let told = c.send("OPTIONS", "/uploads", &[], b"").expect(204);
    assert!(told.header("Tus-Extension").unwrap().contains("creation-with-upload") && told.header("Tus-Version") == Some("1.0.0"));
    let all = bytes(1_500_000);
    let begun = c.begin("/a.bin", all.len(), &[], b"").expect(201);
    let at = begun.header("Location").unwrap().to_owned();
    assert_eq!((begun.header("Upload-Offset"), c.used()), (Some("0"), 1_500_000), "its room is charged at once");
    c.patch(&at, 0, &[], &all[..700_001]).expect(204);
    assert!(c.s.send("GET", "/a.bin", &[], "").status == 404, "nothing is there before all of it is");
    c.s.kill_and_restart();
    assert_eq!(c.offset(&at), 700_001);
    c.patch(&at, 5, &[], &all[5..10]).expect(409);
    c.patch(&at, 700_001, &[], &all[700_001..700_011]).expect(204);
    assert!(c.s.run(&["gc"]).is_ok() && c.s.run(&["check", "--deep"]).is_ok(), "upkeep leaves it alone");
    let done = c.patch(&at, 700_011, &[], &all[700_011..]).expect(204);
    assert_eq!(done.header("Upload-Offset"), Some("1500000"));
    let got = c.s.send("GET", "/a.bin", &[], "").expect(200);
    assert!(got.body == all && got.header("Content-Type") == Some("text/x-test"));
    // Whose answer was lost asks again, and learns that it is there.
    assert_eq!((c.offset(&at), c.used()), (1_500_000, 1_500_000));
    // Again: a version.
    let again = c.begin("/a.bin", 3, &[OCTETS], b"new").expect(201);
    assert_eq!(again.header("Upload-Offset"), Some("3"));
    assert_eq!((c.s.send("GET", "/a.bin", &[], "").text(), c.used()), ("new".into(), 1_500_003));
    c.begin("/empty", 0, &[], b"").expect(201);
    assert_eq!(c.s.send("GET", "/empty", &[], "").expect(200).body.len(), 0);
    assert!(c.s.run(&["check", "--deep"]).is_ok());
}

#[test]
fn what_came_before_a_line_broke_is_kept() {
    let c = Client::new(Server::start());
    let all = bytes(3_000_000);
    let at = c.begin("/a", all.len(), &[], b"").expect(201).header("Location").unwrap().to_owned();
    let head = format!(
        "PATCH {at} HTTP/1.1\r\nHost: {}\r\nCookie: __Host-holm={}\r\n{VERSION}\r\n{OCTETS}\r\nUpload-Offset: 0\r\nContent-Length: 3000000\r\n\r\n",
        c.s.address, c.token
    );
    // Cut off in the middle.
    let mut line = TcpStream::connect(c.s.address).unwrap();
    line.write_all(&[head.as_bytes(), &all[..1_000_000]].concat()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    drop(line);
    let kept = (0..50)
        .map(|_| c.offset(&at))
        .find(|kept| {
            *kept > 0 || {
                std::thread::sleep(Duration::from_millis(100));
                false
            }
        })
        .unwrap();
    assert_eq!(kept, 1_000_000);
    // Silent, and still open on this side: whoever comes anew has its turn, and all that came.
    let mut line = TcpStream::connect(c.s.address).unwrap();
    let head = head.replace("Upload-Offset: 0", "Upload-Offset: 1000000").replace("Content-Length: 3000000", "Content-Length: 2000000");
    line.write_all(&[head.as_bytes(), &all[1_000_000..2_000_000]].concat()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(c.offset(&at), 2_000_000);
    c.patch(&at, 2_000_000, &[], &all[2_000_000..]).expect(204);
    assert!(c.s.send("GET", "/a", &[], "").expect(200).body == all);
    drop(line);
}

#[test]
fn t14_uploads_keep_within_the_quota_and_give_it_back() {
    let c = Client::new(Server::start());
    c.s.run(&["person", "quota", "ann", "1M"]).unwrap();
    let at = c.begin("/a", 700_000, &[], b"").expect(201).header("Location").unwrap().to_owned();
    assert_eq!(c.begin("/b", 700_000, &[], b"").expect(507).json()["type"], "/problems/no-room");
    c.patch(&at, 0, &[], &bytes(1_000)).expect(204);
    assert_eq!(c.patch(&at, 1_000, &[], &bytes(700_000)).expect(413).json()["type"], "/problems/too-large");
    assert_eq!(c.offset(&at), 1_000);
    c.send("DELETE", &at, &[], b"").expect(204);
    c.send("HEAD", &at, &[], b"").expect(404);
    assert_eq!(c.used(), 0);
    c.begin("/b", 700_000, &[], b"").expect(201);
    // Somebody else's are not there for one.
    c.s.run(&["person", "add", "bob"]).unwrap();
    let bob = Client { token: session(&c.s, "bob", Session::Open), s: c.s };
    bob.send("HEAD", &at, &[], b"").expect(404);
    assert!(bob.s.run(&["check"]).is_ok());
}

#[test]
fn what_is_not_right_is_refused() {
    let c = Client::new(Server::start());
    let body = b"hello";
    let sum = |hash: &str| format!("Upload-Checksum: sha1 {hash}");
    let wrong = c.begin("/a", 5, &[OCTETS, &sum("AAAAAAAAAAAAAAAAAAAAAAAAAAA=")], body);
    assert_eq!((wrong.status, &wrong.json()["type"]), (460, &serde_json::json!("/problems/checksum")));
    c.begin("/a", 5, &[OCTETS, &sum("qvTGHdzF6KLavt4PO0gs2a6pQ00=")], body).expect(201);
    assert_eq!(c.s.send("GET", "/a", &[], "").text(), "hello");
    c.begin("/a", 5, &[OCTETS, "Upload-Checksum: md5 AAAA"], body).expect(400);
    c.begin("/none/a", 5, &[], b"").expect(409);
    c.begin("/", 5, &[], b"").expect(409);
    c.begin("x", 5, &[], b"").expect(422);
    c.send("POST", "/uploads", &["Upload-Metadata: path L2E="], b"").expect(400);
    c.send("POST", "/uploads", &["Upload-Length: 5", "Upload-Metadata: path %%"], b"").expect(400);
    c.patch("/uploads/77", 0, &[], b"x").expect(404);
    let old = c.s.ask(&c.token, "HEAD", "/uploads/77", &["Tus-Resumable: 0.2.2"], "");
    assert_eq!(old.status, 400);
}
