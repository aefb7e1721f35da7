//! Device overrides: what an operator says about one device, with a reason, an owner and an end.

use bonafide_wire::admin::{OverrideView, Page, PutOverride};
use bonafide_wire::ids::DeviceId;

use super::page::Wanted;
use super::rules::Rules;
use super::{Scope, Step, change};
use crate::app::{AppError, Service};
use crate::config::DeviceOverride;
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

/// 60 seconds to 90 days.
const LIFE_SECONDS: core::ops::RangeInclusive<u32> = 60..=90 * 24 * 60 * 60;

/// Whose override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// This device's.
    Device(DeviceId),
    /// The device's that was refused last.
    Latest,
}

/// Sets one.
pub async fn put(
    service: &Service,
    scope: &Scope,
    whose: Whose,
    put: PutOverride,
) -> Result<OverrideView, AppError> {
    let mut rules = Rules::new();
    rules.text("/reason", &put.reason, 200);
    rules.within("/for_seconds", put.for_seconds, LIFE_SECONDS);
    rules.held()?;
    let device = match whose {
        Whose::Device(device) => device,
        Whose::Latest => {
            service.recorder().settled().await;
            let latest = service.store().latest_refused(&scope.account).await?;
            latest.ok_or(AppError::NotFound("refused device"))?
        }
    };
    let now = service.now();
    let set = DeviceOverride {
        kind: put.kind,
        reason: put.reason,
        owner: scope.caller.name.clone(),
        created_at: now,
        expires_at: now.saturating_add(i64::from(put.for_seconds)),
    };
    change(service, scope, |_| {
        let key = ObjectKey::of(&scope.account, ObjectKind::Override, device.as_str());
        let details = serde_json::json!({
            "kind": set.kind, "reason": set.reason, "expires_at": set.expires_at,
        });
        Ok(Step::new("override.set", &device, view(&device, &set))
            .write(Write::put(key, Expectation::Any, &set)?)
            .details(details))
    })
    .await
}

/// All of them, ended ones too until they are removed.
pub fn list(
    service: &Service,
    scope: &Scope,
    wanted: &Wanted,
) -> Result<Page<OverrideView>, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    wanted.of_map(&account.config.overrides, view)
}

/// One.
pub fn read(service: &Service, scope: &Scope, device: &DeviceId) -> Result<OverrideView, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    let set = account.config.overrides.get(device);
    set.map(|set| view(device, set))
        .ok_or(AppError::NotFound("override"))
}

/// Removes one.
pub async fn remove(service: &Service, scope: &Scope, device: &DeviceId) -> Result<(), AppError> {
    change(service, scope, |account| {
        let set = account
            .overrides
            .get(device)
            .ok_or(AppError::NotFound("override"))?;
        let key = ObjectKey::of(&scope.account, ObjectKind::Override, device.as_str());
        Ok(Step::new("override.removed", device, ())
            .write(Write::delete(key, Expectation::Present))
            .details(serde_json::json!({ "kind": set.kind })))
    })
    .await
}

fn view(device: &DeviceId, set: &DeviceOverride) -> OverrideView {
    OverrideView {
        device_id: device.clone(),
        kind: set.kind,
        reason: set.reason.clone(),
        owner: set.owner.clone(),
        created_at: set.created_at,
        expires_at: set.expires_at,
    }
}
