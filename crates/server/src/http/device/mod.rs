//! The device routes (`/v1/{account}`): public, unauthenticated, every byte foreign.

mod attest;
mod challenge;
mod enrol;
mod published;
mod relay;
mod tokens;

use axum::response::{IntoResponse, Response};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::problem::Problem;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::problem::Failure;
use crate::app::judge::Refused;

/// All of them, with their description.
pub fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(challenge::make_challenge))
        .routes(routes!(enrol::enrol_device))
        .routes(routes!(attest::attest_instance))
        .routes(routes!(relay::token))
        .routes(routes!(relay::revoke))
        .routes(routes!(relay::register))
        .routes(routes!(tokens::verify_token))
        .routes(routes!(tokens::consume_token))
        .routes(routes!(published::trust_bundle))
        .routes(routes!(published::jwks))
        .routes(routes!(published::attester_jwks))
        .routes(routes!(published::openid_configuration))
        .routes(routes!(published::authorization_server))
        .routes(routes!(published::authorization_server_inserted))
}

/// A refusal by policy, rendered (W-9, W-12).
fn refusal(refused: Refused) -> Response {
    Failure::from(Problem {
        support_id: Some(refused.support_id),
        device_id: Some(refused.device_id),
        findings: refused.findings,
        ticket: refused.ticket.map(Base64Url),
        ..Problem::new(refused.code)
    })
    .into_response()
}
