//! Why evidence was not authenticated.
//!
//! Decides the names of the rules that no policy can switch off. It refuses to know policies: what
//! an operator may tolerate is a [`Check`](crate::Check). A rule that can be both skipped and
//! enforced would let a typing error in a policy accept a forgery.

use crate::android::SerialNumber;

/// Foreign evidence broke a rule. Positions count certificates from the leaf, which is 0.
///
/// [`rules`](crate::rules) says what each rule demands.
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
    /// An object larger than any genuine one.
    #[error("the object is larger than any genuine one")]
    ObjectTooLarge,
    /// The object, its authenticator data or its payload breaks its syntax.
    #[error("object: {reason}")]
    ObjectMalformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Another attestation format.
    #[error("the format is not `apple-appattest`")]
    FormatUnknown,
    /// Another number of certificates.
    #[error("not the certificates of a signer and its issuer")]
    ChainLength,
    /// An issuer that is no authority, or a leaf that is one.
    #[error("the issuer is no certificate authority, or the leaf is one")]
    AuthorityMisplaced,
    /// The nonce is missing, malformed or another one.
    #[error("the nonce is not the hash of authenticator data and client data hash")]
    NonceMismatch,
    /// The credential names another key than the certificate.
    #[error("certificate, credential and credential id are not about one key")]
    CredentialMismatch,
    /// Another key than the expected one.
    #[error("the key is not the expected one")]
    KeyIdMismatch,
    /// Another app.
    #[error("the app id is not the expected one")]
    AppIdMismatch,
    /// An attestation of a key that was used already.
    #[error("the counter of an attestation is not 0")]
    CounterNotZero,
    /// An aaguid of neither world.
    #[error("the aaguid is neither production's nor development's")]
    EnvironmentUnknown,
    /// The attested key did not sign this.
    #[error("the assertion is not signed by the key over this client data")]
    AssertionSignatureInvalid,
    /// A replay, or requests out of order.
    #[error("the counter is not greater than the previous one")]
    CounterNotGreater,
    /// The signer may sign other things, but not receipts.
    #[error("the signer's certificate is not marked for receipts")]
    ReceiptSignerUnmarked,
    /// The signature is not over the signed attributes, or those are not about the content.
    #[error("the receipt's signature is invalid")]
    ReceiptSignatureInvalid,
    /// From the future, or expired.
    #[error("the receipt was not made yet, or has expired")]
    ReceiptStale,
    /// Not five parts of base64url, or larger than 64 KiB.
    #[error("the token is not a compact JWE of at most 64 KiB")]
    TokenFormat,
    /// Another algorithm, compression, or a critical header.
    #[error("the token's header asks for something else than A256KW and A256GCM")]
    JweAlgorithm,
    /// The keys do not open it.
    #[error("the token does not open with the decryption key")]
    JweUndecryptable,
    /// No compact JWS inside.
    #[error("the token holds no compact JWS")]
    JwsMalformed,
    /// Another algorithm, or a critical header.
    #[error("the inner header asks for something else than ES256")]
    JwsAlgorithm,
    /// Not Google's signature.
    #[error("the verdict is not signed with the verification key")]
    JwsSignatureInvalid,
    /// Not the JSON of a verdict.
    #[error("the verdict is not the JSON that Google writes, or repeats a member")]
    VerdictMalformed,
    /// It does not say which request it answers.
    #[error("the verdict has no request details")]
    RequestDetailsMissing,
    /// Another app asked.
    #[error("the request came from another package")]
    RequestPackageMismatch,
    /// Another nonce or request hash, or the other one of the two.
    #[error("the verdict is not bound to the expected nonce or request hash")]
    RequestBindingMismatch,
    /// Too old, from the future, or no time at all.
    #[error("the verdict is not fresh")]
    VerdictNotFresh,
    /// Play Integrity attests no key.
    #[error("this kind of evidence attests no key")]
    NoKeyAttested,
    /// ML-DSA, which Android 17 attests and this service cannot use yet.
    #[error("the attested key is a post-quantum one (ML-DSA), which is not supported yet")]
    KeyPostQuantum,
    /// The app's own attest key is not about the same phone and app as the leaf.
    #[error("the app's attest key and the leaf are not about one app on one phone")]
    AttestKeyMismatch,
    /// The attested key cannot sign what the service wants signed.
    #[error("the attested key is not on P-256")]
    KeyAlgorithmUnsupported,
}

impl Reject {
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
            Self::ObjectTooLarge => "object-too-large",
            Self::ObjectMalformed { .. } => "object-malformed",
            Self::FormatUnknown => "format-unknown",
            Self::ChainLength => "chain-length",
            Self::AuthorityMisplaced => "authority-misplaced",
            Self::NonceMismatch => "nonce-mismatch",
            Self::CredentialMismatch => "credential-mismatch",
            Self::KeyIdMismatch => "key-id-mismatch",
            Self::AppIdMismatch => "app-id-mismatch",
            Self::CounterNotZero => "counter-not-zero",
            Self::EnvironmentUnknown => "environment-unknown",
            Self::AssertionSignatureInvalid => "assertion-signature-invalid",
            Self::CounterNotGreater => "counter-not-greater",
            Self::ReceiptSignerUnmarked => "receipt-signer-unmarked",
            Self::ReceiptSignatureInvalid => "receipt-signature-invalid",
            Self::ReceiptStale => "receipt-stale",
            Self::TokenFormat => "token-format",
            Self::JweAlgorithm => "jwe-algorithm",
            Self::JweUndecryptable => "jwe-undecryptable",
            Self::JwsMalformed => "jws-malformed",
            Self::JwsAlgorithm => "jws-algorithm",
            Self::JwsSignatureInvalid => "jws-signature-invalid",
            Self::VerdictMalformed => "verdict-malformed",
            Self::RequestDetailsMissing => "request-details-missing",
            Self::RequestPackageMismatch => "request-package-mismatch",
            Self::RequestBindingMismatch => "request-binding-mismatch",
            Self::VerdictNotFresh => "verdict-not-fresh",
            Self::NoKeyAttested => "no-key-attested",
            Self::KeyPostQuantum => "key-post-quantum",
            Self::AttestKeyMismatch => "attest-key-mismatch",
            Self::KeyAlgorithmUnsupported => "key-algorithm-unsupported",
        }
    }
}
