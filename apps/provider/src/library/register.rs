//! Dynamic registration (RFC 7591) for whoever brings a software statement by a trusted party, about the very key that
//! shall be registered; and deletion (RFC 7592).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State as Shares};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::jws::{Jws, PublicKey};
use super::refusal::Refusal;
use super::{ISSUER, State, freshen};
use crate::clock;
use crate::http::google_error;
use crate::running::Shared;

const MOST_REDIRECT_URIS: usize = 8;

/// `POST /register`.
pub(super) async fn register(Shares(shared): Shares<Arc<Shared>>, body: Bytes) -> Response {
    let Some(library) = &shared.library else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut state = library.lock();
    let mut response = match answer(&mut state, &body, clock::now()) {
        Ok(body) => google_error::json(StatusCode::CREATED, &body),
        Err(refusal) => refusal.render(),
    };
    freshen(&mut state, &mut response);
    response
}

fn answer(state: &mut State, body: &[u8], now: i64) -> Result<Value, Refusal> {
    let metadata = |text| Refusal::bad("invalid_client_metadata", text);
    let wish: Value =
        serde_json::from_slice(body).map_err(|_| metadata("The request is no JSON."))?;
    let statement = wish["software_statement"]
        .as_str()
        .ok_or(metadata("A software statement is required."))?;
    if wish["token_endpoint_auth_method"] != "private_key_jwt" {
        return Err(metadata("Only private_key_jwt can be registered."));
    }
    let jwk = wish["jwks"]["keys"].get(0).cloned().unwrap_or_default();
    let key = PublicKey::from_jwk(&jwk).ok_or(metadata("The key is no P-256 public key."))?;
    let stated = stated_key(state, statement, now)?;
    if stated != key {
        return Err(Refusal::bad(
            "invalid_software_statement",
            "The software statement is about another key.",
        ));
    }
    let redirect_uris = redirect_uris(&wish)?;
    let (id, token) = state
        .clients
        .register(redirect_uris.clone(), &jwk)
        .ok_or(metadata("There are too many clients."))?;
    Ok(json!({
        "client_id": id, "client_id_issued_at": now,
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "redirect_uris": redirect_uris, "jwks": {"keys": [jwk]},
        "software_statement": statement,
        "registration_client_uri": format!("{ISSUER}/register/{id}"),
        "registration_access_token": token,
    }))
}

/// The key of the instance that a trusted statement speaks of.
fn stated_key(state: &State, statement: &str, now: i64) -> Result<PublicKey, Refusal> {
    let refuse = |text| Refusal::bad("invalid_software_statement", text);
    let jws = Jws::read(statement)
        .filter(|jws| jws.says("ES256"))
        .ok_or(refuse("The software statement is no JWT."))?;
    if !jws.is_signed_by_one_of(&state.statements.keys()) {
        return Err(Refusal::bad(
            "unapproved_software_statement",
            "The software statement is not by a trusted party.",
        ));
    }
    if jws.claims["exp"]
        .as_i64()
        .is_none_or(|expires| expires <= now)
    {
        return Err(refuse("The software statement has expired."));
    }
    let confirmed = &jws.claims["cnf"]["jwk"];
    let listed = &jws.claims["jwks"]["keys"][0];
    PublicKey::from_jwk(confirmed)
        .or_else(|| PublicKey::from_jwk(listed))
        .ok_or(refuse("The software statement names no key."))
}

fn redirect_uris(wish: &Value) -> Result<Vec<String>, Refusal> {
    let refuse = Refusal::bad(
        "invalid_redirect_uri",
        "Redirect URIs are missing or unfit.",
    );
    let given = wish["redirect_uris"].as_array().ok_or(refuse)?;
    let uris: Option<Vec<_>> = given
        .iter()
        .map(|uri| uri.as_str().filter(|uri| is_fit(uri)).map(str::to_owned))
        .collect();
    uris.filter(|uris| (1..=MOST_REDIRECT_URIS).contains(&uris.len()))
        .ok_or(refuse)
}

/// RFC 8252: claimed https, a custom scheme, or plain http on loopback.
fn is_fit(uri: &str) -> bool {
    let Ok(url) = url::Url::parse(uri) else {
        return false;
    };
    let fit = match url.scheme() {
        "https" => true,
        "http" => url.host_str() == Some("127.0.0.1"),
        scheme => scheme.contains('.'),
    };
    fit && url.fragment().is_none()
}

/// `DELETE /register/{id}`.
pub(super) async fn remove(
    Shares(shared): Shares<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    let Some(library) = &shared.library else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if library.lock().clients.delete(&id, token) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}
