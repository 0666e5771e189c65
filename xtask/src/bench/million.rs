//! holm against itself: a tree of a million files beside an empty one, both up, the same workloads on each in turn, so
//! that a busy minute of the machine strikes both; and how long holm takes to start with either.

use std::time::Instant;

use super::content::{Random, small};
use super::options::Options;
use super::peers::{PEERS, Peer};
use super::results::{Figure, Results, median};
use super::server::{Directory, Server, Start};
use super::table::{Better, ROWS, show, verdict};
use super::workloads::{Bench, WORKLOADS};
use super::{Fallible, content, load, machine};

/// Files in each folder.
const FOLDER: u64 = 1_000;
const FOLDERS: u64 = 1_000;
const QUICK_FOLDERS: u64 = 5;
const CONNS: usize = 64;
/// How much worse the large tree may be, in percent.
const WORSE: f64 = 20.0;
const START: f64 = 120.0;
const IDLE: f64 = 32.0;
const WANTED: &[&str] = &["put1k", "get1k", "propfind1", "tree1k", "delete", "del10k"];
const MADE: &[u16] = &[201, 204];

pub fn run(options: &Options) -> Fallible<()> {
    let holm: &'static Peer = PEERS.iter().find(|p| p.name == "holm").ok_or("holm is not among the peers")?;
    let folders = if options.quick { QUICK_FOLDERS } else { FOLDERS };
    let (mut few, mut many) = (Server::prepare(holm)?, Server::prepare(holm)?);
    few.start(("PROPFIND", "/"))?;
    many.start(("PROPFIND", "/"))?;
    fill(&few, 1)?;
    let began = Instant::now();
    fill(&many, folders)?;
    let (secs, files) = (began.elapsed().as_secs_f64(), folders * FOLDER);
    let disk = Directory::allocated(&many.directory.path)?;
    eprintln!("{files} files took {secs:.0} s and {} bytes each", disk / files);
    let starts = [starts(&mut few)?, starts(&mut many)?];

    let mut results = Results::default();
    let shared = Directory::new()?;
    let mut none = content::large(&shared.path.join("large"), 0)?;
    for round in 1..=options.rounds {
        let mut order = [("small", &few, 1), ("million", &many, folders)];
        order.rotate_left(round % 2);
        for (name, server, folders) in order {
            eprintln!("round {round} of {}: {name}", options.rounds);
            let mut bench = Bench { server, sizes: options.sizes, root: format!("/bench{round}"), large: &mut none, idle: 0.0, figures: Vec::new() };
            bench.begin()?;
            for workload in WORKLOADS.iter().filter(|w| WANTED.contains(&w.name)) {
                (workload.run)(&mut bench)?;
            }
            let mut figures = bench.figures;
            figures.push(anywhere(server, options, folders)?);
            results.add(name, round, figures);
            options.write(&results)?;
        }
    }
    println!("| workload | small tree | {files} files | worse by (%) | target | met |\n|---|---|---|---|---|---|");
    for row in ROWS {
        print_change(&results, row.key, row.label, row.better);
    }
    print_change(&results, "anywhere", "GET 1 KiB anywhere in the tree, 8 connections (/s)", Better::More);
    print_starts(&starts);
    println!("\nFilled through WebDAV with PUTs of 1 KiB in {secs:.0} s ({:.0}/s), {} bytes on the disk each.", files as f64 / secs, disk / files);
    println!("Below zero is better. Medians over rounds: {}. {}.", options.rounds, machine());
    Ok(())
}

fn fill(server: &Server, folders: u64) -> Fallible<()> {
    let root = super::client::Conn::new(&server.target).send("MKCOL", "/all/", "", super::client::Body::Bytes(b""))?;
    if root != 201 {
        return Err(format!("MKCOL /all/ answered {root}").into());
    }
    let done = load::run(&server.target, CONNS, |w| {
        for d in w.share(folders) {
            w.send(MADE, "MKCOL", &format!("/all/d{d:03}/"), "", b"");
            (0..FOLDER).for_each(|n| w.send(MADE, "PUT", &format!("/all/d{d:03}/f{n:03}"), "", &small(d * FOLDER + n)));
        }
    })?;
    done.first_error.map_or(Ok(()), |e| Err(format!("filling the tree: {} failed; the first: {e}", done.errors).into()))
}

/// Reads spread over every file that there is.
fn anywhere(server: &Server, options: &Options, folders: u64) -> Fallible<Figure> {
    let reads = load::run(&server.target, 8, |w| {
        let mut random = Random::new(w.number as u64);
        for _ in w.share_within(options.sizes.reads, options.sizes.cap) {
            let n = random.below(folders * FOLDER);
            w.checked(&[200], "GET", &format!("/all/d{:03}/f{:03}", n / FOLDER, n % FOLDER), "", b"", |c| c.body == small(n));
        }
    })?;
    Ok(Figure::new("anywhere", reads.rate()).of(&reads, f64::NAN, f64::NAN))
}

/// Medians of three starts.
fn starts(server: &mut Server) -> Fallible<Start> {
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(server.start(("GET", "/all/d000/f000"))?);
    }
    let of = |part: fn(&Start) -> f64| median(all.iter().map(part).collect()).unwrap_or(f64::NAN);
    Ok(Start { answered: of(|s| s.answered), authenticated: of(|s| s.authenticated), idle: of(|s| s.idle) })
}

/// By how many percent of the small tree's figure the large one's is worse.
fn worse(better: Better, small: f64, million: f64) -> f64 {
    let change = 100.0 * (million / small - 1.0);
    if better == Better::More { -change } else { change }
}

fn print_change(results: &Results, key: &str, label: &str, better: Better) {
    let Some((small, million)) = results.summary("small", key).zip(results.summary("million", key)) else { return };
    let change = worse(better, small.value, million.value);
    let met = change < WORSE && small.errors + million.errors == 0;
    println!("| {label} | {} | {} | {change:+.0} | < {WORSE} | {} |", show(small.value), show(million.value), verdict(Some(met)));
}

fn print_starts([small, million]: &[Start; 2]) {
    let line = |label: &str, part: fn(&Start) -> f64, limit: f64| {
        let (s, m) = (part(small), part(million));
        println!("| {label} | {} | {} | | ≤ {limit} | {} |", show(s), show(m), verdict(Some(m <= limit)));
    };
    line("start, until /health answers (ms)", |s| s.answered, START);
    line("start, until the first GET with a password (ms)", |s| s.authenticated, START);
    line("memory, idle after the start (MiB)", |s| s.idle, IDLE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worse_is_slower_whichever_way_it_was_measured() {
        assert!((worse(Better::More, 100.0, 75.0) - 25.0).abs() < 1e-9);
        assert!((worse(Better::Less, 4.0, 5.0) - 25.0).abs() < 1e-9);
        assert!(worse(Better::Less, 5.0, 4.0) < 0.0);
    }
}
