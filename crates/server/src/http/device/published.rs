//! What anybody may read and keep for a while: trust bundle, JWKS, discovery

use axum::body::{Body, Bytes};
use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bonafide_wire::envelope::TrustReply;
use bonafide_wire::problem::Problem;
use bonafide_wire::token::JwkSet;

use crate::app::AppError;
use crate::app::discovery::{Discovery, discovery};
use crate::app::published::Published;
use crate::http::State;
use crate::http::body::AccountPath;
use crate::http::problem::Failure;

/// `stale-if-error` is what keeps phones and gateways alive during an outage.
const CACHING: HeaderValue = HeaderValue::from_static("public, max-age=300, stale-if-error=86400");

/// The signed trust metadata.
#[utoipa::path(
    get,
    path = "/v1/{account}/trust-bundle",
    tag = "device",
    params(("account" = String, Path, description = "The account's id")),
    responses(
        (status = 200, body = TrustReply, description = "Root metadata and bundle"),
        (status = 304, description = "The one with that ETag is still in force"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Rejected"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "Not now"),
    ),
)]
pub(super) async fn trust_bundle(
    Shared(service): Shared<State>,
    account: AccountPath,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let snapshot = service.snapshot();
    let account = account.id()?;
    Ok(serve(snapshot.account(&account)?.trust(), &headers))
}

/// The public keys of attestation tokens.
#[utoipa::path(
    get,
    path = "/v1/{account}/jwks.json",
    tag = "verifier",
    params(("account" = String, Path, description = "The account's id")),
    responses(
        (status = 200, body = JwkSet, description = "The keys"),
        (status = 304, description = "The ones with that ETag are still in force"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Rejected"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "Not now"),
    ),
)]
pub(super) async fn jwks(
    Shared(service): Shared<State>,
    account: AccountPath,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let snapshot = service.snapshot();
    let account = account.id()?;
    Ok(serve(snapshot.account(&account)?.jwks(), &headers))
}

/// The public keys of client attestations and software statements, for authorization servers.
#[utoipa::path(
    get,
    path = "/v1/{account}/attester/jwks.json",
    tag = "verifier",
    params(("account" = String, Path, description = "The account's id")),
    responses(
        (status = 200, body = JwkSet, description = "The keys; none until an upstream needs one"),
        (status = 304, description = "The ones with that ETag are still in force"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Rejected"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "Not now"),
    ),
)]
pub(super) async fn attester_jwks(
    Shared(service): Shared<State>,
    account: AccountPath,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let snapshot = service.snapshot();
    let account = account.id()?;
    Ok(serve(snapshot.account(&account)?.attester_jwks(), &headers))
}

/// Discovery as OpenID Connect names it.
#[utoipa::path(
    get,
    path = "/v1/{account}/.well-known/openid-configuration",
    tag = "verifier",
    params(("account" = String, Path, description = "The account's id")),
    responses(
        (status = 200, body = Discovery, description = "Where the keys are"),
        (status = 304, description = "Unchanged"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Rejected"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "Not now"),
    ),
)]
pub(super) async fn openid_configuration(
    service: Shared<State>,
    account: AccountPath,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    discover(&service, account, &headers)
}

/// Discovery under the name of RFC 8414, appended to the issuer.
#[utoipa::path(
    get,
    path = "/v1/{account}/.well-known/oauth-authorization-server",
    tag = "verifier",
    params(("account" = String, Path, description = "The account's id")),
    responses(
        (status = 200, body = Discovery, description = "Where the keys are"),
        (status = 304, description = "Unchanged"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Rejected"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "Not now"),
    ),
)]
pub(super) async fn authorization_server(
    service: Shared<State>,
    account: AccountPath,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    discover(&service, account, &headers)
}

/// Discovery where RFC 8414 §3.1 puts it: the well-known name inserted before the issuer's path.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server/v1/{account}",
    tag = "verifier",
    params(("account" = String, Path, description = "The account's id")),
    responses(
        (status = 200, body = Discovery, description = "Where the keys are"),
        (status = 304, description = "Unchanged"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Rejected"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "Not now"),
    ),
)]
pub(super) async fn authorization_server_inserted(
    service: Shared<State>,
    account: AccountPath,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    discover(&service, account, &headers)
}

fn discover(
    service: &State,
    account: AccountPath,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let document = discovery(service, &account.id()?)?;
    let text = serde_json::to_string(&document).map_err(AppError::from)?;
    Ok(serve(&Published::new(text), headers))
}

/// The document, or 304 for a client that has it (RFC 9110 §13.1.2).
fn serve(document: &Published, request: &HeaderMap) -> Response {
    let has_it = request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == document.etag() || tag == "*");
    let mut response = if has_it {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let body = Body::from(Bytes::from_owner(std::sync::Arc::clone(document.bytes())));
        let json = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, json)], body).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, CACHING);
    if let Ok(etag) = HeaderValue::from_str(document.etag()) {
        headers.insert(header::ETAG, etag);
    }
    response
}
