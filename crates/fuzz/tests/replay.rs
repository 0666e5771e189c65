//! Every file of `fuzz/corpus` through its target, as the fuzzer would.

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use holm_fuzz::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The names of what a folder holds.
fn listed(dir: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    entries.map(|e| e.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
}

#[test]
fn the_whole_corpus_holds() {
    let mut failed = Vec::new();
    for (name, target) in TARGETS {
        let dir = fuzz().join("corpus").join(name);
        let files = listed(&dir);
        assert!(!files.is_empty(), "no corpus for {name}");
        for file in files {
            let data = std::fs::read(dir.join(&file)).expect("a file of the corpus");
            if catch_unwind(|| target(&data)).is_err() {
                failed.push(format!("fuzz/corpus/{name}/{file}"));
            }
        }
    }
    assert!(failed.is_empty(), "what failed above:\n  {}", failed.join("\n  "));
}

#[test]
fn every_target_is_fuzzed_and_has_a_corpus() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(listed(&fuzz().join("corpus")), names);
    assert_eq!(listed(&fuzz().join("fuzz_targets")), names.iter().map(|name| format!("{name}.rs")).collect());
}
