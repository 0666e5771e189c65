//! Sessions of every kind, made beside the running server in the catalog that it reads: also those that signing in does not
//! give, because their time is over or their proof long ago.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use holm_auth::Token;
use holm_core::{Clock, Entropy, Env, Host, Key, NewSession, RootKey, Timestamp};

use crate::server::{Answer, Server};

/// So many milliseconds ago; dice that are fair enough for a session's token.
struct Ago(i64);

impl Clock for Ago {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        Timestamp(since.as_millis() as i64 - self.0)
    }
}

impl Entropy for Ago {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system's random source");
    }
}

/// The server's data, opened beside it.
pub fn host(s: &Server, ago: i64) -> (Host, Env) {
    let text = std::fs::read_to_string(s.dir.path().join("root.key")).expect("the root key");
    let mut words = text.split_whitespace().skip(2); // The first two tell what the line is, and its version.
    let epoch = words.next().and_then(|w| w.parse().ok()).expect("an epoch");
    let hex = words.next().expect("the key in hex");
    let bytes: Vec<u8> = (0..32).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).expect("hex")).collect();
    let root = RootKey { key: Key::from_bytes(bytes.try_into().expect("32 bytes")), epoch };
    let env = Env { clock: Arc::new(Ago(ago)), entropy: Arc::new(Ago(ago)) };
    (Host::open(s.place(), root, env.clone()).expect("the data"), env)
}

/// What a session is to be like.
#[derive(Clone, Copy)]
pub enum Session {
    /// Who is there was proven just now.
    Proven,
    /// Open for an hour.
    Open,
    AwaitsSecondFactor,
    Expired,
    /// Signed out.
    Ended,
}

/// A session of a person's; answers its token.
pub fn session(s: &Server, person: &str, like: Session) -> String {
    let ago = match like {
        Session::Open | Session::Expired => Timestamp::HOUR,
        _ => 0,
    };
    let (host, env) = host(s, ago);
    let token = Token::random(&env);
    let until = match like {
        Session::Expired => env.now().plus(Timestamp::HOUR / 2),
        _ => env.now().plus(Timestamp::DAY),
    };
    let changes = host.proofs(person).expect("the catalog").expect("the person").changes;
    let person = host.person(person).expect("the person").id;
    let awaits = matches!(like, Session::AwaitsSecondFactor);
    let new = NewSession { person, hash: &Token::hash(token.reveal()), changes, awaits, until, address: "127.0.0.1", agent: "test" };
    let id = host.open_session(&new).expect("a session");
    if matches!(like, Session::Ended) {
        host.end_session(person, id).expect("its end");
    }
    token.reveal().to_owned()
}

impl Server {
    /// Asks the JSON API below `/api/v1` with a session's token, if there is one.
    pub fn ask(&self, token: &str, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let cookie = format!("Cookie: __Host-holm={token}");
        let mut all = headers.to_vec();
        if !token.is_empty() {
            all.push(&cookie);
        }
        if !body.is_empty() && !headers.iter().any(|h| h.starts_with("Content-Type")) {
            all.push("Content-Type: application/json");
        }
        self.send_as("", method, &format!("/api/v1{path}"), &all, body)
    }
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}
