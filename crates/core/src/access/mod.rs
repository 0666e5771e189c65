//! The only way to a tree. `Gate::admit` turns a proven party into an `Access`, and every read and write asks what the
//! party was granted before it touches the tree, which is private to this crate; and leaves a record of it.

mod account;
mod browsing;
mod content;
mod differences;
mod documents;
mod items;
mod link;
mod log;
pub(crate) mod sharing;
mod tree;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::env::{Env, Timestamp};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::journal::{self, Record, Seq};
use crate::ledger::{self, Rights};
use crate::mutant::mutant;
use crate::name::Path;
use crate::party::{Ability, Party, PartyKind, PersonId};
use crate::store::content::{NewContent, Store};
use crate::tree::apply::Head;
use crate::tree::change::{Change, Done, Request};
use crate::tree::condition::Precondition;
use crate::tree::entry::{self, Entry};
use crate::tree::lock::{self, Lock};
use crate::tree::version::{self, Version};
use crate::upkeep::check::Report;
use crate::upkeep::reindex::Reindexed;
use crate::upkeep::{self, Rules, Upkeep};
pub use account::{SecondFactors, check_passkey_name};
pub use content::{Content, Cut, Transfer};
pub use documents::Listed;
pub use items::Item;
pub use link::{Link, LinkEnd, NewLink};
use log::Deed;
pub use log::{AccessRecord, Act, RecordFilter, Via};
use tree::{TRUSTED, Tree};

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

    fn tree(&self, person: PersonId) -> Result<Arc<Tree>> {
        let mut trees = self.trees.lock().expect("open trees");
        let tree = match trees.get(&person) {
            Some(tree) => tree.clone(),
            None => {
                let store = self.host.open_store(person)?;
                let tree = Arc::new(Tree::start(store, self.env.clone(), self.failed.clone()));
                trees.insert(person, tree.clone());
                tree
            }
        };
        tree.used(self.env.now());
        Ok(tree)
    }

    /// Lets a party in to the tree of the person whose party it is, with what it was granted there.
    pub fn admit(&self, party: Arc<Party>, via: Via) -> Result<Access> {
        let tree = self.tree(party.person)?;
        self.access(tree, party.clone(), party, via)
    }

    /// Lets a person's party in to another person's tree, with what that one granted the person. A device that may not do
    /// everything at home may not do it elsewhere either.
    ///
    /// # Errors
    /// [`Error::NoSuchPerson`] also where the other one granted nothing: who lives here is not for strangers to know.
    pub fn admit_to(&self, owner: PersonId, party: Arc<Party>, via: Via) -> Result<Access> {
        if owner == party.person {
            return self.admit(party, via);
        }
        let unknown = || Error::NoSuchPerson(format!("number {}", owner.0));
        let subject = self.host.subject(party.person)?;
        let tree = self.tree(owner)?;
        let known = tree.store.catalog.reading(|tx| ledger::by_subject(tx, owner, PartyKind::Person, &subject))?.ok_or_else(unknown)?;
        let name = self.host.person_name(party.person)?.ok_or_else(unknown)?;
        // Credentials are numbered by person: another person's must not pass for the owner's own.
        let guest = Party { person: owner, id: known, credential: -known.0, label: name, limits: None };
        let access = self.access(tree, Arc::new(guest), party, via)?;
        if access.rights()?.is_empty(self.env.now()) { Err(unknown()) } else { Ok(access) }
    }

    fn access(&self, tree: Arc<Tree>, party: Arc<Party>, proven: Arc<Party>, via: Via) -> Result<Access> {
        if proven.limits.as_ref().is_some_and(|limits| !limits.opens(via.protocol)) && !mutant("token-at-any-door") {
            return Err(Error::Forbidden("this token is for another part of holm; ask for one for this"));
        }
        let home = if party.person == proven.person { None } else { Some(self.tree(proven.person)?) };
        let admitted = Admitted { at: AtomicI64::new(self.env.now().0), rights: Mutex::default(), proven, home };
        let access = Access { tree, host: self.host.clone(), party, via, admitted: Arc::new(admitted) };
        access.look_up()?;
        Ok(access)
    }

    /// Writes what waits in access logs; blocking.
    pub fn write_logs(&self) -> Result<()> {
        let trees: Vec<_> = self.trees.lock().expect("open trees").values().cloned().collect();
        trees.iter().try_for_each(|tree| tree.write_log())
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
        if mutant("log-left-behind") {
            // What nobody holds any more would be settled when it closes.
            std::mem::forget(trees);
            return Ok(());
        }
        trees.iter().try_for_each(|tree| tree.store.catalog.settle().map(|_| ()))?;
        self.host.settle().map(|_| ())
    }

    /// A person's store: the open one where there is one, else opened for this only.
    fn store(&self, person: PersonId) -> Result<Arc<Store>> {
        let open = self.trees.lock().expect("open trees").get(&person).map(|tree| tree.store.clone());
        open.map_or_else(|| self.host.open_store(person), Ok)
    }

    /// How much a person keeps, and may keep.
    pub fn usage(&self, person: PersonId) -> Result<Usage> {
        usage(&*self.store(person)?, person)
    }

    /// Lets go the open tree of a person, whom [`Host::remove_person`] is about to take away.
    pub fn close(&self, person: PersonId) {
        let tree = self.trees.lock().expect("open trees").remove(&person);
        drop(tree);
    }

    /// One round of upkeep for a person; blocking, and long where there is much to do.
    pub fn keep_up(&self, person: PersonId, rules: &Rules) -> Result<Upkeep> {
        upkeep::run(&*self.store(person)?, &self.env, rules)
    }

    /// Reads every calendar object and vCard of a person anew, and makes the index of them from that; blocking. Answers how many
    /// there are, and the paths of those that could not be read.
    pub fn reindex(&self, person: PersonId) -> Result<Reindexed> {
        upkeep::reindex::run(&*self.store(person)?, &self.env)
    }

    /// Whether a change of the person's key is not complete: packs may be sealed under an earlier one.
    pub fn has_earlier_keys(&self, person: PersonId) -> Result<bool> {
        Ok(self.store(person)?.ring().has_earlier())
    }

    /// Completes a change of the person's key; blocking, as long as reading and writing all they keep. May be interrupted.
    pub fn reseal(&self, person: PersonId) -> Result<Upkeep> {
        upkeep::reseal(&*self.store(person)?, &self.env)
    }

    /// Checks all a person keeps; blocking, and as long as reading the catalog or, with `deep`, every byte.
    pub fn check(&self, person: PersonId, deep: bool) -> Result<Report> {
        upkeep::check::run(&*self.store(person)?, deep)
    }
}

/// A party's handle to a person's tree.
#[derive(Clone)]
pub struct Access {
    tree: Arc<Tree>,
    host: Arc<Host>,
    party: Arc<Party>,
    via: Via,
    admitted: Arc<Admitted>,
}

/// What the gate saw, and looks at again when it was longer ago than [`TRUSTED`]: all clones of an access share it.
struct Admitted {
    at: AtomicI64,
    rights: Mutex<Arc<Rights>>,
    /// Whoever proved to be there; and their own tree, where that is another one.
    proven: Arc<Party>,
    home: Option<Arc<Tree>>,
}

/// Bytes owned and allowed; a `quota` of 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub used: u64,
    pub quota: u64,
}

fn usage(store: &Store, person: PersonId) -> Result<Usage> {
    store.catalog.reading(|tx| {
        let head = Head::load(tx, person)?;
        Ok(Usage { used: head.used, quota: head.quota })
    })
}

impl Access {
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// Asks the ledger anew, and whether the credential still holds.
    fn look_up(&self) -> Result<Arc<Rights>> {
        let Admitted { proven, home, .. } = &*self.admitted;
        let mut rights = self.tree.held(&self.party)?;
        if let Some(home) = home {
            let most = home.held(proven)?.everywhere(self.tree.env.now());
            rights = Arc::new(rights.only(most));
        }
        *self.admitted.rights.lock().expect("rights") = rights.clone();
        self.admitted.at.store(self.tree.env.now().0, Ordering::Release);
        Ok(rights)
    }

    /// What this party may do now. Revocations count after a second, in the midst of a stream too (T26).
    fn rights(&self) -> Result<Arc<Rights>> {
        let age = self.tree.env.now().0.saturating_sub(self.admitted.at.load(Ordering::Acquire));
        if (0..TRUSTED).contains(&age) || mutant("revoked-meanwhile") {
            return Ok(self.admitted.rights.lock().expect("rights").clone());
        }
        let proven = &self.admitted.proven;
        if proven.credential != 0 && !self.host.still_holds(proven.person, proven.credential)? {
            return Err(Error::Forbidden("this credential was revoked meanwhile"));
        }
        self.look_up()
    }

    /// Whether this party may do that there.
    pub fn allows(&self, ability: Ability, path: &Path) -> Result<bool> {
        Ok(self.rights()?.allows(ability, path, self.tree.env.now()))
    }

    /// What may not be is on record too.
    fn may(&self, ability: Ability, path: &Path) -> Result<()> {
        if self.allows(ability, path)? {
            return Ok(());
        }
        let act = if ability == Ability::Read { Act::Read } else { Act::Change };
        self.note(act, true, 0, path)?;
        Err(Error::Denied(ability, path.clone()))
    }

    /// Whether something may be seen: because it may be read, or because it is a folder on the way to what may.
    fn may_see(&self, path: &Path) -> Result<()> {
        if self.rights()?.leads(path, self.tree.env.now()) { Ok(()) } else { self.may(Ability::Read, path) }
    }

    fn note(&self, act: Act, refused: bool, entry: i64, path: &Path) -> Result<()> {
        self.tree.log.note(&Deed { party: &self.party, via: self.via, act, refused, entry, path, at: self.tree.env.now() })
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
        self.may_see(path)?;
        self.store().catalog.reading(|tx| self.found(tx, path))
    }

    /// Up to `limit` members of a folder after `after` (a key), in the order of their keys. Of a folder that may only be
    /// seen on the way to others, the members that lead on.
    pub fn list(&self, folder: &Path, id: i64, after: &str, limit: usize) -> Result<Vec<Entry>> {
        self.may_see(folder)?;
        self.note(Act::Look, false, id, folder)?;
        if self.allows(Ability::Read, folder)? {
            return self.store().catalog.reading(|tx| entry::members(tx, self.person(), id, after, limit));
        }
        let names = self.rights()?.next_names(folder, self.tree.env.now());
        self.store().catalog.reading(|tx| {
            let names = names.iter().filter(|key| key.as_str() > after);
            let members = names.filter_map(|key| entry::child(tx, self.person(), id, key).transpose());
            members.take(limit).collect()
        })
    }

    /// Dead properties: (Clark name, value fragment); none of a folder that may only be seen.
    pub fn props(&self, path: &Path, id: i64) -> Result<Vec<(String, String)>> {
        self.may_see(path)?;
        self.note(Act::Look, false, id, path)?;
        if !self.allows(Ability::Read, path)? {
            return Ok(Vec::new());
        }
        self.store().catalog.reading(|tx| crate::tree::prop::list(tx, self.person(), id))
    }

    /// Whether any lock exists at all; spares listings a question an entry.
    pub fn any_locks(&self) -> Result<bool> {
        self.store().catalog.reading(|tx| lock::any(tx, self.person()))
    }

    /// Live locks that cover `path`, each with the path it was taken on.
    pub fn locks(&self, path: &Path) -> Result<Vec<(Lock, Path)>> {
        self.may_see(path)?;
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
        self.may_see(path)?;
        let now = self.tree.env.now();
        self.store().catalog.reading(|tx| {
            let target = entry::find(tx, self.person(), path)?;
            precondition.check(tx, self.person(), now, path, target.as_ref())
        })
    }

    pub fn usage(&self) -> Result<Usage> {
        usage(self.store(), self.person())
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

    /// Journal records, for a party that may read everything.
    pub fn journal(&self, since: Seq, limit: usize) -> Result<Vec<Record>> {
        self.may(Ability::Read, &Path::root())?;
        self.store().catalog.reading(|tx| journal::since(tx, self.person(), since, limit))
    }

    /// The one way to change anything. Resolves when the change is durable, or says why it was not made.
    pub async fn commit(&self, change: Change, precondition: Precondition) -> Result<Done> {
        self.submit(change, precondition)?.await.map_err(|_| Error::Poisoned)?
    }

    /// [`Access::commit`] for callers outside an async runtime.
    pub fn commit_blocking(&self, change: Change, precondition: Precondition) -> Result<Done> {
        self.submit(change, precondition)?.blocking_recv().map_err(|_| Error::Poisoned)?
    }

    fn submit(&self, change: Change, mut precondition: Precondition) -> Result<tokio::sync::oneshot::Receiver<Result<Done>>> {
        for (ability, path) in change.demands() {
            self.may(ability, path)?;
        }
        if let Change::Copy { from, .. } = &change {
            self.note(Act::Read, false, 0, from)?;
        }
        let root = Path::root();
        match &change {
            Change::Restore { to: None, .. } | Change::Purge { .. } => self.may(Ability::Delete, &root)?,
            Change::Restore { .. } => self.may(Ability::Read, &root)?,
            _ => {}
        }
        if let Some(NewContent::Inline(bytes)) = change.content()
            && bytes.len() > crate::store::INLINE_MAX
        {
            return Err(Error::Invalid("inline content is at most 64 KiB".into()));
        }
        let replaces = change.replaces().map_or(Ok(true), |(ability, path)| self.allows(ability, path))?;
        let whole = self.allows(Ability::Write, &root)? && self.allows(Ability::Delete, &root)?;
        if mutant("condition-outside-transaction")
            && let Change::Put { path, .. } = &change
        {
            self.check(path, &precondition)?;
            (precondition.if_match, precondition.if_none_match) = (None, None);
        }
        self.tree.submit(self.party.clone(), self.via, Request { change, precondition, fresh: !replaces, whole })
    }
}
