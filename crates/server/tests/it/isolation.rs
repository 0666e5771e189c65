//! One person's things through another's doors (T58): every method, with every way there is to name something of somebody else's.
//! Nothing of it comes back, nothing of it changes, and the answer is the one for somebody who does not live here.

use std::path::Path;

use crate::server::{Answer, Server, basic};

const CONTENT: &str = "b0bs-c0ntent";
const FOLDER: &str = "b0bs-f0lder";
const PROPERTY: &str = "b0bs-pr0perty";
const OWNER: &str = "b0bs-l0ck-0wner";

const LOCK: &str = "<d:lockinfo xmlns:d='DAV:'><d:lockscope><d:exclusive/></d:lockscope><d:locktype><d:write/></d:locktype>\
    <d:owner>b0bs-l0ck-0wner</d:owner></d:lockinfo>";
const PATCH: &str = "<propertyupdate xmlns='DAV:'><set><prop><x xmlns='y'>b0bs-pr0perty</x></prop></set></propertyupdate>";
const ASKED: &str = "<propfind xmlns='DAV:'><allprop/><include><acl/><owner/><current-user-privilege-set/><lockdiscovery/><sync-token/></include></propfind>";

/// Two people; the second has something of everything.
struct World {
    s: Server,
    bob: String,
    etag: String,
    lock: String,
    sync: String,
}

fn sync(token: &str) -> String {
    format!("<sync-collection xmlns='DAV:'><sync-token>{token}</sync-token><sync-level>1</sync-level><prop><getetag/><x xmlns='y'/></prop></sync-collection>")
}

impl World {
    fn new() -> World {
        let s = Server::start();
        s.run(&["person", "add", "bob"]).unwrap();
        let bob = basic("bob", s.run(&["app-password", "add", "bob", "--quiet"]).unwrap().trim());
        s.send("MKCOL", "/d", &[], "").expect(201);
        s.send("PUT", "/f", &[], "anns").expect(201);
        let mut world = World { s, bob, etag: String::new(), lock: String::new(), sync: String::new() };
        let folder = format!("/{FOLDER}");
        world.as_bob("MKCOL", &folder, &[], "").expect(201);
        world.as_bob("PUT", &format!("{folder}/f"), &[], "before").expect(201);
        world.etag = world.as_bob("PUT", &format!("{folder}/f"), &[], CONTENT).expect(204).header("etag").unwrap().to_owned();
        world.as_bob("PUT", "/f", &[], CONTENT).expect(201);
        world.as_bob("PROPPATCH", &format!("{folder}/f"), &[], PATCH).expect(207);
        world.lock = world.as_bob("LOCK", &format!("{folder}/f"), &[], LOCK).expect(200).header("lock-token").unwrap().trim_matches(['<', '>']).to_owned();
        let told = world.as_bob("REPORT", "/", &[], &sync("")).expect(207).text();
        world.sync = told.split("<d:sync-token>").nth(1).unwrap().split('<').next().unwrap().to_owned();
        world
    }

    fn as_bob(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        self.s.send_as(&self.bob, method, &format!("/dav/files/bob{path}"), headers, body)
    }

    /// All that bob sees of his things; ann's doings must not change a letter of it.
    fn bobs(&self) -> Vec<String> {
        let folder = format!("/{FOLDER}");
        // How long the lock still holds is all that may differ.
        let text = |answer: Answer| {
            let text = answer.text();
            let mut parts = text.split("Second-");
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |all, part| all + "Second-" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
        };
        vec![
            text(self.as_bob("PROPFIND", "/", &["Depth: 1"], ASKED)),
            text(self.as_bob("PROPFIND", &folder, &["Depth: 1"], ASKED)),
            text(self.as_bob("GET", &format!("{folder}/f"), &[], "")),
            // All that ever changed.
            text(self.as_bob("REPORT", "/", &[], &sync(""))),
            self.s.run(&["versions", "list", "bob", &format!("{folder}/f")]).unwrap(),
        ]
    }

    #[track_caller]
    fn assert_silent(&self, what: &str, answer: &Answer, sent: &[&str]) {
        let all = format!("{}\n{}", answer.head, answer.text());
        for secret in [CONTENT, FOLDER, PROPERTY, OWNER, &self.etag, &self.lock] {
            let secret = secret.trim_matches('"');
            // What ann sent herself may come back to her.
            assert!(!all.contains(secret) || sent.iter().any(|s| s.contains(secret)), "{what}: {secret} comes back: {all}");
        }
    }
}

/// Every method with a body and headers that would do something.
fn methods(token: &str) -> Vec<(&'static str, Vec<String>, String)> {
    let own = |headers: &[&str]| headers.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>();
    vec![
        ("GET", own(&[]), String::new()),
        ("GET", own(&["Range: bytes=0-3,5-6"]), String::new()),
        ("HEAD", own(&[]), String::new()),
        ("OPTIONS", own(&[]), String::new()),
        ("PROPFIND", own(&["Depth: 0"]), ASKED.to_owned()),
        ("PROPFIND", own(&["Depth: 1"]), String::new()),
        ("REPORT", own(&[]), sync("")),
        ("REPORT", own(&[]), sync(token)),
        (
            "REPORT",
            own(&["Depth: 0"]),
            "<expand-property xmlns='DAV:'><property name='owner'><property name='displayname'/></property></expand-property>".to_owned(),
        ),
        ("PUT", own(&[]), "overwritten".to_owned()),
        ("PATCH", own(&["Content-Type: application/x-sabredav-partialupdate", "X-Update-Range: append"]), "overwritten".to_owned()),
        ("MKCOL", own(&[]), String::new()),
        ("PROPPATCH", own(&[]), PATCH.replace("b0bs", "anns")),
        ("LOCK", own(&["Timeout: Second-60"]), LOCK.replace("b0bs", "anns")),
        ("COPY", own(&["Destination: /dav/files/ann/d/taken"]), String::new()),
        ("MOVE", own(&["Destination: /dav/files/ann/d/taken"]), String::new()),
        ("POST", own(&[]), "x".to_owned()),
        ("ACL", own(&[]), "<acl xmlns='DAV:'/>".to_owned()),
        ("DELETE", own(&[]), String::new()),
    ]
}

#[test]
fn t58_nothing_of_another_persons_is_reached_by_its_path() {
    let w = World::new();
    let before = w.bobs();
    assert!(before.iter().any(|t| t.contains(PROPERTY)) && before.iter().any(|t| t.contains(&w.lock)), "too little is looked at: {before:?}");
    let mut asked = 0;
    for (method, headers, body) in methods(&w.sync) {
        let held: Vec<String> = vec![format!("If: (<{}>)", w.lock), format!("If: ([{}])", w.etag), format!("If-Match: {}", w.etag), "If-None-Match: *".into()];
        for more in std::iter::once(None).chain(held.iter().map(Some)) {
            let headers: Vec<&str> = headers.iter().chain(more).map(String::as_str).collect();
            for (path, theirs) in [
                ("/dav/files/bob", true),
                ("/dav/files/bob/", true),
                ("/dav/files/bob/f", true),
                ("/dav/files/bob/b0bs-f0lder", true),
                ("/dav/files/bob/b0bs-f0lder/f", true),
                ("/dav/files/bob/b0bs-f0lder/new", true),
                ("/dav/files//bob/f", true),
                ("/dav/files/%62ob/f", true),
                ("/dav/principals/users/bob/", true),
                ("/dav/files/ann/../bob/f", false),
                ("/dav/files/ann/%2e%2e/bob/f", false),
                ("/dav/files/ann%2fbob/f", false),
                ("/dav/files/BOB/f", false),
                ("/dav/files/bob%00/f", false),
                ("/dav/files/ann/bob/b0bs-f0lder/f", false),
            ] {
                let answer = w.s.send(method, path, &headers, &body);
                let what = format!("{method} {path} {headers:?}");
                asked += 1;
                w.assert_silent(&what, &answer, &[path, &headers.join(""), &body]);
                // Where nobody lives it is the same.
                if theirs {
                    let strange = w.s.send(method, &path.replace("bob", "zoe").replace("%62ob", "%7Aoe"), &headers, &body);
                    let same = |a: &Answer| (a.status, a.text().replace("zoe", "bob"), a.head.lines().filter(|l| !l.starts_with("date")).count());
                    assert_eq!(same(&answer), same(&strange), "{what}");
                    assert!(answer.status >= 400 || method == "OPTIONS", "{what} is answered {}", answer.status);
                }
            }
        }
    }
    assert!(asked > 1_000, "{asked}");
    assert_eq!(w.bobs(), before);
    assert_eq!(w.s.send("GET", "/f", &[], "").expect(200).text(), "anns");
}

/// On ann's own things, with what belongs to bob: his tokens and tags mean nothing here, and whether they are right is not told.
#[test]
fn t58_tokens_and_tags_of_another_person_mean_nothing() {
    let w = World::new();
    let before = w.bobs();
    let his = format!("/dav/files/bob/{FOLDER}/f");
    let wrong_etag = format!("\"{}\"", "0".repeat(w.etag.len() - 2));
    let wrong_lock = w.lock.replace(|c: char| c.is_ascii_digit(), "0");
    let wrong_path = "/dav/files/bob/nothing/f";
    // Each pair: what is right about bob's things, and what is wrong.
    let pairs = [
        (format!("If-Match: {}", w.etag), format!("If-Match: {wrong_etag}")),
        (format!("If: ([{}])", w.etag), format!("If: ([{wrong_etag}])")),
        (format!("If: (<{}>)", w.lock), format!("If: (<{wrong_lock}>)")),
        (format!("If: <{his}> ([{}])", w.etag), format!("If: <{his}> ([{wrong_etag}])")),
        (format!("If: <{his}> (<{}>)", w.lock), format!("If: <{his}> (<{wrong_lock}>)")),
        (format!("If: <{his}> (Not [{}])", w.etag), format!("If: <{wrong_path}> (Not [{}])", w.etag)),
        (format!("If: <{his}> (Not <DAV:no-lock>)"), format!("If: <{wrong_path}> (Not <DAV:no-lock>)")),
        (format!("Lock-Token: <{}>", w.lock), format!("Lock-Token: <{wrong_lock}>")),
        (format!("Destination: {his}"), format!("Destination: {wrong_path}")),
        (format!("Destination: {his}\r\nOverwrite: F"), format!("Destination: {wrong_path}\r\nOverwrite: F")),
        ("Destination: /dav/files/bob/new".to_owned(), "Destination: /dav/files/zoe/new".to_owned()),
    ];
    let mut asked = 0;
    for (method, headers, body) in methods(&w.sync).into_iter().chain([("UNLOCK", Vec::new(), String::new())]) {
        for (right, wrong) in &pairs {
            let own: Vec<&str> = headers.iter().map(String::as_str).filter(|h| h.split(':').next() != right.split(':').next()).collect();
            let ask = |more: &str| {
                // As it was, so that one does not see what the other did.
                w.s.send("DELETE", "/f", &[], "");
                w.s.send("DELETE", "/d", &[], "");
                w.s.send("MKCOL", "/d", &[], "").expect(201);
                w.s.send("PUT", "/f", &[], "anns").expect(201);
                let answer = w.s.send(method, "/f", &[&own[..], &[more]].concat(), &body);
                if let Some(token) = answer.header("lock-token") {
                    w.s.send("UNLOCK", "/f", &[&format!("Lock-Token: {token}")], "").expect(204);
                }
                w.assert_silent(&format!("{method} {more}"), &answer, &[more, &body]);
                (answer.status, answer.text())
            };
            asked += 1;
            let (a, b) = (ask(right), ask(wrong));
            assert_eq!(a.0, b.0, "{method} tells whether {right} is so: {a:?} {b:?}");
        }
    }
    assert!(asked > 150, "{asked}");
    assert_eq!(w.bobs(), before);
    // A sync token of his at her root tells of hers alone.
    let answer = w.s.send("REPORT", "/", &[], sync(&w.sync));
    w.assert_silent("his sync-token at her root", &answer, &[&w.sync]);
    assert!(!answer.text().contains("bob"), "{}", answer.text());
}

/// What is the same for two people is kept twice, under keys of their own: nobody learns from sizes, bytes or time what others have.
#[test]
fn t58_nothing_is_shared_between_people_on_the_disk() {
    let w = World::new();
    let packs = |dir: &Path| -> Vec<Vec<u8>> {
        let all = std::fs::read_dir(dir.join("packs")).unwrap().map(|e| std::fs::read(e.unwrap().path()).unwrap());
        all.collect()
    };
    let people: Vec<_> = std::fs::read_dir(w.s.dir.path().join("data/people")).unwrap().map(|e| e.unwrap().path()).collect();
    let large: Vec<u8> = (0..5_000_000u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 29) as u8).collect();
    let size = |packs: &[Vec<u8>]| packs.iter().map(Vec::len).sum::<usize>();
    let grown = |before: usize| people.iter().map(|p| size(&packs(p))).sum::<usize>() - before;
    w.s.send("PUT", "/large", &[], &large).expect(201);
    let first = grown(0);
    assert!(first >= large.len());
    // Within one person it is kept once.
    w.s.send("PUT", "/copy", &[], &large).expect(201);
    assert_eq!(grown(first), 0);
    w.s.send_as(&w.bob, "PUT", "/dav/files/bob/large", &[], &large).expect(201);
    assert!(grown(first) >= large.len(), "what ann keeps spares bob room: {}", grown(first));
    // Neither pieces nor the names of chunks are the same, but the zeros of the header and the first record's length.
    let sealed = |packs: Vec<Vec<u8>>| packs.into_iter().flat_map(|pack| pack[72..].to_vec()).collect::<Vec<_>>();
    let (anns, bobs) = (sealed(packs(&people[0])), sealed(packs(&people[1])));
    let pieces: std::collections::HashSet<&[u8]> = anns.windows(16).step_by(8).collect();
    assert!(pieces.len() > 500_000 && !bobs.windows(16).any(|piece| pieces.contains(piece)));
}
