//! The access log: which party did what with which node, by which protocol and from where. What is the same within an
//! hour is one row that counts. Rows wait in memory for the next commit, or a second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard};

use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::name::Path;
use crate::party::{Party, PartyId, PersonId};
use crate::store::catalog::{Row, Tx};
use crate::tree::entry;

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Act {
    /// Saw what is there: a listing, properties, what changed.
    Look = 1,
    /// Read content.
    Read = 2,
    Change = 3,
}

impl Act {
    pub fn name(self) -> &'static str {
        match self {
            Act::Look => "look",
            Act::Read => "read",
            Act::Change => "change",
        }
    }

    fn from_int(n: i64) -> Result<Act> {
        [Act::Look, Act::Read, Act::Change].into_iter().find(|a| *a as i64 == n).ok_or_else(|| Error::Corrupt(format!("act {n} in the access log")))
    }
}

/// How a party came in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Via {
    /// The protocol's name: "webdav", "command line".
    pub protocol: &'static str,
    pub address: Option<IpAddr>,
}

impl Via {
    /// At this machine's command line.
    pub const HERE: Via = Via { protocol: "command line", address: None };
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Same {
    party: PartyId,
    credential: i64,
    via: Via,
    act: Act,
    refused: bool,
    /// 0 where it was not looked up.
    entry: i64,
    /// Only without an entry: else that tells.
    path: Option<String>,
}

/// What one row says beside that.
struct Times {
    path: String,
    first: Timestamp,
    last: Timestamp,
    times: i64,
}

/// What one row counts at most.
const TOGETHER: i64 = Timestamp::HOUR;
/// Rows that may wait; a party that does more in a second waits itself.
const WAITING: usize = 50_000;
/// Rows remembered, so that they may go on counting.
const RECENT: usize = 10_000;

/// Rows that are not in the catalog yet.
#[derive(Default)]
pub(super) struct Rows(HashMap<Same, Times>);

/// What was done in one open tree.
#[derive(Default)]
pub(super) struct Log {
    waiting: Mutex<Rows>,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    /// What a transaction took that is not known to be committed.
    taken: Rows,
    /// The rows written last, and when each began.
    recent: HashMap<Same, (i64, Timestamp)>,
    /// A transaction began that is not known to be committed.
    open: bool,
}

/// The log while a transaction writes it; there is one at a time.
pub(super) struct Writing<'l> {
    log: &'l Log,
    written: MutexGuard<'l, Written>,
}

/// One thing done.
pub(super) struct Deed<'a> {
    pub party: &'a Party,
    pub via: Via,
    pub act: Act,
    pub refused: bool,
    pub entry: i64,
    pub path: &'a Path,
    pub at: Timestamp,
}

impl Rows {
    pub fn note(&mut self, deed: &Deed<'_>) {
        let path = deed.path.to_string();
        let named = (deed.entry == 0).then(|| path.clone());
        let Deed { party, via, act, refused, entry, at, .. } = *deed;
        let same = Same { party: party.id, credential: party.credential, via, act, refused, entry, path: named };
        let times = self.0.entry(same).or_insert(Times { path, first: at, last: at, times: 0 });
        (times.last, times.times) = (at, times.times + 1);
    }

    fn extend(&mut self, more: Rows) {
        for (same, times) in more.0 {
            match self.0.get_mut(&same) {
                Some(known) => (known.last, known.times) = (times.last, known.times + times.times),
                None => drop(self.0.insert(same, times)),
            }
        }
    }
}

impl Log {
    /// # Errors
    /// [`Error::Busy`] where the log can not keep up.
    pub fn note(&self, deed: &Deed<'_>) -> Result<()> {
        let mut waiting = self.waiting.lock().expect("records that wait");
        if waiting.0.len() >= WAITING {
            return Err(Error::Busy);
        }
        waiting.note(deed);
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.lock().expect("records that wait").0.is_empty()
    }

    /// Begins a transaction that writes what waits.
    pub fn begin(&self) -> Writing<'_> {
        Writing { log: self, written: self.written.lock().expect("the log's writer") }
    }
}

impl Writing<'_> {
    /// Writes what waits, and `own`, what this transaction does itself. May be repeated, with the transaction.
    pub fn write(&mut self, tx: &dyn Tx, person: PersonId, own: &Rows) -> Result<()> {
        let Written { taken, recent, open } = &mut *self.written;
        if *open {
            // The rows of a transaction that was undone are not there, and others may have their numbers.
            recent.clear();
        }
        *open = true;
        if taken.0.len() < WAITING {
            taken.extend(std::mem::take(&mut *self.log.waiting.lock().expect("records that wait")));
        }
        if taken.0.is_empty() && own.0.is_empty() {
            return Ok(());
        }
        let newest = "SELECT COALESCE(MAX(id), 0) FROM access_record WHERE person = ?1";
        let mut id = tx.first(newest, &[person.0.into()], |r| r.int(0))?.unwrap_or(0);
        for (same, times) in taken.0.iter().chain(&own.0) {
            if let Some((row, began)) = recent.get(same)
                && (0..TOGETHER).contains(&(times.last.0 - began.0))
            {
                let sql = "UPDATE access_record SET last = ?3, times = times + ?4 WHERE person = ?1 AND id = ?2";
                if tx.execute(sql, &[person.0.into(), (*row).into(), times.last.0.into(), times.times.into()])? == 1 {
                    continue;
                }
            }
            id += 1;
            insert(tx, person, id, same, times)?;
            if recent.len() >= RECENT {
                recent.clear();
            }
            recent.insert(same.clone(), (id, times.first));
        }
        Ok(())
    }

    /// What was written is committed.
    pub fn done(mut self) {
        self.written.taken.0.clear();
        self.written.open = false;
    }
}

fn insert(tx: &dyn Tx, person: PersonId, id: i64, same: &Same, times: &Times) -> Result<()> {
    // What was refused says nothing of whether something is there, not by its time either: so it is looked up here.
    let entry = match same.entry {
        0 => entry::find(tx, person, &Path::parse(&times.path)?)?.map_or(0, |e| e.id),
        known => known,
    };
    let address = same.via.address.map(|a| a.to_string()).unwrap_or_default();
    let sql = "INSERT INTO access_record (person, id, party, credential, act, refused, entry, path, via, address, first, last, times)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let values = [
        person.0.into(),
        id.into(),
        same.party.0.into(),
        same.credential.into(),
        (same.act as i64).into(),
        i64::from(same.refused).into(),
        entry.into(),
        times.path.as_str().into(),
        same.via.protocol.into(),
        address.as_str().into(),
        times.first.0.into(),
        times.last.0.into(),
        times.times.into(),
    ];
    tx.execute(sql, &values).map(|_| ())
}

/// A row of the access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRecord {
    pub id: i64,
    pub party: PartyId,
    pub credential: i64,
    pub act: Act,
    pub refused: bool,
    /// 0 where nothing stood there.
    pub entry: i64,
    /// Where it was then.
    pub path: String,
    pub via: String,
    /// Empty where there is none.
    pub address: String,
    pub first: Timestamp,
    pub last: Timestamp,
    pub times: i64,
}

/// Which rows are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordFilter {
    pub entry: Option<i64>,
    pub party: Option<PartyId>,
    pub since: Timestamp,
    /// What began before this.
    pub until: Option<Timestamp>,
    /// Of the row that the page before ended with: its `last` and its number.
    pub before: Option<(Timestamp, i64)>,
}

impl RecordFilter {
    /// The newest `last` that may be, and the number it may have then. A row that began before `until` ends within an hour of
    /// it, so this reads little too much.
    fn newest(&self) -> (i64, i64) {
        let until = self.until.map_or(i64::MAX, |until| until.plus(2 * TOGETHER).0);
        self.before.map(|(last, id)| (last.0, id)).filter(|before| before.0 <= until).unwrap_or((until, i64::MAX))
    }
}

/// The newest rows first.
pub(super) fn find(tx: &dyn Tx, person: PersonId, filter: &RecordFilter, limit: usize) -> Result<Vec<AccessRecord>> {
    let row = |r: &dyn Row| {
        Ok(AccessRecord {
            id: r.int(0)?,
            party: PartyId(r.int(1)?),
            credential: r.int(2)?,
            act: Act::from_int(r.int(3)?)?,
            refused: r.int(4)? == 1,
            entry: r.int(5)?,
            path: r.text(6)?.to_owned(),
            via: r.text(7)?.to_owned(),
            address: r.text(8)?.to_owned(),
            first: Timestamp(r.int(9)?),
            last: Timestamp(r.int(10)?),
            times: r.int(11)?,
        })
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX).into();
    let (last, id) = filter.newest();
    let until = filter.until.map_or(i64::MAX, |until| until.0).into();
    let (person, since, last, id) = (person.0.into(), filter.since.0.into(), last.into(), id.into());
    // One text an index: an engine that must guess from OR guesses wrong.
    match (filter.entry, filter.party) {
        (Some(entry), None) => {
            let sql = "SELECT id, party, credential, act, refused, entry, path, via, address, first, last, times FROM access_record
                WHERE person = ?1 AND entry = ?7 AND last BETWEEN ?2 AND ?3 AND (last < ?3 OR id < ?4) AND first < ?5
                ORDER BY last DESC, id DESC LIMIT ?6";
            tx.all(sql, &[person, since, last, id, until, limit, entry.into()], row)
        }
        // Their numbers from the index first, which knows both: of a node that many use, few rows are this party's. Those are looked
        // up and put in order; as it stands, no index offers itself for the order and has all rows of the week looked at.
        (Some(entry), Some(party)) => {
            let sql = "SELECT id, party, credential, act, refused, entry, path, via, address, first, last, times FROM access_record
                WHERE person = ?1 AND id IN (SELECT id FROM access_record WHERE person = ?1 AND entry = ?7 AND party = ?8 AND last BETWEEN ?2 AND ?3)
                AND (last < ?3 OR id < ?4) AND first < ?5 ORDER BY last + 0 DESC, id DESC LIMIT ?6";
            tx.all(sql, &[person, since, last, id, until, limit, entry.into(), party.0.into()], row)
        }
        (None, Some(party)) => {
            let sql = "SELECT id, party, credential, act, refused, entry, path, via, address, first, last, times FROM access_record
                WHERE person = ?1 AND party = ?7 AND last BETWEEN ?2 AND ?3 AND (last < ?3 OR id < ?4) AND first < ?5
                ORDER BY last DESC, id DESC LIMIT ?6";
            tx.all(sql, &[person, since, last, id, until, limit, party.0.into()], row)
        }
        (None, None) => {
            let sql = "SELECT id, party, credential, act, refused, entry, path, via, address, first, last, times FROM access_record
                WHERE person = ?1 AND last BETWEEN ?2 AND ?3 AND (last < ?3 OR id < ?4) AND first < ?5
                ORDER BY last DESC, id DESC LIMIT ?6";
            tx.all(sql, &[person, since, last, id, until, limit], row)
        }
    }
}
