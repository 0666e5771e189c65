//! remoteStorage (draft-dejong-remotestorage-26): what apps without a server of their own keep, at `/rs/PERSON/…`. A document is
//! a file below `apps/`, so it has versions, and every other protocol sees it; apps ask for their part of it by OAuth.

mod caller;
mod document;
mod error;
mod link;
mod listing;
mod place;
mod routes;

pub use link::link;
pub use routes::{RemoteStorage, routes};
