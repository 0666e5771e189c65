//! Dead properties (RFC 4918 §4): kept with the entry as the fragments they came as, and travelling with it.

use super::apply::Applier;
use super::change::{Done, Outcome};
use super::lock::Touch;
use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::journal::Op;
use crate::name::Path;
use crate::party::PersonId;
use crate::store::catalog::Tx;

/// Properties one entry may have.
pub const MAX_PROPS: i64 = 512;
/// Longest value in bytes.
pub const MAX_VALUE: usize = 64 * 1024;
/// Bytes of all values of one entry: an answer holds them at once.
const MAX_VALUES: i64 = 1024 * 1024;

/// A property's name in Clark notation (`{namespace}local`) and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropChange {
    Set { name: String, value: String },
    Remove { name: String },
}

/// The (Clark name, value fragment) pairs that entry `id` has, by name.
pub fn list(tx: &dyn Tx, person: PersonId, id: i64) -> Result<Vec<(String, String)>> {
    let sql = "SELECT name, value FROM prop WHERE person = ?1 AND entry = ?2 ORDER BY name";
    tx.all(sql, &[person.0.into(), id.into()], |row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned())))
}

impl Applier<'_> {
    /// Applies in order and answers how many properties the entry has then. Their values count towards the quota.
    pub(super) fn change_props(&mut self, id: i64, changes: &[PropChange]) -> Result<i64> {
        let (count, before) = self.measure_props(id)?;
        if changes.is_empty() {
            return Ok(count);
        }
        for change in changes {
            match change {
                PropChange::Set { name, value } => {
                    if value.len() > MAX_VALUE || name.len() > 1024 {
                        return Err(Error::Limit("a property is at most 64 KiB, its name 1 KiB"));
                    }
                    let sql = "INSERT INTO prop (person, entry, name, value) VALUES (?1, ?2, ?3, ?4)
                        ON CONFLICT (person, entry, name) DO UPDATE SET value = excluded.value";
                    self.tx.execute(sql, &[self.person.0.into(), id.into(), name.into(), value.into()])?;
                }
                PropChange::Remove { name } => {
                    let sql = "DELETE FROM prop WHERE person = ?1 AND entry = ?2 AND name = ?3";
                    self.tx.execute(sql, &[self.person.0.into(), id.into(), name.into()])?;
                }
            }
        }
        let (count, bytes) = self.measure_props(id)?;
        if count > MAX_PROPS || bytes > MAX_VALUES {
            return Err(Error::Limit("an entry has at most 512 properties, of 1 MiB together"));
        }
        self.refund((before - bytes).max(0) as u64);
        self.charge((bytes - before).max(0) as u64)?;
        Ok(count)
    }

    pub(super) fn count_props(&self, id: i64) -> Result<i64> {
        Ok(self.measure_props(id)?.0)
    }

    /// How many properties an entry has, and the size of their values.
    fn measure_props(&self, id: i64) -> Result<(i64, i64)> {
        let sql = "SELECT COUNT(*), COALESCE(SUM(OCTET_LENGTH(value)), 0) FROM prop WHERE person = ?1 AND entry = ?2";
        Ok(self.tx.first(sql, &[self.person.0.into(), id.into()], |r| Ok((r.int(0)?, r.int(1)?)))?.unwrap_or_default())
    }

    /// Gives `to` what `from` has; properties of the same name are replaced.
    pub(super) fn copy_props(&mut self, from: i64, to: i64) -> Result<()> {
        let all = self.all_props(from)?;
        self.change_props(to, &all).map(|_| ())
    }

    /// The same, and `from` has none then; at no time do they count twice.
    pub(super) fn move_props(&mut self, from: i64, to: i64) -> Result<()> {
        let all = self.all_props(from)?;
        self.drop_props(from)?;
        self.change_props(to, &all).map(|_| ())
    }

    fn all_props(&self, id: i64) -> Result<Vec<PropChange>> {
        Ok(list(self.tx, self.person, id)?.into_iter().map(|(name, value)| PropChange::Set { name, value }).collect())
    }

    pub(super) fn drop_props(&mut self, id: i64) -> Result<()> {
        let (_, bytes) = self.measure_props(id)?;
        self.refund(bytes as u64);
        self.tx.execute("DELETE FROM prop WHERE person = ?1 AND entry = ?2", &[self.person.0.into(), id.into()])?;
        Ok(())
    }

    pub(super) fn patch(&mut self, path: Path, props: &[PropChange], modified: Option<Timestamp>, created: Option<Timestamp>) -> Result<Done> {
        let chain = self.chain_to(&path)?;
        let target = chain.target();
        self.precondition.check(self.tx, self.person, self.now, &path, target)?;
        let mut entry = target.cloned().ok_or_else(|| Error::NotFound(path.clone()))?;
        self.check_locks(&path, &chain.entries, Touch::Entry)?;
        let key = entry.key.clone();
        entry.seq = self.journal(Op::Patch, entry.id, entry.parent, &key, None)?;
        entry.props = self.change_props(entry.id, props)?;
        entry.modified = modified.unwrap_or(entry.modified);
        entry.created = created.unwrap_or(entry.created);
        self.upsert(&entry)?;
        self.touch(chain.above(), entry.seq);
        Ok(Done { seq: entry.seq, outcome: Outcome::Replaced, entry: Some(entry), lock: None, before: None })
    }
}
