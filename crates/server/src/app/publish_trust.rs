//! Trust metadata (W-14 to W-16): what an account's apps are told to trust, signed when it changes.
//!
//! The bundle is signed anew long before it expires, so that a service that stands still for weeks locks
//! nobody out; root metadata keep their bytes until their keys change or half of their life is over.

use std::collections::BTreeSet;

use bonafide_trust::author::{self, AuthorError};
use bonafide_trust::{Bundle, ManagedRoot, ManagedRoots, ProtectedApi, RootMetadata, Upstream};
use bonafide_wire::envelope::{Envelope, Role, TrustReply, signed_bytes};
use bonafide_wire::ids::{AccountId, UpstreamName};
use bonafide_wire::upstream::Rung;

use super::AppError;
use crate::config::{self, AccountConfig, PublishedTrust, TrustKey};
use crate::keys::Keys;
use crate::store::{Expectation, ObjectKey, ObjectKind, Write};

const DAY: i64 = 24 * 60 * 60;
/// How long a bundle is believed.
const BUNDLE_LIFE: i64 = 30 * DAY;
/// After this it is signed anew.
const BUNDLE_REFRESH: i64 = 7 * DAY;
/// How long root metadata are believed.
const ROOT_LIFE: i64 = 730 * DAY;
/// They are signed anew when less than this is left.
const ROOT_RENEWAL: i64 = 365 * DAY;

/// The writes that publish new trust metadata for `account`, which is the configuration *after* the change
/// that they are committed with.
pub fn writes_for(
    keys: &Keys,
    id: &AccountId,
    account: &AccountConfig,
    now: i64,
) -> Result<Vec<Write>, AppError> {
    let trust = publish(keys, id, account, now)?;
    let key = ObjectKey::only(id, ObjectKind::Trust);
    Ok(vec![Write::put(key, Expectation::Any, &trust)?])
}

fn publish(
    keys: &Keys,
    id: &AccountId,
    account: &AccountConfig,
    now: i64,
) -> Result<PublishedTrust, AppError> {
    let version = account.trust.version.saturating_add(1);
    let (root, root_version) = root_envelope(keys, id, account, now)?;
    let bundle = Bundle {
        account: id.clone(),
        version,
        issued_at: now,
        expires_at: now.saturating_add(BUNDLE_LIFE),
        root_version,
        managed_roots: if account.managed_roots {
            ManagedRoots::On
        } else {
            ManagedRoots::Off
        },
        roots: if account.managed_roots {
            managed_roots(account)?
        } else {
            Vec::new()
        },
        apis: account
            .apis
            .iter()
            .map(|(host, api)| ProtectedApi {
                host: host.clone(),
                token: api.token,
                pins: Vec::new(),
            })
            .collect(),
        upstreams: account
            .upstreams
            .iter()
            .map(|(name, upstream)| told(name, upstream))
            .collect(),
    };
    let payload = author::bundle_payload(&bundle)?;
    let signer = (Role::Bundle, &account.trust_keys.bundle);
    let bundle = sign(keys, id, signer, payload)?;
    Ok(PublishedTrust {
        version,
        refresh_at: now.saturating_add(BUNDLE_REFRESH),
        document: author::reply(root, bundle)?,
    })
}

/// What apps are told about an authorization server: public facts only.
fn told(name: &UpstreamName, upstream: &config::Upstream) -> Upstream {
    let authentication = upstream.authentication.as_ref();
    let delivered = upstream.allows(Rung::DeliveredSecret);
    Upstream {
        name: name.clone(),
        issuer: upstream.issuer.clone(),
        client_id: upstream.client_id.clone(),
        rungs: upstream.rungs.clone(),
        authentication: authentication.map(config::ClientAuthentication::method),
        secret: authentication
            .and_then(config::ClientAuthentication::secret)
            .filter(|_| delivered)
            .cloned(),
    }
}

/// The root metadata in force, or new ones where their keys changed or their end comes near.
fn root_envelope(
    keys: &Keys,
    id: &AccountId,
    account: &AccountConfig,
    now: i64,
) -> Result<(Envelope, u64), AppError> {
    let points = [
        account.trust_keys.root.public_key.as_slice(),
        account.trust_keys.bundle.public_key.as_slice(),
    ];
    let before = published_root(account);
    let version = before.as_ref().map_or(1, |(_, root)| root.version);
    if let Some((envelope, root)) = before {
        let same = RootMetadata::single(id.clone(), version, root.expires_at, points);
        if root == same && root.expires_at.saturating_sub(now) > ROOT_RENEWAL {
            return Ok((envelope, version));
        }
    }
    let version = if account.trust.document.is_empty() {
        1
    } else {
        version.saturating_add(1)
    };
    let expires_at = now.saturating_add(ROOT_LIFE);
    let root = RootMetadata::single(id.clone(), version, expires_at, points);
    let payload = author::root_payload(&root)?;
    let signer = (Role::Root, &account.trust_keys.root);
    Ok((sign(keys, id, signer, payload)?, version))
}

/// Our own document, read back.
fn published_root(account: &AccountConfig) -> Option<(Envelope, RootMetadata)> {
    let reply: TrustReply = serde_json::from_str(&account.trust.document).ok()?;
    let root = serde_json::from_slice(reply.root.payload.as_slice()).ok()?;
    Some((reply.root, root))
}

fn sign(
    keys: &Keys,
    id: &AccountId,
    (role, key): (Role, &TrustKey),
    payload: Vec<u8>,
) -> Result<Envelope, AppError> {
    let message = signed_bytes(role, id, &payload);
    let signature = keys.sign_trust(id, role, key, &message)?;
    Ok(author::envelope(
        payload,
        &[(key.public_key.as_slice(), signature)],
    ))
}

/// The Mozilla programme's roots with their name constraints, as compiled in, and the account's own.
fn managed_roots(account: &AccountConfig) -> Result<Vec<ManagedRoot>, AppError> {
    let mut roots = Vec::new();
    for (name, own) in &account.trust_roots {
        let root = ManagedRoot::from_certificate(name.as_str(), own.certificate.as_slice())
            .map_err(|error| AppError::Internal(format!("trust root {name}: {error}")))?;
        roots.push(root);
    }
    let mut names: BTreeSet<String> = roots.iter().map(|root| root.name.clone()).collect();
    for anchor in webpki_roots::TLS_SERVER_ROOTS {
        let mut root = ManagedRoot::from_anchor(anchor);
        let plain = root.name.clone();
        let mut copy = 2_u32;
        while !names.insert(root.name.clone()) {
            root.name = format!("{plain} ({copy})");
            copy = copy.saturating_add(1);
        }
        roots.push(root);
    }
    Ok(roots)
}

impl From<AuthorError> for AppError {
    fn from(error: AuthorError) -> Self {
        // Too many roots or APIs for one bundle is the only way here that an operator can cause.
        Self::Conflict(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use bonafide_trust::{TrustedSet, Updated};
    use bonafide_wire::admin::TokenMode;
    use bonafide_wire::envelope::key_id;
    use bonafide_wire::ids::Host;

    use super::*;
    use crate::config::Api;
    use crate::keys::master::MasterKeys;

    const NOW: i64 = 1_800_000_000;

    fn account(keys: &Keys, id: &AccountId) -> AccountConfig {
        let order = crate::app::new_account::NewAccountOrder {
            id,
            name: "Acme",
            author: "test",
            now: NOW,
        };
        crate::app::new_account::draft(keys, &order).unwrap()
    }

    #[test]
    fn what_is_published_is_believed_and_grows() {
        let keys = Keys::new(&MasterKeys::generate().unwrap()).unwrap();
        let id = AccountId::parse("acme").unwrap();
        let mut account = account(&keys, &id);
        let thumbprint = key_id(account.trust_keys.root.public_key.as_slice());
        let mut held = TrustedSet::new(id.clone(), thumbprint);
        account.trust = publish(&keys, &id, &account, NOW).unwrap();
        assert_eq!(
            held.update(account.trust.document.as_bytes(), NOW),
            Ok(Updated::Newer)
        );
        let api = Api {
            token: TokenMode::NoToken,
            added_at: NOW,
        };
        account
            .apis
            .insert(Host::parse("www.example.com").unwrap(), api);
        let first_root = published_root(&account).unwrap().0;
        account.trust = publish(&keys, &id, &account, NOW + 1).unwrap();
        assert_eq!(account.trust.version, 2);
        assert_eq!(published_root(&account).unwrap().0, first_root);
        assert_eq!(
            held.update(account.trust.document.as_bytes(), NOW + 1),
            Ok(Updated::Newer)
        );
        // Two years later, without a change of keys.
        let later = NOW + ROOT_RENEWAL;
        account.trust = publish(&keys, &id, &account, later).unwrap();
        assert_eq!(published_root(&account).unwrap().1.version, 2);
        assert_eq!(
            held.update(account.trust.document.as_bytes(), later),
            Ok(Updated::Newer)
        );
    }
}
