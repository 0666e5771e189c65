//! Receiving content: bytes come in any pieces, are cut, sealed and synced, and wait for the commit that refers to
//! them. What no commit took is undone at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::content::{CHUNK_MAX, NewContent, NewPart, Store};
use super::pack::{ChunkName, PackWriter, Place};
use crate::error::{Error, Result};
use crate::mutant::mutant;

/// An upload of unknown length sets room aside in steps of this.
const CLAIM: u64 = 8 << 20;

impl Store {
    /// Takes content of `announced` bytes, if they are known. Room for them is set aside, so that uploads side by side
    /// can not all count on the same rest of a quota (T14).
    pub fn upload(self: &Arc<Store>, announced: Option<u64>) -> Result<ContentWriter> {
        let mut writer = self.writer(false);
        writer.staged.claim(announced.unwrap_or(0))?;
        Ok(writer)
    }

    /// Takes a piece of a file whose room was charged when it began.
    pub fn piece(self: &Arc<Store>) -> ContentWriter {
        self.writer(true)
    }

    fn writer(self: &Arc<Store>, piece: bool) -> ContentWriter {
        ContentWriter {
            piece,
            pending: Vec::new(),
            start: 0,
            size: 0,
            parts: Vec::new(),
            fresh: HashMap::new(),
            pack: None,
            full: Vec::new(),
            scratch: Vec::new(),
            staged: Staged { store: self.clone(), claimed: 0, own: Vec::new(), idle: Mutex::new(None), kept: AtomicBool::new(false) },
        }
    }
}

/// What an upload has taken until it is committed. Dropped without a commit, it gives back its room and its packs.
pub struct Staged {
    store: Arc<Store>,
    claimed: u64,
    /// Packs made for this upload alone.
    own: Vec<[u8; 32]>,
    /// The last pack, for the next upload once this one is committed.
    idle: Mutex<Option<PackWriter>>,
    kept: AtomicBool,
}

impl std::fmt::Debug for Staged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Staged({} bytes)", self.claimed)
    }
}

impl Staged {
    /// The commit that refers to this is durable, or may be: its packs are not this upload's to undo any more.
    pub(crate) fn keep(&self) {
        self.kept.store(true, Ordering::SeqCst);
    }

    fn claim(&mut self, more: u64) -> Result<()> {
        let store = &self.store;
        let staged = store.staged.fetch_add(more, Ordering::SeqCst).saturating_add(more);
        self.claimed += more;
        let (used, quota) = store.catalog.reading(|tx| {
            let head =
                tx.first("SELECT used, quota FROM head WHERE person = ?1", &[store.person.0.into()], |row| Ok((row.int(0)? as u64, row.int(1)? as u64)))?;
            head.ok_or_else(|| Error::Corrupt("the catalog has no head".into()))
        })?;
        if quota > 0 && used.saturating_add(staged) > quota {
            return Err(Error::QuotaExceeded { used, quota, asked: staged });
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !mutant("room-not-given-back") {
            self.store.staged.fetch_sub(self.claimed, Ordering::SeqCst);
        }
        let idle = self.idle.lock().expect("the upload's pack").take();
        if self.kept.load(Ordering::SeqCst) {
            if let Some(writer) = idle {
                self.store.shelf.give_back(writer);
            }
            return;
        }
        // Nobody else has seen these packs. One that cannot be deleted now is an orphan for upkeep.
        for salt in &self.own {
            let _ = self.store.remove_pack(None, salt);
        }
    }
}

/// Receives a file's bytes in any pieces.
pub struct ContentWriter {
    /// Of a file that comes in pieces: always cut, never charged.
    piece: bool,
    pending: Vec<u8>,
    start: usize,
    size: u64,
    parts: Vec<NewPart>,
    fresh: HashMap<ChunkName, (Arc<[u8; 32]>, Place)>,
    pack: Option<(PackWriter, Arc<[u8; 32]>)>,
    full: Vec<std::thread::JoinHandle<Result<()>>>,
    scratch: Vec<u8>,
    staged: Staged,
}

impl ContentWriter {
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Blocking: cuts, hashes, seals and appends what is ready.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.size += bytes.len() as u64;
        if !self.piece && self.size > self.staged.claimed.saturating_add(CLAIM) {
            self.staged.claim(self.size - self.staged.claimed)?;
        }
        self.pending.extend_from_slice(bytes);
        while self.pending.len() - self.start >= CHUNK_MAX {
            self.take_chunk()?;
        }
        // Moving the rest to the front once a few chunks have gone keeps the buffer small without a copy a chunk.
        if self.start >= CHUNK_MAX {
            self.pending.drain(..self.start);
            self.start = 0;
        }
        Ok(())
    }

    /// Blocking: stores the rest and syncs every pack that was written. Only then may the content be committed.
    pub fn finish(mut self) -> Result<NewContent> {
        if !self.piece && self.parts.is_empty() && self.pending.len() <= super::INLINE_MAX {
            return Ok(NewContent::Inline(self.pending));
        }
        while self.start < self.pending.len() {
            self.take_chunk()?;
        }
        if let Some((mut pack, _)) = self.pack.take() {
            pack.sync()?;
            *self.staged.idle.lock().expect("the upload's pack") = Some(pack);
        }
        for sync in self.full.drain(..) {
            sync.join().map_err(|_| Error::Poisoned)??;
        }
        let hash = self.staged.store.manifest_hash(self.parts.iter().map(|p| (&p.name, p.length)));
        Ok(NewContent::Chunked { size: self.size, hash, parts: self.parts, staged: Arc::new(self.staged) })
    }

    fn take_chunk(&mut self) -> Result<()> {
        let length = self.staged.store.cuts.cut(&self.pending[self.start..]);
        let range = self.start..self.start + length;
        self.start += length;
        let bytes = &self.pending[range.clone()];
        let name = self.staged.store.hash(bytes);
        let length = length as u32;
        let new = match self.fresh.get(&name) {
            Some(place) => Some(place.clone()),
            None if self.staged.store.has_chunk(&name, bytes, &mut self.scratch)? => None,
            None => Some(self.append(name, range)?),
        };
        self.parts.push(NewPart { name, length, new });
        Ok(())
    }

    fn append(&mut self, name: ChunkName, range: std::ops::Range<usize>) -> Result<(Arc<[u8; 32]>, Place)> {
        if self.pack.as_ref().is_some_and(|(p, _)| p.is_full())
            && let Some((mut pack, _)) = self.pack.take()
        {
            // A full pack is synced beside the upload, so that the last sync has little left to do.
            self.full.push(std::thread::spawn(move || pack.sync()));
        }
        let (pack, salt) = match &mut self.pack {
            Some(open) => open,
            none => {
                let (pack, fresh) = self.staged.store.shelf.writer()?;
                let salt = Arc::new(*pack.salt());
                if fresh {
                    self.staged.own.push(*salt);
                }
                none.insert((pack, salt))
            }
        };
        let place = pack.append(&name, &self.pending[range], &mut self.scratch)?;
        let at = (salt.clone(), place);
        self.fresh.insert(name, at.clone());
        Ok(at)
    }
}
