//! Pure codecs, one module a standard: no I/O, no clock, no async. Every parser runs under a budget.

pub mod acl;
pub mod date;
pub mod dav;
pub mod jrd;
pub mod media;
pub mod xml;
