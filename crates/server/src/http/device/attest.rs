//! `POST attestations`, the hot path

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use bonafide_wire::device::{ATTESTATION_BODY, AttestationRequest, SealedReply};
use bonafide_wire::problem::Problem;

use super::refusal;
use crate::app::attest::{Attestation, attest};
use crate::http::State;
use crate::http::body::{AccountPath, Fresh, JsonBody, parse_inner};
use crate::http::problem::Failure;

/// Asks for attestation tokens and runtime secrets with an enrolled key.
#[utoipa::path(
    post,
    path = "/v1/{account}/attestations",
    tag = "device",
    params(("account" = String, Path, description = "The account's id")),
    request_body = AttestationRequest,
    responses(
        (status = 200, body = SealedReply, description = "Allowed; sealed to the response key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "Refused by policy"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Rejected"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "Not now"),
    ),
)]
pub(super) async fn attest_instance(
    Shared(service): Shared<State>,
    account: AccountPath,
    JsonBody(request): JsonBody<AttestationRequest, ATTESTATION_BODY>,
) -> Result<Response, Failure> {
    let parse = |payload: &[u8]| parse_inner("/payload", payload);
    match attest(&service, &account.id()?, &request, parse).await? {
        Attestation::Allowed(reply) => Ok(Fresh(reply).into_response()),
        Attestation::Refused(refused) => Ok(refusal(*refused)),
    }
}
