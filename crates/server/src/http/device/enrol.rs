//! `POST enrolments`

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use bonafide_wire::device::{ENROLMENT_BODY, EnrolmentPayload, EnrolmentReply, EnrolmentRequest};
use bonafide_wire::problem::Problem;

use super::refusal;
use crate::app::enrol::{Enrolment, enrol};
use crate::http::State;
use crate::http::body::{AccountPath, Fresh, JsonBody, parse_inner};
use crate::http::problem::Failure;

/// Enrols a new hardware key by the platform's evidence for it.
#[utoipa::path(
    post,
    path = "/v1/{account}/enrolments",
    tag = "device",
    params(("account" = String, Path, description = "The account's id")),
    request_body = EnrolmentRequest,
    responses(
        (status = 200, body = EnrolmentReply, description = "Enrolled"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "Authentic, but refused by policy"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Rejected"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "Not now"),
    ),
)]
pub(super) async fn enrol_device(
    Shared(service): Shared<State>,
    account: AccountPath,
    JsonBody(request): JsonBody<EnrolmentRequest, ENROLMENT_BODY>,
) -> Result<Response, Failure> {
    let payload: EnrolmentPayload = parse_inner("/payload", request.payload.as_slice())?;
    match enrol(&service, &account.id()?, &request, payload).await? {
        Enrolment::Allowed(reply) => Ok(Fresh(reply).into_response()),
        Enrolment::Refused(refused) => Ok(refusal(*refused)),
    }
}
