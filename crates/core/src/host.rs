//! The host's own facts: who lives here, and the credentials they made. Holds each person's wrapped key; the root key
//! that opens them is handed in. Passwords and secrets come here already hashed (`auth` does that).

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use crate::env::{Env, Timestamp};
use crate::error::{Error, Result};
use crate::keys::{Key, PersonKey, RootKey};
use crate::name::Path;
use crate::party::{Grant, Party, PersonId};
use crate::store::catalog::{Catalog, Row};
use crate::store::content::Store;
use crate::store::sqlite::{Sqlite, sync_dir};
use crate::tree::entry::{ROOT, TRASH};

const HOST_SCHEMA: &[&str] = &[include_str!("store/schema/host.sql")];
const PERSON_SCHEMA: &[&str] = &[include_str!("store/schema/person.sql"), include_str!("store/schema/person_2.sql")];
/// Ids below this are the tree's own.
const FIRST_ID: i64 = 16;

pub struct Host {
    data: PathBuf,
    root: RootKey,
    env: Env,
    catalog: Arc<dyn Catalog>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    pub uid: [u8; 16],
    pub name: String,
    pub created: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPassword {
    pub id: i64,
    pub name: String,
    pub grant: Grant,
    pub created: Timestamp,
    pub used: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
}

impl Host {
    /// Opens the data directory, making it where there is none.
    pub fn open(data: &FsPath, root: RootKey, env: Env) -> Result<Host> {
        let make = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data.join("people"));
        make.map_err(Error::io(format!("creating {}", data.display())))?;
        let people = || std::fs::read_dir(data.join("people")).is_ok_and(|mut all| all.next().is_some());
        if !data.join("holm.db").exists() && people() {
            return Err(Error::Corrupt(format!("{} is gone, and people's data is beside it", data.join("holm.db").display())));
        }
        let catalog = Sqlite::open(&data.join("holm.db"), &root.catalog_key(), true, HOST_SCHEMA).map_err(|e| match e {
            Error::Key(_) => Error::Key("the root key is not the one this data directory was made with"),
            e => e,
        })?;
        Ok(Host { data: data.into(), root, env, catalog: Arc::new(catalog) })
    }

    fn dir(&self, uid: &[u8; 16]) -> PathBuf {
        let hex: String = uid.iter().map(|b| format!("{b:02x}")).collect();
        self.data.join("people").join(hex)
    }

    pub fn people(&self) -> Result<Vec<Person>> {
        let sql = "SELECT person, uid, name, created FROM person WHERE removed IS NULL ORDER BY name";
        self.catalog.reading(|tx| tx.all(sql, &[], person_row))
    }

    pub fn person(&self, name: &str) -> Result<Person> {
        let sql = "SELECT person, uid, name, created FROM person WHERE name = ?1 AND removed IS NULL";
        self.catalog.reading(|tx| tx.first(sql, &[name.into()], person_row))?.ok_or_else(|| Error::NoSuchPerson(name.to_owned()))
    }

    pub fn person_name(&self, id: PersonId) -> Result<Option<String>> {
        let sql = "SELECT name FROM person WHERE person = ?1 AND removed IS NULL";
        self.catalog.reading(|tx| tx.first(sql, &[id.0.into()], |r| Ok(r.text(0)?.to_owned())))
    }

    /// Makes a person with an empty tree. Names are 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or digit.
    pub fn add_person(&self, name: &str, password: Option<&str>, quota: u64) -> Result<Person> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if name.is_empty() || name.len() > 64 || !plain(name.as_bytes()[0]) || !name.bytes().all(|b| plain(b) || b"._-".contains(&b)) {
            return Err(Error::Invalid(format!("\"{name}\" is no name for a person: use 1 to 64 of a-z, 0-9, . _ -, beginning with a letter or digit")));
        }
        let taken = || Error::Invalid(format!("a person is called \"{name}\" already"));
        let uid: [u8; 16] = self.env.random();
        let key = PersonKey::from_key(Key::random(&self.env));
        let wrapped = self.root.wrap(&self.env, &uid, &key);
        let now = self.env.now();
        // Refused here, before anything is made on disk, unless the name is free.
        let id = self.catalog.writing(|tx| {
            if tx.first("SELECT 1 FROM person WHERE name = ?1 AND removed IS NULL", &[name.into()], |_| Ok(()))?.is_some() {
                return Err(taken());
            }
            let id = tx.first("SELECT COALESCE(MAX(person), 0) + 1 FROM person", &[], |r| r.int(0))?.unwrap_or(1);
            let sql = "INSERT INTO person (person, uid, name, wrapped, epoch, password, created, made) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)";
            let epoch = i64::from(self.root.epoch);
            tx.execute(sql, &[id.into(), uid[..].into(), name.into(), wrapped[..].into(), epoch.into(), password.into(), now.0.into()])?;
            Ok(PersonId(id))
        })?;
        self.make_tree(id, &uid, &key, quota)?;
        Ok(Person { id, uid, name: name.to_owned(), created: now })
    }

    fn make_tree(&self, person: PersonId, uid: &[u8; 16], key: &PersonKey, quota: u64) -> Result<()> {
        let dir = self.dir(uid);
        std::fs::create_dir_all(dir.join("packs")).map_err(Error::io(format!("creating {}", dir.display())))?;
        let catalog: Arc<dyn Catalog> = Arc::new(Sqlite::open(&dir.join("catalog.db"), &key.catalog(), true, PERSON_SCHEMA)?);
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
        let sql = "SELECT uid, wrapped, made FROM person WHERE person = ?1 AND removed IS NULL";
        let (uid, wrapped, made) = self
            .catalog
            .reading(|tx| tx.first(sql, &[person.0.into()], |r| Ok((uid(r.blob(0)?)?, r.blob(1)?.to_vec(), r.int(2)? == 1))))?
            .ok_or_else(|| Error::NoSuchPerson(format!("number {}", person.0)))?;
        let key = self.root.unwrap(&uid, &wrapped)?;
        let dir = self.dir(&uid);
        if !dir.join("catalog.db").exists() {
            if made {
                return Err(Error::Corrupt(format!("{} is gone", dir.join("catalog.db").display())));
            }
            // A crash came between naming the person and making the tree: make it now.
            self.make_tree(person, &uid, &key, 0)?;
        }
        let catalog = Arc::new(Sqlite::open(&dir.join("catalog.db"), &key.catalog(), false, PERSON_SCHEMA)?);
        Ok(Arc::new(Store::new(catalog, person, dir.join("packs"), key, self.env.clone())))
    }

    /// Bytes; 0 for no limit.
    pub fn set_quota(&self, person: PersonId, quota: u64) -> Result<()> {
        let store = self.open_store(person)?;
        store.catalog.writing(|tx| {
            tx.execute("UPDATE head SET quota = ?2 WHERE person = ?1", &[person.0.into(), (quota as i64).into()])?;
            Ok(())
        })
    }

    pub fn set_password(&self, person: PersonId, hash: &str) -> Result<()> {
        self.catalog.writing(|tx| {
            tx.execute("UPDATE person SET password = ?2 WHERE person = ?1", &[person.0.into(), hash.into()])?;
            Ok(())
        })
    }

    /// Destroys the person's key first, then their files: from then on nothing of theirs can be read.
    pub fn remove_person(&self, person: &Person) -> Result<()> {
        let now = self.env.now().0;
        self.catalog.writing(|tx| {
            tx.execute("UPDATE person SET removed = ?2, wrapped = NULL, password = NULL WHERE person = ?1", &[person.id.0.into(), now.into()])?;
            tx.execute("DELETE FROM app_password WHERE person = ?1", &[person.id.0.into()])?;
            Ok(())
        })?;
        let dir = self.dir(&person.uid);
        std::fs::remove_dir_all(&dir).map_err(Error::io(format!("deleting {}", dir.display())))
    }

    /// Deletes what an interrupted removal of a person left; answers how many directories went.
    pub fn sweep_removed(&self) -> Result<u64> {
        let removed = self.catalog.reading(|tx| tx.all("SELECT uid FROM person WHERE removed IS NOT NULL", &[], |r| uid(r.blob(0)?)))?;
        let mut swept = 0;
        for dir in removed.iter().map(|uid| self.dir(uid)).filter(|dir| dir.exists()) {
            std::fs::remove_dir_all(&dir).map_err(Error::io(format!("deleting {}", dir.display())))?;
            swept += 1;
        }
        Ok(swept)
    }

    /// A secret of the host itself, like the key of its certificate.
    pub fn secret(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.catalog.reading(|tx| tx.first("SELECT value FROM secret WHERE name = ?1", &[name.into()], |r| Ok(r.blob(0)?.to_vec())))
    }

    pub fn set_secret(&self, name: &str, value: &[u8]) -> Result<()> {
        let sql = "INSERT INTO secret (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.catalog.writing(|tx| tx.execute(sql, &[name.into(), value.into()]).map(|_| ()))
    }

    /// See [`Catalog::settle`]; for the host's own catalog.
    pub(crate) fn settle(&self) -> Result<()> {
        self.catalog.settle()
    }

    /// What the engine finds wrong with the host's own catalog.
    pub fn verify(&self) -> Result<Vec<String>> {
        self.catalog.verify()
    }

    pub fn add_app_password(&self, person: PersonId, name: &str, hash: &[u8; 32], grant: &Grant) -> Result<i64> {
        if name.is_empty() || name.len() > 255 || name.chars().any(char::is_control) {
            return Err(Error::Invalid("an app password's name is 1 to 255 bytes without control characters".into()));
        }
        let now = self.env.now().0;
        let scope = grant.scope.to_string();
        self.catalog.writing(|tx| {
            let newest = "SELECT COALESCE(MAX(id), 0) + 1 FROM app_password WHERE person = ?1";
            let id = tx.first(newest, &[person.0.into()], |r| r.int(0))?.unwrap_or(1);
            let sql = "INSERT INTO app_password (person, id, name, hash, scope, writes, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let writes = i64::from(grant.write);
            tx.execute(sql, &[person.0.into(), id.into(), name.into(), hash[..].into(), scope.as_str().into(), writes.into(), now.into()])?;
            Ok(id)
        })
    }

    pub fn app_passwords(&self, person: PersonId) -> Result<Vec<AppPassword>> {
        let sql = "SELECT id, name, scope, writes, created, used, revoked FROM app_password WHERE person = ?1 ORDER BY id";
        self.catalog.reading(|tx| {
            tx.all(sql, &[person.0.into()], |r| {
                Ok(AppPassword {
                    id: r.int(0)?,
                    name: r.text(1)?.to_owned(),
                    grant: Grant { scope: Path::parse(r.text(2)?)?, write: r.int(3)? == 1 },
                    created: Timestamp(r.int(4)?),
                    used: r.opt_int(5)?.map(Timestamp),
                    revoked: r.opt_int(6)?.map(Timestamp),
                })
            })
        })
    }

    /// Answers whether there was one to revoke.
    pub fn revoke_app_password(&self, person: PersonId, id: i64) -> Result<bool> {
        let now = self.env.now().0;
        self.catalog.writing(|tx| {
            let sql = "UPDATE app_password SET revoked = ?3 WHERE person = ?1 AND id = ?2 AND revoked IS NULL";
            Ok(tx.execute(sql, &[person.0.into(), id.into(), now.into()])? == 1)
        })
    }

    /// Whether a credential that was proven a while ago still holds.
    pub(crate) fn still_holds(&self, person: PersonId, credential: i64) -> Result<bool> {
        let sql = "SELECT 1 FROM app_password a JOIN person p ON p.person = a.person AND p.removed IS NULL
            WHERE a.person = ?1 AND a.id = ?2 AND a.revoked IS NULL";
        self.catalog.reading(|tx| Ok(tx.first(sql, &[person.0.into(), credential.into()], |_| Ok(()))?.is_some()))
    }

    /// The party that a secret with this hash proves, and the person's name.
    pub fn party_of(&self, hash: &[u8; 32]) -> Result<Option<(Party, String)>> {
        let sql = "SELECT a.person, a.id, a.name, a.scope, a.writes, p.name FROM app_password a
            JOIN person p ON p.person = a.person AND p.removed IS NULL WHERE a.hash = ?1 AND a.revoked IS NULL";
        self.catalog.reading(|tx| {
            tx.first(sql, &[hash[..].into()], |r| {
                let grant = Grant { scope: Path::parse(r.text(3)?)?, write: r.int(4)? == 1 };
                let party = Party { person: PersonId(r.int(0)?), credential: r.int(1)?, label: r.text(2)?.to_owned(), grant };
                Ok((party, r.text(5)?.to_owned()))
            })
        })
    }

    /// Records when app passwords were last used; kept in memory by `auth` between calls.
    pub fn note_uses(&self, uses: &[(PersonId, i64, Timestamp)]) -> Result<()> {
        self.catalog.writing(|tx| {
            for (person, id, at) in uses {
                let sql = "UPDATE app_password SET used = ?3 WHERE person = ?1 AND id = ?2";
                tx.execute(sql, &[person.0.into(), (*id).into(), at.0.into()])?;
            }
            Ok(())
        })
    }
}

fn uid(bytes: &[u8]) -> Result<[u8; 16]> {
    bytes.try_into().map_err(|_| Error::Corrupt("a person's uid is not 16 bytes".into()))
}

fn person_row(r: &dyn Row) -> Result<Person> {
    Ok(Person { id: PersonId(r.int(0)?), uid: uid(r.blob(1)?)?, name: r.text(2)?.to_owned(), created: Timestamp(r.int(3)?) })
}
