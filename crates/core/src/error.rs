//! What can go wrong in the core, said once. Protocols map each variant to a status in one table of their own;
//! nothing here knows HTTP.

use rustix::io::Errno;

use crate::name::Path;
use crate::party::Ability;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every failure of the core. The text says what failed, on which thing, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("nothing is kept at {0}; list its folder to see what is there")]
    NotFound(Path),
    #[error("the folder that should hold {0} does not exist; create it first")]
    ParentMissing(Path),
    #[error("{0} exists already; choose another name or ask to overwrite")]
    Exists(Path),
    #[error("{0} already; look at what is there first")]
    Taken(String),
    #[error("{0} has the same UID; change that one, or give this one a UID of its own")]
    SameUid(Path),
    #[error("{0} is a folder; this needs a file")]
    IsFolder(Path),
    #[error("{0} is a file; this needs a folder")]
    IsFile(Path),
    #[error("this credential may not {0} at {1}; ask for one with a wider scope")]
    Denied(Ability, Path),
    #[error("{0} is not what the request expected (its ETag or state differs); fetch it again and retry")]
    ConditionFailed(Path),
    #[error("{path} is locked (lock on {root}); wait, or send the lock's token")]
    Locked { path: Path, root: Path },
    #[error("no such lock covers {0}; it expired or was never granted: lock again")]
    NoSuchLock(Path),
    #[error("{0} is already locked in a way that conflicts; wait for it to end")]
    LockConflict(Path),
    #[error("not allowed: {0}")]
    Forbidden(&'static str),
    #[error(
        "quota: {used} of {quota} bytes are used and {asked} more were asked for; the trash and earlier versions count too: empty the trash or raise the quota"
    )]
    QuotaExceeded { used: u64, quota: u64, asked: u64 },
    #[error("the disk is full; free some space, nothing was changed")]
    DiskFull,
    #[error("not valid: {0}")]
    Invalid(String),
    #[error("limit reached: {0}")]
    Limit(&'static str),
    #[error("no person is called \"{0}\"; see `holm person list`")]
    NoSuchPerson(String),
    #[error("damaged: {0}; run `holm check --deep` and restore it from a backup")]
    Corrupt(String),
    #[error("storage failed earlier and this process takes no more writes; see the log, then restart it")]
    Poisoned,
    #[error("{0}; send it again")]
    Again(&'static str),
    #[error("too much is going on at once; retry")]
    Busy,
    #[error("{0}; retry when it is back")]
    Away(String),
    #[error("the key does not open this data: {0}")]
    Key(&'static str),
    #[error("catalog: {0}")]
    Catalog(String),
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
}

impl Error {
    /// An I/O failure with what was being done; a full disk becomes [`Error::DiskFull`], want of a descriptor
    /// [`Error::Busy`].
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Error::DiskFull,
            _ if matches!(Errno::from_io_error(&source), Some(Errno::MFILE | Errno::NFILE)) => Error::Busy,
            _ => Error::Io { what: what.into(), source },
        }
    }
}
