//! Routes of registrations.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use bonafide_wire::admin::{NewRegistration, Page, RegistrationView};
use bonafide_wire::ids::RegistrationId;

use super::super::State;
use super::super::body::Fresh;
use super::super::problem::Failure;
use super::extract::{IdempotencyHeader, Named, PageQuery, Paged, Post, Removed, Reply, created};
use crate::app::admin::{Scope, registrations};

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/registrations",
    operation_id = "list_registrations",
    tag = "registrations",
    summary = "List the registrations",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<RegistrationView>))
)]
pub(super) async fn list(
    Shared(service): Shared<State>,
    scope: Scope,
    Paged(wanted): Paged,
) -> Reply<Page<RegistrationView>> {
    Ok(Fresh(registrations::list(&service, &scope, &wanted)?))
}

#[utoipa::path(
    post,
    path = "/admin/v1/accounts/{account}/registrations",
    operation_id = "create_registration",
    tag = "registrations",
    summary = "Register a build or a certificate",
    request_body = NewRegistration,
    params(IdempotencyHeader),
    responses((status = 201, description = "Made", body = RegistrationView))
)]
pub(super) async fn create(
    Shared(service): Shared<State>,
    scope: Scope,
    Post { value, once }: Post<NewRegistration>,
) -> Result<Response, Failure> {
    let making = registrations::create(&service, &scope, value, once.clone());
    created(&service, once, making).await
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/registrations/{id}",
    operation_id = "read_registration",
    tag = "registrations",
    summary = "Read a registration",
    responses((status = 200, description = "The registration", body = RegistrationView))
)]
pub(super) async fn read(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(id): Named<RegistrationId>,
) -> Reply<RegistrationView> {
    Ok(Fresh(registrations::read(&service, &scope, &id)?))
}

#[utoipa::path(
    delete,
    path = "/admin/v1/accounts/{account}/registrations/{id}",
    operation_id = "remove_registration",
    tag = "registrations",
    summary = "Remove a registration",
    responses((status = 204, description = "Removed"))
)]
pub(super) async fn remove(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(id): Named<RegistrationId>,
) -> Removed {
    registrations::remove(&service, &scope, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
