//! `POST relay/{upstream}/…`: forwarded to an authorization server with the app's client authentication

use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse, Response};
use bonafide_wire::ids::{AccountId, UpstreamName};
use bonafide_wire::problem::Problem;
use bonafide_wire::upstream::{RELAY_BODY, RelayRequest, SealedRelayReply};

use super::refusal;
use crate::app::AppError;
use crate::app::relay::{RelayRoute, Relayed, relay};
use crate::http::State;
use crate::http::body::{Fresh, JsonBody, parse_inner};
use crate::http::problem::Failure;

/// Redeems a code or a refresh token.
#[utoipa::path(
    post,
    path = "/v1/{account}/relay/{upstream}/token",
    operation_id = "relay_token",
    tag = "device",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("upstream" = String, Path, description = "The upstream's name"),
    ),
    request_body = RelayRequest,
    responses(
        (status = 200, body = SealedRelayReply, description = "What the upstream answered; sealed to the response key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "Refused by policy"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Rejected"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "Not now, or no usable answer of the upstream"),
    ),
)]
pub(super) async fn token(
    service: Shared<State>,
    path: Path<(String, String)>,
    JsonBody(request): JsonBody<RelayRequest, RELAY_BODY>,
) -> Result<Response, Failure> {
    forward(&service, path, (RelayRoute::Token, request)).await
}

/// Revokes a token.
#[utoipa::path(
    post,
    path = "/v1/{account}/relay/{upstream}/revoke",
    operation_id = "relay_revoke",
    tag = "device",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("upstream" = String, Path, description = "The upstream's name"),
    ),
    request_body = RelayRequest,
    responses(
        (status = 200, body = SealedRelayReply, description = "What the upstream answered; sealed to the response key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "Refused by policy"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Rejected"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "Not now, or no usable answer of the upstream"),
    ),
)]
pub(super) async fn revoke(
    service: Shared<State>,
    path: Path<(String, String)>,
    JsonBody(request): JsonBody<RelayRequest, RELAY_BODY>,
) -> Result<Response, Failure> {
    forward(&service, path, (RelayRoute::Revoke, request)).await
}

/// Registers this instance as a client of its own.
#[utoipa::path(
    post,
    path = "/v1/{account}/relay/{upstream}/register",
    operation_id = "relay_register",
    tag = "device",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("upstream" = String, Path, description = "The upstream's name"),
    ),
    request_body = RelayRequest,
    responses(
        (status = 200, body = SealedRelayReply, description = "What the upstream answered; sealed to the response key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "Refused by policy"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Rejected"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "Not now, or no usable answer of the upstream"),
    ),
)]
pub(super) async fn register(
    service: Shared<State>,
    path: Path<(String, String)>,
    JsonBody(request): JsonBody<RelayRequest, RELAY_BODY>,
) -> Result<Response, Failure> {
    forward(&service, path, (RelayRoute::Register, request)).await
}

async fn forward(
    service: &State,
    Path((account, upstream)): Path<(String, String)>,
    (route, request): (RelayRoute, RelayRequest),
) -> Result<Response, Failure> {
    let account = AccountId::parse(account).map_err(|_| AppError::UnknownAccount)?;
    let upstream = UpstreamName::parse(upstream).map_err(|_| AppError::UnknownUpstream)?;
    let parse = |payload: &[u8]| parse_inner("/payload", payload);
    match relay(service, (&account, &upstream, route), &request, parse).await? {
        Relayed::Answered(reply) => Ok(Fresh(reply).into_response()),
        Relayed::Refused(refused) => Ok(refusal(*refused)),
    }
}
