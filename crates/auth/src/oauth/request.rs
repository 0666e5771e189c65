//! What an app asks for at the authorization endpoint (OAuth 2.1 §4.1.1): looked at once, then kept until the person answers, so that
//! what they saw is what is done.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holm_core::mutant;
use serde::{Deserialize, Serialize};
use url::Url;

use super::client::{Client, Kind};
use super::redirect;
use super::refusal::{Params, Refusal, said};
use super::scope::{Dialect, Scopes};
use crate::Auth;

const MAX_STATE: usize = 2_000;

/// How the answer comes to the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Flow {
    /// A code, for whoever has the verifier of this challenge (RFC 7636, S256).
    Code { challenge: String },
    /// A token in the fragment: remoteStorage alone.
    Storage,
    /// The app polls with the code whose hash this is, in hex (RFC 8628).
    Device { code: String },
}

/// What an app asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub client: String,
    /// What the app calls itself.
    pub name: String,
    /// What the app proves to be: the site that gets the answer, or its identifier.
    pub subject: String,
    /// Where the answer goes; None: nowhere, the app polls.
    pub redirect: Option<String>,
    pub(super) flow: Flow,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) scope: String,
    pub(super) doors: Vec<String>,
    pub(super) key: Option<String>,
    /// The person it is meant for, where the app knows.
    pub login_hint: Option<String>,
    /// Seconds that a proof of who is there may be old.
    pub max_age: Option<i64>,
    /// `none`, `login`, `consent`, as asked for.
    pub(super) prompt: Vec<String>,
    pub tos_uri: Option<String>,
    pub policy_uri: Option<String>,
    /// A site that described itself to nobody: nothing goes there before the person answered, for anybody can write an address with
    /// another site's name in it (T22).
    #[serde(default)]
    pub(super) site: bool,
}

/// Why a request at the authorization endpoint comes to nothing.
#[derive(Debug)]
pub enum Unasked {
    /// To be told to the person, and to nobody else: where the answer should go is not to be believed.
    Page(Refusal),
    /// To be told to the app, by this address.
    Redirect(String),
}

impl From<Refusal> for Unasked {
    fn from(refusal: Refusal) -> Unasked {
        Unasked::Page(refusal)
    }
}

impl Asked {
    /// What is asked for. The words were read before they were kept.
    pub fn scopes(&self) -> Scopes {
        Scopes::parse(&self.scope, Dialect::Holm).unwrap_or_default()
    }

    pub fn is_silent(&self) -> bool {
        !self.site && self.prompt.iter().any(|p| p == "none")
    }

    pub fn wants_sign_in(&self) -> bool {
        self.prompt.iter().any(|p| p == "login")
    }

    /// A device shows a code that the person typed.
    pub fn is_device(&self) -> bool {
        matches!(self.flow, Flow::Device { .. })
    }

    pub fn is_storage(&self) -> bool {
        self.flow == Flow::Storage
    }

    /// The answer's address: parameters in the query, or of a token in the fragment; with them the state that the app gave.
    pub(super) fn answer(&self, issuer: &str, params: &[(&str, &str)]) -> Option<String> {
        let mut url = Url::parse(self.redirect.as_deref()?).ok()?;
        let mut all: Vec<(&str, &str)> = params.to_vec();
        all.extend(self.state.as_deref().map(|state| ("state", state)));
        if self.flow == Flow::Storage {
            let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish();
            url.set_fragment(Some(&encoded));
        } else {
            // So that answers of two servers can not be mixed up (RFC 9207).
            all.push(("iss", issuer));
            url.query_pairs_mut().extend_pairs(all);
        }
        Some(url.into())
    }
}

impl Auth {
    /// Looks at a request of an app at the authorization endpoint.
    pub fn ask_for_app(&self, client: &Client, params: &Params) -> Result<Asked, Unasked> {
        let url = client.redirect(params.get("redirect_uri"))?;
        let subject = match redirect::origin(&url) {
            _ if client.kind != Kind::Registered => client.id.clone(),
            Some(origin) => origin,
            None => client.id.clone(),
        };
        let mut asked = self.bare(client.id.clone(), client.name(), subject, params);
        // To the byte as it was asked for: the app compares.
        asked.redirect = Some(params.get("redirect_uri").map_or_else(|| url.as_str().to_owned(), str::to_owned));
        (asked.tos_uri, asked.policy_uri) = (client.metadata.tos_uri.clone(), client.metadata.policy_uri.clone());
        let refused = match self.complete(&mut asked, client, params) {
            Ok(()) => return Ok(asked),
            Err(Refusal::Said(error, why)) => (error, why),
            Err(other) => return Err(Unasked::Page(other)),
        };
        let answer = asked.answer(self.origin(), &[("error", refused.0), ("error_description", &refused.1)]).filter(|_| client.kind != Kind::Site);
        Err(answer.map_or_else(|| Unasked::Page(Refusal::Said(refused.0, refused.1)), Unasked::Redirect))
    }

    fn bare(&self, client: String, name: String, subject: String, params: &Params) -> Asked {
        let text = |name: &str| params.get(name).filter(|t| t.len() <= MAX_STATE).map(str::to_owned);
        Asked {
            client,
            name,
            subject,
            redirect: None,
            flow: Flow::Storage,
            state: text("state"),
            nonce: text("nonce"),
            scope: String::new(),
            doors: Vec::new(),
            key: text("dpop_jkt"),
            login_hint: text("login_hint"),
            max_age: params.get("max_age").and_then(|age| age.parse().ok()).filter(|age| *age >= 0),
            prompt: params.get("prompt").into_iter().flat_map(|p| p.split(' ')).map(str::to_owned).collect(),
            tos_uri: None,
            policy_uri: None,
            site: false,
        }
    }

    /// What an app may get wrong and be told about.
    fn complete(&self, asked: &mut Asked, client: &Client, params: &Params) -> Result<(), Refusal> {
        if params.get("state").is_some_and(|s| s.len() > MAX_STATE) || params.get("nonce").is_some_and(|n| n.len() > MAX_STATE) {
            return said("invalid_request", "state and nonce have at most 2,000 bytes");
        }
        match params.need("response_type")? {
            "code" => {}
            _ => return said("unsupported_response_type", "the response_type is code"),
        }
        if params.get("request").is_some() {
            return said("request_not_supported", "give the parameters as they are, or push them");
        }
        if params.get("response_mode").is_some_and(|mode| mode != "query") {
            return said("invalid_request", "the response_mode is query");
        }
        asked.flow = Flow::Code { challenge: challenge(params)? };
        if asked.prompt.len() > 1 && asked.is_silent() {
            return said("invalid_request", "the prompt none stands alone");
        }
        let site = client.kind == Kind::Site;
        asked.site = site;
        asked.scope = scopes(params, if site { Dialect::RemoteStorage } else { Dialect::Holm })?.to_string();
        asked.doors = if site { vec![super::resource::STORAGE.to_owned()] } else { self.doors(params.all("resource"))? };
        if client.metadata.dpop_bound_access_tokens && asked.key.is_none() && params.get("dpop_jkt").is_some() {
            return said("invalid_request", "dpop_jkt is a thumbprint");
        }
        Ok(())
    }

    /// Looks at what an app of remoteStorage asks for (draft-dejong-remotestorage-26 §10). It is who its address says, and only
    /// what lies in folders of apps is to be had this way.
    ///
    /// # Errors
    /// For people, all of them: nothing that comes of this is sent anywhere before they answered.
    pub fn ask_for_storage(&self, params: &Params) -> Result<Asked, Refusal> {
        let text = params.need("redirect_uri")?;
        let url = redirect::parse(text).filter(|u| matches!(u.scheme(), "https" | "http"));
        let Some(url) = url else {
            return said("invalid_request", "the app's redirect_uri is no address that anything is sent to: https, or this machine, without fragment or user");
        };
        let subject = url.origin().ascii_serialization();
        let name = url.host_str().unwrap_or_default().to_owned();
        let mut asked = self.bare(subject.clone(), name, subject, params);
        asked.redirect = Some(text.to_owned());
        asked.scope = scopes(params, Dialect::RemoteStorage)?.to_string();
        asked.doors = vec![super::resource::STORAGE.to_owned()];
        asked.site = true;
        // Bound to no key: nothing of what this flow knows could prove one.
        asked.key = None;
        Ok(asked)
    }

    /// What a device asks for that has no browser (RFC 8628 §3.1).
    pub(super) fn ask_for_device(&self, client: &Client, params: &Params, code: String) -> Result<Asked, Refusal> {
        let mut asked = self.bare(client.id.clone(), client.name(), client.id.clone(), params);
        asked.flow = Flow::Device { code };
        asked.scope = scopes(params, Dialect::Holm)?.to_string();
        asked.doors = self.doors(params.all("resource"))?;
        (asked.tos_uri, asked.policy_uri) = (client.metadata.tos_uri.clone(), client.metadata.policy_uri.clone());
        Ok(asked)
    }
}

fn scopes(params: &Params, dialect: Dialect) -> Result<Scopes, Refusal> {
    let asked = params.get("scope").unwrap_or_default();
    Scopes::parse(asked, dialect).ok_or_else(|| Refusal::Said("invalid_scope", "the app asks for something that there is not".into()))
}

/// The challenge that a verifier must fit (RFC 7636 §4.2); `plain` is none (T24).
fn challenge(params: &Params) -> Result<String, Refusal> {
    let challenge = params.get("code_challenge").unwrap_or_default();
    let method = params.get("code_challenge_method");
    let sound = URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|bytes| bytes.len() == 32);
    if (sound && method == Some("S256")) || mutant("plain-challenge-taken") && !challenge.is_empty() {
        Ok(challenge.to_owned())
    } else {
        said("invalid_request", "give a code_challenge with the code_challenge_method S256")
    }
}

/// Whether a verifier fits a challenge.
pub(super) fn fits(verifier: &str, challenge: &str) -> bool {
    let plain = verifier.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    (43..=128).contains(&verifier.len()) && plain && URL_SAFE_NO_PAD.encode(digest) == challenge || mutant("any-verifier-fits")
}
