//! Rules that every HTTP protocol here shares: paths, ranges, conditions, locks, bodies under a budget, credentials,
//! and where a request came from.

pub mod body;
pub mod client;
pub mod conditions;
pub mod credentials;
pub mod locks;
pub mod path;
pub mod range;
pub mod strict;
