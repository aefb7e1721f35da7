//! The token endpoint and the revocation endpoint of the Library.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shares;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::{Call, ISSUER, freshen, open};
use crate::grants::{Bearer, Redemption, Rotation};
use crate::http::form::field;
use crate::http::google_error;
use crate::http::token::token_body;
use crate::running::Shared;

/// `POST /token`.
pub(super) async fn exchange(
    Shares(shared): Shares<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    respond(&shared, ("/token", &headers, &body), |call| {
        answer(&shared, call)
    })
}

/// `POST /revoke`: a token that is unknown is as good as revoked (RFC 7009 §2.2).
pub(super) async fn revoke(
    Shares(shared): Shares<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    respond(&shared, ("/revoke", &headers, &body), |call| {
        shared.grants().revoke(field(&call.form, "token"));
        Ok(json!({}))
    })
}

fn respond(
    shared: &Shared,
    (path, headers, body): (&str, &HeaderMap, &Bytes),
    answer: impl FnOnce(&Call) -> Result<Value, Refusal>,
) -> Response {
    let Some(library) = &shared.library else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut state = library.lock();
    let outcome = open(&mut state, path, (headers, body)).and_then(|call| answer(&call));
    let mut response = match outcome {
        Ok(body) => google_error::json(StatusCode::OK, &body),
        Err(refusal) => refusal.render(),
    };
    freshen(&mut state, &mut response);
    response
}

fn answer(shared: &Shared, call: &Call) -> Result<Value, Refusal> {
    let form = &call.form;
    let bearer = Bearer {
        client_id: &call.who.client_id,
        dpop: call.dpop(),
        instance: call.who.instance.as_deref(),
    };
    let mut grants = shared.grants();
    let issued = match field(form, "grant_type") {
        "authorization_code" => grants.redeem(
            Redemption {
                code: field(form, "code"),
                redirect_uri: field(form, "redirect_uri"),
                verifier: form.get("code_verifier").map(String::as_str),
                bearer,
            },
            call.now,
        ),
        "refresh_token" => {
            let token = (field(form, "refresh_token"), Rotation::Always);
            grants.refresh(token, bearer, call.now)
        }
        _ => {
            return Err(Refusal::bad(
                "unsupported_grant_type",
                "Only codes and refresh tokens.",
            ));
        }
    }?;
    drop(grants);
    token_body(shared, issued, (ISSUER, bearer.client_id), call.now).ok_or(Refusal {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        error: "server_error",
        description: "Nothing could be signed.",
    })
}
