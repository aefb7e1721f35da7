//! Android Key Attestation: a certificate chain that ends at Google's keys and starts at the app's.
//!
//! This module lists the facts; its parts authenticate them. It refuses to know what an operator
//! accepts (an unlocked bootloader is a fact here, and a finding in `appraise`).
//!
//! Sources: Google's "Verify hardware-backed key pairs with key attestation" and the key description
//! schema of the Android Open Source Project; RFC 5280 where it applies. `docs/reference/evidence-codes.md`
//! names the rule behind each code.

mod application_id;
mod attest_key;
mod authorization_list;
mod boot;
mod certificate;
mod chain;
mod key_description;
mod patch_level;
mod proven;
mod provisioning_info;
mod revocation;
#[cfg(test)]
mod revocation_matching;
mod sightings;

use serde::{Deserialize, Serialize};

pub use crate::SerialNumber;
pub use crate::anchors::{AnchorError, AnchorKind, Anchors};
pub use application_id::{ApplicationId, Package};
pub use attest_key::{AttestKeyFacts, AttestKeys};
pub use boot::{BootState, Locked, RootOfTrust};
pub(crate) use chain::verify;
pub use key_description::UnverifiedKeyDescription;
pub use patch_level::PatchLevel;
pub use proven::{AuthorityMemory, NoMemory, ProvenAuthorities, RecentAuthorities};
pub use revocation::{ListAge, RevocationList, RevocationListError};
pub use sightings::{AttestationKeySightings, Contradiction};

use crate::{Octets, Reject, Sha256Digest, UnixTime};

/// Most certificates of a chain. The longest legitimate shape has five.
pub const MAX_CERTIFICATES: usize = 8;
/// Largest certificate, bytes. The largest seen for real has 2,570.
pub const MAX_CERTIFICATE_BYTES: usize = 16 * 1024;
/// Largest chain, bytes. The largest seen for real has 5,637.
pub const MAX_CHAIN_BYTES: usize = 64 * 1024;

/// Where a key lives, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecurityLevel {
    /// In the operating system: anybody with root can copy it.
    Software,
    /// In the trusted execution environment.
    TrustedEnvironment,
    /// In a separate security chip.
    #[serde(rename = "strongbox")]
    StrongBox,
}

/// How the attestation key came into the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provisioning {
    /// Burnt in at the factory; shared by at least 100,000 phones, so one leak frees them all.
    Factory,
    /// Fetched from Google for this phone alone, for some weeks.
    Remote,
}

/// How the attested key came into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Generated where it lives.
    Generated,
    /// Derived where it lives.
    Derived,
    /// Brought in: it exists elsewhere too.
    Imported,
    /// Of unknown birth.
    Unknown,
    /// Brought in under encryption: it exists elsewhere too.
    SecurelyImported,
    /// A number of which this program knows nothing.
    Unrecognized,
}

/// The attested public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "kebab-case")]
pub enum AttestedKey {
    /// ECDSA or ECDH on P-256.
    P256 {
        /// Uncompressed point, 65 bytes.
        point: Octets,
    },
    /// ML-DSA (FIPS 204), since Android 17: real, and of no use to this service yet.
    MlDsa {
        /// The parameter set: 44, 65 or 87.
        parameter_set: u8,
    },
    /// RSA, another curve: real, and of no use to this service.
    Other {
        /// Object identifier of the algorithm.
        identifier: String,
    },
}

impl AttestedKey {
    /// The uncompressed point of a P-256 key.
    pub fn p256(&self) -> Result<&[u8], Reject> {
        match self {
            Self::P256 { point } => Ok(&point.0),
            Self::MlDsa { .. } => Err(Reject::KeyPostQuantum),
            Self::Other { .. } => Err(Reject::KeyAlgorithmUnsupported),
        }
    }
}

impl KeyFacts {
    /// Every number by which a revocation list may name a certificate behind the key.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = &SerialNumber> {
        self.serials.iter().chain(&self.subject_serials)
    }
}

/// Whether the challenge was compared with an expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChallengeComparison {
    /// It was, and it is the expected one.
    Equal,
    /// Nobody said what to expect.
    NotCompared,
}

/// A fault of encoding that real phones make and that cannot change the meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tolerance {
    /// Members of an authorization list out of order.
    AuthorizationOrder,
    /// A tag of which this program knows nothing.
    UnknownTag,
    /// A BOOLEAN that is neither 0x00 nor 0xFF; anything but zero is true.
    Boolean,
}

impl Tolerance {
    /// The fault, in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationOrder => "members of an authorization list out of order",
            Self::UnknownTag => "unknown authorization tag",
            Self::Boolean => "boolean that is neither 00 nor FF",
        }
    }
}

/// What an authentic chain says about its leaf's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFacts {
    /// The key of the certificate that carries the description: never another one's.
    pub public_key: AttestedKey,
    /// What the chain ends at.
    pub anchor: AnchorKind,
    /// The key that the chain ends at: SHA-256 of its DER `SubjectPublicKeyInfo`. An anchor may be
    /// removed later, and what ended there must not outlive it.
    pub root: Sha256Digest,
    /// How the attestation key was provisioned.
    pub provisioning: Provisioning,
    /// What the attestation certificate says about where keys live.
    pub chain_level: SecurityLevel,
    /// Serial numbers from the attestation certificate up to the one under the root, so that an
    /// enrolment can be judged again when the revocation list changes.
    pub serials: Vec<SerialNumber>,
    /// Numbers by which those certificates' subjects name themselves; lists have been seen to use them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subject_serials: Vec<SerialNumber>,
    /// The key that the key store attests with: SHA-256 of its DER `SubjectPublicKeyInfo`. What else was
    /// seen under it is [`AttestationKeySightings`].
    pub attestation_key: Sha256Digest,
    /// When the last of those certificates began to count. Judged by the clock of the enrolment, never by
    /// today's: a chain is made once, with the key.
    pub valid_from: UnixTime,
    /// When the first of them stopped counting; absent for a factory's, which are good for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<UnixTime>,
    /// How many certificates Google issued to this phone in the last 30 days, by Google's word; only with
    /// remote provisioning, and not always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates_issued: Option<u64>,
    /// The app's own attest key, where one stands between the key store and the leaf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attest_key: Option<AttestKeyFacts>,
    /// Whether the challenge was compared.
    pub challenge: ChallengeComparison,
    /// Version of the description's schema; information only.
    pub attestation_version: u32,
    /// Version of the key store; information only.
    pub keymint_version: u32,
    /// Where the description was made.
    pub attestation_level: SecurityLevel,
    /// Where the key lives.
    pub keymint_level: SecurityLevel,
    /// Hardware's word on the key's birth; absent if it gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What the key may be used for, as numbered by KeyMint (2 sign, 7 attest another key).
    pub purposes: Vec<u32>,
    /// Hardware's word on how the phone booted; absent if it gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_of_trust: Option<RootOfTrust>,
    /// Patch level of the operating system, from hardware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_patch: Option<PatchLevel>,
    /// Patch level of the vendor partition, from hardware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_patch: Option<PatchLevel>,
    /// Patch level of the boot partition, from hardware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_patch: Option<PatchLevel>,
    /// The operating system's word on the app. Software says this: it is worth what
    /// `root_of_trust` makes it worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationId>,
    /// Faults of encoding that were let pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerated: Vec<Tolerance>,
}
