//! holm's ground state: a person's versioned tree, its journal, its sealed store, and the one gate to them.
//!
//! The words: a [`Party`] is whoever acts, already proven; [`Gate::admit`] gives it an [`Access`], the only handle to
//! a tree; an [`Entry`] stands at a [`Path`]; a [`Change`] under a [`Precondition`] is committed as one [`Seq`].
//! Rooms, each knowing only those before it: `store`, `tree` with `journal`, `ledger`,
//! `upkeep`, `host`, `access`.

mod access;
pub mod age;
mod env;
mod error;
mod host;
mod journal;
mod keys;
mod ledger;
mod mutant;
mod name;
mod party;
mod store;
mod tree;
mod upkeep;
#[cfg(test)]
mod vectors;

pub use access::sharing::{AllowedApp, NewApp};
pub use access::{
    Access, AccessRecord, Act, Content, Cut, Gate, Item, Link, LinkEnd, Listed, NewLink, RecordFilter, SecondFactors, Transfer, Usage, Via, check_passkey_name,
};
pub use env::{Clock, Entropy, Env, Timestamp};
pub use error::{Error, Result};
pub use host::attempts::Limit;
pub use host::{
    ClientRecord, Credential, CredentialKind, Host, Kit, Migrated, NewSession, NewToken, Newcomer, PasskeyRecord, Person, Place, Proof, Proofs, SessionRecord,
    Ticket, TokenRecord,
};
pub use journal::{Difference, Differences, Op, Record, Seq};
pub use keys::{Key, KeyRing, PersonKey, RootKey};
pub use ledger::{Grant, KnownParty, LedgerEntry, NewGrant, Page, Rights, Scope, Standing, Terms};
pub use mutant::mutant;
pub use name::{MAX_NAME, Name, Path};
pub use party::{Abilities, Ability, Limits, Party, PartyId, PartyKind, PersonId};
pub use store::INLINE_MAX;
pub use store::content::{NewContent, NewPart};
pub use store::upload::ContentWriter;
pub use tree::change::{Change, Depth, Done, LockRequest, Outcome, Overwrite};
pub use tree::condition::{List, Precondition, State, Tags, Term};
pub use tree::entry::{Entry, Kind, Order};
pub use tree::item::may_be as may_be_item;
pub use tree::lock::{Lock, MAX_SECONDS};
pub use tree::prop::{MAX_VALUE, PropChange};
pub use tree::trash::Trashed;
pub use tree::upload::{NewUpload, Upload};
pub use tree::version::{Retention, Version};
pub use upkeep::check::Report;
pub use upkeep::reindex::Reindexed;
pub use upkeep::{Rules, Upkeep};

/// For `crates/fuzz` alone.
#[doc(hidden)]
pub use store::pack;
