//! memory: a server that may have 256 MiB, under a hundred clients that work and attack. It must do with that. Then it is
//! given less and less, until the system ends it in the midst of things: and nothing acknowledged may be gone.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::examine;
use super::holm::{Holm, Running};
use super::load::{Client, Faults, together};
use super::options::{Options, cgroups};
use super::{Fallible, Outcome};
use crate::bench::client::{Conn, Target};
use crate::bench::content::{Random, noise};
use crate::keeper::Keeper;

/// Clients that remember what they were told, and those that only want the server's memory.
const CLIENTS: u64 = 8;
const ATTACKERS: usize = 92;
const LIMIT: u64 = 256 << 20;
const LASTS: Duration = Duration::from_secs(6);
/// How long an attacker waits before it looks whether it is to stop.
const TURN: Duration = Duration::from_millis(500);
/// How long the limit is lowered before that proves nothing.
const PATIENCE: Duration = Duration::from_secs(20);
const LARGE: usize = 48 << 20;
const MANY: u64 = 1_000;
const LEAVE: &str = r#"cat >/dev/null; n=0; while [ -d "$0" ] && ! rmdir "$0" && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done"#;

/// A control group of the memory controller, version 1 or 2.
struct Group {
    dir: PathBuf,
    limit: &'static str,
    used: &'static str,
    events: &'static str,
    _keeper: Keeper,
}

impl Group {
    fn new() -> Fallible<Group> {
        let (root, second) = cgroups().ok_or("no control groups of memory")?;
        let dir = root.join(format!("holm-prove-{}", std::process::id()));
        let _keeper = Keeper::new(LEAVE, &dir.display().to_string())?;
        fs::create_dir(&dir)?;
        let (limit, used, events) =
            if second { ("memory.max", "memory.current", "memory.events") } else { ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.oom_control") };
        Ok(Group { dir, limit, used, events, _keeper })
    }

    /// The system refuses less than is in use and can not be given up.
    fn limit(&self, bytes: u64) -> std::io::Result<()> {
        fs::write(self.dir.join(self.limit), bytes.to_string())
    }

    fn used(&self) -> Fallible<u64> {
        Ok(fs::read_to_string(self.dir.join(self.used))?.trim().parse()?)
    }

    /// How often the system ended a process in it for want of memory.
    fn ends(&self) -> Fallible<u64> {
        let events = fs::read_to_string(self.dir.join(self.events))?;
        Ok(events.lines().find_map(|line| line.strip_prefix("oom_kill ")).ok_or("the kernel does not count its kills")?.trim().parse()?)
    }

    fn wrapper(&self) -> Vec<String> {
        let script = r#"echo $$ >"$0" && exec "$@""#;
        ["sh", "-c", script, &self.dir.join("cgroup.procs").display().to_string()].map(str::to_owned).into()
    }
}

pub fn run(binary: &Path, options: &Options) -> Fallible<Outcome> {
    let beside = tempfile::Builder::new().prefix("holm-prove-").tempdir()?;
    let holm = Holm::new(binary, &beside.path().join("data"), beside.path())?;
    let group = Group::new()?;
    let mut random = Random::new(options.seed);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|n| Client::new(n, random.next())).collect();
    let (running, _) = holm.restart()?;
    clients.iter().try_for_each(|c| c.settle(&running.target))?;
    prepare(&running.target)?;
    running.kill()?;
    let mut outcome = Outcome::default();
    for round in 1..=options.rounds {
        outcome.rounds = round;
        let mut findings = bear(&holm, &group, &mut clients, &mut outcome)?;
        findings.extend(starve(&holm, &group, &mut clients, &mut outcome)?);
        outcome.acknowledged = clients.iter().map(|c| c.acknowledged).sum();
        if !findings.is_empty() {
            outcome.findings = findings.into_iter().map(|f| format!("round {round}: {f}")).collect();
            return Ok(outcome);
        }
    }
    let attacks = outcome.counts.get("attacks").copied().unwrap_or_default();
    if outcome.acknowledged < options.rounds * 20 || attacks < options.rounds * ATTACKERS as u64 {
        return Err(format!("{} acknowledged and {attacks} attacks in {} rounds: too few to prove anything", outcome.acknowledged, options.rounds).into());
    }
    Ok(outcome)
}

/// What the attackers ask for.
fn prepare(target: &Target) -> Fallible<()> {
    let mut conn = Conn::new(target);
    let mut send = |method: &str, path: &str, bytes: &[u8]| match conn.send_once(method, path, "", bytes)? {
        201 => Ok(()),
        status => Err(format!("{method} {path} is answered {status}").into()),
    };
    send("PUT", "/large", &noise(1, LARGE))?;
    send("MKCOL", "/many", b"")?;
    (0..MANY).try_for_each(|n| send("PUT", &format!("/many/a-file-with-some-name-{n}"), b"x"))
}

/// Under the limit, with everybody at work.
fn bear(holm: &Holm, group: &Group, clients: &mut [Client], outcome: &mut Outcome) -> Fallible<Vec<String>> {
    group.limit(LIMIT)?;
    let before = group.ends()?;
    let (mut running, took) = holm.restart_under(&group.wrapper())?;
    outcome.restarts.push(took);
    let target = running.target.clone();
    let (mut most, mut attacks) = (0, 0);
    together(clients, &target, Faults::Ends, |_| {
        attacks = attacked(&target, || {
            let began = Instant::now();
            while began.elapsed() < LASTS && running.is_running()? {
                most = most.max(resident(&running)?);
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        })?;
        Ok(())
    })?;
    outcome.count("attacks", attacks);
    let highest = outcome.counts.entry("MiB resident at most").or_default();
    *highest = (*highest).max(most >> 20);
    let mut findings = Vec::new();
    if group.ends()? > before || !running.is_running()? {
        findings.push(format!("{} MiB were not enough: the system ended it, or it ended itself; {}", LIMIT >> 20, holm.log()?.trim()));
        running.kill()?;
        return Ok(findings);
    }
    if most >= LIMIT {
        findings.push(format!("{most} bytes were resident"));
    }
    findings.extend(examine::everything(holm, &running, clients, Instant::now())?);
    running.kill()?;
    findings.extend(holm.errors()?);
    Ok(findings)
}

/// The limit follows what is in use downwards, until the next page that is asked for is one too many.
fn starve(holm: &Holm, group: &Group, clients: &mut [Client], outcome: &mut Outcome) -> Fallible<Vec<String>> {
    group.limit(LIMIT)?;
    let before = group.ends()?;
    let (mut running, _) = holm.restart_under(&group.wrapper())?;
    let target = running.target.clone();
    together(clients, &target, Faults::Ends, |_| {
        attacked(&target, || {
            std::thread::sleep(Duration::from_secs(1));
            let began = Instant::now();
            while running.is_running()? && began.elapsed() < PATIENCE {
                let _ = group.limit(group.used()?);
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok(())
        })
        .map(|_| ())
    })?;
    if group.ends()? == before {
        running.kill()?;
        return Err("the system did not end it, whatever the limit: this proves nothing".into());
    }
    let fault = Instant::now();
    running.kill()?;
    outcome.count("ended by the system", 1);
    outcome.count("unknown ends", clients.iter().filter(|c| c.unknown.is_some()).count() as u64);
    let (running, took) = match holm.restart() {
        Ok(started) => started,
        Err(e) => return Ok(vec![format!("after the system had ended it: {e}")]),
    };
    outcome.restarts.push(took);
    let findings = examine::everything(holm, &running, clients, fault)?;
    running.kill()?;
    Ok(findings)
}

/// The most that was resident, in bytes: its own memory, and files that it maps.
fn resident(running: &Running) -> Fallible<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.unwrap_or_default() << 10)
}

/// Runs `meanwhile` beside the attackers; answers how often they tried.
fn attacked(target: &Target, meanwhile: impl FnOnce() -> Fallible<()>) -> Fallible<u64> {
    let (stop, tried) = (&AtomicBool::new(false), &AtomicU64::new(0));
    std::thread::scope(|scope| {
        for number in 0..ATTACKERS {
            scope.spawn(move || {
                let attack = Attack::new(number, target);
                while !stop.load(Ordering::SeqCst) {
                    tried.fetch_add(1, Ordering::SeqCst);
                    // Whatever the server does about it.
                    let _ = attack.run(target, stop);
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
        let done = meanwhile();
        stop.store(true, Ordering::SeqCst);
        done
    })?;
    Ok(tried.load(Ordering::SeqCst))
}

/// A request that makes a server hold much, sent piece by piece; its answer is read as slowly.
struct Attack {
    request: Vec<u8>,
    piece: usize,
    pause: Duration,
}

impl Attack {
    fn new(number: usize, target: &Target) -> Attack {
        let Target { address, prefix, authorization } = target;
        let request = |line: &str, headers: &str, body: &[u8]| {
            let (method, path) = line.split_once(' ').unwrap_or_default();
            let head = format!("{method} {prefix}{path} HTTP/1.1\r\nHost: {address}\r\n{authorization}Connection: close\r\n{headers}\r\n");
            [head.as_bytes(), body].concat()
        };
        let sized = |line: &str, headers: &str, body: &[u8]| request(line, &format!("{headers}Content-Length: {}\r\n", body.len()), body);
        let names = |n: usize, length: usize| (0..n).map(|n| format!("<p{n:0length$}/>")).collect::<String>();
        let propfind = |names: String| format!(r#"<propfind xmlns="DAV:"><prop>{names}</prop></propfind>"#).into_bytes();
        let path = format!("PUT /attack{number}");
        let (request, piece, millis) = match number % 7 {
            // Large files up, as fast as they are taken, and slowly.
            0 => (sized(&path, "", &noise(number as u64, 5 << 20)), 1 << 20, 0),
            1 => (sized(&path, "", &noise(number as u64, 40 << 20)), 32 << 10, 20),
            // And down, whole and in parts.
            2 => (request("GET /large", "", b""), 64 << 10, 100),
            3 => {
                let ranges: Vec<String> = (0..8).map(|n| format!("{}-{}", n * 5_000_000, n * 5_000_000 + 4_000_000)).collect();
                (request("GET /large", &format!("Range: bytes={}\r\n", ranges.join(",")), b""), 64 << 10, 100)
            }
            // As many elements as are read, and as many names as a thousand answers may repeat.
            4 => (sized("PROPFIND /many/", "Depth: 1\r\n", &propfind(names(19_000, 40))), 1 << 20, 0),
            5 => (sized("PROPFIND /many/", "Depth: 1\r\n", &propfind(names(500, 100))), 64 << 10, 20),
            // As many pieces as there can be.
            _ => (request(&path, "Transfer-Encoding: chunked\r\n", &[b"1\r\nx\r\n".repeat(300_000), b"0\r\n\r\n".to_vec()].concat()), 64 << 10, 0),
        };
        Attack { request, piece, pause: Duration::from_millis(millis) }
    }

    fn run(&self, target: &Target, stop: &AtomicBool) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(target.address)?;
        stream.set_read_timeout(Some(TURN))?;
        stream.set_write_timeout(Some(TURN))?;
        let (mut sent, mut answer) = (0, vec![0; self.piece]);
        while !stop.load(Ordering::SeqCst) {
            let left = &self.request[sent..];
            let done = if left.is_empty() { stream.read(&mut answer) } else { stream.write(&left[..self.piece.min(left.len())]) };
            match done {
                Ok(0) => break,
                Ok(n) if !left.is_empty() => sent += n,
                Ok(_) => {}
                // The server takes its time: the more it holds meanwhile.
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) => return Err(e),
            }
            std::thread::sleep(self.pause);
        }
        Ok(())
    }
}
