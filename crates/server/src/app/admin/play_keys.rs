//! Google Play's keys of "response encryption", one pair for each app: with them its Play Integrity verdicts are read.
//!
//! A decryption key comes in, is sealed, and is never given out again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonafide_evidence::play::{PlayKeyError, PlayKeys};
use bonafide_wire::admin::Page;
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::ids::{AppId, PackageName};
use bonafide_wire::platform::{PlayKeyView, PutPlayKey, ResponseEncryption};
use zeroize::Zeroizing;

use super::page::Wanted;
use super::{Scope, Step, change, sha256};
use crate::app::{AppError, Service};
use crate::config::{AccountConfig, PlayKey};
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

/// Each is tried in turn, so there must be few.
const MOST_PLAY_KEYS: usize = 32;

/// All of them.
pub fn list(
    service: &Service,
    scope: &Scope,
    wanted: &Wanted,
) -> Result<Page<PlayKeyView>, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?.config;
    let page = wanted.of_map(&account.play_keys, |app, key| {
        package_of(account, app).map(|package| view(app, package, key))
    })?;
    Ok(Page {
        items: page.items.into_iter().flatten().collect(),
        next_page_token: page.next_page_token,
    })
}

/// Sets an app's keys, or replaces them.
pub async fn put(
    service: &Service,
    scope: &Scope,
    app: &AppId,
    put: PutPlayKey,
) -> Result<PlayKeyView, AppError> {
    let (decryption, verification) = read(&put)?;
    let sealed = service
        .keys()
        .seal_play_key(&scope.account, app, &decryption)?;
    let key = PlayKey {
        verification: Base64Url(verification),
        sealed,
        added_by: scope.caller.signature(),
        added_at: service.now(),
    };
    change(service, scope, |account| {
        if !account.apps.contains_key(app) {
            return Err(AppError::NotFound("app"));
        }
        let package = package_of(account, app)
            .ok_or_else(|| AppError::Conflict(format!("the app {app} has no Android package")))?;
        if account.play_keys.len() >= MOST_PLAY_KEYS && !account.play_keys.contains_key(app) {
            let why = format!("at most {MOST_PLAY_KEYS} apps of an account have Play keys");
            return Err(AppError::Conflict(why));
        }
        let object = ObjectKey::of(&scope.account, ObjectKind::PlayKey, app.as_str());
        let view = view(app, package, &key);
        let details =
            serde_json::json!({ "verification_key_sha256": view.verification_key_sha256 });
        Ok(Step::new("play-key.set", app, view)
            .write(Write::put(object, Expectation::Any, &key)?)
            .details(details))
    })
    .await
}

/// Removes an app's keys: its verdicts cannot be read any more, and tickets by them are over.
pub async fn remove(service: &Service, scope: &Scope, app: &AppId) -> Result<(), AppError> {
    change(service, scope, |account| {
        if !account.play_keys.contains_key(app) {
            return Err(AppError::NotFound("Play key"));
        }
        let object = ObjectKey::of(&scope.account, ObjectKind::PlayKey, app.as_str());
        let write = Write::delete(object, Expectation::Present);
        Ok(Step::new("play-key.removed", app, ()).write(write))
    })
    .await
}

/// Both keys, decoded and known to be keys.
fn read(put: &PutPlayKey) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), AppError> {
    const DECRYPTION: &str = "/response-encryption/decryption_key";
    const VERIFICATION: &str = "/response-encryption/verification_key";
    let PutPlayKey::ResponseEncryption(ResponseEncryption {
        decryption_key,
        verification_key,
    }) = put;
    let decode = |pointer: &str, text: &str| {
        let decoded = STANDARD.decode(text.trim());
        decoded
            .map_err(|_| AppError::invalid(pointer, "must be base64, as the Play Console has it"))
    };
    let decryption = Zeroizing::new(decode(DECRYPTION, decryption_key.expose())?);
    let verification = decode(VERIFICATION, verification_key)?;
    PlayKeys::new(&decryption, &verification).map_err(|error| {
        let pointer = match error {
            PlayKeyError::Decryption => DECRYPTION,
            PlayKeyError::Verification => VERIFICATION,
        };
        AppError::invalid(pointer, error.to_string())
    })?;
    Ok((decryption, verification))
}

fn package_of<'a>(account: &'a AccountConfig, app: &AppId) -> Option<&'a PackageName> {
    account.apps.get(app)?.android_package.as_ref()
}

fn view(app: &AppId, package: &PackageName, key: &PlayKey) -> PlayKeyView {
    PlayKeyView {
        app: app.clone(),
        package: package.clone(),
        verification_key_sha256: hex::encode(sha256(key.verification.as_slice())),
        added_by: key.added_by.clone(),
        added_at: key.added_at,
    }
}
