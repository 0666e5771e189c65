//! Keys that are lost and come back, and keys that are changed, whatever interrupts it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::server::{Server, command, tool};
use crate::sessions::{Session, session};

/// A stopped holm with something in it, and the kit's words.
struct Kept {
    dir: tempfile::TempDir,
    words: String,
    large: Vec<u8>,
}

fn output(mut command: Command, input: &str) -> Output {
    use std::io::Write;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let _ = child.stdin.take().expect("its input").write_all(input.as_bytes());
    child.wait_with_output().expect("its end")
}

/// Runs holm on the data and root key in a directory; answers what it printed, or what it complained of.
fn holm(dir: &Path, args: &[&str], input: &str) -> Result<Vec<u8>, String> {
    let mut command = command(dir);
    command.args(args);
    let output = output(command, input);
    if output.status.success() { Ok(output.stdout) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().expect("cp").success());
}

fn copied(dir: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    copy(dir, to.path());
    to
}

impl Kept {
    fn new() -> Kept {
        let mut s = Server::start();
        let large: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
        s.send("PUT", "/small", &[], "small").expect(201);
        s.send("PUT", "/large", &[], &large).expect(201);
        let made = s.run(&["--json", "kit", "make"]).unwrap();
        let (_, words) = made.split_once("\"words\":[").expect("words");
        assert!(s.terminate());
        let dir = tempfile::tempdir().unwrap();
        copy(s.dir.path(), dir.path());
        Kept { dir, words: words.replace(['"', ',', ']', '}'], " "), large }
    }

    /// Everything is there, and both the keys in the file and the kit open it.
    #[track_caller]
    fn assert_whole(&self, dir: &Path) {
        assert_eq!(holm(dir, &["cat", "ann", "/small"], "").unwrap(), b"small");
        holm(dir, &["check", "--deep"], "").unwrap();
        let lost = copied(dir);
        std::fs::remove_file(lost.path().join("root.key")).unwrap();
        holm(lost.path(), &["recover"], &self.words).unwrap();
        assert!(holm(lost.path(), &["cat", "ann", "/large"], "").unwrap() == self.large);
    }

    fn root_key(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("root.key")).unwrap()
    }
}

#[test]
fn backup_and_kit_restore_everything() {
    let kept = Kept::new();
    let lost = tempfile::tempdir().unwrap();
    copy(&kept.dir.path().join("data"), &lost.path().join("data"));
    assert!(holm(lost.path(), &["ls", "ann"], "").unwrap_err().contains("holm recover"));
    let refused = |input: &str, why: &str| {
        let said = holm(lost.path(), &["recover"], input).unwrap_err();
        assert!(said.contains(why), "{said}");
        assert!(!lost.path().join("root.key").exists());
    };
    refused("", "24 words, these are 0");
    refused(&("abandon ".repeat(23) + "art"), "another kit");
    refused(&kept.words.trim().replacen(' ', "x ", 1), "word 1");
    let told = holm(lost.path(), &["recover"], &kept.words).unwrap();
    assert!(String::from_utf8_lossy(&told).contains("check --deep"));
    let key = lost.path().join("root.key");
    assert_eq!(std::fs::read_to_string(&key).unwrap(), kept.root_key());
    assert_eq!(key.metadata().unwrap().mode() & 0o777, 0o400);
    kept.assert_whole(lost.path());
    assert!(holm(lost.path(), &["recover"], &kept.words).unwrap_err().contains("nothing to recover"));
    std::fs::remove_file(&key).unwrap();
    std::fs::write(&key, format!("holm-root-key 1 1 {}\n", "07".repeat(32))).unwrap();
    assert!(holm(lost.path(), &["recover"], &kept.words).unwrap_err().contains("another root key"));
    // An age file of other data is no use, and says so.
    let other = Kept::new();
    std::fs::remove_file(&key).unwrap();
    let file = other.dir.path().join("data/root.key.age");
    let said = holm(lost.path(), &["recover", "--from", file.to_str().unwrap()], &other.words).unwrap_err();
    assert!(said.contains("take both from one backup"), "{said}");
    assert!(!key.exists());
}

#[test]
fn a_kit_that_an_admin_made_in_the_browser_restores_everything() {
    let mut s = Server::start();
    s.send("PUT", "/small", &[], "small").expect(201);
    let admin = session(&s, "ann", Session::Proven);
    let kit = s.ask(&admin, "POST", "/kit", &[], "").expect(201).json();
    let words: Vec<&str> = kit["words"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    assert_eq!(words.len(), 24);
    let page = kit["page"].as_str().unwrap();
    assert!(words.iter().all(|w| page.contains(&format!("<li>{w}</li>"))));
    let prove = |words: &str| s.ask(&admin, "POST", "/kit/proof", &[], &serde_json::json!({ "words": words }).to_string());
    let wrong = prove(&words.join(" ").replacen(words[0], "zoo", 1)).expect(422).text();
    assert!(wrong.contains("not-possible"), "{wrong}");
    assert!(s.ask(&admin, "GET", "/me", &[], "").text().contains("\"kit\":\"unproven\""));
    prove(&words.join("\n").to_uppercase()).expect(204);
    assert!(s.ask(&admin, "GET", "/me", &[], "").text().contains("\"kit\":\"proven\""));
    // The one made before it opens nothing any more.
    let newer = s.ask(&admin, "POST", "/kit", &[], "").expect(201).json();
    assert!(prove(&words.join(" ")).expect(422).text().contains("another kit"));
    assert!(s.terminate());
    let lost = copied(s.dir.path());
    std::fs::remove_file(lost.path().join("root.key")).unwrap();
    assert!(holm(lost.path(), &["recover"], &words.join(" ")).is_err());
    let words = newer["words"].to_string().replace(['"', ',', '[', ']'], " ");
    holm(lost.path(), &["recover"], &words).unwrap();
    assert_eq!(holm(lost.path(), &["cat", "ann", "/small"], "").unwrap(), b"small");
}

#[test]
fn the_sheet_is_private_and_opens_what_it_says() {
    let mut s = Server::start();
    assert!(s.run(&["kit", "status"]).unwrap().contains("no recovery kit"));
    assert!(s.run(&["kit", "verify"]).unwrap_err().contains("holm kit make"));
    let sheet = s.dir.path().join("kit.html");
    let path = sheet.to_str().unwrap();
    let made = s.run(&["kit", "make", "--html", path]).unwrap();
    assert!(made.contains("kit verify"), "{made}");
    assert_eq!(sheet.metadata().unwrap().mode() & 0o777, 0o600);
    assert!(s.run(&["kit", "make", "--html", path]).unwrap_err().contains("exists"), "a sheet is not overwritten");
    let html = std::fs::read_to_string(&sheet).unwrap();
    // What stands before the first item is no word.
    let words: Vec<&str> = html.split("<li>").skip(1).take(24).filter_map(|l| l.split('<').next()).collect();
    assert!(made.lines().all(|line| words.iter().filter(|w| line.contains(*w)).count() < 6), "the words are on the sheet alone");
    assert!(s.run(&["kit", "status"]).unwrap().contains("never proven"));
    s.run_with_input(&["kit", "verify"], &words.join("\n")).unwrap();
    assert!(s.run(&["kit", "status"]).unwrap().contains("last proven on"));
    let identity = html.split("<code class=\"line\">").find(|c| c.starts_with("AGE-SECRET-KEY-1")).and_then(|c| c.split('<').next()).expect("the line");
    s.run_with_input(&["kit", "verify"], identity).unwrap();
    // A newer kit takes its place.
    s.run(&["kit", "make"]).unwrap();
    assert!(s.run_with_input(&["kit", "verify"], identity).unwrap_err().contains("another kit"));
    // The words are nowhere in what the server keeps.
    assert!(s.terminate());
    let age = std::fs::read(s.dir.path().join("data/root.key.age")).unwrap();
    assert!(age.starts_with(b"age-encryption.org/v1\n-> X25519 "));
}

#[test]
fn age_opens_the_kit_without_holm_and_holm_what_age_sealed() {
    let Some(age) = tool("age", "age_opens_the_kit_without_holm") else { return };
    let s = Server::start();
    let at = |name: &str| s.dir.path().join(name);
    s.run(&["kit", "make", "--html", at("kit.html").to_str().unwrap()]).unwrap();
    let html = std::fs::read_to_string(at("kit.html")).unwrap();
    let code = |start: &str| html.split("<code class=\"line\">").find(|c| c.starts_with(start)).and_then(|c| c.split('<').next()).expect("a line").to_owned();
    std::fs::write(at("identity"), code("AGE-SECRET-KEY-1")).unwrap();
    let opened = Command::new(&age).arg("--decrypt").arg("-i").arg(at("identity")).arg(at("data/root.key.age")).output().unwrap();
    assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
    assert_eq!(opened.stdout, std::fs::read(at("root.key")).unwrap());
    let sealed = Command::new(&age).arg("--encrypt").arg("-r").arg(code("age1")).arg("-o").arg(at("sealed")).arg(at("root.key")).status().unwrap();
    assert!(sealed.success());
    let key = std::fs::read(at("root.key")).unwrap();
    std::fs::remove_file(at("root.key")).unwrap();
    s.run_with_input(&["recover", "--from", at("sealed").to_str().unwrap()], &code("AGE-SECRET-KEY-1")).unwrap();
    assert_eq!(std::fs::read(at("root.key")).unwrap(), key);
}

#[test]
fn the_first_start_by_hand_shows_the_words_and_in_a_log_they_never_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut quiet = command(dir.path());
    quiet.args(["person", "add", "ann"]);
    let said = String::from_utf8(output(quiet, "").stderr).unwrap();
    assert!(said.contains("holm kit make --html"), "{said}");
    assert!(!dir.path().join("data/root.key.age").exists());
    let Some(script) = tool("script", "the_first_start_by_hand_shows_the_words") else { return };
    let dir = tempfile::tempdir().unwrap();
    let by_hand = format!("{} --data {2}/data --root-key {2}/root.key {}", env!("CARGO_BIN_EXE_holm"), "person add ann", dir.path().display());
    let mut terminal = Command::new(script);
    terminal.args(["-qec", &by_hand, "/dev/null"]);
    let seen = String::from_utf8(output(terminal, "").stdout).unwrap();
    let words: String = seen.lines().filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit())).collect::<Vec<_>>().join(" ");
    assert_eq!(words.split_whitespace().count(), 48, "{seen}");
    holm(dir.path(), &["kit", "verify"], &words).unwrap();
}

#[test]
fn keys_are_changed_only_where_nobody_else_is() {
    let mut s = Server::start();
    s.send("PUT", "/f", &[], "f").expect(201);
    for what in [&["key", "rotate", "root"][..], &["key", "rotate", "person", "ann"]] {
        assert!(s.run(what).unwrap_err().contains("another holm"), "{what:?} beside a server");
    }
    s.send("GET", "/f", &[], "").expect(200);
    assert!(s.terminate());
    let before = std::fs::read_to_string(s.dir.path().join("root.key")).unwrap();
    assert!(s.run(&["key", "rotate", "root"]).unwrap().contains("number 2"));
    let after = std::fs::read_to_string(s.dir.path().join("root.key")).unwrap();
    assert!(after.starts_with("holm-root-key 1 2 ") && after.lines().count() == 1);
    s.run(&["key", "rotate", "person"]).unwrap();
    assert_eq!(s.run(&["cat", "ann", "/f"]).unwrap(), "f");
    std::fs::remove_file(s.dir.path().join("root.key")).unwrap();
    std::fs::write(s.dir.path().join("root.key"), before).unwrap();
    assert!(s.run(&["cat", "ann", "/f"]).is_err(), "the old key opens nothing any more");
}

/// What changes a directory, and what makes that durable; a change of keys is cut off before each.
const STEPS: &[&str] = &["fsync", "fdatasync", "rename", "unlink", "link", "ftruncate"];

/// Ends a command with `kill -9` before each of its steps in turn; `after` looks at what each attempt left.
fn killed_at_each_step(kept: &Kept, strace: &Path, args: &[&str], mut after: impl FnMut(&Path)) -> u32 {
    let mut kills = 0;
    for step in STEPS {
        for n in 1.. {
            let dir = copied(kept.dir.path());
            let holm = command(dir.path());
            let mut traced = Command::new(strace);
            traced.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={step}"), "-e", &format!("inject={step}:signal=KILL:when={n}")]);
            traced.env_clear().arg(holm.get_program()).args(holm.get_args()).args(args);
            let ended = output(traced, "");
            if ended.status.success() {
                break;
            }
            assert!(ended.stderr.is_empty(), "{step} {n}: {}", String::from_utf8_lossy(&ended.stderr));
            kills += 1;
            after(dir.path());
        }
    }
    kills
}

#[test]
fn d03_a_change_of_the_root_key_may_be_killed_anywhere() {
    let Some(strace) = tool("strace", "d03_a_change_of_the_root_key") else { return };
    let kept = Kept::new();
    let args = ["key", "rotate", "root"];
    let kills = killed_at_each_step(&kept, &strace, &args, |dir| {
        kept.assert_whole(dir);
        holm(dir, &args, "").unwrap();
        let key = std::fs::read_to_string(dir.join("root.key")).unwrap();
        assert!(key.lines().count() == 1 && key != kept.root_key(), "{key}");
        kept.assert_whole(dir);
        let rest: Vec<_> = std::fs::read_dir(dir.join("data")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(rest.iter().all(|name| !name.to_string_lossy().contains("new") && !name.to_string_lossy().contains("part")), "{rest:?}");
    });
    assert!(kills > 25, "only {kills} kills: this proves little");
}

#[test]
fn d03_a_change_of_a_persons_key_may_be_killed_anywhere() {
    let Some(strace) = tool("strace", "d03_a_change_of_a_persons_key") else { return };
    let kept = Kept::new();
    let args = ["key", "rotate", "person", "ann"];
    let kills = killed_at_each_step(&kept, &strace, &args, |dir| {
        kept.assert_whole(dir);
        holm(dir, &args, "").unwrap();
        kept.assert_whole(dir);
        let person = std::fs::read_dir(dir.join("data/people")).unwrap().next().unwrap().unwrap().path();
        let packs: Vec<_> = std::fs::read_dir(person.join("packs")).unwrap().map(|e| std::fs::read(e.unwrap().path()).unwrap()).collect();
        // The second new key is that of a change begun after the first was complete.
        assert!(packs.iter().all(|p| p[40] == packs[0][40] && p[40] > 0), "{:?}", packs.iter().map(|p| p[40]).collect::<Vec<_>>());
    });
    assert!(kills > 25, "only {kills} kills: this proves little");
}
