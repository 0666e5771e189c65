//! One limiter for all doors (T31): a try is counted before the credential is looked at, by address, by account and
//! address, by account, and over all. The counts are in the host's catalog.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use holm_core::{Host, Limit, Result, Timestamp};

const QUARTER: i64 = 15 * 60 * Timestamp::SECOND;
/// Wrong tries of one address, whatever the account, in a quarter of an hour.
const PER_ADDRESS: i64 = 100;
/// Of one account from one address, in the same.
const PER_ACCOUNT_THERE: i64 = 20;
/// Of one account from everywhere, in an hour.
const PER_ACCOUNT: i64 = 100;
/// Of everybody from everywhere, in an hour: only who was right before still gets in then.
const ALL: i64 = 10_000;
/// Addresses known to be refused, which need no more counting; when they are more, all are asked for again.
const REFUSED: usize = 50_000;

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

/// The address first: once it is refused, the names it makes up take no room.
fn limits(name: &str, address: IpAddr) -> [Limit; 4] {
    let place = place(address);
    let name: String = name.chars().take(64).collect();
    let limit = |key, most, window| Limit { key, most, window };
    [
        limit(format!("address {place}"), PER_ADDRESS, QUARTER),
        limit("all".into(), ALL, Timestamp::HOUR),
        limit(format!("account {name} from {place}"), PER_ACCOUNT_THERE, QUARTER),
        limit(format!("account {name}"), PER_ACCOUNT, Timestamp::HOUR),
    ]
}

impl Limiter {
    pub fn new(host: Arc<Host>) -> Limiter {
        Limiter { host, refused: Mutex::default() }
    }

    /// Counts a try; answers how many seconds it has to wait before it may go on, none if it may.
    pub fn attempt(&self, name: &str, address: IpAddr, now: Timestamp) -> Result<Option<i64>> {
        let limits = limits(name, address);
        let seconds = |millis: i64| millis.div_euclid(Timestamp::SECOND) + 1;
        if let Some(until) = self.refused.lock().expect("refused").get(&limits[0].key).filter(|until| (0..QUARTER).contains(&(until.0 - now.0))) {
            return Ok(Some(seconds(until.0 - now.0)));
        }
        let Some((exceeded, wait)) = self.host.count_try(&limits, now)? else { return Ok(None) };
        // Only of an address is it known that whatever it tries next is refused too.
        if exceeded == 0 {
            let mut refused = self.refused.lock().expect("refused");
            if refused.len() >= REFUSED {
                refused.clear();
            }
            refused.insert(limits[0].key.clone(), now.plus(wait));
        }
        Ok(Some(seconds(wait)))
    }

    /// Takes back the count of a try that was right.
    pub fn succeeded(&self, name: &str, address: IpAddr) -> Result<()> {
        self.host.take_back_try(&limits(name, address))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use holm_core::{Clock, Entropy, Env, Key, RootKey};

    use super::*;

    struct Fixed;
    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }
    }
    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(9);
        }
    }

    fn limiter(dir: &std::path::Path) -> Limiter {
        let env = Env { clock: Arc::new(Fixed), entropy: Arc::new(Fixed) };
        Limiter::new(Arc::new(Host::open(dir, RootKey { key: Key::from_bytes([7; 32]), epoch: 1 }, env).unwrap()))
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
            assert_eq!(limiter.attempt("ann", at("2001:db8::1"), Timestamp(0)).unwrap().is_none(), n < 20, "try {n}");
        }
        let later = Timestamp(QUARTER - 10 * Timestamp::SECOND);
        assert_eq!(limiter.attempt("ann", at("2001:db8::ffff"), later).unwrap(), Some(11), "the same /64, and the wait is the true one");
        assert_eq!(limiter.attempt("ann", at("192.0.2.1"), Timestamp(0)).unwrap(), None, "another address");
        assert_eq!(limiter.attempt("ann", at("2001:db8::1"), Timestamp(QUARTER)).unwrap(), None, "after the window, though it kept trying");
        // What was right is not counted.
        for _ in 0..30 {
            assert_eq!(limiter.attempt("bob", at("192.0.2.1"), Timestamp(0)).unwrap(), None);
            limiter.succeeded("bob", at("192.0.2.1")).unwrap();
        }
    }

    #[test]
    fn t31_many_addresses_and_many_names_are_one_limit_too() {
        let dir = tempfile::tempdir().unwrap();
        let limiter = limiter(dir.path());
        let attempt = |name: &str, ip: [u8; 4]| limiter.attempt(name, ip.into(), Timestamp(0)).unwrap();
        let tries = (0..=255).filter(|n| attempt("ann", [10, 0, 0, *n]).is_none()).count();
        assert_eq!(tries as i64, PER_ACCOUNT, "of one account from everywhere");
        let tries = (0..200).filter(|n| attempt(&format!("p{n}"), [10, 0, 1, 1]).is_none()).count();
        assert_eq!(tries as i64, PER_ADDRESS, "of one address, whatever the name");
        assert_eq!(attempt("bob", [10, 0, 1, 1]), Some(901), "and then nothing is counted any more");
        assert_eq!(attempt("bob", [10, 0, 1, 2]), None);
    }
}
