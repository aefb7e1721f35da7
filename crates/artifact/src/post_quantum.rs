//! ML-DSA (FIPS 204), the post-quantum half of a v3.2 signature.
//!
//! Decides whether a pure ML-DSA signature with an empty context verifies. Only the two parameter sets that Android takes
//! exist here: ML-DSA-44 is not one of them. This module is all that the feature `post-quantum` adds.

use ml_dsa::signature::Verifier as _;
use ml_dsa::{EncodedVerifyingKey, MlDsa65, MlDsa87, Signature, VerifyingKey};

const OID_ML_DSA_65: &str = "2.16.840.1.101.3.4.3.18";
const OID_ML_DSA_87: &str = "2.16.840.1.101.3.4.3.19";

/// A public key.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    MlDsa65(Box<VerifyingKey<MlDsa65>>),
    MlDsa87(Box<VerifyingKey<MlDsa87>>),
}

impl Key {
    /// The key in the bits of a `SubjectPublicKeyInfo` with this algorithm (RFC 9881: no parameters, the bare key).
    pub(crate) fn parse(oid: &str, bits: &[u8]) -> Option<Self> {
        match oid {
            OID_ML_DSA_65 => {
                let encoded = EncodedVerifyingKey::<MlDsa65>::try_from(bits).ok()?;
                Some(Self::MlDsa65(Box::new(VerifyingKey::decode(&encoded))))
            }
            OID_ML_DSA_87 => {
                let encoded = EncodedVerifyingKey::<MlDsa87>::try_from(bits).ok()?;
                Some(Self::MlDsa87(Box::new(VerifyingKey::decode(&encoded))))
            }
            _ => None,
        }
    }

    pub(crate) const fn describe(&self) -> &'static str {
        match self {
            Self::MlDsa65(_) => "ML-DSA-65",
            Self::MlDsa87(_) => "ML-DSA-87",
        }
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::MlDsa65(key) => Signature::try_from(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::MlDsa87(key) => Signature::try_from(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        }
    }
}
