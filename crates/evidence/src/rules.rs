//! The rules of authentication, kind by kind, in words.
//!
//! Decides nothing: for accounts of a verification, and for the tests that ask whether each rule was ever
//! broken. Stages say what is known when a rule is found broken: rules of lower stages held.

/// A rule that no policy can switch off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Rules of a lower stage held before this one was looked at.
    pub stage: u8,
    /// The code of its [`Reject`](crate::Reject).
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

/// Android Key Attestation.
pub const ANDROID_KEY: &[Rule] = &[
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
        9,
        "attest-key-mismatch",
        "attest key and leaf are of one app on one phone",
    ),
    Rule::new(
        10,
        "challenge-mismatch",
        "the attested challenge is the expected one",
    ),
    Rule::new(
        11,
        "key-post-quantum",
        "the key is no ML-DSA key, where one is to use it",
    ),
    Rule::new(
        11,
        "key-algorithm-unsupported",
        "the key is on P-256, where one is to use it",
    ),
];

/// An attestation of App Attest.
pub const APP_ATTEST: &[Rule] = &[
    Rule::new(1, "object-too-large", "at most 16 KiB"),
    Rule::new(
        2,
        "object-malformed",
        "one CBOR object, authenticator data, no member twice",
    ),
    Rule::new(2, "format-unknown", "the format is apple-appattest"),
    Rule::new(
        3,
        "chain-length",
        "leaf and intermediate, no more and no less",
    ),
    Rule::new(
        3,
        "certificate-malformed",
        "strict DER, X.509, no extension twice",
    ),
    Rule::new(
        4,
        "root-not-trusted",
        "the intermediate is signed by a pinned key",
    ),
    Rule::new(
        4,
        "authority-misplaced",
        "the intermediate is an authority, the leaf is none",
    ),
    Rule::new(
        4,
        "issuer-name-mismatch",
        "the leaf's issuer is the intermediate",
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
        "the leaf is signed by the intermediate's key",
    ),
    Rule::new(
        5,
        "certificate-not-yet-valid",
        "both certificates' beginning has come",
    ),
    Rule::new(5, "certificate-expired", "neither certificate has run out"),
    Rule::new(
        6,
        "nonce-mismatch",
        "the nonce covers authenticator data and client data hash",
    ),
    Rule::new(7, "key-algorithm-unsupported", "the key is on P-256"),
    Rule::new(
        7,
        "credential-mismatch",
        "certificate, credential and its id are about one key",
    ),
    Rule::new(
        8,
        "key-id-mismatch",
        "the key id is the one that the app named",
    ),
    Rule::new(
        9,
        "app-id-mismatch",
        "the relying party is the expected app",
    ),
    Rule::new(10, "counter-not-zero", "the key was never used"),
    Rule::new(11, "environment-unknown", "production or development"),
];

/// An assertion of App Attest.
pub const APP_ATTEST_ASSERTION: &[Rule] = &[
    Rule::new(1, "object-too-large", "at most 1 KiB"),
    Rule::new(
        2,
        "object-malformed",
        "one CBOR object, authenticator data, no member twice",
    ),
    Rule::new(
        3,
        "assertion-signature-invalid",
        "the key signed this data and client data hash",
    ),
    Rule::new(
        4,
        "app-id-mismatch",
        "the relying party is the expected app",
    ),
    Rule::new(
        5,
        "counter-not-greater",
        "the counter is greater than the previous one",
    ),
];

/// A receipt of App Attest.
pub const APP_ATTEST_RECEIPT: &[Rule] = &[
    Rule::new(1, "object-too-large", "at most 16 KiB"),
    Rule::new(
        2,
        "object-malformed",
        "CMS signed data with one signer, receipt fields, none twice",
    ),
    Rule::new(
        3,
        "certificate-malformed",
        "strict DER, X.509, no extension twice",
    ),
    Rule::new(
        3,
        "chain-length",
        "the signer's certificate and its issuer's are there",
    ),
    Rule::new(
        4,
        "root-not-trusted",
        "the issuer is signed by a pinned key",
    ),
    Rule::new(
        4,
        "authority-misplaced",
        "the issuer is an authority, the signer is none",
    ),
    Rule::new(
        4,
        "issuer-name-mismatch",
        "the signer's issuer is the intermediate",
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
        "the signer's certificate is signed by its issuer",
    ),
    Rule::new(
        5,
        "certificate-not-yet-valid",
        "both certificates had begun when it was made",
    ),
    Rule::new(
        5,
        "certificate-expired",
        "neither certificate had run out when it was made",
    ),
    Rule::new(6, "receipt-signer-unmarked", "the signer may sign receipts"),
    Rule::new(
        7,
        "receipt-signature-invalid",
        "signed attributes, and they hold the content's digest",
    ),
    Rule::new(
        8,
        "app-id-mismatch",
        "the receipt is about the expected app",
    ),
    Rule::new(
        9,
        "key-id-mismatch",
        "the receipt is about the expected key",
    ),
    Rule::new(10, "receipt-stale", "made before now, not expired"),
];

/// A Play Integrity verdict.
pub const PLAY_INTEGRITY: &[Rule] = &[
    Rule::new(1, "token-format", "five parts of base64url, at most 64 KiB"),
    Rule::new(
        2,
        "jwe-algorithm",
        "A256KW and A256GCM, no compression, nothing critical",
    ),
    Rule::new(3, "jwe-undecryptable", "it opens with the decryption key"),
    Rule::new(4, "jws-malformed", "a compact JWS is inside"),
    Rule::new(5, "jws-algorithm", "ES256, nothing critical"),
    Rule::new(
        6,
        "jws-signature-invalid",
        "signed with the verification key",
    ),
    Rule::new(7, "verdict-malformed", "Google's JSON, no member twice"),
    Rule::new(
        8,
        "request-details-missing",
        "it says which request it answers",
    ),
    Rule::new(9, "request-package-mismatch", "the expected package asked"),
    Rule::new(
        10,
        "request-binding-mismatch",
        "nonce or request hash is the expected one",
    ),
    Rule::new(
        11,
        "verdict-not-fresh",
        "at most ten minutes old, at most one ahead",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_listed_by_stage_and_named_once() {
        for rules in [
            ANDROID_KEY,
            APP_ATTEST,
            APP_ATTEST_ASSERTION,
            APP_ATTEST_RECEIPT,
        ] {
            assert!(rules.is_sorted_by_key(|rule| rule.stage));
            let codes: std::collections::BTreeSet<_> = rules.iter().map(|rule| rule.code).collect();
            assert_eq!(codes.len(), rules.len());
        }
    }
}
