//! Apps without a server of their own, in a real browser: remotestorage.js as developers use it, and the example in `examples/notes`,
//! driven by `tests/clients/remotestorage.mjs`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::oauth::token;
use crate::server::{Server, fetched, tool};
use crate::sessions::{Session, session};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/notes")
}

/// Runs a scenario where Chromium is installed; ends the app's access when it asks for that.
fn passes(test: &str, scenario: &str, more: &[(&str, &str)]) {
    let (Some(node), Some(modules), Some(chromium)) = (tool("node", test), fetched("npm", test), tool("chromium", test)) else { return };
    let s = Server::start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/remotestorage.mjs");
    let mut command = Command::new(node);
    // From its standard input, node looks for modules in the directory it runs in.
    command.current_dir(modules).args(["--input-type=module", "-"]).stdin(Stdio::from(std::fs::File::open(script).unwrap()));
    command.env("HOLM_SCENARIO", scenario).env("HOLM_CHROMIUM", chromium).env("HOLM_ORIGIN", format!("http://localhost:{}", s.address.port()));
    command.env("HOLM_TOKEN", token(&s, "notes:rw", &[], 0)).env("HOLM_SESSION", session(&s, "ann", Session::Proven)).envs(more.iter().copied());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        match line.unwrap().as_str() {
            "revoke" => revoke(&s),
            other => println!("{other}"),
        }
    }
    assert!(child.wait().unwrap().success());
}

fn revoke(s: &Server) {
    let parties = s.run(&["party", "list", "ann"]).unwrap();
    for app in parties.lines().filter(|l| l.contains("\tapp\t") && l.ends_with("\tactive")) {
        s.run(&["party", "end", "ann", app.split('\t').next().unwrap()]).unwrap();
    }
}

#[test]
fn the_library_that_apps_use_now() {
    passes("the_library_that_apps_use_now", "library", &[("HOLM_LIBRARY", "remotestorage-1/release/remotestorage.js")]);
}

#[test]
fn the_library_that_apps_will_use() {
    passes("the_library_that_apps_will_use", "library", &[("HOLM_LIBRARY", "remotestorage-2/release/remotestorage.js")]);
}

#[test]
fn the_example_works_offline_and_on_two_devices() {
    let app = examples().canonicalize().unwrap();
    passes("the_example_works_offline_and_on_two_devices", "notes", &[("HOLM_APP", app.to_str().unwrap())]);
}

#[test]
fn the_examples_library_is_the_one_from_npm() {
    let Some(npm) = fetched("npm", "the_examples_library_is_the_one_from_npm") else { return };
    let theirs = std::fs::read(npm.join("node_modules/remotestorage-2/release/remotestorage.js")).unwrap();
    assert!(theirs == std::fs::read(examples().join("remotestorage.js")).unwrap(), "examples/notes/remotestorage.js is another release");
}
