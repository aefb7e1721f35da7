//! Routes of runtime secrets. No route gives a value.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use bonafide_wire::admin::{Page, PutSecret, SecretView};
use bonafide_wire::ids::SecretName;

use super::super::State;
use super::super::body::Fresh;
use super::super::problem::Failure;
use super::extract::{
    IfMatch, IfMatchHeader, Json, Named, PageQuery, Paged, Removed, Reply, tagged,
};
use crate::app::admin::{Scope, secrets};
use crate::app::{AppError, Service};

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/secrets",
    operation_id = "list_secrets",
    tag = "secrets",
    summary = "List the runtime secrets, without their values",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<SecretView>))
)]
pub(super) async fn list(
    Shared(service): Shared<State>,
    scope: Scope,
    Paged(wanted): Paged,
) -> Reply<Page<SecretView>> {
    Ok(Fresh(secrets::list(&service, &scope, &wanted)?))
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/secrets/{name}",
    operation_id = "read_secret",
    tag = "secrets",
    summary = "Read a runtime secret, without its value",
    responses((status = 200, description = "The secret; its version is the ETag", body = SecretView))
)]
pub(super) async fn read(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(name): Named<SecretName>,
) -> Result<Response, Failure> {
    let secret = secrets::read(&service, &scope, &name)?;
    Ok(tagged(secret.version, secret))
}

#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{account}/secrets/{name}",
    operation_id = "put_secret",
    tag = "secrets",
    summary = "Make a runtime secret, or replace its value",
    request_body = PutSecret,
    params(IfMatchHeader),
    responses((status = 200, description = "In force", body = SecretView))
)]
pub(super) async fn put(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(name): Named<SecretName>,
    if_match: IfMatch,
    Json(put): Json<PutSecret>,
) -> Result<Response, Failure> {
    let unchanged = seen(&service, &scope, &name, if_match)?;
    let secret = secrets::put(&service, &scope, &name, (put, unchanged)).await?;
    Ok(tagged(secret.version, secret))
}

#[utoipa::path(
    delete,
    path = "/admin/v1/accounts/{account}/secrets/{name}",
    operation_id = "remove_secret",
    tag = "secrets",
    summary = "Remove a runtime secret",
    params(IfMatchHeader),
    responses((status = 204, description = "Removed"))
)]
pub(super) async fn remove(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(name): Named<SecretName>,
    if_match: IfMatch,
) -> Removed {
    let unchanged = seen(&service, &scope, &name, if_match)?;
    secrets::remove(&service, &scope, &name, unchanged).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The version that must not have changed; `*` demands that there is one.
fn seen(
    service: &Service,
    scope: &Scope,
    name: &SecretName,
    if_match: IfMatch,
) -> Result<Option<u64>, AppError> {
    match if_match {
        IfMatch::Absent => Ok(None),
        IfMatch::Version(version) => Ok(Some(version)),
        IfMatch::Any => secrets::read(service, scope, name)
            .map(|_| None)
            .map_err(|_| AppError::PreconditionFailed),
    }
}
