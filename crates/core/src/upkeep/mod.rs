//! Upkeep: what the policy no longer keeps is let go, and the space it took comes back. Runs beside readers, writers
//! and other processes, in transactions of a few milliseconds each.
//!
//! Safe without a lock, because nothing is deleted on an old view alone: a content that nothing refers to can gain no
//! reference again; a chunk is first marked dead, deleted in a later round, and both look for references in the
//! transaction that does it; a pack file goes only after its row is durably gone, in a transaction that looks for the
//! row once more, and a commit that would bring the row back looks for the file first.

mod affected;
mod audit;
pub mod check;
mod compact;
mod pace;
pub mod reindex;
mod sweep;
mod thin;

use crate::env::{Env, Timestamp};
use crate::error::Result;
use crate::mutant::mutant;
use crate::party::{Party, PartyId};
use crate::store::content::Store;
use crate::tree::version::Retention;

/// What may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub retention: Retention,
    /// Milliseconds that bytes nothing refers to stay, so that an upload under way may still come to refer to them.
    pub grace: i64,
    /// Whoever asks says that the clock is right, however far it has come since the last round.
    pub clock_is_right: bool,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { retention: Retention::default(), grace: 24 * Timestamp::HOUR, clock_is_right: false }
    }
}

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Earlier versions let go.
    pub versions: u64,
    /// Things that left the trash.
    pub purged: u64,
    /// Contents that nothing referred to.
    pub contents: u64,
    /// Chunks found dead now; a later round deletes them.
    pub chunks_marked: u64,
    pub chunks_deleted: u64,
    /// Packs written anew without their dead chunks.
    pub packs_compacted: u64,
    /// Pack files deleted, the compacted ones included.
    pub packs_deleted: u64,
    /// Packs that could not be read whole and were left as they are: run `check --deep`.
    pub packs_damaged: u64,
    /// Packs that are still sealed under an earlier key of the person's.
    pub packs_outdated: u64,
    /// Bytes the pack directory has lost on balance; negative when compaction has only begun.
    pub bytes_freed: i64,
    /// Milliseconds that upkeep's time is behind the clock, after a jump or a long pause.
    pub behind: i64,
}

/// Seals what lies under earlier keys of the person's anew; every round of upkeep does it too.
pub fn reseal(store: &Store, env: &Env) -> Result<Upkeep> {
    let mut done = Upkeep::default();
    compact::reseal(store, env, &mut done)?;
    Ok(done)
}

/// One round, in the order in which each step makes the next one's work.
pub fn run(store: &Store, env: &Env, rules: &Rules) -> Result<Upkeep> {
    let now = pace::advance(store, env, rules)?;
    let party = Party { person: store.person, id: PartyId::OWNER, credential: 0, label: "retention".into(), limits: None };
    let purged = thin::trash(store, env, &party, now.plus(-rules.retention.trash_millis()))?;
    thin::condemned(store, env, &party)?;
    let versions = thin::versions(store, now, &rules.retention)?;
    thin::locks(store, env)?;
    thin::uploads(store, env, &party, now)?;
    thin::records(store, now, &rules.retention)?;
    let contents = sweep::contents(store)?;
    let grace = if mutant("no-grace") { 0 } else { rules.grace };
    let (chunks_marked, chunks_deleted) = sweep::chunks(store, now, grace)?;
    let behind = (env.now().0 - now.0).max(0);
    let mut done = Upkeep { purged, versions, contents, chunks_marked, chunks_deleted, behind, ..Upkeep::default() };
    compact::packs(store, env, now.plus(-grace), &mut done)?;
    Ok(done)
}
