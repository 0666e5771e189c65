//! What WebFinger tells apps of somebody's storage (draft §10).

use holm_formats::jrd::Link;

use crate::place::ROOT;

/// What clients look for since draft 5.
const REL: &str = "http://tools.ietf.org/id/draft-dejong-remotestorage";
const VERSION: &str = "draft-dejong-remotestorage-26";
/// Where the authorization server asks the person, and gives out tokens.
const AUTHORIZE: &str = "/oauth/authorize";
const TOKEN: &str = "/oauth/token";

/// The link to a person's storage, for whoever opens holm at `origin`. Apps of before draft 26 ask for a token in one step;
/// those of since then by a code and PKCE.
pub fn link(origin: &str, person: &str) -> Link {
    let at = |path: &str| Some(format!("{origin}{path}"));
    let properties = [
        ("http://remotestorage.io/spec/version", Some(VERSION.to_owned())),
        ("http://tools.ietf.org/html/rfc6749#section-4.2", at(AUTHORIZE)),
        ("http://tools.ietf.org/html/rfc6749#section-3.1", at(AUTHORIZE)),
        ("http://tools.ietf.org/html/rfc6749#section-3.2", at(TOKEN)),
        ("http://tools.ietf.org/html/rfc7636", Some("S256".to_owned())),
        // No tokens in addresses.
        ("http://tools.ietf.org/html/rfc6750#section-2.3", None),
        ("http://tools.ietf.org/html/rfc7233", Some("GET".to_owned())),
        ("http://remotestorage.io/spec/web-authoring", None),
    ];
    Link { rel: REL, href: format!("{origin}{ROOT}/{person}"), properties: properties.into() }
}
