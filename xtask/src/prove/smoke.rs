//! A little of every check, as far as this machine can: what it cannot do is said by name.

use std::path::Path;

use super::Fallible;
use super::options::{Check, Options};

/// Each with its rounds: what shows in seconds whether the check itself still works.
const CHECKS: &[(Check, u64)] = &[
    (Check::Kill, 5),
    (Check::Power, 6),
    (Check::PowerInRecovery, 3),
    (Check::PowerInGc, 3),
    (Check::PowerInRotation, 4),
    (Check::DiskFull, 2),
    (Check::BitRot, 20),
    (Check::IoErrors, 8),
    (Check::Linear, 40),
    (Check::Nodes, 16),
    (Check::Descriptors, 1),
    (Check::Clock, 2),
    (Check::Memory, 1),
];

pub fn run(binary: &Path, options: &Options) -> Fallible<()> {
    let mut failures = Vec::new();
    for (check, rounds) in CHECKS {
        if let Some(missing) = check.missing() {
            println!("{}: SKIPPED, needs {missing}", check.name());
            continue;
        }
        let options = options.with(*check, *rounds);
        if let Err(e) = super::check(binary, &options).and_then(|mut outcome| outcome.tell(&options)) {
            failures.push(e.to_string());
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}
