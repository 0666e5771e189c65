//! rclone, as it copies and as it mounts.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use crate::mounts::{Mounted, keeps_a_tree, mountable, snapshot, write_tree};
use crate::server::{Server, tool};

struct Rclone {
    program: PathBuf,
    url: String,
    pass: String,
}

impl Rclone {
    fn new(program: PathBuf, s: &Server) -> Rclone {
        let pass = Command::new(&program).args(["obscure", &s.secret]).output().unwrap().stdout;
        Rclone { program, url: s.url(), pass: String::from_utf8(pass).unwrap().trim().to_owned() }
    }

    fn there(&self, vendor: &str, path: &str) -> String {
        format!(":webdav,url='{}',vendor={vendor},user=ann,pass='{}':{path}", self.url, self.pass)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("RCLONE_CONFIG", "/dev/null");
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    #[track_caller]
    fn run(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[test]
fn rclone_copies_checks_and_syncs() {
    let Some(program) = tool("rclone", "rclone_copies_checks_and_syncs") else { return };
    let s = Server::start();
    let rclone = Rclone::new(program, &s);
    let dir = tempfile::tempdir().unwrap();
    let (src, back) = (dir.path().join("src"), dir.path().join("back"));
    let (here, home, there) = (src.to_str().unwrap(), back.to_str().unwrap(), rclone.there("owncloud", "copy"));
    write_tree(&src);
    rclone.run(&["copy", "--create-empty-src-dirs", here, &there]);
    rclone.run(&["check", "--download", here, &there]);
    rclone.run(&["sync", "--create-empty-src-dirs", &there, home]);
    assert_eq!(snapshot(&back), snapshot(&src));
    // Up: what is gone here goes there.
    std::fs::remove_file(src.join("empty")).unwrap();
    std::fs::write(src.join("a b/new"), "n").unwrap();
    assert!(!rclone.output(&["check", "--download", here, &there]).status.success(), "a check that finds nothing checks nothing");
    rclone.run(&["sync", here, &there]);
    rclone.run(&["check", "--download", here, &there]);
    // Down: what is gone there goes here.
    rclone.run(&["moveto", &rclone.there("owncloud", "copy/big"), &rclone.there("owncloud", "copy/a b/bigger")]);
    rclone.run(&["sync", &there, home]);
    rclone.run(&["check", "--download", &there, home]);
    assert!(back.join("a b/bigger").exists() && !back.join("big").exists() && !back.join("empty").exists());
    rclone.run(&["purge", &there]);
    s.send("HEAD", "/copy", &[], "").expect(404);
}

#[test]
fn rclone_keeps_times() {
    let Some(program) = tool("rclone", "rclone_keeps_times") else { return };
    let s = Server::start();
    let rclone = Rclone::new(program, &s);
    let dir = tempfile::tempdir().unwrap();
    let local = dir.path().join("f");
    std::fs::write(&local, "x").unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    std::fs::File::options().write(true).open(&local).unwrap().set_modified(then).unwrap();
    let up_and_back = |vendor: &str| {
        let back = dir.path().join(format!("back from {vendor}"));
        rclone.run(&["copyto", local.to_str().unwrap(), &rclone.there(vendor, "f")]);
        rclone.run(&["copyto", &rclone.there(vendor, "f"), back.to_str().unwrap()]);
        s.send("DELETE", "/f", &[], "").expect(204);
        std::fs::metadata(back).unwrap().modified().unwrap()
    };
    assert_eq!(up_and_back("owncloud"), then);
    assert_eq!(up_and_back("nextcloud"), then);
    // With this vendor rclone sends no times; what it brings back is when holm got the file.
    assert!(up_and_back("other").elapsed().unwrap() < Duration::from_secs(60));
    // Down alone, times survive with any vendor.
    s.send("PUT", "/g", &["X-OC-Mtime: 1000000000"], "x").expect(201);
    let back = dir.path().join("g");
    rclone.run(&["copyto", &rclone.there("other", "g"), back.to_str().unwrap()]);
    assert_eq!(std::fs::metadata(back).unwrap().modified().unwrap(), then);
}

fn mounted_keeps_a_tree(test: &str, mode: &str) {
    let Some(program) = tool("rclone", test) else { return };
    if tool("fusermount3", test).is_none() || !mountable(test) {
        return;
    }
    let s = Server::start();
    let rclone = Rclone::new(program, &s);
    let caches = tempfile::tempdir().unwrap();
    let mount = |at: &Path| {
        let mut command = rclone.command();
        // Sent at once, what is renamed at once stays under its old name: rclone 1.60 loses the rename.
        command.arg("mount").arg(rclone.there("owncloud", "")).arg(at).args(["--vfs-cache-mode", mode, "--vfs-write-back", "2s"]);
        // A cache of its own each time: what is read then comes from the server.
        command.arg("--cache-dir").arg(tempfile::tempdir_in(caches.path()).unwrap().keep());
        Mounted::by_child(at, &mut command)
    };
    // rclone forgets what it has not sent yet when it is unmounted.
    let sent = |local: &Path| {
        let (local, there) = (local.to_str().unwrap(), rclone.there("owncloud", "tree"));
        let mut told = String::new();
        for _ in 0..80 {
            std::thread::sleep(Duration::from_millis(250));
            let check = rclone.output(&["check", "--download", "--retries", "1", local, &there]);
            if check.status.success() {
                return Ok(());
            }
            told = String::from_utf8_lossy(&check.stderr).into_owned();
        }
        Err(told)
    };
    // Without the whole file in its cache, rclone (1.60 to 1.75) sends 65536 bytes of what was cut to 1000.
    keeps_a_tree(&s, mode == "full", mount, sent);
}

#[test]
fn rclone_mount_with_a_full_cache() {
    mounted_keeps_a_tree("rclone_mount_with_a_full_cache", "full");
}

#[test]
fn rclone_mount_with_a_cache_of_writes() {
    mounted_keeps_a_tree("rclone_mount_with_a_cache_of_writes", "writes");
}
