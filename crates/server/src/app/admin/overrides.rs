//! Device overrides: what an operator says about one device, with a reason, an owner and an end.

use bonafide_wire::admin::{OverrideKind, OverrideView, Page, PutOverride, RefusedDevice, Role};
use bonafide_wire::ids::{DeviceId, SupportId};

use super::page::Wanted;
use super::rules::Rules;
use super::{Scope, Step, change, verdicts};
use crate::app::{AppError, Service};
use crate::config::{AccountConfig, DeviceOverride};
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

/// 60 seconds to 90 days.
const LIFE_SECONDS: core::ops::RangeInclusive<u32> = 60..=90 * 24 * 60 * 60;
/// How long ago a device counts as refused lately, seconds.
const LATELY_SECONDS: i64 = 60 * 60;
/// Most of those that are told.
const MOST_REFUSED: u32 = 100;

/// Whose override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// This device's.
    Device(DeviceId),
    /// The device's that this verdict was about: its user read the support id out.
    Verdict(SupportId),
    /// The only device's that was refused lately.
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
    let device = found(service, scope, whose).await?;
    let now = service.now();
    let set = DeviceOverride {
        kind: put.kind,
        reason: put.reason,
        owner: scope.caller.signature(),
        owner_role: scope.caller.role,
        created_at: now,
        expires_at: now.saturating_add(i64::from(put.for_seconds)),
    };
    change(service, scope, |account| {
        may_replace(account, scope, &device, now)?;
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

async fn found(service: &Service, scope: &Scope, whose: Whose) -> Result<DeviceId, AppError> {
    match whose {
        Whose::Device(device) => Ok(device),
        Whose::Verdict(support_id) => verdicts::read(service, scope, &support_id)
            .await?
            .device_id
            .ok_or(AppError::NotFound("device in that verdict")),
        Whose::Latest => {
            let mut refused = refused_lately(service, scope).await?.into_iter();
            let latest = refused.next().ok_or(AppError::NotFound("refused device"))?;
            // Whoever asks in a loop is always the newest: where there is a choice, a person makes it.
            match refused.len() {
                0 => Ok(latest.device_id),
                others => Err(AppError::Conflict(format!(
                    "{} devices were refused in the last hour: take the support id that the user reads out",
                    others.saturating_add(1)
                ))),
            }
        }
    }
}

/// The devices that policy refused within the last hour, the newest first, each with its newest verdict.
pub async fn refused_lately(
    service: &Service,
    scope: &Scope,
) -> Result<Vec<RefusedDevice>, AppError> {
    service.recorder().settled().await;
    let since = service.now().saturating_sub(LATELY_SECONDS);
    let store = service.store();
    Ok(store
        .refused_since(&scope.account, since, MOST_REFUSED)
        .await?)
}

/// A device that an admin locked out is let in again by an admin.
fn may_replace(
    account: &AccountConfig,
    scope: &Scope,
    device: &DeviceId,
    now: i64,
) -> Result<(), AppError> {
    let locked = account.overrides.get(device).is_some_and(|set| {
        set.kind == OverrideKind::AlwaysFail
            && set.owner_role == Role::Admin
            && set.expires_at > now
    });
    if locked && scope.caller.role != Role::Admin {
        return Err(AppError::Forbidden {
            needed: Role::Admin,
        });
    }
    Ok(())
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
    let now = service.now();
    change(service, scope, |account| {
        may_replace(account, scope, device, now)?;
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
