//! Recorded verdicts: what an operator reads when a user reads out a support id.

use bonafide_wire::admin::{Page, VerdictView};
use bonafide_wire::ids::SupportId;

use super::Scope;
use super::page::{self, Wanted};
use crate::app::{AppError, Service};

/// All that are kept, newest first.
pub async fn list(
    service: &Service,
    scope: &Scope,
    wanted: &Wanted,
) -> Result<Page<VerdictView>, AppError> {
    let window = wanted.window()?;
    service.recorder().settled().await;
    let rows = service.store().verdicts(&scope.account, window).await?;
    Ok(page::of_rows(rows))
}

/// The one with that support id.
pub async fn read(
    service: &Service,
    scope: &Scope,
    support_id: &SupportId,
) -> Result<VerdictView, AppError> {
    service.recorder().settled().await;
    let verdict = service.store().verdict(&scope.account, support_id).await?;
    verdict.ok_or(AppError::NotFound("verdict"))
}
