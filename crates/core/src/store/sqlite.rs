//! The embedded engine: one SQLCipher file, WAL, `synchronous=FULL`. One connection writes, a few read. The only
//! place that names rusqlite.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql};

use super::catalog::{Catalog, Each, Row, Tx, Value};
use crate::error::{Error, Result};
use crate::keys::Key;
use crate::mutant::mutant;

/// Connections kept for readers. Opening one costs more than most reads, so a reader waits a little for one of these
/// before it opens another, which is closed again.
const READERS_KEPT: usize = 4;
const READER_WAIT: Duration = Duration::from_millis(5);
/// Pages each connection keeps, in KiB.
const CACHE_KIB: u32 = 2048;
/// How often pages that seem damaged are looked at again.
const LOOKS: u32 = 5;
/// Below this, SQLite can corrupt a WAL.
const MIN_SQLITE: i32 = 3_051_003;

/// What becomes of the bytes that a transaction deletes or replaces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// They stay in the file until something is written over them.
    Left,
    /// Zeros are written over them: for keys.
    Overwritten,
}

pub struct Sqlite {
    path: std::path::PathBuf,
    key: Key,
    deleted: Deleted,
    /// Whoever writes next: held until the one before has ended, so that upkeep, which writes again and again, lets others in between.
    next: Mutex<()>,
    writer: Mutex<Connection>,
    readers: Mutex<Readers>,
    returned: Condvar,
}

#[derive(Default)]
struct Readers {
    idle: Vec<Connection>,
    /// Idle and lent ones.
    open: usize,
}

/// A reader's connection, given back unless something went wrong with it.
struct Lease<'s> {
    sqlite: &'s Sqlite,
    conn: Option<Connection>,
    good: bool,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut readers = self.sqlite.readers.lock().expect("readers");
        match self.conn.take() {
            Some(conn) if self.good && readers.open <= READERS_KEPT => readers.idle.push(conn),
            _ => readers.open -= 1,
        }
        drop(readers);
        self.sqlite.returned.notify_one();
    }
}

impl Sqlite {
    /// Opens (or with `create` makes) the file and brings its schema up to date: `migrations[n]` leads from version
    /// n to n+1. A file of a later version is refused, so that an old program never harms newer data.
    pub fn open(path: &Path, key: &Key, create: bool, deleted: Deleted, migrations: &[&str]) -> Result<Sqlite> {
        if rusqlite::version_number() < MIN_SQLITE {
            return Err(Error::Catalog(format!("SQLite {} is too old; 3.51.3 is needed", rusqlite::version())));
        }
        let fresh = !path.exists();
        if fresh && !create {
            return Err(Error::Catalog(format!("{} does not exist", path.display())));
        }
        let conn = connect(path, key, create, deleted)?;
        migrate(&conn, migrations)?;
        if fresh && let Some(dir) = path.parent() {
            sync_dir(dir)?;
        }
        Ok(Sqlite {
            path: path.into(),
            key: key.clone(),
            deleted,
            next: Mutex::default(),
            writer: Mutex::new(conn),
            readers: Mutex::default(),
            returned: Condvar::new(),
        })
    }

    fn lease(&self) -> Result<Lease<'_>> {
        let full = |r: &mut Readers| r.idle.is_empty() && r.open >= READERS_KEPT;
        let (mut readers, _) = self.returned.wait_timeout_while(self.readers.lock().expect("readers"), READER_WAIT, full).expect("readers");
        if let Some(conn) = readers.idle.pop() {
            return Ok(Lease { sqlite: self, conn: Some(conn), good: false });
        }
        readers.open += 1;
        drop(readers);
        // Counted already, so that a failure to open gives the place back.
        let mut lease = Lease { sqlite: self, conn: None, good: false };
        lease.conn = Some(connect(&self.path, &self.key, false, self.deleted)?);
        Ok(lease)
    }
}

/// Writes all that a file holds into a new one under another key. Nobody may write meanwhile; what an earlier attempt left
/// goes.
pub fn copy(from: &Path, key: &Key, to: &Path, other: &Key) -> Result<()> {
    for file in [to.to_owned(), beside(to, "-journal"), beside(to, "-wal"), beside(to, "-shm")] {
        match std::fs::remove_file(&file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(format!("deleting {}", file.display()))(e)),
            _ => {}
        }
    }
    let name = to.to_str().ok_or_else(|| Error::Invalid(format!("{} is no UTF-8", to.display())))?;
    // May create files, for the sake of the one that is attached.
    let conn = connect(from, key, true, Deleted::Left)?;
    conn.execute("ATTACH DATABASE ?1 AS copy KEY ?2", [name, &spelled(other)]).map_err(sql)?;
    // Whoever gives the copy its place syncs it; one that is cut off is thrown away.
    conn.execute_batch("PRAGMA copy.journal_mode=OFF; PRAGMA copy.synchronous=OFF").map_err(sql)?;
    conn.query_row("SELECT sqlcipher_export('copy')", [], |_| Ok(())).map_err(sql)?;
    // A damaged page would be copied as zeros, well sealed.
    sound(&conn)?;
    let version: i64 = conn.query_row("PRAGMA main.user_version", [], |row| row.get(0)).map_err(sql)?;
    conn.execute_batch(&format!("PRAGMA copy.user_version={version}; DETACH DATABASE copy")).map_err(sql)
}

/// Gives a closed, complete file the name of another closed one, which is gone then; durable when this returns.
pub fn take_place(new: &Path, of: &Path) -> Result<()> {
    for log in [beside(new, "-wal"), beside(of, "-wal")] {
        if log.metadata().is_ok_and(|m| m.len() > 0) {
            return Err(Error::Catalog(format!("{} is in use; stop whatever has it open", log.display())));
        }
        // An empty one would be taken for the new file's.
        let _ = std::fs::remove_file(log);
    }
    let io = || Error::io(format!("putting {} in place", of.display()));
    std::fs::File::open(new).and_then(|file| file.sync_all()).map_err(io())?;
    std::fs::rename(new, of).map_err(io())?;
    of.parent().map_or(Ok(()), sync_dir)
}

fn beside(path: &Path, end: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

impl Sqlite {
    /// Answers whether the whole log went into the file.
    fn checkpoint(&self, pragma: &'static str) -> Result<bool> {
        let conn = self.writer.lock().expect("the writer's connection");
        let busy = (&Session(&conn) as &dyn Tx).first(pragma, &[], |row| row.int(0))?;
        Ok(busy == Some(0))
    }

    /// What a pragma that looks for damage tells.
    fn look(&self, pragma: &'static str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let looked = self.read(&mut |tx| {
            tx.query(pragma, &[], &mut |row| {
                let text = row.text(0)?;
                if text != "ok" {
                    found.push(text.to_owned());
                }
                Ok(ControlFlow::Continue(()))
            })
        });
        match looked {
            Err(Error::Corrupt(why)) => found.push(why),
            other => other?,
        }
        Ok(found)
    }
}

/// Makes a directory's entries durable.
pub fn sync_dir(dir: &Path) -> Result<()> {
    std::fs::File::open(dir).and_then(|d| d.sync_all()).map_err(Error::io(format!("syncing directory {}", dir.display())))
}

/// A commit waits for the disk.
fn synchronous() -> &'static str {
    if mutant("no-catalog-sync") {
        "OFF"
    } else if mutant("catalog-sync-normal") {
        "NORMAL"
    } else {
        "FULL"
    }
}

/// A raw key: no password stretching, so that opening costs a millisecond and not a second.
fn spelled(key: &Key) -> String {
    let hex: String = key.bytes().iter().map(|b| format!("{b:02x}")).collect();
    format!("x'{hex}'")
}

fn connect(path: &Path, key: &Key, create: bool, deleted: Deleted) -> Result<Connection> {
    let secure_delete = if deleted == Deleted::Overwritten { "ON" } else { "OFF" };
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let conn = Connection::open_with_flags(path, flags).map_err(sql)?;
    conn.pragma_update(None, "key", spelled(key)).map_err(sql)?;
    let synchronous = synchronous();
    conn.execute_batch(&format!(
        "PRAGMA cipher_memory_security=OFF; PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; PRAGMA foreign_keys=OFF;
         PRAGMA temp_store=MEMORY; PRAGMA cache_size=-{CACHE_KIB}; PRAGMA wal_autocheckpoint=2000; PRAGMA secure_delete={secure_delete};"
    ))
    .map_err(|e| match e.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::Key("the key does not open this catalog"),
        _ => sql(e),
    })?;
    conn.busy_timeout(Duration::from_secs(10)).map_err(sql)?;
    conn.set_prepared_statement_cache_capacity(128);
    Ok(conn)
}

fn migrate(conn: &Connection, migrations: &[&str]) -> Result<()> {
    let version = || conn.query_row("PRAGMA user_version", [], |r| r.get::<_, i64>(0)).map_err(sql);
    let newest = migrations.len() as i64;
    if version()? > newest {
        return Err(Error::Catalog("this data was written by a newer holm; run that one".into()));
    }
    if version()? == newest {
        return Ok(());
    }
    conn.execute_batch("BEGIN IMMEDIATE").map_err(sql)?;
    let from = version()?;
    for script in &migrations[from as usize..] {
        conn.execute_batch(script).map_err(sql)?;
    }
    conn.execute_batch(&format!("PRAGMA user_version={newest}; COMMIT")).map_err(sql)
}

impl Catalog for Sqlite {
    fn read(&self, work: &mut dyn FnMut(&dyn Tx) -> Result<()>) -> Result<()> {
        let mut lease = self.lease()?;
        let conn = lease.conn.as_ref().expect("a lease has a connection");
        let tx = Session(conn);
        tx.execute("BEGIN", &[])?;
        let outcome = work(&tx);
        tx.execute("COMMIT", &[])?;
        sound(conn)?;
        lease.good = true;
        outcome
    }

    fn settle(&self) -> Result<bool> {
        self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    fn verify(&self) -> Result<Vec<String>> {
        // Looks at every page's seal, in the file as it lies there: a page whose only copy is in the log yet is a hole in
        // the file. What is damaged stays so when the log has gone into the file.
        let mut found = self.look("PRAGMA cipher_integrity_check")?;
        for _ in 0..LOOKS {
            if found.is_empty() {
                break;
            }
            let _ = self.checkpoint("PRAGMA wal_checkpoint(FULL)");
            let again = self.look("PRAGMA cipher_integrity_check")?;
            found.retain(|page| again.contains(page));
        }
        // And at what the pages say together.
        found.extend(self.look("PRAGMA integrity_check(100)")?);
        Ok(found)
    }

    fn repeats(&self) -> bool {
        false
    }

    fn seals(&self) -> bool {
        true
    }

    fn write(&self, work: &mut dyn FnMut(&dyn Tx) -> Result<()>) -> Result<()> {
        let next = self.next.lock().expect("the next to write");
        let conn = self.writer.lock().expect("the writer's connection");
        drop(next);
        let tx = Session(&conn);
        tx.execute("BEGIN IMMEDIATE", &[])?;
        match work(&tx) {
            Ok(()) => match tx.execute("COMMIT", &[]) {
                Ok(_) => Ok(()),
                Err(e) => {
                    let _ = tx.execute("ROLLBACK", &[]);
                    if mutant("swallowed-error") { Ok(()) } else { Err(e) }
                }
            },
            Err(e) => {
                tx.execute("ROLLBACK", &[])?;
                Err(e)
            }
        }
    }
}

/// Whether every page that a reader's connection has read authenticated. Of one that did not SQLCipher makes zeros and goes
/// on; where it was the last page of a long value, all that tells is that nothing may be written any more. (A writer's
/// next commit fails.)
fn sound(conn: &Connection) -> Result<()> {
    if conn.is_readonly("main").map_err(sql)? { Err(Error::Corrupt("a page of the catalog does not authenticate".into())) } else { Ok(()) }
}

struct Session<'c>(&'c Connection);

struct Param<'a>(Value<'a>);
impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(v) => ValueRef::Integer(v),
            Value::Text(v) => ValueRef::Text(v.as_bytes()),
            Value::Blob(v) => ValueRef::Blob(v),
        }))
    }
}

fn params<'a>(values: &'a [Value<'a>]) -> impl rusqlite::Params + 'a {
    rusqlite::params_from_iter(values.iter().map(|v| Param(*v)))
}

impl Tx for Session<'_> {
    fn query(&self, text: &'static str, values: &[Value<'_>], each: Each<'_>) -> Result<()> {
        let mut statement = self.0.prepare_cached(text).map_err(sql)?;
        let mut rows = statement.query(params(values)).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            if let ControlFlow::Break(()) = each(&SqliteRow(row))? {
                break;
            }
        }
        Ok(())
    }

    fn execute(&self, text: &'static str, values: &[Value<'_>]) -> Result<u64> {
        let mut statement = self.0.prepare_cached(text).map_err(sql)?;
        Ok(statement.execute(params(values)).map_err(sql)? as u64)
    }
}

struct SqliteRow<'r, 's>(&'r rusqlite::Row<'s>);

impl Row for SqliteRow<'_, '_> {
    fn opt_int(&self, column: usize) -> Result<Option<i64>> {
        match self.0.get_ref(column).map_err(sql)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(v) => Ok(Some(v)),
            _ => Err(odd(column)),
        }
    }

    fn opt_text(&self, column: usize) -> Result<Option<&str>> {
        match self.0.get_ref(column).map_err(sql)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(v) => std::str::from_utf8(v).map(Some).map_err(|_| odd(column)),
            _ => Err(odd(column)),
        }
    }

    fn opt_blob(&self, column: usize) -> Result<Option<&[u8]>> {
        match self.0.get_ref(column).map_err(sql)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(v) => Ok(Some(v)),
            _ => Err(odd(column)),
        }
    }
}

fn odd(column: usize) -> Error {
    Error::Corrupt(format!("catalog column {column} has another type than the schema says"))
}

fn sql(e: rusqlite::Error) -> Error {
    match e.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::DiskFull,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy,
        Some(ErrorCode::SystemIoFailure) => Error::Io { what: "the catalog's file".into(), source: std::io::Error::other(e) },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt(format!("the catalog: {e}")),
        _ => Error::Catalog(e.to_string()),
    }
}
