//! Root metadata (W-15): which keys may sign what. It decides whether a root is consistent in itself;
//! whether it is believed is the trusted set's decision.

use std::collections::BTreeSet;

use bonafide_wire::bytes::Base64Url;
use bonafide_wire::envelope::key_id;
use bonafide_wire::ids::AccountId;
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::reject::TrustReject;

/// Root metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootMetadata {
    /// The tenant.
    pub account: AccountId,
    /// Grows with each change.
    pub version: u64,
    /// Worthless after this, seconds since 1970.
    pub expires_at: i64,
    /// Every key that a role names.
    pub keys: Vec<RootKey>,
    /// Who may sign what.
    pub roles: Roles,
}

/// A public key; its id is the SHA-256 of its point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootKey {
    /// Uncompressed P-256 point, 65 bytes.
    pub public_key: Base64Url,
}

/// The roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Signs root metadata.
    pub root: KeyRole,
    /// Signs bundles.
    pub bundle: KeyRole,
}

/// Key ids, and how many of them must sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRole {
    /// Ids of the keys.
    pub key_ids: Vec<Base64Url>,
    /// How many distinct keys must sign; at least 1.
    pub threshold: u32,
}

impl RootMetadata {
    /// The simplest root: one key per role, threshold 1.
    pub fn single(account: AccountId, version: u64, expires_at: i64, keys: [&[u8]; 2]) -> Self {
        let [root, bundle] = keys;
        let role = |point: &[u8]| KeyRole {
            key_ids: vec![key_id(point)],
            threshold: 1,
        };
        let mut points = vec![root];
        if bundle != root {
            points.push(bundle);
        }
        Self {
            account,
            version,
            expires_at,
            keys: points
                .into_iter()
                .map(|point| RootKey {
                    public_key: Base64Url(point.to_vec()),
                })
                .collect(),
            roles: Roles {
                root: role(root),
                bundle: role(bundle),
            },
        }
    }

    /// Reads a payload, strictly. It says nothing about who signed it.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, TrustReject> {
        if payload.len() > limits::MOST_ROOT_BYTES {
            return Err(TrustReject::TooLarge);
        }
        let root: Self = serde_json::from_slice(payload).map_err(|_| TrustReject::RootMalformed)?;
        root.check()?;
        Ok(root)
    }

    /// Whether keys, roles and thresholds fit together.
    pub(crate) fn check(&self) -> Result<(), TrustReject> {
        let ids: BTreeSet<Base64Url> = self
            .keys
            .iter()
            .map(|key| key_id(&key.public_key.0))
            .collect();
        let fits = self.keys.len() <= limits::MOST_KEYS
            && ids.len() == self.keys.len()
            && self.keys.iter().all(|key| is_point(&key.public_key.0))
            && (1..=limits::MOST_VERSION).contains(&self.version)
            && [&self.roles.root, &self.roles.bundle]
                .iter()
                .all(|role| role.fits(&ids));
        fits.then_some(()).ok_or(TrustReject::RootRules)
    }

    /// The public key with this id.
    pub(crate) fn key(&self, id: &Base64Url) -> Option<&[u8]> {
        self.keys
            .iter()
            .map(|key| key.public_key.as_slice())
            .find(|point| key_id(point) == *id)
    }
}

impl KeyRole {
    fn fits(&self, known: &BTreeSet<Base64Url>) -> bool {
        let distinct: BTreeSet<&Base64Url> = self.key_ids.iter().collect();
        let threshold = usize::try_from(self.threshold).unwrap_or(usize::MAX);
        distinct.len() == self.key_ids.len()
            && self.key_ids.iter().all(|id| known.contains(id))
            && (1..=distinct.len()).contains(&threshold)
    }
}

fn is_point(bytes: &[u8]) -> bool {
    bytes.len() == 65 && bytes.first() == Some(&4)
}
