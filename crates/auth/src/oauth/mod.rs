//! Apps with permission: an authorization server (OAuth 2.1) whose tokens prove parties of the ledger like any other credential. An
//! app's party is what it proves to be; each time it is let in, that is a credential of its own, for the grants made then.

mod bearer;
mod client;
mod consent;
mod device;
mod exchange;
mod identity;
mod let_in;
pub(crate) mod proof;
mod pushed;
/// For `crates/fuzz` alone.
#[doc(hidden)]
pub mod redirect;
mod refusal;
mod request;
pub mod resource;
pub mod scope;

pub use client::{Client, Kind, Known, MAX_DOCUMENT, Metadata, Registered};
pub use consent::{Answer, Pending};
pub use device::{Device, INTERVAL, LIFE as DEVICE_LIFE};
pub use exchange::{Exchanged, Introspected};
pub use let_in::{Allowed, Handed, STORAGE_LIFE};
pub use proof::Proof;
pub use refusal::{Params, Refusal};
pub use request::{Asked, Unasked};
use serde::{Deserialize, Serialize};

/// What a token is for, as the catalog keeps it. The field names are the on-disk format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    /// The app's identifier.
    pub client: String,
    /// Words of [`scope::Scopes`].
    pub scope: String,
    /// By these grants alone.
    pub grants: Vec<i64>,
    /// At these doors alone; none named: at any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doors: Vec<String>,
    /// The thumbprint of the key that whoever comes with it must prove to have (RFC 9449 §6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whom the person's name for the app is told to: the host that gets the answers.
    pub sector: String,
    /// When the grants end, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// The kind of a token that opens doors.
pub(crate) const ACCESS: &str = "access";
/// And of one that brings the next.
pub(crate) const REFRESH: &str = "refresh";
/// The grant type of devices without a browser (RFC 8628 §3.4).
pub const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
