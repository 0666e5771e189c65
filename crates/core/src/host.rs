//! The host's own facts: who lives here, and the credentials they made. Holds each person's wrapped key; the root key
//! that opens them is handed in. Passwords and secrets come here already hashed (`auth` does that).

pub(crate) mod attempts;
mod credential;
mod engine;
mod kit;
mod proofs;
mod reach;
mod rotation;
mod session;
mod ticket;
pub(crate) mod token;

use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::env::{Env, Timestamp};
use crate::error::{Error, Result};
use crate::keys::{Key, KeyRing, PersonKey, RootKey};
use crate::ledger::{Book, NewGrant, Rights, Scope};
use crate::mutant::mutant;
use crate::party::{Abilities, Party, PartyKind, PersonId};
use crate::store::catalog::{Catalog, Row, Tx};
use crate::store::content::{Store, bytes32};
use crate::store::sqlite::sync_dir;
use crate::tree::entry::{ROOT, TRASH};

pub use credential::{Credential, CredentialKind, NewCredential, Proof};
use engine::Engine;
pub use engine::{Migrated, Place};
pub use kit::Kit;
pub use proofs::{PasskeyRecord, Proofs};
pub use session::{NewSession, SessionRecord};
pub use ticket::Ticket;
pub use token::{ClientRecord, NewToken, TokenRecord};

const HOST_SCHEMA: &[&str] = &[
    include_str!("store/schema/host.sql"),
    include_str!("store/schema/host_2.sql"),
    include_str!("store/schema/host_3.sql"),
    include_str!("store/schema/host_4.sql"),
    include_str!("store/schema/host_5.sql"),
    include_str!("store/schema/host_6.sql"),
    include_str!("store/schema/host_7.sql"),
];
const PERSON_SCHEMA: &[&str] = &[
    include_str!("store/schema/person.sql"),
    include_str!("store/schema/person_2.sql"),
    include_str!("store/schema/person_3.sql"),
    include_str!("store/schema/person_4.sql"),
    include_str!("store/schema/person_5.sql"),
    include_str!("store/schema/person_6.sql"),
    include_str!("store/schema/person_7.sql"),
];
/// Ids below this are the tree's own.
const FIRST_ID: i64 = 16;

pub struct Host {
    data: PathBuf,
    root: RootKey,
    env: Env,
    engine: Engine,
    catalog: Arc<dyn Catalog>,
    /// Of the data directory: shared, but while keys are changed.
    lock: std::fs::File,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    pub uid: [u8; 16],
    pub name: String,
    pub created: Timestamp,
    /// May invite people and look after their accounts.
    pub admin: bool,
}

/// How a person comes to live here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newcomer {
    /// By the first owner's link, where nobody lives yet.
    Owner,
    /// By an invitation of somebody who lives here.
    Invited,
    /// At the command line, or by an admin; the first one is the owner.
    Added,
}

impl Host {
    /// Opens the data directory, making it where there is none. Any number of processes may have it open, until one of them
    /// changes keys.
    pub fn open(place: impl Into<Place>, root: RootKey, env: Env) -> Result<Host> {
        let Place { data, catalog } = place.into();
        let make = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data.join("people"));
        make.map_err(Error::io(format!("creating {}", data.display())))?;
        let lock = std::fs::File::open(&data).map_err(Error::io(format!("opening {}", data.display())))?;
        lock.try_lock_shared().map_err(rotation::in_use)?;
        let engine = Engine::new(catalog.as_deref(), &env)?;
        let catalog = engine.host(&data, &root, &env)?;
        let host = Host { data, root, env, engine, catalog, lock };
        host.adopt()?;
        Ok(host)
    }

    /// App passwords of before there was a ledger become parties with a grant each.
    fn adopt(&self) -> Result<()> {
        let sql = "SELECT c.person, c.id, c.name, a.scope, a.writes FROM credential c
            JOIN app_password a ON a.person = c.person AND a.id = c.id JOIN person p ON p.person = c.person AND p.removed IS NULL
            WHERE c.party = 0 AND c.revoked IS NULL";
        let row = |r: &dyn Row| Ok((PersonId(r.int(0)?), r.int(1)?, r.text(2)?.to_owned(), Scope::parse(r.text(3)?)?, r.int(4)? == 1));
        for (person, id, name, scope, writes) in self.catalog.reading(|tx| tx.all(sql, &[], row))? {
            let (now, by) = (self.env.now(), Party::operator(person));
            let abilities = if writes { Abilities::CHANGE } else { Abilities::READ };
            let party = self.open_store(person)?.catalog.writing(|tx| {
                let book = Book { tx, person, now, by: &by };
                let party = book.meet(PartyKind::Device, &name, "")?;
                book.grant(&NewGrant::new(party, scope.clone(), abilities), &Rights::owner())?;
                Ok(party)
            })?;
            let sql = "UPDATE credential SET party = ?3 WHERE person = ?1 AND id = ?2";
            self.catalog.writing(|tx| tx.execute(sql, &[person.0.into(), id.into(), party.0.into()]))?;
        }
        Ok(())
    }

    fn dir(&self, uid: &[u8; 16]) -> PathBuf {
        let hex: String = uid.iter().map(|b| format!("{b:02x}")).collect();
        self.data.join("people").join(hex)
    }

    pub fn people(&self) -> Result<Vec<Person>> {
        let sql = "SELECT person, uid, name, created, admin FROM person WHERE removed IS NULL ORDER BY name";
        self.catalog.reading(|tx| tx.all(sql, &[], person_row))
    }

    pub fn person(&self, name: &str) -> Result<Person> {
        let sql = "SELECT person, uid, name, created, admin FROM person WHERE name = ?1 AND removed IS NULL";
        self.catalog.reading(|tx| tx.first(sql, &[name.into()], person_row))?.ok_or_else(|| Error::NoSuchPerson(name.to_owned()))
    }

    pub fn person_name(&self, id: PersonId) -> Result<Option<String>> {
        let sql = "SELECT name FROM person WHERE person = ?1 AND removed IS NULL";
        self.catalog.reading(|tx| tx.first(sql, &[id.0.into()], |r| Ok(r.text(0)?.to_owned())))
    }

    /// Makes a person with an empty tree; the first one is an admin. Names are 1 to 64 of `a-z 0-9 . _ -`, beginning with a
    /// letter or digit.
    pub fn add_person(&self, name: &str, password: Option<&str>, quota: u64) -> Result<Person> {
        self.add_person_with(self.env.random(), name, password, quota, Newcomer::Added)
    }

    /// Whether a new person may have this name.
    pub fn check_free(&self, name: &str) -> Result<()> {
        check_name(name)?;
        if self.catalog.reading(|tx| is_taken(tx, name))? {
            return Err(Error::Taken(format!("a person is called \"{name}\"")));
        }
        Ok(())
    }

    /// [`Host::add_person`] with a uid that a passkey was made for; it must never have been another person's.
    pub fn add_person_with(&self, uid: [u8; 16], name: &str, password: Option<&str>, quota: u64, newcomer: Newcomer) -> Result<Person> {
        self.check_free(name)?;
        let key = PersonKey::from_key(Key::random(&self.env));
        let wrapped = self.root.wrap(&self.env, &uid, &key);
        let now = self.env.now();
        // Refused here, before anything is made on disk, unless the name is free.
        let (id, admin) = self.catalog.writing(|tx| {
            if is_taken(tx, name)? {
                return Err(Error::Taken(format!("a person is called \"{name}\"")));
            }
            let id = tx.first("SELECT COALESCE(MAX(person), 0) + 1 FROM person", &[], |r| r.int(0))?.unwrap_or(1);
            let first = tx.first("SELECT 1 FROM person WHERE removed IS NULL LIMIT 1", &[], |_| Ok(()))?.is_none();
            if newcomer == Newcomer::Owner && !first || newcomer == Newcomer::Invited && first {
                return Err(Error::Forbidden("this link is for a holm where it is otherwise; ask for a new one"));
            }
            let admin = first && newcomer != Newcomer::Invited;
            let sql = "INSERT INTO person (person, uid, name, wrapped, epoch, password, created, made, admin) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)";
            let epoch = i64::from(self.root.epoch);
            let (created, is_admin) = (now.0.into(), i64::from(admin).into());
            tx.execute(sql, &[id.into(), uid[..].into(), name.into(), wrapped[..].into(), epoch.into(), password.into(), created, is_admin])?;
            Ok((PersonId(id), admin))
        })?;
        self.make_tree(id, &uid, &key, quota)?;
        Ok(Person { id, uid, name: name.to_owned(), created: now, admin })
    }

    fn make_tree(&self, person: PersonId, uid: &[u8; 16], key: &PersonKey, quota: u64) -> Result<()> {
        let dir = self.dir(uid);
        std::fs::create_dir_all(dir.join("packs")).map_err(Error::io(format!("creating {}", dir.display())))?;
        let catalog = self.new_catalog(person, &dir, key)?;
        let now = self.env.now().0;
        catalog.writing(|tx| {
            if tx.first("SELECT 1 FROM head WHERE person = ?1", &[person.0.into()], |_| Ok(()))?.is_some() {
                return Ok(());
            }
            let sql = "INSERT INTO head (person, seq, next_id, used, quota) VALUES (?1, 0, ?2, 0, ?3)";
            tx.execute(sql, &[person.0.into(), FIRST_ID.into(), (quota as i64).into()])?;
            for (id, key) in [(ROOT, ""), (TRASH, "trash")] {
                let sql = "INSERT INTO entry (person, parent, key, id, kind, seq, version, created, modified, size, content, tag, props)
                    VALUES (?1, 0, ?2, ?3, 0, 0, 0, ?4, ?4, 0, 0, 0, 0)";
                tx.execute(sql, &[person.0.into(), key.into(), id.into(), now.into()])?;
            }
            Ok(())
        })?;
        sync_dir(&dir)?;
        sync_dir(&self.data.join("people"))?;
        self.catalog.writing(|tx| tx.execute("UPDATE person SET made = 1 WHERE person = ?1", &[person.0.into()]).map(|_| ()))
    }

    /// Opens what a person keeps.
    pub(crate) fn open_store(&self, person: PersonId) -> Result<Arc<Store>> {
        let sql = "SELECT uid, wrapped, next, made FROM person WHERE person = ?1 AND removed IS NULL";
        let (uid, wrapped, next, made) = self
            .catalog
            .reading(|tx| {
                tx.first(sql, &[person.0.into()], |r| Ok((uid(r.blob(0)?)?, r.blob(1)?.to_vec(), r.opt_blob(2)?.map(<[u8]>::to_vec), r.int(3)? == 1)))
            })?
            .ok_or_else(|| Error::NoSuchPerson(format!("number {}", person.0)))?;
        let dir = self.dir(&uid);
        if !self.has_catalog(person, &dir)? {
            if made {
                return Err(Error::Corrupt(format!("the catalog of {} is gone", dir.display())));
            }
            // A crash came between naming the person and making the tree: make it now.
            self.make_tree(person, &uid, &self.root.unwrap(&uid, &wrapped)?, 0)?;
        }
        let (catalog, key) = self.open_catalog(person, &dir, &uid, &wrapped, next.as_deref())?;
        let keys = catalog.reading(|tx| ring(tx, person, &key))?;
        Ok(Arc::new(Store::new(catalog, person, dir.join("packs"), keys, self.env.clone())))
    }

    /// Bytes; 0 for no limit.
    pub fn set_quota(&self, person: PersonId, quota: u64) -> Result<()> {
        let store = self.open_store(person)?;
        store.catalog.writing(|tx| {
            tx.execute("UPDATE head SET quota = ?2 WHERE person = ?1", &[person.0.into(), (quota as i64).into()])?;
            Ok(())
        })
    }

    /// A PHC string. [`crate::Access::set_password`] also tells the ledger, and ends sessions.
    pub fn set_password(&self, person: PersonId, hash: &str) -> Result<()> {
        self.catalog.writing(|tx| {
            tx.execute("UPDATE person SET password = ?2 WHERE person = ?1", &[person.0.into(), hash.into()])?;
            Ok(())
        })
    }

    /// Destroys the person's key first, then their files: from then on nothing of theirs can be read. Answers whether the
    /// key is gone from the catalog's log too; if not, somebody was reading, and a clean stop will take it away.
    pub fn remove_person(&self, person: &Person) -> Result<bool> {
        let (now, dir) = (self.env.now().0, self.dir(&person.uid));
        if mutant("files-before-key") {
            std::fs::remove_dir_all(&dir).map_err(Error::io(format!("deleting {}", dir.display())))?;
        }
        self.catalog.writing(|tx| {
            let sql = "SELECT COUNT(*), COUNT(CASE WHEN admin = 1 THEN 1 END) FROM person WHERE removed IS NULL AND person <> ?1";
            let others = tx.first(sql, &[person.id.0.into()], |r| Ok((r.int(0)?, r.int(1)?)))?.unwrap_or((0, 0));
            if others.0 > 0 && others.1 == 0 {
                return Err(Error::Forbidden("this is the only admin here; make somebody else one first"));
            }
            tx.execute("UPDATE person SET removed = ?2, wrapped = NULL, next = NULL, password = NULL WHERE person = ?1", &[person.id.0.into(), now.into()])?;
            proofs::remove(tx, person.id)
        })?;
        let shredded = self.catalog.settle()?;
        self.drop_rows(person.id)?;
        match std::fs::remove_dir_all(&dir) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(format!("deleting {}", dir.display()))(e)),
            _ => Ok(shredded),
        }
    }

    /// Deletes what an interrupted removal of a person left; answers how many people left something.
    pub fn sweep_removed(&self) -> Result<u64> {
        let sql = "SELECT person, uid FROM person WHERE removed IS NOT NULL";
        let removed = self.catalog.reading(|tx| tx.all(sql, &[], |r| Ok((PersonId(r.int(0)?), uid(r.blob(1)?)?))))?;
        let mut swept = 0;
        for (person, uid) in removed {
            let (dropped, dir) = (self.drop_rows(person)?, self.dir(&uid));
            if dir.exists() {
                std::fs::remove_dir_all(&dir).map_err(Error::io(format!("deleting {}", dir.display())))?;
            } else if !dropped {
                continue;
            }
            swept += 1;
        }
        Ok(swept)
    }

    /// A secret of the host itself, like the key of its certificate.
    pub fn secret(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let kept = self.catalog.reading(|tx| tx.first("SELECT value FROM secret WHERE name = ?1", &[name.into()], |r| Ok(r.blob(0)?.to_vec())))?;
        kept.map(|kept| self.open_secret(name, kept)).transpose()
    }

    pub fn set_secret(&self, name: &str, value: &[u8]) -> Result<()> {
        let sql = "INSERT INTO secret (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let kept = self.seal_secret(name, value);
        self.catalog.writing(|tx| tx.execute(sql, &[name.into(), kept[..].into()]).map(|_| ()))
    }

    /// See [`Catalog::settle`]; for the host's own catalog.
    pub(crate) fn settle(&self) -> Result<bool> {
        self.catalog.settle()
    }

    /// What the engine finds wrong with the host's own catalog.
    pub fn verify(&self) -> Result<Vec<String>> {
        self.catalog.verify()
    }
}

/// Whether a person may have this name at all.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if name.is_empty() || name.len() > 64 || !plain(name.as_bytes()[0]) || !name.bytes().all(|b| plain(b) || b"._-".contains(&b)) {
        return Err(Error::Invalid(format!("\"{name}\" is no name for a person: use 1 to 64 of a-z, 0-9, . _ -, beginning with a letter or digit")));
    }
    Ok(())
}

/// The keys that the catalog, opened with `key`, tells of.
fn ring(tx: &dyn Tx, person: PersonId, key: &PersonKey) -> Result<KeyRing> {
    let key32 = |bytes: &[u8]| bytes32(bytes).map(Key::from_bytes);
    let epoch = |n: i64| u32::try_from(n).map_err(|_| Error::Corrupt("a key's epoch is out of range".into()));
    let sql = "SELECT epoch, names FROM head WHERE person = ?1";
    let head = tx.first(sql, &[person.0.into()], |r| Ok((epoch(r.int(0)?)?, r.opt_blob(1)?.map(key32).transpose()?)))?;
    let Some((newest, Some(names))) = head else { return Ok(KeyRing::first(key.clone())) };
    let sql = "SELECT epoch, key FROM earlier_key WHERE person = ?1";
    let earlier = tx.all(sql, &[person.0.into()], |r| Ok((epoch(r.int(0)?)?, PersonKey::from_key(key32(r.blob(1)?)?))))?;
    Ok(KeyRing::changed(key.clone(), newest, earlier, names))
}

fn is_taken(tx: &dyn Tx, name: &str) -> Result<bool> {
    Ok(tx.first("SELECT 1 FROM person WHERE name = ?1 AND removed IS NULL", &[name.into()], |_| Ok(()))?.is_some())
}

fn uid(bytes: &[u8]) -> Result<[u8; 16]> {
    bytes.try_into().map_err(|_| Error::Corrupt("a person's uid is not 16 bytes".into()))
}

fn person_row(r: &dyn Row) -> Result<Person> {
    Ok(Person { id: PersonId(r.int(0)?), uid: uid(r.blob(1)?)?, name: r.text(2)?.to_owned(), created: Timestamp(r.int(3)?), admin: r.int(4)? == 1 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{self, Page};
    use crate::store::sqlite::{Deleted, Sqlite};

    #[test]
    fn app_passwords_of_before_the_ledger_become_parties() {
        let dir = tempfile::tempdir().unwrap();
        let env = Env::fixed();
        let root = RootKey { key: Key::from_bytes([7; 32]), epoch: 1 };
        let before: Arc<dyn Catalog> =
            Arc::new(Sqlite::open(&dir.path().join("holm.db"), &root.catalog_key(), true, Deleted::Overwritten, &HOST_SCHEMA[..1]).unwrap());
        let wrapped = root.wrap(&env, &[5; 16], &PersonKey::from_key(Key::from_bytes([6; 32])));
        before
            .writing(|tx| {
                let sql = "INSERT INTO person (person, uid, name, wrapped, epoch, created, made) VALUES (1, ?1, 'ann', ?2, 1, 0, 0)";
                tx.execute(sql, &[[5; 16][..].into(), wrapped[..].into()])?;
                for (id, scope, writes) in [(1, "/", 1), (2, "/photos", 0)] {
                    let sql = "INSERT INTO app_password (person, id, name, hash, scope, writes, created) VALUES (1, ?1, 'phone', ?2, ?3, ?4, 0)";
                    tx.execute(sql, &[id.into(), [id as u8; 32][..].into(), scope.into(), writes.into()])?;
                }
                Ok(())
            })
            .unwrap();
        drop(before);
        for _ in 0..2 {
            let host = Host::open(dir.path(), root.clone(), env.clone()).unwrap();
            let store = host.open_store(PersonId(1)).unwrap();
            let may = |hash: u8, path: &str| {
                let party = host.proof(CredentialKind::AppPassword, &[hash; 32]).unwrap().unwrap().party;
                let rights = store.catalog.reading(|tx| ledger::rights(tx, party.person, party.id)).unwrap();
                let path = crate::name::Path::parse(path).unwrap();
                crate::Ability::ALL.into_iter().filter(|a| rights.allows(*a, &path, env.now())).count()
            };
            assert_eq!((may(1, "/x"), may(2, "/x"), may(2, "/photos/x")), (4, 0, 1));
            assert_eq!(store.catalog.reading(|tx| ledger::parties(tx, PersonId(1), Page::ALL)).unwrap().len(), 2, "once");
        }
    }
}
