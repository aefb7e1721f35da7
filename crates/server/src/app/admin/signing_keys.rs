//! Keys that sign attestation tokens: published before use, kept after it.
//!
//! A rotation has two steps, because caches must know a key before it signs: the first publishes a key, the second,
//! a day later, makes it sign and lets the old one retire.

use bonafide_wire::admin::{Page, SigningKeyView};

use super::once::Once;
use super::page::Wanted;
use super::{Scope, Step, change_once};
use crate::app::{AppError, Service};
use crate::config::{AccountConfig, SigningKey, SigningKeyState};
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

/// How long a key is published before it signs, seconds.
pub const PUBLISHED_SECONDS: i64 = 24 * 60 * 60;

/// All of them.
pub fn list(
    service: &Service,
    scope: &Scope,
    wanted: &Wanted,
) -> Result<Page<SigningKeyView>, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    wanted.of_map(&account.config.signing_keys, |kid, key| view(kid, key))
}

/// Takes the next step of a rotation; gives the key that it concerns.
pub async fn rotate(
    service: &Service,
    scope: &Scope,
    once: Option<Once>,
) -> Result<SigningKeyView, AppError> {
    let now = service.now();
    change_once(service, scope, once.as_ref(), |account| {
        match in_state(account, SigningKeyState::Published) {
            None => publish(service, scope, now),
            Some((kid, key)) if key.created_at.saturating_add(PUBLISHED_SECONDS) <= now => {
                promote(service, scope, account, kid, key)
            }
            Some((kid, key)) => {
                let ready = key.created_at.saturating_add(PUBLISHED_SECONDS);
                Err(AppError::Conflict(format!(
                    "key {kid} is published and may sign from {ready} on (seconds since 1970), when caches know it"
                )))
            }
        }
    })
    .await
}

fn publish(service: &Service, scope: &Scope, now: i64) -> Result<Step<SigningKeyView>, AppError> {
    let state = SigningKeyState::Published;
    let (kid, key) = service
        .keys()
        .generate_signing_key(&scope.account, state, now)?;
    Ok(Step::new("signing-key.published", &kid, view(&kid, &key)).write(put(scope, &kid, &key)?))
}

fn promote(
    service: &Service,
    scope: &Scope,
    account: &AccountConfig,
    kid: &str,
    key: &SigningKey,
) -> Result<Step<SigningKeyView>, AppError> {
    let now = service.now();
    let promoted = key.moved_to(SigningKeyState::Active, now);
    let mut step = Step::new("signing-key.activated", kid, view(kid, &promoted))
        .write(put(scope, kid, &promoted)?);
    if let Some((old, key)) = in_state(account, SigningKeyState::Active) {
        let retiring = key.moved_to(SigningKeyState::Retiring, now);
        step = step
            .write(put(scope, old, &retiring)?)
            .details(serde_json::json!({ "retiring": old }));
    }
    Ok(step)
}

fn put(scope: &Scope, kid: &str, key: &SigningKey) -> Result<Write, AppError> {
    let object = ObjectKey::of(&scope.account, ObjectKind::SigningKey, kid);
    Ok(Write::put(object, Expectation::Any, key)?)
}

fn in_state(account: &AccountConfig, state: SigningKeyState) -> Option<(&str, &SigningKey)> {
    let mut keys = account.signing_keys.iter();
    keys.find(|(_, key)| key.state == state)
        .map(|(kid, key)| (kid.as_str(), key))
}

fn view(kid: &str, key: &SigningKey) -> SigningKeyView {
    let state = match key.state {
        SigningKeyState::Published => "published",
        SigningKeyState::Active => "active",
        SigningKeyState::Retiring => "retiring",
    };
    SigningKeyView {
        kid: kid.to_owned(),
        state: state.to_owned(),
        created_at: key.created_at,
    }
}
