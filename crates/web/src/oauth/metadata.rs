//! What tells apps where everything is: of the authorization server (RFC 8414, OpenID Connect Discovery), and of each part of holm
//! that takes its tokens (RFC 9728).

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use holm_auth::oauth::DEVICE;
use http::StatusCode;
use serde_json::json;

use super::{Failure, answer};
use crate::Web;
use crate::caller::blocking;
use crate::problem::Problem;

/// Scopes that every app may find worth asking for; modules and folders have names of their own.
const SCOPES: [&str; 9] = ["openid", "profile", "offline_access", "files:r", "files:rw", "cal", "card", "mail:r", "*:rw"];

pub async fn server(State(web): State<Web>) -> Response {
    let origin = web.auth.origin();
    let at = |path: &str| format!("{origin}{path}");
    let auth = ["none", "client_secret_basic", "client_secret_post"];
    let document = json!({
        "issuer": origin,
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "registration_endpoint": at("/oauth/register"),
        "revocation_endpoint": at("/oauth/revoke"),
        "introspection_endpoint": at("/oauth/introspect"),
        "pushed_authorization_request_endpoint": at("/oauth/par"),
        "device_authorization_endpoint": at("/oauth/device_authorization"),
        "userinfo_endpoint": at("/oauth/userinfo"),
        "jwks_uri": at("/oauth/jwks"),
        "scopes_supported": SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", DEVICE],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": auth,
        "revocation_endpoint_auth_methods_supported": auth,
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": true,
        "require_pushed_authorization_requests": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": true,
        "require_request_uri_registration": true,
        "prompt_values_supported": ["none", "login", "consent"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "name", "preferred_username"],
    });
    answer(StatusCode::OK, &document)
}

/// Of the whole, or of the part at a path.
pub async fn resource(State(web): State<Web>, path: Option<Path<String>>) -> Response {
    let path = path.map_or_else(String::new, |Path(path)| format!("/{path}"));
    let Some(resource) = web.auth.resource_at(&path) else {
        return Problem::not_found("no part of this holm that takes tokens is there").into_response();
    };
    let document = json!({
        "resource": resource,
        "authorization_servers": [web.auth.origin()],
        "bearer_methods_supported": ["header"],
        "scopes_supported": SCOPES,
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
    });
    answer(StatusCode::OK, &document)
}

/// What id tokens are verified with (RFC 7517).
pub async fn jwks(State(web): State<Web>) -> Response {
    match blocking(move || Ok(web.auth.jwks().map_err(Failure::from))).await {
        Ok(Ok(keys)) => answer(StatusCode::OK, &keys),
        Ok(Err(failure)) => failure.into_response(),
        Err(problem) => problem.into_response(),
    }
}
