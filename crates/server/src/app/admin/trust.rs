//! What apps are told to trust: the managed roots switch, the account's own roots, and the config string.

use bonafide_trust::ManagedRoot;
use bonafide_wire::admin::{ManagedRootsView, Page, PutTrustRoot, SdkConfigView, TrustRootView};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::config_string::SdkConfig;
use bonafide_wire::ids::AnchorName;

use super::page::Wanted;
use super::{Scope, Step, certificate, change, sha256};
use crate::app::{AppError, Service};
use crate::config::{ManagedRoots, TrustRoot};
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

/// Most roots of an account's own.
const MOST_ROOTS: usize = 50;

/// The switch.
pub fn managed_roots(service: &Service, scope: &Scope) -> Result<ManagedRootsView, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    Ok(ManagedRootsView {
        enabled: account.config.managed_roots,
    })
}

/// Turns it; turning it where it stands changes nothing.
pub async fn put_managed_roots(
    service: &Service,
    scope: &Scope,
    put: ManagedRootsView,
) -> Result<ManagedRootsView, AppError> {
    if managed_roots(service, scope)?.enabled == put.enabled {
        return Ok(put);
    }
    change(service, scope, |account| {
        let switch = ManagedRoots {
            enabled: put.enabled,
        };
        let mut after = account.clone();
        after.managed_roots = put.enabled;
        let key = ObjectKey::only(&scope.account, ObjectKind::ManagedRoots);
        Ok(
            Step::new("managed-roots.changed", "managed-roots", put.clone())
                .write(Write::put(key, Expectation::Any, &switch)?)
                .details(serde_json::json!({ "enabled": put.enabled }))
                .trust(after),
        )
    })
    .await
}

/// The account's own roots.
pub fn roots(
    service: &Service,
    scope: &Scope,
    wanted: &Wanted,
) -> Result<Page<TrustRootView>, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    let page = wanted.of_map(&account.config.trust_roots, view)?;
    Ok(Page {
        items: page.items.into_iter().collect::<Result<_, _>>()?,
        next_page_token: page.next_page_token,
    })
}

/// Adds one, or replaces it.
pub async fn put_root(
    service: &Service,
    scope: &Scope,
    name: &AnchorName,
    put: &PutTrustRoot,
) -> Result<TrustRootView, AppError> {
    let now = service.now();
    let read = certificate::read_authority(&put.certificate_pem, now)?;
    ManagedRoot::from_certificate(name.as_str(), &read.der)
        .map_err(|error| AppError::invalid("/certificate_pem", error.to_string()))?;
    change(service, scope, |account| {
        if account.trust_roots.len() >= MOST_ROOTS && !account.trust_roots.contains_key(name) {
            let why = format!("an account has at most {MOST_ROOTS} roots of its own");
            return Err(AppError::Conflict(why));
        }
        let root = TrustRoot {
            certificate: Base64Url(read.der.clone()),
            added_by: scope.caller.signature(),
            added_at: now,
        };
        let key = ObjectKey::of(&scope.account, ObjectKind::TrustRoot, name.as_str());
        let write = Write::put(key, Expectation::Any, &root)?;
        let answer = view(name, &root)?;
        let mut after = account.clone();
        after.trust_roots.insert(name.clone(), root);
        let details =
            serde_json::json!({ "subject": read.subject, "spki_sha256": read.spki_sha256 });
        Ok(Step::new("trust-root.added", name, answer)
            .write(write)
            .details(details)
            .trust(after))
    })
    .await
}

/// Withdraws one: the next bundle is without it.
pub async fn remove_root(
    service: &Service,
    scope: &Scope,
    name: &AnchorName,
) -> Result<(), AppError> {
    change(service, scope, |account| {
        let mut after = account.clone();
        if after.trust_roots.remove(name).is_none() {
            return Err(AppError::NotFound("trust root"));
        }
        let key = ObjectKey::of(&scope.account, ObjectKind::TrustRoot, name.as_str());
        Ok(Step::new("trust-root.removed", name, ())
            .write(Write::delete(key, Expectation::Present))
            .trust(after))
    })
    .await
}

/// What an app compiles in (W-1).
pub fn sdk_config(service: &Service, scope: &Scope) -> Result<SdkConfigView, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    let point = account.config.trust_keys.root.public_key.as_slice();
    let config = SdkConfig {
        service: service.settings().public_url.clone(),
        account: scope.account.clone(),
        trust_root: Base64Url(sha256(point).to_vec()),
    };
    Ok(SdkConfigView {
        config: config.to_text(),
    })
}

fn view(name: &AnchorName, root: &TrustRoot) -> Result<TrustRootView, AppError> {
    let read = certificate::describe(root.certificate.0.clone())?;
    Ok(TrustRootView {
        name: name.clone(),
        subject: read.subject,
        spki_sha256: read.spki_sha256,
        added_by: root.added_by.clone(),
        added_at: root.added_at,
    })
}
