//! Earlier contents of a file, and how long they stay: everything of the last day, then one a day for 30 days, then
//! one a week for a year.

use super::apply::Applier;
use super::change::{Done, Outcome};
use super::entry::Entry;
use super::lock::Touch;
use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::journal::{Op, Seq};
use crate::mutant::mutant;
use crate::name::Path;
use crate::party::PersonId;
use crate::store::catalog::Tx;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub seq: Seq,
    pub content: i64,
    pub tag: i64,
    pub size: u64,
    pub modified: Timestamp,
    pub media_type: Option<String>,
    /// When it was replaced.
    pub ended: Timestamp,
}

/// How long what was replaced or removed stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Hours for which every version stays.
    pub all_hours: i64,
    /// Days for which one version a day stays.
    pub daily_days: i64,
    /// Days for which one version a week stays.
    pub weekly_days: i64,
    /// Days in the trash.
    pub trash_days: i64,
    /// Days in the access log.
    pub record_days: i64,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { all_hours: 24, daily_days: 30, weekly_days: 365, trash_days: 30, record_days: 90 }
    }
}

impl Retention {
    /// How long something stays in the trash, in milliseconds.
    pub fn trash_millis(&self) -> i64 {
        if mutant("trash-kept-no-time") { 0 } else { self.trash_days.saturating_mul(Timestamp::DAY) }
    }

    /// Which of the versions (newest first, by when they ended) are to go.
    pub fn expired(&self, now: Timestamp, ended: &[Timestamp]) -> Vec<usize> {
        let mut last_kept = None;
        let mut gone = Vec::new();
        for (n, at) in ended.iter().enumerate() {
            let age = now.0 - at.0;
            let bucket = if age <= self.all_hours.saturating_mul(Timestamp::HOUR) {
                None
            } else if age <= self.daily_days.saturating_mul(Timestamp::DAY) {
                Some((1, at.0.div_euclid(Timestamp::DAY)))
            } else if age <= self.weekly_days.saturating_mul(Timestamp::DAY) {
                Some((7, at.0.div_euclid(7 * Timestamp::DAY)))
            } else {
                gone.push(n);
                continue;
            };
            if bucket.is_some() && bucket == last_kept {
                gone.push(n);
            }
            last_kept = bucket;
        }
        gone
    }
}

/// Newest first.
pub fn list(tx: &dyn Tx, person: PersonId, entry: i64) -> Result<Vec<Version>> {
    let sql = "SELECT seq, content, tag, size, modified, type, ended FROM version WHERE person = ?1 AND entry = ?2 ORDER BY seq DESC";
    tx.all(sql, &[person.0.into(), entry.into()], |row| {
        Ok(Version {
            seq: Seq(row.int(0)?),
            content: row.int(1)?,
            tag: row.int(2)?,
            size: row.int(3)? as u64,
            modified: Timestamp(row.int(4)?),
            media_type: row.opt_text(5)?.map(str::to_owned),
            ended: Timestamp(row.int(6)?),
        })
    })
}

impl Applier<'_> {
    /// The current content becomes the newest earlier version. An empty file leaves none: clients make them only to
    /// fill them at once.
    pub(super) fn keep_version(&mut self, old: &Entry) -> Result<()> {
        if old.size == 0 || mutant("no-version-kept") {
            return Ok(());
        }
        let sql = "INSERT INTO version (person, entry, seq, content, tag, size, modified, type, ended) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        self.tx.execute(
            sql,
            &[
                self.person.0.into(),
                old.id.into(),
                old.version.0.into(),
                old.content.into(),
                old.tag.into(),
                (old.size as i64).into(),
                old.modified.0.into(),
                old.media_type.as_deref().into(),
                self.let_go().0.into(),
            ],
        )?;
        Ok(())
    }

    /// Gives one file's versions to another. What one change copied has versions of the same number: those of `from` then
    /// take the next lower one that is free.
    pub(super) fn move_versions(&self, from: i64, to: i64) -> Result<()> {
        let person = self.person.0;
        for Version { seq, .. } in list(self.tx, self.person, from)? {
            let mut free = seq.0;
            let sql = "SELECT 1 FROM version WHERE person = ?1 AND entry = ?2 AND seq = ?3";
            while self.tx.first(sql, &[person.into(), to.into(), free.into()], |_| Ok(()))?.is_some() {
                free -= 1;
            }
            let sql = "UPDATE version SET entry = ?3, seq = ?5 WHERE person = ?1 AND entry = ?2 AND seq = ?4";
            self.tx.execute(sql, &[person.into(), from.into(), to.into(), seq.0.into(), free.into()])?;
        }
        Ok(())
    }

    pub(super) fn revert(&mut self, path: Path, version: Seq) -> Result<Done> {
        let chain = self.chain_to(&path)?;
        let target = chain.target();
        self.precondition.check(self.tx, self.person, self.now, &path, target)?;
        let old = target.cloned().ok_or_else(|| Error::NotFound(path.clone()))?;
        self.check_locks(&path, &chain.entries, Touch::Entry)?;
        let wanted = list(self.tx, self.person, old.id)?.into_iter().find(|v| v.seq == version);
        let wanted = wanted.ok_or_else(|| Error::NotFound(path.clone()))?;
        self.charge(wanted.size)?;
        let seq = self.journal(Op::Revert, old.id, old.parent, &old.key, None)?;
        self.keep_version(&old)?;
        self.unlist(&old)?;
        let entry = Entry {
            seq,
            version: seq,
            modified: wanted.modified,
            size: wanted.size,
            content: wanted.content,
            tag: wanted.tag,
            media_type: wanted.media_type,
            ..old.clone()
        };
        self.upsert(&entry)?;
        self.touch(chain.above(), seq);
        Ok(Done { seq, outcome: Outcome::Replaced, entry: Some(entry), lock: None, before: Some(old) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_thin_out_with_age() {
        let now = Timestamp(1_000 * Timestamp::DAY);
        let hourly: Vec<_> = (0..24 * 500).map(|h| Timestamp(now.0 - h * Timestamp::HOUR)).collect();
        let gone = Retention::default().expired(now, &hourly);
        let kept = hourly.len() - gone.len();
        assert!((25 + 29 + 47..=25 + 31 + 50).contains(&kept), "{kept} kept");
        assert!(!gone.contains(&0) && !gone.contains(&24));
        assert!(gone.contains(&(hourly.len() - 1)));
    }
}
