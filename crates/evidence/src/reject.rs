//! Why evidence was not authenticated.
//!
//! Decides the names of the rules that no policy can switch off. It refuses to know policies: what
//! an operator may tolerate is a [`Check`](crate::Check). A rule that can be both skipped and
//! enforced would let a typing error in a policy accept a forgery.

use crate::android::SerialNumber;

/// Foreign evidence broke a rule. Positions count certificates from the leaf, which is 0.
///
/// | code | rule that was broken |
/// |---|---|
/// | `too-many-certificates` | at most 8 certificates |
/// | `certificate-too-large` | at most 16 KiB for each certificate |
/// | `chain-too-large` | at most 64 KiB in total |
/// | `certificate-malformed` | strict DER, X.509, nothing after the end, no extension twice |
/// | `chain-too-short` | at least two certificates, and as many as the chain's shape wants |
/// | `key-description-duplicated` | one key description per certificate |
/// | `software-root` | not the published key of AOSP's software keymaster (emulators) |
/// | `root-not-trusted` | the chain ends at a pinned key |
/// | `issuer-name-mismatch` | the issuer's name is the subject of the certificate above |
/// | `signature-algorithm-mismatch` | the algorithm is the same inside and outside the signed part |
/// | `signature-algorithm-unsupported` | RSA of 2048 bits or more, or ECDSA on P-256 or P-384, with SHA-2 |
/// | `signature-invalid` | each certificate is signed by the key above it |
/// | `chain-extended` | no more certificates than the chain's shape wants |
/// | `chain-shape-unknown` | a factory chain, or one of remote key provisioning |
/// | `key-description-not-on-leaf` | no key description above the leaf |
/// | `key-description-missing` | a key description on the leaf |
/// | `certificate-not-yet-valid` | `notBefore` of every certificate between leaf and root |
/// | `certificate-expired` | `notAfter` of the certificates of remote key provisioning |
/// | `certificate-revoked` | no certificate between leaf and root is on the revocation list |
/// | `key-description-malformed` | the key description's syntax |
/// | `authorization-tag-duplicated` | each tag once per authorization list |
/// | `challenge-mismatch` | the attested challenge is the expected one |
/// | `key-algorithm-unsupported` | the attested key is on P-256, where the caller needs it |
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// More certificates than [`MAX_CERTIFICATES`](crate::android::MAX_CERTIFICATES).
    #[error("more than 8 certificates")]
    TooManyCertificates,
    /// A certificate above [`MAX_CERTIFICATE_BYTES`](crate::android::MAX_CERTIFICATE_BYTES).
    #[error("certificate {position} is larger than 16 KiB")]
    CertificateTooLarge {
        /// Which certificate.
        position: usize,
    },
    /// All certificates together above [`MAX_CHAIN_BYTES`](crate::android::MAX_CHAIN_BYTES).
    #[error("the chain is larger than 64 KiB")]
    ChainTooLarge,
    /// Not one X.509 certificate in strict DER.
    #[error("certificate {position}: {reason}")]
    CertificateMalformed {
        /// Which certificate.
        position: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Fewer certificates than any, or this, shape of chain has.
    #[error("the chain is too short")]
    ChainTooShort,
    /// Two key descriptions in one certificate.
    #[error("certificate {position} carries two key descriptions")]
    KeyDescriptionDuplicated {
        /// Which certificate.
        position: usize,
    },
    /// The chain ends at a key that everybody has.
    #[error("the chain ends at the published software root `{name}`, as on an emulator")]
    SoftwareRoot {
        /// Which of the software roots.
        name: &'static str,
    },
    /// The chain ends at no pinned key.
    #[error("the chain does not end at a trusted root key")]
    RootNotTrusted,
    /// The names do not chain.
    #[error("the issuer of certificate {position} is not the subject above it")]
    IssuerNameMismatch {
        /// The certificate whose issuer differs.
        position: usize,
    },
    /// Inner and outer `signatureAlgorithm` differ.
    #[error("certificate {position} names two signature algorithms")]
    SignatureAlgorithmMismatch {
        /// Which certificate.
        position: usize,
    },
    /// An algorithm, curve or parameter that no attestation uses.
    #[error("certificate {position} is signed with an unsupported algorithm")]
    SignatureAlgorithmUnsupported {
        /// Which certificate.
        position: usize,
    },
    /// The signature does not verify under the key above.
    #[error("the signature of certificate {position} is invalid")]
    SignatureInvalid {
        /// Which certificate.
        position: usize,
    },
    /// More certificates than the shape has: an app used its attested key as a CA, or an app's own
    /// attest key signed the leaf.
    #[error("the chain is longer than its shape allows")]
    ChainExtended,
    /// The certificate under the root is of no known kind.
    #[error("the certificate under the root is neither a factory nor a provisioning one")]
    ChainShapeUnknown,
    /// A certificate authority carries a key description.
    #[error("certificate {position}, which is not the leaf, carries a key description")]
    KeyDescriptionNotOnLeaf {
        /// The certificate nearest the root that has one.
        position: usize,
    },
    /// Nothing is attested.
    #[error("no certificate carries a key description")]
    KeyDescriptionMissing,
    /// `notBefore` lies in the future.
    #[error("certificate {position} is not valid yet")]
    CertificateNotYetValid {
        /// Which certificate.
        position: usize,
    },
    /// `notAfter` has passed.
    #[error("certificate {position} has expired")]
    CertificateExpired {
        /// Which certificate.
        position: usize,
    },
    /// Revoked or suspended.
    #[error("the certificate with serial number {serial} is revoked")]
    CertificateRevoked {
        /// The number that the list knows.
        serial: SerialNumber,
    },
    /// The key description breaks its syntax.
    #[error("key description: {reason}")]
    KeyDescriptionMalformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two readers could disagree about the list.
    #[error("tag {tag} occurs twice in an authorization list")]
    AuthorizationTagDuplicated {
        /// The tag.
        tag: u32,
    },
    /// Another challenge, or none.
    #[error("the attested challenge is not the expected one")]
    ChallengeMismatch,
    /// The attested key cannot sign what the service wants signed.
    #[error("the attested key is not on P-256")]
    KeyAlgorithmUnsupported,
}

impl Reject {
    /// Every code, in the order of evaluation.
    pub const CODES: [&'static str; 23] = [
        "too-many-certificates",
        "certificate-too-large",
        "chain-too-large",
        "certificate-malformed",
        "chain-too-short",
        "key-description-duplicated",
        "software-root",
        "root-not-trusted",
        "issuer-name-mismatch",
        "signature-algorithm-mismatch",
        "signature-algorithm-unsupported",
        "signature-invalid",
        "chain-shape-unknown",
        "chain-extended",
        "key-description-not-on-leaf",
        "key-description-missing",
        "certificate-not-yet-valid",
        "certificate-expired",
        "certificate-revoked",
        "key-description-malformed",
        "authorization-tag-duplicated",
        "challenge-mismatch",
        "key-algorithm-unsupported",
    ];

    /// The stable name of the broken rule; part of the public interface.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooManyCertificates => "too-many-certificates",
            Self::CertificateTooLarge { .. } => "certificate-too-large",
            Self::ChainTooLarge => "chain-too-large",
            Self::CertificateMalformed { .. } => "certificate-malformed",
            Self::ChainTooShort => "chain-too-short",
            Self::KeyDescriptionDuplicated { .. } => "key-description-duplicated",
            Self::SoftwareRoot { .. } => "software-root",
            Self::RootNotTrusted => "root-not-trusted",
            Self::IssuerNameMismatch { .. } => "issuer-name-mismatch",
            Self::SignatureAlgorithmMismatch { .. } => "signature-algorithm-mismatch",
            Self::SignatureAlgorithmUnsupported { .. } => "signature-algorithm-unsupported",
            Self::SignatureInvalid { .. } => "signature-invalid",
            Self::ChainExtended => "chain-extended",
            Self::ChainShapeUnknown => "chain-shape-unknown",
            Self::KeyDescriptionNotOnLeaf { .. } => "key-description-not-on-leaf",
            Self::KeyDescriptionMissing => "key-description-missing",
            Self::CertificateNotYetValid { .. } => "certificate-not-yet-valid",
            Self::CertificateExpired { .. } => "certificate-expired",
            Self::CertificateRevoked { .. } => "certificate-revoked",
            Self::KeyDescriptionMalformed { .. } => "key-description-malformed",
            Self::AuthorizationTagDuplicated { .. } => "authorization-tag-duplicated",
            Self::ChallengeMismatch => "challenge-mismatch",
            Self::KeyAlgorithmUnsupported => "key-algorithm-unsupported",
        }
    }
}
