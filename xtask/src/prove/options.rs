//! The command line of `cargo xtask prove`, and what each check needs of the machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Fallible;

pub const USAGE: &str = "cargo xtask prove CHECK [--rounds N] [--seed S] [--files N] [--binary FILE] [--only MUTANT]
                   do faults to holm and see that it keeps what it acknowledged; CHECK is one of
                   kill, power, power-in-recovery, power-in-gc, power-in-rotation, disk-full (as root), bit-rot, linear,
                   nodes (as root, with PostgreSQL),
                   descriptors (with prlimit), clock (with libfaketime), memory (as root, with control
                   groups), io-errors (as root, with strace), mutants (all of these against broken builds),
                   smoke (a little of each, as far as this machine can);
                   --files puts that many files beside those that kills and cuts work on;
                   --binary is the holm to try, built already, instead of this source's;
                   --only is one of the mutants to try, given as often as wanted";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// kill -9 at a random moment (D01).
    Kill,
    /// What was not synced is gone (D02).
    Power,
    /// The same, again while it starts (D03).
    PowerInRecovery,
    /// The same, while it takes away what nobody needs (D03).
    PowerInGc,
    /// The same, while keys are changed or a person is removed; kills too (D03).
    PowerInRotation,
    /// No space left (D05).
    DiskFull,
    /// Every write and sync fails once (D06).
    IoErrors,
    /// Bits flip (D07).
    BitRot,
    /// Clients race for one path (D17).
    Linear,
    /// The same on two nodes over one database, each of which may be killed, and so may the database (D14, D17).
    Nodes,
    /// More connections than descriptors (D11).
    Descriptors,
    /// The wall clock jumps (D12).
    Clock,
    /// Little memory, and then too little (D10).
    Memory,
    /// Broken builds must be caught (D27).
    Mutants,
    Smoke,
}

const NAMES: &[(&str, Check, u64)] = &[
    ("kill", Check::Kill, 100),
    ("power", Check::Power, 100),
    ("power-in-recovery", Check::PowerInRecovery, 50),
    ("power-in-gc", Check::PowerInGc, 50),
    ("power-in-rotation", Check::PowerInRotation, 50),
    ("disk-full", Check::DiskFull, 20),
    ("bit-rot", Check::BitRot, 200),
    // Calls tried of each set; the sweep ends by itself when the flow makes no more.
    ("io-errors", Check::IoErrors, 1_000),
    // Histories.
    ("linear", Check::Linear, 2_000),
    ("nodes", Check::Nodes, 500),
    ("descriptors", Check::Descriptors, 20),
    ("clock", Check::Clock, 20),
    ("memory", Check::Memory, 5),
    ("mutants", Check::Mutants, 20),
    ("smoke", Check::Smoke, 4),
];

impl Check {
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|n| n.1 == self).map_or("", |n| n.0)
    }

    /// What this machine lacks for it.
    pub fn missing(self) -> Option<String> {
        if self == Check::Memory && cgroups().is_none() {
            return Some("root, and control groups of memory (version 1 or 2) below /sys/fs/cgroup".into());
        }
        if self == Check::Clock {
            return faketime().is_none().then(|| "libfaketime to be installed".into());
        }
        if self == Check::Nodes {
            let root = super::told("id", &["-u"]).is_ok_and(|id| id.trim() == "0");
            return (!root || super::cluster::programs().is_none()).then(|| "root, and PostgreSQL to be installed".into());
        }
        let tools: &[&str] = match self {
            Check::Smoke | Check::BitRot | Check::Linear | Check::Clock | Check::Memory => &[],
            Check::Descriptors => &["prlimit"],
            Check::IoErrors => &["mkfs.ext4", "e2fsck", "mount", "perl", "strace"],
            _ => &["mkfs.ext4", "e2fsck", "mount", "perl"],
        };
        if tools.contains(&"mount") && super::told("id", &["-u"]).is_ok_and(|id| id.trim() != "0") {
            return Some("root, to mount a disk of its own".into());
        }
        let absent: Vec<_> = tools.iter().filter(|t| !std::env::split_paths(&path()).any(|dir| dir.join(t).exists())).copied().collect();
        (!absent.is_empty()).then(|| format!("{} to be installed", absent.join(", ")))
    }
}

/// Where groups with little memory can be made, and whether that is version 2; None without the right to.
pub fn cgroups() -> Option<(PathBuf, bool)> {
    let root = Path::new("/sys/fs/cgroup");
    let (first, second) = (root.join("memory"), root.join("cgroup.subtree_control"));
    let found = if first.join("memory.limit_in_bytes").exists() {
        Some((first, false))
    } else {
        std::fs::read_to_string(second).is_ok_and(|on| on.split_whitespace().any(|c| c == "memory")).then(|| (root.to_owned(), true))
    };
    found.filter(|_| super::told("id", &["-u"]).is_ok_and(|id| id.trim() == "0"))
}

/// The library that shows programs another time, for programs with threads.
pub fn faketime() -> Option<PathBuf> {
    let beside = |dir: std::fs::DirEntry| dir.path().join("faketime/libfaketimeMT.so.1");
    ["/usr/lib", "/usr/lib64", "/usr/local/lib"]
        .iter()
        .flat_map(|dir| {
            let inner = std::fs::read_dir(dir).into_iter().flatten().flatten().map(beside);
            inner.chain([Path::new(dir).join("faketime/libfaketimeMT.so.1")]).collect::<Vec<_>>()
        })
        .find(|path| path.exists())
}

/// Where programs are looked for: system programs are not on everybody's path.
pub fn path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

#[derive(Clone, Debug)]
pub struct Options {
    pub check: Check,
    pub rounds: u64,
    /// The same choices come of the same seed; when a fault strikes among them is up to the machine.
    pub seed: u64,
    /// How many files lie in the tree besides those that clients work on.
    pub files: u64,
    /// The program to try, where it is not to be built.
    pub binary: Option<PathBuf>,
    /// The mutants to try; none named means all.
    pub only: Vec<String>,
}

impl Options {
    pub fn parse(args: &[&str]) -> Fallible<Options> {
        let (name, rest) = args.split_first().ok_or(USAGE)?;
        let (_, check, rounds) = *NAMES.iter().find(|n| n.0 == *name).ok_or_else(|| format!("{name} is no check\n{USAGE}"))?;
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let mut options = Options { check, rounds, seed: clock.as_secs(), files: 0, binary: None, only: Vec::new() };
        let mut rest = rest.iter().copied();
        while let Some(arg) = rest.next() {
            let value = rest.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"))?;
            match arg {
                "--binary" => {
                    options.binary = Some(value.into());
                    continue;
                }
                "--only" if check == Check::Mutants => {
                    options.only.push(value.to_owned());
                    continue;
                }
                _ => {}
            }
            let number = value.parse::<u64>().map_err(|_| format!("{arg} needs a number\n{USAGE}"))?;
            match arg {
                "--rounds" if (1..=1_000_000).contains(&number) => options.rounds = number,
                "--seed" => options.seed = number,
                "--files" if number <= 10_000_000 => options.files = number,
                _ => return Err(format!("{arg} {number} is not known, or out of bounds\n{USAGE}").into()),
            }
        }
        Ok(options)
    }

    /// The same options for another check.
    pub fn with(&self, check: Check, rounds: u64) -> Options {
        Options { check, rounds, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_told_of_and_what_is_not_known_is_refused() {
        for (name, check, _) in NAMES {
            assert!(USAGE.contains(name), "{name}");
            let options = Options::parse(&[name, "--rounds", "3", "--seed", "4"]).expect("known");
            assert_eq!((options.check, options.rounds, options.seed), (*check, 3, 4));
        }
        for args in [
            &[][..],
            &["fire"],
            &["kill", "--rounds"],
            &["kill", "--rounds", "0"],
            &["kill", "--seed", "x"],
            &["kill", "--fast", "1"],
            &["kill", "--only", "x"],
        ] {
            assert!(Options::parse(args).is_err(), "{args:?}");
        }
    }
}
