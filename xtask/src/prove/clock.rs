//! clock: the server's wall clock jumps, while it runs and between its runs: years, to the edge of 2038, to an hour that
//! a summer takes away, to where a battery's end leaves it. Nothing acknowledged may go, nor versions or trash before their time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::examine;
use super::holm::{Holm, Running};
use super::load::{Client, Faults, together};
use super::options::{Options, faketime};
use super::{Fallible, Outcome};
use crate::bench::client::Conn;
use crate::bench::content::Random;

const CLIENTS: u64 = 2;
const JUMPS: u64 = 6;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Earlier contents of the file whose versions are counted, by their lengths: each was written before a jump.
const VERSIONED: &str = "/versioned";
const LOCKED: &str = "/locked";
const DATED: &str = "/dated";

/// Where the clock goes, and whether from where it is (or else from 1970 on), in seconds.
const PLACES: &[(&str, bool, i64)] = &[
    ("a year back", true, -365 * DAY),
    ("ten years on", true, 3_652 * DAY),
    ("an hour on", true, HOUR),
    ("an hour back", true, -HOUR),
    ("to the end of 32 bits", false, (1 << 31) - 1),
    ("to the leap second of 2016", false, 1_483_228_799),
    ("to the night that summer began", false, 1_806_195_599),
    ("to the start of 1970", false, 1),
    ("to a day in 2100", false, 4_107_542_400),
];

/// What the server takes for the present.
struct Clock {
    file: PathBuf,
    library: PathBuf,
    /// Seconds ahead of the true time.
    ahead: i64,
}

impl Clock {
    fn new(dir: &Path) -> Fallible<Clock> {
        let clock = Clock { file: dir.join("clock"), library: faketime().ok_or("libfaketime is not installed")?, ahead: 0 };
        clock.show()?;
        Ok(clock)
    }

    /// By rename, because the server reads it all the time.
    fn show(&self) -> Fallible<()> {
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, format!("{:+}\n", self.ahead))?;
        Ok(fs::rename(fresh, &self.file)?)
    }

    fn now(&self) -> Fallible<i64> {
        Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() as i64 + self.ahead)
    }

    /// Answers by how much it jumped.
    fn jump(&mut self, relative: bool, seconds: i64) -> Fallible<i64> {
        // Before 1970 no clock of a machine goes.
        let to = if relative { (self.now()? + seconds).max(1) } else { seconds };
        let by = to - self.now()?;
        self.pass(by)?;
        Ok(by)
    }

    fn pass(&mut self, seconds: i64) -> Fallible<()> {
        self.ahead += seconds;
        self.show()
    }

    /// Timers go on as they would: a wrong clock does not change how fast time goes.
    fn wrapper(&self) -> Vec<String> {
        let file = format!("FAKETIME_TIMESTAMP_FILE={}", self.file.display());
        let preload = format!("LD_PRELOAD={}", self.library.display());
        let rest = ["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_RESET=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"];
        ["env".to_owned(), preload, file].into_iter().chain(rest.map(str::to_owned)).collect()
    }
}

pub fn run(binary: &Path, options: &Options) -> Fallible<Outcome> {
    let mut random = Random::new(options.seed);
    let mut outcome = Outcome::default();
    for round in 1..=options.rounds {
        outcome.rounds = round;
        let beside = tempfile::Builder::new().prefix("holm-prove-").tempdir()?;
        let clock = Clock::new(beside.path())?;
        let holm = Holm::new(binary, &beside.path().join("data"), beside.path())?;
        let clients = (0..CLIENTS).map(|n| Client::new(n, random.next())).collect();
        let mut scene = Scene { holm, clock, clients, kept: Vec::new(), findings: Vec::new() };
        scene.play(&mut random, &mut outcome).map_err(|e| format!("round {round} (--seed {}): {e}", options.seed))?;
        outcome.acknowledged += scene.clients.iter().map(|c| c.acknowledged).sum::<u64>();
        if !scene.findings.is_empty() {
            outcome.findings = scene.findings.into_iter().map(|f| format!("round {round}: {f}")).collect();
            return Ok(outcome);
        }
    }
    let purged = outcome.counts.get("things purged in their time").copied().unwrap_or_default();
    if outcome.acknowledged < options.rounds * 50 || purged < options.rounds {
        let acknowledged = outcome.acknowledged;
        return Err(format!("{acknowledged} acknowledged, {purged} purged in their time in {} rounds: too few to prove anything", options.rounds).into());
    }
    Ok(outcome)
}

struct Scene {
    holm: Holm,
    clock: Clock,
    clients: Vec<Client>,
    /// Lengths of the earlier contents, newest first.
    kept: Vec<usize>,
    findings: Vec<String>,
}

impl Scene {
    fn play(&mut self, random: &mut Random, outcome: &mut Outcome) -> Fallible<()> {
        let (mut running, _) = self.holm.restart_under(&self.clock.wrapper())?;
        self.clients.iter().try_for_each(|c| c.settle(&running.target))?;
        // A tree whose upkeep has never run believes the clock.
        self.gc(&[])?;
        for jump in 0..JUMPS {
            let (name, relative, seconds) = PLACES[random.below(PLACES.len() as u64) as usize];
            self.replace(&running, jump)?;
            let lock = lock(&running)?;
            let dated = self.write_dated(&running, "old")?;
            let (target, clock) = (running.target.clone(), &mut self.clock);
            let stays = random.below(2) == 0;
            let mut by = 0;
            together(&mut self.clients, &target, Faults::Ends, |_| {
                std::thread::sleep(Duration::from_millis(50 + random.below(100)));
                if stays {
                    by = clock.jump(relative, seconds)?;
                    std::thread::sleep(Duration::from_millis(50 + random.below(100)));
                }
                Ok(())
            })?;
            if !stays {
                running.kill()?;
                by = self.clock.jump(relative, seconds)?;
                let (fresh, took) = self.holm.restart_under(&self.clock.wrapper())?;
                running = fresh;
                outcome.restarts.push(took);
            }
            outcome.count(if stays { "jumps while it ran" } else { "jumps between runs" }, 1);
            self.locks(&running, &lock, by)?;
            self.conditions(&running, &dated)?;
            self.findings.extend(examine::everything(&self.holm, &running, &mut self.clients, Instant::now())?);
            self.findings.extend(self.holm.errors()?);
            self.gc(&[])?;
            self.kept(jump + 1)?;
            if !self.findings.is_empty() {
                self.findings.push(format!("the clock had gone {name}, {by} s, {}", if stays { "while it ran" } else { "between its runs" }));
                return running.kill();
            }
        }
        self.right(&mut running, outcome)?;
        running.kill()
    }

    /// The clock is set right, and time passes: what is old goes now, else nothing above says anything.
    fn right(&mut self, running: &mut Running, outcome: &mut Outcome) -> Fallible<()> {
        self.clock.pass(-self.clock.ahead)?;
        self.gc(&[])?;
        self.kept(JUMPS)?;
        self.findings.extend(examine::everything(&self.holm, running, &mut self.clients, Instant::now())?);
        let (trash, versions) = (self.trash()?, self.versions()?.len());
        for _ in 0..5 {
            self.clock.pass(9 * DAY)?;
            self.gc(&[])?;
        }
        outcome.count("things purged in their time", (trash - self.trash()?) as u64);
        outcome.count("versions let go in their time", (versions - self.versions()?.len()) as u64);
        // What was let go while the clock was ahead waits for that time, or for somebody who knows.
        self.clock.jump(false, 7_258_118_400)?;
        self.gc(&["--clock-is-right"])?;
        let left = self.trash()?;
        if left > 0 {
            self.findings.push(format!("{left} things are in the trash for ever"));
        }
        self.findings.extend(examine::everything(&self.holm, running, &mut self.clients, Instant::now())?);
        Ok(())
    }

    fn verb(&self, args: &[&str]) -> Fallible<String> {
        self.holm.verb_under(&self.clock.wrapper(), args)
    }

    fn gc(&self, more: &[&str]) -> Fallible<()> {
        self.verb(&[&["gc"], more].concat()).map(|_| ())
    }

    fn trash(&self) -> Fallible<usize> {
        Ok(self.verb(&["trash", "list", "ann"])?.lines().filter(|line| line.contains("/thrown")).count())
    }

    fn versions(&self) -> Fallible<Vec<usize>> {
        let length = |line: &str| Ok(line.split('\t').nth(1).and_then(|l| l.split(' ').next()).ok_or("a version without its bytes")?.parse()?);
        self.verb(&["versions", "list", "ann", VERSIONED])?.lines().map(length).collect()
    }

    /// A new version of one file, another file into the trash; neither is due for long.
    fn replace(&mut self, running: &Running, jump: u64) -> Fallible<()> {
        let mut conn = Conn::new(&running.target);
        let length = 100 + jump as usize;
        expect(&mut conn, "PUT", VERSIONED, "", &vec![b'v'; length], &[201, 204])?;
        if jump > 0 {
            self.kept.insert(0, length - 1);
        }
        let thrown = format!("/thrown{jump}");
        expect(&mut conn, "PUT", &thrown, "", b"thrown", &[201])?;
        expect(&mut conn, "DELETE", &thrown, "", b"", &[204])
    }

    /// All is kept, in the order in which it was written.
    fn kept(&mut self, thrown: u64) -> Fallible<()> {
        let (trash, versions) = (self.trash()?, self.versions()?);
        if trash as u64 != thrown {
            self.findings.push(format!("{trash} of {thrown} things are left in the trash after gc"));
        }
        if versions != self.kept {
            self.findings.push(format!("of the versions with the lengths {:?} there are {versions:?}", self.kept));
        }
        Ok(())
    }

    /// A lock of an hour holds while that hour lasts, and no lock holds for years.
    fn locks(&mut self, running: &Running, token: &str, by: i64) -> Fallible<()> {
        let mut conn = Conn::new(&running.target);
        let status = conn.send_once("PUT", LOCKED, "", b"unasked")?;
        let holds = (-HOUR - 60..HOUR - 60).contains(&by);
        if holds != (status == 423) {
            self.findings.push(format!("a PUT over a lock of an hour is answered {status} after a jump of {by} s"));
        }
        if status == 423 {
            expect(&mut conn, "UNLOCK", LOCKED, &format!("Lock-Token: {token}\r\n"), b"", &[204])?;
        }
        Ok(())
    }

    /// Answers ETag and date of what was written.
    fn write_dated(&self, running: &Running, text: &str) -> Fallible<(String, String)> {
        let mut conn = Conn::new(&running.target);
        expect(&mut conn, "PUT", DATED, "", text.as_bytes(), &[201, 204])?;
        expect(&mut conn, "GET", DATED, "", b"", &[200])?;
        Ok((conn.etag.clone(), conn.modified.clone()))
    }

    /// Whatever the clock shows, a client with the old content learns of the new one and can not overwrite it.
    fn conditions(&mut self, running: &Running, (old, date): &(String, String)) -> Fallible<()> {
        let mut conn = Conn::new(&running.target);
        let (new, new_date) = self.write_dated(running, "new")?;
        let since = format!("If-Modified-Since: {date}\r\n");
        let status = conn.send_once("GET", DATED, &since, b"")?;
        if date != &new_date && (status, conn.body.as_slice()) != (200, b"new") {
            self.findings.push(format!("a client with the content of {date} asks for a newer one, of {new_date}, and is answered {status}"));
        }
        for (method, condition, want) in [("GET", format!("If-None-Match: {new}\r\n"), 304), ("PUT", format!("If-Match: {old}\r\n"), 412)] {
            let status = conn.send_once(method, DATED, &condition, if method == "PUT" { b"lost" } else { b"" })?;
            if status != want {
                self.findings.push(format!("{method} with {} is answered {status}, not {want}", condition.trim()));
            }
        }
        Ok(())
    }
}

/// Answers the lock's token.
fn lock(running: &Running) -> Fallible<String> {
    const LOCK: &[u8] = br#"<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>"#;
    let mut conn = Conn::new(&running.target);
    expect(&mut conn, "LOCK", LOCKED, "Timeout: Second-3600\r\n", LOCK, &[200, 201])?;
    Ok(conn.lock_token.clone())
}

fn expect(conn: &mut Conn, method: &str, path: &str, headers: &str, body: &[u8], want: &[u16]) -> Fallible<()> {
    match conn.send_once(method, path, headers, body)? {
        status if want.contains(&status) => Ok(()),
        status => Err(format!("{method} {path} is answered {status}: {}", String::from_utf8_lossy(&conn.body)).into()),
    }
}
