//! Real clients, run against the real program.

use std::process::Command;

use crate::server::{Server, tool};

#[test]
fn litmus_passes_without_a_warning() {
    let Some(litmus) = tool("litmus", "litmus_passes_without_a_warning") else { return };
    let s = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(litmus).current_dir(dir.path()).args([&s.url(), "ann", &s.secret]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "\n");
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches(" 0 failed. 100.0%").count(), 5, "{text}");
    assert!(!text.contains("warning"), "{text}");
}

#[test]
fn rclone_copies_checks_and_syncs() {
    let Some(rclone) = tool("rclone", "rclone_copies_checks_and_syncs") else { return };
    let s = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let src = dir.path().join("src");
    std::fs::create_dir_all(src.join("a b/ü#%")).unwrap();
    std::fs::write(src.join("a b/ü#%/x?.txt"), "small").unwrap();
    std::fs::write(src.join("empty"), "").unwrap();
    std::fs::write(src.join("big"), (0..3_000_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<_>>()).unwrap();
    let obscured = Command::new(&rclone).args(["obscure", &s.secret]).output().unwrap().stdout;
    let obscured = String::from_utf8(obscured).unwrap();
    let there = format!(":webdav,url='{}',vendor=owncloud,user=ann,pass='{}':copy", s.url(), obscured.trim());
    let run = |args: &[&str]| {
        let output = Command::new(&rclone).env("RCLONE_CONFIG", "/dev/null").args(args).arg(&src).arg(&there).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["copy"]);
    run(&["check", "--download"]);
    std::fs::remove_file(src.join("empty")).unwrap();
    std::fs::write(src.join("a b/new"), "n").unwrap();
    run(&["sync"]);
    run(&["check", "--download"]);
}

#[test]
fn cadaver_puts_moves_and_gets() {
    use std::io::Write;
    let Some(cadaver) = tool("cadaver", "cadaver_puts_moves_and_gets") else { return };
    let s = Server::start();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(".netrc"), format!("machine 127.0.0.1 login ann password {}\n", s.secret)).unwrap();
    std::fs::write(dir.path().join("file"), vec![7; 200_000]).unwrap();
    let mut child = Command::new(cadaver)
        .env("HOME", dir.path())
        .current_dir(dir.path())
        .arg(s.url())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"mkcol d\nput file\nmove file d/g\nlock d/g\nunlock d/g\nget d/g back\nquit\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let back = std::fs::read(dir.path().join("back"));
    assert_eq!(back.ok(), Some(vec![7; 200_000]), "{}", String::from_utf8_lossy(&output.stdout));
}
