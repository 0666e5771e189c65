//! The command line, beside a running server.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::server::{Server, basic};

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
    assert!(id.starts_with("1\tapp\tactive\tread,append,write,delete /"), "{id}");
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
fn parties_grants_and_the_log() {
    let s = Server::start();
    s.run(&["person", "add", "bob"]).unwrap();
    let bob = basic("bob", s.run(&["app-password", "add", "bob", "--quiet"]).unwrap().trim());
    s.send("MKCOL", "/shared", &[], "").expect(201);
    s.send("PUT", "/shared/f", &[], "hello").expect(201);
    assert!(s.run(&["party", "add", "ann", "ann"]).is_err() && s.run(&["party", "add", "ann", "eve"]).is_err());
    let told = s.run(&["party", "add", "ann", "bob"]).unwrap();
    assert!(told.starts_with("bob is party 3 of ann"), "{told}");
    assert!(s.run(&["grant", "add", "ann", "3", "--scope", "shared"]).is_err(), "neither a path nor a kind");
    assert!(s.run(&["grant", "add", "ann", "3", "--scope", "/shared", "--abilities", "all"]).is_err());
    assert!(s.run(&["grant", "add", "ann", "3", "--scope", "/shared", "--for", "10"]).is_err());
    assert_eq!(
        s.run(&["grant", "add", "ann", "3", "--scope", "/shared", "--for", "90d", "--purpose", "to look"]).unwrap(),
        "Grant 2: party 3 may read /shared.\n"
    );
    let get = || s.send_as(&bob, "GET", "/dav/files/ann/shared/f", &[], "");
    assert_eq!(get().expect(200).text(), "hello");
    s.send_as(&bob, "PUT", "/dav/files/ann/shared/f", &[], "x").expect(403);
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    let log = s.run(&["log", "ann", "--party", "3"]).unwrap();
    assert!(log.contains("bob\tread\t/shared/f\twebdav from 127.0.0.1\n") && log.contains("bob\trefused to change\t/shared/f"), "{log}");
    assert_eq!(s.run(&["log", "ann", "--party", "bob"]).unwrap(), log);
    let log = s.run(&["log", "ann", "--path", "/shared/f"]).unwrap();
    assert!(log.contains("app\tchange\t/shared/f") && log.contains("bob\trefused to change\t/shared/f"), "{log}");
    // Who deleted it, is asked when it is gone.
    s.send("DELETE", "/shared/f", &[], "").expect(204);
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    let log = s.run(&["log", "ann", "--path", "/shared/f"]).unwrap();
    assert!(log.contains("app\tchange\t/shared/f\twebdav from 127.0.0.1\t2 times"), "{log}");
    assert!(s.run(&["log", "ann", "--path", "/never"]).unwrap_err().contains("nothing was ever kept"));
    assert!(s.run(&["log", "ann", "--party", "zoe"]).unwrap_err().contains("holm party list"));
    assert!(s.output(&["log", "ann", "--days", "0"]).1.contains("--days"));
    let list = s.run(&["grant", "list", "ann"]).unwrap();
    assert!(list.contains("2\tparty 3\tactive\tread /shared\tto look"), "{list}");
    s.run(&["party", "end", "ann", "3"]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    get().expect(404);
    assert!(s.run(&["grant", "list", "ann"]).unwrap().contains("2\tparty 3\trevoked"));
    s.run(&["check"]).unwrap();
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

/// Every file below `dir`, with its bytes and its time in seconds.
fn files(dir: &Path) -> BTreeMap<String, (Vec<u8>, u64)> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let seconds = path.metadata().unwrap().modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                open.push(path);
                found.insert(name + "/", (vec![], 0));
            } else {
                found.insert(name, (std::fs::read(&path).unwrap(), seconds));
            }
        }
    }
    found
}

#[test]
fn export_writes_plain_files_and_goes_on_where_it_stopped() {
    let s = Server::start();
    let large: Vec<u8> = (0..400_000u32).flat_map(u32::to_le_bytes).collect();
    s.send("MKCOL", "/d", &[], "").expect(201);
    s.send("MKCOL", "/d/empty", &[], "").expect(201);
    s.send("PUT", "/d/small", &["X-OC-Mtime: 1000000000"], "hello").expect(201);
    s.send("PUT", "/large%20one", &["X-OC-Mtime: 1100000000"], &large).expect(201);
    let dir = s.dir.path().join("out");
    let out = dir.to_str().unwrap();
    let done = s.run(&["--json", "export", "ann", out]).unwrap();
    assert!(done.contains("\"files\":2") && done.contains("\"kept\":0"), "{done}");
    let want = BTreeMap::from([
        ("d/".to_owned(), (vec![], 0)),
        ("d/empty/".to_owned(), (vec![], 0)),
        ("d/small".to_owned(), (b"hello".to_vec(), 1_000_000_000)),
        ("large one".to_owned(), (large, 1_100_000_000)),
    ]);
    assert!(files(&dir) == want, "{:?}", files(&dir).keys());
    // A file that is missing, and one cut short, as after an interruption.
    std::fs::remove_file(dir.join("d/small")).unwrap();
    std::fs::write(dir.join("large one"), "cut").unwrap();
    assert!(s.run(&["export", "ann", out]).unwrap_err().contains("--again"));
    assert!(s.run(&["--json", "export", "ann", out, "--again"]).unwrap().contains("\"kept\":0"));
    assert!(files(&dir) == want);
    assert!(s.run(&["--json", "export", "ann", out, "--again"]).unwrap().contains("\"kept\":2"));
    assert!(s.run(&["export", "ann", out, "--path", "/large one"]).unwrap_err().contains("holm cat"));
    std::fs::remove_file(dir.join("d/small")).unwrap();
    std::fs::create_dir(dir.join("d/small")).unwrap();
    assert!(s.run(&["export", "ann", out, "--again"]).unwrap_err().contains("is no file"));
}

#[test]
fn check_and_gc_beside_a_running_server() {
    let s = Server::start();
    let noise: Vec<u8> = (0..500_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).rotate_left(n % 31).to_le_bytes()).collect();
    s.send("PUT", "/keep", &[], &noise[..1_000_000]).expect(201);
    s.send("PUT", "/drop", &[], &noise).expect(201);
    s.send("DELETE", "/drop", &[], "").expect(204);
    assert!(s.run(&["check", "--deep"]).unwrap().starts_with("ann: good (4 entries"));
    // The trash keeps it, until it is told to keep nothing; the first round marks, the second deletes.
    assert!(s.run(&["--json", "gc"]).unwrap().contains("\"purged\":0"));
    let now = ["--keep-trash-days", "0", "--json", "gc", "--grace", "0"];
    assert!(s.run(&now).unwrap().contains("\"purged\":1"));
    assert!(s.run(&now).unwrap().contains("\"packs_compacted\":1"));
    assert_eq!(s.send("GET", "/keep", &[], "").expect(200).body, noise[..1_000_000]);
    s.send("PUT", "/again", &[], &noise).expect(201);
    assert_eq!(s.send("GET", "/again", &[], "").expect(200).body, noise);
    let good = s.run(&["--json", "check", "ann", "--deep"]).unwrap();
    assert!(good.contains("\"problem_count\":0"), "{good}");
    // Damage is told by the check, named, and fails it.
    let packs = std::fs::read_dir(s.dir.path().join("data/people")).unwrap().next().unwrap().unwrap().path().join("packs");
    let pack = std::fs::read_dir(packs).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    s.run(&["check"]).unwrap();
    s.send("PUT", "/small", &[], "fine").expect(201);
    assert!(s.run(&["check", "--deep"]).unwrap_err().contains("1 problems"));
    // What is whole is exported all the same.
    let out = s.dir.path().join("out");
    let told = s.run(&["export", "ann", out.to_str().unwrap()]).unwrap_err();
    assert!(told.contains("files are damaged"), "{told}");
    assert_eq!(std::fs::read(out.join("small")).unwrap(), b"fine");
    std::fs::remove_file(pack).unwrap();
    let (told, _) = s.output(&["check"]);
    assert!(told.contains("AFFECTED ann: /"), "{told}");
}

#[test]
fn what_was_deleted_or_replaced_comes_back() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "one").expect(201);
    s.send("PUT", "/f", &[], "two").expect(204);
    let list = s.run(&["versions", "list", "ann", "/f"]).unwrap();
    assert!(list.starts_with("1\t3 bytes"), "{list}");
    assert!(s.run(&["versions", "restore", "ann", "/f", "7"]).unwrap_err().contains("no version 7"));
    s.run(&["versions", "restore", "ann", "/f", "1"]).unwrap();
    assert_eq!(s.send("GET", "/f", &[], "").expect(200).text(), "one");
    s.send("DELETE", "/f", &[], "").expect(204);
    let list = s.run(&["--json", "trash", "list", "ann"]).unwrap();
    let entry = list.split("\"entry\":").nth(1).unwrap().split([',', '}']).next().unwrap();
    s.run(&["trash", "restore", "ann", entry, "--to", "/g"]).unwrap();
    assert_eq!(s.send("GET", "/g", &[], "").expect(200).text(), "one");
    s.send("DELETE", "/g", &[], "").expect(204);
    assert!(s.run(&["trash", "empty", "ann"]).unwrap_err().contains("--yes"));
    s.run(&["trash", "empty", "ann", "--yes"]).unwrap();
    assert!(s.run(&["--json", "person", "list"]).unwrap().contains("\"used\":0"));
}

#[test]
fn a_mistyped_directory_is_no_empty_holm() {
    let dir = tempfile::tempdir().unwrap();
    let (data, key) = (dir.path().join("typo"), dir.path().join("key"));
    let holm = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_holm"));
        command.env_clear().current_dir(dir.path()).args(["--data", "typo", "--root-key", "key"]).args(args).output().unwrap()
    };
    for args in [&["check"][..], &["ls", "ann"], &["person", "list"], &["gc"], &["trash", "list", "ann"]] {
        let output = holm(args);
        assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("--data"), "{args:?}");
        assert!(!data.exists() && !key.exists(), "{args:?} made something");
    }
    let added = holm(&["person", "add", "ann"]);
    assert!(added.status.success() && String::from_utf8_lossy(&added.stderr).contains("new root key"));
    // The directory's owner is who runs it here; what others own is refused.
    if std::fs::metadata(&data).unwrap().uid() == 0 && std::process::Command::new("chown").args(["65534"]).arg(&data).status().unwrap().success() {
        assert!(String::from_utf8_lossy(&holm(&["person", "add", "bob"]).stderr).contains("belongs to user 65534"));
    }
}

#[test]
fn a_password_is_changed_from_a_pipe() {
    let s = Server::start();
    assert!(s.run_with_input(&["person", "passwd", "ann"], "correct horse battery staple\n").unwrap().contains("changed"));
    assert!(s.run_with_input(&["person", "passwd", "ann"], "short\n").unwrap_err().contains("8 to"));
    assert!(s.run_with_input(&["person", "passwd", "bob"], "x\n").unwrap_err().contains("bob"));
    assert!(s.run(&["--keep-trash-days", "-1", "gc"]).is_err());
}

#[test]
fn a_demo_is_a_cloud_that_programs_can_read() {
    let s = Server::start();
    let said = s.run(&["--json", "demo", "eve", "--pictures", "2"]).unwrap();
    let made: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(made["person"], "eve");
    let out = s.dir.path().join("out");
    s.run(&["export", "eve", out.to_str().unwrap()]).unwrap();
    let mut kinds = std::collections::BTreeMap::new();
    let mut folders = vec![out];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let (bytes, kind) = (std::fs::read(&path).unwrap(), path.extension().unwrap().to_str().unwrap().to_owned());
            let begins: &[u8] = match &*kind {
                "jpg" => b"\xff\xd8\xff",
                "pdf" => b"%PDF-1.4",
                "wav" => b"RIFF",
                _ => b"",
            };
            assert!(bytes.starts_with(begins), "{}", path.display());
            *kinds.entry(kind).or_insert(0) += 1;
        }
    }
    assert_eq!((kinds["jpg"], kinds["wav"], kinds["pdf"]), (2, 7, 2), "{kinds:?}");
    assert!(s.run(&["trash", "list", "eve"]).unwrap().contains("rain.py"));
    assert!(s.run(&["demo", "eve"]).unwrap_err().contains("eve"), "nobody's cloud is filled with such things");
    s.run(&["check", "--deep"]).unwrap();
}
