//! Rules that every HTTP protocol here shares: paths, ranges, conditions, locks, bodies under a budget, credentials.

pub mod body;
pub mod conditions;
pub mod credentials;
pub mod locks;
pub mod path;
pub mod range;
pub mod strict;
