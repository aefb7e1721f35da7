//! Routes of the account's policy.

use axum::extract::State as Shared;
use axum::response::Response;
use bonafide_evidence::Policy;
use bonafide_wire::admin::PolicyView;

use super::super::State;
use super::super::problem::Failure;
use super::extract::{IfMatch, IfMatchHeader, Json, tagged};
use crate::app::AppError;
use crate::app::admin::{Scope, policy};

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/policy",
    operation_id = "read_policy",
    tag = "policy",
    summary = "Read the policy",
    responses((status = 200, description = "The policy; its version is the ETag", body = PolicyView))
)]
pub(super) async fn read(
    Shared(service): Shared<State>,
    scope: Scope,
) -> Result<Response, Failure> {
    let view = policy::read(&service, &scope)?;
    Ok(tagged(view.version, view))
}

#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{account}/policy",
    operation_id = "put_policy",
    tag = "policy",
    summary = "Replace the policy",
    request_body = Object,
    params(IfMatchHeader),
    responses((status = 200, description = "In force", body = PolicyView))
)]
pub(super) async fn put(
    Shared(service): Shared<State>,
    scope: Scope,
    if_match: IfMatch,
    Json(new): Json<Policy>,
) -> Result<Response, Failure> {
    let seen = match if_match {
        IfMatch::Absent => return Err(AppError::PreconditionRequired.into()),
        IfMatch::Any => None,
        IfMatch::Version(version) => Some(version),
    };
    let view = policy::put(&service, &scope, new, seen).await?;
    Ok(tagged(view.version, view))
}
