//! The trust bundle (W-16): managed roots with their constraints, the protected APIs, the authorization servers.
//!
//! It decides whether a bundle is consistent in itself and refuses what it does not understand: an
//! unknown member may be a constraint, and a constraint that is skipped is a hole.

use std::collections::BTreeSet;

use bonafide_wire::admin::TokenMode;
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::ids::{AccountId, Host, Issuer, SecretName, UpstreamName};
use bonafide_wire::upstream::{ClientAuthenticationMethod, Rung};
use rustls_pki_types::{CertificateDer, Der, TrustAnchor};
use serde::{Deserialize, Serialize};

use crate::reject::TrustReject;
use crate::{der, limits};

/// A trust bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The tenant.
    pub account: AccountId,
    /// Grows with each change.
    pub version: u64,
    /// Seconds since 1970.
    pub issued_at: i64,
    /// Worthless to a newcomer after this, seconds since 1970; whoever holds it keeps enforcing it.
    pub expires_at: i64,
    /// The root metadata that it belongs to.
    pub root_version: u64,
    /// Whether protected APIs are reached through managed roots only.
    pub managed_roots: ManagedRoots,
    /// The managed roots.
    pub roots: Vec<ManagedRoot>,
    /// The protected APIs.
    pub apis: Vec<ProtectedApi>,
    /// The authorization servers that the account's apps log in at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<Upstream>,
}

/// An authorization server, and how an instance may authenticate as the app's client there. Public facts only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Its name at the service.
    pub name: UpstreamName,
    /// Its issuer identifier, compared byte for byte.
    pub issuer: Issuer,
    /// The app's client id there.
    pub client_id: String,
    /// The rungs of the ladder that the account allows, best first.
    pub rungs: Vec<Rung>,
    /// What the client is registered for there, where it has a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<ClientAuthenticationMethod>,
    /// The runtime secret of the delivered secret (rung 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretName>,
}

/// Where the roots for protected APIs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManagedRoots {
    /// From this bundle only, whatever the device's store says.
    On,
    /// From the device's store.
    Off,
}

/// A root that vouches for servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedRoot {
    /// For people; unique in the bundle.
    pub name: String,
    /// Content of the DER `Name`, as `webpki` keeps it.
    pub subject: Base64Url,
    /// Content of the DER `SubjectPublicKeyInfo`, as `webpki` keeps it.
    pub spki: Base64Url,
    /// Content of the DER `NameConstraints` that the root programme applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_constraints: Option<Base64Url>,
    /// Leaf certificates that begin their life after this (seconds since 1970) are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distrust_after: Option<i64>,
}

/// A host that the app talks to under protection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtectedApi {
    /// The host, exactly.
    pub host: Host,
    /// Whether requests carry an attestation token.
    pub token: TokenMode,
    /// Where there are any, at least two, and one of them must be on the validated path.
    #[serde(default)]
    pub pins: Vec<Pin>,
}

/// A key that may stand anywhere on the validated path: leaf, intermediate or root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// SHA-256 of the whole DER `SubjectPublicKeyInfo`, 32 bytes.
    pub spki_sha256: Base64Url,
}

/// A certificate that cannot serve as a managed root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the certificate cannot be read as a trust root (DER, X.509 version 1 or 3)")]
pub struct NotARoot;

impl ManagedRoot {
    /// A root as `webpki-roots` gives it, with its name constraints, named by its subject.
    pub fn from_anchor(anchor: &TrustAnchor<'_>) -> Self {
        let subject = anchor.subject.as_ref();
        Self {
            name: der::name_for_people(subject),
            subject: Base64Url(subject.to_vec()),
            spki: Base64Url(anchor.subject_public_key_info.as_ref().to_vec()),
            name_constraints: anchor
                .name_constraints
                .as_ref()
                .map(|constraints| Base64Url(constraints.as_ref().to_vec())),
            distrust_after: None,
        }
    }

    /// A root of a company's own, from its DER certificate and with its name constraints.
    pub fn from_certificate(name: impl Into<String>, certificate: &[u8]) -> Result<Self, NotARoot> {
        let certificate = CertificateDer::from(certificate);
        let anchor = webpki::anchor_from_trusted_cert(&certificate).map_err(|_| NotARoot)?;
        Ok(Self {
            name: name.into(),
            ..Self::from_anchor(&anchor)
        })
    }

    /// The root as `webpki` wants it.
    pub fn anchor(&self) -> TrustAnchor<'_> {
        TrustAnchor {
            subject: Der::from_slice(self.subject.as_slice()),
            subject_public_key_info: Der::from_slice(self.spki.as_slice()),
            name_constraints: self
                .name_constraints
                .as_ref()
                .map(|constraints| Der::from_slice(constraints.as_slice())),
        }
    }

    fn fits(&self) -> bool {
        let der = |bytes: &Base64Url| (1..=limits::MOST_DER).contains(&bytes.0.len());
        (1..=limits::MOST_NAME).contains(&self.name.len())
            && der(&self.subject)
            && der(&self.spki)
            && self.name_constraints.as_ref().is_none_or(der)
    }
}

impl Bundle {
    /// Reads a payload, strictly. It says nothing about who signed it.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, TrustReject> {
        let bundle: Self =
            serde_json::from_slice(payload).map_err(|_| TrustReject::BundleMalformed)?;
        bundle.check()?;
        Ok(bundle)
    }

    /// Whether counts, names and lengths are in order.
    pub(crate) fn check(&self) -> Result<(), TrustReject> {
        let names: BTreeSet<&str> = self.roots.iter().map(|root| root.name.as_str()).collect();
        let hosts: BTreeSet<&Host> = self.apis.iter().map(|api| &api.host).collect();
        let upstreams: BTreeSet<&UpstreamName> = self.upstreams.iter().map(|u| &u.name).collect();
        let fits = (1..=limits::MOST_VERSION).contains(&self.version)
            && self.issued_at < self.expires_at
            && self.roots.len() <= limits::MOST_ROOTS
            && self.apis.len() <= limits::MOST_APIS
            && names.len() == self.roots.len()
            && hosts.len() == self.apis.len()
            && self.upstreams.len() <= limits::MOST_UPSTREAMS
            && upstreams.len() == self.upstreams.len()
            && self.upstreams.iter().all(Upstream::fits)
            && self.roots.iter().all(ManagedRoot::fits)
            && self.apis.iter().all(ProtectedApi::fits);
        if !fits {
            return Err(TrustReject::BundleRules);
        }
        if self.apis.iter().any(ProtectedApi::lacks_backup) {
            return Err(TrustReject::PinsWithoutBackup);
        }
        if self.managed_roots == ManagedRoots::On && self.roots.is_empty() {
            return Err(TrustReject::RootsMissing);
        }
        Ok(())
    }

    /// The protected API at this host. Letter case and a trailing dot make no difference.
    pub fn api(&self, host: &str) -> Option<&ProtectedApi> {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.apis
            .iter()
            .find(|api| api.host.as_str().eq_ignore_ascii_case(host))
    }

    /// The authorization server of this name.
    pub fn upstream(&self, name: &UpstreamName) -> Option<&Upstream> {
        self.upstreams
            .iter()
            .find(|upstream| upstream.name == *name)
    }

    /// The managed root with this subject and key (both as DER content).
    pub(crate) fn root(&self, subject: &[u8], spki: &[u8]) -> Option<&ManagedRoot> {
        self.roots
            .iter()
            .find(|root| root.subject.as_slice() == subject && root.spki.as_slice() == spki)
    }
}

impl Upstream {
    /// Best first, each once: whoever reads them takes the first that the server supports.
    fn fits(&self) -> bool {
        let ordered = self.rungs.iter().zip(self.rungs.iter().skip(1));
        (1..=limits::MOST_CLIENT_ID).contains(&self.client_id.len())
            && self.client_id.bytes().all(|b| (0x20..=0x7e).contains(&b))
            && !self.rungs.is_empty()
            && ordered.fold(true, |fine, (better, worse)| fine && better < worse)
    }
}

impl ProtectedApi {
    fn fits(&self) -> bool {
        self.pins.len() <= limits::MOST_PINS
            && self.pins.iter().all(|pin| pin.spki_sha256.0.len() == 32)
    }

    fn lacks_backup(&self) -> bool {
        let distinct: BTreeSet<&Pin> = self.pins.iter().collect();
        !self.pins.is_empty()
            && (distinct.len() < limits::FEWEST_PINS || distinct.len() != self.pins.len())
    }
}
