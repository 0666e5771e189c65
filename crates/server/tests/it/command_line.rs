//! The command line, beside a running server.

use crate::server::Server;

#[test]
fn people_and_app_passwords() {
    let mut s = Server::start();
    assert!(s.run(&["person", "add", "ann"]).unwrap_err().contains("already"));
    assert!(s.run(&["person", "add", "../x"]).unwrap_err().contains("no name"));
    s.send("PUT", "/f", &[], "hello").expect(201);
    let list = s.run(&["--json", "person", "list"]).unwrap();
    assert!(list.contains("\"person\":\"ann\"") && list.contains("\"used\":5"), "{list}");
    assert_eq!(s.run(&["cat", "ann", "/f"]).unwrap(), "hello");
    assert!(s.run(&["ls", "ann"]).unwrap().ends_with("f\n"));
    assert!(s.run(&["cat", "ann", "/no"]).unwrap_err().contains("/no"));
    let id = s.run(&["app-password", "list", "ann"]).unwrap();
    assert!(id.starts_with("1\tapp\tactive\tread and write /"), "{id}");
    s.run(&["app-password", "revoke", "ann", "1"]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    s.send("GET", "/f", &[], "").expect(401);
    assert!(s.run(&["app-password", "revoke", "ann", "1"]).is_err());
    assert!(s.run(&["person", "remove", "ann"]).unwrap_err().contains("--yes"));
    assert!(s.terminate());
    s.run(&["person", "remove", "ann", "--yes"]).unwrap();
    assert!(s.run(&["person", "list"]).unwrap().is_empty());
    assert_eq!(std::fs::read_dir(s.dir.path().join("data/people")).unwrap().count(), 0);
}

#[test]
fn settings_come_from_one_file_and_unknown_ones_are_errors() {
    let s = Server::start();
    let file = s.dir.path().join("holm.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:0\"\nlisten_port = 1\n").unwrap();
    let refused = s.run(&["--config", file.to_str().unwrap(), "person", "list"]).unwrap_err();
    assert!(refused.contains("listen_port"), "{refused}");
    assert!(s.run(&["--listen", "0.0.0.0:0"]).unwrap_err().contains("plain HTTP"));
    std::fs::write(s.dir.path().join("other.key"), format!("holm-root-key 1 1 {}", "00".repeat(32))).unwrap();
    let other = s.dir.path().join("other.key");
    assert!(s.run(&["--root-key", other.to_str().unwrap(), "person", "list"]).is_err());
}

#[test]
fn nothing_readable_lies_on_disk() {
    let s = Server::start();
    let canary = "canary-7f3a";
    s.send("PUT", &format!("/{canary}"), &[], canary).expect(201);
    s.send("PUT", &format!("/{canary}-large"), &[], canary.repeat(20_000)).expect(201);
    let output = std::process::Command::new("grep").args(["-r", "-l", "-a", canary]).arg(s.dir.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "names and content are encrypted at rest");
}
