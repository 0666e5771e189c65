//! What changed in a folder since a number, as it stands now: what sync clients ask.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::Access;
use super::log::Act;
use crate::error::Result;
use crate::journal::{self, Difference, Differences, Op, Paths, Record, Seq};
use crate::name::{Name, Path};
use crate::party::{Ability, PersonId};
use crate::store::catalog::Tx;
use crate::tree::apply::Head;
use crate::tree::{entry, trash};

impl Access {
    /// What changed at (with `deep`, anywhere below) a folder after `since`, at most about `limit` places.
    pub fn differences(&self, folder: &Path, since: Seq, deep: bool, limit: usize) -> Result<Differences> {
        self.may(Ability::Read, folder)?;
        self.note(Act::Look, false, 0, folder)?;
        self.store().catalog.reading(|tx| {
            let top = self.found(tx, folder)?;
            let newest = Head::load(tx, self.person())?.seq;
            if !deep {
                let (names, stopped) = journal::in_folder(tx, self.person(), top.id, since, limit)?;
                let changed = names
                    .into_iter()
                    .map(|key| {
                        let entry = entry::child(tx, self.person(), top.id, &key)?;
                        let name = entry.as_ref().map_or(key, |e| e.name.clone());
                        Ok(Difference { path: folder.join(Name::new(name)?), entry })
                    })
                    .collect::<Result<_>>()?;
                return Ok(Differences { changed, until: stopped.unwrap_or(newest), complete: stopped.is_none(), lost: false });
            }
            self.deep_differences(tx, folder, since, newest, limit)
        })
    }

    fn deep_differences(&self, tx: &dyn Tx, folder: &Path, since: Seq, newest: Seq, limit: usize) -> Result<Differences> {
        let person = self.person();
        let mut paths = Paths::default();
        let mut places: Vec<Path> = Vec::new();
        let mut until = since;
        let mut replaced = Replaced::default();
        while until < newest && places.len() < limit {
            for record in journal::since(tx, person, until, 500)? {
                until = record.seq;
                if since > Seq(0) {
                    replaced.look(tx, person, &record)?;
                }
                let arrived = matches!(record.op, Op::Move | Op::Copy | Op::Restore);
                let from = record.from.filter(|_| record.op == Op::Move);
                for (parent, key) in from.into_iter().chain([(record.parent, record.key)]) {
                    let Some(path) = paths.of(tx, person, parent)? else { continue };
                    let path = path.join(Name::new(key)?);
                    if path.is_within(folder) && path != *folder {
                        places.push(path);
                    }
                }
                if arrived && let Some(path) = entry::path_of(tx, person, record.entry)? {
                    self.below(tx, folder, record.entry, path, &mut places)?;
                }
                if places.len() >= limit {
                    break;
                }
            }
        }
        let mut seen = std::collections::HashSet::new();
        places.retain(|p| seen.insert(p.clone()));
        let changed = places.into_iter().map(|path| Ok(Difference { entry: entry::find(tx, person, &path)?, path })).collect::<Result<Vec<_>>>()?;
        Ok(Differences { changed, until, complete: until >= newest, lost: replaced.lost })
    }

    /// Everything below an entry that arrived as a whole, as far as it lies in `folder`.
    fn below(&self, tx: &dyn Tx, folder: &Path, id: i64, path: Path, places: &mut Vec<Path>) -> Result<()> {
        let mut at = HashMap::from([(id, path)]);
        let _ = entry::walk(tx, self.person(), id, &mut |e| {
            if let Some(parent) = at.get(&e.parent) {
                let path = parent.join(Name::new(e.name.clone())?);
                if path.is_within(folder) {
                    places.push(path.clone());
                }
                if e.is_folder() {
                    at.insert(e.id, path);
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(())
    }
}

/// Finds folders whose place another one has taken: what lay in them is gone, and nothing names it any more.
#[derive(Default)]
struct Replaced {
    lost: bool,
    transfers: bool,
    purges: bool,
}

impl Replaced {
    fn look(&mut self, tx: &dyn Tx, person: PersonId, record: &Record) -> Result<()> {
        self.transfers |= matches!(record.op, Op::Move | Op::Copy);
        self.purges |= record.op == Op::Purge;
        let left = match record.op {
            Op::Remove => Some((record.parent, &record.key)),
            Op::Move => record.from.as_ref().map(|(parent, key)| (*parent, key)),
            _ => None,
        };
        if let Some((parent, key)) = left
            && entry::child(tx, person, parent, key)?.is_some_and(|now| now.id != record.entry)
        {
            // What was purged since may have been a folder.
            self.lost |= entry::by_id(tx, person, record.entry)?.is_none_or(|was| was.is_folder());
        }
        if matches!(record.op, Op::Move | Op::Copy) {
            self.lost |= trash::took_folder(tx, person, record.seq, record.entry)?;
        }
        self.lost |= self.purges && self.transfers;
        Ok(())
    }
}
