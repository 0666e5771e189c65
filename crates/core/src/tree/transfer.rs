//! MOVE and COPY. A folder moves in one row; a copy shares its source's content. A file that replaces a file keeps the
//! target's id and history, so that an editor's "write beside, then rename" stays one file with versions.

use super::apply::{Applier, Chain};
use super::change::{Depth, Done, Outcome, Overwrite};
use super::entry::{self, Entry, Kind};
use super::lock::Touch;
use crate::error::{Error, Result};
use crate::journal::{Op, Seq};
use crate::mutant::mutant;
use crate::name::{MAX_DEPTH, Name, Path};

/// Source and target of a transfer, checked.
struct Route {
    source: Chain,
    target: Chain,
    from: Entry,
    name: Name,
    folder: Entry,
}

impl Applier<'_> {
    fn route(&self, from: &Path, to: &Path, overwrite: Overwrite, remove_source: bool) -> Result<Route> {
        let source = self.chain_to(from)?;
        let target = self.chain_to(to)?;
        self.precondition.check(self.tx, self.person, self.now, from, source.target())?;
        let entry = source.target().cloned().ok_or_else(|| Error::NotFound(from.clone()))?;
        if to.is_within(from) || from.is_within(to) {
            return Err(Error::Forbidden("source and destination must not contain each other"));
        }
        let folder = target.parent(to)?.clone();
        self.only_add(to, target.target())?;
        if target.target().is_some() && overwrite == Overwrite::No {
            return Err(Error::ConditionFailed(to.clone()));
        }
        if remove_source {
            self.check_locks(from, &source.entries, Touch::Subtree)?;
            self.check_locks(from, source.above(), Touch::Members)?;
        }
        if !mutant("destination-lock-ignored") {
            self.check_locks(to, &target.entries, if target.target().is_some() { Touch::Subtree } else { Touch::Members })?;
        }
        let name = to.name().cloned().ok_or(Error::Forbidden("the root is not to be replaced"))?;
        // What lies deeper than a path can say could not be asked for. What does not get deeper needs no look.
        let levels = MAX_DEPTH.saturating_sub(to.names().len());
        if entry.is_folder() && to.names().len() > from.names().len() && !entry::is_flatter(self.tx, self.person, entry.id, levels)? {
            return Err(Error::Forbidden("something in that folder would lie more than 128 names deep; move its parts one by one"));
        }
        Ok(Route { source, target, from: entry, name, folder })
    }

    /// What stands at the destination makes room: a file keeps its place for a file, all else goes to the trash.
    fn make_room(&mut self, route: &Route, to: &Path, seq: Seq) -> Result<Option<Entry>> {
        match route.target.target().cloned() {
            Some(old) if old.kind == Kind::File && route.from.kind == Kind::File => {
                self.drop_locks(old.id)?;
                self.keep_version(&old)?;
                self.unlist(&old)?;
                Ok(Some(old))
            }
            Some(old) => {
                self.discard(&old, to, seq)?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    pub(super) fn move_to(&mut self, from: Path, to: Path, overwrite: Overwrite) -> Result<Done> {
        let route = self.route(&from, &to, overwrite, true)?;
        let source = route.from.clone();
        let id = match route.target.target() {
            Some(old) if old.kind == Kind::File && source.kind == Kind::File => old.id,
            _ => source.id,
        };
        let left = Some((source.parent, source.key.as_str())).filter(|_| !mutant("move-from-nowhere"));
        let seq = self.journal(Op::Move, id, route.folder.id, route.name.key(), left)?;
        self.drop_locks(source.id)?;
        let replaced = route.target.target().is_some();
        let mut entry = Entry { parent: route.folder.id, name: route.name.as_str().into(), key: route.name.key().into(), seq, ..source.clone() };
        self.delete_row(&source)?;
        if let Some(old) = self.make_room(&route, &to, seq)? {
            self.move_versions(source.id, old.id)?;
            self.move_props(source.id, old.id)?;
            entry = Entry { id: old.id, version: seq, created: old.created, props: self.count_props(old.id)?, ..entry };
        }
        self.upsert(&entry)?;
        self.touch(route.source.above(), seq);
        self.touch(route.target.above(), seq);
        let outcome = if replaced { Outcome::Replaced } else { Outcome::Created };
        Ok(Done { seq, outcome, entry: Some(entry), lock: None, before: None })
    }

    pub(super) fn copy_to(&mut self, from: Path, to: Path, overwrite: Overwrite, depth: Depth) -> Result<Done> {
        let route = self.route(&from, &to, overwrite, false)?;
        let replaced = route.target.target().is_some();
        let id = match route.target.target() {
            Some(old) if old.kind == Kind::File && route.from.kind == Kind::File => old.id,
            _ => self.next_id(),
        };
        let seq = self.journal(Op::Copy, id, route.folder.id, route.name.key(), Some((route.from.parent, &route.from.key)))?;
        let old = self.make_room(&route, &to, seq)?;
        let mut entry = self.copied(&route.from, id, route.folder.id, seq);
        entry.name = route.name.as_str().into();
        entry.key = route.name.key().into();
        self.charge(entry.size)?;
        if route.from.props > 0 {
            self.copy_props(route.from.id, id)?;
        }
        if let Some(old) = old {
            entry.created = old.created;
            entry.props = self.count_props(id)?;
        }
        self.upsert(&entry)?;
        if route.from.is_folder() && depth == Depth::Infinity {
            self.copy_below(route.from.id, id, seq)?;
        }
        self.touch(route.target.above(), seq);
        let outcome = if replaced { Outcome::Replaced } else { Outcome::Created };
        Ok(Done { seq, outcome, entry: Some(entry), lock: None, before: None })
    }

    fn copied(&self, from: &Entry, id: i64, parent: i64, seq: Seq) -> Entry {
        Entry { id, parent, seq, version: seq, created: self.now, ..from.clone() }
    }

    fn copy_below(&mut self, from: i64, to: i64, seq: Seq) -> Result<()> {
        let mut folders = vec![(from, to)];
        while let Some((from, to)) = folders.pop() {
            let mut after = String::new();
            loop {
                let page = entry::members(self.tx, self.person, from, &after, 1_000)?;
                let Some(last) = page.last() else { break };
                after = last.key.clone();
                for member in &page {
                    let id = self.next_id();
                    self.charge(member.size)?;
                    self.upsert(&self.copied(member, id, to, seq))?;
                    if member.props > 0 {
                        self.copy_props(member.id, id)?;
                    }
                    if member.is_folder() {
                        folders.push((member.id, id));
                    }
                }
            }
        }
        Ok(())
    }
}
