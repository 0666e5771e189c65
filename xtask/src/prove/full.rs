//! disk-full: the disk fills while clients write. They must be refused and not harmed, reading must go on, and once
//! there is space again so must writing, without a restart.

use std::path::Path;
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::examine;
use super::holm::{GC, Holm, Running};
use super::load::{Client, Faults, together};
use super::options::Options;
use super::plan::{File, Op, differences};
use super::{Fallible, Outcome};
use crate::bench::client::Conn;
use crate::bench::content::Random;

const CLIENTS: u64 = 3;
const DISK_MIB: u64 = 96;
/// How soon after there is space a write must succeed.
const HEALS: Duration = Duration::from_secs(5);

pub fn run(binary: &Path, options: &Options) -> Fallible<Outcome> {
    let mut random = Random::new(options.seed);
    let mut outcome = Outcome::default();
    for round in 1..=options.rounds {
        outcome.rounds = round;
        let disk = Disk::new(DISK_MIB)?;
        let holm = Holm::new(binary, &disk.data(), disk.key())?;
        let (mut running, _) = holm.restart()?;
        let mut clients: Vec<Client> = (0..CLIENTS).map(|n| Client::new(n, random.next())).collect();
        clients.iter().try_for_each(|c| c.settle(&running.target))?;
        let mut findings = match fill_and_free(&disk, &running, &mut clients, &mut random, &mut outcome) {
            Ok(findings) => findings,
            Err(e) if running.ended()?.is_some() => vec![format!("a full disk ended the server: {e}")],
            Err(e) => return Err(format!("round {round} (--seed {}): {e}", options.seed).into()),
        };
        running.kill()?;
        match holm.restart() {
            Ok((running, took)) => {
                outcome.restarts.push(took);
                findings.extend(examine::everything(&holm, &running, &mut clients, Instant::now())?);
                running.kill()?;
                findings.extend(holm.verb(GC).err().map(|e| format!("gc: {e}")));
                findings.extend(holm.check());
            }
            Err(e) => findings.push(format!("after the disk had been full: {e}")),
        }
        outcome.acknowledged += clients.iter().map(|c| c.acknowledged).sum::<u64>();
        outcome.count("refused", clients.iter().map(|c| c.refused).sum());
        if !findings.is_empty() {
            outcome.findings = findings.into_iter().map(|f| format!("round {round}: {f}")).collect();
            return Ok(outcome);
        }
    }
    let refused = outcome.counts.get("refused").copied().unwrap_or_default();
    if refused < options.rounds || outcome.acknowledged < options.rounds * 5 {
        return Err(format!("{} acknowledged and {refused} refused in {} rounds: too few to prove anything", outcome.acknowledged, options.rounds).into());
    }
    Ok(outcome)
}

fn fill_and_free(disk: &Disk, running: &Running, clients: &mut [Client], random: &mut Random, outcome: &mut Outcome) -> Fallible<Vec<String>> {
    let mut findings = Vec::new();
    together(clients, &running.target, Faults::Full, |_| {
        std::thread::sleep(Duration::from_millis(50 + random.below(300)));
        disk.fill()?;
        std::thread::sleep(Duration::from_millis(100 + random.below(300)));
        Ok(())
    })?;
    // Packs given back by refused uploads leave a little room again.
    disk.fill()?;
    outcome.count("broken connections", settle(running, clients, &mut findings)?);
    let mut conn = Conn::new(&running.target);
    let probe = Op::Put { path: "/probe".into(), file: File::new(random.next(), 2_000_000), if_match: None };
    let refused = clients[0].refused;
    clients[0].perform(&mut conn, probe.clone(), Faults::Full);
    if clients[0].refused == refused && clients[0].unknown.is_none() {
        findings.push("2 MB were taken by a full disk".into());
    }
    settle(running, clients, &mut findings)?;
    findings.extend(examine::reads(running, clients, true)?);
    disk.free()?;
    let freed = Instant::now();
    while !clients[0].state.contains_key("/probe") {
        clients[0].perform(&mut conn, probe.clone(), Faults::Full);
        if freed.elapsed() > HEALS {
            findings.push("with space again, a write is still refused".into());
            break;
        }
    }
    Ok(findings)
}

/// A refusal may come before a large body was sent, and the connection end with it: then what stands there tells, and
/// the client knows again.
fn settle(running: &Running, clients: &mut [Client], findings: &mut Vec<String>) -> Fallible<u64> {
    let mut settled = 0;
    let mut conn = Conn::new(&running.target);
    for client in clients.iter_mut().filter(|c| c.unknown.is_some()) {
        settled += 1;
        let there = super::tree::read(&mut conn, &client.home, findings)?;
        // Neither: it stays as it was acknowledged, and the last look tells.
        if client.possible().iter().any(|state| differences(state, &there).is_empty()) {
            client.adopt(there);
        }
    }
    Ok(settled)
}
