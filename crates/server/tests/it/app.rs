//! The pages: in a real browser, driven by `tests/clients/app.mjs`; and what the server says beside them.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::server::{Server, fetched, skip, tool};
use crate::sessions::{Session, session};

/// As browsers ask for a page.
const BROWSER: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";

/// Whether holm was built with Node there; says by name what is skipped where not.
fn has_pages(s: &Server, test: &str) -> bool {
    let there = s.page("/sign-in", &[BROWSER]).text().contains("<script");
    if !there {
        skip(test, "holm is built without its pages");
    }
    there
}

/// Runs a scenario in Chromium where it is installed.
fn passes(test: &str, scenario: &str, s: &Server, more: &[(&str, &str)]) {
    let (Some(node), Some(modules), Some(chromium)) = (tool("node", test), fetched("npm", test), tool("chromium", test)) else { return };
    if !has_pages(s, test) {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/app.mjs");
    let mut command = Command::new(node);
    // From its standard input, node looks for modules in the directory it runs in.
    command.current_dir(modules).args(["--input-type=module", "-"]).stdin(Stdio::from(std::fs::File::open(script).unwrap()));
    command.env("HOLM_SCENARIO", scenario).env("HOLM_CHROMIUM", chromium).env("HOLM_ORIGIN", format!("http://localhost:{}", s.address.port()));
    let output = command.envs(more.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_first_owner_comes_in_and_finds_everything() {
    let (s, link) = Server::unowned();
    passes("the_first_owner_comes_in_and_finds_everything", "owner", &s, &[("HOLM_LINK", &link)]);
}

#[test]
fn t30_an_old_proof_is_asked_for_anew() {
    let s = Server::start();
    s.run_with_input(&["person", "passwd", "ann"], "three small boats at noon\nthree small boats at noon\n").unwrap();
    let token = session(&s, "ann", Session::Open);
    passes("t30_an_old_proof_is_asked_for_anew", "stepUp", &s, &[("HOLM_SESSION", &token)]);
}

/// With ann signed in, who proved to be there, and an app password of hers.
fn with_files(test: &str, scenario: &str) {
    let s = Server::start();
    let token = session(&s, "ann", Session::Proven);
    passes(test, scenario, &s, &[("HOLM_SESSION", &token), ("HOLM_SECRET", &s.secret)]);
    assert!(s.run(&["check"]).is_ok());
}

#[test]
fn files_are_looked_at_and_changed_by_hand_and_by_keyboard() {
    with_files("files_are_looked_at_and_changed_by_hand_and_by_keyboard", "browse");
}

#[test]
fn t38_links_open_what_they_say_for_whoever_holds_them() {
    with_files("t38_links_open_what_they_say_for_whoever_holds_them", "share");
}

#[test]
fn uploads_go_on_after_a_lost_network_and_a_reload() {
    with_files("uploads_go_on_after_a_lost_network_and_a_reload", "upload");
}

#[test]
fn large_folders_show_at_once_and_scroll() {
    with_files("large_folders_show_at_once_and_scroll", "many");
}

#[test]
fn apps_are_shown_to_the_person_and_let_in_for_less() {
    let s = Server::start();
    s.run_with_input(&["person", "passwd", "ann"], "three small boats at noon\nthree small boats at noon\n").unwrap();
    passes("apps_are_shown_to_the_person_and_let_in_for_less", "allow", &s, &[]);
}

#[test]
fn t28_pages_run_nothing_but_their_own_files() {
    let s = Server::start();
    let pages =
        ["/", "/welcome", "/sign-in", "/allow", "/device", "/files", "/files/a/b%20c", "/s/a-token", "/trash", "/access", "/connect", "/settings", "/people"];
    for page in pages {
        let answer = s.page(page, &[BROWSER]).expect(200);
        let policy = answer.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "require-trusted-types-for 'script'"] {
            assert!(policy.contains(part), "{page}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
        let text = answer.text();
        assert!(text.contains("<title>holm</title>") && !text.contains("<style") && !text.contains(" style="), "{text}");
        assert!(text.match_indices("<script").all(|(at, _)| text[at..].split('>').next().unwrap().contains("src=\"/")), "{text}");
    }
}

#[test]
fn pages_are_for_browsers_and_come_compressed_and_once() {
    let s = Server::start();
    let page = s.page("/", &[BROWSER]).expect(200);
    let tag = page.header("etag").unwrap().to_owned();
    s.page("/", &[BROWSER, &format!("If-None-Match: {tag}")]).expect(304);
    s.page("/", &[BROWSER, "If-None-Match: \"other\""]).expect(200);
    // WebDAV clients begin at `/` as before, whatever the app has there.
    let root =
        format!("PROPFIND / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: {}\r\n{BROWSER}\r\nDepth: 0\r\n\r\n", s.address, s.authorization());
    s.raw(root.as_bytes()).expect(207);
    s.page("/access", &["Accept: */*"]).expect(401);
    s.page("/nothing", &[BROWSER]).expect(401);
    assert!(s.page("/", &["Accept: */*"]).expect(200).text().contains("WebDAV"));
    s.page("/assets/of-another-version.js", &[]).expect(404);
    if !has_pages(&s, "pages_are_for_browsers_and_come_compressed_and_once") {
        return;
    }
    let text = page.text();
    let script = text.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let plain = s.page(script, &[]).expect(200);
    assert_eq!(plain.header("cache-control"), Some("public, max-age=31536000, immutable"));
    for coding in ["br", "gzip"] {
        let packed = s.page(script, &[&format!("Accept-Encoding: zstd, {coding}")]).expect(200);
        assert_eq!(packed.header("content-encoding"), Some(coding));
        assert!(packed.body.len() * 2 < plain.body.len() && packed.header("etag") != plain.header("etag"));
    }
    assert_eq!(s.page(script, &["Accept-Encoding: br;q=0"]).expect(200).body, plain.body);
}
