//! Apple App Attest: a key of the Secure Enclave, Apple's word on the app that made it, and later the
//! key's own word on each request.
//!
//! This module lists the facts; its parts authenticate them. It refuses to know what an operator accepts.
//!
//! Sources: Apple, "Validating Apps That Connect to Your Server" and "Assessing Fraud Risk"; W3C WebAuthn for
//! the authenticator data; RFC 8949, RFC 9052. `docs/reference/evidence-codes.md` names the rule behind each
//! code.

mod assertion;
mod attestation;
mod authenticator_data;
mod receipt;
pub mod renewal;

use serde::{Deserialize, Serialize};

pub(crate) use assertion::signed_data;
pub use assertion::{Assertion, AssertionFacts, verify_assertion};
pub use attestation::{AppAttest, Claims, ExpectedKeyId, claims_of, receipt_of};
pub(crate) use attestation::{parse as parts, verify};
pub use authenticator_data::Release;
pub use receipt::{ExpectedPublicKey, Receipt, ReceiptFacts, ReceiptType, verify_receipt};

use crate::anchors::AnchorKind;
use crate::{Octets, Sha256Digest, UnixTime};

/// Largest attestation object, bytes. Real ones have 5.2 to 5.9 KB.
pub const MAX_OBJECT_BYTES: usize = 16 * 1024;
/// Largest assertion, bytes. Real ones have under 300.
pub const MAX_ASSERTION_BYTES: usize = 1024;
/// Largest receipt, bytes. Real ones have under 6 KB.
pub const MAX_RECEIPT_BYTES: usize = 16 * 1024;

/// For which of Apple's two worlds a key was attested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// The App Store's.
    Production,
    /// Xcode's sandbox: any developer can make such keys for an app id of theirs.
    Development,
}

/// Whether the key id was compared with the one that the app sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyIdComparison {
    /// It was, and is equal.
    Equal,
    /// Nobody said what to expect; it is still the hash of the attested key.
    NotCompared,
}

/// What an authentic attestation says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppAttestFacts {
    /// The attested key: uncompressed P-256 point, 65 bytes.
    pub public_key: Octets,
    /// SHA-256 of that key; how the app names it.
    pub key_id: Sha256Digest,
    /// Whether it was compared.
    pub key_id_comparison: KeyIdComparison,
    /// `TEAMID.bundle.identifier`, as the caller expected it and the phone hashed it.
    pub app_id: String,
    /// What the chain ends at.
    pub anchor: AnchorKind,
    /// SHA-256 of the DER public key that it ends at.
    pub root: Sha256Digest,
    /// When the last of the certificates began to count. Judged by the clock of the enrolment, never by today's.
    pub valid_from: UnixTime,
    /// When the first of them stopped counting.
    pub valid_until: UnixTime,
    /// For which world.
    pub environment: Environment,
    /// How the app was released, since iOS 27.
    #[serde(flatten)]
    pub release: Release,
}

/// Both shapes of authenticator data.
#[cfg(fuzzing)]
pub(crate) fn fuzz_authenticator_data(bytes: &[u8]) {
    if let Ok((_, credential, behind)) = authenticator_data::of_attestation(bytes) {
        assert_eq!(credential.point.len(), 65);
        drop(authenticator_data::release(behind));
    }
    drop(authenticator_data::of_assertion(bytes));
}
