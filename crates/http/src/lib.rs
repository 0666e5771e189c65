//! Rules that every HTTP protocol here shares: paths, ranges, conditions, bodies under a budget, credentials.

pub mod body;
pub mod conditions;
pub mod credentials;
pub mod path;
pub mod range;
pub mod strict;
