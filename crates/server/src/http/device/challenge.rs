//! `POST challenges`

use axum::extract::State as Shared;
use bonafide_wire::device::{ChallengeReply, ChallengeRequest, SMALL_BODY};
use bonafide_wire::problem::Problem;

use crate::app::challenge;
use crate::http::State;
use crate::http::body::{AccountPath, Fresh, JsonBody};
use crate::http::problem::Failure;

/// Asks for fresh bytes that an enrolment or an attestation must contain.
#[utoipa::path(
    post,
    path = "/v1/{account}/challenges",
    tag = "device",
    params(("account" = String, Path, description = "The account's id")),
    request_body = ChallengeRequest,
    responses(
        (status = 200, body = ChallengeReply, description = "A challenge"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "Not now"),
    ),
)]
pub(super) async fn make_challenge(
    Shared(service): Shared<State>,
    account: AccountPath,
    JsonBody(request): JsonBody<ChallengeRequest, SMALL_BODY>,
) -> Result<Fresh<ChallengeReply>, Failure> {
    let reply = challenge::challenge(&service, &account.id()?, request.purpose)?;
    Ok(Fresh(reply))
}
