//! One at a time sends or asks about an upload. Whoever comes later has it: the one before lost its network, most likely, and
//! keeps what came.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holm_core::PersonId;
use tokio::sync::{Mutex as Lock, OwnedMutexGuard, watch};
use tokio::time::timeout;

use crate::problem::{Kind, Problem};

/// How long whoever has it may take to keep what came.
const PATIENCE: Duration = Duration::from_secs(20);

type Key = (PersonId, i64);

struct Gate {
    /// Changes when somebody else wants it.
    wanted: watch::Sender<()>,
    lock: Arc<Lock<()>>,
}

/// Who has which upload.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<HashMap<Key, Arc<Gate>>>>);

/// Somebody's turn, until it is dropped.
pub struct Turn {
    all: Turns,
    key: Key,
    wanted: watch::Receiver<()>,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// # Errors
    /// Whoever has it does not let go.
    pub async fn take(&self, key: Key) -> Result<Turn, Problem> {
        let gate = {
            let mut all = self.0.lock().expect("uploads' turns");
            let fresh = || Arc::new(Gate { wanted: watch::Sender::new(()), lock: Arc::default() });
            all.entry(key).or_insert_with(fresh).clone()
        };
        gate.wanted.send_replace(());
        let mut turn = Turn { all: self.clone(), key, wanted: gate.wanted.subscribe(), held: None };
        let held = timeout(PATIENCE, gate.lock.clone().lock_owned()).await;
        turn.held = Some(held.map_err(|_| Problem::new(Kind::Unavailable, "another piece of this file is still being kept; ask again"))?);
        // Who waited beside this one has given up or comes again.
        turn.wanted.mark_unchanged();
        Ok(turn)
    }
}

impl Turn {
    /// Resolves when somebody else wants it.
    pub async fn wanted(&mut self) {
        let _ = self.wanted.changed().await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.held.take());
        let mut all = self.all.0.lock().expect("uploads' turns");
        // Nobody else has it or waits for it: each who does has a receiver.
        if all.get(&self.key).is_some_and(|gate| gate.wanted.receiver_count() <= 1) {
            all.remove(&self.key);
        }
    }
}
