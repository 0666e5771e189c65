//! remoteStorage: holm beside armadietto, one at a time, under the same load from eight connections, in rounds; prints medians and
//! how many times as many holm answers. armadietto is found where `npm install --prefix ~/.cache/holm-clients/armadietto
//! armadietto` puts it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holm_auth::Auth;
use holm_auth::oauth::Allowed;
use holm_auth::oauth::scope::{Dialect, Scopes};
use holm_core::{Clock, Entropy, Env, Gate, Host, Key, Party, RootKey, Timestamp, Via};

use super::client::{Body, Conn};
use super::content::{Random, small};
use super::load::{self, Load, Worker};
use super::options::Options;
use super::peers::{Account, Peer, at, told, with};
use super::server::Server;
use super::{Fallible, machine};

const CONNS: usize = 8;
/// Documents of 1 KiB in the folder that is measured.
const DOCUMENTS: u64 = 1_000;
const QUICK_DOCUMENTS: u64 = 100;
const LIMIT: Duration = Duration::from_secs(8);
const QUICK_LIMIT: Duration = Duration::from_millis(500);
const MADE: &[u16] = &[200, 201, 204];
const TYPE: &str = "Content-Type: application/octet-stream\r\n";

/// What is measured, and how many times as many answers holm is to give.
const WORKLOADS: &[(&str, f64)] = &[
    ("PUT of new documents", 8.0),
    ("PUT over documents", 8.0),
    ("GET of a document", 2.5),
    ("listing of 1,000 documents", 5.0),
    ("the same, not changed since", 0.0),
];
/// What a conditional listing may take, in milliseconds, asked by one alone.
const CONDITIONAL: f64 = 0.2;

static HOLM: Peer = Peer {
    name: "holm",
    version: || told(&mut super::peers::holm_command(), &["--version"]),
    prepare: prepare_holm,
    command: |dir, address| at(dir, &["--listen", &address.to_string(), "--log", "warn"]),
    promise: "synced to the disk before the answer, encrypted, every version kept",
};
static ARMADIETTO: Peer = Peer {
    name: "armadietto",
    version: || told(Command::new("node").arg("-p").arg(format!("'armadietto ' + require('{}/package.json').version", armadietto()?.display())), &[]),
    prepare: prepare_armadietto,
    command: |dir, _| {
        let script = armadietto().unwrap_or_default().join("bin/armadietto.js").display().to_string();
        with(Command::new("node"), &[&script, "-c", &dir.join("conf.json").display().to_string()])
    },
    promise: "no sync, no encryption (file store)",
};

fn armadietto() -> Option<PathBuf> {
    let var = |name| std::env::var_os(name).map(PathBuf::from);
    let clients = var("HOLM_CLIENTS").or_else(|| Some(var("HOME")?.join(".cache/holm-clients")))?;
    Some(clients.join("armadietto/node_modules/armadietto")).filter(|dir| dir.exists())
}

/// An account with a token for one module.
fn prepare_armadietto(dir: &Path, address: SocketAddr) -> Fallible<Account> {
    let module = armadietto().ok_or("armadietto is not installed")?;
    let (files, logs) = (dir.join("files"), dir.join("logs"));
    let conf = format!(
        r#"{{"allow_signup":false,"storage_path":"{}","cache_views":true,"basePath":"","http":{{"host":"{}","port":{}}},
"https":{{"enable":false,"force":false}},"logging":{{"log_dir":"{}","stdout":["error"],"log_files":["error"]}}}}"#,
        files.display(),
        address.ip(),
        address.port(),
        logs.display()
    );
    std::fs::create_dir_all(&logs)?;
    std::fs::write(dir.join("conf.json"), conf)?;
    let script = "const A = require(process.argv[1]); const store = new A.FileTree({ path: process.argv[2] });
        store.createUser({ username: 'bench', email: 'bench@example.org', password: 'bench-bench' })
          .then(() => store.authorize('http://bench.example', 'bench', { notes: ['r', 'w'] })).then(token => console.log(token));";
    let output = Command::new("node").arg("-e").arg(script).arg(&module).arg(&files).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(Account { prefix: "/storage/bench".into(), authorization: format!("Authorization: Bearer {}\r\n", String::from_utf8(output.stdout)?.trim()) })
}

struct Here;

impl Clock for Here {
    fn now(&self) -> Timestamp {
        Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_millis() as i64))
    }
}

impl Entropy for Here {
    fn fill(&self, bytes: &mut [u8]) {
        Random::new(self.now().0 as u64).fill(bytes);
    }
}

/// A person with an app that may do everything in one module.
fn prepare_holm(dir: &Path, _: SocketAddr) -> Fallible<Account> {
    if !at(dir, &["person", "add", "bench"]).output()?.status.success() {
        return Err("holm can not add a person".into());
    }
    let text = std::fs::read_to_string(dir.join("root.key"))?;
    let hex = text.split_whitespace().last().filter(|hex| hex.len() == 64).ok_or("a root key")?;
    let mut key = [0; 32];
    for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16)?;
    }
    let env = Env { clock: Arc::new(Here), entropy: Arc::new(Here) };
    let host = Host::open(&*dir.join("data"), RootKey { key: Key::from_bytes(key), epoch: 1 }, env.clone())?;
    let person = host.person("bench")?.id;
    let gate = Arc::new(Gate::new(Arc::new(host), env));
    let access = gate.admit(Party::operator(person).into(), Via::HERE)?;
    let scopes = Scopes::parse("notes:rw", Dialect::RemoteStorage).ok_or("a scope")?;
    let (client, name, purpose) = ("https://bench.example", "bench", String::new());
    let allowed =
        Allowed { client, subject: client, name, scopes: &scopes, purpose, terms: None, until: None, doors: Vec::new(), key: None, sector: String::new() };
    let token = Auth::new(gate, "http://localhost").storage_token(&access, &allowed)?.access;
    Ok(Account { prefix: "/rs/bench".into(), authorization: format!("Authorization: Bearer {}\r\n", token.reveal()) })
}

/// What one server did in one round: a load each, and the median of a conditional listing asked for by one alone.
fn measure(peer: &'static Peer, documents: u64, limit: Duration) -> Fallible<(Vec<Load>, f64)> {
    let mut server = Server::prepare(peer)?;
    server.start(("GET", "/notes/"))?;
    let document = |n: u64| format!("/notes/documents/{n}");
    let run = |work: &(dyn Fn(&mut Worker) + Sync)| load::run(&server.target, CONNS, work);
    let put = |w: &mut Worker, n: u64, seed: u64| w.send(MADE, "PUT", &document(n), TYPE, &small(seed));
    let made = run(&|w| w.share(documents).for_each(|n| put(w, n, n)))?;
    let updated = run(&|w| w.share_within(u64::MAX, limit).for_each(|n| put(w, n % documents, documents + n)))?;
    let got = run(&|w| {
        let mut random = Random::new(w.number as u64);
        for _ in w.share_within(u64::MAX, limit) {
            w.checked(&[200], "GET", &document(random.below(documents)), "", b"", |c| c.body.len() == 1024);
        }
    })?;
    let whole = |c: &Conn| c.body.split(|b| *b == b'{').count() as u64 >= documents;
    let listed = run(&|w| w.share_within(u64::MAX, limit).for_each(|_| w.checked(&[200], "GET", "/notes/documents/", "", b"", whole)))?;
    let mut conn = Conn::new(&server.target);
    conn.send("GET", "/notes/documents/", "", Body::Bytes(b""))?;
    let known = format!("If-None-Match: {}\r\n", conn.etag);
    let same = |w: &mut Worker| w.share_within(u64::MAX, limit).for_each(|_| w.send(&[304], "GET", "/notes/documents/", &known, b""));
    let unchanged = run(&same)?;
    let alone = load::run(&server.target, 1, same)?.quantile(0.5);
    Ok((vec![made, updated, got, listed, unchanged], alone))
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
}

pub fn run(options: &Options) -> Fallible<()> {
    let (documents, limit) = if options.quick { (QUICK_DOCUMENTS, QUICK_LIMIT) } else { (DOCUMENTS, LIMIT) };
    let mut peers: Vec<&'static Peer> = [&HOLM, &ARMADIETTO].into_iter().filter(|p| (p.version)().is_some()).collect();
    let mut rounds: Vec<(&str, Vec<Load>, f64)> = Vec::new();
    for round in 0..options.rounds {
        for peer in &peers {
            eprintln!("round {} of {}: {}", round + 1, options.rounds, peer.name);
            let (loads, alone) = measure(peer, documents, limit)?;
            for (load, (what, _)) in loads.iter().zip(WORKLOADS).filter(|(load, _)| load.errors > 0) {
                eprintln!("{}, {what}: {} wrong answers, the first: {}", peer.name, load.errors, load.first_error.as_deref().unwrap_or_default());
            }
            rounds.push((peer.name, loads, alone));
        }
        peers.rotate_left(1);
    }
    let of = |name: &'static str| rounds.iter().filter(move |r| r.0 == name);
    let rate = |name, n: usize| median(of(name).map(|r| r.1[n].rate()).collect());
    let latency = |name, n: usize, p| median(of(name).map(|r| r.1[n].quantile(p)).collect());
    let cell = |name, n| format!("{:.0} ({:.2}; {:.2})", rate(name, n), latency(name, n, 0.5), latency(name, n, 0.99));
    println!("| {CONNS} connections, 1 KiB | holm (/s) | armadietto (/s) | holm ÷ armadietto | target | met |\n|---|---|---|---|---|---|");
    let mut met = true;
    for (n, (what, target)) in WORKLOADS.iter().enumerate() {
        let ratio = rate("holm", n) / rate("armadietto", n);
        met &= ratio >= *target;
        let (target, good) = if *target == 0.0 { (String::new(), "") } else { (format!("≥ {target}"), if ratio >= *target { "yes" } else { "**no**" }) };
        println!("| {what} | {} | {} | {ratio:.1} | {target} | {good} |", cell("holm", n), cell("armadietto", n));
    }
    let alone = |name| median(of(name).map(|r| r.2).collect());
    let good = if alone("holm") <= CONDITIONAL { "yes" } else { "**no**" };
    met &= alone("holm") <= CONDITIONAL;
    println!("| listing not changed, asked by one alone (ms) | {:.3} | {:.3} | | ≤ {CONDITIONAL} | {good} |", alone("holm"), alone("armadietto"));
    println!("\nMedians of {} rounds on {}.", options.rounds, machine());
    for peer in peers {
        println!("- {} ({}): {}", peer.name, (peer.version)().unwrap_or_default(), peer.promise);
    }
    if options.quick || met { Ok(()) } else { Err("not as fast as it is to be".into()) }
}
