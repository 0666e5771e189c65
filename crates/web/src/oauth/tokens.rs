//! The endpoints that apps call by themselves: each reads a form, makes one call, and answers JSON that nobody keeps.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use holm_auth::oauth::{Client, DEVICE_LIFE, INTERVAL, Params, Refusal};
use holm_core::Timestamp;
use holm_http::client::ClientAddress;
use holm_http::credentials;
use http::StatusCode;
use http::request::Parts;
use serde_json::json;

use super::client::{caller, key, waiting};
use super::{Failure, answer, form};
use crate::Web;

/// A request of an app that has authenticated.
async fn authenticated(web: &Web, head: &Parts, body: Body) -> Result<(Client, Params), Response> {
    let params = Params::parse(&form(&head.headers, body).await?).map_err(|e| Failure(e).into_response())?;
    let client = caller(web, head, &params, ClientAddress::of(&head.extensions)).await;
    client.map(|client| (client, params)).map_err(|e| Failure(e).into_response())
}

/// Tokens for a code, a refresh token or a device's code (OAuth 2.1 §3.2).
pub async fn token(State(web): State<Web>, request: Request) -> Result<Response, Response> {
    let (head, body) = request.into_parts();
    let (client, params) = authenticated(&web, &head, body).await?;
    let key = key(&web, &head, None).map_err(|e| Failure(e).into_response())?;
    let (auth, address) = (web.auth.clone(), ClientAddress::of(&head.extensions));
    let done = waiting(move || auth.exchange(&client, &params, key, address)).await.map_err(|e| Failure(e).into_response())?;
    let mut told = json!({
        "access_token": done.handed.access.reveal(),
        "token_type": if done.bound { "DPoP" } else { "Bearer" },
        "expires_in": done.handed.seconds,
        "scope": done.scope,
    });
    if let Some(refresh) = &done.handed.refresh {
        told["refresh_token"] = json!(refresh.reveal());
    }
    if let Some(id_token) = done.id_token {
        told["id_token"] = json!(id_token);
    }
    Ok(answer(StatusCode::OK, &told))
}

/// Takes a token back (RFC 7009); also one that nobody knows.
pub async fn revoke(State(web): State<Web>, request: Request) -> Result<Response, Response> {
    let (head, body) = request.into_parts();
    let (client, params) = authenticated(&web, &head, body).await?;
    let token = params.need("token").map_err(|e| Failure(e).into_response())?.to_owned();
    let auth = web.auth.clone();
    waiting(move || Ok(auth.take_back_token(&client, &token)?)).await.map_err(|e| Failure(e).into_response())?;
    Ok(answer(StatusCode::OK, &json!({})))
}

/// What a token is (RFC 7662), told to the app it was given to, if that can keep a secret.
pub async fn introspect(State(web): State<Web>, request: Request) -> Result<Response, Response> {
    let (head, body) = request.into_parts();
    let (client, params) = authenticated(&web, &head, body).await?;
    if !client.is_confidential() {
        return Err(Failure(Refusal::Said("invalid_client", "only an app with a secret is told what a token is".into())).into_response());
    }
    let token = params.need("token").map_err(|e| Failure(e).into_response())?.to_owned();
    let auth = web.auth.clone();
    let told = waiting(move || Ok(auth.introspect(&client, &token)?)).await.map_err(|e| Failure(e).into_response())?;
    Ok(answer(StatusCode::OK, &json!(told)))
}

/// Keeps a request that the app will send the person with (RFC 9126).
pub async fn push(State(web): State<Web>, request: Request) -> Result<Response, Response> {
    let (head, body) = request.into_parts();
    let (client, params) = authenticated(&web, &head, body).await?;
    let key = key(&web, &head, None).map_err(|e| Failure(e).into_response())?;
    let auth = web.auth.clone();
    let (uri, seconds) = waiting(move || auth.push(&client, &params, key)).await.map_err(|e| Failure(e).into_response())?;
    Ok(answer(StatusCode::CREATED, &json!({ "request_uri": uri, "expires_in": seconds })))
}

/// Codes for a device without a browser (RFC 8628).
pub async fn device(State(web): State<Web>, request: Request) -> Result<Response, Response> {
    let (head, body) = request.into_parts();
    let (client, params) = authenticated(&web, &head, body).await?;
    let (auth, address) = (web.auth.clone(), ClientAddress::of(&head.extensions));
    let device = waiting(move || auth.begin_device(&client, &params, address)).await.map_err(|e| Failure(e).into_response())?;
    let page = format!("{}/device", web.auth.origin());
    let told = json!({
        "device_code": device.code.reveal(),
        "user_code": device.user_code,
        "verification_uri": page,
        // What follows # stands in no log.
        "verification_uri_complete": format!("{page}#{}", device.user_code),
        "expires_in": DEVICE_LIFE / Timestamp::SECOND,
        "interval": INTERVAL,
    });
    Ok(answer(StatusCode::OK, &told))
}

/// Who the person is (OpenID Connect §5.3).
pub async fn userinfo(State(web): State<Web>, request: Request) -> Result<Response, Response> {
    let (head, _) = request.into_parts();
    let missing = || Failure(Refusal::Said("invalid_token", "send an access token for the scope openid in the header Authorization".into())).into_response();
    let bound = credentials::dpop(&head.headers);
    let token = bound.as_ref().cloned().or_else(|| credentials::bearer(&head.headers)).ok_or_else(missing)?;
    let key = match bound {
        Some(token) => key(&web, &head, Some(&token)).map_err(|e| Failure(e).into_response())?,
        None => None,
    };
    let auth = web.auth.clone();
    let told = waiting(move || Ok(auth.userinfo(&token, key.as_deref())?)).await.map_err(|e| Failure(e).into_response())?;
    told.map(|claims| answer(StatusCode::OK, &claims)).ok_or_else(missing)
}
