//! Passwords that people choose: Argon2id (RFC 9106), 19 MiB, two passes.

use std::sync::{Condvar, Mutex};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use holm_core::{Env, Error, Result};

/// Longest password in bytes (T33).
pub const MAX: usize = 1_024;
/// Hashes worked on at a time for each core, and at most; and more that may wait (T33). 19 MiB each, and each holds a thread that
/// others need for their files: together they leave half of the server's.
const A_CORE: usize = 2;
const MOST: usize = 8;
const WAITING: usize = 8;
/// What is compared with where there is no password, so that it takes as long (T32): the hash of a password nobody has, with
/// the parameters of [`hash`].
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$aG9sbSBrbm93cyBubyBvbmU$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The PHC string to store.
///
/// # Errors
/// [`Error::Invalid`] for a password that is too short or long.
pub fn hash(env: &Env, password: &str) -> Result<String> {
    if password.len() < 8 || password.len() > MAX {
        return Err(Error::Invalid("a password has 8 to 1,024 bytes".into()));
    }
    let salt: [u8; 16] = env.random();
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|h| h.to_string()).map_err(|e| Error::Invalid(e.to_string()))
}

/// Whether this is the password; the same work where there is none.
fn verify(stored: Option<&str>, password: &str) -> Result<bool> {
    let damaged = |e| Error::Corrupt(format!("a password's hash: {e}"));
    let hash = PasswordHash::new(stored.unwrap_or(NOBODY)).map_err(damaged)?;
    let right = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
    Ok(right && stored.is_some())
}

/// Keeps the number of passwords that are hashed at a time within what the machine can bear.
pub struct Hashing {
    most: usize,
    /// At work, and waiting.
    going: Mutex<(usize, usize)>,
    freed: Condvar,
}

impl Default for Hashing {
    fn default() -> Hashing {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Hashing { most: (cores * A_CORE).min(MOST), going: Mutex::default(), freed: Condvar::new() }
    }
}

impl Hashing {
    /// # Errors
    /// [`Error::Busy`] where too many wait already.
    fn turn<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        let mut going = self.going.lock().expect("hashes at work");
        if going.0 >= self.most {
            if going.1 >= WAITING {
                return Err(Error::Busy);
            }
            going.1 += 1;
            going = self.freed.wait_while(going, |going| going.0 >= self.most).expect("hashes at work");
            going.1 -= 1;
        }
        going.0 += 1;
        drop(going);
        let done = work();
        self.going.lock().expect("hashes at work").0 -= 1;
        self.freed.notify_one();
        Ok(done)
    }

    /// [`hash`], in turn. Blocking.
    pub fn hash(&self, env: &Env, password: &str) -> Result<String> {
        self.turn(|| hash(env, password))?
    }

    /// Whether this is the password whose PHC string is `stored`; the same work where there is none. Blocking.
    pub fn verify(&self, stored: Option<&str>, password: &str) -> Result<bool> {
        if password.len() > MAX {
            return Ok(false);
        }
        self.turn(|| verify(stored, password))?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn t32_nobodys_hash_costs_what_others_cost_and_opens_for_nothing() {
        let env = crate::fixture::env();
        let real = hash(&env, "correct horse").unwrap();
        // A PHC string begins with its separator: what stands before it is empty.
        let cost = |phc: &str| phc.split('$').skip(1).take(3).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(cost(&real), cost(NOBODY), "algorithm, version and parameters");
        assert!(verify(Some(&real), "correct horse").unwrap());
        assert!(!verify(Some(&real), "correct horsf").unwrap());
        assert!(!verify(None, "").unwrap() && !verify(None, "correct horse").unwrap());
    }

    #[test]
    fn t33_few_hashes_at_a_time_and_a_bounded_queue() {
        let hashing = Hashing { most: 2, going: Mutex::default(), freed: Condvar::new() };
        let (now, highest, refused) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..60 {
                scope.spawn(|| {
                    let turn = hashing.turn(|| {
                        highest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        now.fetch_sub(1, Ordering::SeqCst);
                    });
                    refused.fetch_add(usize::from(turn.is_err()), Ordering::SeqCst);
                });
            }
        });
        assert_eq!(highest.load(Ordering::SeqCst), 2);
        let refused = refused.load(Ordering::SeqCst);
        assert!((1..=60 - 2 - WAITING).contains(&refused), "{refused} of 60 were refused");
        assert!(hash(&crate::fixture::env(), &"x".repeat(MAX + 1)).is_err() && !hashing.verify(None, &"x".repeat(1 << 20)).unwrap());
    }
}
