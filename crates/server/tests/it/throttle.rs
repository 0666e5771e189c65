//! Guessing at passwords (T31) from many places, at many doors and all at once; and what cannot be learned from how long an
//! answer takes (T32).

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Barrier};

use holm_auth::{Auth, Client, SignIn, password};
use holm_core::{Clock, Entropy, Env, Gate, Host, Key, RootKey, Timestamp};

use crate::server::{Server, basic};

/// A proxy that is believed: each try may come from where it likes.
fn behind_a_proxy() -> Server {
    Server::start_with(&["--proxies", "127.0.0.1"])
}

fn try_from(s: &Server, name: &str, address: &str) -> u16 {
    s.send_as(&basic(name, "wrong"), "GET", "/dav/", &[&format!("X-Forwarded-For: {address}")], "").status
}

/// All requests stand complete but for their last byte before any is finished.
fn at_once(s: &Server, tries: &[(String, String)]) -> Vec<u16> {
    let barrier = Barrier::new(tries.len());
    let one = |(name, address): &(String, String)| {
        let mut stream = TcpStream::connect(s.address).unwrap();
        let (host, who) = (s.address, basic(name, "wrong"));
        let head = format!("GET /dav/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-Forwarded-For: {address}\r\nAuthorization: {who}\r\n\r");
        stream.write_all(head.as_bytes()).unwrap();
        barrier.wait();
        stream.write_all(b"\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = tries.iter().map(|t| scope.spawn(|| one(t))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

#[track_caller]
fn assert_let_through(statuses: &[u16], tries: usize) {
    let count = |wanted: u16| statuses.iter().filter(|s| **s == wanted).count();
    assert_eq!((count(401), count(429)), (tries, statuses.len() - tries), "{statuses:?}");
}

#[test]
fn t31_a_hundred_tries_at_once_count_a_hundred() {
    let mut s = behind_a_proxy();
    let tries = |n: usize, name: fn(usize) -> String, from: fn(usize) -> String| (0..n).map(|n| (name(n), from(n))).collect::<Vec<_>>();
    // Of one account from one address 20, of one account from everywhere 100, of one address 100.
    assert_let_through(&at_once(&s, &tries(100, |_| "ann".into(), |_| "192.0.2.1".into())), 20);
    assert_let_through(&at_once(&s, &tries(120, |_| "zoe".into(), |n| format!("198.51.100.{n}"))), 100);
    assert_let_through(&at_once(&s, &tries(120, |n| format!("p{n}"), |_| "203.0.113.1".into())), 100);
    // It makes no difference whether somebody lives here, and a restart forgets nothing.
    s.kill_and_restart();
    assert_eq!([try_from(&s, "ann", "192.0.2.1"), try_from(&s, "zoe", "192.0.2.9"), try_from(&s, "new", "203.0.113.1")], [429; 3]);
    assert_eq!(try_from(&s, "new", "192.0.2.9"), 401);
}

#[test]
fn t31_an_ipv6_network_is_one_client() {
    let s = behind_a_proxy();
    let statuses: Vec<u16> = (0..30).map(|n| try_from(&s, "ann", &format!("2001:db8:0:1:{:x}::{n:x}", n * 7))).collect();
    assert_let_through(&statuses, 20);
    assert_eq!(try_from(&s, "ann", "2001:db8:0:2::1"), 401, "another network");
    // An IPv4 address is one, however it is written.
    let statuses: Vec<u16> = (0..30).map(|n| try_from(&s, "ann", if n % 2 == 0 { "192.0.2.1" } else { "::ffff:192.0.2.1" })).collect();
    assert_let_through(&statuses, 20);
    assert_eq!(try_from(&s, "ann", "::ffff:192.0.2.2"), 401);
}

#[test]
fn t31_what_a_client_claims_of_itself_is_not_believed() {
    for forged in ["X-Forwarded-For: 192.0.2.N", "Forwarded: for=192.0.2.N", "X-Real-IP: 192.0.2.N", "True-Client-IP: 192.0.2.N", "CF-Connecting-IP: 192.0.2.N"]
    {
        // Without a proxy none counts; behind one only what that one adds, which comes last.
        let s = Server::start();
        let behind = behind_a_proxy();
        let statuses = |s: &Server, more: &str| -> Vec<u16> {
            (0..25).map(|n| s.send_as(&basic("ann", "wrong"), "GET", "/", &[&forged.replace('N', &n.to_string()), more], "").status).collect()
        };
        assert_let_through(&statuses(&s, "X-Other: x"), 20);
        assert_let_through(&statuses(&behind, "X-Forwarded-For: 198.51.100.7"), 20);
    }
}

/// One limiter for all doors: whatever is asked, and wherever, is one count.
#[test]
fn t31_all_doors_count_together() {
    let s = Server::start();
    let doors = [
        ("GET", "/f"),
        ("PUT", "/f"),
        ("PROPFIND", "/dav/"),
        ("PROPFIND", "/dav/files/"),
        ("REPORT", "/dav/principals/users/"),
        ("MKCOL", "/d"),
        ("DELETE", "/f"),
        ("COPY", "/f"),
        ("LOCK", "/f"),
        ("BREW", "/f"),
    ];
    let statuses: Vec<u16> =
        (0..30).map(|n| (doors[n % doors.len()], basic("ann", "wrong"))).map(|((method, path), who)| s.send_as(&who, method, path, &[], "").status).collect();
    assert_let_through(&statuses, 20);
}

/// Two groups of times in milliseconds, and how they differ: by their means without the slowest tenth, which the machine is to blame
/// for; and by ranks (Mann and Whitney's test), in standard deviations of what chance gives.
fn difference(a: &[f64], b: &[f64]) -> (f64, f64) {
    let mean = |times: &[f64]| {
        let mut sorted = times.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.truncate(times.len() * 9 / 10);
        sorted.iter().sum::<f64>() / sorted.len() as f64
    };
    let mut all: Vec<(f64, bool)> = a.iter().map(|t| (*t, true)).chain(b.iter().map(|t| (*t, false))).collect();
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let ranks: f64 = all.iter().zip(1..).filter(|((_, first), _)| *first).map(|(_, rank)| f64::from(rank)).sum();
    let (n, m) = (a.len() as f64, b.len() as f64);
    let u = ranks - n * (n + 1.0) / 2.0;
    (mean(a) - mean(b), (u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt())
}

/// Tries in a run of the suite, of app passwords and of passwords, each of which takes long on purpose; with `HOLM_SAMPLES=9800` it is
/// as many as an hour allows.
const SAMPLES: usize = 1_600;
const PASSWORDS: usize = 120;
/// An account may be tried so often in an hour.
const TRIES: usize = 100;

/// One connection on which wrong passwords are tried, each from an address of its own.
struct Guesser<'s> {
    server: &'s Server,
    stream: TcpStream,
    tries: u32,
}

impl Guesser<'_> {
    /// Milliseconds until the answer, and the answer without what differs each time.
    fn guess(&mut self, name: &str) -> (f64, String) {
        self.tries += 1;
        let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + self.tries);
        let (host, who) = (self.server.address, basic(name, "wrong-wrong-wrong"));
        let request = format!("GET /dav/ HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {address}\r\nAuthorization: {who}\r\n\r\n");
        let began = std::time::Instant::now();
        self.stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = [0; 4096];
        let read = self.stream.read(&mut bytes).unwrap();
        let took = began.elapsed().as_secs_f64() * 1e3;
        let text = String::from_utf8_lossy(&bytes[..read]);
        (took, text.lines().filter(|l| !l.starts_with("date")).collect::<Vec<_>>().join("\n"))
    }
}

/// Neither what is answered nor when tells whether somebody of a name lives here.
#[test]
fn t32_a_name_that_is_known_takes_as_long_as_one_that_is_not() {
    let samples = samples(SAMPLES);
    let s = Server::start_told(&["--proxies", "127.0.0.1"], Some("said"));
    let people = (samples / 2).div_ceil(TRIES);
    let names = |kind: &str| (0..people).map(|n| format!("{kind}{n:02}")).collect::<Vec<_>>();
    let (known, unknown) = (names("known"), names("other"));
    known.iter().for_each(|name| drop(s.run(&["person", "add", name]).unwrap()));
    let mut guesser = Guesser { server: &s, stream: TcpStream::connect(s.address).unwrap(), tries: 0 };
    guesser.stream.set_nodelay(true).unwrap();
    let (mut times, mut answers) = ([Vec::new(), Vec::new()], [String::new(), String::new()]);
    for n in 0..samples / 2 {
        // In turns, so that whatever else the machine does strikes both alike.
        let turn = [n % 2, 1 - n % 2];
        for which in turn {
            let (took, answer) = guesser.guess(&[&known, &unknown][which][n % people]);
            assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
            times[which].push(took);
            answers[which] = answer;
        }
    }
    assert_eq!(answers[0], answers[1]);
    assert_alike(&times[0], &times[1], 1.0);
}

fn samples(usual: usize) -> usize {
    std::env::var("HOLM_SAMPLES").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Means within `most` milliseconds of each other, and ranks as chance gives them.
#[track_caller]
fn assert_alike(a: &[f64], b: &[f64], most: f64) {
    let (mean, deviation) = difference(a, b);
    eprintln!("{} tries each: means differ by {:.1} µs, ranks by {deviation:.2} standard deviations", a.len(), mean * 1e3);
    assert!(mean.abs() < most && deviation.abs() < 5.0, "{mean} ms, {deviation} standard deviations");
}

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

impl Entropy for Hands {
    fn fill(&self, bytes: &mut [u8]) {
        File::open("/dev/urandom").unwrap().read_exact(bytes).unwrap();
    }
}

/// A person's password costs as much where there is no such person, or one without a password. Asked of what every door asks, with
/// a clock that passes quickly, so that nobody has to wait.
#[test]
fn t32_a_password_takes_as_long_where_there_is_none() {
    let samples = samples(PASSWORDS);
    let dir = tempfile::tempdir().unwrap();
    let hands = Arc::new(Hands(AtomicI64::new(1_780_000_000_000)));
    let env = Env { clock: hands.clone(), entropy: hands.clone() };
    let host = Host::open(dir.path(), RootKey { key: Key::from_bytes([7; 32]), epoch: 1 }, env.clone()).unwrap();
    let hash = password::hash(&env, "correct horse").unwrap();
    host.add_person("known", Some(&hash), 0).unwrap();
    host.add_person("blank", None, 0).unwrap();
    let auth = Auth::new(Arc::new(Gate::new(Arc::new(host), env)), "https://cloud.example");
    let client = Client { address: "192.0.2.1".parse().unwrap(), agent: "test", device: None };
    let names = ["known", "blank", "other"];
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for n in 0..samples {
        // Each comes after each of the others as often.
        let which = if n / 3 % 2 == 0 { n % 3 } else { 2 - n % 3 };
        hands.0.fetch_add(2 * Timestamp::HOUR, Ordering::SeqCst);
        let began = std::time::Instant::now();
        let outcome = auth.password(names[which], "wrong horse", client).unwrap();
        times[which].push(began.elapsed().as_secs_f64() * 1e3);
        assert!(matches!(outcome, SignIn::Refused), "{outcome:?}");
    }
    assert!(times.iter().all(|t| t.len() >= samples / 4), "{:?}", times.each_ref().map(Vec::len));
    // The means of few that each take tens of milliseconds, beside other tests, say nothing; ranks do.
    let most = if samples > 5_000 { 1.0 } else { f64::INFINITY };
    assert_alike(&times[0], &times[1], most);
    assert_alike(&times[0], &times[2], most);
}

#[test]
fn the_test_of_times_sees_what_is_there_and_nothing_else() {
    let noise = |seed: u32| -> Vec<f64> { (0..2_000u32).map(|n| f64::from((n + seed).wrapping_mul(2_654_435_761) >> 16) / 65_536.0).collect() };
    let (mean, deviation) = difference(&noise(0), &noise(77_777));
    assert!(mean.abs() < 0.05 && deviation.abs() < 4.0, "{mean} {deviation}");
    let later: Vec<f64> = noise(77_777).iter().map(|t| t + 0.1).collect();
    assert!(difference(&noise(0), &later).1 < -6.0);
}
