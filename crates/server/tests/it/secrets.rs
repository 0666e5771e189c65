//! Secrets are nowhere but where they belong (T52): a session in which all kinds of them are used, right and wrong, and then a
//! look into everything that holm said, keeps and holds in memory.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::server::{Answer, Server, basic, command, skip, tool};
use crate::sessions::{Session, session};

/// What must not be found, and what to call it when it is.
struct Canary {
    what: &'static str,
    bytes: Vec<u8>,
}

fn canary(what: &'static str, text: impl AsRef<[u8]>) -> Canary {
    let bytes = text.as_ref().to_vec();
    assert!(bytes.len() >= 6, "{what} is too short to be told from chance");
    Canary { what, bytes }
}

/// A text that nothing else says.
fn unique(what: &str) -> String {
    let mut bytes = [0; 12];
    std::io::Read::read_exact(&mut File::open("/dev/urandom").unwrap(), &mut bytes).unwrap();
    format!("{what}-canary-{}", bytes.iter().map(|b| format!("{b:02x}")).collect::<String>())
}

/// The names of what is there, and how often.
fn found(bytes: &[u8], canaries: &[Canary]) -> Vec<String> {
    let counted = |c: &Canary| (c.what, times(bytes, &c.bytes));
    canaries.iter().map(counted).filter(|(_, n)| *n > 0).map(|(what, n)| format!("{what} ({n})")).collect()
}

/// How often a part is there.
fn times(bytes: &[u8], part: &[u8]) -> usize {
    let (mut times, mut from) = (0, 0);
    // The search for one byte goes through memory fast.
    while let Some(at) = bytes[from..].iter().position(|b| *b == part[0]) {
        times += usize::from(bytes[from + at..].starts_with(part));
        from += at + 1;
    }
    times
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Everything below a directory but what `but` names.
fn kept(dir: &Path, but: &[&str], look: &mut dyn FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if but.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if path.is_dir() { kept(&path, but, look) } else { look(&path, &std::fs::read(&path).unwrap()) }
    }
}

/// Each stretch of a process's memory that can be read; None without the right to.
fn memory(pid: u32, mut look: impl FnMut(&str, &[u8])) -> Option<()> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut seen = 0;
    for line in maps.lines().filter(|l| l.contains(" rw")) {
        let (from, to) = line.split_once(' ')?.0.split_once('-')?;
        let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
        let mut bytes = vec![0; (to - from) as usize];
        if memory.read_exact_at(&mut bytes, from).is_ok() {
            seen += bytes.len();
            look(line.rsplit(' ').next().unwrap_or_default(), &bytes);
        }
    }
    (seen > 1 << 20).then_some(())
}

/// A session with every kind of secret; what it must have left nowhere, and what it must have forgotten.
fn use_secrets(s: &Server) -> (Vec<Canary>, Vec<Canary>) {
    let revoked = s.run(&["app-password", "add", "ann", "--quiet"]).unwrap().trim().to_owned();
    let (wrong, unknown) = (unique("wrong"), unique("unknown"));
    let (bearer, cookie, query, person, content) = (unique("bearer"), unique("cookie"), unique("query"), unique("person"), unique("content"));
    s.run_with_input(&["person", "passwd", "ann"], &format!("{person}\n")).unwrap();
    let kit = s.run(&["--json", "kit", "make"]).unwrap();
    let words = kit.split_once("\"words\":[").unwrap().1.replace(['"', ',', ']', '}'], " ");
    let words: Vec<&str> = words.split_whitespace().collect();
    s.run_with_input(&["kit", "verify"], &words.join(" ")).unwrap();
    let several = |from: usize| words[from..from + 4].join(" ");
    let root = std::fs::read_to_string(s.dir.path().join("root.key")).unwrap();
    let root = root.split_whitespace().last().unwrap().to_owned();

    s.send("PUT", "/f", &[], &content).expect(201);
    s.send("PUT", "/large", &[], content.repeat(10_000)).expect(201);
    s.send_as(&basic("ann", &revoked), "GET", "/f", &[], "").expect(200);
    s.send_as(&basic("ann", &wrong), "GET", "/f", &[], "").expect(401);
    s.send_as(&basic(&unknown, &wrong), "GET", "/f", &[], "").expect(401);
    s.send_as(&basic("bob", &s.secret), "GET", "/f", &[], "").expect(401);
    s.send_as(&format!("Bearer {bearer}"), "GET", "/f", &[], "").expect(401);
    s.send_as(&format!("Digest username=\"ann\", response=\"{bearer}\""), "GET", "/f", &[], "").expect(401);
    s.send_as("", "GET", "/f", &[&format!("Cookie: __Host-holm={cookie}")], "").expect(401);
    s.send("GET", &format!("/f?password={query}"), &[], "").expect(200);
    s.send("POST", "/f", &["Content-Type: application/x-www-form-urlencoded"], format!("password={query}")).expect(405);
    s.send("COPY", "/f", &[&format!("Destination: http://ann:{query}@elsewhere.example/x")], "").expect(502);
    // Broken requests, whose bytes an error could quote.
    s.raw(format!("GET /{query} HTTP/1.1\r\nHost: {}\nAuthorization: Bearer {bearer}\r\n\r\n", s.address).as_bytes());
    s.raw(format!("PROPFIND / HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Length: {query}\r\n\r\n", s.authorization()).as_bytes());
    http2(s, &basic("ann", &wrong));
    // The JSON API: a session's token, a secret that it tells once, and a body with a secret in the wrong place.
    let token = session(s, "ann", Session::Proven);
    s.ask(&token, "GET", "/me", &[], "").expect(200);
    let made = s.ask(&token, "POST", "/app-passwords", &[], r#"{"name": "phone"}"#).expect(201).json();
    let shown = made["secret"].as_str().expect("a secret").to_owned();
    s.send_as(&basic("ann", &shown), "GET", "/f", &[], "").expect(200);
    let body = format!(r#"{{"name": "phone", "password": "{query}"}}"#);
    assert_eq!(s.ask(&token, "POST", "/app-passwords", &[], &body).status / 100, 4);
    s.ask(&token, "GET", &format!("/parties?token={query}"), &[], "");
    let apps = crate::oauth_flow::secrets(s);
    let more = sign_in_secrets(s);
    s.run(&["app-password", "revoke", "ann", "2"]).unwrap();
    std::thread::sleep(Duration::from_millis(1_200));
    s.send_as(&basic("ann", &revoked), "GET", "/f", &[], "").expect(401);

    let plain = |secret: &str| secret.replace('-', "");
    let encoded = |header: String| header.trim_start_matches("Basic ").trim_end_matches('=').to_owned();
    let forgotten = || {
        vec![
            canary("a wrong password", &wrong),
            canary("a revoked app password", &revoked),
            canary("its letters", plain(&revoked)),
            canary("a person's password", &person),
            canary("words of the kit", several(0)),
            canary("other words of the kit", several(20)),
            canary("the root key in hexadecimal digits", &root),
        ]
    };
    let mut nowhere = forgotten();
    nowhere.extend([
        canary("an app password", &s.secret),
        canary("the letters of an app password", plain(&s.secret)),
        canary("a wrong password with its name, as sent", encoded(basic("ann", &wrong))),
        canary("an app password with its name, as sent", encoded(s.authorization())),
        canary("a session's token", token),
        canary("an app password made by the JSON API", shown),
        canary("a bearer token", bearer),
        canary("a cookie", cookie),
        canary("a password in a URI or a form", query),
        canary("the root key", hex(root.as_bytes())),
        canary("content", content),
    ]);
    nowhere.extend(more);
    nowhere.extend(apps.into_iter().map(|(what, secret)| canary(what, secret)));
    (nowhere, forgotten())
}

/// The same with what people sign in by: a password typed right and wrong, an authenticator app's secret, recovery codes, and the
/// links that they give to others.
fn sign_in_secrets(s: &Server) -> Vec<Canary> {
    let (password, wrong) = (unique("right"), unique("typed"));
    let token = &session(s, "ann", Session::Proven);
    s.ask(token, "PUT", "/password", &[], &json!({ "password": password }).to_string()).expect(204);
    let body = |password: &str| json!({ "name": "ann", "password": password }).to_string();
    s.ask("", "POST", "/session", &[], &body(&wrong)).expect(401);
    let signed = s.ask("", "POST", "/session", &[], &body(&password)).expect(200);
    let cookie = |answer: &Answer, name: &str| {
        let line = answer.head.lines().find(|l| l.to_ascii_lowercase().starts_with("set-cookie:") && l.contains(name)).expect("a cookie");
        line.split(['=', ';']).nth(1).unwrap().to_owned()
    };
    let (opened, device) = (cookie(&signed, "__Host-holm="), cookie(&signed, "__Host-holm-device="));
    let totp = s.ask(token, "POST", "/totp", &[], "").expect(200).json()["secret"].as_str().unwrap().to_owned();
    let codes = s.ask(token, "POST", "/recovery-codes", &[], "").expect(201).json();
    let code = codes["codes"][0].as_str().unwrap().to_owned();
    let phrase = unique("phrase");
    let made = s.ask(token, "POST", "/links", &[], &json!({ "path": "/f", "password": phrase }).to_string()).expect(201).json();
    let held = made["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    s.send_as(&basic("x", &phrase), "GET", &format!("/dav/links/{held}/f"), &[], "").expect(200);
    s.send_as(&basic("x", &wrong), "GET", &format!("/dav/links/{held}/f"), &[], "").expect(401);
    let visit = s.ask("", "POST", "/links/open", &[], &json!({ "token": held, "password": phrase }).to_string()).expect(200);
    let invited = s.run(&["--json", "person", "invite"]).unwrap();
    let invitation = invited.rsplit('#').next().unwrap().split(['"', '\\']).next().unwrap().to_owned();
    s.ask("", "POST", "/welcome/link", &[], &json!({ "token": invitation }).to_string()).expect(200);
    vec![
        canary("a password typed wrong", wrong),
        canary("a password typed right", password),
        canary("a session that was signed in to", opened),
        canary("a browser's token", device),
        canary("an authenticator app's secret", totp),
        canary("a recovery code", code),
        canary("a link's token", held),
        canary("a link's password", phrase),
        canary("a visitor's token", cookie(&visit, "__Secure-holm-link=")),
        canary("an invitation's token", invitation),
    ]
}

/// The same over HTTP/2, whose library tells much of what it does.
fn http2(s: &Server, authorization: &str) {
    let Some(curl) = tool("curl", "t52 over HTTP/2") else { return };
    let header = format!("Authorization: {authorization}");
    let sent = Command::new(curl)
        .args(["--http2-prior-knowledge", "-s", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "-H", &header, &s.url()])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&sent.stdout), "2 401");
}

/// Whoever can read the log, the data directory or the metrics learns no secret, however much is logged.
#[test]
fn t52_secrets_are_in_no_log_and_in_nothing_that_is_kept() {
    for more in [&["--log", "debug"][..], &["--log", "trace", "--log-format", "json"]] {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut s = Server::start_told(&[more, &["--metrics", &port.to_string()]].concat(), Some("said"));
        let (nowhere, _) = use_secrets(&s);
        let metrics = metrics(port);
        assert!(metrics.contains("holm_requests_total"), "{metrics}");
        assert_eq!(found(metrics.as_bytes(), &nowhere), Vec::<String>::new(), "in the metrics");
        assert!(s.terminate());
        let said = std::fs::read(s.dir.path().join("said")).unwrap();
        let text = String::from_utf8_lossy(&said);
        assert!(text.contains("sign-in failed") && text.contains("COPY"), "too little was logged to say anything: {text}");
        assert_eq!(found(&said, &nowhere), Vec::<String>::new(), "in what holm said with {more:?}");
        let mut files = 0;
        kept(s.dir.path(), &["root.key", "said"], &mut |path, bytes| {
            files += 1;
            assert_eq!(found(bytes, &nowhere), Vec::<String>::new(), "in {}", path.display());
        });
        assert!(files >= 2, "{files} files are too few to say anything");
    }
}

fn metrics(address: std::net::SocketAddr) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// What a server must hold: the root key, people's keys and those of TLS, without which it could open nothing; what clients present
/// while it is looked at; the head and the body of a request, as they came, until their memory is used for another. What was only
/// looked at is wiped.
#[test]
fn t52_what_was_only_presented_is_forgotten() {
    let test = "t52_what_was_only_presented_is_forgotten";
    let s = Server::start_told(&["--log", "debug"], Some("said"));
    let (nowhere, forgotten) = use_secrets(&s);
    // Others come and go; each takes the place of one before in memory.
    std::thread::scope(|scope| {
        for n in 0..8 {
            let s = &s;
            scope.spawn(move || (0..40).for_each(|m| _ = s.send("PROPFIND", "/", &["Depth: 1", &format!("X-Filler: {}", "x".repeat(97 * (n + m)))], "")));
        }
    });
    let mut there = Vec::new();
    let mut all = Vec::new();
    let seen = memory(s.pid(), |place, bytes| {
        there.extend(found(bytes, &forgotten).into_iter().map(|what| format!("{what} in {place}")));
        all.extend(found(bytes, &nowhere));
    });
    if seen.is_none() {
        return skip(test, "the memory of another process can not be read here");
    }
    eprintln!("in memory: {all:?}");
    assert!(all.iter().any(|what| what.starts_with("the root key (")), "the memory is not looked at as it should be: {all:?}");
    assert_eq!(there, Vec::<String>::new());
}

/// A crash leaves no core dump, whatever the system is set to.
#[test]
fn t52_a_crash_writes_no_memory_to_a_disk() {
    let crash = |program: &mut Command, dir: &Path| {
        let mut child = program.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1_000));
        assert!(Command::new("kill").args(["-ABRT", &child.id().to_string()]).status().unwrap().success());
        child.wait().unwrap().core_dumped()
    };
    let unlimited = |what: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -c unlimited && exec {what}")]);
        shell
    };
    let dir = tempfile::tempdir().unwrap();
    assert!(command(dir.path()).args(["person", "add", "ann"]).output().unwrap().status.success());
    if !crash(&mut unlimited("sleep 10"), dir.path()) {
        return skip("t52_a_crash_writes_no_memory_to_a_disk", "this system makes no core dumps");
    }
    let serving = command(dir.path());
    let mut words = vec![serving.get_program().to_str().unwrap().to_owned(), "--listen 127.0.0.1:0".to_owned()];
    words.extend(serving.get_args().map(|a| a.to_str().unwrap().to_owned()));
    let mut holm = unlimited(&words.join(" "));
    holm.env_clear().env("PATH", "/usr/bin:/bin").process_group(0);
    assert!(!crash(&mut holm, dir.path()), "a core dump was made");
    let dumps: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).filter(|n| n.starts_with("core")).collect();
    assert!(dumps.len() <= 1, "the one of sleep: {dumps:?}");
}

/// What strangers send is data in a log, never a line of it, nor a command to the terminal that shows it.
#[test]
fn t52_nobody_writes_lines_of_their_own_into_the_log() {
    let evil = "eve\r\n2026-01-01T00:00:00Z  INFO forged: \u{1b}[31mred\u{1b}[0m\u{9b}2J\u{7}";
    for format in ["text", "json"] {
        let mut s = Server::start_told(&["--log", "debug", "--log-format", format], Some("said"));
        s.send_as(&basic(evil, "x"), "GET", "/f", &[], "").expect(401);
        let escaped: String = evil.bytes().map(|b| format!("%{b:02X}")).collect();
        s.send("PUT", &format!("/{escaped}"), &[], "x").expect(400);
        s.send("GET", "/f", &[&format!("User-Agent: {}", evil.replace("\r\n", "\t"))], "");
        s.send(&"FORGED".repeat(10), "/f", &[], "").expect(501);
        s.send("GET", "/f", &["X-Forwarded-For: forged, \u{1b}[31m"], "");
        s.raw(b"\x1b[31mforged\r\n\r\n");
        s.raw(b"GET / HTTP/1.1\r\nHost: \x1b[31mforged\r\n\r\n");
        s.send("MOVE", "/f", &["Destination: http://\u{1b}[31mforged/x"], "");
        assert!(s.terminate());
        let said = std::fs::read(s.dir.path().join("said")).unwrap();
        let control = |b: &u8| *b < 0x20 && *b != b'\n';
        let text = String::from_utf8(said.clone()).expect("UTF-8");
        assert!(!said.iter().any(|b| control(b) || *b == 0x7f) && !text.contains('\u{9b}'), "{format}: {text:?}");
        assert!(text.contains("sign-in failed") && text.contains("eve"), "{text}");
        for line in text.lines().filter(|l| l.contains("forged")) {
            // What a stranger says stands within what holm says of it.
            assert!(
                line.find("sign-in")
                    .or(line.find("request"))
                    .or(line.find("connection"))
                    .is_some_and(|at| at < line.find("forged").unwrap() || format == "json"),
                "{line}"
            );
        }
        if format == "json" {
            let lines = text.lines().filter(|l| l.starts_with('{'));
            assert!(lines.clone().count() > 3 && lines.into_iter().all(|l| l.ends_with('}')), "{text}");
        }
    }
}

/// Names that a person gives are shown in terminals, by the lists of the command line.
#[test]
fn t52_names_hold_nothing_that_a_terminal_obeys() {
    let s = Server::start();
    for evil in ["a\nb", "a\rb", "\u{1b}[31mred", "\u{9b}2J", "a\tb", "\u{7f}"] {
        assert!(s.run(&["app-password", "add", "ann", "--name", evil]).is_err(), "{evil:?}");
        assert!(s.run(&["grant", "add", "ann", "2", "--scope", "/x", "--abilities", "read", "--purpose", evil]).is_err(), "{evil:?}");
        assert!(s.run(&["person", "add", evil]).is_err(), "{evil:?}");
    }
}
