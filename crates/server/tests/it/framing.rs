//! Below the methods: slow clients (T10), HTTP/2 floods (T11), requests that can be read in two ways (T12), heads too
//! large, bodies that do not come.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::server::Server;

/// A request for ann, up to and without the empty line.
fn head(s: &Server, line: &str, headers: &[&str]) -> String {
    let headers: String = headers.iter().map(|h| format!("{h}\r\n")).collect();
    format!("{line}\r\nHost: {}\r\nConnection: close\r\nAuthorization: {}\r\n{headers}", s.address, s.authorization())
}

fn connect(s: &Server) -> TcpStream {
    let stream = TcpStream::connect(s.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn t12_requests_that_can_be_read_in_two_ways() {
    let s = Server::start();
    s.send("MKCOL", "/d", &[], "").expect(201);
    let get = "GET /dav/files/ann/d HTTP/1.1";
    let put = "PUT /dav/files/ann/f HTTP/1.1";
    let host = head(&s, "", &[]);
    let table = [
        ("t12_fragment", head(&s, "DELETE /dav/files/ann/d/#x HTTP/1.1", &[]) + "\r\n"),
        ("t12_length_and_chunked", head(&s, put, &["Content-Length: 3", "Transfer-Encoding: chunked"]) + "\r\n0\r\n\r\n"),
        ("t12_chunked_and_length", head(&s, put, &["Transfer-Encoding: chunked", "Content-Length: 3"]) + "\r\n0\r\n\r\n"),
        ("t12_two_lengths", head(&s, put, &["Content-Length: 3", "Content-Length: 4"]) + "\r\nabcd"),
        ("t12_length_list", head(&s, put, &["Content-Length: 3, 3"]) + "\r\nabc"),
        ("t12_length_with_a_sign", head(&s, put, &["Content-Length: +3"]) + "\r\nabc"),
        ("t12_length_negative", head(&s, put, &["Content-Length: -3"]) + "\r\nabc"),
        ("t12_length_hexadecimal", head(&s, put, &["Content-Length: 0x3"]) + "\r\nabc"),
        ("t12_length_beyond_the_numbers", head(&s, put, &["Content-Length: 99999999999999999999"]) + "\r\nabc"),
        ("t12_unknown_coding", head(&s, put, &["Transfer-Encoding: xchunked"]) + "\r\n0\r\n\r\n"),
        ("t12_coding_after_chunked", head(&s, put, &["Transfer-Encoding: chunked, gzip"]) + "\r\n0\r\n\r\n"),
        ("t12_chunked_twice", head(&s, put, &["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]) + "\r\n0\r\n\r\n"),
        ("t12_bad_chunk_size", head(&s, put, &["Transfer-Encoding: chunked"]) + "\r\nx\r\nabc\r\n0\r\n\r\n"),
        ("t12_chunk_size_beyond_the_numbers", head(&s, put, &["Transfer-Encoding: chunked"]) + "\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
        ("t12_bare_line_feed", format!("GET /dav/files/ann/d HTTP/1.1\n{host}\r\n")),
        ("t12_folded_header", head(&s, get, &["X: a", " b"]) + "\r\n"),
        ("t12_space_before_the_colon", head(&s, get, &["X : a"]) + "\r\n"),
        ("t12_header_without_a_colon", head(&s, get, &["X"]) + "\r\n"),
        ("t12_nul_in_a_header", head(&s, get, &["X: a\0b"]) + "\r\n"),
        ("t12_two_hosts", head(&s, get, &["Host: other"]) + "\r\n"),
        ("t12_no_host", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned()),
        ("t12_no_version", "GET /dav/files/ann/d\r\n\r\n".to_owned()),
        ("t12_space_in_the_target", head(&s, "GET /dav/files/ann/d e HTTP/1.1", &[]) + "\r\n"),
        ("t12_relative_target", head(&s, "GET dav/files/ann/d HTTP/1.1", &[]) + "\r\n"),
    ];
    let wrong: Vec<_> = table.iter().map(|(name, request)| (name, s.raw(request.as_bytes()).status)).filter(|(_, status)| *status != 400).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    s.send("GET", "/d", &[], "").expect(200);
    s.send("GET", "/f", &[], "").expect(404);
    // A second request hidden in a refused one's body is not answered.
    let smuggled = head(&s, put, &["Content-Length: 4", "Transfer-Encoding: chunked"]).replace("Connection: close\r\n", "");
    let smuggled = smuggled + "\r\n0\r\n\r\n" + &head(&s, "DELETE /dav/files/ann/d HTTP/1.1", &[]) + "\r\n";
    let answer = s.raw(smuggled.as_bytes());
    assert!(answer.status == 400 && !answer.text().contains("HTTP/1.1"), "{answer:?}");
    s.send("GET", "/d", &[], "").expect(200);
}

#[test]
fn t04_heads_too_large() {
    let s = Server::start();
    let many: Vec<String> = (0..200).map(|n| format!("X-{n}: a")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let line = "GET /dav/files/ann/ HTTP/1.1";
    for (name, request) in [
        ("many", head(&s, line, &many)),
        ("long", head(&s, line, &[&format!("X: {}", "x".repeat(300_000))])),
        ("long name", head(&s, line, &[&format!("{}: x", "x".repeat(300_000))])),
    ] {
        assert_eq!(s.raw((request + "\r\n").as_bytes()).status, 431, "{name}");
    }
    s.send("GET", "/", &[], "").expect(200);
}

#[test]
fn a_body_shorter_than_announced_changes_nothing() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "before").expect(201);
    for length in ["Content-Length: 100", "Content-Length: 10000000", "Transfer-Encoding: chunked"] {
        let body = if length.starts_with('T') { "5\r\nshort\r\n" } else { "short" };
        let mut stream = connect(&s);
        stream.write_all((head(&s, "PUT /dav/files/ann/f HTTP/1.1", &[length]) + "\r\n" + body).as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = rest(&mut stream);
        assert!(!answer.starts_with("HTTP/1.1 2"), "{length}: {answer}");
    }
    assert_eq!(s.send("GET", "/f", &[], "").expect(200).text(), "before");
}

/// Refused before the body is asked for: `Expect: 100-continue` gets the refusal and not a 100.
#[test]
fn what_is_known_is_said_before_the_body() {
    let s = Server::start();
    s.run(&["person", "quota", "ann", "1M"]).unwrap();
    s.send("MKCOL", "/d", &[], "").expect(201);
    s.send("PUT", "/f", &[], "x").expect(201);
    s.send("PUT", "/locked", &[], "x").expect(201);
    let info = "<d:lockinfo xmlns:d='DAV:'><d:lockscope><d:shared/></d:lockscope><d:locktype><d:write/></d:locktype></d:lockinfo>";
    s.send("LOCK", "/locked", &[], info).expect(200);
    let expect = |path: &str, headers: &[&str]| {
        let mut stream = connect(&s);
        let all = [headers, &["Expect: 100-continue"]].concat();
        stream.write_all((head(&s, &format!("PUT /dav/files/ann{path} HTTP/1.1"), &all) + "\r\n").as_bytes()).unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).unwrap();
        String::from_utf8_lossy(&start[9..]).into_owned()
    };
    let table: &[(&str, &str, &[&str], &str)] = &[
        ("a body that fits", "/new", &["Content-Length: 500000"], "100"),
        ("bad_put_longer_than_the_quota", "/new", &["Content-Length: 10000000000"], "507"),
        ("no folder", "/no/f", &["Content-Length: 5"], "409"),
        ("a folder", "/d", &["Content-Length: 5"], "405"),
        ("a condition", "/f", &["Content-Length: 5", "If-None-Match: *"], "412"),
        ("a lock", "/locked", &["Content-Length: 5"], "423"),
        ("an encoding", "/f", &["Content-Length: 5", "Content-Encoding: gzip"], "415"),
    ];
    let wrong: Vec<_> = table.iter().map(|(name, path, headers, want)| (name, want, expect(path, headers))).filter(|(_, want, got)| **want != got).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let mut stream = connect(&s);
    let stranger = format!("PUT /dav/files/ann/f HTTP/1.1\r\nHost: {}\r\nContent-Length: 500000\r\nExpect: 100-continue\r\n\r\n", s.address);
    stream.write_all(stranger.as_bytes()).unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start[9..], b"401");
}

/// Takes as long as the limits it tests: half a minute.
#[test]
fn t10_slow_clients_are_ended() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "before").expect(201);
    let put = |length: &str| head(&s, "PUT /dav/files/ann/f HTTP/1.1", &[length]) + "\r\n";
    // name, what is sent at once, what follows every second, what the answer begins with, seconds at least and at most
    let table = [
        ("t10_slow_head", "GET / HT".to_owned(), "", "", 8, 20),
        ("t10_trickling_head", "GET / HTTP/1.1\r\n".to_owned(), "X: y\r\n", "", 8, 20),
        ("t10_idle_body", put("Content-Length: 1000"), "", "HTTP/1.1 408", 28, 40),
        ("t10_trickling_body", put("Content-Length: 10000000"), "xxxxxxxx", "HTTP/1.1 408", 28, 40),
        ("t10_trickling_chunks", put("Transfer-Encoding: chunked"), "1\r\nx\r\n", "HTTP/1.1 408", 28, 40),
        ("t10_body_that_never_comes", put("Content-Length: 10000000000"), "", "HTTP/1.1 408", 28, 40),
    ];
    std::thread::scope(|scope| {
        for (name, first, then, want, least, most) in &table {
            let mut stream = connect(&s);
            let mut writer = stream.try_clone().unwrap();
            scope.spawn(move || {
                let began = Instant::now();
                writer.write_all(first.as_bytes()).unwrap();
                let trickle = std::thread::spawn({
                    let then = then.as_bytes().to_vec();
                    move || {
                        while began.elapsed() < Duration::from_secs(60) && !then.is_empty() && writer.write_all(&then).is_ok() {
                            std::thread::sleep(Duration::from_secs(1));
                        }
                    }
                });
                let mut start = [0; 12];
                let read = stream.read(&mut start).unwrap_or(0);
                let took = began.elapsed().as_secs();
                let _ = stream.shutdown(Shutdown::Both);
                trickle.join().unwrap();
                let got = String::from_utf8_lossy(&start[..read]).into_owned();
                assert!(got.starts_with(want), "{name}: {got:?}");
                assert!((*least..=*most).contains(&took), "{name}: {took} s");
            });
        }
    });
    assert_eq!(s.send("GET", "/f", &[], "").expect(200).text(), "before");
}

mod http2 {
    //! Frames by hand (RFC 9113), because clients that behave do not send these.

    use super::*;

    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const GOAWAY: u8 = 7;
    const CONTINUATION: u8 = 9;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    /// Header fields without compression (RFC 7541 §6.2.2).
    fn fields(list: &[(&str, &str)]) -> Vec<u8> {
        let string = |s: &str| {
            assert!(s.len() < 127);
            [&[s.len() as u8], s.as_bytes()].concat()
        };
        list.iter().flat_map(|(name, value)| [vec![0], string(name), string(value)].concat()).collect()
    }

    fn open(s: &Server) -> TcpStream {
        let mut stream = connect(s);
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(SETTINGS, 0, 0, &[])].concat()).unwrap();
        stream
    }

    /// The frames up to the end of the connection, or to the first of kind `until`.
    fn frames(stream: &mut TcpStream, until: Option<u8>) -> Vec<(u8, u8, u32, Vec<u8>)> {
        let mut all = Vec::new();
        loop {
            let mut head = [0; 9];
            if stream.read_exact(&mut head).is_err() {
                return all;
            }
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            if stream.read_exact(&mut payload).is_err() {
                return all;
            }
            all.push((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload));
            if until == Some(head[3]) {
                return all;
            }
        }
    }

    fn get(s: &Server) -> Vec<u8> {
        let authority = s.address.to_string();
        fields(&[(":method", "GET"), (":scheme", "http"), (":path", "/health"), (":authority", &authority)])
    }

    #[test]
    fn t11_streams_are_capped() {
        let s = Server::start();
        let settings = frames(&mut open(&s), Some(SETTINGS)).pop().unwrap().3;
        let streams = settings.chunks(6).find(|c| c[..2] == [0, 3]).map(|c| u32::from_be_bytes([c[2], c[3], c[4], c[5]]));
        assert_eq!(streams, Some(100));
    }

    #[test]
    fn t11_rapid_reset_ends_the_connection() {
        let s = Server::start();
        let mut stream = open(&s);
        let request = get(&s);
        let mut flood = Vec::new();
        for n in 0..5_000u32 {
            flood.extend(frame(HEADERS, 0x5, 2 * n + 1, &request));
            flood.extend(frame(RST_STREAM, 0, 2 * n + 1, &8u32.to_be_bytes()));
        }
        let _ = stream.write_all(&flood);
        let all = frames(&mut stream, Some(GOAWAY));
        let last = all.last().map(|f| (f.0, f.3[4..8].to_vec()));
        assert_eq!(last, Some((GOAWAY, 11u32.to_be_bytes().to_vec())), "ENHANCE_YOUR_CALM");
        s.send("GET", "/", &[], "").expect(200);
    }

    #[test]
    fn t11_a_flood_of_continuations_ends_the_connection() {
        let s = Server::start();
        let mut stream = open(&s);
        let mut ended = stream.write_all(&frame(HEADERS, 0, 1, &get(&s))).is_err();
        let field = fields(&[("x", &"y".repeat(100))]).repeat(150);
        for _ in 0..20_000 {
            ended = ended || stream.write_all(&frame(CONTINUATION, 0, 1, &field)).is_err();
        }
        assert!(ended, "300 MB of header fields went through");
        s.send("GET", "/", &[], "").expect(200);
    }

    #[test]
    fn t11_pings_are_not_piled_up() {
        let s = Server::start();
        let before = s.peak();
        let mut stream = open(&s);
        stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
        let pings = frame(PING, 0, 0, &[0; 8]).repeat(10_000);
        for _ in 0..100 {
            // Answers are not read: the server must stop reading, not remember a million of them.
            if stream.write_all(&pings).is_err() {
                break;
            }
        }
        assert!(s.peak() - before < 16 << 20, "{} bytes more", s.peak() - before);
        s.send("GET", "/", &[], "").expect(200);
    }

    /// Readers that never read hold what a few hold, however many they are.
    #[test]
    fn t10_streams_that_take_nothing_hold_little() {
        let s = Server::start();
        let noise: Vec<u8> = (0..2_000_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        s.send("PUT", "/big", &[], noise).expect(201);
        let (authority, authorization) = (s.address.to_string(), s.authorization());
        let path = "/dav/files/ann/big";
        let request = fields(&[(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", &authority), ("authorization", &authorization)]);
        let before = s.peak();
        let stalled: Vec<_> = (0..4)
            .map(|_| {
                let mut stream = open(&s);
                // SETTINGS_INITIAL_WINDOW_SIZE: one byte.
                stream.write_all(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1])).unwrap();
                (0..100u32).for_each(|n| stream.write_all(&frame(HEADERS, 0x5, 2 * n + 1, &request)).unwrap());
                stream
            })
            .collect();
        std::thread::sleep(Duration::from_secs(3));
        let grown = s.peak() - before;
        assert!(grown < 128 << 20, "400 streams hold {grown} bytes");
        drop(stalled);
        s.send("GET", "/big", &[], "").expect(200);
    }

    #[test]
    fn a_destination_is_compared_with_the_authority() {
        let s = Server::start();
        s.send("PUT", "/f", &[], "x").expect(201);
        let mut stream = open(&s);
        let (authority, authorization, destination) = (s.address.to_string(), s.authorization(), format!("{}g", s.url()));
        let request = fields(&[
            (":method", "COPY"),
            (":scheme", "http"),
            (":path", "/dav/files/ann/f"),
            (":authority", &authority),
            ("authorization", &authorization),
            ("destination", &destination),
        ]);
        stream.write_all(&frame(HEADERS, 0x5, 1, &request)).unwrap();
        frames(&mut stream, Some(HEADERS));
        s.send("GET", "/g", &[], "").expect(200);
    }
}
