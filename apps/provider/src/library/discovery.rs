//! What the Library says of itself, its keys, and its challenges.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{ISSUER, freshen};
use crate::clock;
use crate::http::google_error;
use crate::running::Shared;

pub(super) async fn document() -> Json<Value> {
    let at = |path: &str| format!("{ISSUER}{path}");
    Json(json!({
        "issuer": ISSUER,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "pushed_authorization_request_endpoint": at("/par"),
        "require_pushed_authorization_requests": false,
        "revocation_endpoint": at("/revoke"),
        "registration_endpoint": at("/register"),
        "challenge_endpoint": at("/challenge"),
        "userinfo_endpoint": "https://api.library.example/userinfo",
        "jwks_uri": at("/jwks"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile", "offline_access"],
        "token_endpoint_auth_methods_supported": [
            "attest_jwt_client_auth_dpop", "attest_jwt_client_auth", "private_key_jwt",
            "client_secret_jwt", "client_secret_basic", "client_secret_post"
        ],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "HS256"],
        "client_attestation_signing_alg_values_supported": ["ES256"],
        "client_attestation_pop_signing_alg_values_supported": ["ES256"],
        "client_attestation_pop_methods_supported": ["attestation_pop_jwt", "dpop_combined"],
        "dpop_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

pub(super) async fn keys(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.signing.jwks())
}

/// `POST /challenge`: the newest challenge, and the newest nonce beside it.
pub(super) async fn challenge(State(shared): State<Arc<Shared>>) -> Response {
    let Some(library) = &shared.library else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut state = library.lock();
    let challenge = state.credentials.newest_challenge(clock::now());
    let body = json!({ "attestation_challenge": challenge });
    let mut response = google_error::json(StatusCode::OK, &body);
    freshen(&mut state, &mut response);
    response
}
