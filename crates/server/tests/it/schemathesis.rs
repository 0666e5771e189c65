//! The JSON API's description, believed to the letter: schemathesis makes requests of it, right ones and wrong ones, and
//! compares each answer with what the description says.

use std::process::Command;

use crate::server::{Server, fetched, skip};
use crate::sessions::{Session, session};

/// Its settings, each exclusion with its reason.
const SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/schemathesis.toml");

fn passes(test: &str, token: &str, s: &Server) {
    let Some(venv) = fetched("python", test) else { return };
    let program = venv.join("bin/schemathesis");
    if !program.exists() {
        return skip(test, "what was fetched is older than schemathesis, ./test does it anew");
    }
    let scratch = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command.current_dir(scratch.path()).args(["--config-file", SETTINGS, "run"]).arg(format!("http://{}/api/v1/openapi.json", s.address));
    let output = command.arg("--no-color").env("HOLM_SESSION", token).output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_description_holds_for_a_person_who_is_signed_in() {
    let s = Server::start();
    let token = session(&s, "ann", Session::Proven);
    passes("the_description_holds_for_a_person_who_is_signed_in", &token, &s);
    assert!(s.run(&["check"]).is_ok());
}

#[test]
fn the_description_holds_for_strangers() {
    let s = Server::start();
    passes("the_description_holds_for_strangers", "nobody", &s);
    assert!(s.run(&["check"]).is_ok());
}
