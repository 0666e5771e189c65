//! The schema in a database that many may use: scripts are numbered, only ever added, and applied by `holm migrate` alone. A script
//! leaves what processes of before it need: they go on while it runs.

use super::pool::Pool;
use super::wire::{Connection, Failure};
use super::{dialect, error};
use crate::error::{Error, Result};
use crate::store::catalog::Value;

/// Scripts that belong together, counted on their own.
pub type Part<'s> = (&'static str, &'s [&'static str]);

/// The engine's own.
const POSTGRES: Part<'static> = ("postgres", &[include_str!("../schema/postgres.sql")]);

impl Pool {
    /// How many scripts of a part were applied.
    fn version(&self, connection: &mut Connection, part: &'static str) -> Result<i64, Failure> {
        let answer = connection.ask("SELECT version FROM migration WHERE part = ?1", &[Value::Text(part)], 0, 0)?;
        let number = |row: &[u8]| Some(i64::from_be_bytes(row.get(4..12)?.try_into().ok()?));
        Ok(answer.rows.first().and_then(|row| number(row.buffer())).unwrap_or(0))
    }

    /// Whether the database is what this program needs.
    ///
    /// # Errors
    /// [`Error::Catalog`] with what to do where it is older, newer, or not holm's.
    pub fn check(&self, parts: &[Part<'_>]) -> Result<()> {
        let mut lease = self.lease()?;
        let connection = lease.connection.as_mut().expect("a lease has a connection");
        for &(part, scripts) in parts.iter().chain([&POSTGRES]) {
            let version = self.version(connection, part).map_err(|f| error(&self.address, f))?;
            if version < scripts.len() as i64 {
                return Err(Error::Catalog(format!("{} is of an older holm; run holm migrate, servers may go on meanwhile", self.address)));
            }
            if version > scripts.len() as i64 {
                return Err(Error::Catalog("this data was written by a newer holm; run that one".into()));
            }
        }
        let durable = "SELECT setting FROM pg_settings WHERE name = 'synchronous_commit' AND setting = 'off'";
        // Others that speak the protocol have no such setting.
        if connection.ask(durable, &[], 0, 0).is_ok_and(|answer| !answer.rows.is_empty()) {
            return Err(Error::Catalog(format!("{} acknowledges what it may lose: set synchronous_commit to on", self.address)));
        }
        // Rows of connections that are long gone.
        let _ = connection.ask("DELETE FROM writer WHERE at < now() - INTERVAL '7 days'", &[], 0, 0);
        Ok(())
    }
}

/// Brings the database up to date; answers how many scripts that took. Whoever else does the same waits.
pub fn migrate(pool: &Pool, parts: &[Part<'_>]) -> Result<u64> {
    let mut connection = pool.connect()?;
    let mut applied = 0;
    let begun = connection
        .script("SET statement_timeout = 0; SET lock_timeout = 0; CREATE TABLE IF NOT EXISTS migration (part TEXT PRIMARY KEY, version BIGINT NOT NULL)");
    // Two at once may both find that there is none.
    begun.or_else(|_| connection.script("SELECT part, version FROM migration LIMIT 1")).map_err(|f| error(&pool.address, f))?;
    for &(part, scripts) in parts.iter().chain([&POSTGRES]) {
        let mut run = || -> Result<u64, Failure> {
            let row = format!("INSERT INTO migration (part, version) VALUES ('{part}', 0) ON CONFLICT (part) DO NOTHING");
            connection.script(&format!("BEGIN; {row}; SELECT version FROM migration WHERE part = '{part}' FOR UPDATE"))?;
            let from = pool.version(&mut connection, part)?;
            let missing = scripts.get(from as usize..).unwrap_or_default();
            for script in missing {
                connection.script(&dialect::script(script))?;
            }
            if !missing.is_empty() {
                let sql = "UPDATE migration SET version = ?2 WHERE part = ?1";
                connection.ask(sql, &[Value::Text(part), (scripts.len() as i64).into()], 0, 0)?;
            }
            connection.script("COMMIT")?;
            Ok(missing.len() as u64)
        };
        applied += run().map_err(|f| error(&pool.address, f))?;
    }
    Ok(applied)
}
