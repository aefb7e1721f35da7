//! Who an access token speaks for.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::json;

use super::google_error::{self, PlatformError};
use crate::clock;
use crate::running::Shared;

/// The scopes of the bearer token in the header; nowhere else is one looked for (RFC 6750 §2.1).
pub(super) fn scope_of(shared: &Shared, headers: &HeaderMap) -> Result<Vec<String>, PlatformError> {
    let value = headers
        .get(header::AUTHORIZATION)
        .ok_or(PlatformError::LOGIN_REQUIRED)?;
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or(PlatformError::INVALID_CREDENTIALS)?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(PlatformError::INVALID_CREDENTIALS);
    }
    shared
        .grants()
        .scope_of(token, clock::now())
        .ok_or(PlatformError::INVALID_CREDENTIALS)
}

pub(super) async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let scope = match scope_of(&shared, &headers) {
        Ok(scope) => scope,
        Err(error) => return error.render(),
    };
    let has = |name: &str| scope.iter().any(|scope| scope == name);
    if !has("openid") {
        return PlatformError::SCOPE_INSUFFICIENT.render();
    }
    let user = &shared.user;
    let mut claims = json!({"sub": user.subject});
    if has("profile") {
        claims["name"] = json!(user.name);
        claims["given_name"] = json!(user.given_name);
    }
    if has("email") {
        claims["email"] = json!(user.email);
        claims["email_verified"] = json!(true);
    }
    google_error::json(StatusCode::OK, &claims)
}
