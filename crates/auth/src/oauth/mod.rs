//! Apps with permission: an authorization server (OAuth 2.1) whose tokens prove parties of the ledger like any other credential. An
//! app's party is what it proves to be; each time it is let in, that is a credential of its own, for the grants made then.

mod bearer;
mod let_in;
pub mod scope;

pub use let_in::{Allowed, Handed, STORAGE_LIFE};
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
}

/// The kind of a token that opens doors.
pub(crate) const ACCESS: &str = "access";
