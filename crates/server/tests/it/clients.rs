//! Real programs that speak WebDAV, run against the real program.

use std::process::Command;

use crate::mounts::noise;
use crate::server::{Server, skip, tool};

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

#[test]
fn curl_uploads_resumes_and_takes_parts() {
    const TEST: &str = "curl_uploads_resumes_and_takes_parts";
    let Some(curl) = tool("curl", TEST) else { return };
    let s = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let body = noise(3_000_000);
    let file = |name: &str| dir.path().join(name);
    std::fs::write(file("body"), &body).unwrap();
    let run = |args: &[&str], path: &str| {
        let mut command = Command::new(&curl);
        command.current_dir(dir.path()).stdin(std::fs::File::open(file("body")).unwrap());
        command.args(["-q", "-s", "-v", "-u", &format!("ann:{}", s.secret), "-w", "%{http_code} %{size_upload} %{size_download}"]);
        if !args.contains(&"-o") {
            command.args(["-o", "out"]);
        }
        let output = command.args(args).arg(s.url() + path).output().unwrap();
        (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (told, log) = run(&["-H", "Expect: 100-continue", "-T", "body"], "announced");
    assert!(told.starts_with("201 3000000 ") && log.contains("< HTTP/1.1 100 Continue"), "{told}\n{log}");
    let (told, log) = run(&["-T", "-"], "chunked");
    assert!(told.starts_with("201 ") && log.contains("Transfer-Encoding: chunked"), "{told}\n{log}");
    // What will be refused is refused before it is sent.
    let (told, log) = run(&["-H", "Expect: 100-continue", "-T", "body"], "no/folder");
    assert!(told.starts_with("409 0 ") && !log.contains("100 Continue"), "{told}\n{log}");
    for path in ["announced", "chunked"] {
        assert!(run(&[], path).0.starts_with("200 0 3000000"));
        assert!(std::fs::read(file("out")).unwrap() == body, "{path} came back changed");
        for (range, part) in [("10-19", &body[10..20]), ("-5", &body[body.len() - 5..]), ("1000000-2500000", &body[1_000_000..=2_500_000])] {
            assert!(run(&["-r", range], path).0.starts_with("206 "), "{range}");
            assert!(std::fs::read(file("out")).unwrap() == part, "{range} of {path}");
        }
        std::fs::write(file("begun"), &body[..1_234_567]).unwrap();
        assert_eq!(run(&["-C", "-", "-o", "begun"], path).0, format!("206 0 {}", body.len() - 1_234_567));
        assert!(std::fs::read(file("begun")).unwrap() == body, "the resumed download differs");
        // Nothing is left to resume.
        assert!(run(&["-C", "-", "-o", "begun"], path).0.starts_with("416 0 0"));
        assert!(std::fs::read(file("begun")).unwrap() == body, "the whole download was touched");
    }
    // An upload cannot resume by Content-Range: another server would take the part for the whole.
    assert!(run(&["-C", "1000", "-T", "body"], "announced").0.starts_with("400 "));
    assert!(run(&[], "announced").0.starts_with("200 0 3000000"));
    // A copy that is still the newest is not sent again.
    assert!(run(&["--etag-save", "etag"], "announced").0.starts_with("200 "));
    assert!(run(&["--etag-compare", "etag"], "announced").0.starts_with("304 0 0"));
}

#[test]
fn gio_keeps_files() {
    const TEST: &str = "gio_keeps_files";
    let (Some(session), Some(_)) = (tool("dbus-run-session", TEST), tool("gio", TEST)) else { return };
    if !["/usr/lib/gvfs/gvfsd-dav", "/usr/libexec/gvfsd-dav"].iter().any(|p| std::path::Path::new(p).exists()) {
        return skip(TEST, "gvfs-backends is not installed");
    }
    let s = Server::start();
    s.run(&["person", "quota", "ann", "100M"]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/gio.sh");
    let mut command = Command::new(session);
    command.args(["--", "sh", "-x", script]).env("HOLM_URL", s.url()).env("HOLM_SECRET", &s.secret).env("HOLM_SCRATCH", dir.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
