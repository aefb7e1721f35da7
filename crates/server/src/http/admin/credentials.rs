//! Routes of management credentials, service-wide and of one account.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use bonafide_wire::admin::{CreatedCredential, CredentialView, NewCredential, Page};
use bonafide_wire::ids::CredentialId;

use super::super::State;
use super::super::body::Fresh;
use super::super::problem::Failure;
use super::extract::{IdempotencyHeader, Named, PageQuery, Paged, Post, Removed, Reply, created};
use crate::app::admin::credentials::{self, Reach};
use crate::app::admin::{Caller, Scope};

#[utoipa::path(
    get,
    path = "/admin/v1/credentials",
    operation_id = "list_service_credentials",
    tag = "credentials",
    summary = "List all credentials",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<CredentialView>))
)]
pub(super) async fn list_service(
    Shared(service): Shared<State>,
    Paged(wanted): Paged,
) -> Reply<Page<CredentialView>> {
    Ok(Fresh(credentials::list(
        &service,
        &Reach::Service,
        &wanted,
    )?))
}

#[utoipa::path(
    post,
    path = "/admin/v1/credentials",
    operation_id = "create_service_credential",
    tag = "credentials",
    summary = "Make a service-wide credential",
    request_body = NewCredential,
    params(IdempotencyHeader),
    responses((status = 201, description = "Made; its secret is shown this once", body = CreatedCredential))
)]
pub(super) async fn create_service(
    Shared(service): Shared<State>,
    caller: Caller,
    Post { value, once }: Post<NewCredential>,
) -> Result<Response, Failure> {
    let reach = Reach::Service;
    let making = credentials::create(&service, &caller, &reach, (value, once.clone()));
    created(&service, once, making).await
}

#[utoipa::path(
    delete,
    path = "/admin/v1/credentials/{id}",
    operation_id = "remove_service_credential",
    tag = "credentials",
    summary = "End a credential and its sessions",
    responses((status = 204, description = "Ended"))
)]
pub(super) async fn remove_service(
    Shared(service): Shared<State>,
    caller: Caller,
    Named(id): Named<CredentialId>,
) -> Removed {
    credentials::remove(&service, &caller, &Reach::Service, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/credentials",
    operation_id = "list_credentials",
    tag = "credentials",
    summary = "List the credentials of an account",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<CredentialView>))
)]
pub(super) async fn list(
    Shared(service): Shared<State>,
    scope: Scope,
    Paged(wanted): Paged,
) -> Reply<Page<CredentialView>> {
    let reach = Reach::Account(scope.account);
    Ok(Fresh(credentials::list(&service, &reach, &wanted)?))
}

#[utoipa::path(
    post,
    path = "/admin/v1/accounts/{account}/credentials",
    operation_id = "create_credential",
    tag = "credentials",
    summary = "Make a credential of an account",
    request_body = NewCredential,
    params(IdempotencyHeader),
    responses((status = 201, description = "Made; its secret is shown this once", body = CreatedCredential))
)]
pub(super) async fn create(
    Shared(service): Shared<State>,
    scope: Scope,
    Post { value, once }: Post<NewCredential>,
) -> Result<Response, Failure> {
    let reach = Reach::Account(scope.account);
    let making = credentials::create(&service, &scope.caller, &reach, (value, once.clone()));
    created(&service, once, making).await
}

#[utoipa::path(
    delete,
    path = "/admin/v1/accounts/{account}/credentials/{id}",
    operation_id = "remove_credential",
    tag = "credentials",
    summary = "End a credential of an account and its sessions",
    responses((status = 204, description = "Ended"))
)]
pub(super) async fn remove(
    Shared(service): Shared<State>,
    scope: Scope,
    Named(id): Named<CredentialId>,
) -> Removed {
    let reach = Reach::Account(scope.account);
    credentials::remove(&service, &scope.caller, &reach, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
