//! Private keys of factories, phones and app developers.
//!
//! Generates, signs and saves. Who may use a key is decided by whoever holds it: the phone's key store never
//! hands one out.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::SimulatorError;
use crate::der;

/// Which kind of key, and with it which signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// ECDSA P-256 with SHA-256.
    EcP256,
    /// ECDSA P-384 with SHA-384.
    EcP384,
    /// RSA 2048, PKCS #1 v1.5 with SHA-256.
    Rsa2048,
}

enum Signer {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// A private key.
pub(crate) struct PrivateKey {
    kind: KeyKind,
    signer: Signer,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl core::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PrivateKey({:?}, [redacted])", self.kind)
    }
}

impl PrivateKey {
    pub(crate) fn generate(kind: KeyKind) -> Result<Self, SimulatorError> {
        let failed = |_| SimulatorError::Cryptography("key generation");
        let pkcs8 = match kind {
            KeyKind::EcP256 | KeyKind::EcP384 => {
                EcdsaKeyPair::generate_pkcs8(ecdsa(kind), &SystemRandom::new())
                    .map_err(failed)?
                    .as_ref()
                    .to_vec()
            }
            KeyKind::Rsa2048 => aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048)
                .and_then(|pair| pair.as_der())
                .map_err(failed)?
                .as_ref()
                .to_vec(),
        };
        Self::from_pkcs8(kind, Zeroizing::new(pkcs8))
    }

    fn from_pkcs8(kind: KeyKind, pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, SimulatorError> {
        let unreadable = |_| SimulatorError::Unreadable("private key");
        let signer = match kind {
            KeyKind::EcP256 | KeyKind::EcP384 => {
                Signer::Ecdsa(EcdsaKeyPair::from_pkcs8(ecdsa(kind), &pkcs8).map_err(unreadable)?)
            }
            KeyKind::Rsa2048 => Signer::Rsa(RsaKeyPair::from_pkcs8(&pkcs8).map_err(unreadable)?),
        };
        Ok(Self {
            kind,
            signer,
            pkcs8,
        })
    }

    pub(crate) fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Signs a message; ECDSA signatures are ASN.1 DER.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SimulatorError> {
        let failed = |_| SimulatorError::Cryptography("signing");
        let random = SystemRandom::new();
        match &self.signer {
            Signer::Ecdsa(pair) => Ok(pair
                .sign(&random, message)
                .map_err(failed)?
                .as_ref()
                .to_vec()),
            Signer::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
        }
    }

    /// The `SubjectPublicKeyInfo`.
    pub(crate) fn spki(&self) -> Result<Vec<u8>, SimulatorError> {
        let spki: Result<PublicKeyX509Der<'_>, _> = match &self.signer {
            Signer::Ecdsa(pair) => pair.public_key().as_der(),
            Signer::Rsa(pair) => pair.public_key().as_der(),
        };
        spki.map(|spki| spki.as_ref().to_vec())
            .map_err(|_| SimulatorError::Cryptography("public key encoding"))
    }

    /// The uncompressed point of an elliptic curve key.
    pub(crate) fn point(&self) -> Result<Vec<u8>, SimulatorError> {
        match &self.signer {
            Signer::Ecdsa(pair) => Ok(pair.public_key().as_ref().to_vec()),
            Signer::Rsa(_) => Err(SimulatorError::Cryptography("public key encoding")),
        }
    }

    /// The `AlgorithmIdentifier` of this key's signatures.
    pub(crate) fn signature_algorithm(&self) -> Vec<u8> {
        match self.kind {
            KeyKind::EcP256 => der::sequence(&[der::oid(&[1, 2, 840, 10045, 4, 3, 2])]),
            KeyKind::EcP384 => der::sequence(&[der::oid(&[1, 2, 840, 10045, 4, 3, 3])]),
            KeyKind::Rsa2048 => {
                der::sequence(&[der::oid(&[1, 2, 840, 113_549, 1, 1, 11]), der::null()])
            }
        }
    }

    /// For files that stay with their owner: the phone's own storage, a developer's key file.
    pub(crate) fn to_saved(&self) -> SavedKey {
        SavedKey {
            kind: self.kind,
            pkcs8: STANDARD.encode(&*self.pkcs8),
        }
    }

    pub(crate) fn from_saved(saved: &SavedKey) -> Result<Self, SimulatorError> {
        let pkcs8 = STANDARD
            .decode(&saved.pkcs8)
            .map_err(|_| SimulatorError::Unreadable("private key"))?;
        Self::from_pkcs8(saved.kind, Zeroizing::new(pkcs8))
    }
}

fn ecdsa(kind: KeyKind) -> &'static EcdsaSigningAlgorithm {
    match kind {
        KeyKind::EcP384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        KeyKind::EcP256 | KeyKind::Rsa2048 => &ECDSA_P256_SHA256_ASN1_SIGNING,
    }
}

/// A private key at rest.
#[derive(Clone, Serialize, Deserialize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedKey {
    #[zeroize(skip)]
    kind: KeyKind,
    pkcs8: String,
}

impl core::fmt::Debug for SavedKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SavedKey({:?}, [redacted])", self.kind)
    }
}

/// Fresh random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], SimulatorError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SimulatorError::Cryptography("randomness"))?;
    Ok(bytes)
}
