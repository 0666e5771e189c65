//! TLS from files and from an authority, metrics on a port of their own, and the names requests may be meant for.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::{Server, basic, tool};

/// A certificate for `name` and its key, signed by itself.
fn self_signed(openssl: &Path, dir: &Path, name: &str, days: &str) -> (PathBuf, PathBuf) {
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let names = format!("subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1");
    let args = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        days,
        "-subj",
        "/CN=holm test",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ];
    let made = Command::new(openssl).args(args).args(["-addext", &names]).arg("-keyout").arg(&key).arg("-out").arg(&cert).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (cert, key)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What curl prints, or its complaint.
fn curl(args: &[&str]) -> Result<String, String> {
    let output = Command::new("curl").args(["-sS", "--max-time", "10"]).args(args).output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn tls_from_files_speaks_http_1_and_2() {
    let test = "tls_from_files_speaks_http_1_and_2";
    let (Some(openssl), Some(_)) = (tool("openssl", test), tool("curl", test)) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = self_signed(&openssl, dir.path(), "holm.test", "3");
    let metrics = format!("127.0.0.1:{}", free_port());
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let s = Server::start_with(&["--tls-cert", cert, "--tls-key", key, "--hosts", "holm.test", "--metrics", &metrics]);
    let port = s.address.port();
    let url = format!("https://holm.test:{port}/dav/files/ann/f");
    let resolve = format!("holm.test:{port}:127.0.0.1");
    let user = format!("ann:{}", s.secret);
    let file = dir.path().join("file");
    std::fs::write(&file, vec![5; 300_000]).unwrap();
    let base = ["--cacert", cert, "--resolve", &resolve, "-u", &user];
    let put = [&base[..], &["-T", file.to_str().unwrap(), "-w", "%{http_code} %{http_version}", "--http2", &url]].concat();
    assert_eq!(curl(&put).unwrap(), "201 2");
    let get = [&base[..], &["-o", "/dev/null", "-w", "%{http_code} %{http_version} %{size_download}", "--http1.1", &url]].concat();
    assert_eq!(curl(&get).unwrap(), "200 1.1 300000");
    assert!(curl(&["-k", "--tls-max", "1.1", &format!("https://127.0.0.1:{port}/health")]).is_err(), "old TLS is refused");
    // The same over a name that is not this server's, and over an address.
    let health = |host: &str, version: &str| {
        curl(&["-k", "-o", "/dev/null", "-w", "%{http_code}", version, "-H", &format!("Host: {host}"), &format!("https://127.0.0.1:{port}/health")])
    };
    for version in ["--http1.1", "--http2"] {
        assert_eq!(health("evil.example", version).unwrap(), "421");
        assert_eq!(health("holm.test", version).unwrap(), "200");
        assert_eq!(health("127.0.0.1", version).unwrap(), "200");
    }
    let text = curl(&[&format!("http://{metrics}/metrics")]).unwrap();
    assert!(text.contains("holm_requests_total{method=\"PUT\",status=\"201\"} 1"), "{text}");
    assert_eq!(curl(&["-k", "-o", "/dev/null", "-w", "%{http_code}", &format!("https://127.0.0.1:{port}/metrics")]).unwrap(), "401", "not for the public");
}

#[test]
fn t12_names_that_lead_here_by_a_trick_are_refused() {
    let s = Server::start();
    let get = |head: &str| s.raw(format!("GET {head}\r\nConnection: close\r\n\r\n").as_bytes()).status;
    assert_eq!(get("/health HTTP/1.1\r\nHost: localhost:1"), 200);
    assert_eq!(get("/health HTTP/1.1\r\nHost: [::1]:8420"), 200);
    assert_eq!(get("/health HTTP/1.1\r\nHost: evil.example"), 421);
    assert_eq!(get("/health HTTP/1.1\r\nHost: 127.0.0.1.evil.example"), 421);
    assert_eq!(get("http://evil.example/health HTTP/1.1\r\nHost: evil.example"), 421);
    assert_eq!(get("http://localhost/health HTTP/1.1\r\nHost: 127.0.0.1"), 400, "target and Host differ");
    assert_eq!(get("/health HTTP/1.1\r\nHost: localhost\r\nHost: localhost"), 400);
    assert_eq!(get("/health HTTP/1.1"), 400);
}

/// The status of a sign-in with a wrong password by what a proxy says of the client.
fn wrong(s: &Server, forwarded: &str) -> u16 {
    s.send_as(&basic("ann", "wrong"), "GET", "/f", &[&format!("X-Forwarded-For: {forwarded}")], "").status
}

#[test]
fn t31_clients_behind_a_proxy_are_told_apart() {
    let s = Server::start_with(&["--proxies", "127.0.0.1"]);
    let tries: Vec<_> = (0..25).map(|_| wrong(&s, "192.0.2.1")).collect();
    assert_eq!((tries[0], tries[24]), (401, 429));
    assert_eq!(wrong(&s, "192.0.2.2"), 401, "another client");
    assert_eq!(wrong(&s, "203.0.113.9, 192.0.2.1"), 429, "what a client claims of itself is not believed");
    assert_eq!(wrong(&s, "192.0.2.1, 127.0.0.1"), 429, "two proxies of ours");
    let refused = s.send_as(&basic("ann", "wrong"), "GET", "/f", &["X-Forwarded-For: 192.0.2.1"], "");
    let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((800..=900).contains(&wait), "{wait}");
    let s = Server::start();
    let tries: Vec<_> = (0..25).map(|n| wrong(&s, &format!("192.0.2.{n}"))).collect();
    assert_eq!(tries[24], 429, "without the setting the header says nothing");
}

#[test]
fn behind_a_proxy_that_changes_the_host_a_destination_is_still_here() {
    let s = Server::start_with(&["--hosts", "cloud.example"]);
    s.send("PUT", "/a", &[], "x").expect(201);
    s.send("MOVE", "/a", &["Destination: https://cloud.example/dav/files/ann/b"], "").expect(201);
    s.send("MOVE", "/b", &["Destination: https://other.example/dav/files/ann/c"], "").expect(502);
}

/// Programs that end with the test.
struct Children(Vec<Child>);
impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_certificate_comes_from_an_acme_authority_and_is_kept() {
    let test = "a_certificate_comes_from_an_acme_authority_and_is_kept";
    let tools = (tool("pebble", test), tool("pebble-challtestsrv", test), tool("openssl", test), tool("curl", test));
    let (Some(pebble), Some(names), Some(openssl), Some(_)) = tools else { return };
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = self_signed(&openssl, dir.path(), "authority.test", "3");
    let [port, authority, management, dns, dns_management] = std::array::from_fn(|_| free_port());
    let config = format!(
        r#"{{"pebble": {{"listenAddress": "127.0.0.1:{authority}", "managementListenAddress": "127.0.0.1:{management}", "certificate": {cert:?},
            "privateKey": {key:?}, "httpPort": 1, "tlsPort": {port}, "ocspResponderURL": "", "externalAccountBindingRequired": false}}}}"#
    );
    std::fs::write(dir.path().join("pebble.json"), config).unwrap();
    let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", "", "-defaultIPv4", "127.0.0.1"];
    let mut children = Children(vec![
        quiet(Command::new(names).args(off).args(["-dns01", &format!("127.0.0.1:{dns}"), "-management", &format!("127.0.0.1:{dns_management}")])),
        quiet(
            Command::new(pebble).env("PEBBLE_VA_NOSLEEP", "1").args(["-dnsserver", &format!("127.0.0.1:{dns}"), "-config"]).arg(dir.path().join("pebble.json")),
        ),
    ]);
    let directory = format!("https://127.0.0.1:{authority}/dir");
    let until = |what: &str, mut done: Box<dyn FnMut() -> bool>| {
        let end = Instant::now() + Duration::from_secs(60);
        while !done() {
            assert!(Instant::now() < end, "{what} did not come");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let there = directory.clone();
    until("the authority", Box::new(move || curl(&["-k", &there]).is_ok()));
    let listen = format!("127.0.0.1:{port}");
    let flags = ["--listen", &listen, "--acme-domains", "cloud.holm.test", "--acme-email", "ann@holm.test"];
    let mut s = Server::start_with(&[&flags[..], &["--acme-directory", &directory, "--acme-ca", cert.to_str().unwrap()]].concat());
    let resolve = format!("cloud.holm.test:{port}:127.0.0.1");
    let url = format!("https://cloud.holm.test:{port}/health");
    let ask = move |more: &[&str]| curl(&[&["-k", "--resolve", &resolve, &url], more].concat()).unwrap_or_default();
    let ask_again = ask.clone();
    let issuer = move || ask_again(&["-v", "--stderr", "-"]);
    let asked = issuer.clone();
    until("the certificate", Box::new(move || asked().contains("issuer: CN=Pebble Intermediate")));
    // After the authority is gone, the kept one serves at once.
    drop(children.0.drain(..).map(|mut c| (c.kill(), c.wait())).collect::<Vec<_>>());
    s.kill_and_restart();
    let asked = issuer.clone();
    until("the kept certificate", Box::new(move || asked().contains("issuer: CN=Pebble Intermediate")));
    assert_eq!(ask(&[]), "ok\n");
    let found = Command::new("grep").args(["-r", "-l", "-a", "PRIVATE KEY"]).arg(s.dir.path().join("data")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "its key lies in no plain file");
}
