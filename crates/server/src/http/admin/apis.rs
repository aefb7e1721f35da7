//! Routes of protected APIs.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use bonafide_wire::admin::{ApiView, Page, PutApi};
use bonafide_wire::ids::Host;

use super::super::State;
use super::super::body::Fresh;
use super::extract::{Json, Named, PageQuery, Paged, Removed, Reply};
use crate::app::admin::{Scope, apis};

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/apis",
    operation_id = "list_apis",
    tag = "apis",
    summary = "List the protected APIs",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<ApiView>))
)]
pub(super) async fn list(
    Shared(service): Shared<State>,
    scope: Scope,
    Paged(wanted): Paged,
) -> Reply<Page<ApiView>> {
    Ok(Fresh(apis::list(&service, &scope, &wanted)?))
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/apis/{host}",
    operation_id = "read_api",
    tag = "apis",
    summary = "Read a protected API",
    responses((status = 200, description = "The API", body = ApiView))
)]
pub(super) async fn read(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(host): Named<Host>,
) -> Reply<ApiView> {
    Ok(Fresh(apis::read(&service, &scope, &host)?))
}

#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{account}/apis/{host}",
    operation_id = "put_api",
    tag = "apis",
    summary = "Add or change a protected API",
    request_body = PutApi,
    responses((status = 200, description = "In force, and in the trust bundle", body = ApiView))
)]
pub(super) async fn put(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(host): Named<Host>,
    Json(put): Json<PutApi>,
) -> Reply<ApiView> {
    Ok(Fresh(apis::put(&service, &scope, &host, &put).await?))
}

#[utoipa::path(
    delete,
    path = "/admin/v1/accounts/{account}/apis/{host}",
    operation_id = "remove_api",
    tag = "apis",
    summary = "Remove a protected API",
    responses((status = 204, description = "Removed"))
)]
pub(super) async fn remove(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(host): Named<Host>,
) -> Removed {
    apis::remove(&service, &scope, &host).await?;
    Ok(StatusCode::NO_CONTENT)
}
