//! The connections that a process keeps, for everybody's catalogs. There is a most; whoever comes when all are lent waits a little.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::address::Address;
use super::wire::{Connection, Failure};
use super::{away, stream};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::store::catalog::Value;

/// How long somebody waits for a connection.
const TURN: Duration = Duration::from_secs(10);
/// A connection is not used for longer: its memory in the server grows, and its row in `writer` is not for ever.
const OLD: Duration = Duration::from_secs(3_600);

pub struct Pool {
    pub(super) address: Address,
    tls: Option<Arc<ClientConfig>>,
    env: Env,
    kept: Mutex<Kept>,
    returned: Condvar,
}

#[derive(Default)]
struct Kept {
    idle: Vec<Connection>,
    /// Idle and lent ones.
    open: usize,
}

/// A connection on loan, given back unless it broke.
pub(super) struct Lease<'p> {
    pool: &'p Pool,
    pub connection: Option<Connection>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut kept = self.pool.kept.lock().expect("connections");
        match self.connection.take() {
            Some(connection) if !connection.broken && connection.made.elapsed() < OLD => kept.idle.push(connection),
            _ => kept.open -= 1,
        }
        drop(kept);
        self.pool.returned.notify_one();
    }
}

impl Pool {
    /// Nothing is connected yet.
    pub fn new(url: &str, env: Env) -> Result<Pool> {
        let address = Address::parse(url)?;
        let tls = stream::tls(&address)?;
        Ok(Pool { address, tls, env, kept: Mutex::default(), returned: Condvar::new() })
    }

    pub(super) fn connect(&self) -> Result<Connection> {
        Connection::open(&self.address, self.tls.as_ref()).map_err(|failure| match failure {
            // Passwords, databases and roles that are not there: who runs holm must mend that.
            Failure::Refused(_, text) => Error::Catalog(format!("{}: {text}", self.address)),
            Failure::Lost(text) => away(&self.address, &text),
        })
    }

    pub(super) fn lease(&self) -> Result<Lease<'_>> {
        let full = |kept: &mut Kept| kept.idle.is_empty() && kept.open >= self.address.connections;
        let (mut kept, waited) = self.returned.wait_timeout_while(self.kept.lock().expect("connections"), TURN, full).expect("connections");
        if waited.timed_out() {
            return Err(Error::Busy);
        }
        if let Some(connection) = kept.idle.pop() {
            return Ok(Lease { pool: self, connection: Some(connection) });
        }
        kept.open += 1;
        drop(kept);
        // Counted already, so that a failure to connect gives the place back.
        let mut lease = Lease { pool: self, connection: None };
        lease.connection = Some(self.connect()?);
        Ok(lease)
    }

    /// Closes what is idle: the server that it led to is gone.
    pub(super) fn forget(&self) {
        let mut kept = self.kept.lock().expect("connections");
        let mut gone = std::mem::take(&mut kept.idle);
        kept.open -= gone.len();
        drop(kept);
        gone.iter_mut().for_each(|connection| connection.broken = true);
    }

    /// Gives a connection that is going to write its row in `writer`, committed before anything depends on it.
    pub(super) fn register(&self, connection: &mut Connection) -> Result<(), Failure> {
        if !connection.writer.is_empty() {
            return Ok(());
        }
        let name: [u8; 16] = self.env.random();
        connection.push(TURN_TAKEN, &[name[..].into(), 0.into()], 0, 0)?;
        connection.exchange()?;
        connection.writer = name.to_vec();
        Ok(())
    }

    /// Whether the transaction that was to be this writer's `turn` was committed, when the connection broke before it was told:
    /// waits for the server to make up its mind. None where it can not be had in time.
    pub(super) fn resolve(&self, writer: &[u8], turn: i64, until: Instant) -> Option<bool> {
        while Instant::now() < until {
            let asked = self.connect().ok().and_then(|mut connection| {
                connection.push("BEGIN", &[], 0, 0).ok()?;
                // Whoever still has the transaction holds the row.
                let answer = connection.ask("SELECT turn FROM writer WHERE id = ?1 FOR UPDATE", &[Value::Blob(writer)], 0, 0).ok()?;
                let row = answer.rows.first()?.buffer();
                let found = i64::from_be_bytes(row.get(4..12)?.try_into().ok()?);
                Some(found >= turn)
            });
            if asked.is_some() {
                return asked;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        None
    }
}

/// A transaction's mark: it is committed if and only if its turn is.
pub(super) const TURN_TAKEN: &str = "INSERT INTO writer (id, turn, at) VALUES (?1, ?2, now())
    ON CONFLICT (id) DO UPDATE SET turn = excluded.turn, at = excluded.at";
