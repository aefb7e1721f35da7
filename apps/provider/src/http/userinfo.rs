//! Who an access token speaks for.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;

use super::google_error::{self, PlatformError};
use crate::ISSUER;
use crate::clock;
use crate::running::Shared;

/// What a request may see: scopes, or why none.
#[derive(Debug, Clone)]
pub(crate) struct Access(pub(crate) Result<Vec<String>, PlatformError>);

/// Scheme and token of the header; nowhere else is one looked for (RFC 6750 §2.1).
pub(crate) fn credentials(headers: &HeaderMap) -> Result<(&str, &str), PlatformError> {
    headers
        .get(header::AUTHORIZATION)
        .ok_or(PlatformError::LOGIN_REQUIRED)?
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or(PlatformError::INVALID_CREDENTIALS)
}

/// Bearer tokens, as Google has them.
pub(crate) async fn bearer(
    State(shared): State<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Response {
    let access = Access(scope_of(&shared, request.headers()));
    request.extensions_mut().insert(access);
    next.run(request).await
}

fn scope_of(shared: &Shared, headers: &HeaderMap) -> Result<Vec<String>, PlatformError> {
    let (scheme, token) = credentials(headers)?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(PlatformError::INVALID_CREDENTIALS);
    }
    shared
        .grants()
        .authority_of(token, clock::now())
        .filter(|authority| authority.issuer == ISSUER)
        .map(|authority| authority.scope)
        .ok_or(PlatformError::INVALID_CREDENTIALS)
}

pub(crate) async fn answer(
    State(shared): State<Arc<Shared>>,
    Extension(Access(access)): Extension<Access>,
) -> Response {
    let scope = match access {
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
