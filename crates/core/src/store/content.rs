//! Content: a file's bytes, immutable. Small content is kept whole; larger content is cut by its own bytes (FastCDC),
//! each chunk named by keyed BLAKE3 and stored once a person. Written before the commit that refers to it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use fastcdc::v2020::{Normalization, cut_gear, get_gear_with_seed, select_masks};

use super::catalog::{Catalog, Tx};
use super::pack::{ChunkName, Place};
use super::shelf::Shelf;
use super::upload::Staged;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::keys::KeyRing;
use crate::mutant::mutant;
use crate::party::PersonId;

const CHUNK_MIN: usize = 128 * 1024;
const CHUNK_AVG: usize = 512 * 1024;
pub(super) const CHUNK_MAX: usize = 2 * 1024 * 1024;
/// Parts remembered between reads, about 120 bytes each; more empties the lot.
const PARTS_KEPT: usize = 4_096;
/// Parts looked up at a time.
const PARTS_AHEAD: i64 = 32;

/// Where one person's bytes lie.
pub struct Store {
    pub catalog: Arc<dyn Catalog>,
    pub person: PersonId,
    names: [u8; 32],
    pub(super) env: Env,
    pub(super) cuts: Cuts,
    /// Bytes of uploads that are under way or wait for their commit.
    pub(super) staged: AtomicU64,
    pub(super) shelf: Shelf,
    /// Parts looked up lately, by content and position.
    parts: Mutex<HashMap<i64, BTreeMap<u64, Part>>>,
}

/// Content that is written and may be committed.
#[derive(Debug, Clone)]
pub enum NewContent {
    /// At most [`super::INLINE_MAX`] bytes.
    Inline(Vec<u8>),
    Chunked {
        size: u64,
        hash: [u8; 32],
        parts: Vec<NewPart>,
        staged: Arc<Staged>,
    },
}

impl NewContent {
    pub fn size(&self) -> u64 {
        match self {
            NewContent::Inline(bytes) => bytes.len() as u64,
            NewContent::Chunked { size, .. } => *size,
        }
    }
}

#[derive(Debug, Clone)]
pub struct NewPart {
    pub name: ChunkName,
    pub length: u32,
    /// None: the store had the chunk already.
    pub new: Option<(Arc<[u8; 32]>, Place)>,
}

/// Committed content, ready to be read.
#[derive(Debug, Clone)]
pub enum Stored {
    Inline(Vec<u8>),
    Chunked { id: i64, size: u64 },
}

impl Store {
    pub fn new(catalog: Arc<dyn Catalog>, person: PersonId, dir: PathBuf, keys: KeyRing, env: Env) -> Store {
        let names = *keys.names().bytes();
        let cuts = Cuts::new(keys.newest().chunk_cuts());
        Store { catalog, person, names, env: env.clone(), cuts, staged: AtomicU64::new(0), shelf: Shelf::new(dir, keys, env), parts: Mutex::default() }
    }

    /// The keyed hash of content kept whole, or of one chunk.
    pub fn hash(&self, bytes: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.names, bytes).as_bytes()
    }

    /// The hash of cut content: over its chunks' names and lengths.
    pub fn manifest_hash<'p>(&self, parts: impl Iterator<Item = (&'p ChunkName, u32)>) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.names);
        for (name, length) in parts {
            hasher.update(name).update(&length.to_le_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    /// Whether the store has this chunk, whole: what was damaged or lost since is stored anew, and so mended.
    pub(super) fn has_chunk(&self, name: &ChunkName, bytes: &[u8], scratch: &mut Vec<u8>) -> Result<bool> {
        // A chunk on its way out is written anew: it may be gone before this upload commits.
        let sql = "SELECT c.pack, c.pos, c.record, c.length, k.salt FROM chunk c JOIN pack k ON k.person = c.person AND k.id = c.pack
            WHERE c.person = ?1 AND c.name = ?2 AND c.dead = 0";
        let found = self.catalog.reading(|tx| {
            tx.first(sql, &[self.person.0.into(), name[..].into()], |row| {
                let place = Place { pos: row.int(1)? as u64, record: row.int(2)? as u64, length: row.int(3)? as u32 };
                Ok((row.int(0)?, place, bytes32(row.blob(4)?)?))
            })
        })?;
        let Some((pack, place, salt)) = found else { return Ok(false) };
        if mutant("known-chunk-not-read") {
            return Ok(true);
        }
        scratch.clear();
        let read = self.shelf.reader(pack, &salt).and_then(|reader| reader.verify(name, place, scratch));
        Ok(read.is_ok() && self.pack_file(&salt)?.is_some() && scratch == bytes)
    }

    /// Forgets where chunks lie: some have moved.
    pub(crate) fn forget_parts(&self) {
        self.parts.lock().expect("parts").clear();
    }

    /// Reads a committed content's row.
    pub fn open(&self, tx: &dyn Tx, id: i64) -> Result<Stored> {
        let sql = "SELECT size, bytes FROM content WHERE person = ?1 AND id = ?2";
        tx.first(sql, &[self.person.0.into(), id.into()], |row| {
            Ok(match row.opt_blob(1)? {
                Some(bytes) => Stored::Inline(self.open_content(id, bytes)?.into_owned()),
                None => Stored::Chunked { id, size: row.int(0)? as u64 },
            })
        })?
        .ok_or_else(|| Error::Corrupt(format!("content {id} is not in the catalog")))
    }

    /// Appends bytes `from..to` of cut content to `out`, at most to the end of the chunk that holds `from`; answers
    /// how many came.
    pub fn read_some(&self, content: i64, from: u64, to: u64, out: &mut Vec<u8>) -> Result<u64> {
        let mut read = |part: Part| {
            let (start, stop) = part.stretch(content, from, to)?;
            self.shelf.reader(part.pack, &part.salt)?.read(&part.name, part.place, start, stop, out)?;
            Ok(u64::from(stop - start))
        };
        // A pack may be compacted away between the look-up and the opening: look again, once.
        match read(self.part(content, from)?) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                self.parts.lock().expect("parts").remove(&content);
                read(self.part(content, from)?)
            }
            other => other,
        }
    }

    /// [`Store::read_some`] of bytes that are in memory already; None where a disk would have to be waited for.
    pub fn read_now(&self, content: i64, from: u64, to: u64, out: &mut Vec<u8>) -> Result<Option<u64>> {
        let part = self.part(content, from)?;
        let (start, stop) = part.stretch(content, from, to)?;
        let Some(reader) = self.shelf.open_reader(part.pack) else { return Ok(None) };
        let read = reader.read_now(&part.name, part.place, start, stop, out)?;
        Ok(read.then_some(u64::from(stop - start)))
    }

    /// The part of a content that holds the byte at `from`.
    fn part(&self, content: i64, from: u64) -> Result<Part> {
        if let Some(parts) = self.parts.lock().expect("parts").get(&content)
            && let Some((_, part)) = parts.range(..=from).next_back()
            && from < part.pos + u64::from(part.place.length)
        {
            return Ok(part.clone());
        }
        let found = self.parts_at(content, from)?;
        let first = found.first().cloned().ok_or_else(|| Error::Corrupt(format!("content {content} has no part at {from}")))?;
        let mut known = self.parts.lock().expect("parts");
        if known.values().map(BTreeMap::len).sum::<usize>() > PARTS_KEPT {
            known.clear();
        }
        known.entry(content).or_default().extend(found.into_iter().map(|part| (part.pos, part)));
        Ok(first)
    }

    /// The part at `from` and some that follow it.
    fn parts_at(&self, content: i64, from: u64) -> Result<Vec<Part>> {
        let sql = "SELECT p.pos, c.name, c.pack, c.pos, c.record, c.length, k.salt FROM part p
            JOIN chunk c ON c.person = p.person AND c.id = p.chunk JOIN pack k ON k.person = c.person AND k.id = c.pack
            WHERE p.person = ?1 AND p.content = ?2
            AND p.pos >= (SELECT MAX(q.pos) FROM part q WHERE q.person = ?1 AND q.content = ?2 AND q.pos <= ?3) ORDER BY p.pos LIMIT ?4";
        let params = [self.person.0.into(), content.into(), (from as i64).into(), PARTS_AHEAD.into()];
        self.catalog.reading(|tx| {
            tx.all(sql, &params, |row| {
                let place = Place { pos: row.int(3)? as u64, record: row.int(4)? as u64, length: row.int(5)? as u32 };
                Ok(Part { pos: row.int(0)? as u64, name: bytes32(row.blob(1)?)?, pack: row.int(2)?, place, salt: bytes32(row.blob(6)?)? })
            })
        })
    }
}

/// A stretch of a content and the chunk that holds it. A content is immutable; only upkeep moves chunks, and a pack
/// that it took away is noticed.
#[derive(Clone)]
struct Part {
    pos: u64,
    name: ChunkName,
    pack: i64,
    salt: [u8; 32],
    place: Place,
}

impl Part {
    /// The bytes of the chunk that `from..to` of the content are, as far as they lie in it.
    fn stretch(&self, content: i64, from: u64, to: u64) -> Result<(u32, u32)> {
        let start = from - self.pos;
        let stop = (to - self.pos).min(u64::from(self.place.length));
        if start >= stop {
            return Err(Error::Corrupt(format!("content {content} is shorter than its entry says")));
        }
        Ok((start as u32, stop as u32))
    }
}

pub(crate) fn bytes32(bytes: &[u8]) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| Error::Corrupt("a hash or salt is not 32 bytes".into()))
}

/// Where to cut; the gear table is seeded with the person's key.
pub(super) struct Cuts {
    gear: Cow<'static, [u64]>,
    gear_ls: Cow<'static, [u64]>,
    masks: (u64, u64),
}

impl Cuts {
    fn new(seed: u64) -> Cuts {
        let (gear, gear_ls) = get_gear_with_seed(seed);
        Cuts { gear, gear_ls, masks: select_masks(CHUNK_AVG, Normalization::Level1) }
    }

    /// The length of the first chunk of `bytes`, which hold either [`CHUNK_MAX`] bytes or all that is left.
    pub fn cut(&self, bytes: &[u8]) -> usize {
        let (s, l) = self.masks;
        if bytes.len() <= CHUNK_MIN {
            return bytes.len();
        }
        cut_gear(bytes, CHUNK_MIN, CHUNK_AVG, CHUNK_MAX, s, l, s << 1, l << 1, &self.gear, &self.gear_ls).1
    }
}
