//! Where chains must end: public keys, never certificates.
//!
//! One set is for one kind of evidence; a verifier is never handed another kind's roots. Decides which keys are trusted and how far. Google's RSA root lives in certificates of 2016, 2019,
//! 2021 and 2022, the first of which ran out on 2026-05-24 while its key lives on; whoever pinned the
//! certificate broke that day. The keys of AOSP's software keymaster are published in its source, so
//! they are refused by name, even if somebody adds them.

use std::fmt;

use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo, X509Certificate};

use crate::Sha256Digest;
use crate::published::{self, PublishedRoot, Use};
use crate::x509::IssuerKey;

/// How far an anchor is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnchorKind {
    /// A key of Google's, compiled in.
    Google,
    /// A key of Apple's, compiled in.
    Apple,
    /// A key that an operator trusts as if it were Google's.
    Operator,
    /// A key for development: everything that ends there is marked.
    Development,
}

/// A trusted key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Anchor {
    /// DER `SubjectPublicKeyInfo`.
    pub(crate) spki: Vec<u8>,
    /// Its SHA-256, by which facts name it.
    digest: Sha256Digest,
    pub(crate) kind: AnchorKind,
}

impl Anchor {
    fn new(spki: Vec<u8>, kind: AnchorKind) -> Self {
        let digest = Sha256Digest::of(&spki);
        Self { spki, digest, kind }
    }

    /// SHA-256 of the key.
    pub(crate) const fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// The key, where it can sign certificates.
    pub(crate) fn key(&self) -> Option<IssuerKey> {
        let (_, spki) = SubjectPublicKeyInfo::from_der(&self.spki).ok()?;
        IssuerKey::of(&spki)
    }
}

impl fmt::Debug for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} anchor {}", self.kind, self.digest)
    }
}

/// The trusted keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchors(Vec<Anchor>);

/// Bytes that cannot be an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// Neither a certificate nor a public key.
    #[error("an anchor is one DER certificate or one DER SubjectPublicKeyInfo")]
    Malformed,
    /// Everybody has the private key.
    #[error("the private key of `{0}` is published; it can never be an anchor")]
    SoftwareRoot(&'static str),
}

impl Anchors {
    /// Google's two hardware attestation keys: RSA-4096 since 2016, P-384 since 2025.
    pub fn google() -> Self {
        Self::published(Use::AndroidKey, AnchorKind::Google)
    }

    /// The key of Apple App Attestation Root CA, under which keys are attested.
    pub fn apple_app_attest() -> Self {
        Self::published(Use::AppAttest, AnchorKind::Apple)
    }

    /// The key of Apple Root CA - G3, under which receipts are signed.
    pub fn apple_receipts() -> Self {
        Self::published(Use::AppAttestReceipt, AnchorKind::Apple)
    }

    fn published(wanted: Use, kind: AnchorKind) -> Self {
        let pinned = |root: &PublishedRoot| Anchor::new(root.spki.to_vec(), kind);
        Self(published::roots(wanted).map(pinned).collect())
    }

    /// Nothing is trusted yet.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Trusts one more key, as if it were Google's. Takes a certificate or a public key, in DER; of a
    /// certificate nothing but its key counts.
    pub fn with_operator(self, der: &[u8]) -> Result<Self, AnchorError> {
        self.with(der, AnchorKind::Operator)
    }

    /// Trusts one more key for development: what ends there is marked in the facts for ever.
    pub fn with_development(self, der: &[u8]) -> Result<Self, AnchorError> {
        self.with(der, AnchorKind::Development)
    }

    /// A key that is trusted already keeps the way it is trusted: adding Google's key for
    /// development takes nothing from it, and a development key never becomes more by being added twice.
    fn with(mut self, der: &[u8], kind: AnchorKind) -> Result<Self, AnchorError> {
        let spki = public_key_of(der)?;
        if let Some(name) = software_root(&spki) {
            return Err(AnchorError::SoftwareRoot(name));
        }
        if self.find(&spki).is_none() {
            self.0.push(Anchor::new(spki, kind));
        }
        Ok(self)
    }

    /// Digests of the trusted keys, SHA-256 of their DER `SubjectPublicKeyInfo`.
    pub fn digests(&self) -> impl Iterator<Item = Sha256Digest> {
        self.0.iter().map(|anchor| anchor.digest)
    }

    /// Whether the key with this digest, SHA-256 of its DER `SubjectPublicKeyInfo`, is trusted.
    pub fn contains(&self, digest: &Sha256Digest) -> bool {
        self.0.iter().any(|anchor| anchor.digest == *digest)
    }

    /// The anchor with this public key.
    pub(crate) fn find(&self, spki: &[u8]) -> Option<&Anchor> {
        self.0.iter().find(|anchor| anchor.spki == spki)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Anchor> {
        self.0.iter()
    }
}

/// The name of the published software root with this public key.
pub(crate) fn software_root(spki: &[u8]) -> Option<&'static str> {
    published::roots(Use::Never)
        .find(|root| root.spki == spki)
        .map(|root| root.name)
}

fn public_key_of(der: &[u8]) -> Result<Vec<u8>, AnchorError> {
    if let Ok((&[], certificate)) = X509Certificate::from_der(der) {
        return Ok(certificate.public_key().raw.to_vec());
    }
    match SubjectPublicKeyInfo::from_der(der) {
        Ok((&[], _)) => Ok(der.to_vec()),
        _ => Err(AnchorError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p384() -> &'static [u8] {
        published::roots(Use::AndroidKey).nth(1).unwrap().spki
    }

    #[test]
    fn pins_the_published_keys() {
        let digests: Vec<String> = Anchors::google()
            .iter()
            .map(|anchor| anchor.digest.to_string())
            .collect();
        assert_eq!(
            digests,
            [
                "feb2ea7551ee316ed4bb443c8293b884dbfdea40b603ee3e4f4a897e4580fbae",
                "3ee44512a1af2beb39c889490c60ea3f82e43f5d5a5532f5ab9419f676cd07ec",
            ]
        );
    }

    #[test]
    fn refuses_published_keys_and_noise() {
        for root in published::roots(Use::Never) {
            assert_eq!(
                Anchors::none().with_operator(root.spki),
                Err(AnchorError::SoftwareRoot(root.name))
            );
        }
        assert_eq!(
            Anchors::none().with_operator(b"noise"),
            Err(AnchorError::Malformed)
        );
        let trailing = [p384(), &[0]].concat();
        assert_eq!(
            Anchors::none().with_operator(&trailing),
            Err(AnchorError::Malformed)
        );
    }

    #[test]
    fn a_key_is_trusted_in_one_way_only() {
        let anchors = Anchors::google().with_development(p384()).unwrap();
        assert_eq!(anchors, Anchors::google());
        let anchors = Anchors::none().with_development(p384()).unwrap();
        let again = anchors.clone().with_operator(p384()).unwrap();
        assert_eq!(again, anchors);
    }
}
