//! One certificate of an attestation chain: an X.509 certificate, its place, its key description.
//!
//! Decides which refusal a fault of the certificate is. It refuses to know extensions other than the key
//! description: phones ship unreadable CRL distribution points and certificate authorities marked as
//! none, and nothing here depends on either.

use x509_parser::asn1_rs::oid;
use x509_parser::der_parser::Oid;

use crate::Reject;
use crate::x509::{self, CertificateFault, IssuerKey, SignatureFault};

/// `id-android-key-attestation`, the extension that holds the key description.
const KEY_DESCRIPTION: Oid<'static> = oid!(1.3.6.1.4.1.11129.2.1.17);
/// `ProvisioningInfo`, on attestation certificates of remote provisioning.
const PROVISIONING_INFO: Oid<'static> = oid!(1.3.6.1.4.1.11129.2.1.30);

pub(super) struct Certificate<'a> {
    pub(super) x509: x509::Certificate<'a>,
    /// Counted from the leaf, for refusals.
    position: usize,
}

impl<'a> Certificate<'a> {
    pub(super) fn parse(der: &'a [u8], position: usize) -> Result<Self, Reject> {
        let x509 = x509::Certificate::parse(der).map_err(|fault| match fault {
            CertificateFault::Malformed(reason) => {
                Reject::CertificateMalformed { position, reason }
            }
            // A reader of the first and a reader of the last would see two different phones.
            CertificateFault::ExtensionTwice(oid) if oid == KEY_DESCRIPTION.as_bytes() => {
                Reject::KeyDescriptionDuplicated { position }
            }
            CertificateFault::ExtensionTwice(_) => Reject::CertificateMalformed {
                position,
                reason: "an extension occurs twice",
            },
        })?;
        Ok(Self { x509, position })
    }

    /// The key description, critical or not: a verifier that looks only among the non-critical
    /// extensions can be shown a certificate authority that seems to have none.
    pub(super) fn description(&self) -> Option<&'a [u8]> {
        self.x509.extension(&KEY_DESCRIPTION)
    }

    pub(super) fn provisioning_info(&self) -> Option<&'a [u8]> {
        self.x509.extension(&PROVISIONING_INFO)
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.x509.issuer() == self.x509.subject()
    }

    /// The issuer's name is `subject`, compared byte for byte.
    pub(super) fn names_issuer(&self, subject: &[u8]) -> Result<(), Reject> {
        if self.x509.issuer() == subject {
            Ok(())
        } else {
            Err(Reject::IssuerNameMismatch {
                position: self.position,
            })
        }
    }

    pub(super) fn is_signed_by(&self, key: Option<&IssuerKey>) -> Result<(), Reject> {
        let position = self.position;
        self.x509.is_signed_by(key).map_err(|fault| match fault {
            SignatureFault::AlgorithmMismatch => Reject::SignatureAlgorithmMismatch { position },
            SignatureFault::Unsupported => Reject::SignatureAlgorithmUnsupported { position },
            SignatureFault::Invalid => Reject::SignatureInvalid { position },
        })
    }
}
