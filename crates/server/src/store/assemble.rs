//! Object rows as a [`Configuration`]: every row finds its place, every account is whole, or nothing is used.
//!
//! Knows no database; the same for every backend.

use std::collections::BTreeMap;

use bonafide_wire::ids::AccountId;
use serde::de::DeserializeOwned;

use super::{ObjectKey, ObjectKind, StoreError};
use crate::config::{
    AccountConfig, AccountProfile, Anchor, Api, App, Configuration, Credential, DeviceOverride,
    ManagedRoots, PublishedTrust, Registration, Revocation, RuntimeSecret, SigningKey, TrustKeys,
    TrustRoot, VersionedPolicy,
};

/// One stored object.
#[derive(Debug)]
pub struct Object {
    /// Which.
    pub key: ObjectKey,
    /// JSON.
    pub body: String,
}

/// Puts the objects together.
pub fn assemble(version: u64, objects: Vec<Object>) -> Result<Configuration, StoreError> {
    let mut configuration = Configuration {
        version,
        ..Configuration::default()
    };
    let mut accounts: BTreeMap<AccountId, Parts> = BTreeMap::new();
    for object in objects {
        match object.key.account.clone() {
            Some(account) => accounts.entry(account).or_default().place(&object)?,
            None if object.key.kind == ObjectKind::Credential => {
                let credential: Credential = object.read()?;
                configuration.credentials.insert(object.id()?, credential);
            }
            None => return Err(object.damaged("belongs to no account")),
        }
    }
    for (id, parts) in accounts {
        let account = parts.whole().map_err(|missing| {
            StoreError::Damaged(format!("account {id} has no {}", missing.as_str()))
        })?;
        configuration.accounts.insert(id, account);
    }
    Ok(configuration)
}

impl Object {
    fn read<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_str(&self.body).map_err(|e| self.damaged(&e.to_string()))
    }

    fn id<T: core::str::FromStr<Err: core::fmt::Display>>(&self) -> Result<T, StoreError> {
        self.key
            .id
            .parse()
            .map_err(|e: T::Err| self.damaged(&e.to_string()))
    }

    fn damaged(&self, why: &str) -> StoreError {
        StoreError::Damaged(format!("{} {}: {why}", self.key.kind.as_str(), self.key.id))
    }
}

/// An account on the way to being whole.
#[derive(Default)]
struct Parts {
    profile: Option<AccountProfile>,
    policy: Option<VersionedPolicy>,
    managed_roots: Option<ManagedRoots>,
    trust_keys: Option<TrustKeys>,
    trust: Option<PublishedTrust>,
    apps: BTreeMap<bonafide_wire::ids::AppId, App>,
    registrations: BTreeMap<bonafide_wire::ids::RegistrationId, Registration>,
    apis: BTreeMap<bonafide_wire::ids::Host, Api>,
    secrets: BTreeMap<bonafide_wire::ids::SecretName, RuntimeSecret>,
    overrides: BTreeMap<bonafide_wire::ids::DeviceId, DeviceOverride>,
    revoked: BTreeMap<bonafide_wire::ids::DeviceId, i64>,
    anchors: BTreeMap<bonafide_wire::ids::AnchorName, Anchor>,
    trust_roots: BTreeMap<bonafide_wire::ids::AnchorName, TrustRoot>,
    signing_keys: BTreeMap<String, SigningKey>,
}

impl Parts {
    fn place(&mut self, object: &Object) -> Result<(), StoreError> {
        match object.key.kind {
            ObjectKind::Account => self.profile = Some(object.read()?),
            ObjectKind::Policy => self.policy = Some(object.read()?),
            ObjectKind::ManagedRoots => self.managed_roots = Some(object.read()?),
            ObjectKind::TrustKeys => self.trust_keys = Some(object.read()?),
            ObjectKind::Trust => self.trust = Some(object.read()?),
            ObjectKind::App => insert(&mut self.apps, object)?,
            ObjectKind::Registration => insert(&mut self.registrations, object)?,
            ObjectKind::Api => insert(&mut self.apis, object)?,
            ObjectKind::Secret => insert(&mut self.secrets, object)?,
            ObjectKind::Override => insert(&mut self.overrides, object)?,
            ObjectKind::Anchor => insert(&mut self.anchors, object)?,
            ObjectKind::TrustRoot => insert(&mut self.trust_roots, object)?,
            ObjectKind::SigningKey => insert(&mut self.signing_keys, object)?,
            ObjectKind::Revocation => {
                let revocation: Revocation = object.read()?;
                self.revoked.insert(object.id()?, revocation.at);
            }
            ObjectKind::Credential => return Err(object.damaged("belongs to the service")),
        }
        Ok(())
    }

    /// The account, or the first part that it lacks.
    fn whole(self) -> Result<AccountConfig, ObjectKind> {
        let profile = self.profile.ok_or(ObjectKind::Account)?;
        Ok(AccountConfig {
            name: profile.name,
            created_at: profile.created_at,
            apps: self.apps,
            registrations: self.registrations,
            policy: self.policy.ok_or(ObjectKind::Policy)?,
            apis: self.apis,
            secrets: self.secrets,
            overrides: self.overrides,
            revoked: self.revoked,
            anchors: self.anchors,
            managed_roots: self.managed_roots.ok_or(ObjectKind::ManagedRoots)?.enabled,
            trust_roots: self.trust_roots,
            signing_keys: self.signing_keys,
            trust_keys: self.trust_keys.ok_or(ObjectKind::TrustKeys)?,
            trust: self.trust.ok_or(ObjectKind::Trust)?,
        })
    }
}

fn insert<K, V>(map: &mut BTreeMap<K, V>, object: &Object) -> Result<(), StoreError>
where
    K: Ord + core::str::FromStr<Err: core::fmt::Display>,
    V: DeserializeOwned,
{
    map.insert(object.id()?, object.read()?);
    Ok(())
}
