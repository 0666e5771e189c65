//! Clients that work until a fault ends them, each remembering what it was told.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::Fallible;
use super::plan::{File, Node, Op, State};
use super::tree::Mirror;
use crate::bench::client::{Conn, Target};
use crate::bench::content::Random;

/// Requests told when something is wrong.
const TOLD: usize = 12;

pub struct Client {
    /// Its folder, like `/c2`.
    pub home: String,
    random: Random,
    /// It writes small contents only.
    pub small: bool,
    /// What was acknowledged.
    pub state: State,
    /// What it held before each answer that came while answers did not count.
    earlier: Vec<State>,
    /// The request whose end is not known.
    pub unknown: Option<Op>,
    pub acknowledged: u64,
    /// Answers that a full disk explains.
    pub refused: u64,
    pub mirror: Mirror,
    /// Answers that nothing explains.
    unexplained: Vec<String>,
    /// The last content it sent: hash and seed.
    sent: Option<(u64, u64)>,
    log: VecDeque<(Instant, String)>,
}

/// Where a round stands.
#[derive(Default)]
pub struct Moment {
    stop: AtomicBool,
    /// Answers that come now may promise what the tool, not the server, breaks.
    pub loose: AtomicBool,
}

/// What may be answered besides success.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// The connection may end, or 5xx tell that storage failed; the client stops there.
    Ends,
    /// 507, with nothing changed; the client goes on.
    Full,
}

impl Client {
    pub fn new(number: u64, seed: u64) -> Client {
        Client {
            home: format!("/c{number}"),
            random: Random::new(seed.wrapping_mul(31).wrapping_add(number)),
            small: false,
            state: State::new(),
            earlier: Vec::new(),
            unknown: None,
            acknowledged: 0,
            refused: 0,
            mirror: Mirror::default(),
            unexplained: Vec::new(),
            sent: None,
            log: VecDeque::new(),
        }
    }

    /// Makes its folder.
    pub fn settle(&self, target: &Target) -> Fallible<()> {
        match Conn::new(target).send_once("MKCOL", &self.home, "", b"")? {
            201 => Ok(()),
            status => Err(format!("MKCOL {} is answered {status}", self.home).into()),
        }
    }

    /// Works until told to stop or the server fails.
    fn work(&mut self, target: &Target, faults: Faults, moment: &Moment) {
        let mut conn = Conn::new(target);
        while !moment.stop.load(Ordering::SeqCst) && self.unknown.is_none() {
            let op = Op::choose(&mut self.random, &self.state, self.small);
            let before = self.state.clone();
            self.perform(&mut conn, op, faults);
            if moment.loose.load(Ordering::SeqCst) {
                self.earlier.push(before);
            }
        }
    }

    /// What its folder may hold: what was acknowledged, with or without the request whose end is not known; where
    /// answers did not count any more, also what it held before them.
    pub fn possible(&mut self) -> Vec<State> {
        let mut possible = vec![self.state.clone()];
        possible.append(&mut self.earlier);
        if let Some(op) = self.unknown.take() {
            let mut after = self.state.clone();
            op.apply(&mut after);
            possible.push(after);
        }
        possible
    }

    /// One request and what becomes of it.
    pub fn perform(&mut self, conn: &mut Conn, mut op: Op, faults: Faults) {
        self.unknown = Some(op.clone());
        if let Op::Put { file, .. } = &op {
            self.sent = file.seed.map(|seed| (file.hash, seed));
        }
        let answer = send(conn, &self.home, &op);
        let told = answer.as_ref().map_or_else(ToString::to_string, ToString::to_string);
        self.log.push_back((Instant::now(), format!("{op} → {told}")));
        if self.log.len() > TOLD {
            self.log.pop_front();
        }
        match answer {
            Ok(200..300) => {
                if let Op::Put { file, .. } = &mut op {
                    file.etag = (!conn.etag.is_empty()).then(|| conn.etag.clone());
                }
                op.apply(&mut self.state);
                self.unknown = None;
                self.acknowledged += 1;
            }
            Ok(507) if faults == Faults::Full => {
                self.unknown = None;
                self.refused += 1;
            }
            // A failed commit may have reached the disk or not.
            Ok(500 | 503) if faults == Faults::Ends => {}
            // The server is gone, or has refused a body before it was sent whole.
            Err(_) => {}
            Ok(status) => self.unexplained.push(format!("{}{op} is answered {status}: {}", self.home, String::from_utf8_lossy(&conn.body))),
        }
    }

    /// What must not have been answered, since the last time this was asked.
    pub fn unexplained(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unexplained)
    }

    /// Goes on from what is there. Contents that it knows keep the numbers they are made of.
    pub fn adopt(&mut self, mut there: State) {
        let known: HashMap<u64, u64> = self.files().filter_map(|(_, file)| Some((file.hash, file.seed?))).collect();
        let files = there.values_mut().filter_map(|node| if let Node::File(file) = node { Some(file) } else { None });
        for file in files {
            file.seed = known.get(&file.hash).copied().or(self.sent.filter(|s| s.0 == file.hash).map(|s| s.1));
        }
        self.state = there;
    }

    /// The last requests, with the milliseconds at which their answers came before the fault (or after it).
    pub fn last_requests(&self, fault: Instant) -> String {
        let since = |at: Instant| if at < fault { -(fault - at).as_secs_f64() } else { (at - fault).as_secs_f64() };
        self.log.iter().map(|(at, l)| format!("\n      {:+.1} ms: {l}", since(*at) * 1e3)).collect()
    }

    /// Files it was told are there.
    pub fn files(&self) -> impl Iterator<Item = (&String, &File)> {
        self.state.iter().filter_map(|(path, node)| if let Node::File(file) = node { Some((path, file)) } else { None })
    }
}

fn send(conn: &mut Conn, home: &str, op: &Op) -> Fallible<u16> {
    let to = |conn: &Conn, to: &str| conn.destination(&format!("{home}{to}"));
    match op {
        Op::Put { path, file, if_match } => {
            let condition = if_match.as_ref().map(|etag| format!("If-Match: {etag}\r\n")).unwrap_or_default();
            conn.send_once("PUT", &format!("{home}{path}"), &condition, &file.bytes())
        }
        Op::Mkcol { path } => conn.send_once("MKCOL", &format!("{home}{path}"), "", b""),
        Op::Delete { path } => conn.send_once("DELETE", &format!("{home}{path}"), "", b""),
        Op::Move { from, to: target } => conn.send_once("MOVE", &format!("{home}{from}"), &to(conn, target), b""),
        Op::Copy { from, to: target } => conn.send_once("COPY", &format!("{home}{from}"), &to(conn, target), b""),
    }
}

/// Several clients at once, until `fault` has happened and they have noticed.
pub fn together(clients: &mut [Client], target: &Target, faults: Faults, fault: impl FnOnce(&Moment) -> Fallible<()>) -> Fallible<()> {
    let moment = &Moment::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = clients.iter_mut().map(|c| scope.spawn(move || c.work(target, faults, moment))).collect();
        let done = fault(moment);
        moment.stop.store(true, Ordering::SeqCst);
        let failed = workers.into_iter().map(|w| w.join()).filter(Result::is_err).count();
        done?;
        if failed == 0 { Ok(()) } else { Err("a client failed".into()) }
    })
}
