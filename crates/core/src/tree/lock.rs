//! Write locks (RFC 4918 §6): kept with the tree, because a lock binds every protocol. A lock belongs to an entry, so
//! it does not travel with a name and ends with its entry.

use super::apply::Applier;
use super::change::{Depth, Done, LockRequest, Outcome};
use super::entry::{self, Entry};
use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::name::Path;
use crate::party::PersonId;
use crate::store::catalog::{Row, Tx};
use crate::store::content::NewContent;

/// Locks one person may hold at a time (T06).
pub const MAX_LOCKS: i64 = 1_000;
/// Longest time a lock lasts without a refresh.
pub const MAX_SECONDS: i64 = 3_600;
/// A lock that ends later than this from now was taken while the clock showed another day: it would hold for years.
const FAR: i64 = Timestamp::DAY;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    pub token: String,
    pub entry: i64,
    pub depth: Depth,
    pub exclusive: bool,
    pub owner: String,
    pub credential: i64,
    pub expires: Timestamp,
    pub seconds: i64,
}

fn from_row(row: &dyn Row) -> Result<Lock> {
    Ok(Lock {
        token: row.text(0)?.to_owned(),
        entry: row.int(1)?,
        depth: if row.int(2)? == 1 { Depth::Infinity } else { Depth::Zero },
        exclusive: row.int(3)? == 1,
        owner: row.text(4)?.to_owned(),
        credential: row.int(5)?,
        expires: Timestamp(row.int(6)?),
        seconds: row.int(7)?,
    })
}

pub fn any(tx: &dyn Tx, person: PersonId) -> Result<bool> {
    Ok(tx.first("SELECT 1 FROM lock WHERE person = ?1 LIMIT 1", &[person.0.into()], |_| Ok(()))?.is_some())
}

pub(super) fn on_entry(tx: &dyn Tx, person: PersonId, now: Timestamp, id: i64) -> Result<Vec<Lock>> {
    let sql = "SELECT token, entry, deep, exclusive, owner, credential, expires, seconds FROM lock WHERE person = ?1 AND entry = ?2
        AND expires > ?3 AND expires <= ?4";
    tx.all(sql, &[person.0.into(), id.into(), now.0.into(), now.plus(FAR).0.into()], from_row)
}

/// Locks that cover the last entry of `chain` (root first): its own, and deep ones above it. With `mapped` false the
/// last entry is only the parent of a name that is free.
pub fn covering(tx: &dyn Tx, person: PersonId, now: Timestamp, chain: &[Entry], mapped: bool) -> Result<Vec<Lock>> {
    if !any(tx, person)? {
        return Ok(Vec::new());
    }
    let mut locks = Vec::new();
    for (n, entry) in chain.iter().enumerate() {
        let own = mapped && n + 1 == chain.len();
        locks.extend(on_entry(tx, person, now, entry.id)?.into_iter().filter(|l| own || l.depth == Depth::Infinity));
    }
    Ok(locks)
}

/// Every live lock at or below `id`.
fn below(tx: &dyn Tx, person: PersonId, now: Timestamp, id: i64) -> Result<Vec<Lock>> {
    let sql = "SELECT token, entry, deep, exclusive, owner, credential, expires, seconds FROM lock WHERE person = ?1
        AND expires > ?2 AND expires <= ?3";
    let mut found = Vec::new();
    for lock in tx.all(sql, &[person.0.into(), now.0.into(), now.plus(FAR).0.into()], from_row)? {
        if entry::ancestors(tx, person, lock.entry)?.contains(&id) {
            found.push(lock);
        }
    }
    Ok(found)
}

/// Takes the rows of locks that hold nobody any more.
pub(crate) fn drop_expired(tx: &dyn Tx, person: PersonId, now: Timestamp) -> Result<()> {
    let sql = "DELETE FROM lock WHERE person = ?1 AND (expires <= ?2 OR expires > ?3)";
    tx.execute(sql, &[person.0.into(), now.0.into(), now.plus(FAR).0.into()])?;
    Ok(())
}

/// Which part of the tree a change touches, as far as locks are concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Touch {
    /// The entry itself.
    Entry,
    /// The entry and everything below it.
    Subtree,
    /// The membership of the folder that ends the chain.
    Members,
}

impl Applier<'_> {
    /// Fails with [`Error::Locked`] unless every lock in the way was named in the request by whoever holds it.
    pub(super) fn check_locks(&self, path: &Path, chain: &[Entry], touch: Touch) -> Result<()> {
        if !any(self.tx, self.person)? {
            return Ok(());
        }
        let mut locks = covering(self.tx, self.person, self.now, chain, true)?;
        if touch == Touch::Subtree
            && let Some(entry) = chain.last()
        {
            locks.extend(below(self.tx, self.person, self.now, entry.id)?);
        }
        // A shared lock is satisfied by any one holder's token on the same entry.
        for lock in &locks {
            let held = |l: &Lock| l.credential == self.party.credential && self.precondition.tokens().any(|t| t == l.token);
            if !locks.iter().any(|l| l.entry == lock.entry && held(l)) {
                let root = entry::path_of(self.tx, self.person, lock.entry)?.unwrap_or_else(Path::root);
                return Err(Error::Locked { path: path.clone(), root });
            }
        }
        Ok(())
    }

    /// Ends every lock at or below an entry that leaves its place.
    pub(super) fn drop_locks(&self, id: i64) -> Result<()> {
        if !any(self.tx, self.person)? {
            return Ok(());
        }
        for lock in below(self.tx, self.person, self.now, id)? {
            self.tx.execute("DELETE FROM lock WHERE person = ?1 AND token = ?2", &[self.person.0.into(), lock.token.as_str().into()])?;
        }
        Ok(())
    }

    pub(super) fn lock(&mut self, path: Path, request: LockRequest) -> Result<Done> {
        let mut chain = self.chain_to(&path)?;
        let target = chain.target().cloned();
        self.only_add(&path, target.as_ref())?;
        self.precondition.check(self.tx, self.person, self.now, &path, target.as_ref())?;
        drop_expired(self.tx, self.person, self.now)?;
        let mut outcome = Outcome::Replaced;
        let entry = match target {
            Some(entry) => entry,
            None => {
                let done = self.put(path.clone(), NewContent::Inline(Vec::new()), None, None)?;
                outcome = done.outcome;
                let entry = done.entry.ok_or_else(|| Error::NotFound(path.clone()))?;
                chain = self.chain_to(&path)?;
                entry
            }
        };
        let mut rivals = covering(self.tx, self.person, self.now, &chain.entries, true)?;
        if request.depth == Depth::Infinity {
            rivals.extend(below(self.tx, self.person, self.now, entry.id)?);
        }
        if let Some(rival) = rivals.iter().find(|l| l.exclusive || request.exclusive) {
            return Err(Error::LockConflict(entry::path_of(self.tx, self.person, rival.entry)?.unwrap_or(path)));
        }
        let count = self.tx.first("SELECT COUNT(*) FROM lock WHERE person = ?1", &[self.person.0.into()], |r| r.int(0))?;
        if count.unwrap_or(0) >= MAX_LOCKS {
            return Err(Error::Limit("this person holds 1,000 locks; unlock some"));
        }
        let lock = self.new_lock(entry.id, request);
        self.insert_lock(&lock)?;
        Ok(Done { seq: self.batch.head.seq, outcome, entry: Some(entry), lock: Some(lock), before: None })
    }

    fn new_lock(&self, entry: i64, request: LockRequest) -> Lock {
        let seconds = request.seconds.clamp(1, MAX_SECONDS);
        Lock {
            token: request.token,
            entry,
            depth: request.depth,
            exclusive: request.exclusive,
            owner: request.owner,
            credential: self.party.credential,
            expires: self.now.plus(seconds * Timestamp::SECOND),
            seconds,
        }
    }

    fn insert_lock(&self, lock: &Lock) -> Result<()> {
        let sql = "INSERT INTO lock (person, token, entry, deep, exclusive, owner, credential, expires, seconds) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let deep = i64::from(lock.depth == Depth::Infinity);
        self.tx.execute(
            sql,
            &[
                self.person.0.into(),
                lock.token.as_str().into(),
                lock.entry.into(),
                deep.into(),
                i64::from(lock.exclusive).into(),
                lock.owner.as_str().into(),
                lock.credential.into(),
                lock.expires.0.into(),
                lock.seconds.into(),
            ],
        )?;
        Ok(())
    }

    /// The lock with this token, if it covers `path`.
    fn held(&self, path: &Path, token: &str) -> Result<(Entry, Option<Lock>)> {
        let chain = self.chain_to(path)?;
        let target = chain.target().cloned().ok_or_else(|| Error::NotFound(path.clone()))?;
        let locks = covering(self.tx, self.person, self.now, &chain.entries, true)?;
        Ok((target, locks.into_iter().find(|l| l.token == token)))
    }

    pub(super) fn refresh(&mut self, path: Path, token: &str, seconds: i64) -> Result<Done> {
        let (entry, lock) = self.held(&path, token)?;
        let mut lock = lock.filter(|l| l.credential == self.party.credential).ok_or_else(|| Error::ConditionFailed(path.clone()))?;
        lock.seconds = seconds.clamp(1, MAX_SECONDS);
        lock.expires = self.now.plus(lock.seconds * Timestamp::SECOND);
        let sql = "UPDATE lock SET expires = ?3, seconds = ?4 WHERE person = ?1 AND token = ?2";
        self.tx.execute(sql, &[self.person.0.into(), token.into(), lock.expires.0.into(), lock.seconds.into()])?;
        Ok(Done { seq: self.batch.head.seq, outcome: Outcome::Replaced, entry: Some(entry), lock: Some(lock), before: None })
    }

    pub(super) fn unlock(&mut self, path: Path, token: &str) -> Result<Done> {
        let (entry, lock) = self.held(&path, token)?;
        let lock = lock.ok_or_else(|| Error::NoSuchLock(path.clone()))?;
        if lock.credential != self.party.credential && !self.whole {
            return Err(Error::Forbidden("only whoever took a lock, or the owner of the whole tree, may end it"));
        }
        self.tx.execute("DELETE FROM lock WHERE person = ?1 AND token = ?2", &[self.person.0.into(), token.into()])?;
        Ok(Done { seq: self.batch.head.seq, outcome: Outcome::Replaced, entry: Some(entry), lock: None, before: None })
    }
}
