//! kill, power, power-in-recovery, power-in-gc: clients write, the fault strikes at a random moment, the server comes
//! back, and everything is looked at. Rounds go on from each other until the disk has filled, then on a fresh one.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::examine;
use super::holm::{GC, Holm, Running};
use super::load::{Client, Faults, Moment, together};
use super::options::{Check, Options};
use super::{Fallible, Outcome};
use crate::bench::client::Conn;
use crate::bench::content::Random;

const CLIENTS: u64 = 8;
const DISK_MIB: u64 = 512;
/// What a thousand more files may take of it.
const MIB_A_THOUSAND: u64 = 3;
/// The longest a start after a fault may take, in milliseconds.
const RESTART: f64 = 5_000.0;
/// A disk this full, in percent, is cleared.
const FULL: u64 = 60;
/// Fewer acknowledgements a round prove nothing.
const LEAST: u64 = 5;
/// Rounds of which at least one gc must have written a pack anew.
const COMPACTS: u64 = 20;
const COMPACTED: &str = "compactions";

/// A disk, a tree on it, and the clients that work there.
struct Scene {
    disk: Disk,
    holm: Holm,
    clients: Vec<Client>,
}

impl Scene {
    fn new(binary: &Path, seed: u64, files: u64) -> Fallible<Scene> {
        let disk = Disk::new(DISK_MIB + files.div_ceil(FOLDER) * MIB_A_THOUSAND)?;
        let holm = Holm::new(binary, &disk.data(), disk.key())?;
        let (running, _) = holm.restart()?;
        lie_there(&mut Conn::new(&running.target), files)?;
        let clients: Vec<Client> = (0..CLIENTS).map(|n| Client::new(n, seed)).collect();
        clients.iter().try_for_each(|c| c.settle(&running.target))?;
        running.kill()?;
        Ok(Scene { disk, holm, clients })
    }
}

/// Files of a folder of those that only lie there.
const FOLDER: u64 = 1_000;

/// Puts files there that nobody works on: a folder of them, and copies of it.
fn lie_there(conn: &mut Conn, files: u64) -> Fallible<()> {
    let mut send = |method, path: &str, to: Option<String>, body: &[u8]| -> Fallible<()> {
        let to = to.map(|to| conn.destination(&to)).unwrap_or_default();
        match conn.send_once(method, path, &to, body)? {
            201 => Ok(()),
            status => Err(format!("{method} {path} is answered {status}").into()),
        }
    };
    for folder in 0..files.div_ceil(FOLDER) {
        if folder > 0 {
            send("COPY", "/many0", Some(format!("/many{folder}")), b"")?;
            continue;
        }
        send("MKCOL", "/many0", None, b"")?;
        (0..FOLDER.min(files)).try_for_each(|n: u64| send("PUT", &format!("/many0/{n}"), None, &n.to_le_bytes()))?;
    }
    Ok(())
}

pub fn run(binary: &Path, options: &Options) -> Fallible<Outcome> {
    let mut random = Random::new(options.seed);
    let mut scene = Scene::new(binary, random.next(), options.files)?;
    let mut outcome = Outcome::default();
    for round in 1..=options.rounds {
        if scene.disk.used()? > FULL {
            scene.holm.verb(GC)?;
            outcome.count("clearings", 1);
        }
        if scene.disk.used()? > FULL {
            scene = Scene::new(binary, random.next(), options.files)?;
        }
        outcome.rounds = round;
        let findings =
            self::round(&mut scene, options.check, &mut random, &mut outcome).map_err(|e| format!("round {round} (--seed {}): {e}", options.seed))?;
        if !findings.is_empty() {
            outcome.findings = findings.into_iter().map(|f| format!("round {round}: {f}")).collect();
            return Ok(outcome);
        }
    }
    if outcome.acknowledged < LEAST * options.rounds {
        return Err(format!("only {} requests were acknowledged in {} rounds: this proves nothing", outcome.acknowledged, options.rounds).into());
    }
    if options.check == Check::PowerInGc && options.rounds >= COMPACTS && outcome.counts.get(COMPACTED).is_none_or(|n| *n == 0) {
        return Err(format!("no gc of {} rounds wrote a pack anew: this proves nothing", options.rounds).into());
    }
    Ok(outcome)
}

/// Milliseconds up to `most`, small ones as often as large.
pub fn moment(random: &mut Random, most: u64) -> Duration {
    let most = random.below(most) + 1;
    Duration::from_micros(random.below(most * 1_000))
}

fn round(scene: &mut Scene, check: Check, random: &mut Random, outcome: &mut Outcome) -> Fallible<Vec<String>> {
    let (running, _) = scene.holm.restart()?;
    let before: u64 = scene.clients.iter().map(|c| c.acknowledged).sum();
    // Only large contents leave gc something to do.
    let small = check != Check::PowerInGc && random.below(2) == 0;
    scene.clients.iter_mut().for_each(|c| c.small = small);
    let (wait, rest) = (Duration::from_millis(20) + moment(random, if small { 3_000 } else { 500 }), moment(random, 30));
    let paused = random.below(2) == 0;
    let target = running.target.clone();
    let mut fault = Instant::now();
    together(&mut scene.clients, &target, Faults::Ends, |moment| {
        std::thread::sleep(wait);
        fault = Instant::now();
        if check != Check::Kill {
            cut(&scene.disk, &running, paused, moment)?;
            std::thread::sleep(rest);
        }
        running.kill()
    })?;
    outcome.acknowledged += scene.clients.iter().map(|c| c.acknowledged).sum::<u64>() - before;
    outcome.count("unknown ends", scene.clients.iter().filter(|c| c.unknown.is_some()).count() as u64);
    match check {
        Check::Kill => {}
        Check::PowerInRecovery => {
            scene.disk.restore()?;
            for _ in 0..=random.below(3) {
                cut_in_recovery(scene, moment(random, 40))?;
                outcome.count("cuts while starting", 1);
            }
        }
        Check::PowerInGc => {
            scene.disk.restore()?;
            // One marks what is dead, another deletes it.
            for _ in 0..2 + random.below(2) {
                let wait = Some(moment(random, 200)).filter(|_| random.below(2) == 0);
                let told = cut_in_gc(scene, wait)?;
                outcome.count(if told.is_empty() { "cuts in gc" } else { "cuts after gc" }, 1);
                // What stands before the first person's count is none.
                outcome.count(COMPACTED, told.split("\"packs_compacted\":").skip(1).map(|t| u64::from(!t.starts_with('0'))).sum());
            }
        }
        _ => scene.disk.restore()?,
    }
    let (running, took) = match scene.holm.restart() {
        Ok(started) => started,
        Err(e) => return Ok(vec![format!("after the fault: {e}")]),
    };
    outcome.restarts.push(took);
    let mut findings = examine::everything(&scene.holm, &running, &mut scene.clients, fault)?;
    if check == Check::Kill {
        // Nothing failed but the process: whatever it then answered with 500 is on its own account.
        findings.extend(scene.holm.errors()?);
    }
    if took > RESTART {
        findings.push(format!("it took {took:.0} ms to start"));
    }
    running.kill()?;
    Ok(findings)
}

/// The power goes under a server that works. Linux 6.18 answers an fsync of a growing file with success when ext4 is shut
/// down in its midst, which no disk does that loses its power: there nobody hears the answer. So either nothing is in
/// the midst of anything, and every answer counts, also those after the cut; or answers count until the cut begins.
fn cut(disk: &Disk, running: &Running, paused: bool, moment: &Moment) -> Fallible<()> {
    if !paused {
        moment.loose.store(true, Ordering::SeqCst);
        return disk.cut();
    }
    running.pause()?;
    disk.cut()?;
    running.resume()
}

/// The power goes again while the server starts and opens the tree.
fn cut_in_recovery(scene: &mut Scene, wait: Duration) -> Fallible<()> {
    let (holm, disk) = (&scene.holm, &scene.disk);
    std::thread::scope(|scope| {
        let started = scope.spawn(move || {
            // It may fail at any point, or not.
            let Ok(running) = holm.start(&[]) else { return Ok(()) };
            let _ = Conn::new(&running.target).send_once("PROPFIND", "/", "Depth: 0\r\n", b"");
            running.kill()
        });
        std::thread::sleep(wait);
        disk.cut()?;
        started.join().unwrap_or_else(|_| Err("a start failed".into()))
    })?;
    scene.disk.restore()
}

/// The power goes while `holm gc` takes away all that may go, or as soon as it has; answers what it said at its end.
fn cut_in_gc(scene: &mut Scene, wait: Option<Duration>) -> Fallible<String> {
    let mut gc = scene.holm.command(&[]).arg("--json").args(GC).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    match wait {
        Some(wait) => std::thread::sleep(wait),
        None => _ = gc.wait()?,
    }
    scene.disk.cut()?;
    gc.kill()?;
    let said = gc.wait_with_output()?.stdout;
    scene.disk.restore()?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}
