//! What others have made to ask by OAuth, against a real server: npm's `oauth4webapi`, driven by `tests/clients/oauth.mjs`.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::server::{Server, fetched, tool};
use crate::sessions::{Session, session};

#[test]
fn oauth4webapi_gets_its_tokens_in_every_way() {
    let test = "oauth4webapi_gets_its_tokens_in_every_way";
    let (Some(node), Some(modules)) = (tool("node", test), fetched("npm", test)) else { return };
    let s = Server::start_with(&["--private-hosts", "localhost"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/oauth.mjs");
    let mut command = Command::new(node);
    command.current_dir(modules).args(["--input-type=module", "-"]).stdin(Stdio::from(std::fs::File::open(script).unwrap()));
    command.env("HOLM_ORIGIN", format!("http://localhost:{}", s.address.port())).env("HOLM_SESSION", session(&s, "ann", Session::Proven));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
