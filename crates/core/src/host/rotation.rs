//! New keys for old: the root key, and a person's. Each is one step that happens or does not, a file that takes the place
//! of another; before it the data opens with the old key, after it with the new one. Needs a host that nobody else has open.
//! What packs are sealed under changes afterwards, piece by piece, in `upkeep`.

use std::fs::TryLockError;
use std::path::Path;
use std::sync::Arc;

use super::engine::Engine;
use super::{HOST_SCHEMA, Host, PERSON_SCHEMA, Person, uid};
use crate::error::{Error, Result};
use crate::keys::{Key, PersonKey, RootKey};
use crate::party::PersonId;
use crate::store::catalog::Catalog;
use crate::store::postgres::Postgres;
use crate::store::sqlite::{Deleted, Sqlite, copy, take_place};

/// Why the data directory can not be locked.
pub(super) fn in_use(e: TryLockError) -> Error {
    match e {
        TryLockError::WouldBlock => Error::Forbidden("another holm uses this data directory, and while keys are changed only one may: stop it, or wait"),
        TryLockError::Error(e) => Error::io("locking the data directory")(e),
    }
}

impl Host {
    /// From now on no other process may open the data directory; refused where one has it open.
    pub fn alone(&self) -> Result<()> {
        self.only_files()?;
        self.lock.try_lock().map_err(in_use)
    }

    /// Seals everybody's key and the host's catalog anew under `next`, and closes the host. Whoever calls keeps both keys where
    /// they last until this returns.
    pub fn change_root(self, next: &RootKey) -> Result<()> {
        self.alone()?;
        let Host { data, root, env, catalog, lock, .. } = self;
        let (present, new) = (data.join("holm.db"), data.join("holm.db.new"));
        catalog.settle()?;
        drop(catalog);
        copy(&present, &root.catalog_key(), &new, &next.catalog_key())?;
        let copied: Box<dyn Catalog> = Box::new(Sqlite::open(&new, &next.catalog_key(), false, Deleted::Overwritten, HOST_SCHEMA)?);
        copied.writing(|tx| {
            let rewrapped = |uid: &[u8; 16], wrapped: Vec<u8>| Ok::<_, Error>(next.wrap(&env, uid, &root.unwrap(uid, &wrapped)?));
            let sql = "SELECT person, uid, wrapped, next FROM person WHERE wrapped IS NOT NULL";
            let people = tx.all(sql, &[], |r| Ok((r.int(0)?, uid(r.blob(1)?)?, r.blob(2)?.to_vec(), r.opt_blob(3)?.map(<[u8]>::to_vec))))?;
            for (person, uid, wrapped, following) in people {
                let wrapped = rewrapped(&uid, wrapped)?;
                let following = following.map(|f| rewrapped(&uid, f)).transpose()?;
                let sql = "UPDATE person SET wrapped = ?2, next = ?3, epoch = ?4 WHERE person = ?1";
                tx.execute(sql, &[person.into(), wrapped[..].into(), following.as_deref().into(), i64::from(next.epoch).into()])?;
            }
            Ok(())
        })?;
        drop(copied);
        take_place(&new, &present)?;
        drop(lock);
        Ok(())
    }

    /// Seals a person's catalog anew under a new key; packs are written under it from now on. After an interruption it goes on
    /// with the same new key. Nobody may have the person's tree open, in this process either.
    pub fn change_key(&self, person: &Person) -> Result<()> {
        self.alone()?;
        let changed = self.change_catalog(person);
        self.lock.try_lock_shared().map_err(in_use)?;
        changed
    }

    fn change_catalog(&self, person: &Person) -> Result<()> {
        // Goes on with a change that got as far as the new catalog, and brings an older schema up to date.
        let store = self.open_store(person.id)?;
        let (present, epoch) = (store.ring().newest().clone(), store.ring().epoch);
        store.catalog.settle()?;
        drop(store);
        let next = self.next_key(person)?;
        let dir = self.dir(&person.uid);
        let (old, new) = (dir.join("catalog.db"), dir.join("catalog.db.new"));
        copy(&old, &present.catalog(), &new, &next.catalog())?;
        let copied: Box<dyn Catalog> = Box::new(Sqlite::open(&new, &next.catalog(), false, Deleted::Overwritten, PERSON_SCHEMA)?);
        copied.writing(|tx| {
            let sql = "INSERT INTO earlier_key (person, epoch, key) VALUES (?1, ?2, ?3)";
            tx.execute(sql, &[person.id.0.into(), i64::from(epoch).into(), present.key().bytes()[..].into()])?;
            let sql = "UPDATE head SET epoch = ?2, names = COALESCE(names, ?3) WHERE person = ?1";
            tx.execute(sql, &[person.id.0.into(), i64::from(epoch + 1).into(), present.chunk_names().bytes()[..].into()])?;
            Ok(())
        })?;
        drop(copied);
        take_place(&new, &old)?;
        self.enact_next_key(&person.uid)
    }

    /// The key that the person's is being changed to: the one of an interrupted change, or a new one, durable.
    fn next_key(&self, person: &Person) -> Result<PersonKey> {
        let fresh = PersonKey::from_key(Key::random(&self.env));
        let wrapped = self.root.wrap(&self.env, &person.uid, &fresh);
        self.catalog.writing(|tx| {
            let sql = "SELECT next FROM person WHERE person = ?1 AND removed IS NULL";
            let begun = tx.first(sql, &[person.id.0.into()], |r| Ok(r.opt_blob(0)?.map(<[u8]>::to_vec)))?;
            if let Some(begun) = begun.ok_or_else(|| Error::NoSuchPerson(person.name.clone()))? {
                return self.root.unwrap(&person.uid, &begun);
            }
            tx.execute("UPDATE person SET next = ?2 WHERE person = ?1", &[person.id.0.into(), wrapped[..].into()])?;
            Ok(fresh.clone())
        })
    }

    /// The catalog opens with the next key: from now on it is the present one.
    fn enact_next_key(&self, uid: &[u8; 16]) -> Result<()> {
        self.catalog.writing(|tx| {
            tx.execute("UPDATE person SET wrapped = next, next = NULL WHERE uid = ?1 AND next IS NOT NULL", &[uid[..].into()])?;
            Ok(())
        })?;
        self.catalog.settle().map(|_| ())
    }

    /// A person's catalog and the key that opens it: the present one, or the next where a change was interrupted.
    pub(super) fn open_catalog(
        &self,
        person: PersonId,
        dir: &Path,
        uid: &[u8; 16],
        wrapped: &[u8],
        next: Option<&[u8]>,
    ) -> Result<(Arc<dyn Catalog>, PersonKey)> {
        let key = self.root.unwrap(uid, wrapped)?;
        if let Engine::Shared(pool) = &self.engine {
            return Ok((Arc::new(Postgres::of(pool.clone(), person)), key));
        }
        let open = |key: &PersonKey| Sqlite::open(&dir.join("catalog.db"), &key.catalog(), false, Deleted::Left, PERSON_SCHEMA);
        match (open(&key), next) {
            (Err(Error::Key(_)), Some(next)) => {
                let key = self.root.unwrap(uid, next)?;
                let catalog = open(&key)?;
                self.enact_next_key(uid)?;
                Ok((Arc::new(catalog), key))
            }
            (catalog, _) => Ok((Arc::new(catalog?), key)),
        }
    }
}
