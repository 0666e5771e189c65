//! What an SQL engine must offer: one SQL text serves all. Parameters are written `?1`, `?2`…; integers are BIGINT,
//! bytes BLOB; upserts are `ON CONFLICT`. Nothing above this trait may rely on one engine.

use std::ops::ControlFlow;

use crate::error::Result;

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

impl From<i64> for Value<'_> {
    fn from(v: i64) -> Self {
        Value::Int(v)
    }
}
impl<'a> From<&'a str> for Value<'a> {
    fn from(v: &'a str) -> Self {
        Value::Text(v)
    }
}
impl<'a> From<&'a String> for Value<'a> {
    fn from(v: &'a String) -> Self {
        Value::Text(v)
    }
}
impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(v: &'a [u8]) -> Self {
        Value::Blob(v)
    }
}
impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(v: Option<T>) -> Self {
        v.map_or(Value::Null, Into::into)
    }
}

/// One result row; columns count from 0. A column of another type is [`crate::Error::Corrupt`].
pub trait Row {
    fn opt_int(&self, column: usize) -> Result<Option<i64>>;
    fn opt_text(&self, column: usize) -> Result<Option<&str>>;
    fn opt_blob(&self, column: usize) -> Result<Option<&[u8]>>;

    fn int(&self, column: usize) -> Result<i64> {
        self.opt_int(column)?.ok_or_else(|| null(column))
    }
    fn text(&self, column: usize) -> Result<&str> {
        self.opt_text(column)?.ok_or_else(|| null(column))
    }
    fn blob(&self, column: usize) -> Result<&[u8]> {
        self.opt_blob(column)?.ok_or_else(|| null(column))
    }
}

fn null(column: usize) -> crate::Error {
    crate::Error::Corrupt(format!("catalog column {column} is NULL"))
}

pub type Each<'a> = &'a mut dyn FnMut(&dyn Row) -> Result<ControlFlow<()>>;

/// A transaction: everything in it sees one state.
pub trait Tx {
    /// Calls `each` for every row until it breaks.
    fn query(&self, sql: &'static str, params: &[Value<'_>], each: Each<'_>) -> Result<()>;
    /// Answers how many rows changed.
    fn execute(&self, sql: &'static str, params: &[Value<'_>]) -> Result<u64>;
}

impl dyn Tx + '_ {
    /// The first row, if there is one.
    pub fn first<T>(&self, sql: &'static str, params: &[Value<'_>], mut map: impl FnMut(&dyn Row) -> Result<T>) -> Result<Option<T>> {
        let mut found = None;
        self.query(sql, params, &mut |row| {
            found = Some(map(row)?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    pub fn all<T>(&self, sql: &'static str, params: &[Value<'_>], mut map: impl FnMut(&dyn Row) -> Result<T>) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        self.query(sql, params, &mut |row| {
            rows.push(map(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }

    /// Runs `work`; if it fails, everything it did is undone and the transaction goes on.
    pub fn attempt<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.execute("SAVEPOINT change", &[])?;
        let outcome = work();
        if outcome.is_err() {
            self.execute("ROLLBACK TO change", &[])?;
        }
        self.execute("RELEASE change", &[])?;
        outcome
    }
}

/// A database of facts.
pub trait Catalog: Send + Sync {
    /// Runs `work` on one consistent state; writers do not wait for it, nor it for them.
    fn read(&self, work: &mut dyn FnMut(&dyn Tx) -> Result<()>) -> Result<()>;
    /// Runs `work` alone; when it succeeds the result is durable before this returns, else nothing happened. An engine
    /// that is shared may run it again from the beginning, when all it did is undone: it must not use up what it needs.
    fn write(&self, work: &mut dyn FnMut(&dyn Tx) -> Result<()>) -> Result<()>;
    /// Brings everything committed to where each part of it is sealed on its own: a damaged log only seems shorter. Answers
    /// whether the log is empty now; a reader in the midst of something keeps it, and the next start goes on with it.
    fn settle(&self) -> Result<bool>;
    /// What the engine itself finds wrong with its storage; one text a finding.
    fn verify(&self) -> Result<Vec<String>>;
    /// Whether [`Catalog::write`] may run its work more than once.
    fn repeats(&self) -> bool;
    /// Whether everything it keeps is sealed on its disk. Where it is not, what must be is sealed before it comes here.
    fn seals(&self) -> bool;
}

impl dyn Catalog {
    pub fn reading<T>(&self, mut work: impl FnMut(&dyn Tx) -> Result<T>) -> Result<T> {
        let mut out = None;
        self.read(&mut |tx| {
            out = Some(work(tx)?);
            Ok(())
        })?;
        Ok(out.expect("read ran its work"))
    }

    pub fn writing<T>(&self, mut work: impl FnMut(&dyn Tx) -> Result<T>) -> Result<T> {
        let mut out = None;
        self.write(&mut |tx| {
            out = Some(work(tx)?);
            Ok(())
        })?;
        Ok(out.expect("write ran its work"))
    }
}
