//! One signature of a certificate.
//!
//! Decides which algorithms count and computes with the hash that the signature declares: real
//! phones sign SHA-256 with P-384 keys and SHA-384 with P-256 keys. It refuses RSA below 2048 bits,
//! SHA-1, PSS and other curves, none of which any attestation under a hardware root uses.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION,
    OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA,
    OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512,
};
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

/// How a certificate is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureAlgorithm {
    Rsa(Hash),
    Ecdsa(Hash),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl SignatureAlgorithm {
    /// `None` for anything else. Parameters must be absent or NULL: RFC 5758 wants them absent for
    /// ECDSA and RFC 4055 NULL for RSA, phones write either for both, and neither says anything.
    pub(crate) fn of(identifier: &AlgorithmIdentifier<'_>) -> Option<Self> {
        if identifier
            .parameters
            .as_ref()
            .is_some_and(|any| any.as_null().is_err())
        {
            return None;
        }
        let known = [
            (OID_PKCS1_SHA256WITHRSA, Self::Rsa(Hash::Sha256)),
            (OID_PKCS1_SHA384WITHRSA, Self::Rsa(Hash::Sha384)),
            (OID_PKCS1_SHA512WITHRSA, Self::Rsa(Hash::Sha512)),
            (OID_SIG_ECDSA_WITH_SHA256, Self::Ecdsa(Hash::Sha256)),
            (OID_SIG_ECDSA_WITH_SHA384, Self::Ecdsa(Hash::Sha384)),
            (OID_SIG_ECDSA_WITH_SHA512, Self::Ecdsa(Hash::Sha512)),
        ];
        known
            .into_iter()
            .find(|(oid, _)| *oid == identifier.algorithm)
            .map(|(_, algorithm)| algorithm)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyKind {
    Rsa,
    P256,
    P384,
}

/// The public key of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IssuerKey {
    kind: KeyKind,
    /// PKCS#1 `RSAPublicKey`, or an uncompressed point.
    bytes: Vec<u8>,
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureFault {
    AlgorithmMismatch,
    Unsupported,
    Invalid,
}

impl IssuerKey {
    /// `None` for a key that no attestation is signed with.
    pub(crate) fn of(spki: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        let algorithm = &spki.algorithm.algorithm;
        let kind = if *algorithm == OID_PKCS1_RSAENCRYPTION {
            KeyKind::Rsa
        } else if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
            let curve = spki.algorithm.parameters.as_ref()?.as_oid().ok()?;
            if curve == OID_EC_P256 {
                KeyKind::P256
            } else if curve == OID_NIST_EC_P384 {
                KeyKind::P384
            } else {
                return None;
            }
        } else {
            return None;
        };
        Some(Self {
            kind,
            bytes: spki.subject_public_key.data.to_vec(),
        })
    }

    /// The uncompressed point, where this is a P-256 key.
    pub(crate) fn p256_point(&self) -> Option<&[u8]> {
        let uncompressed = self.bytes.len() == 65 && self.bytes.first() == Some(&4);
        (self.kind == KeyKind::P256 && uncompressed).then_some(&self.bytes)
    }

    /// A signature by ECDSA with SHA-256, where that is the only algorithm.
    pub(crate) fn verify_ecdsa_sha256(
        &self,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureFault> {
        self.verify(SignatureAlgorithm::Ecdsa(Hash::Sha256), message, signature)
    }

    pub(crate) fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureFault> {
        let verification = self
            .verification(algorithm)
            .ok_or(SignatureFault::Unsupported)?;
        UnparsedPublicKey::new(verification, &self.bytes)
            .verify(message, signature)
            .map_err(|_| SignatureFault::Invalid)
    }

    fn verification(
        &self,
        algorithm: SignatureAlgorithm,
    ) -> Option<&'static dyn VerificationAlgorithm> {
        use SignatureAlgorithm::{Ecdsa, Rsa};
        Some(match (self.kind, algorithm) {
            (KeyKind::Rsa, Rsa(Hash::Sha256)) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (KeyKind::Rsa, Rsa(Hash::Sha384)) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (KeyKind::Rsa, Rsa(Hash::Sha512)) => &signature::RSA_PKCS1_2048_8192_SHA512,
            (KeyKind::P256, Ecdsa(Hash::Sha256)) => &signature::ECDSA_P256_SHA256_ASN1,
            (KeyKind::P256, Ecdsa(Hash::Sha384)) => &signature::ECDSA_P256_SHA384_ASN1,
            (KeyKind::P256, Ecdsa(Hash::Sha512)) => &signature::ECDSA_P256_SHA512_ASN1,
            (KeyKind::P384, Ecdsa(Hash::Sha256)) => &signature::ECDSA_P384_SHA256_ASN1,
            (KeyKind::P384, Ecdsa(Hash::Sha384)) => &signature::ECDSA_P384_SHA384_ASN1,
            (KeyKind::P384, Ecdsa(Hash::Sha512)) => &signature::ECDSA_P384_SHA512_ASN1,
            _ => return None,
        })
    }
}
