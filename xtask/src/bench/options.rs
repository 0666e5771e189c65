//! The command line of `cargo xtask bench`.

use std::path::PathBuf;

use super::Fallible;
use super::peers::PEERS;
use super::results::Results;
use super::workloads::{Sizes, WORKLOADS};

pub const USAGE: &str = "cargo xtask bench [--rounds N] [--only WORKLOAD,…] [--peers NAME,…] [--json FILE] [--quick]
                   compare holm with the WebDAV servers installed here
cargo xtask bench --million [--rounds N] [--json FILE] [--quick]
                   compare a tree of a million files with a small one
cargo xtask bench --access-log [--quick]
                   ask the access log who did what, at a million records
cargo xtask bench rs [--rounds N] [--quick]
                   compare holm with another server of remoteStorage";

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// holm beside other servers.
    Peers,
    /// A tree of a million files beside a small one.
    Million,
    /// The access log at a million records.
    AccessLog,
    /// holm beside another server of remoteStorage.
    Storage,
}

pub struct Options {
    pub rounds: usize,
    /// Empty: all.
    pub only: Vec<String>,
    /// Empty: all; holm always takes part.
    pub peers: Vec<String>,
    json: Option<PathBuf>,
    pub quick: bool,
    pub what: What,
    pub sizes: Sizes,
}

impl Options {
    pub fn parse(args: &[&str]) -> Fallible<Options> {
        let mut options = Options { rounds: 0, only: Vec::new(), peers: Vec::new(), json: None, quick: false, what: What::Peers, sizes: Sizes::FULL };
        let mut args = args.iter().copied();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
            match arg {
                "--rounds" => options.rounds = value()?.parse().ok().filter(|n| (1..=100).contains(n)).ok_or("--rounds takes a number from 1 to 100")?,
                "--only" => options.only = names(value()?, &WORKLOADS.iter().map(|w| w.name).collect::<Vec<_>>())?,
                "--peers" => options.peers = names(value()?, &PEERS.iter().map(|p| p.name).collect::<Vec<_>>())?,
                "--json" => options.json = Some(value()?.into()),
                "--quick" => (options.quick, options.sizes) = (true, Sizes::QUICK),
                "--million" => options.what = What::Million,
                "rs" => options.what = What::Storage,
                "--access-log" => options.what = What::AccessLog,
                _ => return Err(format!("{arg} is not known\n{USAGE}").into()),
            }
        }
        if options.rounds == 0 {
            // A single MOVE takes a millisecond: to tell a fifth more or less takes many.
            options.rounds = if options.what == What::Million { 9 } else { 3 };
        }
        if options.what != What::Peers && !(options.only.is_empty() && options.peers.is_empty()) {
            return Err("--only and --peers are for the WebDAV servers: leave them out".into());
        }
        Ok(options)
    }

    /// The workloads asked for and those they need, in their order.
    pub fn workloads(&self) -> Vec<&'static str> {
        let asked = |name: &str| self.only.is_empty() || self.only.iter().any(|n| n == name);
        let needed = |name: &str| WORKLOADS.iter().any(|w| asked(w.name) && w.needs.contains(&name));
        WORKLOADS.iter().map(|w| w.name).filter(|n| asked(n) || needed(n)).collect()
    }

    /// Keeps what there is so far, if it was asked for.
    pub fn write(&self, results: &Results) -> Fallible<()> {
        let Some(path) = &self.json else { return Ok(()) };
        std::fs::write(path, results.json()).map_err(|e| format!("{}: {e}; choose another file with --json", path.display()).into())
    }
}

/// A list of known names.
fn names(list: &str, known: &[&str]) -> Fallible<Vec<String>> {
    let names: Vec<String> = list.split(',').map(str::to_owned).collect();
    match names.iter().find(|n| !known.contains(&n.as_str())) {
        Some(n) => Err(format!("{n} is none of {}", known.join(", ")).into()),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_brings_what_it_needs() {
        assert_eq!(Options::parse(&["--only", "del10k,range64k"]).expect("known").workloads(), ["propfind1", "put1g", "range64k", "del10k"]);
        assert_eq!(Options::parse(&[]).expect("nothing").workloads().len(), WORKLOADS.len());
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for args in [&["--only", "put2k"][..], &["--peers", "iis"], &["--rounds", "0"], &["--rounds"], &["--fast"], &["--million", "--only", "put1k"]] {
            assert!(Options::parse(args).is_err(), "{args:?}");
        }
    }
}
