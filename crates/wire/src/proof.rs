//! What the hardware key signs.
//!
//! A proof covers a purpose, the account, the attachment that travels beside the payload (the ticket)
//! and the payload itself. Purpose and account are inside the signature so that a signature made for
//! one route or one tenant is worthless on another (W-5).

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::bytes::Base64Url;
use crate::ids::AccountId;

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `POST enrolments`
    Enrolment,
    /// `POST attestations`
    Attestation,
    /// `POST relay/{upstream}/token`
    Relay,
}

impl Purpose {
    /// The tag inside the signed bytes.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Enrolment => "bonafide-v1-enrolment",
            Self::Attestation => "bonafide-v1-attestation",
            Self::Relay => "bonafide-v1-relay",
        }
    }
}

/// Proof of possession of the enrolled key.
///
/// Closed, one variant per way a platform lets its key be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Proof {
    /// ECDSA P-256 with SHA-256 over [`signed_bytes`], as ASN.1 DER (what Android's KeyStore returns).
    EcdsaP256Sha256 {
        /// The DER signature, at most 72 bytes.
        signature: Base64Url,
    },
    /// An App Attest assertion whose client data hash is SHA-256 of [`signed_bytes`] (W-5).
    AppAttestAssertion {
        /// CBOR `{signature, authenticatorData}`, at most 1 KiB. Its counter is above that of the ticket.
        assertion: Base64Url,
    },
}

/// The bytes under a proof: `tag 00 account 00 SHA-256(attachment) payload` (W-5).
///
/// The digest has a fixed length, so no two inputs share an encoding.
pub fn signed_bytes(
    purpose: Purpose,
    account: &AccountId,
    attachment: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    [
        purpose.tag().as_bytes(),
        &[0],
        account.as_str().as_bytes(),
        &[0],
        digest(&SHA256, attachment).as_ref(),
        payload,
    ]
    .concat()
}

/// SHA-256; of [`signed_bytes`] it is the client data hash of an App Attest assertion.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
        *to = *from;
    }
    hash
}

/// The device id that belongs to a hardware key in an account: the first 16 bytes of
/// `SHA-256("bonafide-v1-device" 00 account 00 key)`, the key as uncompressed SEC 1 point (W-7).
///
/// Derived, not drawn: the same key always has the same id, and two accounts cannot link a device.
pub fn device_id(account: &AccountId, public_key: &[u8]) -> crate::ids::DeviceId {
    let input = [
        b"bonafide-v1-device\0".as_slice(),
        account.as_str().as_bytes(),
        &[0],
        public_key,
    ]
    .concat();
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(digest(&SHA256, &input).as_ref()) {
        *to = *from;
    }
    crate::ids::DeviceId::from_bytes(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_changes_the_signed_bytes() {
        let acme = AccountId::parse("acme").unwrap();
        let base = signed_bytes(Purpose::Attestation, &acme, b"ticket", b"payload");
        let others = [
            signed_bytes(Purpose::Enrolment, &acme, b"ticket", b"payload"),
            signed_bytes(
                Purpose::Attestation,
                &AccountId::parse("acme2").unwrap(),
                b"ticket",
                b"payload",
            ),
            signed_bytes(Purpose::Attestation, &acme, b"ticke", b"tpayload"),
            signed_bytes(Purpose::Attestation, &acme, b"ticket", b"payloa"),
        ];
        assert!(others.iter().all(|other| *other != base));
    }

    #[test]
    fn device_ids_do_not_link_accounts() {
        let a = AccountId::parse("a").unwrap();
        let b = AccountId::parse("b").unwrap();
        assert_ne!(device_id(&a, &[4; 65]), device_id(&b, &[4; 65]));
        assert_eq!(device_id(&a, &[4; 65]), device_id(&a, &[4; 65]));
    }
}
