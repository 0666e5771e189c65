//! Packs that are mostly dead are written anew without what is dead; files that no row refers to are deleted.

use std::collections::HashMap;

use super::Upkeep;
use crate::env::{Env, Timestamp};
use crate::error::{Error, Result};
use crate::mutant::mutant;
use crate::store::PackFile;
use crate::store::catalog::Tx;
use crate::store::content::{Store, bytes32};
use crate::store::pack::{ChunkName, PackWriter, Place, record_len};
use crate::tree::apply::{Batch, keep_pack};

/// A pack is written anew when less than this part of it, in percent, is alive.
const ALIVE_PERCENT: u64 = 50;

struct Pack {
    id: i64,
    salt: [u8; 32],
    at: Timestamp,
    alive: u64,
}

struct Chunk {
    id: i64,
    name: ChunkName,
    place: Place,
}

fn list(tx: &dyn Tx, store: &Store) -> Result<Vec<Pack>> {
    let mut alive: HashMap<i64, u64> = HashMap::new();
    tx.query("SELECT pack, length FROM chunk WHERE person = ?1", &[store.person.0.into()], &mut |row| {
        *alive.entry(row.int(0)?).or_default() += record_len(row.int(1)? as u32);
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    tx.all("SELECT id, salt, at FROM pack WHERE person = ?1", &[store.person.0.into()], |row| {
        let id = row.int(0)?;
        Ok(Pack { id, salt: bytes32(row.blob(1)?)?, at: Timestamp(row.int(2)?), alive: alive.get(&id).copied().unwrap_or(0) })
    })
}

fn chunks(tx: &dyn Tx, store: &Store, pack: i64) -> Result<Vec<Chunk>> {
    let sql = "SELECT id, name, pos, record, length FROM chunk WHERE person = ?1 AND pack = ?2 ORDER BY record";
    tx.all(sql, &[store.person.0.into(), pack.into()], |row| {
        let place = Place { pos: row.int(2)? as u64, record: row.int(3)? as u64, length: row.int(4)? as u32 };
        Ok(Chunk { id: row.int(0)?, name: bytes32(row.blob(1)?)?, place })
    })
}

/// Compacts and deletes what has been there since `until` or longer: younger packs may still be written to.
pub(super) fn packs(store: &Store, env: &Env, until: Timestamp, done: &mut Upkeep) -> Result<()> {
    let packs = store.catalog.reading(|tx| list(tx, store))?;
    // Files first, rows second would delete a pack that was committed in between; `orphan` looks again in any case.
    let known: HashMap<[u8; 32], i64> = packs.iter().map(|p| (p.salt, p.id)).collect();
    // Nobody writes to packs of earlier keys any more, however young they are.
    let over = |file: &PackFile| file.modified <= until || matches!(store.outdated(&file.salt), Ok(true));
    for file in store.pack_files()? {
        if !known.contains_key(&file.salt) && over(&file) && orphan(store, None, &file)? {
            done.packs_deleted += 1;
            done.bytes_freed += file.bytes as i64;
        }
    }
    let mut target = None;
    let changed = store.ring().has_earlier();
    for pack in packs.iter().filter(|p| p.at <= until || changed) {
        let Some(file) = store.pack_file(&pack.salt)? else {
            forget(store, pack.id)?;
            continue;
        };
        let wasteful = pack.at <= until && pack.alive * 100 < file.bytes * ALIVE_PERCENT;
        let outcome = match store.outdated(&pack.salt) {
            Ok(outdated) if wasteful || outdated => compact(store, env, pack, &file, &mut target, done),
            other => other.map(|_| ()),
        };
        match outcome {
            // Left as it is: `check --deep` tells which content it harms.
            Err(Error::Corrupt(_)) => done.packs_damaged += 1,
            other => other?,
        }
    }
    if changed { let_keys_go(store, done) } else { Ok(()) }
}

/// Seals what lies under earlier keys anew, and nothing else.
pub(super) fn reseal(store: &Store, env: &Env, done: &mut Upkeep) -> Result<()> {
    packs(store, env, Timestamp(i64::MIN), done)
}

/// Deletes the person's earlier keys, once no pack is sealed under one.
fn let_keys_go(store: &Store, done: &mut Upkeep) -> Result<()> {
    for pack in store.catalog.reading(|tx| list(tx, store))? {
        let there = store.pack_file(&pack.salt)?.is_some();
        done.packs_outdated += u64::from(there && !matches!(store.outdated(&pack.salt), Ok(false)));
    }
    if done.packs_outdated > 0 {
        return Ok(());
    }
    store.catalog.writing(|tx| tx.execute("DELETE FROM earlier_key WHERE person = ?1", &[store.person.0.into()]).map(|_| ()))
}

/// Deletes a file that no row refers to. A commit that would refer to it looks for the file inside its transaction,
/// and this looks for the row inside one: one of the two comes first.
fn orphan(store: &Store, pack: Option<i64>, file: &PackFile) -> Result<bool> {
    store.catalog.writing(|tx| {
        let sql = "SELECT 1 FROM pack WHERE person = ?1 AND salt = ?2";
        if tx.first(sql, &[store.person.0.into(), file.salt[..].into()], |_| Ok(()))?.is_some() && !mutant("pack-deleted-unseen") {
            return Ok(false);
        }
        store.remove_pack(pack, &file.salt)?;
        Ok(true)
    })
}

fn compact(store: &Store, env: &Env, pack: &Pack, file: &PackFile, target: &mut Option<PackWriter>, done: &mut Upkeep) -> Result<()> {
    let moving = store.catalog.reading(|tx| chunks(tx, store, pack.id))?;
    let mut places = Vec::with_capacity(moving.len());
    if !moving.is_empty() {
        let reader = store.open_pack(&pack.salt)?;
        let (mut plain, mut scratch) = (Vec::new(), Vec::new());
        for chunk in &moving {
            if target.as_ref().is_some_and(PackWriter::is_full) {
                sync(target)?;
                *target = None;
            }
            let writer = match &mut *target {
                Some(writer) => writer,
                none => none.insert(store.new_pack()?),
            };
            plain.clear();
            reader.read(&chunk.name, chunk.place, 0, chunk.place.length, &mut plain)?;
            let place = writer.append(&chunk.name, &plain, &mut scratch)?;
            done.bytes_freed -= record_len(place.length) as i64;
            places.push((*writer.salt(), place));
        }
        sync(target)?;
    }
    let emptied = store.catalog.writing(|tx| {
        let mut batch = Batch::begin(tx, store.person)?;
        for (chunk, (salt, place)) in moving.iter().zip(&places) {
            let id = keep_pack(tx, store, &mut batch, env.now(), salt)?;
            // A chunk that was deleted meanwhile stays deleted: its copy is dead weight of the new pack.
            let sql = "UPDATE chunk SET pack = ?3, pos = ?4, record = ?5 WHERE person = ?1 AND id = ?2 AND pack = ?6";
            let record = if mutant("compacted-under-old-number") { chunk.place.record } else { place.record };
            let (pos, record) = (place.pos as i64, record as i64);
            tx.execute(sql, &[store.person.0.into(), chunk.id.into(), id.into(), pos.into(), record.into(), pack.id.into()])?;
        }
        batch.finish(tx, store.person)?;
        unused(tx, store, pack.id)
    })?;
    // In a transaction of its own, after the one that took the row away: a commit that has brought the row back since
    // keeps its file, and before the row is durably gone the file must stay.
    if emptied && orphan(store, Some(pack.id), file)? {
        done.packs_compacted += u64::from(!moving.is_empty());
        done.packs_deleted += 1;
        done.bytes_freed += file.bytes as i64;
    }
    Ok(())
}

/// Deletes the row of a pack that no chunk lies in; answers whether it did.
fn unused(tx: &dyn Tx, store: &Store, pack: i64) -> Result<bool> {
    let sql = "DELETE FROM pack WHERE person = ?1 AND id = ?2 AND NOT EXISTS (SELECT 1 FROM chunk WHERE person = ?1 AND pack = ?2)";
    Ok(tx.execute(sql, &[store.person.0.into(), pack.into()])? == 1)
}

/// A pack whose file is gone: nothing is lost once its chunks lie elsewhere, because they were sent again.
fn forget(store: &Store, pack: i64) -> Result<bool> {
    store.catalog.writing(|tx| unused(tx, store, pack))
}

fn sync(writer: &mut Option<PackWriter>) -> Result<()> {
    writer.as_mut().filter(|_| !mutant("no-compaction-sync")).map_or(Ok(()), PackWriter::sync)
}
