//! Files over WebDAV: a person's tree at `/dav/files/PERSON/`, what links lead to at `/dav/links/TOKEN/`, and the collections
//! above that clients probe.

mod links;
mod parents;
mod routes;

pub use routes::routes;
