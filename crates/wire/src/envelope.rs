//! Documents with several signatures: root metadata and trust bundle.
//!
//! A signature covers the role, the account and the exact payload bytes, and is checked before anything
//! is parsed (W-14). Which keys count, and how many of them, is the `trust` crate's decision.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::bytes::Base64Url;
use crate::ids::AccountId;

/// Most signatures of one envelope.
pub const MOST_SIGNATURES: usize = 8;

/// What a document is; inside its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Root metadata: which keys may sign what.
    Root,
    /// The trust bundle: managed roots, pins, protected APIs.
    Bundle,
}

/// A document and its signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Envelope {
    /// The exact signed bytes (JSON).
    pub payload: Base64Url,
    /// At most 8, of distinct keys.
    pub signatures: Vec<Signature>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Signature {
    /// SHA-256 of the public point (65 bytes).
    pub key_id: Base64Url,
    /// ECDSA P-256 with SHA-256, 64 bytes r then s.
    pub signature: Base64Url,
}

/// The answer to `GET trust-bundle`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrustReply {
    /// Root metadata: which keys may sign what.
    pub root: Envelope,
    /// The trust bundle.
    pub bundle: Envelope,
}

/// The bytes under a signature: `bonafide-v1-trust-<role> 00 account 00 payload`.
pub fn signed_bytes(role: Role, account: &AccountId, payload: &[u8]) -> Vec<u8> {
    let tag: &[u8] = match role {
        Role::Root => b"bonafide-v1-trust-root",
        Role::Bundle => b"bonafide-v1-trust-bundle",
    };
    [tag, &[0], account.as_str().as_bytes(), &[0], payload].concat()
}

/// Whether `signature` over `message` is by the key with this point.
pub fn verifies(public_point: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_point)
        .verify(message, signature)
        .is_ok()
}

/// The id of a key: SHA-256 of its uncompressed point.
pub fn key_id(public_point: &[u8]) -> Base64Url {
    use aws_lc_rs::digest::{SHA256, digest};
    Base64Url(digest(&SHA256, public_point).as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

    use super::*;

    #[test]
    fn a_signature_is_good_for_one_role_and_one_account() {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let acme = AccountId::parse("acme").unwrap();
        let message = signed_bytes(Role::Bundle, &acme, b"{}");
        let signature = key.sign(&SystemRandom::new(), &message).unwrap();
        let point = key.public_key().as_ref();
        assert!(verifies(point, &message, signature.as_ref()));
        let other = AccountId::parse("other").unwrap();
        for message in [
            signed_bytes(Role::Root, &acme, b"{}"),
            signed_bytes(Role::Bundle, &other, b"{}"),
            signed_bytes(Role::Bundle, &acme, b"{} "),
        ] {
            assert!(!verifies(point, &message, signature.as_ref()));
        }
    }
}
