//! The nouns of a write: what changes, what must hold, what came of it.

use holm_pim::Facts;

use super::condition::Precondition;
use super::entry::Entry;
use super::lock::Lock;
use super::prop::PropChange;
use super::upload::NewUpload;
use crate::env::Timestamp;
use crate::journal::Seq;
use crate::name::Path;
use crate::party::Ability;
use crate::store::content::NewContent;

/// What to do where something stands already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overwrite {
    Yes,
    No,
}

/// How much of a folder to copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Depth {
    /// The folder itself.
    Zero,
    /// Everything below it too.
    Infinity,
}

/// A lock that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockRequest {
    pub exclusive: bool,
    pub depth: Depth,
    /// An XML fragment, kept as it came.
    pub owner: String,
    pub seconds: i64,
    pub token: String,
}

/// One change to a tree.
#[derive(Clone, Debug)]
pub enum Change {
    Put {
        path: Path,
        content: NewContent,
        media_type: Option<String>,
        modified: Option<Timestamp>,
    },
    /// A calendar object or a vCard, with what it says. Nothing else in its folder may have its UID.
    PutItem {
        path: Path,
        content: NewContent,
        media_type: Option<String>,
        facts: Facts,
    },
    MakeFolder {
        path: Path,
        props: Vec<PropChange>,
    },
    /// To the trash.
    Remove {
        path: Path,
    },
    /// A [`Change::Put`] that makes the folders which lead there, where they are missing: also those above what its party may
    /// reach, for they are part of the way.
    PutDocument {
        path: Path,
        content: NewContent,
        media_type: String,
    },
    /// A file to the trash, and with it the folders that hold nothing then; those at the root stay.
    RemoveDocument {
        path: Path,
    },
    Move {
        from: Path,
        to: Path,
        overwrite: Overwrite,
    },
    Copy {
        from: Path,
        to: Path,
        overwrite: Overwrite,
        depth: Depth,
    },
    /// Dead properties, in order, and the times that may be set.
    Patch {
        path: Path,
        props: Vec<PropChange>,
        modified: Option<Timestamp>,
        created: Option<Timestamp>,
    },
    /// Makes an empty file where there is none.
    Lock {
        path: Path,
        lock: LockRequest,
    },
    Refresh {
        path: Path,
        token: String,
        seconds: i64,
    },
    Unlock {
        path: Path,
        token: String,
    },
    /// Out of the trash, to where it was or to `to`.
    Restore {
        entry: i64,
        to: Option<Path>,
    },
    /// Out of the trash for ever.
    Purge {
        entry: i64,
    },
    /// Makes an earlier version the current one.
    Revert {
        path: Path,
        version: Seq,
    },
    /// A file that comes in pieces begins; its whole size is charged.
    Begin {
        path: Path,
        upload: NewUpload,
    },
    /// Its next piece, which begins at `from`.
    Extend {
        path: Path,
        upload: i64,
        from: u64,
        content: NewContent,
    },
    /// All of it has come: it takes its place.
    Finish {
        path: Path,
        upload: i64,
    },
    /// It is given up.
    Abandon {
        path: Path,
        upload: i64,
    },
}

impl Change {
    /// What a party must be allowed to do, and where. Where it may only [`Ability::Append`] and not write, nothing may
    /// stand in the place: [`Request::fresh`].
    pub fn demands(&self) -> Vec<(Ability, &Path)> {
        match self {
            Change::Begin { path, .. } | Change::Extend { path, .. } | Change::Finish { path, .. } | Change::Abandon { path, .. } => {
                vec![(Ability::Append, path)]
            }
            Change::Put { path, .. }
            | Change::PutDocument { path, .. }
            | Change::PutItem { path, .. }
            | Change::MakeFolder { path, .. }
            | Change::Lock { path, .. } => {
                vec![(Ability::Append, path)]
            }
            Change::Patch { path, .. } | Change::Refresh { path, .. } | Change::Unlock { path, .. } | Change::Revert { path, .. } => {
                vec![(Ability::Write, path)]
            }
            Change::Remove { path } | Change::RemoveDocument { path } => vec![(Ability::Delete, path)],
            Change::Move { from, to, .. } => vec![(Ability::Read, from), (Ability::Delete, from), (Ability::Append, to)],
            Change::Copy { from, to, .. } => vec![(Ability::Read, from), (Ability::Append, to)],
            Change::Restore { to, .. } => to.iter().map(|to| (Ability::Append, to)).collect(),
            Change::Purge { .. } => vec![],
        }
    }

    /// Where it happens: of a transfer, where it goes to.
    pub fn place(&self) -> Path {
        self.demands().last().map(|(_, path)| (*path).clone()).unwrap_or_default()
    }

    /// What it puts somewhere.
    pub fn content(&self) -> Option<&NewContent> {
        match self {
            Change::Put { content, .. } | Change::PutDocument { content, .. } | Change::PutItem { content, .. } | Change::Extend { content, .. } => {
                Some(content)
            }
            _ => None,
        }
    }

    /// Whether it may put something over what is there, or take that away.
    pub fn replaces(&self) -> Option<(Ability, &Path)> {
        match self {
            Change::Put { path, .. }
            | Change::PutDocument { path, .. }
            | Change::PutItem { path, .. }
            | Change::Lock { path, .. }
            | Change::Finish { path, .. } => Some((Ability::Write, path)),
            Change::Move { to, .. } | Change::Copy { to, .. } => Some((Ability::Delete, to)),
            _ => None,
        }
    }
}

/// A change with what it demands.
#[derive(Clone, Debug)]
pub struct Request {
    pub change: Change,
    pub precondition: Precondition,
    /// Nothing may stand where the change puts something.
    pub fresh: bool,
    /// The party may change the whole tree.
    pub whole: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Created,
    Replaced,
}

/// What a change came to.
#[derive(Clone, Debug)]
pub struct Done {
    /// The change's number; for locks, the newest number.
    pub seq: Seq,
    pub outcome: Outcome,
    /// What now stands at the change's (target) path, where something does; of [`Change::RemoveDocument`], what stood there.
    pub entry: Option<Entry>,
    pub lock: Option<Lock>,
    /// What stood there, where the change took its content or took it away.
    pub before: Option<Entry>,
}
