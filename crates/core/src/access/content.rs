//! Contents of files: opened, read piece by piece, taken in before they are committed.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::Access;
use super::log::Act;
use crate::error::{Error, Result};
use crate::journal::Seq;
use crate::name::Path;
use crate::party::Ability;
use crate::store::content::Stored;
use crate::store::upload::ContentWriter;
use crate::tree::entry::Entry;
use crate::tree::version;

/// Which way a large content goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    Up,
    Down,
}

/// A file's content, as a party opened it.
#[derive(Debug)]
pub enum Content {
    Inline(Vec<u8>),
    Chunked(Cut),
}

/// Content in chunks, to be read through the access that opened it.
#[derive(Clone, Debug)]
pub struct Cut {
    id: i64,
    size: u64,
    path: Arc<Path>,
}

impl Cut {
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Access {
    /// A file's entry and content.
    pub fn open(&self, path: &Path) -> Result<(Entry, Content)> {
        self.may(Ability::Read, path)?;
        let (entry, content) = self.store().catalog.reading(|tx| {
            let entry = self.found(tx, path)?;
            if entry.is_folder() {
                return Err(Error::IsFolder(path.clone()));
            }
            let content = self.store().open(tx, entry.content)?;
            Ok((entry, content))
        })?;
        self.note(Act::Read, false, entry.id, path)?;
        let content = match content {
            Stored::Inline(bytes) => Content::Inline(bytes),
            Stored::Chunked { id, size } => Content::Chunked(Cut { id, size, path: Arc::new(path.clone()) }),
        };
        Ok((entry, content))
    }

    /// A file as it was in an earlier version, and that content.
    pub fn open_version(&self, path: &Path, wanted: Seq) -> Result<(Entry, Content)> {
        self.may(Ability::Read, path)?;
        let (entry, content) = self.store().catalog.reading(|tx| {
            let entry = self.found(tx, path)?;
            let version = version::list(tx, self.person(), entry.id)?.into_iter().find(|v| v.seq == wanted);
            let v = version.ok_or_else(|| Error::NotFound(path.clone()))?;
            let content = self.store().open(tx, v.content)?;
            let media_type = v.media_type.or(entry.media_type);
            Ok((Entry { size: v.size, content: v.content, tag: v.tag, modified: v.modified, version: v.seq, media_type, ..entry }, content))
        })?;
        self.note(Act::Read, false, entry.id, path)?;
        let content = match content {
            Stored::Inline(bytes) => Content::Inline(bytes),
            Stored::Chunked { id, size } => Content::Chunked(Cut { id, size, path: Arc::new(path.clone()) }),
        };
        Ok((entry, content))
    }

    /// Appends bytes `from..to` of cut content to `out`; at most to the end of one chunk, answering how many came.
    ///
    /// # Errors
    /// [`Error::Denied`] and [`Error::Forbidden`] where the right to read was taken back meanwhile.
    pub fn read_some(&self, content: &Cut, from: u64, to: u64, out: &mut Vec<u8>) -> Result<u64> {
        self.may(Ability::Read, &content.path)?;
        self.store().read_some(content.id, from, to, out)
    }

    /// [`Access::read_some`] that never waits for a disk; None where it would have to.
    pub fn read_now(&self, content: &Cut, from: u64, to: u64, out: &mut Vec<u8>) -> Result<Option<u64>> {
        self.may(Ability::Read, &content.path)?;
        self.store().read_now(content.id, from, to, out)
    }

    /// Waits for a place among this person's large uploads, or downloads; each holds megabytes of memory until it ends.
    pub async fn place_for(&self, transfer: Transfer) -> Result<OwnedSemaphorePermit> {
        let places = match transfer {
            Transfer::Up => &self.tree.uploads,
            Transfer::Down => &self.tree.downloads,
        };
        places.clone().acquire_owned().await.map_err(|_| Error::Poisoned)
    }

    /// Takes a file's bytes, before they are committed; with their number, where it is known, so that room for them is
    /// set aside.
    pub fn upload(&self, path: &Path, announced: Option<u64>) -> Result<ContentWriter> {
        self.may(Ability::Append, path)?;
        self.tree.store.upload(announced)
    }

    /// Whether this party may put something at `path`, where nothing is.
    pub fn may_add(&self, path: &Path) -> Result<()> {
        self.may(Ability::Append, path)
    }
}
