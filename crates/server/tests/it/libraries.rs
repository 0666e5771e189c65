//! Libraries and programs that speak WebDAV, CalDAV and CardDAV, each driven by a script in its own language (`tests/clients`).

use std::path::Path;
use std::process::{Command, Stdio};

use crate::server::{Server, fetched, tool};

fn passes(command: &mut Command, script: &str) {
    let s = Server::start();
    s.run(&["person", "quota", "ann", "100M"]).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    command.env("HOLM_URL", s.url()).env("HOLM_SECRET", &s.secret).env("HOLM_SCRATCH", scratch.path());
    let output = command.stdin(Stdio::from(std::fs::File::open(script).unwrap())).output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

#[test]
fn python_webdavclient3() {
    let Some(venv) = fetched("python", "python_webdavclient3") else { return };
    passes(Command::new(venv.join("bin/python")).arg("-"), "webdavclient3.py");
}

#[test]
fn npm_webdav() {
    const TEST: &str = "npm_webdav";
    let (Some(node), Some(modules)) = (tool("node", TEST), fetched("npm", TEST)) else { return };
    // From its standard input, node looks for modules in the directory it runs in.
    passes(Command::new(node).current_dir(modules).args(["--input-type=module", "-"]), "webdav.mjs");
}

#[test]
fn python_caldav() {
    let Some(venv) = fetched("pim", "python_caldav") else { return };
    passes(Command::new(venv.join("bin/python")).arg("-"), "caldav.py");
}

#[test]
fn vdirsyncer() {
    const TEST: &str = "vdirsyncer";
    let (Some(venv), Some(_)) = (fetched("pim", TEST), tool("curl", TEST)) else { return };
    passes(Command::new("sh").arg("-x").env("VDIRSYNCER", venv.join("bin/vdirsyncer")), "vdirsyncer.sh");
}

#[test]
fn npm_tsdav() {
    const TEST: &str = "npm_tsdav";
    let (Some(node), Some(modules)) = (tool("node", TEST), fetched("npm", TEST)) else { return };
    passes(Command::new(node).current_dir(modules).args(["--input-type=module", "-"]), "tsdav.mjs");
}
