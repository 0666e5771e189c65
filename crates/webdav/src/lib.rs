//! Files over WebDAV: a person's tree at `/dav/files/PERSON/`, and the collections above it that clients probe.

mod parents;
mod routes;

pub use routes::{Webdav, routes};
