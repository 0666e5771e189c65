//! Documents: files whose folders come and go with them, as remoteStorage has it (draft-dejong-remotestorage-26 §4).

use super::apply::{Applier, Chain};
use super::change::Done;
use super::entry::{self, Entry};
use super::lock::{self, Touch};
use crate::error::{Error, Result};
use crate::journal::Op;
use crate::mutant::mutant;
use crate::name::Path;
use crate::store::content::NewContent;

impl Applier<'_> {
    pub(super) fn put_document(&mut self, path: Path, content: NewContent, media_type: String) -> Result<Done> {
        let chain = self.chain_to(&path)?;
        let chain = self.make_way(&path, chain)?;
        self.put_at(chain, path, content, Some(media_type), None)
    }

    /// Makes the folders that are missing above `path`. What fails afterwards undoes this too.
    ///
    /// # Errors
    /// [`Error::IsFile`] where a file stands in the way.
    pub(super) fn make_way(&mut self, path: &Path, mut chain: Chain) -> Result<Chain> {
        if let Some(file) = chain.above().last().filter(|e| !e.is_folder()) {
            let place = entry::path_of(self.tx, self.person, file.id)?;
            return Err(Error::IsFile(place.unwrap_or_else(|| path.clone())));
        }
        let missing = path.names().len().saturating_sub(chain.entries.len());
        if missing == 0 {
            return Ok(chain);
        }
        self.check_locks(path, &chain.entries, Touch::Members)?;
        // The root is the first of the chain, and has no name.
        let first = chain.entries.len() - 1;
        for name in &path.names()[first..first + missing] {
            let parent = chain.entries.last().map_or(entry::ROOT, |e| e.id);
            let id = self.next_id();
            let seq = self.journal(Op::MakeFolder, id, parent, name.key(), None)?;
            let folder = self.new_folder(id, parent, name, seq);
            self.upsert(&folder)?;
            self.touch(&chain.entries, seq);
            chain.entries.push(folder);
        }
        Ok(chain)
    }

    pub(super) fn remove_document(&mut self, path: Path) -> Result<Done> {
        let chain = self.chain_to(&path)?;
        let document = chain.target().filter(|e| !e.is_folder()).cloned().ok_or_else(|| Error::NotFound(path.clone()))?;
        let mut done = self.remove(path)?;
        let above = chain.above();
        // The root and what stands in it stay.
        for at in (2..above.len()).rev() {
            let folder = &above[at];
            if !self.is_spare(folder)? || mutant("empty-folder-stays") {
                break;
            }
            done.seq = self.journal(Op::Remove, folder.id, folder.parent, &folder.key, None)?;
            self.delete_row(folder)?;
            self.touch(&above[..at], done.seq);
        }
        done.entry = Some(document);
        Ok(done)
    }

    /// Whether nothing is lost with a folder: it holds nothing, says nothing, and nobody has locked it.
    fn is_spare(&self, folder: &Entry) -> Result<bool> {
        let holds = !entry::members(self.tx, self.person, folder.id, "", 1)?.is_empty();
        Ok(!holds && folder.props == 0 && lock::on_entry(self.tx, self.person, self.now, folder.id)?.is_empty())
    }
}
