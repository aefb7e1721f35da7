//! Object rows as a [`Configuration`]: every row finds its place, every account is whole, or it is named as damaged
//! and nothing of it is used. One tenant's damage is no other tenant's.
//!
//! Knows no database; the same for every backend.

use std::collections::{BTreeMap, BTreeSet};

use bonafide_evidence::android::AttestationKeySightings;
use bonafide_wire::ids::AccountId;
use serde::de::DeserializeOwned;

use super::{ObjectKey, ObjectKind, StoreError, Write};
use crate::config::{
    AccountConfig, AccountProfile, Anchor, Api, App, Configuration, Credential, DeviceOverride,
    ManagedRoots, PlayKey, PublishedTrust, Registration, RetiredSecret, Revocation, RuntimeSecret,
    SigningKey, TrustKeys, TrustRoot, Upstream, VersionedPolicy,
};

/// One stored object, as the database has it.
#[derive(Debug)]
pub struct Row {
    /// Empty for the service itself.
    pub account: String,
    /// Which kind.
    pub kind: String,
    /// The key within kind and account.
    pub id: String,
    /// JSON.
    pub body: String,
}

/// One object, known by its place.
#[derive(Debug)]
struct Object<'a> {
    key: &'a ObjectKey,
    body: &'a str,
}

/// Puts the rows together.
pub fn assemble(version: u64, rows: Vec<Row>) -> Configuration {
    let mut configuration = Configuration {
        version,
        ..Configuration::default()
    };
    let mut accounts: BTreeMap<AccountId, Parts> = BTreeMap::new();
    for row in rows {
        if let Err(error) = place(&row, &mut configuration, &mut accounts) {
            configuration
                .damaged
                .entry(row.account)
                .or_insert_with(|| error.to_string());
        }
    }
    for (id, parts) in accounts {
        match parts.whole() {
            Ok(_) if configuration.damaged.contains_key(id.as_str()) => {}
            Ok(account) => drop(configuration.accounts.insert(id, account)),
            Err(missing) => {
                let why = format!("it has no {}", missing.as_str());
                configuration.damaged.entry(id.to_string()).or_insert(why);
            }
        }
    }
    configuration
}

fn place(
    row: &Row,
    configuration: &mut Configuration,
    accounts: &mut BTreeMap<AccountId, Parts>,
) -> Result<(), StoreError> {
    let key = key(row)?;
    let object = Object {
        key: &key,
        body: &row.body,
    };
    match &key.account {
        Some(account) => accounts.entry(account.clone()).or_default().place(&object),
        None if key.kind == ObjectKind::Credential => {
            let credential: Credential = object.read()?;
            configuration.credentials.insert(object.id()?, credential);
            Ok(())
        }
        None => Err(object.damaged("belongs to no account")),
    }
}

fn key(row: &Row) -> Result<ObjectKey, StoreError> {
    let account = match row.account.as_str() {
        "" => None,
        id => Some(AccountId::parse(id).map_err(|e| StoreError::Damaged(e.to_string()))?),
    };
    let kind = ObjectKind::ALL
        .into_iter()
        .find(|known| known.as_str() == row.kind);
    let kind = kind.ok_or_else(|| {
        let why = format!("{} {}: this program knows no such kind", row.kind, row.id);
        StoreError::Damaged(why)
    })?;
    let id = row.id.clone();
    Ok(ObjectKey { account, kind, id })
}

/// The accounts that these writes touch, as they would be. Whatever could not be read back is an error here,
/// before it is written.
pub fn preview(
    before: &Configuration,
    writes: &[Write],
) -> Result<BTreeMap<AccountId, AccountConfig>, StoreError> {
    let touched: BTreeSet<&AccountId> = writes
        .iter()
        .filter_map(|write| write.key.account.as_ref())
        .collect();
    let mut after = BTreeMap::new();
    for id in touched {
        let mut parts = before
            .accounts
            .get(id)
            .map(|account| Parts::of(account.clone()))
            .unwrap_or_default();
        for write in writes {
            if write.key.account.as_ref() == Some(id) {
                parts.apply(write)?;
            }
        }
        let account = parts.whole().map_err(|missing| {
            StoreError::Damaged(format!("account {id} would have no {}", missing.as_str()))
        })?;
        after.insert(id.clone(), account);
    }
    for write in writes {
        if let (None, Some(body)) = (&write.key.account, &write.body) {
            let key = &write.key;
            Object { key, body }.read::<Credential>()?;
        }
    }
    Ok(after)
}

impl Object<'_> {
    fn read<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_str(self.body).map_err(|e| self.damaged(&e.to_string()))
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
    retired_secrets: BTreeMap<bonafide_wire::ids::SecretName, RetiredSecret>,
    overrides: BTreeMap<bonafide_wire::ids::DeviceId, DeviceOverride>,
    revoked: BTreeMap<bonafide_wire::ids::DeviceId, i64>,
    anchors: BTreeMap<bonafide_wire::ids::AnchorName, Anchor>,
    play_keys: BTreeMap<bonafide_wire::ids::AppId, PlayKey>,
    attestation_keys: BTreeMap<String, AttestationKeySightings>,
    trust_roots: BTreeMap<bonafide_wire::ids::AnchorName, TrustRoot>,
    signing_keys: BTreeMap<String, SigningKey>,
    attester_keys: BTreeMap<String, SigningKey>,
    upstreams: BTreeMap<bonafide_wire::ids::UpstreamName, Upstream>,
}

impl Parts {
    fn place(&mut self, object: &Object<'_>) -> Result<(), StoreError> {
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
            ObjectKind::RetiredSecret => insert(&mut self.retired_secrets, object)?,
            ObjectKind::Override => insert(&mut self.overrides, object)?,
            ObjectKind::Anchor => insert(&mut self.anchors, object)?,
            ObjectKind::PlayKey => insert(&mut self.play_keys, object)?,
            ObjectKind::AttestationKey => insert(&mut self.attestation_keys, object)?,
            ObjectKind::TrustRoot => insert(&mut self.trust_roots, object)?,
            ObjectKind::SigningKey => insert(&mut self.signing_keys, object)?,
            ObjectKind::AttesterKey => insert(&mut self.attester_keys, object)?,
            ObjectKind::Upstream => insert(&mut self.upstreams, object)?,
            ObjectKind::Revocation => {
                let revocation: Revocation = object.read()?;
                self.revoked.insert(object.id()?, revocation.at);
            }
            ObjectKind::Credential => return Err(object.damaged("belongs to the service")),
        }
        Ok(())
    }

    /// A whole account, taken apart.
    fn of(account: AccountConfig) -> Self {
        Self {
            profile: Some(AccountProfile {
                name: account.name,
                created_at: account.created_at,
            }),
            policy: Some(account.policy),
            managed_roots: Some(ManagedRoots {
                enabled: account.managed_roots,
            }),
            trust_keys: Some(account.trust_keys),
            trust: Some(account.trust),
            apps: account.apps,
            registrations: account.registrations,
            apis: account.apis,
            secrets: account.secrets,
            retired_secrets: account.retired_secrets,
            overrides: account.overrides,
            revoked: account.revoked,
            anchors: account.anchors,
            play_keys: account.play_keys,
            attestation_keys: account.attestation_keys,
            trust_roots: account.trust_roots,
            signing_keys: account.signing_keys,
            attester_keys: account.attester_keys,
            upstreams: account.upstreams,
        }
    }

    fn apply(&mut self, write: &Write) -> Result<(), StoreError> {
        let key = &write.key;
        match &write.body {
            Some(body) => self.place(&Object { key, body }),
            None => self.remove(&Object { key, body: "" }),
        }
    }

    fn remove(&mut self, object: &Object<'_>) -> Result<(), StoreError> {
        match object.key.kind {
            ObjectKind::Account => self.profile = None,
            ObjectKind::Policy => self.policy = None,
            ObjectKind::ManagedRoots => self.managed_roots = None,
            ObjectKind::TrustKeys => self.trust_keys = None,
            ObjectKind::Trust => self.trust = None,
            ObjectKind::App => drop(self.apps.remove(&object.id()?)),
            ObjectKind::Registration => drop(self.registrations.remove(&object.id()?)),
            ObjectKind::Api => drop(self.apis.remove(&object.id()?)),
            ObjectKind::Secret => drop(self.secrets.remove(&object.id()?)),
            ObjectKind::RetiredSecret => {
                self.retired_secrets.remove(&object.id()?);
            }
            ObjectKind::Override => drop(self.overrides.remove(&object.id()?)),
            ObjectKind::Anchor => drop(self.anchors.remove(&object.id()?)),
            ObjectKind::PlayKey => drop(self.play_keys.remove(&object.id()?)),
            ObjectKind::AttestationKey => drop(self.attestation_keys.remove(&object.key.id)),
            ObjectKind::TrustRoot => drop(self.trust_roots.remove(&object.id()?)),
            ObjectKind::SigningKey => drop(self.signing_keys.remove(&object.key.id)),
            ObjectKind::AttesterKey => drop(self.attester_keys.remove(&object.key.id)),
            ObjectKind::Upstream => drop(self.upstreams.remove(&object.id()?)),
            ObjectKind::Revocation => drop(self.revoked.remove(&object.id()?)),
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
            retired_secrets: self.retired_secrets,
            overrides: self.overrides,
            revoked: self.revoked,
            anchors: self.anchors,
            play_keys: self.play_keys,
            attestation_keys: self.attestation_keys,
            managed_roots: self.managed_roots.ok_or(ObjectKind::ManagedRoots)?.enabled,
            trust_roots: self.trust_roots,
            signing_keys: self.signing_keys,
            attester_keys: self.attester_keys,
            upstreams: self.upstreams,
            trust_keys: self.trust_keys.ok_or(ObjectKind::TrustKeys)?,
            trust: self.trust.ok_or(ObjectKind::Trust)?,
        })
    }
}

fn insert<K, V>(map: &mut BTreeMap<K, V>, object: &Object<'_>) -> Result<(), StoreError>
where
    K: Ord + core::str::FromStr<Err: core::fmt::Display>,
    V: DeserializeOwned,
{
    map.insert(object.id()?, object.read()?);
    Ok(())
}
