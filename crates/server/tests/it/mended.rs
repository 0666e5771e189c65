//! Defects that an attack once found, so that they stay mended.

use std::io::Write;
use std::net::TcpStream;

use crate::server::{Server, basic};

fn second_password(s: &Server) -> String {
    basic("ann", s.run(&["app-password", "add", "ann", "--quiet", "--name", "other"]).unwrap().trim())
}

#[test]
fn t26_a_credential_revoked_during_an_upload_does_not_commit_it() {
    let s = Server::start();
    let other = second_password(&s);
    let mut stream = TcpStream::connect(s.address).unwrap();
    let head =
        format!("PUT /dav/files/ann/late HTTP/1.1\r\nHost: {}\r\nAuthorization: {other}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", s.address);
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"5\r\nhello\r\n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    s.run(&["app-password", "revoke", "ann", "2"]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    s.send("GET", "/late", &[], "").expect(404);
}

#[test]
fn a_member_of_a_locked_collection_leaves_it_only_with_the_token() {
    let s = Server::start();
    let other = second_password(&s);
    s.send("MKCOL", "/s", &[], "").expect(201);
    s.send("PUT", "/s/f", &[], "x").expect(201);
    let lock = "<d:lockinfo xmlns:d=\"DAV:\"><d:lockscope><d:exclusive/></d:lockscope><d:locktype><d:write/></d:locktype></d:lockinfo>";
    let token = s.send("LOCK", "/s", &["Depth: 0"], lock).expect(200).header("lock-token").unwrap().to_owned();
    s.send_as(&other, "MOVE", "/s/f", &["Destination: /dav/files/ann/moved"], "").expect(423);
    let submitted = format!("If: </dav/files/ann/s> ({token})");
    s.send("MOVE", "/s/f", &["Destination: /dav/files/ann/moved", &submitted], "").expect(201);
}

#[test]
fn what_fails_inside_names_no_files_of_the_machine() {
    let s = Server::start();
    s.send("PUT", "/f", &[], vec![7; 300_000]).expect(201);
    let people = s.dir.path().join("data/people");
    let packs = std::fs::read_dir(people).unwrap().next().unwrap().unwrap().path().join("packs");
    for pack in std::fs::read_dir(&packs).unwrap() {
        std::fs::remove_file(pack.unwrap().path()).unwrap();
    }
    let answer = s.send("GET", "/f", &[], "").expect(500).text();
    assert!(!answer.contains("packs") && !answer.contains("people"), "{answer}");
}

#[test]
fn a_refused_upload_says_that_its_connection_ends() {
    let s = Server::start();
    let head = format!("PUT /dav/files/ann/no/f HTTP/1.1\r\nHost: {}\r\nContent-Length: 300000\r\n\r\n", s.address);
    let answer = s.raw(head.as_bytes());
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));
}

#[test]
fn a_deep_sync_begins_again_where_a_folder_took_anothers_place() {
    let s = Server::start();
    let ask = |token: &str| {
        let body = format!(
            "<d:sync-collection xmlns:d=\"DAV:\"><d:sync-token>{token}</d:sync-token><d:sync-level>infinite</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>"
        );
        s.send("REPORT", "/", &["Depth: 0"], body)
    };
    s.send("MKCOL", "/d", &[], "").expect(201);
    s.send("PUT", "/d/x", &[], "x").expect(201);
    let all = ask("").expect(207).text();
    let token = all.split("sync-token>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    s.send("PUT", "/d/y", &[], "y").expect(201);
    assert!(ask(&token).expect(207).text().contains("/d/y"));
    s.send("DELETE", "/d", &[], "").expect(204);
    s.send("MKCOL", "/d", &[], "").expect(201);
    assert!(ask(&token).expect(403).text().contains("valid-sync-token"));
}

#[test]
fn copies_of_one_moment_can_take_each_others_place() {
    let s = Server::start();
    s.send("MKCOL", "/a", &[], "").expect(201);
    s.send("PUT", "/a/x", &[], "x").expect(201);
    s.send("PUT", "/a/y", &[], "y").expect(201);
    s.send("COPY", "/a", &["Destination: /dav/files/ann/b"], "").expect(201);
    // Their versions have one number, that of the copy.
    s.send("PUT", "/b/x", &[], "xx").expect(204);
    s.send("PUT", "/b/y", &[], "yy").expect(204);
    s.send("MOVE", "/b/x", &["Destination: /dav/files/ann/b/y"], "").expect(204);
    assert_eq!(s.send("GET", "/b/y", &[], "").expect(200).body, b"xx");
    assert_eq!(s.run(&["versions", "list", "ann", "/b/y"]).unwrap().lines().count(), 3);
}

#[test]
fn properties_that_no_xml_can_carry_are_refused_and_others_come_back_as_they_are() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "x").expect(201);
    let set =
        |prop: &str| s.send("PROPPATCH", "/f", &[], format!("<d:propertyupdate xmlns:d='DAV:'><d:set><d:prop>{prop}</d:prop></d:set></d:propertyupdate>"));
    // A listing with one of these would be no XML, and the whole folder unreadable.
    for bad in ["<x:a%b xmlns:x='u:'/>", "<a xmlns='u:'>&#xffff;</a>", "<a xmlns='u:' b='&#1;'/>", "<x:a xmlns:x='u:' xmlns:y='u:' x:b='' y:b=''/>"] {
        set(bad).expect(400);
    }
    set("<a xmlns='u:?b=1&amp;c=2' d='e&#10;f'/>").expect(207);
    let answer = s.send("PROPFIND", "/f", &["Depth: 0"], "<propfind xmlns='DAV:'><prop><a xmlns='u:?b=1&amp;c=2'/></prop></propfind>").expect(207).text();
    assert!(answer.contains("<x:a xmlns:x=\"u:?b=1&amp;c=2\" d=\"e&#10;f\"/>") && answer.contains("200 OK"), "{answer}");
}
