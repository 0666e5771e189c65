//! The directory of a person's packs: which files it holds, and the ones kept open.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::content::Store;
use super::pack::{self, PackReader, PackWriter};
use crate::env::{Env, Timestamp};
use crate::error::{Error, Result};
use crate::keys::KeyRing;

/// Packs kept open for reading; each costs a descriptor.
const OPEN_PACKS: usize = 32;
/// Packs kept open for writing between uploads.
const IDLE_WRITERS: usize = 4;
/// A pack that nobody wrote to for so long is left as it is: upkeep may be about to take it away.
const IDLE_LONG: i64 = Timestamp::HOUR;

pub(super) struct Shelf {
    dir: PathBuf,
    keys: KeyRing,
    env: Env,
    readers: Mutex<VecDeque<(i64, Arc<PackReader>)>>,
    writers: Mutex<Vec<(PackWriter, Timestamp)>>,
}

/// A pack as the directory shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackFile {
    pub salt: [u8; 32],
    pub bytes: u64,
    pub modified: Timestamp,
}

impl Shelf {
    pub fn new(dir: PathBuf, keys: KeyRing, env: Env) -> Shelf {
        Shelf { dir, keys, env, readers: Mutex::default(), writers: Mutex::default() }
    }

    /// A pack of this process's own to append to, and whether it is new.
    pub fn writer(&self) -> Result<(PackWriter, bool)> {
        let now = self.env.now();
        let mut idle = self.writers.lock().expect("pack writers");
        while let Some((writer, since)) = idle.pop() {
            // Upkeep, in this process or another, may have deleted it.
            if now.0 - since.0 < IDLE_LONG && self.path(writer.salt()).exists() {
                return Ok((writer, false));
            }
        }
        drop(idle);
        Ok((PackWriter::create(&self.dir, &self.keys, &self.env)?, true))
    }

    pub fn give_back(&self, writer: PackWriter) {
        let mut idle = self.writers.lock().expect("pack writers");
        if !writer.is_full() && idle.len() < IDLE_WRITERS {
            idle.push((writer, self.env.now()));
        }
    }

    pub fn reader(&self, pack: i64, salt: &[u8; 32]) -> Result<Arc<PackReader>> {
        let mut open = self.readers.lock().expect("pack readers");
        if let Some(at) = open.iter().position(|(id, _)| *id == pack) {
            let kept = open.remove(at).expect("just found");
            open.push_front(kept.clone());
            return Ok(kept.1);
        }
        let reader = Arc::new(PackReader::open(&self.dir, &self.keys, salt)?);
        open.push_front((pack, reader.clone()));
        open.truncate(OPEN_PACKS);
        Ok(reader)
    }

    /// A pack that is open already.
    pub fn open_reader(&self, pack: i64) -> Option<Arc<PackReader>> {
        self.readers.lock().expect("pack readers").iter().find(|(id, _)| *id == pack).map(|(_, reader)| reader.clone())
    }

    fn path(&self, salt: &[u8; 32]) -> PathBuf {
        self.dir.join(pack::file_name(salt))
    }
}

impl Store {
    /// Every pack file there is, referred to or not.
    pub fn pack_files(&self) -> Result<Vec<PackFile>> {
        let io = || Error::io(format!("listing {}", self.shelf.dir.display()));
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.shelf.dir).map_err(io())? {
            let entry = entry.map_err(io())?;
            let Some(salt) = entry.file_name().to_str().and_then(pack::salt_of) else { continue };
            if let Some(file) = self.pack_file(&salt)? {
                files.push(file);
            }
        }
        Ok(files)
    }

    /// The file of one pack, if it is there.
    pub fn pack_file(&self, salt: &[u8; 32]) -> Result<Option<PackFile>> {
        let path = self.shelf.path(salt);
        let meta = match path.metadata() {
            Ok(meta) => meta,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(format!("looking at {}", path.display()))(e)),
        };
        let since = meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
        Ok(Some(PackFile { salt: *salt, bytes: meta.len(), modified: Timestamp(since.as_millis() as i64) }))
    }

    /// Deletes a pack's file, once no row refers to it. That it is gone already is no failure.
    pub fn remove_pack(&self, pack: Option<i64>, salt: &[u8; 32]) -> Result<()> {
        self.shelf.readers.lock().expect("pack readers").retain(|(id, _)| Some(*id) != pack);
        let path = self.shelf.path(salt);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(format!("deleting {}", path.display()))(e)),
            _ => Ok(()),
        }
    }

    pub(crate) fn new_pack(&self) -> Result<PackWriter> {
        PackWriter::create(&self.shelf.dir, &self.shelf.keys, &self.shelf.env)
    }

    pub(crate) fn open_pack(&self, salt: &[u8; 32]) -> Result<PackReader> {
        PackReader::open(&self.shelf.dir, &self.shelf.keys, salt)
    }

    pub(crate) fn ring(&self) -> &KeyRing {
        &self.shelf.keys
    }

    /// Whether a pack is sealed under an earlier key of the person's.
    pub(crate) fn outdated(&self, salt: &[u8; 32]) -> Result<bool> {
        Ok(self.ring().has_earlier() && pack::epoch_of(&self.shelf.path(salt))? != self.ring().epoch)
    }
}
