//! The audit log, read and verified. Nothing here writes it: changes do, in their own transaction.

use bonafide_wire::admin::{AuditEventView, AuditVerification, Page};
use bonafide_wire::ids::AccountId;

use super::page::{self, Wanted};
use crate::app::{AppError, Service};

/// The log of one account, or of everything, oldest first.
pub async fn list(
    service: &Service,
    account: Option<&AccountId>,
    wanted: &Wanted,
) -> Result<Page<AuditEventView>, AppError> {
    let rows = service.store().audit(account, wanted.window()?).await?;
    Ok(page::of_rows(rows))
}

/// Recomputes the chain over the whole log.
pub async fn verify(service: &Service) -> Result<AuditVerification, AppError> {
    Ok(service.store().verify_audit().await?)
}
