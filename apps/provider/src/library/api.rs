//! The Library's API in front of the shared catalogue: which tokens count, and that a bound one comes with its proof.
//!
//! A bound token sent as a bearer token is refused (RFC 9449 §7.2), and so is one of the other server.

use std::sync::Arc;

use axum::extract::{Request, State as Shares};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::proof::{ProofReject, Target};
use super::{ISSUER, Library};
use crate::clock;
use crate::grants::Authority;
use crate::http::google_error::{self, PlatformError};
use crate::http::userinfo::{Access, credentials};
use crate::running::Shared;

const API: &str = "https://api.library.example";

pub(super) async fn guard(
    Shares(shared): Shares<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(library) = &shared.library else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let now = clock::now();
    let access = match judge(&shared, library, &request, now) {
        Ok(access) => access,
        Err(reject) => return demand(library, reject, now),
    };
    request.extensions_mut().insert(access);
    let mut response = next.run(request).await;
    bring_nonce(library, response.headers_mut(), now);
    response
}

/// What the request may see. Only a proof that is not believed ends it here.
fn judge(
    shared: &Shared,
    library: &Library,
    request: &Request,
    now: i64,
) -> Result<Access, ProofReject> {
    let (scheme, token) = match credentials(request.headers()) {
        Ok(pair) => pair,
        Err(error) => return Ok(Access(Err(error))),
    };
    let refused = Ok(Access(Err(PlatformError::INVALID_CREDENTIALS)));
    let authority = shared.grants().authority_of(token, now);
    let Some(Authority {
        scope, bound_to, ..
    }) = authority.filter(|authority| authority.issuer == ISSUER)
    else {
        return refused;
    };
    let Some(bound_to) = bound_to else {
        let plain = scheme.eq_ignore_ascii_case("Bearer");
        return if plain {
            Ok(Access(Ok(scope)))
        } else {
            refused
        };
    };
    if !scheme.eq_ignore_ascii_case("DPoP") {
        return refused;
    }
    let url = format!("{API}{}", request.uri().path());
    let target = Target {
        method: request.method().as_str(),
        url: &url,
        access_token: Some(token),
        now,
    };
    let proven = library
        .lock()
        .resource_proofs
        .check(request.headers(), target)?;
    match proven {
        Some(key) if key.thumbprint == bound_to => Ok(Access(Ok(scope))),
        Some(_) => Err(ProofReject::Invalid("The token obeys another key.")),
        None => Err(ProofReject::Invalid(
            "The token obeys a key, and there is no proof.",
        )),
    }
}

fn demand(library: &Library, reject: ProofReject, now: i64) -> Response {
    let (error, text) = match reject {
        ProofReject::NonceDemanded => ("use_dpop_nonce", "The proof lacks the newest nonce."),
        ProofReject::Invalid(text) => ("invalid_dpop_proof", text),
    };
    let body = json!({"error": error, "error_description": text});
    let mut response = google_error::json(StatusCode::UNAUTHORIZED, &body);
    let challenge = format!("DPoP error=\"{error}\", algs=\"ES256\"");
    if let Ok(challenge) = HeaderValue::from_str(&challenge) {
        let headers = response.headers_mut();
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    bring_nonce(library, response.headers_mut(), now);
    response
}

fn bring_nonce(library: &Library, headers: &mut HeaderMap, now: i64) {
    let nonce = library.lock().resource_proofs.newest_nonce(now);
    if let Ok(nonce) = HeaderValue::from_str(&nonce) {
        headers.insert("dpop-nonce", nonce);
    }
}
