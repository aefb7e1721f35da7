//! Routes of the audit log.

use axum::extract::State as Shared;
use bonafide_wire::admin::{AuditEventView, AuditVerification, Page};

use super::super::State;
use super::super::body::Fresh;
use super::extract::{PageQuery, Paged, Reply};
use crate::app::admin::{Scope, audit};

#[utoipa::path(
    get,
    path = "/admin/v1/audit",
    operation_id = "list_service_audit",
    tag = "audit",
    summary = "Read the whole audit log, oldest first",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<AuditEventView>))
)]
pub(super) async fn list_service(
    Shared(service): Shared<State>,
    Paged(wanted): Paged,
) -> Reply<Page<AuditEventView>> {
    Ok(Fresh(audit::list(&service, None, &wanted).await?))
}

#[utoipa::path(
    get,
    path = "/admin/v1/audit/verify",
    operation_id = "verify_audit",
    tag = "audit",
    summary = "Recompute the hash chain of the audit log",
    responses((status = 200, description = "Whether it holds", body = AuditVerification))
)]
pub(super) async fn verify(Shared(service): Shared<State>) -> Reply<AuditVerification> {
    Ok(Fresh(audit::verify(&service).await?))
}

#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/audit",
    operation_id = "list_audit",
    tag = "audit",
    summary = "Read the audit log of an account, oldest first",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<AuditEventView>))
)]
pub(super) async fn list(
    Shared(service): Shared<State>,
    scope: Scope,
    Paged(wanted): Paged,
) -> Reply<Page<AuditEventView>> {
    let account = Some(&scope.account);
    Ok(Fresh(audit::list(&service, account, &wanted).await?))
}
