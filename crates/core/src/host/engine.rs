//! Which engine keeps the catalogs: embedded, a file for the host and one for each person; or shared, one database for all of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{HOST_SCHEMA, Host, PERSON_SCHEMA};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::keys::{PersonKey, RootKey};
use crate::party::PersonId;
use crate::store::catalog::Catalog;
use crate::store::postgres::{Pool, Postgres, migrate};
use crate::store::seal;
use crate::store::sqlite::{Deleted, Sqlite};

/// Where everything is kept.
#[derive(Clone, Debug)]
pub struct Place {
    /// The directory of packs, and of catalogs that are files.
    pub data: PathBuf,
    /// The address of the database that has the catalogs, `postgres://…`; None: they are files.
    pub catalog: Option<String>,
}

impl From<&Path> for Place {
    fn from(data: &Path) -> Place {
        Place { data: data.into(), catalog: None }
    }
}

/// What a migration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Scripts applied.
    pub scripts: u64,
    /// No root key has opened the database yet.
    pub fresh: bool,
}

pub(super) enum Engine {
    Embedded,
    Shared(Arc<Pool>),
}

/// Scripts that are counted together.
const PARTS: [(&str, &[&str]); 2] = [("host", HOST_SCHEMA), ("person", PERSON_SCHEMA)];
/// The secret that tells whether a root key is the right one, where the catalog is not sealed under it.
const PROBE: &str = "root key";
/// What a removed person leaves in the database, `head` last: as long as that is there, there is more to delete.
const LEFT: &[&str] = &[
    "DELETE FROM item WHERE person = ?1",
    "DELETE FROM entry WHERE person = ?1",
    "DELETE FROM version WHERE person = ?1",
    "DELETE FROM trash WHERE person = ?1",
    "DELETE FROM prop WHERE person = ?1",
    "DELETE FROM lock WHERE person = ?1",
    "DELETE FROM journal WHERE person = ?1",
    "DELETE FROM content WHERE person = ?1",
    "DELETE FROM part WHERE person = ?1",
    "DELETE FROM chunk WHERE person = ?1",
    "DELETE FROM pack WHERE person = ?1",
    "DELETE FROM ledger WHERE person = ?1",
    "DELETE FROM party WHERE person = ?1",
    "DELETE FROM granted WHERE person = ?1",
    "DELETE FROM access_record WHERE person = ?1",
    "DELETE FROM earlier_key WHERE person = ?1",
    "DELETE FROM upload WHERE person = ?1",
    "DELETE FROM head WHERE person = ?1",
];

impl Engine {
    pub fn new(catalog: Option<&str>, env: &Env) -> Result<Engine> {
        Ok(match catalog {
            None => Engine::Embedded,
            Some(url) => Engine::Shared(Arc::new(Pool::new(url, env.clone())?)),
        })
    }

    /// The host's own catalog.
    pub fn host(&self, data: &Path, root: &RootKey, env: &Env) -> Result<Arc<dyn Catalog>> {
        let wrong = || Error::Key("the root key is not the one this data was made with");
        let file = data.join("holm.db");
        match self {
            Engine::Embedded => {
                let people = || std::fs::read_dir(data.join("people")).is_ok_and(|mut all| all.next().is_some());
                if !file.exists() && people() {
                    return Err(Error::Corrupt(format!("{} is gone, and people's data is beside it", file.display())));
                }
                let catalog = Sqlite::open(&file, &root.catalog_key(), true, Deleted::Overwritten, HOST_SCHEMA);
                Ok(Arc::new(catalog.map_err(|e| if matches!(e, Error::Key(_)) { wrong() } else { e })?))
            }
            Engine::Shared(_) if file.exists() => {
                Err(Error::Invalid(format!("{} keeps catalogs in files already: the database needs a data directory of its own", data.display())))
            }
            Engine::Shared(pool) => {
                pool.check(&PARTS)?;
                let catalog: Arc<dyn Catalog> = Arc::new(Postgres::host(pool.clone()));
                let kept = catalog.reading(|tx| tx.first("SELECT value FROM secret WHERE name = ?1", &[PROBE.into()], |r| Ok(r.blob(0)?.to_vec())))?;
                let kept = match kept {
                    Some(kept) => kept,
                    None => {
                        let fresh = seal::seal(env, &root.secrets(), root.epoch, PROBE.as_bytes(), b"holm");
                        catalog.writing(|tx| {
                            tx.execute("INSERT INTO secret (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING", &[PROBE.into(), fresh[..].into()])?;
                            Ok(tx.first("SELECT value FROM secret WHERE name = ?1", &[PROBE.into()], |r| Ok(r.blob(0)?.to_vec()))?.unwrap_or_default())
                        })?
                    }
                };
                seal::open(&root.secrets(), PROBE.as_bytes(), &kept).map(|_| catalog).ok_or_else(wrong)
            }
        }
    }
}

impl Host {
    /// Brings a database of catalogs up to date. Files are brought up to date when they are opened.
    pub fn migrate(place: &Place, env: &Env) -> Result<Migrated> {
        match Engine::new(place.catalog.as_deref(), env)? {
            Engine::Embedded => Ok(Migrated { scripts: 0, fresh: false }),
            Engine::Shared(pool) => {
                let scripts = migrate(&pool, &PARTS)?;
                let catalog: &dyn Catalog = &Postgres::host(pool);
                let known = catalog.reading(|tx| tx.first("SELECT 1 FROM secret WHERE name = ?1", &[PROBE.into()], |_| Ok(())))?;
                Ok(Migrated { scripts, fresh: known.is_none() })
            }
        }
    }

    /// Whether a person's catalog has been made.
    pub(super) fn has_catalog(&self, person: PersonId, dir: &Path) -> Result<bool> {
        match &self.engine {
            Engine::Embedded => Ok(dir.join("catalog.db").exists()),
            Engine::Shared(pool) => {
                let catalog: &dyn Catalog = &Postgres::of(pool.clone(), person);
                catalog.reading(|tx| Ok(tx.first("SELECT 1 FROM head WHERE person = ?1", &[person.0.into()], |_| Ok(()))?.is_some()))
            }
        }
    }

    /// A person's catalog, before anything is in it.
    pub(super) fn new_catalog(&self, person: PersonId, dir: &Path, key: &PersonKey) -> Result<Arc<dyn Catalog>> {
        Ok(match &self.engine {
            Engine::Embedded => Arc::new(Sqlite::open(&dir.join("catalog.db"), &key.catalog(), true, Deleted::Left, PERSON_SCHEMA)?),
            Engine::Shared(pool) => Arc::new(Postgres::of(pool.clone(), person)),
        })
    }

    /// Deletes what a removed person has in a database.
    pub(super) fn drop_rows(&self, person: PersonId) -> Result<bool> {
        let Engine::Shared(pool) = &self.engine else { return Ok(false) };
        if !self.has_catalog(person, &self.data)? {
            return Ok(false);
        }
        let catalog: &dyn Catalog = &Postgres::of(pool.clone(), person);
        for sql in LEFT {
            catalog.writing(|tx| tx.execute(sql, &[person.0.into()]))?;
        }
        Ok(true)
    }

    /// Keys are changed by files that take the places of others; nothing yet does so in a database.
    pub(super) fn only_files(&self) -> Result<()> {
        match self.engine {
            Engine::Embedded => Ok(()),
            Engine::Shared(_) => Err(Error::Forbidden("keys can not be changed yet where catalogs are in a database")),
        }
    }

    /// A secret as the catalog is to keep it.
    pub(super) fn seal_secret(&self, name: &str, value: &[u8]) -> Vec<u8> {
        if self.catalog.seals() { value.to_vec() } else { seal::seal(&self.env, &self.root.secrets(), self.root.epoch, name.as_bytes(), value) }
    }

    /// And back.
    pub(super) fn open_secret(&self, name: &str, kept: Vec<u8>) -> Result<Vec<u8>> {
        if self.catalog.seals() {
            return Ok(kept);
        }
        seal::open(&self.root.secrets(), name.as_bytes(), &kept).ok_or_else(|| Error::Corrupt(format!("the secret \"{name}\" does not authenticate")))
    }
}
