//! One limiter for all doors (T31): failures are counted before a credential is looked at, by account and address and
//! by address alone. In memory; it forgets at a restart.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use holm_core::Timestamp;

/// Failures of one account from one address in a window.
const PER_ACCOUNT: u32 = 20;
/// Failures of one address, whatever the account.
const PER_ADDRESS: u32 = 100;
const WINDOW: i64 = 15 * 60 * Timestamp::SECOND;
/// Places remembered; when they are more, those whose window ended go, then all.
const PLACES: usize = 50_000;

#[derive(Default)]
pub struct Limiter {
    counts: Mutex<HashMap<String, (u32, Timestamp)>>,
}

/// An IPv4 address, or the /64 an IPv6 address lies in.
fn place(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => v6.segments()[..4].iter().map(|s| format!("{s:x}:")).collect(),
    }
}

/// The address first: once it is refused, the names it makes up take no room.
fn keys(name: &str, address: IpAddr) -> [(String, u32); 2] {
    let place = place(address);
    let name: String = name.chars().take(64).collect();
    [(place.clone(), PER_ADDRESS), (format!("{place} {name}"), PER_ACCOUNT)]
}

impl Limiter {
    /// Counts a try; answers how many seconds it has to wait before it may go on, none if it may.
    pub fn attempt(&self, name: &str, address: IpAddr, now: Timestamp) -> Option<i64> {
        let mut counts = self.counts.lock().expect("limiter");
        if counts.len() > PLACES {
            counts.retain(|_, (_, since)| now.0 - since.0 < WINDOW);
            if counts.len() > PLACES {
                counts.clear();
            }
        }
        let mut wait = None;
        for (key, limit) in keys(name, address) {
            let (count, since) = counts.entry(key).or_insert((0, now));
            if now.0 - since.0 >= WINDOW || now < *since {
                (*count, *since) = (0, now);
            }
            *count = count.saturating_add(1);
            if *count > limit {
                wait = Some((WINDOW - (now.0 - since.0)).div_euclid(Timestamp::SECOND) + 1);
                break;
            }
        }
        wait
    }

    /// Takes back the count of a try that was right.
    pub fn succeeded(&self, name: &str, address: IpAddr) {
        let mut counts = self.counts.lock().expect("limiter");
        for (key, _) in keys(name, address) {
            if let Some((count, _)) = counts.get_mut(&key) {
                *count = count.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t31_failures_are_counted_and_forgotten() {
        let limiter = Limiter::default();
        let at = |ip: &str| ip.parse().unwrap();
        for n in 0..30 {
            assert_eq!(limiter.attempt("ann", at("2001:db8::1"), Timestamp(0)).is_none(), n < 20, "try {n}");
        }
        let later = Timestamp(WINDOW - 10 * Timestamp::SECOND);
        assert_eq!(limiter.attempt("ann", at("2001:db8::ffff"), later), Some(11), "the same /64, and the wait is the true one");
        assert_eq!(limiter.attempt("ann", at("192.0.2.1"), Timestamp(0)), None, "another address");
        assert_eq!(limiter.attempt("ann", at("2001:db8::1"), Timestamp(WINDOW)), None, "after the window, though it kept trying");
    }
}
