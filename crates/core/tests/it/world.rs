//! A host in a directory of the test's own, with a clock and dice that the test holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use holm_core::{Access, Clock, Entropy, Env, Gate, Host, Key, Party, PersonId, RootKey, Timestamp};

/// A small generator: what it gives is decided by its seed.
pub struct Dice(AtomicU64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    pub fn next(&self) -> u64 {
        let mut x = self.0.load(Ordering::SeqCst);
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0.store(x, Ordering::SeqCst);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    pub fn below(&self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|b| *b = self.next() as u8);
    }
}

pub struct Hands(pub AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

pub struct World {
    pub dir: tempfile::TempDir,
    pub gate: Gate,
    pub person: PersonId,
    env: Env,
}

fn root() -> RootKey {
    RootKey { key: Key::from_bytes([7; 32]), epoch: 1 }
}

impl World {
    pub fn new(seed: u64, quota: u64) -> World {
        let dir = tempfile::tempdir().unwrap();
        let env = Env { clock: Arc::new(Hands(AtomicI64::new(1_000_000_000_000))), entropy: Arc::new(Dice::new(seed)) };
        let host = Arc::new(Host::open(dir.path(), root(), env.clone()).unwrap());
        let person = host.add_person("ann", None, quota).unwrap().id;
        World { gate: Gate::new(host, env.clone()), dir, person, env }
    }

    pub fn access(&self) -> Access {
        self.gate.admit(Party::operator(self.person).into()).unwrap()
    }

    /// The same data, opened anew.
    pub fn reopened(self) -> World {
        let host = Arc::new(Host::open(self.dir.path(), root(), self.env.clone()).unwrap());
        World { gate: Gate::new(host, self.env.clone()), dir: self.dir, person: self.person, env: self.env }
    }
}
