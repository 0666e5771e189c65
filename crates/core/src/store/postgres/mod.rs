//! The shared engine: everybody's catalogs in one PostgreSQL database, or what speaks its wire protocol: no advisory locks, no
//! LISTEN. Any number of processes may have it open. Who writes a person's rows holds the lock on their row in `head`, so
//! that a transaction sees nobody else's changes from there on; who reads sees one snapshot. A statement that does not carry its
//! person is refused here.

mod address;
mod dialect;
mod migrate;
mod pool;
mod stream;
mod wire;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::DataRowBody;

use self::address::Address;
pub use self::migrate::migrate;
pub use self::pool::Pool;
use self::pool::TURN_TAKEN;
use self::wire::{Answer, BYTEA, Connection, Failure};
use super::catalog::{Catalog, Each, Row, Tx, Value};
use crate::error::{Error, Result};
use crate::mutant::mutant;
use crate::party::PersonId;

/// Rows asked for at a time: a listing's page and more, and at most 8 MiB of content.
const PAGE: i32 = 128;
/// How long a transaction is tried again after the server went away or a neighbour was first.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an unknown outcome is asked for.
const RESOLVE: Duration = Duration::from_secs(60);

/// One person's catalog in the database, or the host's.
pub struct Postgres {
    pool: Arc<Pool>,
    person: Option<PersonId>,
}

impl Postgres {
    pub fn host(pool: Arc<Pool>) -> Postgres {
        Postgres { pool, person: None }
    }

    pub fn of(pool: Arc<Pool>, person: PersonId) -> Postgres {
        Postgres { pool, person: Some(person) }
    }

    fn error(&self, failure: Failure) -> Error {
        error(&self.pool.address, failure)
    }

    /// One attempt at a transaction that reads.
    fn try_read(&self, work: &mut dyn FnMut(&dyn Tx) -> Result<()>) -> Result<(), Stop> {
        let mut lease = self.pool.lease().map_err(Stop::lease)?;
        let connection = lease.connection.as_mut().expect("a lease has a connection");
        connection.push("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", &[], 0, 0).map_err(Stop::Undone)?;
        let session = Session::new(connection, self.person, &self.pool.address);
        let outcome = work(&session);
        let (delivered, failure) = (session.delivered.get(), session.failure.take());
        // A connection that breaks here is noticed by whoever has it next.
        let ended = connection.push("COMMIT", &[], 0, 0).and_then(|()| connection.leave());
        connection.broken |= ended.is_err();
        match failure {
            Some(failure) if !delivered && worth_trying_again(&failure) => Err(Stop::Undone(failure)),
            _ => outcome.map_err(Stop::Work),
        }
    }

    /// One attempt at a transaction that writes.
    fn try_write(&self, work: &mut dyn FnMut(&dyn Tx) -> Result<()>) -> Result<(), Stop> {
        let mut lease = self.pool.lease().map_err(Stop::lease)?;
        let connection = lease.connection.as_mut().expect("a lease has a connection");
        self.pool.register(connection).map_err(Stop::Undone)?;
        let begun = connection.push("BEGIN ISOLATION LEVEL READ COMMITTED", &[], 0, 0).and_then(|()| match self.person {
            _ if mutant("writers-side-by-side") => Ok(()),
            Some(person) => connection.push("SELECT 1 FROM head WHERE person = ?1 FOR UPDATE", &[person.0.into()], 0, 0),
            None => connection.push("SELECT 1 FROM migration WHERE part = 'host' FOR UPDATE", &[], 0, 0),
        });
        begun.map_err(Stop::Undone)?;
        let session = Session::new(connection, self.person, &self.pool.address);
        let outcome = work(&session);
        let failure = session.failure.take();
        if let Err(e) = outcome {
            let ended = connection.push("ROLLBACK", &[], 0, 0).and_then(|()| connection.leave());
            connection.broken |= ended.is_err();
            return Err(match failure {
                Some(failure) if worth_trying_again(&failure) => Stop::Undone(failure),
                _ => Stop::Work(e),
            });
        }
        let (writer, turn) = (connection.writer.clone(), connection.turn + 1);
        connection.turn = turn;
        let ended = connection
            .push(TURN_TAKEN, &[writer[..].into(), turn.into()], 0, 0)
            .and_then(|()| connection.push("COMMIT", &[], 0, 0))
            .and_then(|()| connection.exchange());
        match ended {
            Ok(answer) if answer.tag == "COMMIT" => Ok(()),
            // The transaction had failed, and whoever did the work did not say so.
            Ok(_) => Err(Stop::Work(Error::Catalog("the transaction was undone".into()))),
            Err(failure @ Failure::Refused(..)) if worth_trying_again(&failure) => Err(Stop::Undone(failure)),
            Err(failure @ Failure::Refused(..)) => Err(Stop::Work(self.error(failure))),
            Err(failure @ Failure::Lost(_)) => Err(Stop::Unknown { failure, writer, turn }),
        }
    }

    /// After a fault: whether the work is to be done again.
    fn again(&self, failure: &Failure, since: Instant) -> bool {
        if matches!(failure, Failure::Lost(_)) {
            self.pool.forget();
        }
        let more = since.elapsed() < PATIENCE;
        if more {
            std::thread::sleep(Duration::from_millis(20 + since.elapsed().as_millis() as u64 / 4));
        }
        more
    }
}

/// Why a transaction did not come to its end.
enum Stop {
    /// What was done in it says no.
    Work(Error),
    /// It was not committed, and may be tried again.
    Undone(Failure),
    /// The connection broke while it was being committed.
    Unknown { failure: Failure, writer: Vec<u8>, turn: i64 },
}

impl Stop {
    fn lease(e: Error) -> Stop {
        match e {
            Error::Away(why) => Stop::Undone(Failure::Lost(why)),
            e => Stop::Work(e),
        }
    }
}

/// The connection is gone, or a neighbour was first: the same again may go well.
fn worth_trying_again(failure: &Failure) -> bool {
    match failure {
        Failure::Lost(_) => true,
        Failure::Refused(state, _) => matches!(state.as_str(), "40001" | "40P01"),
    }
}

fn away(address: &Address, why: &str) -> Error {
    Error::Away(format!("{address}: {why}"))
}

fn error(address: &Address, failure: Failure) -> Error {
    match failure {
        Failure::Lost(why) => away(address, &why),
        Failure::Refused(state, text) => match state.as_str() {
            "53100" => Error::DiskFull,
            // Locks that were waited for too long, statements that took too long, too many connections.
            "55P03" | "57014" | "53300" | "40001" | "40P01" => Error::Busy,
            "23505" => Error::Again("somebody else wrote the same at the same time"),
            "42P01" | "3F000" => Error::Catalog(format!("{address} does not have holm's tables ({text}); run holm migrate")),
            state if state.starts_with("XX") => Error::Corrupt(format!("{address}: {text}")),
            _ => Error::Catalog(format!("{address}: {text} ({state})")),
        },
    }
}

/// Waits for a network: the threads that keep everybody's requests going are not for that.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}

impl Catalog for Postgres {
    fn read(&self, work: &mut dyn FnMut(&dyn Tx) -> Result<()>) -> Result<()> {
        let since = Instant::now();
        blocking(|| {
            loop {
                match self.try_read(work) {
                    Ok(()) => return Ok(()),
                    Err(Stop::Undone(failure)) if self.again(&failure, since) => {}
                    Err(Stop::Work(e)) => return Err(e),
                    Err(Stop::Undone(failure) | Stop::Unknown { failure, .. }) => return Err(self.error(failure)),
                }
            }
        })
    }

    fn write(&self, work: &mut dyn FnMut(&dyn Tx) -> Result<()>) -> Result<()> {
        let since = Instant::now();
        blocking(|| {
            loop {
                match self.try_write(work) {
                    Ok(()) => return Ok(()),
                    Err(Stop::Work(e)) => return Err(e),
                    Err(Stop::Undone(failure)) => {
                        if !self.again(&failure, since) {
                            return Err(self.error(failure));
                        }
                    }
                    Err(Stop::Unknown { failure, writer, turn }) => {
                        self.pool.forget();
                        let outcome = if mutant("unknown-outcome-repeated") { Some(false) } else { self.pool.resolve(&writer, turn, Instant::now() + RESOLVE) };
                        match outcome {
                            Some(true) => return Ok(()),
                            Some(false) if self.again(&failure, since) => {}
                            Some(false) => return Err(self.error(failure)),
                            None => {
                                return Err(Error::Away(format!(
                                    "{}: it is not known whether the last change was made: look before you repeat it",
                                    self.pool.address
                                )));
                            }
                        }
                    }
                }
            }
        })
    }

    fn settle(&self) -> Result<bool> {
        // Its log is the server's business.
        Ok(true)
    }

    fn verify(&self) -> Result<Vec<String>> {
        // What is not about anybody.
        let server: &dyn Catalog = &Postgres::host(self.pool.clone());
        server.reading(|tx| {
            let sql = "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'";
            let session = tx.all(sql, &[], |row| Ok(format!("{} is off: PostgreSQL loses what it acknowledged when its machine stops", row.text(0)?)));
            // Others that speak the protocol have no such settings.
            session.or_else(|e| if matches!(e, Error::Catalog(_)) { Ok(Vec::new()) } else { Err(e) })
        })
    }

    fn repeats(&self) -> bool {
        true
    }

    fn seals(&self) -> bool {
        false
    }
}

/// A transaction on one connection.
struct Session<'c> {
    connection: RefCell<&'c mut Connection>,
    person: Option<PersonId>,
    address: &'c Address,
    /// Queries whose rows are being looked at: each has a portal of its own.
    depth: Cell<u32>,
    /// Whether whoever does the work has seen anything yet.
    delivered: Cell<bool>,
    failure: Cell<Option<Failure>>,
}

impl<'c> Session<'c> {
    fn new(connection: &'c mut Connection, person: Option<PersonId>, address: &'c Address) -> Session<'c> {
        Session { connection: RefCell::new(connection), person, address, depth: Cell::new(0), delivered: Cell::new(false), failure: Cell::new(None) }
    }

    fn fail(&self, failure: Failure) -> Error {
        let error = error(self.address, failure.clone());
        self.failure.set(Some(failure));
        error
    }

    /// A statement on people's tables names them, and this one: a row of another person's can be neither seen nor touched.
    fn check(&self, text: &'static str, values: &[Value<'_>]) -> Result<()> {
        if let Some(PersonId(person)) = self.person
            && !mutant("persons-not-told-apart")
        {
            let named = text.contains("person = ?1") || text.contains("(person,");
            let this = matches!(values.first(), Some(Value::Int(n)) if *n == person);
            if !(named && this) {
                return Err(Error::Catalog(format!("a statement without its person: {text}")));
            }
        }
        Ok(())
    }

    fn rows(&self, mut answer: Answer, portal: u32, each: Each<'_>) -> Result<()> {
        let columns = answer.columns.clone();
        loop {
            for body in &answer.rows {
                self.delivered.set(true);
                let ranges = body.ranges().collect().map_err(|e| Error::Corrupt(format!("a row: {e}")))?;
                if each(&Columns { body, ranges, types: &columns })?.is_break() {
                    return Ok(());
                }
            }
            if !answer.more {
                return Ok(());
            }
            answer = self.connection.borrow_mut().more(portal, PAGE).map_err(|f| self.fail(f))?;
        }
    }
}

impl Tx for Session<'_> {
    fn query(&self, text: &'static str, values: &[Value<'_>], each: Each<'_>) -> Result<()> {
        self.check(text, values)?;
        let portal = self.depth.get() + 1;
        let answer = self.connection.borrow_mut().ask(text, values, portal, PAGE).map_err(|f| self.fail(f))?;
        self.depth.set(portal);
        let outcome = self.rows(answer, portal, each);
        self.depth.set(portal - 1);
        outcome
    }

    fn execute(&self, text: &'static str, values: &[Value<'_>]) -> Result<u64> {
        let mut connection = self.connection.borrow_mut();
        if ["SAVEPOINT ", "RELEASE ", "ROLLBACK TO "].iter().any(|begin| text.starts_with(begin)) {
            return connection.push(text, values, 0, 0).map(|()| 0).map_err(|f| self.fail(f));
        }
        self.check(text, values)?;
        let answer = connection.ask(text, values, 0, 0).map_err(|f| self.fail(f))?;
        self.delivered.set(true);
        Ok(answer.changed())
    }
}

struct Columns<'r> {
    body: &'r DataRowBody,
    ranges: Vec<Option<std::ops::Range<usize>>>,
    types: &'r [postgres_protocol::Oid],
}

impl Columns<'_> {
    fn bytes(&self, column: usize) -> Result<Option<&[u8]>> {
        let range = self.ranges.get(column).ok_or_else(|| odd(column))?;
        Ok(range.clone().map(|range| &self.body.buffer()[range]))
    }
}

impl Row for Columns<'_> {
    fn opt_int(&self, column: usize) -> Result<Option<i64>> {
        let Some(bytes) = self.bytes(column)? else { return Ok(None) };
        match *bytes {
            // What is a BIGINT, what SQL counts in, and whether something is so.
            [a, b, c, d, e, f, g, h] if self.types.get(column) == Some(&wire::INT8) => Ok(Some(i64::from_be_bytes([a, b, c, d, e, f, g, h]))),
            [a, b, c, d] if self.types.get(column) == Some(&INT4) => Ok(Some(i64::from(i32::from_be_bytes([a, b, c, d])))),
            [is @ (0 | 1)] if self.types.get(column) == Some(&BOOL) => Ok(Some(i64::from(is))),
            _ => Err(odd(column)),
        }
    }

    fn opt_text(&self, column: usize) -> Result<Option<&str>> {
        match self.types.get(column) {
            Some(&(BYTEA | wire::INT8 | INT4 | BOOL)) | None => Err(odd(column)),
            Some(_) => self.bytes(column)?.map(|bytes| std::str::from_utf8(bytes).map_err(|_| odd(column))).transpose(),
        }
    }

    fn opt_blob(&self, column: usize) -> Result<Option<&[u8]>> {
        if self.types.get(column) == Some(&BYTEA) { self.bytes(column) } else { Err(odd(column)) }
    }
}

const INT4: postgres_protocol::Oid = 23;
const BOOL: postgres_protocol::Oid = 16;

fn odd(column: usize) -> Error {
    Error::Corrupt(format!("catalog column {column} has another type than the schema says"))
}

#[cfg(test)]
mod tests;
