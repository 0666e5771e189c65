//! `cargo xtask bench`: holm beside the WebDAV servers that are installed, one at a time, under the same load, in
//! rounds; prints medians, holm's ratio to the best of the others, and what it is to reach. `--million` compares holm
//! with itself: a tree of a million files with a small one. `--access-log` asks the access log at a million records. `rs` puts
//! holm beside another server of remoteStorage.

mod access_log;
pub mod client;
pub mod content;
mod load;
mod million;
mod options;
mod peers;
mod process;
mod results;
mod server;
mod storage;
mod table;
mod workloads;

use std::path::Path;
use std::process::Command;

use options::{Options, What};
use peers::{PEERS, Peer};
use results::{Figure, Results};
use server::{Directory, Server};
use workloads::{Bench, WORKLOADS};

pub type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

pub use options::USAGE;

pub fn run(args: &[&str]) -> Fallible<()> {
    let options = Options::parse(args)?;
    if !Command::new("cargo").args(["build", "--release", "--bin", "holm"]).status()?.success() {
        return Err("holm does not build; see above".into());
    }
    match options.what {
        What::Peers => compare(&options),
        What::Million => million::run(&options),
        What::AccessLog => access_log::run(&options),
        What::Storage => storage::run(&options),
    }
}

fn compare(options: &Options) -> Fallible<()> {
    let asked = PEERS.iter().filter(|p| p.name == "holm" || options.peers.is_empty() || options.peers.iter().any(|n| n == p.name));
    let (present, absent): (Vec<&'static Peer>, Vec<_>) = asked.partition(|p| (p.version)().is_some());
    for peer in &absent {
        eprintln!("{} is not installed", peer.name);
    }
    let shared = Directory::new()?;
    let mut results = Results::default();
    let mut failures = Vec::new();
    for round in 0..options.rounds {
        let mut order = present.clone();
        order.rotate_left(round % present.len().max(1));
        for peer in order {
            eprintln!("round {} of {}: {}", round + 1, options.rounds, peer.name);
            let mut figures = Vec::new();
            if let Err(e) = measure(peer, options, &shared.path, &mut figures, &mut failures) {
                failures.push(format!("{}: {e}", peer.name));
            }
            results.add(peer.name, round + 1, figures);
            options.write(&results)?;
        }
    }
    println!("{}", table::markdown(&results, &present));
    foot(options, &present, &absent);
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

/// One server, one round. What was measured before a failure is kept.
fn measure(peer: &'static Peer, options: &Options, shared: &Path, figures: &mut Vec<Figure>, failures: &mut Vec<String>) -> Fallible<()> {
    let wanted = options.workloads();
    // Made anew each time: the round may have changed it.
    let large = if wanted.contains(&"put1g") { options.sizes.large_mib } else { 0 };
    let mut large = content::large(&shared.join("large"), large)?;
    let mut server = Server::prepare(peer)?;
    let start = server.start(("PROPFIND", "/"))?;
    figures.extend([Figure::new("cold", start.authenticated), Figure::new("idle_start", start.idle)]);
    let mut bench = Bench { server: &server, sizes: options.sizes, root: "/bench".into(), large: &mut large, idle: start.idle, figures: Vec::new() };
    bench.begin()?;
    for workload in WORKLOADS.iter().filter(|w| wanted.contains(&w.name)) {
        if let Err(e) = (workload.run)(&mut bench) {
            failures.push(format!("{}, {}: {e}", peer.name, workload.name));
        }
    }
    figures.append(&mut bench.figures);
    figures.push(Figure::new("idle_end", server.idle()));
    let pids = process::tree(server.pid());
    figures.extend([Figure::new("cpu", process::cpu(&pids)), Figure::new("peak", process::peak(&pids))]);
    Ok(())
}

/// What the table does not say: the machine, what each server promises, how to read a cell.
fn foot(options: &Options, present: &[&'static Peer], absent: &[&'static Peer]) {
    if options.quick {
        println!("Sizes were reduced (--quick): these figures say nothing.\n");
    }
    println!(
        "Medians over rounds: {}. In brackets the median and the 99th percentile of a single answer in ms; !n: n answers were wrong, and set no mark.",
        options.rounds
    );
    println!("\"holm ÷ best\" is how many times as good as the best of the others, of time and memory as of speed.");
    println!("Mixed: 60 % GET and 15 % PUT of 1 KiB, 15 % PROPFIND of one file, 5 % of 100, 5 % ranges of 64 KiB, for {} s.", options.sizes.mixed.as_secs());
    println!("CPU time includes the mixed load, which lasts equally long for all, however many requests each answers in it.");
    println!("Memory is resident memory, summed over a server's processes. The load ran on the same machine: {}.\n", machine());
    for peer in present {
        println!("- {} ({}): {}", peer.name, (peer.version)().unwrap_or_default(), peer.promise);
    }
    if !absent.is_empty() {
        println!("- not installed here: {}", absent.iter().map(|p| p.name).collect::<Vec<_>>().join(", "));
    }
}

/// Cores, processor, kernel, and the file system that was written to.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo").lines().find_map(|l| Some(l.strip_prefix("model name")?.split_once(": ")?.1.to_owned())).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let told = Command::new("stat").args(["-f", "-c", "%T"]).arg(std::env::temp_dir()).output();
    let files = told.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default();
    let free = if files == "tmpfs" { "; in memory, where a sync costs nothing: set TMPDIR to a disk" } else { "" };
    format!("{cores} cores, {cpu}, Linux {}, {files}{free}", kernel.trim())
}
