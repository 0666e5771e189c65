//! Removal goes to the trash: one row moves, whatever hangs below it. Purging takes it apart for good.

use super::apply::Applier;
use super::change::{Done, Outcome};
use super::entry::{self, Entry, Kind, TRASH};
use super::lock::Touch;
use super::version;
use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::journal::{Op, Seq};
use crate::mutant::mutant;
use crate::name::{Name, Path};
use crate::party::PersonId;
use crate::store::catalog::{Row, Tx};

/// Entries that one transaction takes apart, so that a large folder does not hold up other writers.
pub(crate) const ERASED_AT_ONCE: usize = 2_000;

/// Something removed that may come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trashed {
    pub entry: i64,
    /// The path it was removed from.
    pub place: String,
    pub at: Timestamp,
    /// Who removed it.
    pub party: String,
    pub kind: Kind,
    /// Of a file, in bytes.
    pub size: u64,
    pub media_type: Option<String>,
}

/// Newest first; with `before`, only what comes after that time and entry.
pub fn list(tx: &dyn Tx, person: PersonId, before: Option<(Timestamp, i64)>, limit: usize) -> Result<Vec<Trashed>> {
    let sql = "SELECT t.entry, t.place, t.at, t.party, e.kind, e.size, e.type FROM trash t JOIN entry e ON e.person = t.person AND e.id = t.entry
        WHERE t.person = ?1 AND (t.at < ?2 OR (t.at = ?2 AND t.entry < ?3)) ORDER BY t.at DESC, t.entry DESC LIMIT ?4";
    let (at, entry) = before.map_or((i64::MAX, i64::MAX), |(at, entry)| (at.0, entry));
    tx.all(sql, &[person.0.into(), at.into(), entry.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()], |row| {
        Ok(Trashed {
            entry: row.int(0)?,
            place: row.text(1)?.to_owned(),
            at: Timestamp(row.int(2)?),
            party: row.text(3)?.to_owned(),
            kind: if row.int(4)? == 0 { Kind::Folder } else { Kind::File },
            size: row.int(5)? as u64,
            media_type: row.opt_text(6)?.map(str::to_owned),
        })
    })
}

impl Applier<'_> {
    pub(super) fn remove(&mut self, path: Path) -> Result<Done> {
        if path.is_root() {
            return Err(Error::Forbidden("the root of a tree stays; remove what it holds"));
        }
        let chain = self.chain_to(&path)?;
        // What would fail without conditions fails the same with them (RFC 9110 §13.2.1).
        let entry = chain.target().cloned().ok_or_else(|| Error::NotFound(path.clone()))?;
        self.precondition.check(self.tx, self.person, self.now, &path, Some(&entry))?;
        self.check_locks(&path, &chain.entries, Touch::Subtree)?;
        self.check_locks(&path, chain.above(), Touch::Members)?;
        let seq = self.journal(Op::Remove, entry.id, entry.parent, &entry.key, None)?;
        self.discard(&entry, &path, seq)?;
        if !mutant("removed-without-token") {
            self.touch(chain.above(), seq);
        }
        Ok(Done { seq, outcome: Outcome::Replaced, entry: None, lock: None, before: Some(entry) })
    }

    pub(super) fn discard(&mut self, entry: &Entry, path: &Path, seq: Seq) -> Result<()> {
        self.drop_locks(entry.id)?;
        let sql = "INSERT INTO trash (person, entry, parent, name, place, at, party) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let place = path.to_string();
        let values = [
            self.person.0.into(),
            entry.id.into(),
            entry.parent.into(),
            entry.name.as_str().into(),
            place.as_str().into(),
            self.let_go().0.into(),
            self.party.label.as_str().into(),
        ];
        self.tx.execute(sql, &values)?;
        self.relocate(entry, TRASH, &format!("{:x}", entry.id), seq)
    }

    /// Moves one row to another folder under a key that is also its name.
    fn relocate(&self, entry: &Entry, parent: i64, name: &str, seq: Seq) -> Result<()> {
        self.delete_row(entry)?;
        self.upsert(&Entry { parent, name: name.to_owned(), key: name.to_owned(), seq, ..entry.clone() })
    }

    /// An entry in the trash, the folder it was in and its name there, and its path then.
    fn trashed(&self, id: i64) -> Result<(Entry, i64, String, String)> {
        let gone = || Error::Invalid(format!("entry {id} is not in the trash"));
        let sql = "SELECT parent, name, place FROM trash WHERE person = ?1 AND entry = ?2";
        let row = |r: &dyn Row| Ok((r.int(0)?, r.text(1)?.to_owned(), r.text(2)?.to_owned()));
        let (parent, name, place) = self.tx.first(sql, &[self.person.0.into(), id.into()], row)?.ok_or_else(gone)?;
        let entry = entry::by_id(self.tx, self.person, id)?.filter(|e| e.parent == TRASH).ok_or_else(gone)?;
        Ok((entry, parent, name, place))
    }

    /// Where it was, and the folder may have another name now; or with `to`, there. A folder that is gone is made anew.
    pub(super) fn restore(&mut self, id: i64, to: Option<Path>) -> Result<Done> {
        let (entry, parent, name, place) = self.trashed(id)?;
        let anew = to.is_none();
        let to = match (to, entry::path_of(self.tx, self.person, parent)?) {
            (Some(path), _) => path,
            (None, Some(folder)) => folder.join(Name::new(name)?),
            (None, None) => Path::parse(&place)?,
        };
        let mut chain = self.chain_to(&to)?;
        if chain.target().is_some() || to.is_root() {
            return Err(Error::Exists(to));
        }
        if anew {
            chain = self.make_way(&to, chain)?;
        }
        let folder = chain.parent(&to)?.clone();
        self.check_locks(&to, &chain.entries, Touch::Members)?;
        let name = to.name().ok_or_else(|| Error::Exists(to.clone()))?;
        let seq = self.journal(Op::Restore, id, folder.id, name.key(), None)?;
        self.tx.execute("DELETE FROM trash WHERE person = ?1 AND entry = ?2", &[self.person.0.into(), id.into()])?;
        self.delete_row(&entry)?;
        let entry = Entry { parent: folder.id, name: name.as_str().into(), key: name.key().into(), seq, ..entry };
        self.upsert(&entry)?;
        self.touch(chain.above(), seq);
        Ok(Done { seq, outcome: Outcome::Created, entry: Some(entry), lock: None, before: None })
    }

    pub(super) fn purge(&mut self, id: i64) -> Result<Done> {
        let (entry, ..) = self.trashed(id)?;
        let seq = self.journal(Op::Purge, id, TRASH, &entry.key, None)?;
        self.tx.execute("DELETE FROM trash WHERE person = ?1 AND entry = ?2", &[self.person.0.into(), id.into()])?;
        self.erase_below(entry, ERASED_AT_ONCE)?;
        Ok(Done { seq, outcome: Outcome::Replaced, entry: None, lock: None, before: None })
    }

    /// Erases something that has left the trash, members first, at most `limit` entries; what is left is condemned:
    /// below the trash, but not in its list, for upkeep to go on with. Answers whether nothing is left.
    pub(crate) fn erase_below(&mut self, top: Entry, mut limit: usize) -> Result<bool> {
        let mut open = vec![top];
        while let Some(folder) = open.last() {
            let page = if folder.is_folder() { entry::members(self.tx, self.person, folder.id, "", limit.clamp(1, 1_000))? } else { vec![] };
            let inner = page.iter().position(Entry::is_folder);
            for file in &page[..inner.unwrap_or(page.len())] {
                if limit == 0 {
                    return Ok(false);
                }
                self.erase(file)?;
                limit -= 1;
            }
            if let Some(inner) = inner {
                open.push(page[inner].clone());
            } else if page.is_empty() {
                if limit == 0 {
                    return Ok(false);
                }
                self.erase(&open.pop().expect("the folder just emptied"))?;
                limit -= 1;
            }
        }
        Ok(true)
    }

    /// Takes one entry out of the catalog with its versions and properties; its content is gc's to find.
    fn erase(&mut self, entry: &Entry) -> Result<()> {
        let versions = version::list(self.tx, self.person, entry.id)?;
        self.refund(entry.size + versions.iter().map(|v| v.size).sum::<u64>());
        if !versions.is_empty() {
            self.tx.execute("DELETE FROM version WHERE person = ?1 AND entry = ?2", &[self.person.0.into(), entry.id.into()])?;
        }
        if entry.props > 0 {
            self.drop_props(entry.id)?;
        }
        self.delete_row(entry)
    }
}

/// What is to be erased and has not been yet.
pub(crate) fn condemned(tx: &dyn Tx, person: PersonId) -> Result<Option<Entry>> {
    let sql = "SELECT id FROM entry e WHERE person = ?1 AND parent = ?2
        AND NOT EXISTS (SELECT 1 FROM trash t WHERE t.person = ?1 AND t.entry = e.id) LIMIT 1";
    match tx.first(sql, &[person.0.into(), TRASH.into()], |row| row.int(0))? {
        Some(id) => entry::by_id(tx, person, id),
        None => Ok(None),
    }
}

/// Whether the change `seq` put a folder other than `entry` into the trash, to take its place.
pub fn took_folder(tx: &dyn Tx, person: PersonId, seq: Seq, entry: i64) -> Result<bool> {
    let sql = "SELECT 1 FROM entry WHERE person = ?1 AND parent = ?2 AND kind = 0 AND seq = ?3 AND id <> ?4 LIMIT 1";
    Ok(tx.first(sql, &[person.0.into(), TRASH.into(), seq.0.into(), entry.into()], |_| Ok(()))?.is_some())
}
