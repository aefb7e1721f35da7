//! The account's policy: replaced whole, only by somebody who saw the version that is replaced.

use std::collections::BTreeMap;

use bonafide_evidence::Policy;
use bonafide_wire::admin::PolicyView;
use serde_json::Value;

use super::{Scope, Step, change};
use crate::app::{AppError, Service};
use crate::config::VersionedPolicy;
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

/// The policy in force.
pub fn read(service: &Service, scope: &Scope) -> Result<PolicyView, AppError> {
    let snapshot = service.snapshot();
    view(&snapshot.account(&scope.account)?.config.policy)
}

/// Replaces it. `seen` is the version that the author saw (`If-Match`).
pub async fn put(
    service: &Service,
    scope: &Scope,
    policy: Policy,
    seen: Option<u64>,
) -> Result<PolicyView, AppError> {
    let now = service.now();
    change(service, scope, |account| {
        let before = &account.policy;
        if seen.is_some_and(|seen| seen != before.version) {
            return Err(AppError::PreconditionFailed);
        }
        let after = VersionedPolicy {
            version: before.version.saturating_add(1),
            policy: policy.clone(),
            author: scope.caller.signature(),
            updated_at: now,
        };
        let details = serde_json::json!({
            "version": after.version,
            "changed": difference(&before.policy, &after.policy),
        });
        let key = ObjectKey::only(&scope.account, ObjectKind::Policy);
        Ok(Step::new("policy.changed", "policy", view(&after)?)
            .write(Write::put(key, Expectation::Any, &after)?)
            .details(details))
    })
    .await
}

/// What changed, from what to what.
fn difference(before: &Policy, after: &Policy) -> BTreeMap<&'static str, [String; 2]> {
    let before: BTreeMap<_, _> = before.entries().into_iter().collect();
    after
        .entries()
        .into_iter()
        .filter_map(|(key, new)| {
            let old = before.get(key).cloned().unwrap_or_default();
            (old != new).then_some((key, [old, new]))
        })
        .collect()
}

fn view(policy: &VersionedPolicy) -> Result<PolicyView, AppError> {
    let document: Value = serde_json::to_value(&policy.policy)?;
    Ok(PolicyView {
        version: policy.version,
        policy: document,
        author: policy.author.clone(),
        updated_at: policy.updated_at,
    })
}
