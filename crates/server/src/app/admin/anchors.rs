//! Development anchors of evidence: a simulator's root that the account trusts explicitly, and that marks all that
//! ends there.

use bonafide_evidence::android::Anchors;
use bonafide_wire::admin::{AnchorView, Page, PutAnchor};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::ids::AnchorName;

use super::page::Wanted;
use super::{Scope, Step, certificate, change};
use crate::app::{AppError, Service};
use crate::config::Anchor;
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

/// Most anchors of an account.
const MOST_ANCHORS: usize = 20;

/// All of them.
pub fn list(
    service: &Service,
    scope: &Scope,
    wanted: &Wanted,
) -> Result<Page<AnchorView>, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(&scope.account)?;
    let page = wanted.of_map(&account.config.anchors, view)?;
    Ok(Page {
        items: page.items.into_iter().collect::<Result<_, _>>()?,
        next_page_token: page.next_page_token,
    })
}

/// Adds one, or replaces it.
pub async fn put(
    service: &Service,
    scope: &Scope,
    name: &AnchorName,
    put: &PutAnchor,
) -> Result<AnchorView, AppError> {
    let read = certificate::read(&put.certificate_pem)?;
    Anchors::none()
        .with_development(&read.der)
        .map_err(|error| AppError::invalid("/certificate_pem", error.to_string()))?;
    let anchor = Anchor {
        evidence: put.evidence,
        certificate: Base64Url(read.der),
        added_by: scope.caller.signature(),
        added_at: service.now(),
    };
    change(service, scope, |account| {
        if account.anchors.len() >= MOST_ANCHORS && !account.anchors.contains_key(name) {
            let why = format!("an account has at most {MOST_ANCHORS} anchors");
            return Err(AppError::Conflict(why));
        }
        let key = ObjectKey::of(&scope.account, ObjectKind::Anchor, name.as_str());
        let details = serde_json::json!({ "evidence": put.evidence, "spki_sha256": read.spki_sha256, "development": true });
        Ok(Step::new("anchor.added", name, view(name, &anchor)?)
            .write(Write::put(key, Expectation::Any, &anchor)?)
            .details(details))
    })
    .await
}

/// Removes one: what ends there is refused from now on.
pub async fn remove(service: &Service, scope: &Scope, name: &AnchorName) -> Result<(), AppError> {
    change(service, scope, |account| {
        if !account.anchors.contains_key(name) {
            return Err(AppError::NotFound("anchor"));
        }
        let key = ObjectKey::of(&scope.account, ObjectKind::Anchor, name.as_str());
        Ok(Step::new("anchor.removed", name, ()).write(Write::delete(key, Expectation::Present)))
    })
    .await
}

fn view(name: &AnchorName, anchor: &Anchor) -> Result<AnchorView, AppError> {
    let read = certificate::describe(anchor.certificate.0.clone())?;
    Ok(AnchorView {
        name: name.clone(),
        evidence: anchor.evidence,
        spki_sha256: read.spki_sha256,
        added_by: anchor.added_by.clone(),
        added_at: anchor.added_at,
    })
}
