//! io-errors: the kth write or sync of the server's files fails, for every k until a whole flow needs fewer. Then the
//! power goes: whatever was acknowledged in spite of the failure must not have depended on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::disk::Disk;
use super::examine;
use super::flow;
use super::holm::Holm;
use super::load::Client;
use super::options::Options;
use super::plan::Op;
use super::{Fallible, Outcome};

/// Which calls fail, on which files, and at least how many of them a flow makes: fewer mean that nothing was injected.
/// A pack's name is not known before; but only packs are synced with fdatasync.
struct Sweep {
    what: &'static str,
    calls: &'static str,
    files: Vec<PathBuf>,
    least: u64,
}

fn sweeps(data: &Path) -> Fallible<Vec<Sweep>> {
    let mut trees = Vec::new();
    for person in fs::read_dir(data.join("people"))? {
        trees.push(person?.path());
    }
    let catalogs = trees.iter().map(|tree| tree.join("catalog.db")).chain([data.join("holm.db")]);
    let files = catalogs.flat_map(|path| [path.with_extension("db-wal"), path]).collect();
    Ok(vec![
        Sweep { what: "catalog calls", calls: "write,pwrite64,fsync,fdatasync,ftruncate", files, least: 8 },
        Sweep { what: "pack syncs", calls: "fdatasync", files: Vec::new(), least: 1 },
        Sweep { what: "syncs of pack names", calls: "fsync", files: trees.iter().map(|tree| tree.join("packs")).collect(), least: 1 },
    ])
}

pub fn run(binary: &Path, options: &Options) -> Fallible<Outcome> {
    let mut outcome = Outcome::default();
    let disk = &mut Disk::new(1_024)?;
    let holm = Holm::new(binary, &disk.data(), disk.key())?;
    for sweep in sweeps(&disk.data())? {
        let mut tried = 0;
        for k in 1..=options.rounds {
            outcome.rounds += 1;
            let mut client = [Client::new(outcome.rounds, options.seed)];
            let (injected, mut findings) = one(disk, &holm, &sweep, k, &mut client[0], &mut outcome)?;
            disk.cut()?;
            disk.restore()?;
            match holm.restart() {
                Ok((running, took)) => {
                    outcome.restarts.push(took);
                    findings.extend(examine::everything(&holm, &running, &mut client, Instant::now())?);
                    running.kill()?;
                }
                Err(e) => findings.push(format!("does not start again: {e}")),
            }
            outcome.acknowledged += client[0].acknowledged;
            outcome.findings.extend(findings.into_iter().map(|f| format!("{}, number {k} of each thread: {f}", sweep.what)));
            if !injected {
                break;
            }
            tried = k;
        }
        if tried < sweep.least.min(options.rounds) {
            return Err(format!("only {tried} {} could be made to fail: this proves nothing", sweep.what).into());
        }
        outcome.count(sweep.what, tried);
    }
    Ok(outcome)
}

/// One flow in which the kth call of each thread fails. Answers whether any did.
fn one(disk: &Disk, holm: &Holm, sweep: &Sweep, k: u64, client: &mut Client, outcome: &mut Outcome) -> Fallible<(bool, Vec<String>)> {
    let trace = disk.beside.join("trace");
    let (Sweep { calls, files, .. }, out) = (sweep, trace.display().to_string());
    let mut strace: Vec<String> = ["strace", "-f", "-qq", "-o", &out].map(str::to_owned).to_vec();
    strace.extend(["-e".into(), format!("trace={calls}"), "-e".into(), format!("inject={calls}:error=EIO:when={k}")]);
    files.iter().for_each(|path| strace.extend(["-P".to_owned(), path.display().to_string()]));
    settle(holm, client)?;
    let seed = k * 100 + outcome.rounds;
    let findings = match sweep.what {
        "catalog calls" => from_the_start(holm, &strace, client, flow::changes(seed), outcome)?,
        _ => once_it_serves(holm, &strace, client, flow::uploads(seed), outcome)?,
    };
    Ok((fs::read_to_string(&trace)?.contains("(INJECTED)"), findings))
}

fn settle(holm: &Holm, client: &Client) -> Fallible<()> {
    let (running, _) = holm.restart()?;
    client.settle(&running.target)?;
    running.stop()?;
    Ok(())
}

/// A catalog that failed to commit may hold anything: the server must end by itself, and not well.
fn from_the_start(holm: &Holm, strace: &[String], client: &mut Client, requests: Vec<Op>, outcome: &mut Outcome) -> Fallible<Vec<String>> {
    let strace = [strace, &["--seccomp-bpf".to_owned()]].concat();
    let Ok(mut running) = holm.start(&strace) else {
        outcome.count("refused starts", 1);
        return Ok(Vec::new());
    };
    let mut findings = Vec::new();
    if flow::run(client, &running.target, requests)? > 0 {
        match running.ended()? {
            Some(false) => outcome.count("ends", 1),
            Some(true) => findings.push("storage failed, but the server ended as if all were well".into()),
            None => findings.push("storage failed, but the server went on".into()),
        }
    }
    if running.is_running()? {
        running.kill()?;
    }
    Ok(findings)
}

/// A pack that failed is left alone, and its upload refused; the next one may succeed. Counted from when the server
/// serves, or its catalogs would come first.
fn once_it_serves(holm: &Holm, strace: &[String], client: &mut Client, requests: Vec<Op>, outcome: &mut Outcome) -> Fallible<Vec<String>> {
    let (mut running, _) = holm.restart()?;
    let mut tracer = Command::new(&strace[0]).args(&strace[1..]).args(["-p", &running.pid().to_string()]).stderr(Stdio::null()).spawn()?;
    running.traced()?;
    let failed = flow::run(client, &running.target, requests)?;
    outcome.count("failed uploads", failed);
    if client.unknown.is_some() && running.ended()?.is_some_and(|well| !well) {
        outcome.count("ends", 1);
    }
    running.kill()?;
    tracer.wait()?;
    Ok(Vec::new())
}
