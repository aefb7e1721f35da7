//! Enrolled devices, and revoking them.

use bonafide_wire::admin::{DeviceView, Page};
use bonafide_wire::ids::DeviceId;

use super::page::{self, Wanted};
use super::{Scope, Step, change};
use crate::app::{AppError, Service};
use crate::config::Revocation;
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

/// All of them, or those whose last judgement has this finding, newest first.
pub async fn list(
    service: &Service,
    scope: &Scope,
    (wanted, finding): (&Wanted, Option<&str>),
) -> Result<Page<DeviceView>, AppError> {
    let (store, window) = (service.store(), wanted.window()?);
    let rows = match finding {
        None => store.devices(&scope.account, window).await?,
        Some(code) => {
            store
                .devices_with_finding(&scope.account, code, window)
                .await?
        }
    };
    let mut page = page::of_rows(rows);
    let snapshot = service.snapshot();
    let revoked = &snapshot.account(&scope.account)?.config.revoked;
    for device in &mut page.items {
        device.revoked = revoked.contains_key(&device.device_id);
    }
    Ok(page)
}

/// One.
pub async fn read(service: &Service, scope: &Scope, id: &DeviceId) -> Result<DeviceView, AppError> {
    let device = service.store().device(&scope.account, id).await?;
    let mut device = device.ok_or(AppError::NotFound("device"))?;
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    device.revoked = account.config.revoked.contains_key(id);
    Ok(device)
}

/// Revokes one: refused from the next request on. Once more changes nothing.
pub async fn revoke(
    service: &Service,
    scope: &Scope,
    id: &DeviceId,
) -> Result<DeviceView, AppError> {
    let device = read(service, scope, id).await?;
    if device.revoked {
        return Ok(device);
    }
    let answer = DeviceView {
        revoked: true,
        ..device
    };
    let revocation = Revocation { at: service.now() };
    change(service, scope, |_| {
        let key = ObjectKey::of(&scope.account, ObjectKind::Revocation, id.as_str());
        Ok(
            Step::new("device.revoked", id, answer.clone()).write(Write::put(
                key,
                Expectation::Any,
                &revocation,
            )?),
        )
    })
    .await
}

/// Takes a revocation back.
pub async fn reinstate(service: &Service, scope: &Scope, id: &DeviceId) -> Result<(), AppError> {
    change(service, scope, |account| {
        if !account.revoked.contains_key(id) {
            return Err(AppError::NotFound("revocation"));
        }
        let key = ObjectKey::of(&scope.account, ObjectKind::Revocation, id.as_str());
        Ok(Step::new("device.reinstated", id, ()).write(Write::delete(key, Expectation::Present)))
    })
    .await
}
