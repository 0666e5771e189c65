//! Rules that every HTTP protocol here shares: paths, ranges, conditions, locks, bodies under a budget, credentials, contents
//! on their way in and out, what other sites' pages may read, where a request came from, and what is fetched from elsewhere.

pub mod body;
pub mod client;
pub mod conditions;
pub mod cors;
pub mod credentials;
pub mod fetch;
pub mod locks;
pub mod path;
pub mod range;
pub mod strict;
pub mod transfer;
