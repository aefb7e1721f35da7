//! Routes of accounts.

use axum::extract::State as Shared;
use axum::response::Response;
use bonafide_wire::admin::{AccountView, NewAccount, Page};

use super::super::State;
use super::super::body::Fresh;
use super::super::problem::Failure;
use super::extract::{IdempotencyHeader, PageQuery, Paged, Post, Reply, created};
use crate::app::admin::{Caller, Scope, accounts};

#[utoipa::path(
    get,
    path = "/admin/v1/accounts",
    operation_id = "list_accounts",
    tag = "accounts",
    summary = "List the accounts",
    params(PageQuery),
    responses((status = 200, description = "Those that the caller may see", body = Page<AccountView>))
)]
pub(super) async fn list(
    Shared(service): Shared<State>,
    caller: Caller,
    Paged(wanted): Paged,
) -> Reply<Page<AccountView>> {
    Ok(Fresh(accounts::list(&service, &caller, &wanted)?))
}

#[utoipa::path(
    post,
    path = "/admin/v1/accounts",
    operation_id = "create_account",
    tag = "accounts",
    summary = "Make an account",
    request_body = NewAccount,
    params(IdempotencyHeader),
    responses((status = 201, description = "Made", body = AccountView))
)]
pub(super) async fn create(
    Shared(service): Shared<State>,
    caller: Caller,
    Post { value, once }: Post<NewAccount>,
) -> Result<Response, Failure> {
    let making = accounts::create(&service, &caller, value, once.clone());
    created(&service, once, making).await
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}",
    operation_id = "read_account",
    tag = "accounts",
    summary = "Read an account",
    responses((status = 200, description = "The account", body = AccountView))
)]
pub(super) async fn read(Shared(service): Shared<State>, scope: Scope) -> Reply<AccountView> {
    Ok(Fresh(accounts::read(&service, &scope)?))
}
