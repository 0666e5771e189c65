//! Apps, as they describe themselves (RFC 7591): by a document at the address that is their identifier (draft-ietf-oauth-client-
//! id-metadata-document), or by registering. Nothing that they say of themselves is believed, but where answers go.

use holm_core::{ClientRecord, Result, Timestamp, mutant};
use serde::{Deserialize, Serialize};
use url::Url;

use super::redirect;
use super::refusal::{Refusal, said};
use crate::{Auth, Token, Try};

/// Bytes of a document.
pub const MAX_DOCUMENT: usize = 5 * 1024;
/// How long a document that was fetched is not fetched again.
const CACHED: i64 = Timestamp::HOUR;
/// How long an app is known that registered and that nobody let in.
const UNUSED: i64 = 7 * Timestamp::DAY;
/// How long one is known that somebody let in.
const USED: i64 = 400 * Timestamp::DAY;
const MAX_REDIRECTS: usize = 10;
const MAX_NAME: usize = 100;
const MAX_IDENTIFIER: usize = 500;

/// What an app says of itself (RFC 7591 §2): what of it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_types: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_types: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Its tokens are bound to keys (RFC 9449 §5.2).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dpop_bound_access_tokens: bool,
}

/// An app that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub id: String,
    pub metadata: Metadata,
    /// The hash of its secret, where it can keep one.
    pub(super) secret: Option<[u8; 32]>,
    pub kind: Kind,
}

/// How an app is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It registered itself.
    Registered,
    /// Its identifier is where its description was fetched from.
    Document,
    /// Its identifier is the site that answers go to; it described itself to nobody, and gets folders of apps alone
    /// (draft-dejong-remotestorage-26 §10).
    Site,
}

/// What an app that registered is told.
#[derive(Debug)]
pub struct Registered {
    pub id: String,
    pub secret: Option<Token>,
    pub at: Timestamp,
    pub metadata: Metadata,
}

/// What is known of an app.
#[derive(Debug)]
pub enum Known {
    Client(Box<Client>),
    /// Its document has to be fetched from here first.
    Fetch(Url),
    Nobody,
}

impl Client {
    /// What to call it; its identifier says more.
    pub fn name(&self) -> String {
        let named = self.metadata.client_name.as_deref().map(str::trim).filter(|n| !n.is_empty());
        let host = || {
            let url = Url::parse(&self.id).ok().or_else(|| redirect::parse(self.metadata.redirect_uris.first()?));
            url.and_then(|u| u.host_str().map(str::to_owned)).unwrap_or_else(|| "an app".into())
        };
        named.map_or_else(host, str::to_owned)
    }

    /// Whether it can keep a secret.
    pub fn is_confidential(&self) -> bool {
        self.secret.is_some()
    }

    /// Where the answer to a request goes: the address that it names, or the only one that there is.
    ///
    /// # Errors
    /// For people: whoever asked is not to be believed.
    pub(super) fn redirect(&self, asked: Option<&str>) -> Result<Url, Refusal> {
        let known = &self.metadata.redirect_uris;
        let asked = match (asked, known.as_slice()) {
            (Some(asked), _) => asked,
            (None, [only]) => only,
            _ => return said("invalid_request", "the request names no redirect_uri"),
        };
        if self.kind == Kind::Site {
            let own = redirect::parse(asked).filter(|url| url.origin().ascii_serialization() == self.id);
            return own.ok_or(Refusal::Said("invalid_request", "the request names a redirect_uri that is not the app's own".into()));
        }
        let fits = |known: &String| redirect::matches(known, asked) || mutant("redirect-by-prefix") && asked.starts_with(known.as_str());
        let url = redirect::parse(asked).filter(|_| known.iter().any(fits));
        url.ok_or(Refusal::Said("invalid_request", "the request names a redirect_uri that the app has not registered".into()))
    }
}

/// A text for people: short, in one line, and not turned around (Trojan Source).
fn is_plain(text: &str, most: usize) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    text.chars().count() <= most && !text.chars().any(odd)
}

fn is_link(text: &str) -> bool {
    text.len() <= MAX_IDENTIFIER && Url::parse(text).is_ok_and(|u| u.scheme() == "https" && u.has_host() && u.username().is_empty())
}

impl Metadata {
    /// # Errors
    /// `invalid_redirect_uri` and `invalid_client_metadata` (RFC 7591 §3.2.2).
    fn check(&self) -> Result<(), Refusal> {
        let device = self.grant_types.as_ref().is_some_and(|g| g.iter().any(|g| g == super::DEVICE));
        if self.redirect_uris.len() > MAX_REDIRECTS || self.redirect_uris.is_empty() && !device {
            return said("invalid_redirect_uri", "give one to ten redirect_uris");
        }
        if !self.redirect_uris.iter().all(|uri| redirect::parse(uri).is_some()) {
            return said(
                "invalid_redirect_uri",
                "a redirect_uri is https, or http on a loopback address, or of a scheme like com.example.app; without fragment or user",
            );
        }
        let texts = [(&self.client_name, MAX_NAME), (&self.scope, 4_096)];
        if texts.iter().any(|(text, most)| text.as_ref().is_some_and(|t| !is_plain(t, *most))) {
            return said("invalid_client_metadata", "client_name has at most 100 characters in one line, scope 4,096");
        }
        let links = [&self.client_uri, &self.tos_uri, &self.policy_uri];
        if links.iter().any(|link| link.as_ref().is_some_and(|l| !is_link(l))) {
            return said("invalid_client_metadata", "client_uri, tos_uri and policy_uri are https addresses of at most 500 bytes");
        }
        let known = ["authorization_code", "refresh_token", super::DEVICE, "implicit"];
        let grants = self.grant_types.as_ref().is_none_or(|g| g.iter().all(|g| known.contains(&g.as_str())));
        if !grants || self.response_types.as_ref().is_some_and(|types| types.iter().any(|t| t != "code" && t != "token")) {
            return said("invalid_client_metadata", "grant_types are authorization_code, refresh_token and the device grant; the response type is code");
        }
        Ok(())
    }
}

impl Auth {
    /// What is known of an app.
    pub fn client(&self, id: &str) -> Result<Known> {
        if id.is_empty() || id.len() > MAX_IDENTIFIER {
            return Ok(Known::Nobody);
        }
        if is_site(id) {
            return Ok(Known::Client(Client { id: id.to_owned(), metadata: Metadata::default(), secret: None, kind: Kind::Site }.into()));
        }
        let address = document_address(id);
        let Some(ClientRecord { document, secret, .. }) = self.host().client(id)? else {
            return Ok(address.map_or(Known::Nobody, Known::Fetch));
        };
        let metadata = serde_json::from_str(&document).map_err(|e| holm_core::Error::Corrupt(format!("an app in the catalog: {e}")))?;
        Ok(Known::Client(Box::new(Client { id: id.to_owned(), metadata, secret, kind: if address.is_some() { Kind::Document } else { Kind::Registered } })))
    }

    /// Takes the document that was fetched from `url`, which is the app's identifier.
    ///
    /// # Errors
    /// `invalid_client` where it is none.
    pub fn describe(&self, url: &Url, document: &[u8]) -> Result<Client, Refusal> {
        let metadata: Metadata = match serde_json::from_slice(document) {
            Ok(metadata) if document.len() <= MAX_DOCUMENT => metadata,
            _ => return said("invalid_client", "what is at the client_id is no description of an app"),
        };
        let id = url.as_str();
        if metadata.client_id.as_deref() != Some(id) {
            return said("invalid_client", "the document at the client_id names another client_id");
        }
        if metadata.token_endpoint_auth_method.as_deref().is_some_and(|m| m != "none") {
            return said("invalid_client", "an app that is described by a document authenticates by none here");
        }
        if let Err(Refusal::Said(_, why)) = metadata.check() {
            return said("invalid_client", why);
        }
        self.keep_client(id, &metadata, None, CACHED)?;
        Ok(Client { id: id.to_owned(), metadata, secret: None, kind: Kind::Document })
    }

    fn keep_client(&self, id: &str, metadata: &Metadata, secret: Option<[u8; 32]>, life: i64) -> Result<()> {
        let document = serde_json::to_string(metadata).map_err(|e| holm_core::Error::Invalid(e.to_string()))?;
        let now = self.env().now();
        self.host().put_client(&ClientRecord { id: id.to_owned(), document, secret, created: now, expires: now.plus(life) })
    }

    /// Makes an app known that describes itself (RFC 7591 §3.1). Forgotten after a week, unless somebody lets it in.
    pub fn register(&self, body: &[u8], address: std::net::IpAddr) -> Result<Registered, Refusal> {
        if let Some(seconds) = self.limiter.attempt(Try::Registration(address), self.env().now())? {
            return Err(Refusal::Throttled(seconds));
        }
        let mut metadata: Metadata = match serde_json::from_slice(body) {
            Ok(metadata) => metadata,
            Err(_) => return said("invalid_client_metadata", "send the metadata of RFC 7591 as a JSON object"),
        };
        metadata.check()?;
        let method = metadata.token_endpoint_auth_method.clone().unwrap_or_else(|| "client_secret_basic".into());
        let secret = match method.as_str() {
            "none" => None,
            "client_secret_basic" | "client_secret_post" => Some(Token::random(self.env())),
            _ => return said("invalid_client_metadata", "token_endpoint_auth_method is none, client_secret_basic or client_secret_post"),
        };
        let id = format!("app-{}", Token::random(self.env()).reveal());
        metadata.token_endpoint_auth_method = Some(method);
        metadata.client_id = Some(id.clone());
        metadata.grant_types.get_or_insert_with(|| vec!["authorization_code".into()]);
        metadata.response_types.get_or_insert_with(|| vec!["code".into()]);
        self.keep_client(&id, &metadata, secret.as_ref().map(|s| Token::hash(s.reveal())), UNUSED)?;
        Ok(Registered { id, secret, at: self.env().now(), metadata })
    }

    /// Somebody let an app in: what it registered as stays.
    pub(super) fn note_used(&self, client: &str) -> Result<()> {
        if is_site(client) || document_address(client).is_some() { Ok(()) } else { self.host().keep_client(client, self.env().now().plus(USED)) }
    }

    /// Whether a secret is the app's own; one that has none needs none.
    ///
    /// # Errors
    /// `invalid_client`.
    pub fn authenticate(&self, client: &Client, secret: Option<&str>, address: std::net::IpAddr) -> Result<(), Refusal> {
        match (&client.secret, secret) {
            (None, None) => Ok(()),
            (Some(hash), Some(secret)) if *hash == Token::hash(secret) => Ok(()),
            _ => {
                let wait = self.limiter.attempt(Try::Token(address), self.env().now())?;
                wait.map_or_else(|| said("invalid_client", "the app's secret is not right"), |seconds| Err(Refusal::Throttled(seconds)))
            }
        }
    }
}

/// Whether an identifier is a site.
fn is_site(id: &str) -> bool {
    Url::parse(id).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.origin().ascii_serialization() == id) && redirect::parse(id).is_some()
}

/// Where an identifier that is an address leads; None where it is none, or written in another way than it is read.
fn document_address(id: &str) -> Option<Url> {
    let url = Url::parse(id).ok()?;
    let plain = matches!(url.scheme(), "https" | "http") && url.has_host() && url.username().is_empty() && url.password().is_none();
    // Which hosts, and where without TLS, whoever fetches it decides.
    (plain && url.as_str() == id && url.fragment().is_none() && url.path() != "/").then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t22_descriptions_have_bounds() {
        let check = |json: serde_json::Value| match serde_json::from_value::<Metadata>(json).unwrap().check() {
            Err(Refusal::Said(error, _)) => error,
            _ => "",
        };
        let ok = "https://app.example/cb";
        assert_eq!(check(serde_json::json!({ "redirect_uris": [ok], "client_name": "App", "unknown": 1 })), "");
        for (json, due) in [
            (serde_json::json!({}), "invalid_redirect_uri"),
            (serde_json::json!({ "redirect_uris": vec![ok; 100] }), "invalid_redirect_uri"),
            (serde_json::json!({ "redirect_uris": [ok, "javascript:alert(1)"] }), "invalid_redirect_uri"),
            (serde_json::json!({ "redirect_uris": [ok], "client_name": "a\u{202e}b" }), "invalid_client_metadata"),
            (serde_json::json!({ "redirect_uris": [ok], "client_name": "x".repeat(101) }), "invalid_client_metadata"),
            (serde_json::json!({ "redirect_uris": [ok], "tos_uri": "javascript:alert(1)" }), "invalid_client_metadata"),
            (serde_json::json!({ "redirect_uris": [ok], "grant_types": ["password"] }), "invalid_client_metadata"),
        ] {
            assert_eq!(check(json.clone()), due, "{json}");
        }
        for id in ["https://app.example/client.json", "https://app.example/a?b=c"] {
            assert!(document_address(id).is_some(), "{id}");
        }
        for id in [
            "app-x",
            "https://app.example",
            "https://app.example/",
            "https://app.example/a/../b",
            "https://a@app.example/x",
            "https://app.example/x#y",
            "ftp://app.example/x",
        ] {
            assert!(document_address(id).is_none(), "{id}");
        }
    }
}
