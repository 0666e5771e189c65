//! io-errors: the kth call on the server's files fails, for every k until a flow needs fewer, for each flow. Then the
//! power goes: whatever was acknowledged in spite of the failure must not have depended on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::disk::Disk;
use super::examine;
use super::flow::{self, Act, Flow};
use super::holm::{GC, Holm, Running};
use super::load::Client;
use super::options::Options;
use super::plan::Op;
use super::{Fallible, Outcome};
use crate::bench::client::Conn;

/// Which calls fail, and on which files; none named: on all.
struct Sweep {
    what: &'static str,
    calls: &'static str,
    files: Vec<PathBuf>,
    /// An upload makes at least one, and is refused when one fails.
    needed: bool,
}

const CATALOGS: &str = "calls on catalogs";

/// The sweeps that a flow has something for.
fn sweeps(flow: &Flow, data: &Path) -> Fallible<Vec<Sweep>> {
    let mut trees = Vec::new();
    for person in fs::read_dir(data.join("people"))? {
        trees.push(person?.path());
    }
    let catalogs = trees.iter().map(|tree| tree.join("catalog.db")).chain([data.join("holm.db")]);
    let files = catalogs.flat_map(|path| [path.with_extension("db-wal"), path]).collect();
    let any = |what, calls| Sweep { what, calls, files: Vec::new(), needed: false };
    let mut sweeps = vec![Sweep { files, ..any(CATALOGS, "write,pwrite64,fsync,fdatasync,ftruncate") }];
    // What is there already goes to no pack.
    let known = |hash| flow.before.iter().any(|op| matches!(op, Op::Put { file, .. } if file.hash == hash));
    let large = matches!(&flow.act, Act::Request(Op::Put { file, .. }) if file.length > 65_536 && !known(file.hash));
    // A pack's name is not known before; but what is opened to be made, and synced by fdatasync, is a pack.
    if large {
        sweeps.push(any("opened packs", "openat"));
        sweeps.push(any("writes to packs and catalogs", "pwrite64"));
        sweeps.push(Sweep { needed: true, ..any("syncs of packs", "fdatasync") });
        let packs = trees.iter().map(|tree| tree.join("packs")).collect();
        sweeps.push(Sweep { files: packs, needed: true, ..any("syncs of packs' names", "fsync") });
    }
    if matches!(flow.act, Act::Gc) {
        sweeps.push(any("calls of gc on any file", "pwrite64,fsync,fdatasync,ftruncate,unlink,unlinkat,rename"));
    }
    Ok(sweeps)
}

/// A disk this full, in percent, is cleared.
const FULL: u64 = 50;
/// Fewer calls that failed in all mean that nothing was injected.
const LEAST: u64 = 40;

pub fn run(binary: &Path, options: &Options) -> Fallible<Outcome> {
    let mut outcome = Outcome::default();
    let mut tried = 0;
    for (n, flow) in Flow::all(options.seed).iter().enumerate() {
        let disk = &mut Disk::new(768)?;
        let holm = Holm::new(binary, &disk.data(), disk.key())?;
        for sweep in sweeps(flow, &disk.data())? {
            for k in 1..=options.rounds {
                outcome.rounds += 1;
                let mut client = [Client::new(outcome.rounds, options.seed)];
                // Contents that are not there yet.
                let flow = Flow::all(options.seed.wrapping_add(outcome.rounds * 100)).swap_remove(n);
                let (injected, mut findings) = one(disk, &holm, &flow, &sweep, k, &mut client[0], &mut outcome)?;
                disk.cut()?;
                disk.restore()?;
                match holm.restart() {
                    Ok((running, took)) => {
                        outcome.restarts.push(took);
                        findings.extend(examine::everything(&holm, &running, &mut client, Instant::now())?);
                        Conn::new(&running.target).send_once("DELETE", &client[0].home, "", b"")?;
                        running.kill()?;
                    }
                    Err(e) => findings.push(format!("does not start again: {e}")),
                }
                outcome.acknowledged += client[0].acknowledged;
                if sweep.needed && k == 1 && !injected {
                    findings.push("none was made".into());
                }
                outcome.findings.extend(findings.into_iter().map(|f| format!("{}, {}, number {k} of each thread: {f}", flow.name(), sweep.what)));
                if !outcome.findings.is_empty() {
                    return Ok(outcome);
                }
                if !injected {
                    break;
                }
                if disk.used()? > FULL {
                    holm.verb(GC)?;
                }
                tried += 1;
                outcome.count(sweep.what, 1);
            }
        }
        outcome.count("flows", 1);
    }
    if tried < LEAST.min(options.rounds * 14) {
        return Err(format!("only {tried} calls could be made to fail: this proves nothing").into());
    }
    Ok(outcome)
}

/// One flow in which the kth call of each thread fails. Answers whether any did.
fn one(disk: &Disk, holm: &Holm, flow: &Flow, sweep: &Sweep, k: u64, client: &mut Client, outcome: &mut Outcome) -> Fallible<(bool, Vec<String>)> {
    let trace = disk.beside.join("trace");
    let (Sweep { calls, files, .. }, out) = (sweep, trace.display().to_string());
    let mut strace: Vec<String> = ["strace", "-f", "-qq", "-o", &out].map(str::to_owned).to_vec();
    strace.extend(["-e".into(), format!("trace={calls}"), "-e".into(), format!("inject={calls}:error=EIO:when={k}")]);
    files.iter().for_each(|path| strace.extend(["-P".to_owned(), path.display().to_string()]));
    prepare(holm, client, flow)?;
    let findings = match &flow.act {
        Act::Start(requests) => from_the_start(holm, &strace, client, requests.clone(), outcome)?,
        Act::Request(op) => once_it_serves(holm, &strace, client, op.clone(), (sweep, &trace), outcome)?,
        Act::Stop => while_it_ends(holm, &strace, outcome)?,
        Act::Gc => in_gc(holm, &strace, outcome)?,
    };
    Ok((injected(&trace)?, findings))
}

fn injected(trace: &Path) -> Fallible<bool> {
    Ok(fs::read_to_string(trace)?.contains("(INJECTED)"))
}

fn prepare(holm: &Holm, client: &mut Client, flow: &Flow) -> Fallible<()> {
    let (running, _) = holm.restart()?;
    client.settle(&running.target)?;
    let failed = flow::run(client, &running.target, flow.before.clone());
    running.stop()?;
    if failed == 0 { Ok(()) } else { Err("requests fail without a fault".into()) }
}

/// A catalog that failed to commit may hold anything: the server must end by itself, and not well.
fn must_end(running: &mut Running, outcome: &mut Outcome) -> Fallible<Vec<String>> {
    Ok(match running.ended()? {
        Some(false) => {
            outcome.count("ends", 1);
            Vec::new()
        }
        Some(true) => vec!["storage failed, but the server ended as if all were well".into()],
        None => vec!["storage failed, but the server went on".into()],
    })
}

fn from_the_start(holm: &Holm, strace: &[String], client: &mut Client, requests: Vec<Op>, outcome: &mut Outcome) -> Fallible<Vec<String>> {
    let strace = [strace, &["--seccomp-bpf".to_owned()]].concat();
    let Ok(mut running) = holm.start(&strace) else {
        outcome.count("refused starts", 1);
        return Ok(Vec::new());
    };
    let failed = flow::run(client, &running.target, requests);
    let findings = if failed > 0 { must_end(&mut running, outcome)? } else { Vec::new() };
    if running.is_running()? {
        running.kill()?;
    }
    Ok(findings)
}

/// Counted from when the server serves and the tree is open. A pack that failed is left alone, and its upload refused;
/// the next one may succeed.
fn once_it_serves(
    holm: &Holm,
    strace: &[String],
    client: &mut Client,
    op: Op,
    (sweep, trace): (&Sweep, &Path),
    outcome: &mut Outcome,
) -> Fallible<Vec<String>> {
    let (mut running, _) = holm.restart()?;
    let mut tracer = attach(strace, &running)?;
    let failed = flow::run(client, &running.target, vec![op]);
    let mut findings = Vec::new();
    if failed > 0 && sweep.what == CATALOGS {
        findings = must_end(&mut running, outcome)?;
    } else {
        outcome.count("failed uploads", failed);
    }
    running.kill()?;
    tracer.wait()?;
    if sweep.needed && failed == 0 && injected(trace)? {
        findings.push("it failed, and the upload was accepted".into());
    }
    Ok(findings)
}

fn attach(strace: &[String], running: &Running) -> Fallible<std::process::Child> {
    let tracer = Command::new(&strace[0]).args(&strace[1..]).args(["-p", &running.pid().to_string()]).stderr(Stdio::null()).spawn()?;
    running.traced()?;
    Ok(tracer)
}

fn while_it_ends(holm: &Holm, strace: &[String], outcome: &mut Outcome) -> Fallible<Vec<String>> {
    let (running, _) = holm.restart()?;
    let mut tracer = attach(strace, &running)?;
    outcome.count("bad ends", u64::from(!running.stop()?));
    tracer.wait()?;
    Ok(Vec::new())
}

fn in_gc(holm: &Holm, strace: &[String], outcome: &mut Outcome) -> Fallible<Vec<String>> {
    let done = holm.command(strace).args(GC).stdin(Stdio::null()).output()?;
    outcome.count("failed gcs", u64::from(!done.status.success()));
    Ok(Vec::new())
}
