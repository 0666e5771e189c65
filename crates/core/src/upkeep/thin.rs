//! Lets go what the retention policy no longer keeps: earlier versions, old trash, expired locks, old
//! records of access.

use std::ops::ControlFlow;

use crate::env::{Env, Timestamp};
use crate::error::{Error, Result};
use crate::mutant::mutant;
use crate::name::Path;
use crate::party::Party;
use crate::store::catalog::Tx;
use crate::store::content::Store;
use crate::tree::apply::{Applier, Batch};
use crate::tree::change::Change;
use crate::tree::condition::Precondition;
use crate::tree::version::Retention;
use crate::tree::{lock, trash, upload};

/// Rows that one transaction deletes.
const SLICE: usize = 500;
/// Records of access that one transaction deletes: each takes four pages or more, and writers wait for it.
const RECORDS: usize = 100;
/// Rows gathered before any is deleted.
const GATHERED: usize = 20_000;

/// Runs `work` in a transaction as the policy's own party.
fn applying<T>(store: &Store, env: &Env, party: &Party, mut work: impl FnMut(&mut Applier<'_>) -> Result<T>) -> Result<T> {
    let precondition = Precondition::default();
    store.catalog.writing(|tx| {
        let mut batch = Batch::begin(tx, store.person)?;
        let now = env.now();
        let out = work(&mut Applier {
            tx,
            store,
            person: store.person,
            party,
            now,
            precondition: &precondition,
            fresh: false,
            whole: true,
            batch: &mut batch,
            facts: None,
        })?;
        batch.finish(tx, store.person)?;
        Ok(out)
    })
}

/// Purges what has been in the trash since `until` or longer.
pub(super) fn trash(store: &Store, env: &Env, party: &Party, until: Timestamp) -> Result<u64> {
    let due = store.catalog.reading(|tx| {
        let sql = "SELECT entry FROM trash WHERE person = ?1 AND at <= ?2";
        tx.all(sql, &[store.person.0.into(), until.0.into()], |row| row.int(0))
    })?;
    let mut purged = 0;
    for entry in due {
        // Somebody may have restored or purged it since: then there is nothing to do.
        purged += applying(store, env, party, |applier| match applier.apply(Change::Purge { entry }) {
            Ok(_) => Ok(1),
            Err(Error::Invalid(_)) => Ok(0),
            Err(e) => Err(e),
        })?;
    }
    Ok(purged)
}

/// Gives up files whose next piece has not come for long.
pub(super) fn uploads(store: &Store, env: &Env, party: &Party, now: Timestamp) -> Result<()> {
    for due in store.catalog.reading(|tx| upload::expired(tx, store.person, now))? {
        applying(store, env, party, |applier| applier.apply(Change::Abandon { path: Path::root(), upload: due }).map(|_| ()))?;
    }
    Ok(())
}

/// Goes on with large folders that a purge could only begin to take apart.
pub(super) fn condemned(store: &Store, env: &Env, party: &Party) -> Result<()> {
    loop {
        let more = applying(store, env, party, |applier| match trash::condemned(applier.tx, store.person)? {
            Some(top) => applier.erase_below(top, trash::ERASED_AT_ONCE).map(|_| true),
            None => Ok(false),
        })?;
        if !more {
            return Ok(());
        }
    }
}

/// Deletes the versions that the policy lets go, and gives their quota back.
pub(super) fn versions(store: &Store, now: Timestamp, retention: &Retention) -> Result<u64> {
    let (mut after, mut deleted) = (0, 0);
    loop {
        let mut expired = Vec::new();
        let next = store.catalog.reading(|tx| gather(tx, store, now, retention, after, &mut expired))?;
        for slice in expired.chunks(SLICE) {
            deleted += store.catalog.writing(|tx| {
                let mut batch = Batch::begin(tx, store.person)?;
                let mut gone = 0;
                for (entry, seq) in slice {
                    let key = [store.person.0.into(), (*entry).into(), (*seq).into()];
                    let size = tx.first("SELECT size FROM version WHERE person = ?1 AND entry = ?2 AND seq = ?3", &key, |row| row.int(0))?;
                    let Some(size) = size else { continue };
                    tx.execute("DELETE FROM version WHERE person = ?1 AND entry = ?2 AND seq = ?3", &key)?;
                    batch.head.used = batch.head.used.saturating_sub(size as u64);
                    gone += 1;
                }
                batch.finish(tx, store.person)?;
                Ok(gone)
            })?;
        }
        match next {
            Some(entry) => after = entry,
            None => return Ok(deleted),
        }
    }
}

/// Adds the expired versions of entries after `after` to `expired`, newest first within an entry; answers the entry to
/// go on after, if enough were found before the end.
fn gather(tx: &dyn Tx, store: &Store, now: Timestamp, retention: &Retention, after: i64, expired: &mut Vec<(i64, i64)>) -> Result<Option<i64>> {
    let sql = "SELECT entry, seq, ended FROM version WHERE person = ?1 AND entry > ?2 ORDER BY entry, seq";
    let mut at = after;
    let mut history: Vec<(i64, Timestamp)> = Vec::new();
    let mut judge = |entry: i64, history: &mut Vec<(i64, Timestamp)>| {
        if !mutant("thinned-from-the-wrong-end") {
            history.reverse();
        }
        let ended: Vec<_> = history.iter().map(|(_, t)| *t).collect();
        expired.extend(retention.expired(now, &ended).into_iter().map(|n| (entry, history[n].0)));
        history.clear();
        expired.len() >= GATHERED
    };
    let mut stopped = None;
    tx.query(sql, &[store.person.0.into(), after.into()], &mut |row| {
        let entry = row.int(0)?;
        if entry != at && judge(at, &mut history) {
            stopped = Some(at);
            return Ok(ControlFlow::Break(()));
        }
        at = entry;
        history.push((row.int(1)?, Timestamp(row.int(2)?)));
        Ok(ControlFlow::Continue(()))
    })?;
    if stopped.is_none() {
        judge(at, &mut history);
    }
    Ok(stopped)
}

/// Expired locks hold nobody, but listings look at rows.
pub(super) fn locks(store: &Store, env: &Env) -> Result<()> {
    if !store.catalog.reading(|tx| lock::any(tx, store.person))? {
        return Ok(());
    }
    store.catalog.writing(|tx| lock::drop_expired(tx, store.person, env.now()))
}

/// Forgets what parties did long ago.
pub(super) fn records(store: &Store, now: Timestamp, retention: &Retention) -> Result<()> {
    let until = now.plus(-retention.record_days.saturating_mul(Timestamp::DAY));
    let old = "SELECT id FROM access_record WHERE person = ?1 AND last < ?2 LIMIT ?3";
    loop {
        let key = [store.person.0.into(), until.0.into(), (RECORDS as i64).into()];
        let gone = store.catalog.writing(|tx| {
            let ids = tx.all(old, &key, |row| row.int(0))?;
            for id in &ids {
                tx.execute("DELETE FROM access_record WHERE person = ?1 AND id = ?2", &[store.person.0.into(), (*id).into()])?;
            }
            Ok(ids.len())
        })?;
        if gone < RECORDS {
            return Ok(());
        }
    }
}
