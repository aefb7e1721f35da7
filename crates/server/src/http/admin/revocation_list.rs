//! Routes of the revocation list.

use axum::extract::State as Shared;
use bonafide_wire::admin::RevocationListView;

use super::super::State;
use super::super::body::Fresh;
use super::extract::Reply;
use crate::app::admin::revocation_list;

#[utoipa::path(
    get,
    path = "/admin/v1/revocation-list",
    operation_id = "read_revocation_list",
    tag = "service",
    summary = "Read which list of revoked attestation keys is in force, and how old it is",
    responses((status = 200, description = "The list, without its entries", body = RevocationListView))
)]
pub(super) async fn read(Shared(service): Shared<State>) -> Reply<RevocationListView> {
    Ok(Fresh(revocation_list::read(&service)))
}

#[utoipa::path(
    post,
    path = "/admin/v1/revocation-list/refresh",
    operation_id = "refresh_revocation_list",
    tag = "service",
    summary = "Ask for a newer revocation list now",
    responses((status = 200, description = "How that went", body = RevocationListView))
)]
pub(super) async fn refresh(Shared(service): Shared<State>) -> Reply<RevocationListView> {
    Ok(Fresh(revocation_list::refresh(&service).await?))
}
