//! Calendar objects and vCards: what they say is read once, kept with their content, and listed by folder and time. Rows follow
//! the entries they tell of within every change, so that a list never disagrees with the tree.

use holm_pim::facts::Facts;
use holm_pim::{Kind, MAX_OBJECT, Shape};

use super::apply::Applier;
use super::change::Done;
use super::entry::{self, Entry};
use crate::error::{Error, Result};
use crate::mutant::mutant;
use crate::name::Path;
use crate::store::catalog::Value;
use crate::store::content::{NewContent, Store, Stored};

/// Bytes of a UID's hash that are kept.
const UID: usize = 16;
const LENGTH: usize = 2 + 8 + 8 + UID;

/// What is kept of an object's facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// None: it has not been read.
    pub kind: Option<Kind>,
    pub first: i64,
    pub last: i64,
    pub shape: Shape,
    pub uid: Option<[u8; UID]>,
}

const UNREAD: Listed = Listed { kind: None, first: holm_pim::time::MIN, last: holm_pim::time::MAX, shape: Shape::Open, uid: None };

/// Whether a file is a calendar object or a vCard, by its name or by what its client said.
pub fn may_be(entry: &Entry) -> bool {
    if entry.is_folder() {
        return false;
    }
    let ending = entry.key.len().checked_sub(4).and_then(|at| entry.key.get(at..));
    let typed = |kind: &str| entry.media_type.as_deref().and_then(|t| t.get(..kind.len())).is_some_and(|t| t.eq_ignore_ascii_case(kind));
    ending.is_some_and(|e| e.eq_ignore_ascii_case(".ics") || e.eq_ignore_ascii_case(".vcf")) || typed("text/calendar") || typed("text/vcard")
}

/// A UID as it is kept: nobody who reads the catalog alone can tell it.
pub fn uid_hash(store: &Store, uid: &str) -> [u8; UID] {
    store.hash(uid.as_bytes())[..UID].try_into().expect("sixteen bytes")
}

pub fn encode(store: &Store, facts: &Facts) -> Vec<u8> {
    let mut out = vec![facts.kind as u8, facts.shape as u8];
    out.extend(facts.first.to_le_bytes());
    out.extend(facts.last.to_le_bytes());
    out.extend(uid_hash(store, &facts.uid));
    out
}

fn decode(bytes: &[u8]) -> Option<Listed> {
    let bytes: &[u8; LENGTH] = bytes.try_into().ok()?;
    let int = |at: usize| i64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let kind = Some(Kind::from_number(i64::from(bytes[0]))?);
    Some(Listed { kind, shape: Shape::from_number(i64::from(bytes[1])), first: int(2), last: int(10), uid: bytes[18..].try_into().ok() })
}

/// The class of an index by how long something lasts; see [`holm_pim::facts::CLASSES`].
fn class(listed: &Listed) -> i64 {
    let lasts = listed.last.saturating_sub(listed.first);
    holm_pim::facts::CLASSES.iter().position(|most| lasts <= *most).unwrap_or(3) as i64
}

impl Applier<'_> {
    pub(super) fn put_item(&mut self, path: Path, content: NewContent, media_type: Option<String>, facts: Facts) -> Result<Done> {
        let chain = self.chain_to(&path)?;
        if let Ok(folder) = chain.parent(&path) {
            let uid = uid_hash(self.store, &facts.uid);
            let here = chain.target().map_or(0, |e| e.id);
            let sql = "SELECT entry FROM item WHERE person = ?1 AND folder = ?2 AND uid = ?3 AND entry <> ?4 LIMIT 1";
            let other = self.tx.first(sql, &[self.person.0.into(), folder.id.into(), uid[..].into(), here.into()], |row| row.int(0))?;
            if let Some(other) = other.filter(|_| !mutant("uid-taken-twice")) {
                let at = entry::path_of(self.tx, self.person, other)?;
                return Err(Error::SameUid(at.unwrap_or_default()));
            }
        }
        self.facts = Some(facts);
        self.put(path, content, media_type, None)
    }

    /// Lists what stands at an entry; what it says is read where that has not been done.
    pub(super) fn list_item(&self, e: &Entry) -> Result<()> {
        let sql = "SELECT facts FROM content WHERE person = ?1 AND id = ?2";
        let kept = self.tx.first(sql, &[self.person.0.into(), e.content.into()], |row| Ok(row.opt_blob(0)?.and_then(decode)))?.flatten();
        match kept {
            Some(listed) => self.list_as(e, &listed),
            None => self.read_item(e, None).map(|_| ()),
        }
    }

    /// Reads what an entry says, and lists that. Without its `bytes`, content in packs is left for later: it is listed as unread.
    /// Answers whether it can be read.
    pub(crate) fn read_item(&self, e: &Entry, bytes: Option<&[u8]>) -> Result<bool> {
        let inline;
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => match self.store.open(self.tx, e.content)? {
                Stored::Inline(bytes) => {
                    inline = bytes;
                    &inline
                }
                Stored::Chunked { size, .. } if size <= MAX_OBJECT as u64 => return self.list_as(e, &UNREAD).map(|()| true),
                Stored::Chunked { .. } => return self.unlist(e).map(|()| false),
            },
        };
        let Ok(facts) = Facts::of(bytes) else { return self.unlist(e).map(|()| false) };
        let kept = encode(self.store, &facts);
        let sql = "UPDATE content SET facts = ?3 WHERE person = ?1 AND id = ?2";
        self.tx.execute(sql, &[self.person.0.into(), e.content.into(), kept[..].into()])?;
        self.list_as(e, &decode(&kept).unwrap_or(UNREAD)).map(|()| true)
    }

    fn list_as(&self, e: &Entry, listed: &Listed) -> Result<()> {
        let sql = "INSERT INTO item (person, entry, folder, kind, class, first, last, shape, uid) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            ON CONFLICT (person, entry) DO UPDATE SET folder = excluded.folder, kind = excluded.kind, class = excluded.class,
            first = excluded.first, last = excluded.last, shape = excluded.shape, uid = excluded.uid";
        let uid: Value<'_> = listed.uid.as_ref().map(|uid| &uid[..]).into();
        let kind = listed.kind.map_or(0, |kind| kind as i64);
        self.tx.execute(
            sql,
            &[
                self.person.0.into(),
                e.id.into(),
                e.parent.into(),
                kind.into(),
                class(listed).into(),
                listed.first.into(),
                listed.last.into(),
                (listed.shape as i64).into(),
                uid,
            ],
        )?;
        Ok(())
    }

    /// What stood at an entry is not what it was, or not there.
    pub(super) fn unlist(&self, e: &Entry) -> Result<()> {
        if may_be(e) && !mutant("item-stays-listed") {
            self.tx.execute("DELETE FROM item WHERE person = ?1 AND entry = ?2", &[self.person.0.into(), e.id.into()])?;
        }
        Ok(())
    }
}
