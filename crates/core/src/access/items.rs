//! Calendar objects and vCards of a folder, by when they take place: which ones, and then each with its bytes.

use std::ops::ControlFlow;

use holm_pim::facts::CLASSES;
use holm_pim::instances::Range;
use holm_pim::{Kind, Shape};

use super::{Access, Act};
use crate::error::Result;
use crate::name::Path;
use crate::party::Ability;
use crate::store::catalog::Row;
use crate::store::content::Stored;
use crate::tree::entry::{self, Entry};
use crate::tree::item;

/// Clocks without a zone are at most this far from UTC.
const ADRIFT: i64 = holm_pim::time::DAY;

/// A calendar object or vCard, as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    pub entry: i64,
    /// None: it has not been read.
    pub kind: Option<Kind>,
    /// Nothing of it is before, in seconds since 1970; nor after.
    pub first: i64,
    pub last: i64,
    pub shape: Shape,
}

fn from_row(row: &dyn Row) -> Result<Item> {
    Ok(Item { entry: row.int(0)?, kind: Kind::from_number(row.int(1)?), first: row.int(2)?, last: row.int(3)?, shape: Shape::from_number(row.int(4)?) })
}

impl Access {
    /// What of a folder may take place in a range, or all of it; at most `limit` of it. Some of it may not: [`Item::shape`] says
    /// what is still to be asked.
    pub fn items(&self, folder: &Path, id: i64, range: Option<Range>, limit: usize) -> Result<Vec<Item>> {
        self.may(Ability::Read, folder)?;
        self.note(Act::Look, false, id, folder)?;
        let person = self.person().0;
        self.store().catalog.reading(|tx| {
            let Some(range) = range else {
                let sql = "SELECT entry, kind, first, last, shape FROM item WHERE person = ?1 AND folder = ?2 LIMIT ?3";
                return tx.all(sql, &[person.into(), id.into(), (limit as i64).into()], from_row);
            };
            let mut found = Vec::new();
            for (class, lasts) in CLASSES.iter().enumerate() {
                // Nothing of a class that begins earlier than that lasts until the range.
                let from = range.from.saturating_sub(*lasts).saturating_sub(ADRIFT);
                let sql = "SELECT entry, kind, first, last, shape FROM item
                    WHERE person = ?1 AND folder = ?2 AND class = ?3 AND first >= ?4 AND first <= ?5 AND last >= ?6";
                let params = [
                    person.into(),
                    id.into(),
                    (class as i64).into(),
                    from.into(),
                    range.to.saturating_add(ADRIFT).into(),
                    range.from.saturating_sub(ADRIFT).into(),
                ];
                tx.query(sql, &params, &mut |row| {
                    found.push(from_row(row)?);
                    Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
                })?;
            }
            found.truncate(limit);
            Ok(found)
        })
    }

    /// Calls `each` with the entries of a folder that have these ids, and their bytes where they are asked for and lie in the
    /// catalog. What is gone meanwhile is left out.
    pub fn entries(&self, folder: &Path, id: i64, ids: &[i64], bytes: bool, each: &mut dyn FnMut(Entry, Option<Vec<u8>>) -> Result<()>) -> Result<()> {
        self.may(Ability::Read, folder)?;
        if bytes {
            self.note(Act::Read, false, id, folder)?;
        }
        self.store().catalog.reading(|tx| {
            for wanted in ids {
                let Some(entry) = entry::by_id(tx, self.person(), *wanted)?.filter(|e| e.parent == id) else { continue };
                let bytes = match bytes.then(|| self.store().open(tx, entry.content)).transpose()? {
                    Some(Stored::Inline(bytes)) => Some(bytes),
                    _ => None,
                };
                each(entry, bytes)?;
            }
            Ok(())
        })
    }

    /// The object of a folder that has this UID.
    pub fn with_uid(&self, folder: &Path, id: i64, uid: &str) -> Result<Option<Entry>> {
        self.may(Ability::Read, folder)?;
        let hash = item::uid_hash(self.store(), uid);
        self.store().catalog.reading(|tx| {
            let sql = "SELECT entry FROM item WHERE person = ?1 AND folder = ?2 AND uid = ?3 LIMIT 1";
            match tx.first(sql, &[self.person().0.into(), id.into(), hash[..].into()], |row| row.int(0))? {
                Some(found) => entry::by_id(tx, self.person(), found),
                None => Ok(None),
            }
        })
    }
}
