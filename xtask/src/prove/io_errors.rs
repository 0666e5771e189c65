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

/// Every way a file changes. Of these only writes go anywhere but files, and `write` is not used on packs.
const CATALOG: &str = "write,pwrite64,fsync,fdatasync,ftruncate";
const PACKS: &str = "pwrite64,fsync,fdatasync";
/// A flow needs at least so many calls; fewer mean that nothing was injected.
const LEAST: u64 = 8;

pub fn run(binary: &Path, options: &Options) -> Fallible<Outcome> {
    let mut outcome = Outcome::default();
    let disk = &mut Disk::new(1_024)?;
    let holm = Holm::new(binary, &disk.data(), disk.key())?;
    for (what, calls, requests) in [("catalog", CATALOG, flow::changes as fn(u64) -> Vec<Op>), ("packs", PACKS, flow::uploads)] {
        let mut tried = 0;
        for k in 1..=options.rounds {
            let trace = disk.beside.join("trace");
            let inject = ["-e".into(), format!("trace={calls}"), "-e".into(), format!("inject={calls}:error=EIO:when={k}")];
            let mut strace: Vec<String> = ["strace", "-f", "-qq", "-o"].map(str::to_owned).to_vec();
            strace.push(trace.display().to_string());
            strace.extend(inject);
            let mut client = [Client::new(k * 2 + u64::from(what == "packs"), options.seed)];
            settle(&holm, &client[0])?;
            let requests = requests(options.seed + k * 100);
            let mut findings = match what {
                "catalog" => {
                    catalogs(&disk.data())?.into_iter().for_each(|path| strace.extend(["-P".to_owned(), path.display().to_string()]));
                    strace.push("--seccomp-bpf".into());
                    from_the_start(&holm, &strace, &mut client[0], requests, &mut outcome)?
                }
                _ => once_it_serves(&holm, &strace, &mut client[0], requests, &mut outcome)?,
            };
            let injected = fs::read_to_string(&trace)?.matches("(INJECTED)").count();
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
            outcome.rounds += 1;
            outcome.findings.extend(findings.into_iter().map(|f| format!("{what}, call {k} of each thread: {f}")));
            if injected == 0 {
                break;
            }
            tried = k;
        }
        if tried < LEAST.min(options.rounds) {
            return Err(format!("only {tried} calls on the {what} could be made to fail: this proves nothing").into());
        }
        outcome.count(what, tried);
    }
    Ok(outcome)
}

/// The catalogs and what SQLite keeps beside them.
fn catalogs(data: &Path) -> Fallible<Vec<PathBuf>> {
    let mut found = vec![data.join("holm.db")];
    for person in fs::read_dir(data.join("people"))? {
        found.push(person?.path().join("catalog.db"));
    }
    Ok(found.into_iter().flat_map(|path| [path.with_extension("db-wal"), path]).collect())
}

fn settle(holm: &Holm, client: &Client) -> Fallible<()> {
    let (running, _) = holm.restart()?;
    client.settle(&running.target)?;
    running.stop()?;
    Ok(())
}

/// A catalog that failed to commit may hold anything: the server must end by itself, and not well.
fn from_the_start(holm: &Holm, strace: &[String], client: &mut Client, requests: Vec<Op>, outcome: &mut Outcome) -> Fallible<Vec<String>> {
    let Ok(mut running) = holm.start(strace) else {
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
