//! `POST tokens/verify` and `POST tokens/consume`, for gateways and back ends

use axum::extract::State as Shared;
use bonafide_wire::device::{SMALL_BODY, TokenCheckReply, TokenCheckRequest};
use bonafide_wire::problem::Problem;

use crate::app::token_check;
use crate::http::State;
use crate::http::body::{AccountPath, Fresh, JsonBody};
use crate::http::problem::Failure;

/// Says whether an attestation token is good for an audience now.
#[utoipa::path(
    post,
    path = "/v1/{account}/tokens/verify",
    tag = "verifier",
    params(("account" = String, Path, description = "The account's id")),
    request_body = TokenCheckRequest,
    responses(
        (status = 200, body = TokenCheckReply, description = "Active, or why not"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Rejected"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "Not now"),
    ),
)]
pub(super) async fn verify_token(
    Shared(service): Shared<State>,
    account: AccountPath,
    JsonBody(request): JsonBody<TokenCheckRequest, SMALL_BODY>,
) -> Result<Fresh<TokenCheckReply>, Failure> {
    let reply = token_check::verify(&service, &account.id()?, &request)?;
    Ok(Fresh(reply))
}

/// The same, and a token is active here once only.
#[utoipa::path(
    post,
    path = "/v1/{account}/tokens/consume",
    tag = "verifier",
    params(("account" = String, Path, description = "The account's id")),
    request_body = TokenCheckRequest,
    responses(
        (status = 200, body = TokenCheckReply, description = "Active by this call, or why not"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Rejected"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "Not now"),
    ),
)]
pub(super) async fn consume_token(
    Shared(service): Shared<State>,
    account: AccountPath,
    JsonBody(request): JsonBody<TokenCheckRequest, SMALL_BODY>,
) -> Result<Fresh<TokenCheckReply>, Failure> {
    let reply = token_check::consume(&service, &account.id()?, &request).await?;
    Ok(Fresh(reply))
}
