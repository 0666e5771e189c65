//! The lowest room: where facts and bytes lie. `catalog` is the trait SQL engines stand behind, `sqlite` the embedded
//! engine, `postgres` the shared one, `pack` the sealed files that hold large content, `shelf` the directory of them, `content` names, cuts
//! and reads it, `upload` receives it. Knows no paths, no grants and no journal.

pub mod catalog;
pub mod content;
pub mod pack;
pub mod postgres;
pub mod seal;
mod shelf;
pub mod sqlite;
pub mod upload;

pub use shelf::PackFile;

/// Content up to this many bytes lies in the catalog itself.
pub const INLINE_MAX: usize = 64 * 1024;
