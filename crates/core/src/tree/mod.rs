//! The versioned tree: entries below one root, what may change them, and how. `Head` is the person's counters, `entry`
//! a row, `change` the nouns of a write, `condition` what a write may demand, `apply` does it. Knows catalog rows and
//! content ids; knows nothing of threads, protocols or permission.

pub mod apply;
pub mod change;
pub mod condition;
mod document;
pub mod entry;
pub mod item;
pub mod lock;
pub mod prop;
pub mod transfer;
pub mod trash;
pub mod upload;
pub mod version;
