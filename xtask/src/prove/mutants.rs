//! mutants: builds of holm with one fault each, which a check must catch; else the check sees nothing, and what it says
//! of the true build is worth nothing. A fault is a `cfg(mutant = "…")` in the core.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Fallible;
use super::options::{Check, Options};

/// The fault, what it does, and the check that must see it.
const MUTANTS: &[(&str, &str, Check)] = &[
    ("no-pack-sync", "packs are not synced before the commit that refers to them", Check::Power),
    ("no-catalog-sync", "SQLite with synchronous=OFF", Check::Power),
    ("catalog-sync-normal", "SQLite with synchronous=NORMAL: a commit waits for the next checkpoint", Check::Power),
    ("no-compaction-sync", "packs are not synced before the old ones are deleted", Check::PowerInGc),
    ("swallowed-error", "a failed commit is answered as if it had succeeded", Check::IoErrors),
    ("lost-tag", "a chunk that does not authenticate is given out as zeros", Check::BitRot),
];

pub fn run(options: &Options) -> Fallible<()> {
    let mut missed = Vec::new();
    for (name, what, check) in MUTANTS {
        let options = options.with(*check, if *check == Check::BitRot { 60 } else { options.rounds });
        let outcome = super::check(&build(name)?, &options);
        let seen = match &outcome {
            Ok(outcome) => outcome.findings.first().map(|f| format!("round {}: {f}", outcome.rounds)),
            Err(e) => return Err(format!("{name}: {e}").into()),
        };
        match seen {
            Some(finding) => println!("{name} ({what}): caught by {}: {}", check.name(), finding.lines().next().unwrap_or_default()),
            None => missed.push(format!("{name} ({what}) was not caught by {} in {} rounds", check.name(), options.rounds)),
        }
    }
    if missed.is_empty() { Ok(()) } else { Err(missed.join("\n").into()) }
}

/// Builds one mutant. The wrapper reaches the workspace's own crates only, so all mutants share their dependencies.
fn build(name: &str) -> Fallible<PathBuf> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/mutants");
    std::fs::create_dir_all(&target)?;
    let target = target.canonicalize()?;
    let wrapper = target.join(name);
    std::fs::write(&wrapper, format!("#!/bin/sh\nexec \"$@\" --cfg 'mutant=\"{name}\"'\n"))?;
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755))?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--release", "--locked", "--bin", "holm", "--target-dir"]).arg(&target);
    if !cargo.env("RUSTC_WORKSPACE_WRAPPER", &wrapper).status()?.success() {
        return Err(format!("the mutant {name} does not build; see above").into());
    }
    let binary = target.join(format!("holm-{name}"));
    std::fs::copy(target.join("release/holm"), &binary)?;
    Ok(binary)
}
