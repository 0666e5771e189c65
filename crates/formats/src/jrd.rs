//! JSON Resource Descriptors (RFC 7033 §4.4): what WebFinger tells of somebody.

use std::collections::BTreeMap;

use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jrd {
    pub subject: String,
    pub links: Vec<Link>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    pub rel: &'static str,
    pub href: String,
    /// By URI; None is the JSON null, which says that there is no such thing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<&'static str, Option<String>>,
}
