//! What clients that cannot run here send when somebody saves a file, replayed.

use crate::server::{Server, basic};

const LOCKINFO: &str = "<?xml version='1.0'?><D:lockinfo xmlns:D='DAV:'><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>x</D:owner></D:lockinfo>";

fn token(s: &Server, path: &str, headers: &[&str], status: u16) -> String {
    s.send("LOCK", path, headers, LOCKINFO).expect(status).header("lock-token").unwrap().to_owned()
}

#[test]
fn finder_saves() {
    let s = Server::start();
    assert!(s.send("OPTIONS", "/", &[], "").expect(200).header("dav").unwrap().contains('2'));
    s.send("PROPFIND", "/f", &["Depth: 0"], "").expect(404);
    s.send("PUT", "/f", &[], "").expect(201);
    let token = token(&s, "/f", &["Depth: 0", "Timeout: Second-600"], 200);
    let chunked = ["Transfer-Encoding: chunked", "X-Expected-Entity-Length: 5", &format!("If: ({token})")];
    s.send("PUT", "/f", &chunked, "5\r\nhello\r\n0\r\n\r\n").expect(204);
    assert!(s.send("PROPFIND", "/f", &["Depth: 0"], "").expect(207).text().contains("<d:getcontentlength>5<"));
    s.send("UNLOCK", "/f", &[&format!("Lock-Token: {token}")], "").expect(204);
    s.send("GET", "/._f", &[], "").expect(404);
    s.send("PUT", "/._f", &[], "aux").expect(201);
}

#[test]
fn windows_saves() {
    let s = Server::start();
    s.send("PROPFIND", "/dav/", &["Depth: 0"], "").expect(207);
    s.send("PROPFIND", "/f", &["Depth: 0"], "").expect(404);
    s.send("PUT", "/f", &[], "").expect(201);
    let token = token(&s, "/f", &["Timeout: Second-3600"], 200);
    let times = "<?xml version='1.0'?><D:propertyupdate xmlns:D='DAV:' xmlns:Z='urn:schemas-microsoft-com:'><D:set><D:prop>\
        <Z:Win32CreationTime>Sun, 09 Sep 2001 01:46:40 GMT</Z:Win32CreationTime><Z:Win32FileAttributes>00000020</Z:Win32FileAttributes></D:prop></D:set></D:propertyupdate>";
    let if_token = format!("If: ({token})");
    assert!(s.send("PROPPATCH", "/f", &[&if_token], times).expect(207).text().contains("200 OK"));
    s.send("HEAD", "/f", &["Translate: f"], "").expect(200);
    s.send("PUT", "/f", &[&if_token], "data").expect(204);
    s.send("PROPPATCH", "/f", &[&if_token], times).expect(207);
    s.send("UNLOCK", "/f", &[&format!("Lock-Token: {token}")], "").expect(204);
    let name = crate::server::basic("DOMAIN\\ann", &s.secret);
    s.send_as(&name, "GET", "/f", &[], "").expect(200);
}

#[test]
fn gvfs_and_davfs2_save() {
    let s = Server::start();
    s.send("PUT", "/doc", &[], "old").expect(201);
    s.send("PUT", "/.goutputstream-X", &[], "new").expect(201);
    s.send("MOVE", "/.goutputstream-X", &[&format!("Destination: {}doc", s.url()), "Overwrite: T"], "").expect(204);
    assert_eq!(s.send("GET", "/doc", &[], "").expect(200).text(), "new");
    let token = token(&s, "/created", &[], 201);
    s.send("HEAD", "/created", &[], "").expect(200);
    let answer = s.send("PUT", "/created", &[&format!("If: ({token})")], "x").expect(204);
    assert!(answer.header("etag").unwrap().starts_with('"'));
    s.send("UNLOCK", "/created", &[&format!("Lock-Token: {token}")], "").expect(204);
}

#[test]
fn office_saves() {
    let s = Server::start();
    let other = basic("ann", s.run(&["app-password", "add", "ann", "--quiet", "--name", "other"]).unwrap().trim());
    s.send("PUT", "/report.docx", &[], "draft").expect(201);
    let owner = LOCKINFO.replace("<D:owner>x<", "<D:owner>Ann at the laptop<");
    let taken = s.send("LOCK", "/report.docx", &["Depth: 0", "Timeout: Second-180"], owner).expect(200);
    let token = taken.header("lock-token").unwrap().to_owned();
    // Whoever opens it next is told who has it, and cannot write.
    let seen = s.send_as(&other, "PROPFIND", "/report.docx", &["Depth: 0"], "").expect(207).text();
    assert!(seen.contains("Ann at the laptop"), "{seen}");
    s.send_as(&other, "LOCK", "/report.docx", &["Depth: 0"], LOCKINFO).expect(423);
    s.send_as(&other, "PUT", "/report.docx", &[], "mine").expect(423);
    let held = format!("If: ({token})");
    for text in ["first", "second"] {
        s.send("PUT", "/report.docx", &[&held], text).expect(204);
        let refreshed = s.send("LOCK", "/report.docx", &[&held, "Timeout: Second-180"], "").expect(200);
        assert!(refreshed.header("lock-token").is_none() && refreshed.text().contains(token.trim_matches(['<', '>'])), "the same lock goes on");
    }
    s.send("UNLOCK", "/report.docx", &[&format!("Lock-Token: {token}")], "").expect(204);
    assert_eq!(s.send_as(&other, "GET", "/report.docx", &[], "").expect(200).text(), "second");
    s.send_as(&other, "PUT", "/report.docx", &[], "mine").expect(204);
}

/// Editors write beside the file and move the new one over it: it stays one file, with its history.
#[test]
fn editors_save() {
    let s = Server::start();
    s.send("PUT", "/notes.txt", &[], "old").expect(201);
    s.send("PUT", "/.notes.txt.swp", &[], "newer").expect(201);
    s.send("MOVE", "/.notes.txt.swp", &["Destination: /dav/files/ann/notes.txt", "Overwrite: T"], "").expect(204);
    assert_eq!(s.send("GET", "/notes.txt", &[], "").expect(200).text(), "newer");
    let history = s.run(&["versions", "list", "ann", "/notes.txt"]).unwrap();
    assert_eq!((history.lines().count(), history.contains("3 bytes")), (1, true), "{history}");
    assert_eq!(s.run(&["trash", "list", "ann"]).unwrap(), "");
}
