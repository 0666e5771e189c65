//! linear: clients race for one path, with and without conditions; in some histories the server is killed in their midst.
//! However they overlapped, there must be an order of single requests in which every answer is right.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::history::{Answer, Condition, MOST, Method, Request, fork, is_linearizable};
use super::holm::{Holm, Running};
use super::options::Options;
use super::plan::{File, hash};
use super::{Fallible, Outcome};
use crate::bench::client::{Conn, Target};
use crate::bench::content::Random;

pub(super) const CLIENTS: usize = 8;
/// Requests of each; one more looks at what is left.
const EACH: usize = 7;
const _: () = assert!(CLIENTS * EACH < MOST);
/// One history in so many has a kill.
const KILLS: u64 = 4;
/// The kill comes within this many milliseconds: about as long as a history takes.
const MIDST: u64 = 25;

/// One request as its client saw it.
pub(super) struct Seen {
    client: usize,
    pub sent: u64,
    pub ended: u64,
    method: Method,
    condition: Asked,
    /// What a PUT brought.
    brought: Option<u64>,
    /// Status, ETag, and hash of what came.
    pub answer: Option<(u16, String, u64)>,
}

/// A condition as it is sent.
pub(super) enum Asked {
    None,
    IfMatch(String),
    IfNoneMatch(String),
    Absent,
}

/// What the clients of one history share.
#[derive(Default)]
pub(super) struct Race {
    path: String,
    /// Counts whatever happens, so that each thing has a moment of its own.
    clock: AtomicU64,
    /// The tag that somebody was told last.
    newest: Mutex<String>,
}

impl Race {
    pub fn of(path: String) -> Race {
        Race { path, ..Race::default() }
    }

    fn moment(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub fn send(&self, conn: &mut Conn, client: usize, method: Method, condition: Asked, file: Option<&File>) -> Seen {
        let headers = match &condition {
            Asked::None => String::new(),
            Asked::IfMatch(tag) => format!("If-Match: {tag}\r\n"),
            Asked::IfNoneMatch(tag) => format!("If-None-Match: {tag}\r\n"),
            Asked::Absent => "If-None-Match: *\r\n".into(),
        };
        let verb = match method {
            Method::Get => "GET",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        };
        let bytes = file.map(File::bytes).unwrap_or_default();
        let sent = self.moment();
        let answer = conn.send_once(verb, &self.path, &headers, &bytes).ok().map(|status| (status, conn.etag.clone(), hash(&conn.body)));
        // Who did not hear the end waits for it for ever.
        let ended = if answer.is_some() { self.moment() } else { u64::MAX };
        if let Some((200..300, tag, _)) = &answer
            && !tag.is_empty()
        {
            self.newest.lock().expect("newest tag").clone_from(tag);
        }
        Seen { client, sent, ended, method, condition, brought: file.map(|f| f.hash), answer }
    }
}

pub(super) struct Client {
    number: usize,
    random: Random,
    left: usize,
    log: Vec<Seen>,
}

impl Client {
    pub fn new(number: usize, seed: u64) -> Client {
        Client { number, random: Random::new(seed), left: EACH, log: Vec::new() }
    }

    pub fn into_log(self) -> Vec<Seen> {
        self.log
    }

    /// Sends until all is sent, or the connection ends.
    pub fn work(&mut self, target: &Target, race: &Race) {
        let mut conn = Conn::new(target);
        while self.left > 0 {
            self.left -= 1;
            let seen = self.request(&mut conn, race);
            let ends = seen.answer.is_none();
            self.log.push(seen);
            if ends {
                return;
            }
        }
    }

    fn request(&mut self, conn: &mut Conn, race: &Race) -> Seen {
        let random = &mut self.random;
        let tag = Some(race.newest.lock().expect("newest tag").clone()).filter(|tag| !tag.is_empty());
        let (method, condition) = match (random.below(20), tag) {
            (0..3, _) => (Method::Get, Asked::None),
            (3..5, Some(tag)) => (Method::Get, Asked::IfNoneMatch(tag)),
            (5..12, Some(tag)) => (Method::Put, Asked::IfMatch(tag)),
            (12..14, _) => (Method::Put, Asked::Absent),
            (14..16, Some(tag)) => (Method::Delete, Asked::IfMatch(tag)),
            (16..18, _) => (Method::Delete, Asked::None),
            _ => (Method::Put, Asked::None),
        };
        // Both sides of what is kept in the catalog and what in packs.
        let length = if random.below(5) == 0 { 65_000 + random.below(100_000) } else { 16 + random.below(2_000) };
        let file = (method == Method::Put).then(|| File::new(random.next(), length as usize));
        race.send(conn, self.number, method, condition, file.as_ref())
    }
}

pub fn run(binary: &Path, options: &Options) -> Fallible<Outcome> {
    let beside = tempfile::Builder::new().prefix("holm-prove-").tempdir()?;
    let holm = Holm::new(binary, &beside.path().join("data"), beside.path())?;
    let mut random = Random::new(options.seed);
    let mut outcome = Outcome::default();
    let (mut running, _) = holm.restart()?;
    for round in 1..=options.rounds {
        outcome.rounds = round;
        let history = history(&holm, &mut running, round, &mut random, &mut outcome)?;
        if let Err(wrong) = judge(&history, &mut outcome) {
            outcome.findings.push(format!("history {round}: {wrong}"));
            return Ok(outcome);
        }
    }
    running.kill()?;
    outcome.findings = holm.errors()?;
    outcome.findings.extend(holm.check());
    // In the mean of many histories; a few may hold less.
    for (what, each) in [("conditional writes done", 2), ("conditions failed", 4), ("requests that overlapped another", 30)] {
        let n = outcome.counts.get(what).copied().unwrap_or_default();
        if n < each * options.rounds {
            return Err(format!("{n} {what} in {} histories: too few to prove anything", options.rounds).into());
        }
    }
    if options.rounds >= 40 && outcome.counts.get("unknown ends").copied().unwrap_or_default() < options.rounds / 10 {
        return Err("the kills met next to no request: this proves nothing".into());
    }
    Ok(outcome)
}

/// Lets the clients race on a path of their own, and kills the server in their midst or not.
fn history(holm: &Holm, running: &mut Running, number: u64, random: &mut Random, outcome: &mut Outcome) -> Fallible<Vec<Seen>> {
    let race = Race::of(format!("/h{number}"));
    let mut clients: Vec<Client> = (0..CLIENTS).map(|n| Client::new(n, random.next())).collect();
    let mut kill = number.is_multiple_of(KILLS).then(|| Duration::from_micros(random.below(MIDST * 1_000)));
    while clients.iter().any(|c| c.left > 0) {
        let target = &running.target.clone();
        let race = &race;
        std::thread::scope(|scope| {
            clients.iter_mut().for_each(|client| drop(scope.spawn(move || client.work(target, race))));
            kill.map_or(Ok(()), |wait| {
                std::thread::sleep(wait);
                running.end()
            })
        })?;
        if kill.take().is_none() {
            continue;
        }
        // Nobody is left who could still do what was not answered.
        let gone = race.moment();
        clients.iter_mut().flat_map(|c| &mut c.log).for_each(|seen| seen.ended = seen.ended.min(gone));
        let (fresh, took) = holm.restart()?;
        *running = fresh;
        outcome.restarts.push(took);
        outcome.count("kills", 1);
    }
    let mut seen: Vec<Seen> = clients.into_iter().flat_map(|c| c.log).collect();
    seen.push(race.send(&mut Conn::new(&running.target), CLIENTS, Method::Get, Asked::None, None));
    seen.sort_by_key(|s| s.sent);
    Ok(seen)
}

pub(super) fn judge(seen: &[Seen], outcome: &mut Outcome) -> Result<(), String> {
    let requests = resolve(seen)?;
    outcome.acknowledged += requests.iter().filter(|r| r.method != Method::Get && matches!(r.answer, Answer::Created | Answer::Done)).count() as u64;
    let count = |what: &dyn Fn(&Request) -> bool| requests.iter().filter(|r| what(r)).count() as u64;
    outcome.count("requests", requests.len() as u64);
    outcome.count("unknown ends", count(&|r| !r.is_known()));
    outcome.count("conditional writes done", count(&|r| r.condition != Condition::None && matches!(r.answer, Answer::Created | Answer::Done)));
    outcome.count("conditions failed", count(&|r| r.answer == Answer::Failed));
    let beside = |r: &Request| requests.iter().any(|o| (o.sent, o.client) != (r.sent, r.client) && o.sent < r.ended && r.sent < o.ended);
    outcome.count("requests that overlapped another", count(&beside));
    let told = || requests.iter().enumerate().map(|(n, r)| format!("\n      {n}. {r}")).collect::<String>();
    if let Some(tag) = fork(&requests) {
        return Err(format!("what request {tag} wrote was replaced by two that both were conditional on it:{}", told()));
    }
    if is_linearizable(&requests) { Ok(()) } else { Err(format!("there is no order in which every answer is right:{}", told())) }
}

/// Requests by what they wrote, and not by their bytes and tags; an error is what no history of a register can hold.
fn resolve(seen: &[Seen]) -> Result<Vec<Request>, String> {
    let writers: HashMap<u64, usize> = seen.iter().enumerate().filter_map(|(n, s)| Some((s.brought?, n))).collect();
    let writer = |hash: &u64| writers.get(hash).copied().ok_or("a GET is answered with bytes that nobody sent");
    let mut tags = HashMap::new();
    let mut tag_of = HashMap::new();
    for (number, one) in seen.iter().enumerate() {
        let (tag, writer) = match (one.method, &one.answer) {
            (Method::Get, Some((200, tag, hash))) => (tag, writer(hash)?),
            (Method::Put, Some((201 | 204, tag, _))) => (tag, number),
            _ => continue,
        };
        if *tags.entry(tag.as_str()).or_insert(writer) != writer || *tag_of.entry(writer).or_insert(tag.as_str()) != tag {
            return Err(format!("the ETag {tag:?} is not that of one content, or one content has several"));
        }
    }
    let tag = |tag: &String| tags.get(tag.as_str()).copied().ok_or_else(|| format!("nobody was told of {tag}"));
    let request = |one: &Seen| {
        let condition = match &one.condition {
            Asked::None => Condition::None,
            Asked::IfMatch(asked) => Condition::Is(tag(asked)?),
            Asked::IfNoneMatch(asked) => Condition::IsNot(tag(asked)?),
            Asked::Absent => Condition::Absent,
        };
        let answer = match (one.method, &one.answer) {
            (_, None) => Answer::Unknown,
            (Method::Get, Some((200, _, hash))) => Answer::Read(writer(hash)?),
            (Method::Get, Some((304, ..))) => Answer::Unchanged,
            (Method::Put, Some((201, ..))) => Answer::Created,
            (Method::Put | Method::Delete, Some((204, ..))) => Answer::Done,
            (Method::Get | Method::Delete, Some((404, ..))) => Answer::NotFound,
            (Method::Put | Method::Delete, Some((412, ..))) => Answer::Failed,
            (method, Some((status, ..))) => return Err(format!("a {method:?} is answered {status}")),
        };
        let Seen { client, sent, ended, method, .. } = *one;
        Ok(Request { client, sent, ended, method, condition, answer })
    };
    seen.iter().map(request).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(method: Method, condition: Asked, brought: Option<u64>, answer: (u16, &str, u64)) -> Seen {
        Seen { client: 0, sent: 0, ended: 1, method, condition, brought, answer: Some((answer.0, answer.1.into(), answer.2)) }
    }

    #[test]
    fn bytes_and_tags_must_be_of_one_request() {
        let put = || seen(Method::Put, Asked::None, Some(7), (201, "a", 0));
        let get = |tag, hash| seen(Method::Get, Asked::None, None, (200, tag, hash));
        let read = resolve(&[put(), get("a", 7), seen(Method::Delete, Asked::IfMatch("a".into()), None, (204, "", 0))]).expect("right");
        assert_eq!((read[1].answer, read[2].condition), (Answer::Read(0), Condition::Is(0)));
        let again = || seen(Method::Put, Asked::None, Some(8), (204, "a", 0));
        for wrong in [vec![put(), get("a", 8)], vec![put(), get("b", 7)], vec![put(), again()], vec![seen(Method::Get, Asked::None, None, (500, "", 0))]] {
            assert!(resolve(&wrong).is_err());
        }
    }
}
