//! Hostile and broken requests (T01–T14): the named status, and the server goes on.

use crate::server::{Server, basic};

#[test]
fn bad_requests_get_the_named_status() {
    let s = Server::start();
    s.send("MKCOL", "/d", &[], "").expect(201);
    s.send("PUT", "/f", &[], "kept").expect(201);
    let long_if = format!("If: {}", "(<urn:x>)".repeat(1_000));
    let long_path = format!("/{}", "x".repeat(256));
    let table: &[(u16, &str, &str, &[&str], &str)] = &[
        (400, "PUT", "/a/../../etc", &[], ""),
        (400, "PUT", "/%2e%2e/x", &[], ""),
        (400, "GET", "/a%2fb", &[], ""),
        (400, "GET", "/a%00", &[], ""),
        (400, "GET", "/%zz", &[], ""),
        (400, "GET", "/%ff", &[], ""),
        (400, "PUT", &long_path, &[], ""),
        (502, "COPY", "/f", &["Destination: http://elsewhere.example/f"], ""),
        (400, "COPY", "/f", &[], ""),
        (400, "COPY", "/f", &["Destination: f"], ""),
        (403, "COPY", "/f", &["Destination: /dav/files/ann/f"], ""),
        (403, "MOVE", "/d", &["Destination: /dav/files/ann/d/e"], ""),
        (403, "MOVE", "/", &["Destination: /dav/files/ann/e"], ""),
        (400, "COPY", "/f", &["Destination: /dav/files/ann/g", "Overwrite: X"], ""),
        (412, "COPY", "/f", &["Destination: /dav/files/ann/d", "Overwrite: F"], ""),
        (409, "COPY", "/f", &["Destination: /dav/files/ann/no/g"], ""),
        (400, "PROPFIND", "/d", &["Depth: 2"], ""),
        (403, "PROPFIND", "/d", &["Depth: infinity"], ""),
        (400, "PROPFIND", "/d", &["Depth: 0"], "<!DOCTYPE a [<!ENTITY b 'c'>]><d:propfind xmlns:d='DAV:'><d:allprop/></d:propfind>"),
        (400, "PROPFIND", "/d", &["Depth: 0"], "<d:propfind xmlns:d='DAV:'>"),
        (400, "PROPFIND", "/d", &["Depth: 0"], "<propfind xmlns='DAV:' xmlns:a=''><allprop/></propfind>"),
        (400, "PUT", "/f", &[&long_if], ""),
        (400, "PUT", "/f", &["If: (<a>"], ""),
        (400, "PUT", "/f", &["Content-Range: bytes 0-1/2"], "xx"),
        (409, "PUT", "/no/f", &[], ""),
        (409, "MKCOL", "/no/f", &[], ""),
        (405, "MKCOL", "/d", &[], ""),
        (415, "MKCOL", "/e", &["Content-Type: text/plain"], "hello"),
        (405, "PUT", "/d", &[], ""),
        (404, "GET", "/no", &[], ""),
        (404, "DELETE", "/no", &[], ""),
        (403, "DELETE", "/", &[], ""),
        (400, "DELETE", "/d", &["Depth: 0"], ""),
        (501, "BREW", "/f", &[], ""),
        (405, "POST", "/f", &[], ""),
        (400, "UNLOCK", "/f", &[], ""),
        (409, "UNLOCK", "/f", &["Lock-Token: <urn:x>"], ""),
        (403, "REPORT", "/d", &[], "<d:expand-property xmlns:d='DAV:'/>"),
        (403, "REPORT", "/d", &[], "<d:sync-collection xmlns:d='DAV:'><d:sync-token>urn:x</d:sync-token><d:prop/></d:sync-collection>"),
        (415, "PATCH", "/f", &[], "x"),
        (403, "ACL", "/f", &[], ""),
    ];
    for (status, method, path, headers, body) in table {
        let answer = s.send(method, path, headers, body);
        assert_eq!(answer.status, *status, "{method} {path} {headers:?} {body}\n{}\n{}", answer.head, answer.text());
    }
    s.send("PROPFIND", "/d", &["Depth: 0"], " ".repeat(2 << 20)).expect(413);
    assert_eq!(s.send("GET", "/f", &[], "").expect(200).text(), "kept");
}

#[test]
fn t12_requests_that_can_be_read_in_two_ways() {
    let s = Server::start();
    s.send("MKCOL", "/d", &[], "").expect(201);
    let host = format!("Host: {}\r\nConnection: close\r\nAuthorization: {}\r\n", s.address, s.authorization());
    for request in [
        format!("DELETE /dav/files/ann/d/#x HTTP/1.1\r\n{host}\r\n"),
        format!("PUT /dav/files/ann/f HTTP/1.1\r\n{host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("PUT /dav/files/ann/f HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
        format!("GET /dav/files/ann/d HTTP/1.1\n{host}\r\n"),
        format!("GET /dav/files/ann/d HTTP/1.1\r\n{host}X: a\r\n b\r\n\r\n"),
        format!("GET /dav/files/ann/d HTTP/1.1\r\n{host}Host: other\r\n\r\n"),
        "GET / HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
    ] {
        assert_eq!(s.raw(request.as_bytes()).status, 400, "{request}");
    }
    s.send("GET", "/d", &[], "").expect(200);
}

#[test]
fn a_body_shorter_than_announced_changes_nothing() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "before").expect(201);
    for length in [100, 10_000_000] {
        let request =
            format!("PUT /dav/files/ann/f HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nContent-Length: {length}\r\n\r\nshort", s.address, s.authorization());
        let mut stream = std::net::TcpStream::connect(s.address).unwrap();
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stream, &mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(s.send("GET", "/f", &[], "").expect(200).text(), "before");
}

#[test]
fn t31_wrong_passwords_are_throttled_and_owners_are_not() {
    let s = Server::start();
    s.send("GET", "/", &[], "").expect(200);
    let wrong = basic("ann", "wrong");
    let statuses: Vec<u16> = (0..25).map(|_| s.send_as(&wrong, "GET", "/", &[], "").status).collect();
    assert_eq!(statuses.iter().filter(|c| **c == 401).count(), 20, "{statuses:?}");
    assert_eq!(statuses.last(), Some(&429));
    s.send("GET", "/", &[], "").expect(200);
    let answer = s.send_as("Bearer x", "GET", "/", &[], "").expect(401);
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic realm="));
}
