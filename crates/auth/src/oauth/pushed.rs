//! Requests that an app pushes before it sends the person here (RFC 9126): what they ask for never goes through a browser's hands.

use holm_core::{Result, Timestamp};
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::consent::read;
use super::refusal::{Params, Refusal, said};
use super::request::Unasked;
use crate::{Auth, Token};

const PUSHED: &str = "oauth-pushed";
const LIFE: i64 = 90 * Timestamp::SECOND;
/// What a pushed request is called.
const URN: &str = "urn:ietf:params:oauth:request_uri:";

#[derive(Serialize, Deserialize)]
struct Pushed {
    client: String,
    params: String,
}

impl Auth {
    /// Keeps an app's request; answers what it is called, and for how many seconds it is kept. `key` is the thumbprint of a key that
    /// the app proved to have.
    ///
    /// # Errors
    /// What is wrong with it is told at once.
    pub fn push(&self, client: &Client, params: &Params, key: Option<String>) -> Result<(String, i64), Refusal> {
        if params.get("request_uri").is_some() {
            return said("invalid_request", "what is pushed is a request, not the name of one");
        }
        match (key, params.get("dpop_jkt")) {
            (Some(key), Some(due)) if key != due => return said("invalid_dpop_proof", "the proof's key is not that of dpop_jkt"),
            (Some(key), None) => return self.push(client, &Params::parse(&format!("{}&dpop_jkt={key}", params.encode()))?, None),
            _ => {}
        }
        match self.ask_for_app(client, params) {
            Ok(_) => {}
            Err(Unasked::Page(refusal)) => return Err(refusal),
            Err(Unasked::Redirect(to)) => {
                let error = url::Url::parse(&to).ok().and_then(|u| Params::parse(u.query().unwrap_or_default()).ok());
                let why = error.as_ref().and_then(|e| e.get("error_description")).unwrap_or_default().to_owned();
                // By the same name, which is one of ours.
                let known = ["invalid_scope", "invalid_target", "unsupported_response_type", "request_not_supported"];
                let name = error.as_ref().and_then(|e| known.into_iter().find(|k| e.get("error") == Some(*k))).unwrap_or("invalid_request");
                return said(name, why);
            }
        }
        let token = self.put(PUSHED, &Pushed { client: client.id.clone(), params: params.encode() }, LIFE)?;
        Ok((format!("{URN}{}", token.reveal()), LIFE / Timestamp::SECOND))
    }

    /// What was pushed under this name by this app; once.
    pub fn pushed(&self, client: &str, request_uri: &str) -> Result<Params, Refusal> {
        let wrong = || said("invalid_request_uri", "nothing was pushed under this request_uri, or its time is over; begin again in the app");
        let Some(token) = request_uri.strip_prefix(URN) else { return wrong() };
        let Some(ticket) = self.host().take_ticket(&Token::hash(token), PUSHED)? else { return wrong() };
        let pushed: Pushed = read(&ticket)?;
        if pushed.client == client { Params::parse(&pushed.params) } else { wrong() }
    }
}
