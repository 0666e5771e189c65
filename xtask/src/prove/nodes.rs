//! nodes: two holms over one database. Clients of both race for one path; in some histories one of the two is killed in their midst
//! and its clients go to the other (D17), in some the database is (D14). However it went, there must be an order of single
//! requests in which every answer is right, and both must show the same tree.

use std::path::Path;
use std::time::Duration;

use super::cluster::Cluster;
use super::history::Method;
use super::holm::{Holm, Running};
use super::linear::{Asked, CLIENTS, Client, Race, Seen, judge};
use super::options::Options;
use super::{Fallible, Outcome};
use crate::bench::client::Conn;
use crate::bench::content::Random;

/// What happens in the midst of a history, one of so many each.
const FAULTS: u64 = 8;
const KILL: [u64; 2] = [0, 1];
const CRASH: u64 = 2;
/// It comes within this many milliseconds: about as long as a history takes.
const MIDST: u64 = 150;

struct Nodes {
    holm: [Holm; 2],
    running: [Running; 2],
    cluster: Cluster,
}

pub fn run(binary: &Path, options: &Options) -> Fallible<Outcome> {
    let beside = tempfile::Builder::new().prefix("holm-prove-").tempdir()?;
    let cluster = Cluster::new(beside.path())?;
    let first = Holm::shared(binary, &beside.path().join("data"), beside.path(), cluster.url())?;
    let other = beside.path().join("other");
    std::fs::create_dir(&other)?;
    std::fs::copy(beside.path().join("root.key"), other.join("root.key"))?;
    let second = first.beside(&other);
    let running = [first.restart()?.0, second.restart()?.0];
    let mut nodes = Nodes { holm: [first, second], running, cluster };
    let mut random = Random::new(options.seed);
    let mut outcome = Outcome::default();
    for round in 1..=options.rounds {
        outcome.rounds = round;
        let history = nodes.history(round, &mut random, &mut outcome)?;
        if let Err(wrong) = judge(&history, &mut outcome) {
            outcome.findings.push(format!("history {round}: {wrong}"));
            return Ok(outcome);
        }
    }
    for running in nodes.running {
        running.kill()?;
    }
    outcome.findings = nodes.holm[1].check();
    // In the mean of many histories; a few may hold less.
    for (what, each) in [("conditional writes done", 2), ("conditions failed", 4), ("requests that overlapped another", 20)] {
        let n = outcome.counts.get(what).copied().unwrap_or_default();
        if n < each * options.rounds {
            return Err(format!("{n} {what} in {} histories: too few to prove anything", options.rounds).into());
        }
    }
    Ok(outcome)
}

impl Nodes {
    /// Lets the clients race on a path of their own.
    fn history(&mut self, number: u64, random: &mut Random, outcome: &mut Outcome) -> Fallible<Vec<Seen>> {
        let race = Race::of(format!("/h{number}"));
        let mut clients: Vec<Client> = (0..CLIENTS).map(|n| Client::new(n, random.next())).collect();
        let fault = random.below(FAULTS);
        let wait = Duration::from_micros(random.below(MIDST * 1_000));
        let targets = [self.running[0].target.clone(), self.running[1].target.clone()];
        let (cluster, running) = (&self.cluster, &mut self.running);
        std::thread::scope(|scope| -> Fallible<()> {
            for (n, client) in clients.iter_mut().enumerate() {
                let (targets, race) = (&targets, &race);
                // Whose node is gone goes to the other.
                scope.spawn(move || (0..8).for_each(|turn| client.work(&targets[(n + turn) % 2], race)));
            }
            if fault > CRASH {
                return Ok(());
            }
            std::thread::sleep(wait);
            if fault == CRASH {
                outcome.count("crashes of the database", 1);
                cluster.crash()?;
                cluster.start()
            } else {
                outcome.count("nodes killed", 1);
                running[fault as usize].end()
            }
        })?;
        if KILL.contains(&fault) {
            let (fresh, took) = self.holm[fault as usize].restart()?;
            self.running[fault as usize] = fresh;
            outcome.restarts.push(took);
        }
        let mut seen: Vec<Seen> = clients.into_iter().flat_map(Client::into_log).collect();
        for one in &mut seen {
            // The database may go on with what a node that is gone had asked of it.
            one.ended = if one.answer.is_none() { u64::MAX } else { one.ended };
            if one.answer.as_ref().is_some_and(|a| a.0 == 503) {
                outcome.count("requests refused for a while", 1);
                (one.answer, one.ended) = (None, u64::MAX);
            }
        }
        // The end as both see it.
        let last: Vec<Seen> = self.running.iter().map(|r| race.send(&mut Conn::new(&r.target), CLIENTS, Method::Get, Asked::None, None)).collect();
        seen.extend(last);
        seen.sort_by_key(|s| s.sent);
        Ok(seen)
    }
}
