//! Applies one change inside a transaction: resolve, conditions, locks, quota, do, journal. Called by the writer
//! thread only; whoever may ask has been decided before.

use std::collections::BTreeMap;

use holm_pim::Facts;

use super::change::{Change, Done, Outcome};
use super::condition::{Precondition, Tags};
use super::entry::{self, Entry, Kind, TRASH};
use super::item;
use super::lock::Touch;
use super::prop::PropChange;
use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::journal::{Op, Record, Seq};
use crate::mutant::mutant;
use crate::name::{Name, Path};
use crate::party::{Ability, Party, PersonId};
use crate::store::catalog::{Row, Tx};
use crate::store::content::{NewContent, NewPart, Store};

/// A person's counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub seq: Seq,
    pub next_id: i64,
    pub used: u64,
    /// 0: no limit.
    pub quota: u64,
    /// By which time upkeep judges what is old.
    pub upkept: Timestamp,
}

impl Head {
    pub fn load(tx: &dyn Tx, person: PersonId) -> Result<Head> {
        tx.first("SELECT seq, next_id, used, quota, upkept FROM head WHERE person = ?1", &[person.0.into()], |row| {
            let (used, quota) = (row.int(2)? as u64, row.int(3)? as u64);
            Ok(Head { seq: Seq(row.int(0)?), next_id: row.int(1)?, used, quota, upkept: Timestamp(row.int(4)?) })
        })?
        .ok_or_else(|| Error::Corrupt("the catalog has no head".into()))
    }

    fn store(&self, tx: &dyn Tx, person: PersonId) -> Result<()> {
        let sql = "UPDATE head SET seq = ?2, next_id = ?3, used = ?4 WHERE person = ?1";
        tx.execute(sql, &[person.0.into(), self.seq.0.into(), self.next_id.into(), (self.used as i64).into()])?;
        Ok(())
    }
}

/// What the changes of one transaction share: counters and folder revisions are written once, at its end.
#[derive(Clone)]
pub struct Batch {
    pub head: Head,
    loaded: Head,
    touched: BTreeMap<i64, Seq>,
    /// The entry that the last journal record tells of.
    pub journaled: i64,
}

impl Batch {
    pub fn begin(tx: &dyn Tx, person: PersonId) -> Result<Batch> {
        let head = Head::load(tx, person)?;
        Ok(Batch { loaded: head.clone(), head, touched: BTreeMap::new(), journaled: 0 })
    }

    fn next_id(&mut self) -> i64 {
        let id = self.head.next_id;
        self.head.next_id += 1;
        id
    }

    fn flush_folders(&mut self, tx: &dyn Tx, person: PersonId) -> Result<()> {
        for (folder, seq) in std::mem::take(&mut self.touched) {
            let sql = "UPDATE entry SET seq = ?3 WHERE person = ?1 AND id = ?2";
            tx.execute(sql, &[person.0.into(), folder.into(), seq.0.into()])?;
        }
        Ok(())
    }

    pub fn finish(mut self, tx: &dyn Tx, person: PersonId) -> Result<()> {
        self.flush_folders(tx, person)?;
        if self.head == self.loaded { Ok(()) } else { self.head.store(tx, person) }
    }
}

/// The entries from the root towards a path.
pub(super) struct Chain {
    pub entries: Vec<Entry>,
    wanted: usize,
}

impl Chain {
    /// What stands at the path.
    pub fn target(&self) -> Option<&Entry> {
        self.entries.get(self.wanted)
    }

    /// The folder that holds, or would hold, the path.
    pub fn parent(&self, path: &Path) -> Result<&Entry> {
        let at = self.wanted.checked_sub(1).ok_or(Error::Forbidden("the root is not to be replaced"))?;
        let parent = self.entries.get(at).ok_or_else(|| Error::ParentMissing(path.clone()))?;
        if parent.is_folder() { Ok(parent) } else { Err(Error::ParentMissing(path.clone())) }
    }

    /// The entries above the path.
    pub fn above(&self) -> &[Entry] {
        &self.entries[..self.entries.len().min(self.wanted)]
    }
}

/// What a file is to hold.
pub(super) enum Given {
    New(NewContent),
    /// A content that came in pieces, all of it.
    Come {
        content: i64,
        size: u64,
    },
}

impl Given {
    fn size(&self) -> u64 {
        match self {
            Given::New(content) => content.size(),
            Given::Come { size, .. } => *size,
        }
    }
}

impl From<NewContent> for Given {
    fn from(content: NewContent) -> Given {
        Given::New(content)
    }
}

pub struct Applier<'a> {
    pub tx: &'a dyn Tx,
    pub store: &'a Store,
    pub person: PersonId,
    pub party: &'a Party,
    pub now: Timestamp,
    pub precondition: &'a Precondition,
    /// Nothing may stand where this change puts something: its party may only add.
    pub fresh: bool,
    /// The party may change the whole tree, and so end others' locks.
    pub whole: bool,
    pub batch: &'a mut Batch,
    /// What the content says that is being put, where that was read already.
    pub facts: Option<Facts>,
}

impl Applier<'_> {
    pub fn apply(&mut self, change: Change) -> Result<Done> {
        let tagged = |t: &Option<Tags>| matches!(t, Some(Tags::List(_)));
        if !self.precondition.if_lists.is_empty() || tagged(&self.precondition.if_match) || tagged(&self.precondition.if_none_match) {
            // A condition may name a folder's ETag, which changes of this very batch have moved.
            self.batch.flush_folders(self.tx, self.person)?;
        }
        match change {
            Change::Put { path, content, media_type, modified } => self.put(path, content, media_type, modified),
            Change::PutItem { path, content, media_type, facts } => self.put_item(path, content, media_type, facts),
            Change::MakeFolder { path, props } => self.make_folder(path, &props),
            Change::Remove { path } => self.remove(path),
            Change::PutDocument { path, content, media_type } => self.put_document(path, content, media_type),
            Change::RemoveDocument { path } => self.remove_document(path),
            Change::Move { from, to, overwrite } => self.move_to(from, to, overwrite),
            Change::Copy { from, to, overwrite, depth } => self.copy_to(from, to, overwrite, depth),
            Change::Patch { path, props, modified, created } => self.patch(path, &props, modified, created),
            Change::Lock { path, lock } => self.lock(path, lock),
            Change::Refresh { path, token, seconds } => self.refresh(path, &token, seconds),
            Change::Unlock { path, token } => self.unlock(path, &token),
            Change::Restore { entry, to } => self.restore(entry, to),
            Change::Purge { entry } => self.purge(entry),
            Change::Revert { path, version } => self.revert(path, version),
            Change::Begin { path, upload } => self.begin_upload(&path, &upload),
            Change::Extend { upload, from, content, .. } => self.extend_upload(upload, from, content),
            Change::Finish { path, upload } => self.finish_upload(path, upload),
            Change::Abandon { upload, .. } => self.abandon_upload(upload),
        }
    }

    /// A party that may only add does not change what is there.
    pub(super) fn only_add(&self, path: &Path, there: Option<&Entry>) -> Result<()> {
        if self.fresh && there.is_some() { Err(Error::Denied(Ability::Write, path.clone())) } else { Ok(()) }
    }

    pub(super) fn chain_to(&self, path: &Path) -> Result<Chain> {
        Ok(Chain { entries: entry::chain(self.tx, self.person, path)?, wanted: path.names().len() })
    }

    /// The next change number, with its journal record written.
    pub(super) fn journal(&mut self, op: Op, entry: i64, parent: i64, key: &str, from: Option<(i64, &str)>) -> Result<Seq> {
        self.batch.head.seq = Seq(self.batch.head.seq.0 + 1);
        let seq = self.batch.head.seq;
        self.batch.journaled = entry;
        Record::insert(
            self.tx,
            self.person,
            &Record {
                seq,
                at: self.now,
                op,
                entry,
                parent,
                key: key.to_owned(),
                from: from.map(|(p, k)| (p, k.to_owned())),
                credential: self.party.credential,
                party: self.party.label.clone(),
            },
        )?;
        Ok(seq)
    }

    pub(super) fn next_id(&mut self) -> i64 {
        self.batch.next_id()
    }

    /// Since when something is let go: not before upkeep's own time, or a clock that is behind would make it old at once.
    pub(super) fn let_go(&self) -> Timestamp {
        self.now.max(self.batch.head.upkept)
    }

    /// Folders above a change carry its number from the end of the transaction on.
    pub(super) fn touch(&mut self, above: &[Entry], seq: Seq) {
        for folder in above {
            self.batch.touched.insert(folder.id, seq);
        }
    }

    pub(super) fn charge(&mut self, bytes: u64) -> Result<()> {
        let Head { used, quota, .. } = self.batch.head;
        if quota > 0 && used.saturating_add(bytes) > quota && !mutant("quota-not-checked") {
            return Err(Error::QuotaExceeded { used, quota, asked: bytes });
        }
        self.batch.head.used = used.saturating_add(bytes);
        Ok(())
    }

    pub(super) fn refund(&mut self, bytes: u64) {
        self.batch.head.used = self.batch.head.used.saturating_sub(bytes);
    }

    pub(super) fn put(&mut self, path: Path, content: impl Into<Given>, media_type: Option<String>, modified: Option<Timestamp>) -> Result<Done> {
        let chain = self.chain_to(&path)?;
        self.put_at(chain, path, content, media_type, modified)
    }

    pub(super) fn put_at(
        &mut self,
        chain: Chain,
        path: Path,
        content: impl Into<Given>,
        media_type: Option<String>,
        modified: Option<Timestamp>,
    ) -> Result<Done> {
        let content = content.into();
        let size = content.size();
        let target = chain.target().cloned();
        self.only_add(&path, target.as_ref())?;
        if target.as_ref().is_some_and(Entry::is_folder) {
            return Err(Error::IsFolder(path));
        }
        let parent = chain.parent(&path)?.clone();
        self.precondition.check(self.tx, self.person, self.now, &path, target.as_ref())?;
        self.check_locks(&path, &chain.entries, if target.is_some() { Touch::Entry } else { Touch::Members })?;
        self.charge(size)?;
        let name = path.name().ok_or(Error::Forbidden("the root is a folder"))?;
        let id = target.as_ref().map_or_else(|| self.next_id(), |t| t.id);
        let seq = self.journal(Op::Put, id, parent.id, name.key(), None)?;
        let (content, tag) = match content {
            Given::New(content) => self.keep(content)?,
            Given::Come { content, .. } => self.seal_content(content)?,
        };
        let mut entry = Entry {
            id,
            parent: parent.id,
            name: name.as_str().to_owned(),
            key: name.key().to_owned(),
            kind: Kind::File,
            seq,
            version: seq,
            created: self.now,
            modified: modified.unwrap_or(self.now),
            size,
            content,
            tag,
            media_type,
            props: 0,
        };
        let before = target.clone();
        let outcome = match target {
            Some(old) => {
                self.keep_version(&old)?;
                self.unlist(&old)?;
                entry = Entry { name: old.name, created: old.created, props: old.props, media_type: entry.media_type.or(old.media_type), ..entry };
                Outcome::Replaced
            }
            None => Outcome::Created,
        };
        self.upsert(&entry)?;
        self.touch(chain.above(), seq);
        Ok(Done { seq, outcome, entry: Some(entry), lock: None, before })
    }

    fn make_folder(&mut self, path: Path, props: &[PropChange]) -> Result<Done> {
        let chain = self.chain_to(&path)?;
        let target = chain.target();
        if path.is_root() || target.is_some() {
            return Err(Error::Exists(path));
        }
        let parent = chain.parent(&path)?.clone();
        self.precondition.check(self.tx, self.person, self.now, &path, target)?;
        self.check_locks(&path, &chain.entries, Touch::Members)?;
        let name = path.name().ok_or_else(|| Error::Exists(path.clone()))?;
        let id = self.next_id();
        let seq = self.journal(Op::MakeFolder, id, parent.id, name.key(), None)?;
        let mut entry = self.new_folder(id, parent.id, name, seq);
        entry.props = self.change_props(id, props)?;
        self.upsert(&entry)?;
        self.touch(chain.above(), seq);
        Ok(Done { seq, outcome: Outcome::Created, entry: Some(entry), lock: None, before: None })
    }

    pub(super) fn new_folder(&self, id: i64, parent: i64, name: &Name, seq: Seq) -> Entry {
        Entry {
            id,
            parent,
            name: name.as_str().to_owned(),
            key: name.key().to_owned(),
            kind: Kind::Folder,
            seq,
            version: seq,
            created: self.now,
            modified: self.now,
            size: 0,
            content: 0,
            tag: 0,
            media_type: None,
            props: 0,
        }
    }

    pub(super) fn upsert(&self, e: &Entry) -> Result<()> {
        let sql = "INSERT INTO entry (person, parent, key, name, id, kind, seq, version, created, modified, size, content, tag, type, props)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
            ON CONFLICT (person, parent, key) DO UPDATE SET name = excluded.name, id = excluded.id, kind = excluded.kind, seq = excluded.seq,
            version = excluded.version, created = excluded.created, modified = excluded.modified, size = excluded.size,
            content = excluded.content, tag = excluded.tag, type = excluded.type, props = excluded.props";
        let name = (e.name != e.key).then_some(e.name.as_str());
        self.tx.execute(
            sql,
            &[
                self.person.0.into(),
                e.parent.into(),
                e.key.as_str().into(),
                name.into(),
                e.id.into(),
                i64::from(e.kind == Kind::File).into(),
                e.seq.0.into(),
                e.version.0.into(),
                e.created.0.into(),
                e.modified.0.into(),
                (e.size as i64).into(),
                e.content.into(),
                e.tag.into(),
                e.media_type.as_deref().into(),
                e.props.into(),
            ],
        )?;
        if item::may_be(e) && e.parent != TRASH { self.list_item(e) } else { Ok(()) }
    }

    pub(super) fn delete_row(&self, e: &Entry) -> Result<()> {
        let sql = "DELETE FROM entry WHERE person = ?1 AND parent = ?2 AND key = ?3";
        self.tx.execute(sql, &[self.person.0.into(), e.parent.into(), e.key.as_str().into()])?;
        self.unlist(e)
    }

    /// Makes written content a fact; answers its id and the tag of its hash.
    fn keep(&mut self, content: NewContent) -> Result<(i64, i64)> {
        let id = self.next_id();
        let (size, hash, bytes) = match &content {
            NewContent::Inline(bytes) => (bytes.len() as i64, self.store.hash(bytes), Some(self.store.seal_content(id, bytes))),
            NewContent::Chunked { size, hash, .. } => (*size as i64, *hash, None),
        };
        let facts = self.facts.as_ref().map(|facts| item::encode(self.store, facts));
        let sql = "INSERT INTO content (person, id, at, size, hash, bytes, facts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (at, bytes, facts) = (self.now.0.into(), bytes.as_deref().into(), facts.as_deref().into());
        self.tx.execute(sql, &[self.person.0.into(), id.into(), at, size.into(), hash[..].into(), bytes, facts])?;
        if let NewContent::Chunked { parts, .. } = content {
            self.keep_parts(id, 0, &parts)?;
        }
        Ok((id, tag_of(&hash)))
    }

    /// Makes parts of a content facts, from `pos` on.
    pub(super) fn keep_parts(&mut self, content: i64, mut pos: i64, parts: &[NewPart]) -> Result<()> {
        for part in parts {
            let chunk = self.keep_chunk(part)?;
            let sql = "INSERT INTO part (person, content, pos, chunk, length) VALUES (?1, ?2, ?3, ?4, ?5)";
            let length = i64::from(part.length);
            self.tx.execute(sql, &[self.person.0.into(), content.into(), pos.into(), chunk.into(), length.into()])?;
            pos += length;
        }
        Ok(())
    }

    fn keep_chunk(&mut self, part: &NewPart) -> Result<i64> {
        let known = "SELECT id, dead, pack, pos FROM chunk WHERE person = ?1 AND name = ?2";
        let person = self.person.0.into();
        let row = |r: &dyn Row| Ok((r.int(0)?, r.int(1)?, r.int(2)?, r.int(3)?));
        let known = self.tx.first(known, &[person, part.name[..].into()], row)?;
        let Some((salt, place)) = &part.new else {
            let (id, dead, ..) = known.ok_or(STALE)?;
            if dead != 0 {
                self.tx.execute("UPDATE chunk SET dead = 0 WHERE person = ?1 AND id = ?2", &[person, id.into()])?;
            }
            return Ok(id);
        };
        let pack = keep_pack(self.tx, self.store, self.batch, self.now, salt)?;
        let (pos, record, length) = (place.pos as i64, place.record as i64, i64::from(place.length));
        match known {
            Some((id, _, at, there)) if (at, there) == (pack, pos) => Ok(id),
            // The upload found the old copy damaged, on its way out, or not there yet: from now on the new one counts.
            Some((id, ..)) => {
                let sql = "UPDATE chunk SET pack = ?3, pos = ?4, record = ?5, dead = 0 WHERE person = ?1 AND id = ?2";
                self.tx.execute(sql, &[person, id.into(), pack.into(), pos.into(), record.into()])?;
                self.store.forget_parts();
                Ok(id)
            }
            None => {
                let id = self.next_id();
                let sql = "INSERT INTO chunk (person, id, name, pack, pos, record, length, dead) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)";
                self.tx.execute(sql, &[person, id.into(), part.name[..].into(), pack.into(), pos.into(), record.into(), length.into()])?;
                Ok(id)
            }
        }
    }
}

/// The part of a content's hash that entries tell.
pub(super) fn tag_of(hash: &[u8; 32]) -> i64 {
    i64::from_le_bytes(hash[..8].try_into().expect("eight bytes"))
}

/// The row of the pack with this salt, made where there is none.
pub(crate) fn keep_pack(tx: &dyn Tx, store: &Store, batch: &mut Batch, now: Timestamp, salt: &[u8; 32]) -> Result<i64> {
    let person = store.person.0.into();
    if let Some(id) = tx.first("SELECT id FROM pack WHERE person = ?1 AND salt = ?2", &[person, salt[..].into()], |r| r.int(0))? {
        return Ok(id);
    }
    // Upkeep may have taken an unreferenced pack away: it looks and deletes inside transactions too.
    if store.pack_file(salt)?.is_none() && !mutant("pack-not-looked-for") {
        return Err(STALE);
    }
    let id = batch.next_id();
    tx.execute("INSERT INTO pack (person, id, salt, at) VALUES (?1, ?2, ?3, ?4)", &[person, id.into(), salt[..].into(), now.0.into()])?;
    Ok(id)
}

const STALE: Error = Error::Again("stored data changed meanwhile");
