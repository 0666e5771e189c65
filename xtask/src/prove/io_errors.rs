//! io-errors: the kth write or sync of the server's files fails, for every k until a whole flow needs fewer. Then the
//! power goes: whatever was acknowledged in spite of the failure must not have depended on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::disk::Disk;
use super::examine;
use super::flow;
use super::holm::Holm;
use super::load::Client;
use super::options::Options;
use super::{Fallible, Outcome};
use crate::bench::client::Conn;

/// Every way a file changes. Of these only writes go anywhere but files, and `write` is not used on packs.
const CATALOG: &str = "write,pwrite64,fsync,fdatasync,ftruncate";
const PACKS: &str = "pwrite64,fsync,fdatasync";
/// A flow needs at least so many calls; fewer mean that nothing was injected.
const LEAST: u64 = 8;

pub fn run(binary: &Path, options: &Options) -> Fallible<Outcome> {
    let mut outcome = Outcome::default();
    let disk = &mut Disk::new(1_024)?;
    let holm = Holm::new(binary, &disk.data(), disk.key())?;
    for (what, calls, only) in [("catalog", CATALOG, catalogs(&disk.data())?), ("packs", PACKS, Vec::new())] {
        let mut tried = 0;
        for k in 1..=options.rounds {
            let trace = disk.beside.join("trace");
            let mut wrapper: Vec<String> = ["strace", "-f", "--seccomp-bpf", "-qq", "-o"].map(str::to_owned).to_vec();
            wrapper.push(trace.display().to_string());
            only.iter().for_each(|path| wrapper.extend(["-P".to_owned(), path.display().to_string()]));
            wrapper.extend(["-e".into(), format!("trace={calls}"), "-e".into(), format!("inject={calls}:error=EIO:when={k}")]);
            let mut client = [Client::new(k * 2 + u64::from(only.is_empty()), options.seed)];
            let mut findings = failing(&holm, &wrapper, &mut client[0], options.seed + k * 100, &mut outcome)?;
            let injected = fs::read_to_string(&trace)?.matches("(INJECTED)").count();
            disk.cut()?;
            disk.restore()?;
            match holm.restart() {
                Ok((running, took)) => {
                    outcome.restarts.push(took);
                    let made = Conn::new(&running.target).send_once("PROPFIND", &client[0].home, "Depth: 0\r\n", b"")? == 207;
                    if made || client[0].acknowledged > 0 {
                        findings.extend(examine::everything(&holm, &running, &mut client, Instant::now())?);
                    } else {
                        findings.extend(holm.check());
                    }
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

/// One flow with one failure. A server that failed to commit must end by itself, and not well.
fn failing(holm: &Holm, wrapper: &[String], client: &mut Client, seed: u64, outcome: &mut Outcome) -> Fallible<Vec<String>> {
    let Ok(mut running) = holm.start(wrapper) else {
        outcome.count("refused to start", 1);
        return Ok(Vec::new());
    };
    let mut findings = Vec::new();
    if client.settle(&running.target).is_ok() {
        flow::run(client, &running.target, seed)?;
    }
    let failed = client.unknown.is_some();
    let log = fs::read_to_string(wrapper.iter().skip_while(|a| *a != "-o").nth(1).ok_or("no trace")?)?;
    let poisoned = log.lines().any(|l| l.contains("(INJECTED)")) && failed;
    if poisoned {
        outcome.count("failed requests", 1);
        match running.ended()? {
            Some(false) => outcome.count("ended by itself", 1),
            Some(true) => findings.push("storage failed, but the server ended as if all were well".into()),
            None => outcome.count("went on", 1),
        }
    }
    if running.is_running()? {
        running.kill()?;
    }
    Ok(findings)
}
