//! The house rules, as tests: floors, sizes, headings, names, forgotten test files. An exception is one line in
//! [`EXCEPTIONS`], with its reason.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each crate's floor; a crate depends on lower ones only.
const FLOORS: &[(&str, u8)] = &[
    ("holm-formats", 0),
    ("holm-pim", 0),
    ("holm-core", 1),
    ("holm-auth", 2),
    ("holm-http", 3),
    ("holm-dav", 4),
    ("holm-caldav", 5),
    ("holm-webdav", 5),
    ("holm-remotestorage", 5),
    ("holm-webfinger", 5),
    ("holm-web", 5),
    ("holm", 6),
    ("holm-fuzz", 6),
];
/// What stays off some floors: a crate's name, and the lowest floor that may use it.
const OUTSIDE: &[(&str, u8)] = &[("axum", 3), ("http", 3), ("hyper", 3), ("rusqlite", 1), ("clap", 6)];
const MAX_LINES: usize = 500;
const MAX_FUNCTION: usize = 70;
const FORBIDDEN_NAMES: &[&str] = &["manager", "service", "helper", "helpers", "util", "utils", "common", "base", "impl", "v2", "misc"];
/// (rule, file, reason)
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("environment", "crates/core/src/mutant.rs", "asks only in the build with faults in it"),
    ("environment", "crates/core/tests/it/world.rs", "asks which engine the tests are to try"),
    ("environment", "crates/web/build.rs", "cargo tells it where to write"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a readable directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("target") {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Every source file with its path from the root.
pub fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(&root().join("crates"), &mut found);
    files(&root().join("xtask"), &mut found);
    let name = |p: &PathBuf| p.strip_prefix(root()).expect("below the root").display().to_string();
    found.iter().map(|p| (name(p), std::fs::read_to_string(p).expect("UTF-8"))).collect()
}

fn report(rule: &str, findings: Vec<(String, String)>) {
    let findings: Vec<_> = findings.into_iter().filter(|(file, _)| !EXCEPTIONS.iter().any(|(r, f, _)| *r == rule && file == f)).collect();
    assert!(findings.is_empty(), "{rule}:\n{}", findings.iter().map(|(f, what)| format!("  {f}: {what}\n")).collect::<String>());
}

/// Lines of each function outside tests, by counting braces at the indentation of its `fn`.
fn long_functions(text: &str) -> Vec<(String, usize)> {
    let mut open: Option<(String, usize, usize)> = None;
    let mut long = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        match &open {
            None if line.contains("fn ") && !line.trim_start().starts_with("//") && !line.trim_end().ends_with([';', '}']) => {
                open = Some((line.trim().to_owned(), n, indent));
            }
            Some((name, start, at)) if indent == *at && line.trim() == "}" => {
                if n - start + 1 > MAX_FUNCTION {
                    long.push((name.clone(), n - start + 1));
                }
                open = None;
            }
            _ => {}
        }
    }
    long
}

#[test]
fn files_and_functions_are_short() {
    let mut found = Vec::new();
    for (file, text) in sources() {
        if text.lines().count() > MAX_LINES {
            found.push((file.clone(), format!("{} lines, at most {MAX_LINES}", text.lines().count())));
        }
        if !file.contains("/tests/") {
            found.extend(long_functions(&text).into_iter().map(|(f, n)| (file.clone(), format!("{n} lines in `{f}`, at most {MAX_FUNCTION}"))));
        }
    }
    report("size", found);
}

#[test]
fn every_module_says_what_it_is_for() {
    let bare = sources().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    report("heading", bare.map(|(file, _)| (file, "no //! heading".into())).collect());
}

#[test]
fn names_say_something() {
    let bad = sources().into_iter().filter(|(file, _)| {
        let stem = Path::new(file).file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        FORBIDDEN_NAMES.iter().any(|n| stem.split('_').any(|part| part == *n))
    });
    report("name", bad.map(|(file, _)| (file, "a name that could hold anything".into())).collect());
}

#[test]
fn sql_stays_in_the_core() {
    let outside = sources().into_iter().filter(|(file, text)| {
        let sql = ["SELECT ", "INSERT INTO", "DELETE FROM", "UPDATE "].iter().any(|w| text.contains(&format!("\"{w}")));
        sql && !file.starts_with("crates/core/") && !file.starts_with("crates/index/") && !file.starts_with("xtask/")
    });
    report("sql", outside.map(|(file, _)| (file, "holds SQL".into())).collect());
}

#[test]
fn time_and_chance_enter_in_the_server() {
    let mut found = Vec::new();
    for (file, text) in sources() {
        let low = file.starts_with("crates/") && !file.starts_with("crates/server/");
        for call in ["SystemTime::now", "Timestamp::now", "getrandom::", "std::env::var"] {
            if low && text.contains(call) {
                found.push((file.clone(), format!("calls {call}")));
            }
        }
    }
    report("environment", found);
}

/// The tables of a manifest that name dependencies outside tests.
fn dependencies(manifest: &str) -> Vec<String> {
    let table: toml::Table = manifest.parse().expect("a manifest");
    let named = |key: &str| table.get(key).and_then(|t| t.as_table()).map(|t| t.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    [named("dependencies"), named("build-dependencies")].concat()
}

#[test]
fn crates_depend_downwards() {
    let floors: BTreeMap<_, _> = FLOORS.iter().copied().collect();
    let mut found = Vec::new();
    for dir in std::fs::read_dir(root().join("crates")).expect("crates") {
        let path = dir.expect("an entry").path().join("Cargo.toml");
        let manifest = std::fs::read_to_string(&path).expect("a manifest");
        let table: toml::Table = manifest.parse().expect("a manifest");
        let name = table["package"]["name"].as_str().expect("a name").to_owned();
        let Some(floor) = floors.get(name.as_str()) else {
            found.push((name, "stands on no floor: add it to FLOORS".into()));
            continue;
        };
        for dependency in dependencies(&manifest) {
            if floors.get(dependency.as_str()).is_some_and(|f| f >= floor) {
                found.push((name.clone(), format!("depends on {dependency}, which is not below it")));
            }
            if OUTSIDE.iter().any(|(n, lowest)| *n == dependency && floor < lowest) {
                found.push((name.clone(), format!("may not use {dependency} on its floor")));
            }
        }
    }
    report("floor", found);
}

#[test]
fn no_test_file_is_forgotten() {
    let mut found = Vec::new();
    for (file, _) in sources() {
        let Some((dir, name)) = file.rsplit_once('/').filter(|(dir, _)| dir.ends_with("tests/it")) else { continue };
        let main = std::fs::read_to_string(root().join(dir).join("main.rs")).expect("tests/it/main.rs");
        if name != "main.rs" && !main.contains(&format!("mod {};", name.trim_end_matches(".rs"))) {
            found.push((file.clone(), "is not named in main.rs".into()));
        }
    }
    report("forgotten", found);
}
