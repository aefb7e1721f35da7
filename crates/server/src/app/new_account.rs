//! Making an account: its objects are written together, so that there is never one without keys or policy.

use std::collections::BTreeMap;

use bonafide_evidence::Policy;
use bonafide_wire::ids::AccountId;

use super::AppError;
use super::publish_trust;
use crate::config::{
    AccountConfig, AccountProfile, ManagedRoots, PublishedTrust, SigningKeyState, VersionedPolicy,
};
use crate::keys::Keys;
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

/// Who asks for what account.
#[derive(Debug, Clone)]
pub struct NewAccountOrder<'a> {
    /// Its id.
    pub id: &'a AccountId,
    /// For people.
    pub name: &'a str,
    /// Who makes it.
    pub author: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// The writes that make an account: the default policy, managed roots on, one active signing key, trust
/// keys, and signed trust metadata.
pub fn writes_for(keys: &Keys, order: &NewAccountOrder<'_>) -> Result<Vec<Write>, AppError> {
    let id = order.id;
    let account = draft(keys, order)?;
    let profile = AccountProfile {
        name: account.name.clone(),
        created_at: account.created_at,
    };
    let managed = ManagedRoots {
        enabled: account.managed_roots,
    };
    let only = |kind| ObjectKey::only(id, kind);
    let absent = Expectation::Absent;
    let mut writes = vec![
        Write::put(only(ObjectKind::Account), absent, &profile)?,
        Write::put(only(ObjectKind::Policy), absent, &account.policy)?,
        Write::put(only(ObjectKind::ManagedRoots), absent, &managed)?,
        Write::put(only(ObjectKind::TrustKeys), absent, &account.trust_keys)?,
    ];
    for (kid, key) in &account.signing_keys {
        let object = ObjectKey::of(id, ObjectKind::SigningKey, kid);
        writes.push(Write::put(object, absent, key)?);
    }
    writes.extend(publish_trust::writes_for(keys, id, &account, order.now)?);
    Ok(writes)
}

/// A new account with fresh keys, not yet published.
pub(super) fn draft(keys: &Keys, order: &NewAccountOrder<'_>) -> Result<AccountConfig, AppError> {
    let signing_key = keys.generate_signing_key(order.id, SigningKeyState::Active, order.now)?;
    Ok(AccountConfig {
        name: order.name.to_owned(),
        created_at: order.now,
        apps: BTreeMap::new(),
        registrations: BTreeMap::new(),
        policy: VersionedPolicy {
            version: 1,
            policy: Policy::default(),
            author: order.author.to_owned(),
            updated_at: order.now,
        },
        apis: BTreeMap::new(),
        secrets: BTreeMap::new(),
        retired_secrets: BTreeMap::new(),
        overrides: BTreeMap::new(),
        revoked: BTreeMap::new(),
        anchors: BTreeMap::new(),
        play_keys: BTreeMap::new(),
        attestation_keys: BTreeMap::new(),
        trust_roots: BTreeMap::new(),
        managed_roots: true,
        signing_keys: BTreeMap::from([signing_key]),
        attester_keys: BTreeMap::new(),
        upstreams: BTreeMap::new(),
        trust_keys: keys.generate_trust_keys(order.id)?,
        trust: PublishedTrust {
            version: 0,
            refresh_at: order.now,
            document: String::new(),
        },
    })
}
