//! What a person who looks at their files in a browser asks beside what every protocol does: folders in any order, earlier
//! versions, what changed anywhere, files that come in pieces, and many changes at once.

use super::Access;
use super::log::Act;
use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::journal::{self, Difference, Differences, Op, Paths, Seq};
use crate::name::{Name, Path};
use crate::party::Ability;
use crate::store::upload::ContentWriter;
use crate::tree::apply::Head;
use crate::tree::change::{Change, Done};
use crate::tree::condition::Precondition;
use crate::tree::entry::{self, Entry, Order};
use crate::tree::trash::{self, Trashed};
use crate::tree::upload::{self, Upload};

/// Changes of one call that wait for the writer at a time.
const AT_ONCE: usize = 256;

impl Access {
    /// [`Access::list`] in another order, from the one of this rank and key on.
    pub fn list_by(&self, folder: &Path, id: i64, order: (Order, bool), after: Option<(i64, &str)>, limit: usize) -> Result<Vec<Entry>> {
        if !self.allows(Ability::Read, folder)? {
            // Of what is only on the way to somewhere there is never much.
            return self.list(folder, id, after.map_or("", |(_, key)| key), limit);
        }
        self.note(Act::Look, false, id, folder)?;
        self.store().catalog.reading(|tx| entry::members_by(tx, self.person(), id, order, after, limit))
    }

    /// Where an entry is now; None where that is the trash, or not for this party to see.
    pub fn path_of(&self, entry: i64) -> Result<Option<Path>> {
        let path = self.store().catalog.reading(|tx| entry::path_of(tx, self.person(), entry))?;
        match path {
            Some(path) if self.allows(Ability::Read, &path)? => Ok(Some(path)),
            _ => Ok(None),
        }
    }

    /// What was removed. The trash knows no scopes, so only a party that may write everywhere sees it.
    pub fn trash(&self) -> Result<Vec<Trashed>> {
        self.trash_after(None, usize::MAX)
    }

    /// A part of it: what was removed before that time, or at it and has a smaller number.
    pub fn trash_after(&self, before: Option<(Timestamp, i64)>, limit: usize) -> Result<Vec<Trashed>> {
        self.may(Ability::Delete, &Path::root())?;
        self.store().catalog.reading(|tx| trash::list(tx, self.person(), before, limit))
    }

    /// What changed after `since` of what this party may read: at most about `limit` places, as they stand now. Of a folder
    /// that moved or went, itself, and not what is below it.
    pub fn changes(&self, since: Seq, limit: usize) -> Result<Differences> {
        let (rights, now) = (self.rights()?, self.tree.env.now());
        self.store().catalog.reading(|tx| {
            let (mut paths, mut places) = (Paths::default(), Vec::<Path>::new());
            let records = journal::since(tx, self.person(), since, limit)?;
            for record in &records {
                let left = record.from.clone().filter(|_| record.op == Op::Move);
                for (parent, key) in left.into_iter().chain([(record.parent, record.key.clone())]) {
                    let Some(folder) = paths.of(tx, self.person(), parent)? else { continue };
                    let path = folder.join(Name::new(key)?);
                    if rights.allows(Ability::Read, &path, now) && !places.contains(&path) {
                        places.push(path);
                    }
                }
            }
            let found = |path: Path| {
                let entry = entry::find(tx, self.person(), &path)?;
                let path = entry.as_ref().map_or(Ok(path.clone()), |e| Ok(path.parent().unwrap_or_default().join(Name::new(e.name.clone())?)));
                path.map(|path| Difference { path, entry })
            };
            let changed = places.into_iter().map(found).collect::<Result<Vec<_>>>()?;
            let until = records.last().map_or(since, |last| last.seq);
            Ok(Differences { changed, until, complete: until >= Head::load(tx, self.person())?.seq, lost: false })
        })
    }

    /// Commits changes one after the other, many in a transaction; each fails for itself.
    pub async fn commit_all(&self, changes: Vec<Change>) -> Vec<Result<Done>> {
        let mut done = Vec::with_capacity(changes.len());
        let mut left = changes.into_iter().peekable();
        while left.peek().is_some() {
            let waiting: Vec<_> = left.by_ref().take(AT_ONCE).map(|change| self.submit(change, Precondition::default())).collect();
            for answer in waiting {
                done.push(match answer {
                    Ok(answer) => answer.await.unwrap_or(Err(Error::Poisoned)),
                    Err(e) => Err(e),
                });
            }
        }
        done
    }

    /// What has come of a file that this party sends in pieces.
    pub fn upload_under_way(&self, id: i64) -> Result<Option<Upload>> {
        let found = self.store().catalog.reading(|tx| upload::find(tx, self.person(), id))?;
        Ok(found.filter(|upload| upload.party == self.party.id))
    }

    /// Takes the next piece of such a file, for [`Change::Extend`].
    pub fn piece(&self, path: &Path) -> Result<ContentWriter> {
        self.may(Ability::Append, path)?;
        Ok(self.tree.store.piece())
    }
}
