//! Which app asks, and what it proves: the document that it describes itself with is fetched, its secret or the key of its proof
//! looked at.

use std::net::IpAddr;
use std::time::Duration;

use holm_auth::oauth::{Client, Known, MAX_DOCUMENT, Params, Proof, Refusal};
use holm_core::Error;
use holm_http::credentials;
use holm_http::fetch::Bounds;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::Web;

/// A description is small, and whoever asks waits for it.
const BOUNDS: Bounds = Bounds { bytes: MAX_DOCUMENT, time: Duration::from_secs(8), redirects: 0 };

/// Runs what may wait for a disk.
pub async fn waiting<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Refusal::Failed(Error::Poisoned)))
}

/// The app of this identifier.
///
/// # Errors
/// `invalid_client` where there is none.
pub async fn known(web: &Web, id: &str, address: IpAddr) -> Result<Client, Refusal> {
    let (auth, name) = (web.auth.clone(), id.to_owned());
    let nobody = |why: String| Refusal::Said("invalid_client", why.into());
    let url = match waiting(move || Ok(auth.client(&name)?)).await? {
        Known::Client(client) => return Ok(*client),
        Known::Fetch(url) => url,
        Known::Nobody => return Err(nobody("no app is known by this client_id; let it register, or describe itself".into())),
    };
    let auth = web.auth.clone();
    waiting(move || auth.count_request(address)).await?;
    let fetched = web.fetch.get(&url, "application/json", BOUNDS).await;
    let fetched = fetched.map_err(|e| nobody(format!("the app's description could not be fetched: {e}")))?;
    let json = |kind: &str| kind.split(';').next().is_some_and(|k| k.trim() == "application/json" || k.trim().ends_with("+json"));
    if !fetched.kind.as_deref().is_some_and(json) {
        return Err(nobody("what is at the client_id is not JSON".into()));
    }
    let auth = web.auth.clone();
    waiting(move || auth.describe(&url, &fetched.body)).await
}

/// The app that calls an endpoint, authenticated as it registered (RFC 6749 §2.3).
pub async fn caller(web: &Web, head: &Parts, params: &Params, address: IpAddr) -> Result<Client, Refusal> {
    let wrong = |error, why: &'static str| Err(Refusal::Said(error, why.into()));
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let basic = credentials::basic(&head.headers).map(|(id, secret)| (decode(&id), decode(&secret)));
    let (id, secret) = match (basic, params.get("client_id"), params.get("client_secret")) {
        (Some(_), _, Some(_)) => return wrong("invalid_request", "authenticate in one way"),
        (Some((id, _)), Some(other), _) if id != other => return wrong("invalid_request", "two apps are named"),
        (Some((id, secret)), ..) => (id, Some(secret)),
        (None, Some(id), secret) => (id.to_owned(), secret.map(str::to_owned)),
        (None, None, _) => return wrong("invalid_client", "name the app: client_id"),
    };
    let client = known(web, &id, address).await?;
    let auth = web.auth.clone();
    waiting(move || auth.authenticate(&client, secret.as_deref(), address).map(|()| client)).await
}

/// The thumbprint of the key that a request proves to have, where it does; `token` is what the proof must be for.
///
/// # Errors
/// `invalid_dpop_proof`.
pub fn key(web: &Web, head: &Parts, token: Option<&str>) -> Result<Option<String>, Refusal> {
    let mut proofs = head.headers.get_all("dpop").iter();
    let jwt = match (proofs.next(), proofs.next()) {
        (None, _) => return Ok(None),
        (Some(proof), None) => proof.to_str().unwrap_or_default(),
        _ => return Err(Refusal::Said("invalid_dpop_proof", "send one proof".into())),
    };
    web.auth.prove_key(&Proof { jwt, method: head.method.as_str(), path: head.uri.path() }, token).map(Some)
}
