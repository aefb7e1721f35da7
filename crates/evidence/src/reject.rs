//! Why evidence was not authenticated.
//!
//! Decides the names of the rules that no policy can switch off. It refuses to know policies: what
//! an operator may tolerate is a [`Check`](crate::Check). A rule that can be both skipped and
//! enforced would let a typing error in a policy accept a forgery.

use crate::android::SerialNumber;

/// Foreign evidence broke a rule. Positions count certificates from the leaf, which is 0.
///
/// [`Reject::RULES`] says what each rule demands.
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

/// A rule that no policy can switch off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Rules of a lower stage held for all certificates before this one was looked at.
    pub stage: u8,
    /// Stable, kebab-case.
    pub code: &'static str,
    /// What it demands.
    pub demand: &'static str,
}

impl Rule {
    const fn new(stage: u8, code: &'static str, demand: &'static str) -> Self {
        Self {
            stage,
            code,
            demand,
        }
    }
}

impl Reject {
    /// Every rule, in the order of evaluation.
    pub const RULES: [Rule; 23] = [
        Rule::new(1, "too-many-certificates", "at most 8 certificates"),
        Rule::new(
            1,
            "certificate-too-large",
            "at most 16 KiB for each certificate",
        ),
        Rule::new(1, "chain-too-large", "at most 64 KiB in total"),
        Rule::new(
            1,
            "chain-too-short",
            "at least 3 certificates, and as many as the shape wants",
        ),
        Rule::new(
            2,
            "certificate-malformed",
            "strict DER, X.509, no extension twice",
        ),
        Rule::new(
            2,
            "key-description-duplicated",
            "one key description per certificate",
        ),
        Rule::new(
            3,
            "software-root",
            "not a published key of AOSP's software key store",
        ),
        Rule::new(3, "root-not-trusted", "the chain ends at a pinned key"),
        Rule::new(
            4,
            "issuer-name-mismatch",
            "each issuer is the subject above",
        ),
        Rule::new(
            4,
            "signature-algorithm-mismatch",
            "one algorithm inside and outside",
        ),
        Rule::new(
            4,
            "signature-algorithm-unsupported",
            "RSA from 2048 bits, P-256, P-384; SHA-2",
        ),
        Rule::new(
            4,
            "signature-invalid",
            "each certificate is signed by the key above",
        ),
        Rule::new(
            5,
            "chain-shape-unknown",
            "a factory chain, or one of remote provisioning",
        ),
        Rule::new(
            5,
            "chain-extended",
            "no more certificates than the shape wants",
        ),
        Rule::new(
            6,
            "key-description-not-on-leaf",
            "no key description above the leaf",
        ),
        Rule::new(
            6,
            "key-description-missing",
            "a key description on the leaf",
        ),
        Rule::new(
            7,
            "certificate-not-yet-valid",
            "every authority's beginning has come",
        ),
        Rule::new(
            7,
            "certificate-expired",
            "no authority of remote provisioning has run out",
        ),
        Rule::new(
            8,
            "certificate-revoked",
            "no authority is on the revocation list",
        ),
        Rule::new(
            9,
            "key-description-malformed",
            "the key description's syntax",
        ),
        Rule::new(
            9,
            "authorization-tag-duplicated",
            "each tag once per authorization list",
        ),
        Rule::new(
            10,
            "challenge-mismatch",
            "the attested challenge is the expected one",
        ),
        Rule::new(
            11,
            "key-algorithm-unsupported",
            "the key is on P-256, where one is to use it",
        ),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_listed_by_stage_and_named_once() {
        assert!(Reject::RULES.is_sorted_by_key(|rule| rule.stage));
        let codes: std::collections::BTreeSet<_> =
            Reject::RULES.iter().map(|rule| rule.code).collect();
        assert_eq!(codes.len(), Reject::RULES.len());
    }
}
