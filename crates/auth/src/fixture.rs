//! A host whose clock a test moves by hand.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use holm_core::{Clock, Entropy, Env, Gate, Host, Key, RootKey, Timestamp};

use crate::Auth;

/// Where tests begin: some time in 2026.
pub const START: i64 = 1_780_000_000_000;

pub struct Hand(pub AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Never the same twice, and the same in each run.
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let seed = self.0.fetch_add(1, Ordering::SeqCst);
        blake3::Hasher::new_derive_key("holm test entropy").update(&seed.to_le_bytes()).finalize_xof().fill(bytes);
    }
}

pub fn env() -> Env {
    world().0
}

fn world() -> (Env, Arc<Hand>) {
    let clock = Arc::new(Hand(AtomicI64::new(START)));
    (Env { clock: clock.clone(), entropy: Arc::new(Counting(AtomicU64::new(0))) }, clock)
}

pub fn host(dir: &Path) -> Host {
    Host::open(dir, RootKey { key: Key::from_bytes([7; 32]), epoch: 1 }, env()).unwrap()
}

pub struct World {
    pub auth: Auth,
    pub gate: Arc<Gate>,
    clock: Arc<Hand>,
    _dir: tempfile::TempDir,
}

impl World {
    pub fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let (env, clock) = world();
        let host = Host::open(dir.path(), RootKey { key: Key::from_bytes([7; 32]), epoch: 1 }, env.clone()).unwrap();
        let gate = Arc::new(Gate::new(Arc::new(host), env));
        World { auth: Auth::new(gate.clone(), "https://cloud.example"), gate, clock, _dir: dir }
    }

    pub fn pass(&self, millis: i64) {
        self.clock.0.fetch_add(millis, Ordering::SeqCst);
    }
}
