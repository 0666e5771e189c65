//! The real clock and the real dice, handed down to everything else.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use holm_core::{Clock, Entropy, Env, Timestamp};

struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(since.as_millis() as i64)
    }
}

impl Entropy for System {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system's random source");
    }
}

pub fn env() -> Env {
    Env { clock: Arc::new(System), entropy: Arc::new(System) }
}
