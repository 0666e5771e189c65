//! Folders as remoteStorage tells of them (draft-dejong-remotestorage-26 §4): the files in them, and the folders in which there
//! is a file somewhere. A folder without one is not there.

use std::ops::ControlFlow;

use super::Access;
use super::log::Act;
use crate::error::Result;
use crate::name::Path;
use crate::party::Ability;
use crate::tree::entry::{self, Entry};

/// Looks for a file below a folder that hold none; only somebody's empty folders cost any.
const LOOKS: usize = 1_000;

/// A folder and what was made of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    pub folder: Entry,
    pub members: T,
    /// Whether those were all.
    pub complete: bool,
}

impl Access {
    /// Calls `each` for at most `most` members of a folder: its files in the order of their names, then its folders that hold a
    /// file. All of it is one state. None where there is no such folder.
    pub fn documents<T: Default>(&self, folder: &Path, most: usize, each: impl Fn(&mut T, &Entry)) -> Result<Option<Listed<T>>> {
        self.may(Ability::Read, folder)?;
        let person = self.person();
        // Begins anew where the engine reads again.
        let listed = self.store().catalog.reading(|tx| {
            let Some(folder) = entry::find(tx, person, folder)?.filter(Entry::is_folder) else { return Ok(None) };
            let mut listed = Listed { folder, members: T::default(), complete: true };
            let (mut left, mut folders) = (most, Vec::new());
            entry::each_member(tx, person, listed.folder.id, &mut |member| {
                listed.complete = left > 0;
                if !listed.complete {
                    return Ok(ControlFlow::Break(()));
                }
                left -= 1;
                if member.is_folder() {
                    folders.push(member)
                } else {
                    each(&mut listed.members, &member)
                }
                Ok(ControlFlow::Continue(()))
            })?;
            for below in folders {
                if entry::holds_file(tx, person, below.id, LOOKS)? {
                    each(&mut listed.members, &below);
                }
            }
            Ok(Some(listed))
        })?;
        if let Some(listed) = &listed {
            self.note(Act::Look, false, listed.folder.id, folder)?;
        }
        Ok(listed)
    }
}
