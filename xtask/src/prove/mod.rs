//! `cargo xtask prove`: faults done to a running holm, and whether everything it acknowledged is still there. Each check
//! counts what was acknowledged, for a run that proves nothing is a failed run. docs/reliability.md tells what follows.

mod clock;
mod cluster;
mod descriptors;
mod disk;
mod examine;
mod faults;
mod flow;
mod full;
mod history;
mod holm;
mod io_errors;
mod linear;
mod load;
mod memory;
mod mutants;
mod nodes;
mod options;
mod plan;
mod rot;
mod rotation;
mod smoke;
mod tree;

use std::path::{Path, PathBuf};
use std::process::Command;

pub use crate::bench::Fallible;
pub use options::USAGE;
use options::{Check, Options};

/// What a check did and saw.
#[derive(Debug, Default)]
pub struct Outcome {
    pub rounds: u64,
    pub acknowledged: u64,
    /// Starts after a fault, in milliseconds until the first authenticated answer.
    pub restarts: Vec<f64>,
    /// Other counts, by what they count.
    pub counts: std::collections::BTreeMap<&'static str, u64>,
    /// What must never be.
    pub findings: Vec<String>,
}

/// Findings told one by one.
const TOLD: usize = 20;

impl Outcome {
    pub fn count(&mut self, what: &'static str, n: u64) {
        *self.counts.entry(what).or_default() += n;
    }

    /// One line, or the findings and how to see them again.
    fn tell(&mut self, options: &Options) -> Fallible<()> {
        self.restarts.sort_by(f64::total_cmp);
        let mut line = format!("{}: {} rounds, {} acknowledged", options.check.name(), self.rounds, self.acknowledged);
        if let Some(worst) = self.restarts.last() {
            line += &format!(", restart {:.0} ms in the median and {worst:.0} ms at worst", self.restarts[self.restarts.len() / 2]);
        }
        self.counts.iter().for_each(|(what, n)| line += &format!(", {n} {what}"));
        println!("{line}, {} findings", self.findings.len());
        if self.findings.is_empty() {
            return Ok(());
        }
        self.findings.iter().take(TOLD).for_each(|f| println!("  FINDING {f}"));
        let Options { check, rounds, seed, .. } = options;
        Err(format!("{0} failed; the same choices again: cargo xtask prove {0} --rounds {rounds} --seed {seed}", check.name()).into())
    }
}

pub fn run(args: &[&str]) -> Fallible<()> {
    let options = Options::parse(args)?;
    let binary = options.binary.clone().map_or_else(build, Ok)?;
    match options.check {
        Check::Smoke => smoke::run(&binary, &options),
        Check::Mutants => mutants::run(&binary, &options),
        _ => check(&binary, &options)?.tell(&options),
    }
}

/// Runs one check with one build of holm.
fn check(binary: &Path, options: &Options) -> Fallible<Outcome> {
    if let Some(missing) = options.check.missing() {
        return Err(format!("{} needs {missing}", options.check.name()).into());
    }
    eprintln!("{}: {} rounds, seed {}", options.check.name(), options.rounds, options.seed);
    match options.check {
        Check::PowerInRotation => rotation::run(binary, options),
        Check::DiskFull => full::run(binary, options),
        Check::BitRot => rot::run(binary, options),
        Check::IoErrors => io_errors::run(binary, options),
        Check::Linear => linear::run(binary, options),
        Check::Nodes => nodes::run(binary, options),
        Check::Memory => memory::run(binary, options),
        Check::Clock => clock::run(binary, options),
        Check::Descriptors => descriptors::run(binary, options),
        _ => faults::run(binary, options),
    }
}

/// The whole workspace, or its dependencies would be built with other features, and all again.
fn build() -> Fallible<PathBuf> {
    if !Command::new("cargo").args(["build", "--release", "--locked", "--workspace"]).status()?.success() {
        return Err("holm does not build; see above".into());
    }
    // Beside this program, wherever the target directory is.
    Ok(std::env::current_exe()?.with_file_name("holm"))
}

/// Runs a program to its end; answers its standard output.
fn told(program: &str, args: &[&str]) -> Fallible<String> {
    let output = Command::new(program).args(args).env("PATH", options::path()).output().map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{program} {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr)).into())
}
