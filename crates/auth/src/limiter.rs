//! One limiter for all doors (T31): a try is counted before the credential is looked at, by address, by account and
//! address, by account, and over all. The counts are in the host's catalog.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use holm_core::{Host, Limit, PersonId, Result, Timestamp};

const QUARTER: i64 = 15 * 60 * Timestamp::SECOND;
/// Wrong tries of one address, whatever the account, in a quarter of an hour.
const PER_ADDRESS: i64 = 100;
/// Of one account from one address, in the same.
const PER_ACCOUNT_THERE: i64 = 20;
/// Of one account from everywhere, in an hour.
const PER_ACCOUNT: i64 = 100;
/// Of everybody from everywhere, in an hour: only who was right before still gets in then.
const ALL: i64 = 10_000;
/// From a browser that the person signed in with before, in a quarter of an hour.
const PER_DEVICE: i64 = 20;
/// Codes of an authenticator app, in a quarter of an hour and in a day: there are only a million of them (T34).
const CODES: i64 = 5;
const CODES_A_DAY: i64 = 20;
/// Recovery codes, in an hour.
const RECOVERY_CODES: i64 = 10;
/// Challenges that one address may ask for in a quarter of an hour.
const CHALLENGES: i64 = 100;
/// Names that whoever was invited may look for, in an hour.
const NAMES: i64 = 30;
/// Names that one address may ask the whereabouts of, in a quarter of an hour.
const WHEREABOUTS: i64 = 100;
/// Apps and devices that one address may make known in a quarter of an hour, and codes of devices that may be typed there.
const REGISTRATIONS: i64 = 30;
const TYPED: i64 = 10;
/// Addresses known to be refused, which need no more counting; when they are more, all are asked for again.
const REFUSED: usize = 50_000;

/// What is tried, and whom it is counted for.
#[derive(Clone, Copy, Debug)]
pub enum Try<'a> {
    /// A secret of an account, from an address.
    Account(&'a str, IpAddr),
    /// A password, from a browser that the person signed in with before: strangers must not lock them out.
    Device(&'a [u8; 32]),
    /// A code of a person's authenticator app; from a browser they signed in with before, where it is one.
    Code(PersonId, Option<&'a [u8; 32]>),
    /// The same of a recovery code.
    RecoveryCode(PersonId, Option<&'a [u8; 32]>),
    /// Something to prove anew within a session.
    Session(PersonId, i64),
    /// A token, which no guessing finds; only the noise is kept down.
    Token(IpAddr),
    /// A link's password: the person whose link it is and the number of its credential, from an address.
    Link(PersonId, i64, IpAddr),
    /// A question that is written down until it is answered.
    Challenge(IpAddr),
    /// A name that somebody would like to have, with an invitation of this hash: that it is taken tells who lives here (T58).
    Name(&'a [u8; 32]),
    /// Where things of somebody of a name are found, and so whether they live here.
    Whereabouts(IpAddr),
    /// An app or a device that makes itself known.
    Registration(IpAddr),
    /// A code that a device shows, typed by somebody who is signed in: of few letters, so few may be tried.
    Typed(IpAddr),
}

pub struct Limiter {
    host: Arc<Host>,
    /// Until when which address is refused.
    refused: Mutex<HashMap<String, Timestamp>>,
}

/// An IPv4 address, or the /64 an IPv6 address lies in.
fn place(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => v6.segments()[..4].iter().map(|s| format!("{s:x}:")).collect(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Which browser it is, where it is a known one.
fn from(device: &Option<&[u8; 32]>) -> String {
    device.map_or_else(|| "elsewhere".to_owned(), |d| hex(d))
}

impl Try<'_> {
    /// The address, if its limit is the first: once it is refused, the names it makes up take no room.
    fn place(&self) -> Option<String> {
        match self {
            Try::Account(_, address) | Try::Link(_, _, address) | Try::Token(address) => Some(format!("address {}", place(*address))),
            _ => None,
        }
    }

    fn limits(&self) -> Vec<Limit> {
        let limit = |key, most, window| Limit { key, most, window };
        let there = self.place().map(|key| limit(key, PER_ADDRESS, QUARTER));
        let all = || limit("all".into(), ALL, Timestamp::HOUR);
        let mut limits: Vec<_> = there.into_iter().collect();
        limits.extend(match self {
            Try::Account(name, address) => {
                let name: String = name.chars().take(64).collect();
                vec![
                    all(),
                    limit(format!("account {name} from {}", place(*address)), PER_ACCOUNT_THERE, QUARTER),
                    limit(format!("account {name}"), PER_ACCOUNT, Timestamp::HOUR),
                ]
            }
            Try::Device(device) => vec![limit(format!("device {}", hex(*device)), PER_DEVICE, QUARTER)],
            Try::Code(person, device) => {
                let key = format!("code {} {}", person.0, from(device));
                vec![limit(key.clone(), CODES, QUARTER), limit(format!("{key} day"), CODES_A_DAY, Timestamp::DAY)]
            }
            Try::RecoveryCode(person, device) => vec![limit(format!("recovery code {} {}", person.0, from(device)), RECOVERY_CODES, Timestamp::HOUR)],
            Try::Session(person, id) => vec![limit(format!("session {} {id}", person.0), PER_DEVICE, QUARTER)],
            // Its place alone: what can not be guessed must not use up what others may try.
            Try::Token(_) => Vec::new(),
            Try::Link(person, id, address) => {
                let key = format!("link {} {id}", person.0);
                vec![limit(format!("{key} from {}", place(*address)), PER_ACCOUNT_THERE, QUARTER), limit(key, PER_ACCOUNT, Timestamp::HOUR)]
            }
            Try::Name(invitation) => vec![limit(format!("name {}", hex(*invitation)), NAMES, Timestamp::HOUR)],
            Try::Whereabouts(address) => vec![limit(format!("whereabouts {}", place(*address)), WHEREABOUTS, QUARTER)],
            Try::Challenge(address) => vec![limit(format!("challenge {}", place(*address)), CHALLENGES, QUARTER)],
            Try::Registration(address) => vec![limit(format!("registration {}", place(*address)), REGISTRATIONS, QUARTER)],
            Try::Typed(address) => vec![limit(format!("typed code {}", place(*address)), TYPED, QUARTER)],
        });
        limits
    }
}

impl Limiter {
    pub fn new(host: Arc<Host>) -> Limiter {
        Limiter { host, refused: Mutex::default() }
    }

    /// Counts a try; answers how many seconds it has to wait before it may go on, none if it may.
    pub fn attempt(&self, tried: Try<'_>, now: Timestamp) -> Result<Option<i64>> {
        let place = tried.place();
        let seconds = |millis: i64| millis.div_euclid(Timestamp::SECOND) + 1;
        if let Some(place) = &place
            && let Some(until) = self.refused.lock().expect("refused").get(place).filter(|until| (0..QUARTER).contains(&(until.0 - now.0)))
        {
            return Ok(Some(seconds(until.0 - now.0)));
        }
        let Some((exceeded, wait)) = self.host.count_try(&tried.limits(), now)? else { return Ok(None) };
        // Only of an address is it known that whatever it tries next is refused too.
        if let Some(place) = place.filter(|_| exceeded == 0) {
            let mut refused = self.refused.lock().expect("refused");
            if refused.len() >= REFUSED {
                refused.clear();
            }
            refused.insert(place, now.plus(wait));
        }
        Ok(Some(seconds(wait)))
    }

    /// Takes back the count of a try that was right.
    pub fn succeeded(&self, tried: Try<'_>) -> Result<()> {
        self.host.take_back_try(&tried.limits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(dir: &std::path::Path) -> Limiter {
        Limiter::new(Arc::new(crate::fixture::host(dir)))
    }

    #[test]
    fn t31_failures_are_counted_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let at = |ip: &str| ip.parse().unwrap();
        let mut limiter = limiter(dir.path());
        for n in 0..30 {
            if n == 10 {
                // A restart forgets nothing.
                limiter = self::limiter(dir.path());
            }
            assert_eq!(limiter.attempt(Try::Account("ann", at("2001:db8::1")), Timestamp(0)).unwrap().is_none(), n < 20, "try {n}");
        }
        let later = Timestamp(QUARTER - 10 * Timestamp::SECOND);
        assert_eq!(limiter.attempt(Try::Account("ann", at("2001:db8::ffff")), later).unwrap(), Some(11), "the same /64, and the wait is the true one");
        assert_eq!(limiter.attempt(Try::Account("ann", at("192.0.2.1")), Timestamp(0)).unwrap(), None, "another address");
        assert_eq!(limiter.attempt(Try::Account("ann", at("2001:db8::1")), Timestamp(QUARTER)).unwrap(), None, "after the window, though it kept trying");
        // What was right is not counted.
        for _ in 0..30 {
            assert_eq!(limiter.attempt(Try::Account("bob", at("192.0.2.1")), Timestamp(0)).unwrap(), None);
            limiter.succeeded(Try::Account("bob", at("192.0.2.1"))).unwrap();
        }
    }

    /// Of two at once, the one that looked at the clock first may be counted last.
    #[test]
    fn t31_tries_side_by_side_count_in_any_order() {
        let dir = tempfile::tempdir().unwrap();
        let limiter = limiter(dir.path());
        let tried = Try::Account("ann", [10, 0, 0, 1].into());
        let let_in = (0..40).filter(|n| limiter.attempt(tried, Timestamp(1_000 - n)).unwrap().is_none()).count();
        assert_eq!(let_in as i64, PER_ACCOUNT_THERE);
        let codes = (0..40).filter(|n| limiter.attempt(Try::Code(PersonId(1), None), Timestamp(1_000 - n)).unwrap().is_none()).count();
        assert_eq!(codes as i64, CODES);
        let later = Timestamp(-2 * Timestamp::HOUR);
        assert_eq!(limiter.attempt(tried, later).unwrap(), None, "a clock that was set back locks nobody out for long (D12)");
    }

    #[test]
    fn t31_many_addresses_and_many_names_are_one_limit_too() {
        let dir = tempfile::tempdir().unwrap();
        let limiter = limiter(dir.path());
        let attempt = |name: &str, ip: [u8; 4]| limiter.attempt(Try::Account(name, ip.into()), Timestamp(0)).unwrap();
        let tries = (0..=255).filter(|n| attempt("ann", [10, 0, 0, *n]).is_none()).count();
        assert_eq!(tries as i64, PER_ACCOUNT, "of one account from everywhere");
        let tries = (0..200).filter(|n| attempt(&format!("p{n}"), [10, 0, 1, 1]).is_none()).count();
        assert_eq!(tries as i64, PER_ADDRESS, "of one address, whatever the name");
        assert_eq!(attempt("bob", [10, 0, 1, 1]), Some(901), "and then nothing is counted any more");
        assert_eq!(attempt("bob", [10, 0, 1, 2]), None);
    }

    #[test]
    fn t34_few_codes_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let limiter = limiter(dir.path());
        let (mut tried, mut from_known) = (0, 0);
        for quarter in 0..95 {
            for _ in 0..10 {
                let now = Timestamp(quarter * QUARTER);
                tried += i64::from(limiter.attempt(Try::Code(PersonId(1), None), now).unwrap().is_none());
                from_known += i64::from(limiter.attempt(Try::Code(PersonId(1), Some(&[1; 32])), now).unwrap().is_none());
            }
        }
        assert_eq!((tried, from_known), (CODES_A_DAY, CODES_A_DAY), "the person's own browser has a count of its own");
    }
}
