//! Entries: one row each, with a parent and not a path, so that a folder moves in one row.

use std::ops::ControlFlow;

use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::journal::Seq;
use crate::mutant::mutant;
use crate::name::{Name, Path};
use crate::party::PersonId;
use crate::store::catalog::{Row, Tx};

pub const ROOT: i64 = 1;
pub const TRASH: i64 = 2;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Folder,
    File,
}

/// What is kept at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Stable through renames and moves; never used again.
    pub id: i64,
    pub parent: i64,
    /// The name as it was sent; empty for the root.
    pub name: String,
    pub key: String,
    pub kind: Kind,
    /// The newest change to it; for a folder, to it or anything below it.
    pub seq: Seq,
    /// The change that gave it its content.
    pub version: Seq,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub size: u64,
    pub content: i64,
    pub tag: i64,
    pub media_type: Option<String>,
    /// How many dead properties it has.
    pub props: i64,
}

impl Entry {
    /// A strong entity tag (RFC 9110 §8.8.3), unquoted. A file's changes with its content only; a folder's with any
    /// change at or below it.
    pub fn etag(&self) -> String {
        match self.kind {
            Kind::File if mutant("etag-of-length") => format!("{:x}-{:016x}", self.id, self.size),
            Kind::File => format!("{:x}-{:016x}", self.content, self.tag as u64),
            Kind::Folder => format!("{:x}.{:x}", self.id, self.seq.0),
        }
    }

    pub fn is_folder(&self) -> bool {
        self.kind == Kind::Folder
    }
}

/// Entry columns, in one order everywhere; a macro because SQL is `&'static str`.
macro_rules! select_entry {
    ($rest:literal) => {
        concat!("SELECT id, parent, key, name, kind, seq, version, created, modified, size, content, tag, type, props FROM entry WHERE ", $rest)
    };
}

pub(crate) fn from_row(row: &dyn Row) -> Result<Entry> {
    let key = row.text(2)?.to_owned();
    Ok(Entry {
        id: row.int(0)?,
        parent: row.int(1)?,
        name: row.opt_text(3)?.map_or_else(|| key.clone(), str::to_owned),
        key,
        kind: if row.int(4)? == 0 { Kind::Folder } else { Kind::File },
        seq: Seq(row.int(5)?),
        version: Seq(row.int(6)?),
        created: Timestamp(row.int(7)?),
        modified: Timestamp(row.int(8)?),
        size: row.int(9)? as u64,
        content: row.int(10)?,
        tag: row.int(11)?,
        media_type: row.opt_text(12)?.map(str::to_owned),
        props: row.int(13)?,
    })
}

pub fn child(tx: &dyn Tx, person: PersonId, parent: i64, key: &str) -> Result<Option<Entry>> {
    tx.first(select_entry!("person = ?1 AND parent = ?2 AND key = ?3"), &[person.0.into(), parent.into(), key.into()], from_row)
}

pub fn by_id(tx: &dyn Tx, person: PersonId, id: i64) -> Result<Option<Entry>> {
    tx.first(select_entry!("person = ?1 AND id = ?2"), &[person.0.into(), id.into()], from_row)
}

/// The entries from the root to `path`, both included; shorter where something is missing.
pub fn chain(tx: &dyn Tx, person: PersonId, path: &Path) -> Result<Vec<Entry>> {
    let root = child(tx, person, 0, "")?.ok_or_else(|| Error::Corrupt("the tree has no root".into()))?;
    let mut chain = Vec::with_capacity(path.names().len() + 1);
    chain.push(root);
    for name in path.names() {
        let at = chain.last().expect("the root at least");
        if !at.is_folder() {
            break;
        }
        match child(tx, person, at.id, name.key())? {
            Some(entry) => chain.push(entry),
            None => break,
        }
    }
    Ok(chain)
}

/// What stands at `path`, looked up name by name; only the last row is read whole.
pub fn find(tx: &dyn Tx, person: PersonId, path: &Path) -> Result<Option<Entry>> {
    let Some((last, above)) = path.names().split_last() else { return child(tx, person, 0, "") };
    let mut folder = ROOT;
    for name in above {
        let sql = "SELECT id FROM entry WHERE person = ?1 AND parent = ?2 AND key = ?3 AND kind = 0";
        match tx.first(sql, &[person.0.into(), folder.into(), name.key().into()], |row| row.int(0))? {
            Some(id) => folder = id,
            None => return Ok(None),
        }
    }
    child(tx, person, folder, last.key())
}

/// Up to `limit` members of a folder after `after` (a key), in the order of their keys.
pub fn members(tx: &dyn Tx, person: PersonId, folder: i64, after: &str, limit: usize) -> Result<Vec<Entry>> {
    let sql = select_entry!("person = ?1 AND parent = ?2 AND key > ?3 ORDER BY key LIMIT ?4");
    tx.all(sql, &[person.0.into(), folder.into(), after.into(), (limit as i64).into()], from_row)
}

/// Calls `each` for every member of a folder, in the order of their keys, until it breaks.
pub fn each_member(tx: &dyn Tx, person: PersonId, folder: i64, each: &mut dyn FnMut(Entry) -> Result<ControlFlow<()>>) -> Result<()> {
    tx.query(select_entry!("person = ?1 AND parent = ?2 ORDER BY key"), &[person.0.into(), folder.into()], &mut |row| each(from_row(row)?))
}

/// Whether a file lies anywhere below `folder`. After `most` steps it is taken for granted.
pub fn holds_file(tx: &dyn Tx, person: PersonId, folder: i64, most: usize) -> Result<bool> {
    let mut open = vec![(folder, String::new())];
    for _ in 0..most {
        let Some((at, after)) = open.last_mut() else { return Ok(false) };
        match members(tx, person, *at, after, 1)?.pop() {
            None => drop(open.pop()),
            Some(file) if !file.is_folder() => return Ok(true),
            Some(below) => {
                *after = below.key;
                open.push((below.id, String::new()));
            }
        }
    }
    Ok(true)
}

/// By what members of a folder are put in order; what is alike goes by key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    Name,
    Modified,
    Size,
}

impl Order {
    /// What an entry counts for in it.
    pub fn rank(self, entry: &Entry) -> i64 {
        match self {
            Order::Name => 0,
            Order::Modified => entry.modified.0,
            Order::Size => entry.size as i64,
        }
    }
}

/// [`members`] in another order, after one of this rank and key.
pub fn members_by(tx: &dyn Tx, person: PersonId, folder: i64, (order, falling): (Order, bool), after: Option<(i64, &str)>, limit: usize) -> Result<Vec<Entry>> {
    let (rank, key) = after.unwrap_or((if falling { i64::MAX } else { i64::MIN }, ""));
    let ranked = match (order, falling) {
        (Order::Name, false) => return members(tx, person, folder, key, limit),
        (Order::Name, true) => {
            let sql = select_entry!("person = ?1 AND parent = ?2 AND (?3 = '' OR key < ?3) ORDER BY key DESC LIMIT ?4");
            return tx.all(sql, &[person.0.into(), folder.into(), key.into(), (limit as i64).into()], from_row);
        }
        (Order::Modified, false) => {
            select_entry!("person = ?1 AND parent = ?2 AND (modified > ?3 OR (modified = ?3 AND key > ?4)) ORDER BY modified, key LIMIT ?5")
        }
        (Order::Modified, true) => {
            select_entry!("person = ?1 AND parent = ?2 AND (modified < ?3 OR (modified = ?3 AND key > ?4)) ORDER BY modified DESC, key LIMIT ?5")
        }
        (Order::Size, false) => select_entry!("person = ?1 AND parent = ?2 AND (size > ?3 OR (size = ?3 AND key > ?4)) ORDER BY size, key LIMIT ?5"),
        (Order::Size, true) => select_entry!("person = ?1 AND parent = ?2 AND (size < ?3 OR (size = ?3 AND key > ?4)) ORDER BY size DESC, key LIMIT ?5"),
    };
    tx.all(ranked, &[person.0.into(), folder.into(), rank.into(), key.into(), (limit as i64).into()], from_row)
}

/// Calls `each` for everything below `folder`, parents first. Holds one folder's members at a time.
pub fn walk(tx: &dyn Tx, person: PersonId, folder: i64, each: &mut dyn FnMut(&Entry) -> Result<ControlFlow<()>>) -> Result<ControlFlow<()>> {
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        let mut after = String::new();
        loop {
            let page = members(tx, person, folder, &after, 1_000)?;
            let Some(last) = page.last() else { break };
            after = last.key.clone();
            for entry in &page {
                if each(entry)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                if entry.is_folder() {
                    folders.push(entry.id);
                }
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Calls `each` for every entry of the tree and the trash, in no order that means anything.
pub fn every(tx: &dyn Tx, person: PersonId, each: &mut dyn FnMut(&Entry) -> Result<ControlFlow<()>>) -> Result<()> {
    tx.query(select_entry!("person = ?1"), &[person.0.into()], &mut |row| each(&from_row(row)?))
}

/// Whether no entry lies more than `levels` below `folder`.
pub fn is_flatter(tx: &dyn Tx, person: PersonId, folder: i64, levels: usize) -> Result<bool> {
    let mut folders = vec![(folder, levels)];
    while let Some((folder, levels)) = folders.pop() {
        let Some(below) = levels.checked_sub(1) else {
            let sql = "SELECT 1 FROM entry WHERE person = ?1 AND parent = ?2 LIMIT 1";
            if tx.first(sql, &[person.0.into(), folder.into()], |_| Ok(()))?.is_some() {
                return Ok(false);
            }
            continue;
        };
        let sql = "SELECT id FROM entry WHERE person = ?1 AND parent = ?2 AND kind = 0";
        folders.extend(tx.all(sql, &[person.0.into(), folder.into()], |row| row.int(0))?.into_iter().map(|id| (id, below)));
    }
    Ok(true)
}

/// The ids from `id` up to the root of what holds it (the tree or the trash), `id` first.
pub fn ancestors(tx: &dyn Tx, person: PersonId, id: i64) -> Result<Vec<i64>> {
    let mut ids = vec![id];
    let mut at = id;
    while at != ROOT && at != TRASH {
        let sql = "SELECT parent FROM entry WHERE person = ?1 AND id = ?2";
        at = tx.first(sql, &[person.0.into(), at.into()], |row| row.int(0))?.ok_or_else(|| Error::Corrupt(format!("entry {at} has no parent")))?;
        ids.push(at);
        if ids.len() > 10_000 {
            return Err(Error::Corrupt(format!("entry {id} lies below itself")));
        }
    }
    Ok(ids)
}

/// The path of an entry that lies in the tree; None for one in the trash.
pub fn path_of(tx: &dyn Tx, person: PersonId, id: i64) -> Result<Option<Path>> {
    let mut names = Vec::new();
    let mut at = id;
    while at != ROOT {
        let Some(entry) = by_id(tx, person, at)? else { return Ok(None) };
        if entry.parent == TRASH || entry.id == TRASH {
            return Ok(None);
        }
        names.push(Name::new(entry.name)?);
        at = entry.parent;
    }
    names.reverse();
    Path::from_names(names).map(Some)
}
