//! Calendars and contacts: CalDAV (RFC 4791) at `/dav/calendars/PERSON/` and CardDAV (RFC 6352) at `/dav/contacts/PERSON/`.
//! A calendar is a folder in `calendars/` of a person's tree, an address book one in `contacts/`; what is in them are files, kept
//! byte for byte. Most methods are WebDAV's; here is what these protocols add.

mod body;
mod first_look;
mod home;
mod make;
mod properties;
mod put;
mod query;
mod report;
mod routes;
mod transfer;

pub use first_look::{component_set, furnish, property};
pub use home::Home;
pub use routes::routes;
