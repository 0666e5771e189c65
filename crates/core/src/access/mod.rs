//! The only way to a tree. `Gate::admit` turns a proven party into an `Access`, and every read and write asks the
//! party's grant before it touches the tree, which is private to this crate.

mod differences;
mod tree;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::env::{Env, Timestamp};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::journal::{self, Record, Seq};
use crate::name::Path;
use crate::party::{Ability, Party, PersonId};
use crate::store::content::{Content, NewContent, Store};
use crate::store::upload::ContentWriter;
use crate::tree::apply::Head;
use crate::tree::change::{Change, Done, Request};
use crate::tree::condition::Precondition;
use crate::tree::entry::{self, Entry};
use crate::tree::lock::{self, Lock};
use crate::tree::trash::{self, Trashed};
use crate::tree::version::{self, Version};
use crate::upkeep::check::Report;
use crate::upkeep::{self, Rules, Upkeep};
use tree::Tree;

/// Keeps the open trees and lets proven parties in.
pub struct Gate {
    host: Arc<Host>,
    env: Env,
    trees: Mutex<HashMap<PersonId, Arc<Tree>>>,
    failed: watch::Sender<bool>,
}

impl Gate {
    pub fn new(host: Arc<Host>, env: Env) -> Gate {
        Gate { host, env, trees: Mutex::default(), failed: watch::Sender::new(false) }
    }

    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }

    pub fn env(&self) -> &Env {
        &self.env
    }

    /// Turns true when storage failed in a way that forbids further writes: the process should end.
    pub fn failed(&self) -> watch::Receiver<bool> {
        self.failed.subscribe()
    }

    pub fn admit(&self, party: Arc<Party>) -> Result<Access> {
        let mut trees = self.trees.lock().expect("open trees");
        let tree = match trees.get(&party.person) {
            Some(tree) => tree.clone(),
            None => {
                let store = self.host.open_store(party.person)?;
                let tree = Arc::new(Tree::start(store, self.env.clone(), self.failed.clone()));
                trees.insert(party.person, tree.clone());
                tree
            }
        };
        let since = self.env.now();
        tree.used(since);
        Ok(Access { tree, host: self.host.clone(), since, party })
    }

    /// Closes trees that nobody holds and that were last asked for before `since`.
    /// Blocking: each of them brings its catalog to rest, and nobody is kept waiting at the gate meanwhile.
    pub fn close_idle(&self, since: Timestamp) {
        let idle = |tree: &Arc<Tree>| Arc::strong_count(tree) == 1 && tree.last_used() <= since;
        let closing: Vec<_> = self.trees.lock().expect("open trees").extract_if(|_, tree| idle(tree)).collect();
        drop(closing);
    }

    /// The end of serving: leaves catalogs that do not depend on their logs, in which a flipped bit would undo commits
    /// without a word (D07).
    pub fn settle(&self) -> Result<()> {
        let trees: Vec<_> = self.trees.lock().expect("open trees").values().cloned().collect();
        trees.iter().try_for_each(|tree| tree.store.catalog.settle())?;
        self.host.settle()
    }

    /// A person's store: the open one where there is one, else opened for this only.
    fn store(&self, person: PersonId) -> Result<Arc<Store>> {
        let open = self.trees.lock().expect("open trees").get(&person).map(|tree| tree.store.clone());
        open.map_or_else(|| self.host.open_store(person), Ok)
    }

    /// One round of upkeep for a person; blocking, and long where there is much to do.
    pub fn keep_up(&self, person: PersonId, rules: &Rules) -> Result<Upkeep> {
        upkeep::run(&*self.store(person)?, &self.env, rules)
    }

    /// Checks all a person keeps; blocking, and as long as reading the catalog or, with `deep`, every byte.
    pub fn check(&self, person: PersonId, deep: bool) -> Result<Report> {
        upkeep::check::run(&*self.store(person)?, deep)
    }
}

/// Which way a large content goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    Up,
    Down,
}

/// A party's handle to a person's tree.
#[derive(Clone)]
pub struct Access {
    tree: Arc<Tree>,
    host: Arc<Host>,
    /// When the party was let in.
    since: Timestamp,
    party: Arc<Party>,
}

/// A party that was let in longer ago than this is asked for again before it changes anything (T26).
const TRUSTED: i64 = Timestamp::SECOND;

/// Bytes owned and allowed; a `quota` of 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub used: u64,
    pub quota: u64,
}

impl Access {
    pub fn party(&self) -> &Party {
        &self.party
    }

    fn may(&self, ability: Ability, path: &Path) -> Result<()> {
        if self.party.grant.allows(ability, path) { Ok(()) } else { Err(Error::Denied(ability, path.clone())) }
    }

    fn store(&self) -> &Store {
        &self.tree.store
    }

    fn person(&self) -> PersonId {
        self.party.person
    }

    fn found(&self, tx: &dyn crate::store::catalog::Tx, path: &Path) -> Result<Entry> {
        entry::find(tx, self.person(), path)?.ok_or_else(|| Error::NotFound(path.clone()))
    }

    /// What stands at `path`.
    pub fn stat(&self, path: &Path) -> Result<Entry> {
        self.may(Ability::Read, path)?;
        self.store().catalog.reading(|tx| self.found(tx, path))
    }

    /// A file's entry and content.
    pub fn open(&self, path: &Path) -> Result<(Entry, Content)> {
        self.may(Ability::Read, path)?;
        self.store().catalog.reading(|tx| {
            let entry = self.found(tx, path)?;
            if entry.is_folder() {
                return Err(Error::IsFolder(path.clone()));
            }
            let content = self.store().open(tx, entry.content)?;
            Ok((entry, content))
        })
    }

    /// Appends bytes `from..to` of cut content to `out`; at most to the end of one chunk, answering how many came.
    /// `content` must come from an entry this access has opened.
    pub fn read_some(&self, content: i64, from: u64, to: u64, out: &mut Vec<u8>) -> Result<u64> {
        self.store().read_some(content, from, to, out)
    }

    /// [`Access::read_some`] that never waits for a disk; None where it would have to.
    pub fn read_now(&self, content: i64, from: u64, to: u64, out: &mut Vec<u8>) -> Result<Option<u64>> {
        self.store().read_now(content, from, to, out)
    }

    /// Up to `limit` members of a folder after `after` (a key), in the order of their keys.
    pub fn list(&self, folder: &Path, id: i64, after: &str, limit: usize) -> Result<Vec<Entry>> {
        self.may(Ability::Read, folder)?;
        self.store().catalog.reading(|tx| entry::members(tx, self.person(), id, after, limit))
    }

    /// Dead properties: (Clark name, value fragment).
    pub fn props(&self, path: &Path, id: i64) -> Result<Vec<(String, String)>> {
        self.may(Ability::Read, path)?;
        self.store().catalog.reading(|tx| crate::tree::prop::list(tx, self.person(), id))
    }

    /// Whether any lock exists at all; spares listings a question an entry.
    pub fn any_locks(&self) -> Result<bool> {
        self.store().catalog.reading(|tx| lock::any(tx, self.person()))
    }

    /// Live locks that cover `path`, each with the path it was taken on.
    pub fn locks(&self, path: &Path) -> Result<Vec<(Lock, Path)>> {
        self.may(Ability::Read, path)?;
        let now = self.tree.env.now();
        self.store().catalog.reading(|tx| {
            let chain = entry::chain(tx, self.person(), path)?;
            let mapped = chain.len() == path.names().len() + 1;
            let locks = lock::covering(tx, self.person(), now, &chain, mapped)?;
            locks
                .into_iter()
                .map(|l| Ok((entry::path_of(tx, self.person(), l.entry)?.unwrap_or_else(Path::root), l)))
                .map(|r: Result<_>| r.map(|(p, l)| (l, p)))
                .collect()
        })
    }

    /// Whether the conditions of a read hold now.
    pub fn check(&self, path: &Path, precondition: &Precondition) -> Result<()> {
        self.may(Ability::Read, path)?;
        let now = self.tree.env.now();
        self.store().catalog.reading(|tx| {
            let target = entry::find(tx, self.person(), path)?;
            precondition.check(tx, self.person(), now, path, target.as_ref())
        })
    }

    pub fn usage(&self) -> Result<Usage> {
        self.store().catalog.reading(|tx| {
            let head = Head::load(tx, self.person())?;
            Ok(Usage { used: head.used, quota: head.quota })
        })
    }

    /// The newest change.
    pub fn seq(&self) -> Result<Seq> {
        self.store().catalog.reading(|tx| Ok(Head::load(tx, self.person())?.seq))
    }

    /// Wakes whenever a change was committed in this process; holds the newest number.
    pub fn watch(&self) -> watch::Receiver<Seq> {
        self.tree.newest.subscribe()
    }

    pub fn versions(&self, path: &Path) -> Result<Vec<Version>> {
        self.may(Ability::Read, path)?;
        self.store().catalog.reading(|tx| version::list(tx, self.person(), self.found(tx, path)?.id))
    }

    /// What was removed. The trash knows no scopes, so only a party that may write everywhere sees it.
    pub fn trash(&self) -> Result<Vec<Trashed>> {
        self.may(Ability::Write, &Path::root())?;
        self.store().catalog.reading(|tx| trash::list(tx, self.person()))
    }

    /// Journal records, for a party that may read everything.
    pub fn journal(&self, since: Seq, limit: usize) -> Result<Vec<Record>> {
        self.may(Ability::Read, &Path::root())?;
        self.store().catalog.reading(|tx| journal::since(tx, self.person(), since, limit))
    }

    /// Whether this party may write at `path`.
    pub fn may_write(&self, path: &Path) -> Result<()> {
        self.may(Ability::Write, path)
    }

    /// Waits for a place among this person's large uploads, or downloads; each holds megabytes of memory until it ends.
    pub async fn place_for(&self, transfer: Transfer) -> Result<OwnedSemaphorePermit> {
        let places = match transfer {
            Transfer::Up => &self.tree.uploads,
            Transfer::Down => &self.tree.downloads,
        };
        places.clone().acquire_owned().await.map_err(|_| Error::Poisoned)
    }

    /// Takes a file's bytes, before they are committed; with their number, where it is known, so that room for them is
    /// set aside.
    pub fn upload(&self, path: &Path, announced: Option<u64>) -> Result<ContentWriter> {
        self.may(Ability::Write, path)?;
        self.tree.store.upload(announced)
    }

    /// The one way to change anything. Resolves when the change is durable, or says why it was not made.
    pub async fn commit(&self, change: Change, precondition: Precondition) -> Result<Done> {
        self.submit(change, precondition)?.await.map_err(|_| Error::Poisoned)?
    }

    /// [`Access::commit`] for callers outside an async runtime.
    pub fn commit_blocking(&self, change: Change, precondition: Precondition) -> Result<Done> {
        self.submit(change, precondition)?.blocking_recv().map_err(|_| Error::Poisoned)?
    }

    fn submit(&self, change: Change, precondition: Precondition) -> Result<tokio::sync::oneshot::Receiver<Result<Done>>> {
        for path in change.targets() {
            self.may(Ability::Write, path)?;
        }
        match &change {
            Change::Copy { from, .. } => self.may(Ability::Read, from)?,
            Change::Restore { to: None, .. } | Change::Purge { .. } => self.may(Ability::Write, &Path::root())?,
            Change::Put { content: NewContent::Inline(bytes), .. } if bytes.len() > crate::store::INLINE_MAX => {
                return Err(Error::Invalid("inline content is at most 64 KiB".into()));
            }
            _ => {}
        }
        // A clock that went back tells nothing of how long ago that was.
        let fresh = (0..=TRUSTED).contains(&(self.tree.env.now().0 - self.since.0));
        if !fresh && self.party.credential != 0 && !self.host.still_holds(self.party.person, self.party.credential)? {
            return Err(Error::Forbidden("this credential was revoked meanwhile"));
        }
        self.tree.submit(self.party.clone(), Request { change, precondition })
    }
}
