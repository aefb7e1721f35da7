//! One certificate of a chain.
//!
//! Decides that bytes are one X.509 certificate in strict DER, then hands out what the chain rules
//! need. It refuses to know extensions other than the key description: phones ship unreadable CRL
//! distribution points and certificate authorities marked as none, and nothing here depends on either.

use std::collections::BTreeSet;

use x509_parser::asn1_rs::oid;
use x509_parser::der_parser::Oid;
use x509_parser::nom::Parser as _;
use x509_parser::prelude::{X509Certificate, X509CertificateParser};

use super::SerialNumber;
use super::signature::{IssuerKey, SignatureAlgorithm, SignatureFault};
use crate::der::{self, DerFault, Tag};
use crate::{Reject, UnixTime};

/// `id-android-key-attestation`, the extension that holds the key description.
const KEY_DESCRIPTION: Oid<'static> = oid!(1.3.6.1.4.1.11129.2.1.17);
/// Nesting that real certificates stay far below.
const MOST_DEPTH: u8 = 16;

/// Attributes of a name that the chain rules ask for.
pub(super) const COMMON_NAME: Oid<'static> = oid!(2.5.4.3);
pub(super) const SERIAL_NUMBER: Oid<'static> = oid!(2.5.4.5);
pub(super) const ORGANIZATION: Oid<'static> = oid!(2.5.4.10);
pub(super) const TITLE: Oid<'static> = oid!(2.5.4.12);

pub(super) struct Certificate<'a> {
    parsed: X509Certificate<'a>,
    /// Counted from the leaf, for refusals.
    position: usize,
    description: Option<&'a [u8]>,
    envelope: Envelope<'a>,
}

impl<'a> Certificate<'a> {
    pub(super) fn parse(der: &'a [u8], position: usize) -> Result<Self, Reject> {
        let malformed = |reason| Reject::CertificateMalformed { position, reason };
        // x509-parser reads some BER; this makes sure there is only one way to read the bytes.
        der::check_structure(der, MOST_DEPTH).map_err(|fault| malformed(fault.as_str()))?;
        let (rest, parsed) = X509CertificateParser::new()
            .with_deep_parse_extensions(false)
            .parse(der)
            .map_err(|_| malformed("not an X.509 certificate"))?;
        if !rest.is_empty() {
            return Err(malformed(DerFault::TrailingBytes.as_str()));
        }
        let description = description(&parsed, position)?;
        let envelope = Envelope::open(der).map_err(|fault| malformed(fault.as_str()))?;
        Ok(Self {
            parsed,
            position,
            description,
            envelope,
        })
    }

    /// The key description, critical or not: a verifier that looks only among the non-critical
    /// extensions can be shown a certificate authority that seems to have none.
    pub(super) const fn description(&self) -> Option<&'a [u8]> {
        self.description
    }

    pub(super) fn spki(&self) -> &[u8] {
        self.parsed.public_key().raw
    }

    /// Object identifier of the key's algorithm.
    pub(super) fn key_algorithm(&self) -> String {
        self.parsed.public_key().algorithm.algorithm.to_id_string()
    }

    /// The key, where it can sign certificates.
    pub(super) fn key(&self) -> Option<IssuerKey> {
        IssuerKey::of(self.parsed.public_key())
    }

    /// DER of the subject's name.
    pub(super) fn subject(&self) -> &[u8] {
        self.parsed.subject().as_raw()
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.parsed.issuer().as_raw() == self.subject()
    }

    /// Whether the subject has an attribute of that type, with that text.
    ///
    /// By type, never by printed name: RSA-rooted phones write `O=TEE,CN=…`, others `CN=…,O=TEE`.
    pub(super) fn subject_has(&self, attribute: &Oid<'_>, text: &str) -> bool {
        self.subject_texts(attribute).any(|value| value == text)
    }

    pub(super) fn subject_texts(&self, attribute: &Oid<'_>) -> impl Iterator<Item = &str> {
        self.parsed
            .subject()
            .iter_attributes()
            .filter(move |found| found.attr_type() == attribute)
            .filter_map(|found| found.as_str().ok())
    }

    pub(super) fn serial(&self) -> SerialNumber {
        SerialNumber::from_bytes(self.parsed.raw_serial())
    }

    pub(super) fn not_before(&self) -> UnixTime {
        UnixTime(self.parsed.validity().not_before.timestamp())
    }

    pub(super) fn not_after(&self) -> UnixTime {
        UnixTime(self.parsed.validity().not_after.timestamp())
    }

    /// The issuer's name is `subject`, compared byte for byte.
    pub(super) fn names_issuer(&self, subject: &[u8]) -> Result<(), Reject> {
        if self.parsed.issuer().as_raw() == subject {
            Ok(())
        } else {
            Err(Reject::IssuerNameMismatch {
                position: self.position,
            })
        }
    }

    /// Signed by `key`, with one and the same algorithm inside and outside the signed part
    /// (RFC 5280 section 4.1.1.2): the outer one is not covered by the signature.
    /// `None` is a key with which no attestation is signed.
    pub(super) fn is_signed_by(&self, key: Option<&IssuerKey>) -> Result<(), Reject> {
        let position = self.position;
        let inner = &self.parsed.tbs_certificate.signature;
        if inner.algorithm.as_bytes() != self.envelope.algorithm {
            return Err(Reject::SignatureAlgorithmMismatch { position });
        }
        let unsupported = Reject::SignatureAlgorithmUnsupported { position };
        let algorithm = SignatureAlgorithm::of(inner).ok_or(unsupported.clone())?;
        let key = key.ok_or(unsupported.clone())?;
        key.verify(
            algorithm,
            self.parsed.tbs_certificate.as_ref(),
            self.envelope.signature,
        )
        .map_err(|fault| match fault {
            SignatureFault::Unsupported => unsupported,
            SignatureFault::Invalid => Reject::SignatureInvalid { position },
        })
    }
}

/// What stands outside the signed part, and so is covered by no signature: read here with care, since
/// x509-parser takes both members under some other tags too.
struct Envelope<'a> {
    /// Object identifier of the algorithm.
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue BIT STRING }`
    fn open(der: &'a [u8]) -> Result<Self, DerFault> {
        let mut members = der::sole(der, Tag::SEQUENCE)?;
        members.expect(Tag::SEQUENCE)?;
        let mut identifier = members.expect(Tag::SEQUENCE)?.reader();
        let algorithm = identifier.expect(Tag::OBJECT_IDENTIFIER)?.content;
        if !identifier.is_empty() {
            identifier.expect(Tag::NULL)?;
        }
        identifier.finish()?;
        // The first byte counts unused bits, of which a signature has none.
        let Some((0, signature)) = members.expect(Tag::BIT_STRING)?.content.split_first() else {
            return Err(DerFault::UnexpectedTag);
        };
        members.finish()?;
        Ok(Self {
            algorithm,
            signature,
        })
    }
}

/// The one key description, if there is any. RFC 5280 section 4.2 forbids an extension to occur twice;
/// two key descriptions get a name of their own, since a reader of the first and a reader of the
/// last would see two different phones.
fn description<'a>(
    parsed: &X509Certificate<'a>,
    position: usize,
) -> Result<Option<&'a [u8]>, Reject> {
    let mut seen = BTreeSet::new();
    let mut description = None;
    for extension in parsed.extensions() {
        let is_description = extension.oid == KEY_DESCRIPTION;
        if !seen.insert(extension.oid.as_bytes()) {
            return Err(if is_description {
                Reject::KeyDescriptionDuplicated { position }
            } else {
                Reject::CertificateMalformed {
                    position,
                    reason: "an extension occurs twice",
                }
            });
        }
        if is_description {
            description = Some(extension.value);
        }
    }
    Ok(description)
}
