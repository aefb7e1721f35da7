//! Keys that sign attestation tokens: published before use, kept after it.
//!
//! Operators begin a rotation; time does the rest, because caches must know a key before it signs.

use bonafide_wire::admin::{Page, SigningKeyView};

use super::once::Once;
use super::page::Wanted;
use super::{Scope, Step, change_once};
use crate::app::{AppError, Service};
use crate::config::{AccountConfig, SigningKey, SigningKeyState};
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

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

/// Begins a rotation: publishes a key. It signs by itself once caches know it ([`crate::app::upkeep`]).
pub async fn rotate(
    service: &Service,
    scope: &Scope,
    once: Option<Once>,
) -> Result<SigningKeyView, AppError> {
    let now = service.now();
    change_once(service, scope, once.as_ref(), |account| {
        if let Some(kid) = published(account) {
            let why = format!("a rotation is under way: key {kid} will sign once caches know it");
            return Err(AppError::Conflict(why));
        }
        let state = SigningKeyState::Published;
        let (kid, key) = service
            .keys()
            .generate_signing_key(&scope.account, state, now)?;
        let object = ObjectKey::of(&scope.account, ObjectKind::SigningKey, kid.as_str());
        let step = Step::new("signing-key.published", &kid, view(&kid, &key));
        Ok(step.write(Write::put(object, Expectation::Absent, &key)?))
    })
    .await
}

fn published(account: &AccountConfig) -> Option<&str> {
    let mut keys = account.signing_keys.iter();
    keys.find(|(_, key)| key.state == SigningKeyState::Published)
        .map(|(kid, _)| kid.as_str())
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
