//! The journal: one record a change, numbered without gaps a person. Sync, push, indexes and backup read it; nothing
//! rewrites it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::name::Path;
use crate::party::PersonId;
use crate::store::catalog::{Row, Tx};
use crate::tree::entry::{self, Entry};

/// A change's number; only grows within a person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Seq(pub i64);

/// What kind of change a record tells of. The numbers are the on-disk format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    Put = 1,
    MakeFolder = 2,
    Remove = 3,
    Move = 4,
    Copy = 5,
    Patch = 6,
    Restore = 7,
    Purge = 8,
    Revert = 9,
}

impl Op {
    fn from_int(n: i64) -> Result<Op> {
        use Op::*;
        [Put, MakeFolder, Remove, Move, Copy, Patch, Restore, Purge, Revert]
            .into_iter()
            .find(|op| *op as i64 == n)
            .ok_or_else(|| Error::Corrupt(format!("journal operation {n}")))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub seq: Seq,
    pub at: Timestamp,
    pub op: Op,
    pub entry: i64,
    /// The folder and key it happened at.
    pub parent: i64,
    pub key: String,
    /// Where it came from, for moves and copies.
    pub from: Option<(i64, String)>,
    pub credential: i64,
    pub party: String,
}

fn from_row(row: &dyn Row) -> Result<Record> {
    let from = match (row.opt_int(6)?, row.opt_text(7)?) {
        (Some(parent), Some(key)) => Some((parent, key.to_owned())),
        _ => None,
    };
    Ok(Record {
        seq: Seq(row.int(0)?),
        at: Timestamp(row.int(1)?),
        op: Op::from_int(row.int(2)?)?,
        entry: row.int(3)?,
        parent: row.int(4)?,
        key: row.text(5)?.to_owned(),
        from,
        credential: row.int(8)?,
        party: row.text(9)?.to_owned(),
    })
}

impl Record {
    pub(crate) fn insert(tx: &dyn Tx, person: PersonId, r: &Record) -> Result<()> {
        let sql = "INSERT INTO journal (person, seq, at, op, entry, parent, key, from_parent, from_key, credential, party)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let from_parent = r.from.as_ref().map(|f| f.0);
        let from_key = r.from.as_ref().map(|f| f.1.as_str());
        let values = [
            person.0.into(),
            r.seq.0.into(),
            r.at.0.into(),
            (r.op as i64).into(),
            r.entry.into(),
            r.parent.into(),
            r.key.as_str().into(),
            from_parent.into(),
            from_key.into(),
            r.credential.into(),
            r.party.as_str().into(),
        ];
        tx.execute(sql, &values)?;
        Ok(())
    }
}

/// Record columns, in one order everywhere; a macro because SQL is `&'static str`.
macro_rules! select_record {
    ($rest:literal) => {
        concat!("SELECT seq, at, op, entry, parent, key, from_parent, from_key, credential, party FROM journal WHERE ", $rest)
    };
}

/// Up to `limit` records after `since`.
pub fn since(tx: &dyn Tx, person: PersonId, since: Seq, limit: usize) -> Result<Vec<Record>> {
    let sql = select_record!("person = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");
    tx.all(sql, &[person.0.into(), since.0.into(), (limit as i64).into()], from_row)
}

/// Calls `each` for every record, oldest first.
pub fn every(tx: &dyn Tx, person: PersonId, each: &mut dyn FnMut(Record) -> Result<ControlFlow<()>>) -> Result<()> {
    tx.query(select_record!("person = ?1 ORDER BY seq"), &[person.0.into()], &mut |row| each(from_row(row)?))
}

/// The entry that stands at a path, or else that stood there last: what is gone, or elsewhere now, has a history too.
pub fn once_at(tx: &dyn Tx, person: PersonId, path: &Path) -> Result<Option<i64>> {
    let mut at = entry::ROOT;
    for name in path.names() {
        let (key, place) = (name.key(), [person.0.into(), at.into(), name.key().into()]);
        let there = entry::child(tx, person, at, key)?.map(|e| e.id);
        let came = "SELECT seq, entry FROM journal WHERE person = ?1 AND parent = ?2 AND key = ?3 ORDER BY seq DESC LIMIT 1";
        let left = "SELECT seq, entry FROM journal WHERE person = ?1 AND from_parent = ?2 AND from_key = ?3 AND op = 4 ORDER BY seq DESC LIMIT 1";
        let row = |r: &dyn Row| Ok((r.int(0)?, r.int(1)?));
        let found = match there {
            Some(id) => Some(id),
            None => tx.first(came, &place, row)?.max(tx.first(left, &place, row)?).map(|(_, id)| id),
        };
        match found {
            Some(id) => at = id,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// How a member of a folder differs from what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub path: Path,
    /// What stands there now; None: it is gone.
    pub entry: Option<Entry>,
}

/// What changed in a folder between `since` and `until`, as it stands now.
#[derive(Clone, Debug, Default)]
pub struct Differences {
    pub changed: Vec<Difference>,
    /// Ask again from here; equals the newest number when `complete`.
    pub until: Seq,
    pub complete: bool,
    /// Something that cannot be told place by place: ask for everything anew.
    pub lost: bool,
}

/// Names whose state may have changed directly in `folder`, oldest change first, up to `limit` names.
pub fn in_folder(tx: &dyn Tx, person: PersonId, folder: i64, since: Seq, limit: usize) -> Result<(Vec<String>, Option<Seq>)> {
    let sql = "SELECT seq, key FROM journal WHERE person = ?1 AND parent = ?2 AND seq > ?3
        UNION ALL SELECT seq, from_key FROM journal WHERE person = ?1 AND from_parent = ?2 AND op = 4 AND seq > ?3 ORDER BY 1";
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    let mut stopped = None;
    let mut last = since;
    tx.query(sql, &[person.0.into(), folder.into(), since.0.into()], &mut |row| {
        let (seq, key) = (Seq(row.int(0)?), row.text(1)?);
        // Stop between two changes only: a token must not split one.
        if names.len() >= limit && seq > last && !seen.contains(key) {
            stopped = Some(last);
            return Ok(ControlFlow::Break(()));
        }
        last = seq;
        if seen.insert(key.to_owned()) {
            names.push(key.to_owned());
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((names, stopped))
}

/// Folders of the tree by id, with their paths, looked up once each.
#[derive(Default)]
pub(crate) struct Paths(BTreeMap<i64, Option<Path>>);

impl Paths {
    pub fn of(&mut self, tx: &dyn Tx, person: PersonId, id: i64) -> Result<Option<Path>> {
        if let Some(known) = self.0.get(&id) {
            return Ok(known.clone());
        }
        let path = entry::path_of(tx, person, id)?;
        self.0.insert(id, path.clone());
        Ok(path)
    }
}
