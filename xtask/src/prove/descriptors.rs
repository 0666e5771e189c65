//! descriptors: a crowd of idle and slow connections, many times what the server may have open, while clients work. They
//! must not notice, nothing may fail for want of a descriptor, and when the crowd goes everybody is let in again.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::examine;
use super::holm::{Holm, Running};
use super::load::{Client, Faults, together};
use super::options::Options;
use super::{Fallible, Outcome};
use crate::bench::client::{Conn, Target};
use crate::bench::content::Random;

const CLIENTS: u64 = 3;
/// Descriptors that the server may have.
const LIMIT: u64 = 128;
/// Connections held at a time, each a descriptor here too.
const HELD: usize = 600;
const LASTS: Duration = Duration::from_secs(3);
/// How soon after the crowd has gone a newcomer must be answered.
const HEALS: Duration = Duration::from_secs(5);

pub fn run(binary: &Path, options: &Options) -> Fallible<Outcome> {
    let beside = tempfile::Builder::new().prefix("holm-prove-").tempdir()?;
    let holm = Holm::new(binary, &beside.path().join("data"), beside.path())?;
    let mut random = Random::new(options.seed);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|n| Client::new(n, random.next())).collect();
    let (running, _) = holm.restart()?;
    clients.iter().try_for_each(|c| c.settle(&running.target))?;
    running.kill()?;
    let mut outcome = Outcome::default();
    let wrapper = ["prlimit".to_owned(), format!("--nofile={LIMIT}:{LIMIT}")];
    for round in 1..=options.rounds {
        outcome.rounds = round;
        let (mut running, took) = holm.restart_under(&wrapper)?;
        outcome.restarts.push(took);
        let mut findings = round_of(&mut running, &mut clients, &mut random, &mut outcome)?;
        if running.is_running()? {
            findings.extend(examine::everything(&holm, &running, &mut clients, Instant::now())?);
        }
        running.kill()?;
        findings.extend(holm.errors()?);
        outcome.acknowledged = clients.iter().map(|c| c.acknowledged).sum();
        if !findings.is_empty() {
            outcome.findings = findings.into_iter().map(|f| format!("round {round}: {f}")).collect();
            return Ok(outcome);
        }
    }
    let away = outcome.counts.get("turned away").copied().unwrap_or_default();
    if outcome.acknowledged < options.rounds * 20 || away < options.rounds * LIMIT {
        let acknowledged = outcome.acknowledged;
        return Err(format!("{acknowledged} acknowledged, {away} turned away in {} rounds: too few to prove anything", options.rounds).into());
    }
    Ok(outcome)
}

fn round_of(running: &mut Running, clients: &mut [Client], random: &mut Random, outcome: &mut Outcome) -> Fallible<Vec<String>> {
    let mut findings = Vec::new();
    let target = running.target.clone();
    let mut crowd = Crowd { target: target.clone(), held: Vec::new(), tried: 0, away: 0 };
    let mut most = 0;
    together(clients, &target, Faults::Ends, |_| {
        // The clients are in by then.
        std::thread::sleep(Duration::from_millis(100));
        let began = Instant::now();
        while began.elapsed() < LASTS && running.is_running()? {
            crowd.grow(random.below(100));
            most = most.max(std::fs::read_dir(format!("/proc/{}/fd", running.pid()))?.count() as u64);
        }
        Ok(())
    })?;
    outcome.count("connections tried", crowd.tried);
    outcome.count("turned away", crowd.away);
    outcome.count("clients that were cut off", clients.iter().filter(|c| c.unknown.is_some()).count() as u64);
    let before = outcome.counts.entry("descriptors at most").or_default();
    *before = most.max(*before);
    drop(crowd);
    let gone = Instant::now();
    while !matches!(Conn::new(&target).send_once("PROPFIND", "/", "Depth: 0\r\n", b""), Ok(207)) {
        if gone.elapsed() > HEALS {
            findings.push(format!("{} s after the crowd had gone, nobody is let in", HEALS.as_secs()));
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    if !running.is_running()? {
        findings.push("the server ended".into());
    }
    Ok(findings)
}

struct Crowd {
    target: Target,
    held: Vec<TcpStream>,
    tried: u64,
    away: u64,
}

impl Crowd {
    /// Some more come; those that were turned away are let go, and the others send a little.
    fn grow(&mut self, some: u64) {
        for _ in 0..some.min((HELD - self.held.len()) as u64) {
            self.tried += 1;
            if let Ok(stream) = self.join() {
                self.held.push(stream);
            }
        }
        let before = self.held.len();
        self.held.retain_mut(|stream| {
            let mut answer = [0; 4_096];
            // Ended, reset, or with nothing to say yet.
            let open = match stream.read(&mut answer) {
                Ok(n) => n > 0,
                Err(e) => e.kind() == ErrorKind::WouldBlock,
            };
            open && !matches!(stream.write(b"x"), Err(e) if e.kind() != ErrorKind::WouldBlock)
        });
        self.away += (before - self.held.len()) as u64;
        std::thread::sleep(Duration::from_millis(10));
    }

    fn join(&self) -> std::io::Result<TcpStream> {
        let Target { address, prefix, authorization } = &self.target;
        let mut stream = TcpStream::connect(address)?;
        let begun = match self.tried % 4 {
            // It says nothing for now, half a head, or sends a file byte by byte; or it asks and stays.
            0 => String::new(),
            1 => format!("GET {prefix}/ HTTP/1.1\r\nHost: {address}\r\nX-Slow: "),
            2 => format!("PUT {prefix}/slow HTTP/1.1\r\nHost: {address}\r\n{authorization}Content-Length: 60000\r\n\r\n"),
            _ => format!("GET /health HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        };
        stream.write_all(begun.as_bytes())?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }
}
