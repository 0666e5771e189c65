//! The list of calendar objects and vCards, made anew from their bytes. What is listed meanwhile stays listed.

use std::ops::ControlFlow;

use holm_pim::MAX_OBJECT;

use crate::env::Env;
use crate::error::Result;
use crate::party::{Party, PartyId};
use crate::store::content::{Store, Stored};
use crate::tree::apply::{Applier, Batch};
use crate::tree::condition::Precondition;
use crate::tree::entry::{self, Entry, TRASH};
use crate::tree::item;

/// Objects read in one transaction.
const SLICE: usize = 200;
/// Paths told of what can not be read.
const TOLD: usize = 1_000;

/// What making the list anew came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reindexed {
    /// Objects listed.
    pub items: u64,
    /// Files that have the name or type of one, and are none; the paths of the first 1,000.
    pub unreadable: Vec<String>,
}

pub fn run(store: &Store, env: &Env) -> Result<Reindexed> {
    let mut found = Vec::new();
    store.catalog.reading(|tx| {
        entry::every(tx, store.person, &mut |e| {
            if item::may_be(e) && e.parent != TRASH {
                found.push(e.id);
            }
            Ok(ControlFlow::Continue(()))
        })
    })?;
    let mut done = Reindexed::default();
    for slice in found.chunks(SLICE) {
        read(store, env, slice, &mut done)?;
    }
    store.catalog.writing(|tx| {
        let sql = "DELETE FROM item WHERE person = ?1 AND NOT EXISTS
            (SELECT 1 FROM entry e WHERE e.person = ?1 AND e.id = item.entry AND e.parent = item.folder AND e.kind = 1)";
        tx.execute(sql, &[store.person.0.into()])
    })?;
    Ok(done)
}

fn read(store: &Store, env: &Env, ids: &[i64], done: &mut Reindexed) -> Result<()> {
    let party = Party { person: store.person, id: PartyId::OWNER, credential: 0, label: "index".into(), limits: None };
    let precondition = Precondition::default();
    let (items, unreadable) = store.catalog.writing(|tx| {
        let mut batch = Batch::begin(tx, store.person)?;
        let now = env.now();
        let applier = Applier {
            tx,
            store,
            person: store.person,
            party: &party,
            now,
            precondition: &precondition,
            fresh: false,
            whole: true,
            batch: &mut batch,
            facts: None,
        };
        let (mut items, mut unreadable) = (0, Vec::new());
        for id in ids {
            let Some(e) = entry::by_id(tx, store.person, *id)?.filter(|e| item::may_be(e) && e.parent != TRASH) else { continue };
            let bytes = match store.open(tx, e.content)? {
                Stored::Chunked { id, size } if size <= MAX_OBJECT as u64 => Some(whole(store, id, size)?),
                _ => None,
            };
            if applier.read_item(&e, bytes.as_deref())? {
                items += 1;
            } else {
                unreadable.push(place(tx, store, &e)?);
            }
        }
        Ok((items, unreadable))
    })?;
    done.items += items;
    done.unreadable.extend(unreadable);
    done.unreadable.truncate(TOLD);
    Ok(())
}

fn whole(store: &Store, content: i64, size: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < size {
        at += store.read_some(content, at, size, &mut bytes)?;
    }
    Ok(bytes)
}

fn place(tx: &dyn crate::store::catalog::Tx, store: &Store, e: &Entry) -> Result<String> {
    Ok(entry::path_of(tx, store.person, e.id)?.map_or_else(|| e.name.clone(), |path| path.to_string()))
}
