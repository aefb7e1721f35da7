//! Routes of apps.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use bonafide_wire::admin::{AppView, NewApp, Page};
use bonafide_wire::ids::AppId;

use super::super::State;
use super::super::body::Fresh;
use super::super::problem::Failure;
use super::extract::{IdempotencyHeader, Named, PageQuery, Paged, Post, Removed, Reply, created};
use crate::app::admin::{Scope, apps};

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/apps",
    operation_id = "list_apps",
    tag = "apps",
    summary = "List the apps",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<AppView>))
)]
pub(super) async fn list(
    Shared(service): Shared<State>,
    scope: Scope,
    Paged(wanted): Paged,
) -> Reply<Page<AppView>> {
    Ok(Fresh(apps::list(&service, &scope, &wanted)?))
}

#[utoipa::path(
    post,
    path = "/admin/v1/accounts/{account}/apps",
    operation_id = "create_app",
    tag = "apps",
    summary = "Make an app",
    request_body = NewApp,
    params(IdempotencyHeader),
    responses((status = 201, description = "Made", body = AppView))
)]
pub(super) async fn create(
    Shared(service): Shared<State>,
    scope: Scope,
    Post { value, once }: Post<NewApp>,
) -> Result<Response, Failure> {
    let making = apps::create(&service, &scope, value, once.clone());
    created(&service, once, making).await
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/apps/{id}",
    operation_id = "read_app",
    tag = "apps",
    summary = "Read an app",
    responses((status = 200, description = "The app", body = AppView))
)]
pub(super) async fn read(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(id): Named<AppId>,
) -> Reply<AppView> {
    Ok(Fresh(apps::read(&service, &scope, &id)?))
}

#[utoipa::path(
    delete,
    path = "/admin/v1/accounts/{account}/apps/{id}",
    operation_id = "remove_app",
    tag = "apps",
    summary = "Remove an app that nothing refers to",
    responses((status = 204, description = "Removed"))
)]
pub(super) async fn remove(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(id): Named<AppId>,
) -> Removed {
    apps::remove(&service, &scope, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
