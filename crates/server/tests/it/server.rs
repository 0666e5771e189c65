//! A holm of a test's own, on a free port, with a person called ann.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use holm_core::Place;

pub struct Server {
    pub dir: tempfile::TempDir,
    pub secret: String,
    pub address: SocketAddr,
    /// Flags beside the usual ones.
    more: Vec<String>,
    child: Child,
}

/// Paths that are no files of ann's.
const ELSEWHERE: [&str; 5] = ["/dav", "/api", "/rs/", "/oauth/", "/.well-known/"];

/// One answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.text());
        self
    }
}

/// The program, with its data and root key in a directory.
pub fn command(dir: &Path) -> Command {
    let catalog = shared().then(|| database(dir)).map(|url| ("HOLM_CATALOG_URL", url));
    let mut command = plain_command(dir);
    command.envs(catalog);
    command
}

/// The program with its catalogs in files, whatever the other tests use.
fn plain_command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holm"));
    // Which fault to commit, if this is the build that has some.
    let mutant = std::env::var_os("HOLM_MUTANT").map(|name| ("HOLM_MUTANT", name));
    command.env_clear().envs(mutant).arg("--data").arg(dir.join("data")).arg("--root-key").arg(dir.join("root.key"));
    command
}

/// Whether `HOLM_TEST_CATALOG` names a database to try everything on.
fn shared() -> bool {
    std::env::var_os("HOLM_TEST_CATALOG").is_some_and(|url| !url.is_empty())
}

/// The address of a schema of this directory's own, made and migrated the first time.
fn database(dir: &Path) -> String {
    let server = std::env::var("HOLM_TEST_CATALOG").expect("a database");
    let name: String = dir.file_name().and_then(|n| n.to_str()).expect("a name").bytes().map(|b| format!("{b:02x}")).collect();
    let schema = format!("holm_it_{name}");
    let url = format!("{server}?options=-c%20search_path%3D{schema}");
    if !dir.join("schema").exists() {
        std::fs::write(dir.join("schema"), &schema).expect("a note");
        psql(&format!("CREATE SCHEMA {schema}"));
        let migrated = plain_command(dir).arg("migrate").env("HOLM_CATALOG_URL", &url).output().expect("holm runs");
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    }
    url
}

fn psql(sql: &str) {
    let server = std::env::var("HOLM_TEST_CATALOG").expect("a database");
    let done = Command::new("psql").args(["-qX", "-v", "ON_ERROR_STOP=1", "-d", &server, "-c", sql]).output().expect("psql");
    assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Starts serving; what it says goes to the file `said`, where there is one.
fn spawn(dir: &Path, more: &[String], said: Option<&Path>) -> (Child, SocketAddr) {
    let listen = if more.iter().any(|a| a == "--listen") { &[][..] } else { &["--listen", "127.0.0.1:0"] };
    let mut command = command(dir);
    command.args(listen).args(more);
    let (child, line) = match said {
        None => {
            let mut child = command.stdout(Stdio::piped()).spawn().expect("holm starts");
            let mut line = String::new();
            BufReader::new(child.stdout.as_mut().expect("its output")).read_line(&mut line).expect("a line");
            (child, line)
        }
        Some(said) => {
            let file = std::fs::File::options().create(true).append(true).open(said).expect("a file");
            let child = command.stdout(file.try_clone().expect("twice")).stderr(file).spawn().expect("holm starts");
            let line = || std::fs::read_to_string(said).ok()?.lines().find(|l| l.starts_with("holm serves")).map(str::to_owned);
            let found = (0..1_000).find_map(|_| {
                line().or_else(|| {
                    std::thread::sleep(Duration::from_millis(10));
                    None
                })
            });
            (child, found.expect("it serves"))
        }
    };
    let address = line.split("://").nth(1).and_then(|l| l.split(',').next()).expect("an address").parse().expect("host and port");
    (child, address)
}

impl Server {
    pub fn start() -> Server {
        Server::start_with(&[])
    }

    pub fn start_with(more: &[&str]) -> Server {
        Server::start_told(more, None)
    }

    /// One that says all it says into a file of this name in its directory.
    pub fn start_told(more: &[&str], said: Option<&str>) -> Server {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(command(dir.path()).args(["person", "add", "ann"]).output().expect("holm runs").status.success());
        let secret = command(dir.path()).args(["app-password", "add", "ann", "--quiet"]).output().expect("holm runs").stdout;
        let secret = String::from_utf8(secret).expect("text").trim().to_owned();
        let more: Vec<String> = more.iter().map(|a| (*a).to_owned()).collect();
        let (child, address) = spawn(dir.path(), &more, said.map(|name| dir.path().join(name)).as_deref());
        Server { dir, secret, address, more, child }
    }

    /// One where nobody lives yet, and the link that it printed for its first owner.
    pub fn unowned() -> (Server, String) {
        let dir = tempfile::tempdir().expect("a directory");
        let said = dir.path().join("said");
        let (child, address) = spawn(dir.path(), &[], Some(&said));
        let s = Server { dir, secret: String::new(), address, more: Vec::new(), child };
        // It answers when all is said.
        s.page("/health", &[]).expect(200);
        let text = std::fs::read_to_string(said).expect("what it said");
        let link = text.lines().find(|l| l.contains("/welcome#")).expect("a link").trim().to_owned();
        (s, link)
    }

    /// Runs the program on this server's data; answers what it printed, or what it complained of.
    pub fn run(&self, args: &[&str]) -> Result<String, String> {
        self.run_with_input(args, "")
    }

    /// Runs the program; answers what it printed, and what it complained of.
    pub fn output(&self, args: &[&str]) -> (String, String) {
        let output = command(self.dir.path()).args(args).output().expect("holm runs");
        (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub fn run_with_input(&self, args: &[&str], input: &str) -> Result<String, String> {
        let mut command = command(self.dir.path());
        let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("holm runs");
        let _ = child.stdin.take().expect("its input").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("its end");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// Where it keeps everything.
    pub fn place(&self) -> Place {
        Place { data: self.dir.path().join("data"), catalog: shared().then(|| database(self.dir.path())) }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory the server had resident since the last call, in bytes.
    pub fn peak(&self) -> i64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("its status");
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("its peak");
        let kib: i64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").expect("a new start");
        kib * 1024
    }

    pub fn kill_and_restart(&mut self) {
        let _ = self.child.kill();
        self.child.wait().expect("its end");
        (self.child, self.address) = spawn(self.dir.path(), &self.more, None);
    }

    /// Asks it to stop; answers whether it ended well.
    pub fn terminate(&mut self) -> bool {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        self.child.wait().expect("its end").success()
    }

    pub fn url(&self) -> String {
        format!("http://{}/dav/files/ann/", self.address)
    }

    pub fn authorization(&self) -> String {
        basic("ann", &self.secret)
    }

    /// Sends bytes as they are and reads until the server closes.
    pub fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(40))).expect("a timeout");
        // The server may refuse before all is sent.
        let _ = stream.write_all(request);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        parse(&bytes)
    }

    /// `PUT /a` with extra head lines, as ann; the path is below her mount unless it begins with one of [`ELSEWHERE`].
    pub fn send(&self, method: &str, path: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Answer {
        self.send_as(&self.authorization(), method, path, headers, body)
    }

    /// What a stranger gets at a path from the root.
    pub fn page(&self, path: &str, headers: &[&str]) -> Answer {
        let lines: String = headers.iter().map(|h| format!("{h}\r\n")).collect();
        self.raw(format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{lines}\r\n", self.address).as_bytes())
    }

    pub fn send_as(&self, authorization: &str, method: &str, path: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        let rooted = path == "*" || ELSEWHERE.iter().any(|other| path.starts_with(other));
        let path = if rooted { path.to_owned() } else { format!("/dav/files/ann{path}") };
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        if !authorization.is_empty() {
            request += &format!("Authorization: {authorization}\r\n");
        }
        for header in headers {
            request += &format!("{header}\r\n");
        }
        if !headers.iter().any(|h| h.to_ascii_lowercase().starts_with("transfer-encoding")) {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        self.raw(&[request.as_bytes(), b"\r\n", body].concat())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Ok(schema) = std::fs::read_to_string(self.dir.path().join("schema")) {
            psql(&format!("SET client_min_messages = error; DROP SCHEMA {schema} CASCADE"));
        }
    }
}

pub fn basic(name: &str, secret: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{name}:{secret}")))
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let mut body = bytes.get(end + 4..).unwrap_or_default().to_vec();
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        body = unchunk(&body);
    }
    Answer { status, head, body }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = bytes.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap_or("0"), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        out.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        bytes = &bytes[end + 4 + size..];
    }
    out
}

/// A program of this name on the PATH; says by name what is skipped where there is none.
pub fn tool(name: &str, test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).map(|dir| dir.join(name)).find(|p| p.exists());
    if found.is_none() {
        skip(test, &format!("{name} is not installed"));
    }
    found
}

/// A client's folder that `./test` filled from a registry of packages.
pub fn fetched(name: &str, test: &str) -> Option<PathBuf> {
    let var = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = || var("XDG_CACHE_HOME").or_else(|| Some(var("HOME")?.join(".cache"))).map(|c| c.join("holm-clients"));
    let found = var("HOLM_CLIENTS").or_else(cache).map(|c| c.join(name)).filter(|p| p.join("installed").exists());
    if found.is_none() {
        skip(test, &format!("{name} is not fetched, ./test does it"));
    }
    found
}

/// Not through `eprintln!`, which a test that passes keeps to itself.
pub fn skip(test: &str, why: &str) {
    assert!(std::env::var_os("HOLM_TEST_ALL").is_none(), "{test}: {why}, and HOLM_TEST_ALL forbids to skip it");
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}
