//! Every method of remoteStorage, for everybody who may come: what the door says it allows has a rule here, and what the rule
//! says must be so (T26, T40, T58).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::oauth::token;
use crate::remotestorage::bearer;
use crate::server::Server;

/// What a method asks of whoever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Open,
    Read,
    Append,
    Write,
    Delete,
}

/// The method, the path below ann's storage, and what it asks.
const RULES: &[(&str, &str, Rule)] = &[
    ("OPTIONS", "in/f", Rule::Open),
    ("GET", "in/f", Rule::Read),
    ("HEAD", "in/f", Rule::Read),
    ("GET", "in/", Rule::Read),
    ("HEAD", "in/", Rule::Read),
    ("GET", "in/none/", Rule::Read),
    ("PUT", "in/NEW/f", Rule::Append),
    ("PUT", "in/f", Rule::Write),
    ("DELETE", "in/f", Rule::Delete),
    ("GET", "public/in/f", Rule::Open),
    ("HEAD", "public/in/f", Rule::Open),
    ("GET", "public/in/", Rule::Read),
    ("PUT", "public/in/NEW", Rule::Append),
    ("PUT", "public/in/f", Rule::Write),
    ("DELETE", "public/in/f", Rule::Delete),
];

struct Caller {
    name: &'static str,
    authorization: String,
    may: &'static str,
    refusal: u16,
}

fn callers(s: &Server) -> Vec<Caller> {
    let caller = |name, authorization, may, refusal| Caller { name, authorization, may, refusal };
    let app = |name, scope: &str, may| caller(name, bearer(&token(s, scope, &[], 0)), may, 403);
    let revoked = app("whose grants were taken back", "in:rw", "");
    for line in s.run(&["grant", "list", "ann"]).unwrap().lines().rev().take(2) {
        s.run(&["grant", "revoke", "ann", line.split('\t').next().unwrap()]).unwrap();
    }
    std::thread::sleep(Duration::from_millis(1_200));
    vec![
        caller("anonymous", String::new(), "", 401),
        caller("with a wrong token", bearer("0123456789abcdef"), "", 401),
        caller("with an app password for a token", bearer(&s.secret), "", 401),
        caller("with Basic credentials", s.authorization(), "", 401),
        caller("whose time is over", bearer(&token(s, "in:rw", &[], 91 * 86_400_000)), "", 401),
        caller("at another door", bearer(&token(s, "in:rw", &["webdav"], 0)), "", 403),
        caller("at this door", bearer(&token(s, "in:rw", &["remotestorage"], 0)), "read,append,write,delete", 403),
        app("the whole tree", "files:rw", "read,append,write,delete"),
        app("all apps", "*:rw", "read,append,write,delete"),
        app("a reader of all apps", "*:r", "read"),
        app("a reader", "in:r", "read"),
        app("a writer", "in:rw", "read,append,write,delete"),
        app("of another app", "other:rw", ""),
        app("of an app with a longer name", "in-x:rw", ""),
        app("of calendars", "cal", ""),
        revoked,
    ]
}

#[test]
fn t26_t40_t58_every_method_is_for_whom_the_ledger_says() {
    let s = Server::start();
    let all = bearer(&token(&s, "*:rw", &[], 0));
    let put = |path: &str| s.send_as(&all, "PUT", &format!("/rs/ann/{path}"), &["Content-Type: text/plain"], "x").status;
    let told = s.send_as("", "OPTIONS", "/rs/ann/in/f", &[], "").expect(204).header("access-control-allow-methods").unwrap().to_owned();
    assert_eq!(told.split(", ").collect::<BTreeSet<_>>(), RULES.iter().map(|r| r.0).collect(), "each method has a rule");
    let mut news = 0;
    for caller in callers(&s) {
        for (method, path, rule) in RULES {
            assert!(["in/f", "public/in/f"].iter().all(|path| matches!(put(path), 200 | 201)));
            news += 1;
            let path = format!("/rs/ann/{}", path.replace("NEW", &format!("new{news}")));
            let answer = s.send_as(&caller.authorization, method, &path, &["Origin: https://app.example"], "");
            let has = |ability: &str| caller.may.split(',').any(|a| a == ability);
            let may = match rule {
                // A wrong token is told so wherever it comes.
                Rule::Open => caller.refusal != 401 || !caller.authorization.starts_with("Bearer") || *method == "OPTIONS",
                Rule::Read => has("read"),
                Rule::Append => has("append") || has("write"),
                Rule::Write => has("write"),
                Rule::Delete => has("delete"),
            };
            let what = format!("{}: {method} {path} is answered {}: {}", caller.name, answer.status, answer.text());
            match may {
                true => assert!((200..300).contains(&answer.status), "{what}"),
                // Whoever tries wrong tokens often is told to wait.
                false => assert!(answer.status == caller.refusal || (caller.refusal, answer.status) == (401, 429), "{what}"),
            }
            assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"), "{what}");
            assert_eq!(
                answer.status == 401,
                answer.header("www-authenticate").is_some_and(|h| h.starts_with("Bearer realm")) && answer.status != 403,
                "{what}"
            );
        }
    }
}
