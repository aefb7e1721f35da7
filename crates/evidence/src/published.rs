//! The platforms' root keys, with where they come from.
//!
//! Decides what is compiled in and what can never be trusted, as data: one row for each key, with the certificates
//! that it was published in. Only the key counts. It refuses to know what an operator trusts instead
//! ([`Anchors`](crate::android::Anchors)).
//!
//! A row is changed by a person who compared the platform's own publication; nothing here is ever fetched.

/// For which evidence a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Android Key Attestation.
    AndroidKey,
    /// Apple App Attest, attestations.
    AppAttest,
    /// Apple App Attest, receipts.
    AppAttestReceipt,
    /// None, ever: everybody has the private key.
    Never,
}

impl Use {
    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AndroidKey => "android-key",
            Self::AppAttest => "app-attest",
            Self::AppAttestReceipt => "app-attest-receipt",
            Self::Never => "never",
        }
    }
}

/// A certificate that a root key was published in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedCertificate {
    /// SHA-256 of its DER.
    pub sha256: &'static str,
    /// First day.
    pub not_before: &'static str,
    /// Last day; the key outlives it where another certificate has it too.
    pub not_after: &'static str,
}

/// A root key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedRoot {
    /// Short name, unique here.
    pub name: &'static str,
    /// For which evidence.
    pub used_for: Use,
    /// Its name in the certificates.
    pub subject: &'static str,
    /// Kind of key.
    pub key: &'static str,
    /// SHA-256 of its DER `SubjectPublicKeyInfo`, by which facts name it.
    pub spki_sha256: &'static str,
    /// In what it was published.
    pub certificates: &'static [PublishedCertificate],
    /// Where its owner publishes it: to be compared before each release.
    pub official: &'static str,
    /// Where these bytes were taken from.
    pub taken_from: &'static str,
    /// What speaks for them.
    pub verified: &'static str,
    /// DER `SubjectPublicKeyInfo`.
    pub(crate) spki: &'static [u8],
}

const GOOGLE: &str = "https://android.googleapis.com/attestation/root";
const APPLE: &str = "https://www.apple.com/certificateauthority/";
const AOSP: &str = "https://android.googlesource.com/platform/system/keymaster/";

/// All of them.
pub const ROOTS: &[PublishedRoot] = &[
    PublishedRoot {
        name: "google-rsa-4096",
        used_for: Use::AndroidKey,
        subject: "serialNumber=f92009e853b6b045",
        key: "RSA, 4096 bits",
        spki_sha256: "feb2ea7551ee316ed4bb443c8293b884dbfdea40b603ee3e4f4a897e4580fbae",
        certificates: &[
            PublishedCertificate {
                sha256: "c1984a3ef45c1e2a918551de10603c86f7051b2249c4891cae3230eabd0c97d5",
                not_before: "2016-05-26",
                not_after: "2026-05-24",
            },
            PublishedCertificate {
                sha256: "1ef1a04b8ba58ab94589ac498c8982a783f24ea7307e0159a0c3a73b377d87cc",
                not_before: "2019-11-22",
                not_after: "2034-11-18",
            },
            PublishedCertificate {
                sha256: "ab6641178a36e179aa0c1cdddf9a16eb45fa20943e2b8cd7c7c05c26cf8b487a",
                not_before: "2021-11-17",
                not_after: "2036-11-13",
            },
            PublishedCertificate {
                sha256: "cedb1cb6dc896ae5ec797348bce9286753c2b38ee71ce0fbe34a9a1248800dfc",
                not_before: "2022-03-20",
                not_after: "2042-03-15",
            },
        ],
        official: GOOGLE,
        taken_from: "android/keyattestation, roots.json; GrapheneOS/Auditor, google_root_0 to 3",
        verified: "the same key in four certificates and eight repositories; real chains verify under it",
        spki: include_bytes!("android/roots/google-rsa-4096.spki.der"),
    },
    PublishedRoot {
        name: "google-p384",
        used_for: Use::AndroidKey,
        subject: "CN=Key Attestation CA1, OU=Android, O=Google LLC, C=US",
        key: "ECDSA, P-384",
        spki_sha256: "3ee44512a1af2beb39c889490c60ea3f82e43f5d5a5532f5ab9419f676cd07ec",
        certificates: &[PublishedCertificate {
            sha256: "6d9db4ce6c5c0b293166d08986e05774a8776ceb525d9e4329520de12ba4bcc0",
            not_before: "2025-07-17",
            not_after: "2035-07-15",
        }],
        official: GOOGLE,
        taken_from: "android/keyattestation, roots.json; GrapheneOS/Auditor, google_root_4",
        verified: "identical in five repositories; real chains of 2026 verify under it",
        spki: include_bytes!("android/roots/google-p384.spki.der"),
    },
    PublishedRoot {
        name: "apple-app-attestation",
        used_for: Use::AppAttest,
        subject: "CN=Apple App Attestation Root CA, O=Apple Inc., ST=California",
        key: "ECDSA, P-384",
        spki_sha256: "1ae751fd29896d0f1f13fe226c063f445d40d8938acc6245c251ecc0679330bd",
        certificates: &[PublishedCertificate {
            sha256: "1cb9823ba28ba6ad2d33a006941de2ae4f513ef1d4e831b9f7e0fa7b6242c932",
            not_before: "2020-03-18",
            not_after: "2045-03-15",
        }],
        official: APPLE,
        taken_from: "takimoto3/app-attest, Apple_App_Attestation_Root_CA.pem",
        verified: "identical in 24 repositories; real attestations of 2020 to 2026 verify under it",
        spki: include_bytes!("apple/roots/app-attestation-p384.spki.der"),
    },
    PublishedRoot {
        name: "apple-root-g3",
        used_for: Use::AppAttestReceipt,
        subject: "CN=Apple Root CA - G3, OU=Apple Certification Authority, O=Apple Inc., C=US",
        key: "ECDSA, P-384",
        spki_sha256: "9b219d0fbff36a5fb32090571906bceea68617c833a3f61b81e962a8e64db8af",
        certificates: &[PublishedCertificate {
            sha256: "63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179",
            not_before: "2014-04-30",
            not_after: "2039-04-30",
        }],
        official: APPLE,
        taken_from: "takimoto3/app-attest, AppleRootCA-G3.cer; inside every receipt",
        verified: "identical in 15 repositories; real receipts verify under it",
        spki: include_bytes!("apple/roots/apple-root-g3-p384.spki.der"),
    },
    PublishedRoot {
        name: "AOSP software attestation, ECDSA",
        used_for: Use::Never,
        subject: "CN=Android Keystore Software Attestation Root, OU=Android, O=Google, Inc., \
                  L=Mountain View, ST=California, C=US",
        key: "ECDSA, P-256",
        spki_sha256: "d5100c7942ef2e8310dc30ef82729680cf48d690735c3f68179a33c7c370f286",
        certificates: &[PublishedCertificate {
            sha256: "51d496ad4664190fbdaf1ad987278efa35d6fbf52e50a9c34ded8395477ede5c",
            not_before: "2016-01-11",
            not_after: "2036-01-06",
        }],
        official: AOSP,
        taken_from: "android/keyattestation, SoftwareRoot.kt",
        verified: "its private key is in AOSP's source; emulators sign with it",
        spki: include_bytes!("android/roots/aosp-software-p256.spki.der"),
    },
    PublishedRoot {
        name: "AOSP software attestation, RSA",
        used_for: Use::Never,
        subject: "OU=Android, O=Google, Inc., L=Mountain View, ST=California, C=US",
        key: "RSA, 1024 bits",
        spki_sha256: "f2c4746f545946c100e72297f8f946344d7052f03a2f694221f9c893b0e6f711",
        certificates: &[PublishedCertificate {
            sha256: "4e42730efd521b21d77b109b7532a0b664ddfefc73e129111936200c5e58cce0",
            not_before: "2016-01-04",
            not_after: "2035-12-30",
        }],
        official: AOSP,
        taken_from: "android/keyattestation, SoftwareRoot.kt",
        verified: "its private key is in AOSP's source; emulators sign with it",
        spki: include_bytes!("android/roots/aosp-software-rsa-1024.spki.der"),
    },
];

/// The roots for one use.
pub(crate) fn roots(wanted: Use) -> impl Iterator<Item = &'static PublishedRoot> {
    ROOTS.iter().filter(move |root| root.used_for == wanted)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Sha256Digest, UnixTime};

    #[test]
    fn the_table_says_what_the_bytes_are() {
        for root in ROOTS {
            let digest = Sha256Digest::of(root.spki).to_string();
            assert_eq!(digest, root.spki_sha256, "{}", root.name);
            assert!(!root.certificates.is_empty());
            for certificate in root.certificates {
                assert!(certificate.sha256.parse::<Sha256Digest>().is_ok());
                let moment = |day| UnixTime::parse_rfc3339(&format!("{day}T00:00:00Z")).unwrap();
                assert!(moment(certificate.not_before) < moment(certificate.not_after));
            }
        }
        let names: BTreeSet<_> = ROOTS.iter().map(|root| root.name).collect();
        assert_eq!(names.len(), ROOTS.len());
    }
}
