//! A host in a directory of the test's own, with a clock and dice that the test holds.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use holm_core::{
    Access, Change, Clock, Content, Entropy, Env, Error, Gate, Host, Key, Party, Path, PersonId, Place, Precondition, RootKey, Rules, Timestamp, Upkeep, Via,
};

pub fn noise(seed: u64, size: usize) -> Vec<u8> {
    let dice = Dice::new(seed);
    (0..size).map(|_| dice.next() as u8).collect()
}

pub fn put(access: &Access, name: &str, bytes: &[u8]) {
    try_put(access, name, bytes).unwrap();
}

pub fn try_put(access: &Access, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let path = Path::parse(name)?;
    let mut writer = access.upload(&path, None)?;
    bytes.chunks(100_000).try_for_each(|b| writer.write(b))?;
    let content = writer.finish()?;
    access.commit_blocking(Change::Put { path, content, media_type: None, modified: None }, Precondition::default()).map(|_| ())
}

/// A small generator: what it gives is decided by its seed.
pub struct Dice(AtomicU64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    pub fn next(&self) -> u64 {
        let mut x = self.0.load(Ordering::SeqCst);
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0.store(x, Ordering::SeqCst);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    pub fn below(&self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|b| *b = self.next() as u8);
    }
}

pub struct Hands(pub AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// A schema of the test's own in the database that `HOLM_TEST_CATALOG` names, if it names one: then all that goes through [`World`]
/// is tried on the shared engine.
pub struct Database {
    server: String,
    schema: String,
}

impl Database {
    pub fn chosen() -> Option<Database> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let server = std::env::var("HOLM_TEST_CATALOG").ok().filter(|url| !url.is_empty())?;
        let schema = format!("holm_core_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        let database = Database { server, schema };
        database.sql(&format!("CREATE SCHEMA {}", database.schema));
        Some(database)
    }

    pub fn url(&self) -> String {
        format!("{}?options=-c%20search_path%3D{}", self.server, self.schema)
    }

    pub fn sql(&self, sql: &str) {
        let done = Command::new("psql").args(["-qX", "-v", "ON_ERROR_STOP=1", "-d", &self.server, "-c", sql]).output().expect("psql");
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.sql(&format!("SET client_min_messages = error; DROP SCHEMA {} CASCADE", self.schema));
    }
}

/// Whether catalogs are in a database, and the test, which looks at files, has nothing to look at.
pub fn shared() -> bool {
    std::env::var_os("HOLM_TEST_CATALOG").is_some_and(|url| !url.is_empty())
}

pub struct World {
    pub dir: tempfile::TempDir,
    pub gate: Gate,
    pub person: PersonId,
    clock: Arc<Hands>,
    env: Env,
    /// The last to go.
    database: Option<Database>,
}

pub fn root() -> RootKey {
    RootKey { key: Key::from_bytes([7; 32]), epoch: 1 }
}

impl World {
    pub fn new(seed: u64, quota: u64) -> World {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hands(AtomicI64::new(1_000_000_000_000)));
        let env = Env { clock: clock.clone(), entropy: Arc::new(Dice::new(seed)) };
        let database = Database::chosen();
        let place = Place { data: dir.path().into(), catalog: database.as_ref().map(Database::url) };
        Host::migrate(&place, &env).unwrap();
        let host = Arc::new(Host::open(place, root(), env.clone()).unwrap());
        let person = host.add_person("ann", None, quota).unwrap().id;
        World { gate: Gate::new(host, env.clone()), dir, person, clock, env, database }
    }

    /// Lets time pass, in hours.
    pub fn wait(&self, hours: i64) {
        self.pass(hours * Timestamp::HOUR);
    }

    /// The same, in milliseconds.
    pub fn pass(&self, millis: i64) {
        self.clock.0.fetch_add(millis, Ordering::SeqCst);
    }

    pub fn now(&self) -> Timestamp {
        self.env.now()
    }

    pub fn place(&self) -> Place {
        Place { data: self.dir.path().into(), catalog: self.database.as_ref().map(Database::url) }
    }

    /// Another process that has the same open, as far as it can be told from within.
    pub fn beside(&self) -> Gate {
        Gate::new(Arc::new(Host::open(self.place(), root(), self.env.clone()).unwrap()), self.env.clone())
    }

    pub fn env(&self) -> Env {
        self.env.clone()
    }

    pub fn access(&self) -> Access {
        self.admitted().unwrap()
    }

    fn admitted(&self) -> Result<Access, Error> {
        self.gate.admit(Party::operator(self.person).into(), Via::HERE)
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        put(&self.access(), name, bytes);
    }

    pub fn get(&self, name: &str) -> Result<Vec<u8>, Error> {
        let access = self.admitted()?;
        let (_, content) = access.open(&Path::parse(name)?)?;
        let cut = match content {
            Content::Inline(bytes) => return Ok(bytes),
            Content::Chunked(cut) => cut,
        };
        let mut out = Vec::new();
        while (out.len() as u64) < cut.size() {
            access.read_some(&cut, out.len() as u64, cut.size(), &mut out)?;
        }
        Ok(out)
    }

    /// To the trash, and out of it for good.
    pub fn purge(&self, name: &str) {
        let access = self.access();
        let commit = |change| access.commit_blocking(change, Precondition::default()).unwrap();
        commit(Change::Remove { path: Path::parse(name).unwrap() });
        let entry = access.trash().unwrap().iter().find(|t| t.place == name).unwrap().entry;
        commit(Change::Purge { entry });
    }

    fn kept(&self) -> std::path::PathBuf {
        std::fs::read_dir(self.dir.path().join("people")).unwrap().next().unwrap().unwrap().path()
    }

    pub fn catalog(&self) -> std::path::PathBuf {
        self.kept().join("catalog.db")
    }

    pub fn packs(&self) -> Vec<std::path::PathBuf> {
        std::fs::read_dir(self.kept().join("packs")).unwrap().map(|e| e.unwrap().path()).collect()
    }

    pub fn keep_up(&self, grace_hours: i64) -> Upkeep {
        let rules = Rules { grace: grace_hours * Timestamp::HOUR, ..Rules::default() };
        let done = self.gate.keep_up(self.person, &rules).unwrap();
        self.assert_whole();
        done
    }

    #[track_caller]
    pub fn assert_whole(&self) {
        assert_eq!(self.gate.check(self.person, true).unwrap().problems, Vec::<String>::new());
    }

    /// The same data, opened anew.
    pub fn reopened(self) -> World {
        World { gate: self.beside(), ..self }
    }
}
