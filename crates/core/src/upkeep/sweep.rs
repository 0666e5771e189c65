//! Mark and sweep: contents that no entry or version refers to, then chunks that no content does.

use std::ops::ControlFlow;

use crate::env::Timestamp;
use crate::error::Result;
use crate::mutant::mutant;
use crate::store::catalog::{Tx, Value};
use crate::store::content::Store;
use crate::tree::apply::Head;

/// Rows that one transaction changes.
const SLICE: usize = 500;

/// A set of ids, one bit each; ids are handed out densely.
struct Marks(Vec<u64>);

impl Marks {
    /// Room for every id below `next`; an id from beyond it, newer than this round, is never in it.
    fn below(next: i64) -> Marks {
        Marks(vec![0; (next.max(0) as usize).div_ceil(64)])
    }

    fn insert(&mut self, id: i64) {
        if let Some(word) = self.0.get_mut(id as usize / 64) {
            *word |= 1 << (id % 64);
        }
    }

    fn contains(&self, id: i64) -> bool {
        self.0.get(id as usize / 64).is_some_and(|word| word & (1 << (id % 64)) != 0)
    }
}

fn mark(tx: &dyn Tx, sql: &'static str, params: &[Value<'_>], marks: &mut Marks) -> Result<()> {
    tx.query(sql, params, &mut |row| {
        marks.insert(row.int(0)?);
        Ok(ControlFlow::Continue(()))
    })
}

/// Runs `change` on every id, some in each transaction; answers how many rows it changed.
fn sliced(store: &Store, ids: &[i64], mut change: impl FnMut(&dyn Tx, i64) -> Result<u64>) -> Result<u64> {
    let mut changed = 0;
    for slice in ids.chunks(SLICE) {
        changed += store.catalog.writing(|tx| slice.iter().map(|id| change(tx, *id)).sum::<Result<u64>>())?;
    }
    Ok(changed)
}

/// Deletes contents that nothing refers to. References are only ever copied from one row to another, so what has none
/// now will have none later; contents newer than the view are left alone.
pub(super) fn contents(store: &Store) -> Result<u64> {
    let person = store.person.0;
    let unused = store.catalog.reading(|tx| {
        let next = Head::load(tx, store.person)?.next_id;
        let mut used = Marks::below(next);
        mark(tx, "SELECT content FROM entry WHERE person = ?1 AND content <> 0", &[person.into()], &mut used)?;
        mark(tx, "SELECT content FROM version WHERE person = ?1", &[person.into()], &mut used)?;
        mark(tx, "SELECT content FROM upload WHERE person = ?1", &[person.into()], &mut used)?;
        let mut unused = Vec::new();
        tx.query("SELECT id FROM content WHERE person = ?1 AND id < ?2", &[person.into(), next.into()], &mut |row| {
            let id = row.int(0)?;
            if !used.contains(id) {
                unused.push(id);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(unused)
    })?;
    sliced(store, &unused, |tx, id| {
        tx.execute("DELETE FROM part WHERE person = ?1 AND content = ?2", &[person.into(), id.into()])?;
        tx.execute("DELETE FROM content WHERE person = ?1 AND id = ?2", &[person.into(), id.into()])
    })
}

/// Marks chunks that no content has, revives marked ones that a content has, deletes those that stayed dead for
/// `grace` milliseconds. The lists may be old by the time they are worked on, so each statement looks again.
pub(super) fn chunks(store: &Store, now: Timestamp, grace: i64) -> Result<(u64, u64)> {
    let person = store.person.0;
    let until = now.plus(-grace).0;
    let (mut fresh, mut revived, mut due) = (Vec::new(), Vec::new(), Vec::new());
    store.catalog.reading(|tx| {
        let next = Head::load(tx, store.person)?.next_id;
        let mut used = Marks::below(next);
        mark(tx, "SELECT chunk FROM part WHERE person = ?1", &[person.into()], &mut used)?;
        tx.query("SELECT id, dead FROM chunk WHERE person = ?1 AND id < ?2", &[person.into(), next.into()], &mut |row| {
            let (id, dead) = (row.int(0)?, row.int(1)?);
            match (used.contains(id), dead) {
                (false, 0) => fresh.push(id),
                (true, 1..) => revived.push(id),
                (false, _) if dead <= until => due.push(id),
                _ => {}
            }
            Ok(ControlFlow::Continue(()))
        })
    })?;
    sliced(store, &revived, |tx, id| tx.execute("UPDATE chunk SET dead = 0 WHERE person = ?1 AND id = ?2", &[person.into(), id.into()]))?;
    let marked = sliced(store, &fresh, |tx, id| {
        let sql = "UPDATE chunk SET dead = ?3 WHERE person = ?1 AND id = ?2 AND dead = 0
            AND NOT EXISTS (SELECT 1 FROM part WHERE person = ?1 AND chunk = ?2)";
        tx.execute(sql, &[person.into(), id.into(), now.0.into()])
    })?;
    let deleted = sliced(store, &due, |tx, id| {
        if mutant("chunk-deleted-unseen") {
            return tx.execute("DELETE FROM chunk WHERE person = ?1 AND id = ?2", &[person.into(), id.into()]);
        }
        let sql = "DELETE FROM chunk WHERE person = ?1 AND id = ?2 AND dead <> 0 AND dead <= ?3
            AND NOT EXISTS (SELECT 1 FROM part WHERE person = ?1 AND chunk = ?2)";
        tx.execute(sql, &[person.into(), id.into(), until.into()])
    })?;
    Ok((marked, deleted))
}
