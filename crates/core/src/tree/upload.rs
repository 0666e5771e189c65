//! Files that come in pieces, each durable before the next: what has come is a content that grows and that no entry names
//! yet. The whole size is charged when it begins, so that no quota is counted on twice (T14).

use std::collections::HashSet;

use super::apply::{Applier, Given, tag_of};
use super::change::{Done, Outcome};
use crate::env::Timestamp;
use crate::error::{Error, Result};
use crate::name::Path;
use crate::party::{PartyId, PersonId};
use crate::store::catalog::{Row, Tx};
use crate::store::content::{NewContent, bytes32};

/// Uploads that a person's parties may have under way.
const MOST: i64 = 1_000;
/// How long the next piece may take.
const PATIENCE: i64 = Timestamp::DAY;

/// A file that is to come in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUpload {
    /// Made by chance.
    pub id: i64,
    pub size: u64,
    pub media_type: Option<String>,
    pub modified: Option<Timestamp>,
}

/// A file that comes in pieces, as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub new: NewUpload,
    pub party: PartyId,
    pub path: Path,
    pub received: u64,
    /// It stands in its place.
    pub done: bool,
    /// Not given up before this time.
    pub expires: Timestamp,
    content: i64,
}

pub fn find(tx: &dyn Tx, person: PersonId, id: i64) -> Result<Option<Upload>> {
    let sql = "SELECT party, path, size, received, content, done, type, modified, expires FROM upload WHERE person = ?1 AND id = ?2";
    tx.first(sql, &[person.0.into(), id.into()], |row| {
        let new = NewUpload { id, size: row.int(2)? as u64, media_type: row.opt_text(6)?.map(str::to_owned), modified: row.opt_int(7)?.map(Timestamp) };
        let (party, path) = (PartyId(row.int(0)?), Path::parse(row.text(1)?)?);
        let (received, content, done) = (row.int(3)? as u64, row.int(4)?, row.int(5)? != 0);
        Ok(Upload { new, party, path, received, done, expires: Timestamp(row.int(8)?), content })
    })
}

/// Bytes that are charged for what is under way.
pub fn charged(tx: &dyn Tx, person: PersonId) -> Result<u64> {
    let sizes = tx.all("SELECT size FROM upload WHERE person = ?1 AND done = 0", &[person.0.into()], |row| row.int(0))?;
    Ok(sizes.into_iter().map(|size| size as u64).sum())
}

/// Contents that are not whole yet.
pub fn growing(tx: &dyn Tx, person: PersonId) -> Result<HashSet<i64>> {
    Ok(tx.all("SELECT content FROM upload WHERE person = ?1 AND content <> 0", &[person.0.into()], |row| row.int(0))?.into_iter().collect())
}

/// Those to be given up.
pub fn expired(tx: &dyn Tx, person: PersonId, now: Timestamp) -> Result<Vec<i64>> {
    tx.all("SELECT id FROM upload WHERE person = ?1 AND expires <= ?2", &[person.0.into(), now.0.into()], |row| row.int(0))
}

impl Applier<'_> {
    fn upload(&self, id: i64) -> Result<Upload> {
        find(self.tx, self.person, id)?.ok_or(Error::Forbidden("that upload has ended; begin it anew"))
    }

    fn unchanged(&self) -> Done {
        Done { seq: self.batch.head.seq, outcome: Outcome::Created, entry: None, lock: None, before: None }
    }

    pub(super) fn begin_upload(&mut self, path: &Path, new: &NewUpload) -> Result<Done> {
        let chain = self.chain_to(path)?;
        self.only_add(path, chain.target())?;
        chain.parent(path)?;
        if chain.target().is_some_and(|there| there.is_folder()) {
            return Err(Error::IsFolder(path.clone()));
        }
        let known = self.tx.first("SELECT COUNT(*) FROM upload WHERE person = ?1 AND done = 0", &[self.person.0.into()], |row| row.int(0))?;
        if known.unwrap_or(0) >= MOST {
            return Err(Error::Limit("1,000 uploads are under way; finish or end some of them"));
        }
        self.charge(new.size)?;
        let (expires, path) = (self.let_go().plus(PATIENCE), path.to_string());
        let sql = "INSERT INTO upload (person, id, party, path, size, received, content, done, type, modified, expires)
            VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, 0, ?6, ?7, ?8)";
        let values = [
            self.person.0.into(),
            new.id.into(),
            self.party.id.0.into(),
            path.as_str().into(),
            (new.size as i64).into(),
            new.media_type.as_deref().into(),
            new.modified.map(|at| at.0).into(),
            expires.0.into(),
        ];
        self.tx.execute(sql, &values)?;
        Ok(self.unchanged())
    }

    pub(super) fn extend_upload(&mut self, id: i64, from: u64, piece: NewContent) -> Result<Done> {
        let upload = self.upload(id)?;
        let (size, NewContent::Chunked { parts, .. }) = (piece.size(), &piece) else {
            return Err(Error::Invalid("a piece of a file is cut".into()));
        };
        if upload.done || upload.received != from {
            return Err(Error::ConditionFailed(upload.path));
        }
        let received = from.saturating_add(size);
        if received > upload.new.size {
            return Err(Error::Invalid(format!("the file was announced with {} bytes, and more came", upload.new.size)));
        }
        let content = if upload.content == 0 { self.next_id() } else { upload.content };
        let (person, count) = (self.person.0.into(), (received as i64).into());
        if upload.content == 0 {
            let sql = "INSERT INTO content (person, id, at, size, hash, bytes) VALUES (?1, ?2, ?3, ?4, ?5, NULL)";
            self.tx.execute(sql, &[person, content.into(), self.now.0.into(), count, [0u8; 32][..].into()])?;
        } else {
            self.tx.execute("UPDATE content SET size = ?3 WHERE person = ?1 AND id = ?2", &[person, content.into(), count])?;
        }
        self.keep_parts(content, from as i64, parts)?;
        let expires = self.let_go().plus(PATIENCE).0;
        let sql = "UPDATE upload SET received = ?3, content = ?4, expires = ?5 WHERE person = ?1 AND id = ?2";
        self.tx.execute(sql, &[person, id.into(), count, content.into(), expires.into()])?;
        Ok(self.unchanged())
    }

    pub(super) fn finish_upload(&mut self, path: Path, id: i64) -> Result<Done> {
        let upload = self.upload(id)?;
        if upload.done || upload.received != upload.new.size || upload.path != path {
            return Err(Error::ConditionFailed(path));
        }
        let NewUpload { size, media_type, modified, .. } = upload.new;
        // Putting it charges it.
        self.refund(size);
        let come = match upload.content {
            0 => Given::New(NewContent::Inline(Vec::new())),
            content => Given::Come { content, size },
        };
        let done = self.put(path, come, media_type, modified)?;
        let sql = "UPDATE upload SET content = 0, done = 1 WHERE person = ?1 AND id = ?2";
        self.tx.execute(sql, &[self.person.0.into(), id.into()])?;
        Ok(done)
    }

    /// Gives a content that is whole its hash; answers its id and tag.
    pub(super) fn seal_content(&mut self, content: i64) -> Result<(i64, i64)> {
        let sql = "SELECT c.name, p.length FROM part p JOIN chunk c ON c.person = p.person AND c.id = p.chunk
            WHERE p.person = ?1 AND p.content = ?2 ORDER BY p.pos";
        let row = |row: &dyn Row| Ok((bytes32(row.blob(0)?)?, row.int(1)? as u32));
        let parts = self.tx.all(sql, &[self.person.0.into(), content.into()], row)?;
        let hash = self.store.manifest_hash(parts.iter().map(|(name, length)| (name, *length)));
        self.tx.execute("UPDATE content SET hash = ?3 WHERE person = ?1 AND id = ?2", &[self.person.0.into(), content.into(), hash[..].into()])?;
        Ok((content, tag_of(&hash)))
    }

    /// The chunks that have come of it are upkeep's to find.
    pub(super) fn abandon_upload(&mut self, id: i64) -> Result<Done> {
        let upload = self.upload(id)?;
        if !upload.done {
            self.refund(upload.new.size);
        }
        let (person, content) = (self.person.0.into(), upload.content.into());
        self.tx.execute("DELETE FROM part WHERE person = ?1 AND content = ?2", &[person, content])?;
        self.tx.execute("DELETE FROM content WHERE person = ?1 AND id = ?2", &[person, content])?;
        self.tx.execute("DELETE FROM upload WHERE person = ?1 AND id = ?2", &[person, id.into()])?;
        Ok(self.unchanged())
    }
}
