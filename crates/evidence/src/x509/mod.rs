//! One X.509 certificate (RFC 5280), read strictly and judged by nobody.
//!
//! Decides that bytes are one certificate in DER with one reading, and whether a key signed it. Which
//! names, dates and extensions are wanted differs between platforms, so it refuses to know.

mod signature;

use std::collections::BTreeSet;

use signature::SignatureAlgorithm;
pub(crate) use signature::{IssuerKey, SignatureFault};
use x509_parser::asn1_rs::oid;
use x509_parser::der_parser::Oid;
use x509_parser::nom::Parser as _;
use x509_parser::prelude::{X509Certificate, X509CertificateParser};

use crate::der::{self, DerFault, Reader, Tag};
use crate::{SerialNumber, UnixTime};

/// Nesting that real certificates stay far below.
const MOST_DEPTH: u8 = 16;
const BASIC_CONSTRAINTS: Oid<'static> = oid!(2.5.29.19);

/// Attributes of names.
pub(crate) const COMMON_NAME: Oid<'static> = oid!(2.5.4.3);
pub(crate) const SERIAL_NUMBER: Oid<'static> = oid!(2.5.4.5);
pub(crate) const ORGANIZATION: Oid<'static> = oid!(2.5.4.10);
pub(crate) const TITLE: Oid<'static> = oid!(2.5.4.12);

/// Why bytes are no certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CertificateFault {
    /// Not strict DER, or not X.509.
    Malformed(&'static str),
    /// RFC 5280 section 4.2: an extension occurs once. The content of its identifier.
    ExtensionTwice(Vec<u8>),
}

/// A parsed certificate.
pub(crate) struct Certificate<'a> {
    parsed: X509Certificate<'a>,
    envelope: Envelope<'a>,
}

impl<'a> Certificate<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, CertificateFault> {
        use CertificateFault::Malformed;
        // x509-parser reads some BER; this makes sure there is only one way to read the bytes.
        der::check_structure(der, MOST_DEPTH).map_err(|fault| Malformed(fault.as_str()))?;
        let (rest, parsed) = X509CertificateParser::new()
            .with_deep_parse_extensions(false)
            .parse(der)
            .map_err(|_| Malformed("not an X.509 certificate"))?;
        if !rest.is_empty() {
            return Err(Malformed(DerFault::TrailingBytes.as_str()));
        }
        let mut seen = BTreeSet::new();
        for extension in parsed.extensions() {
            if !seen.insert(extension.oid.as_bytes()) {
                return Err(CertificateFault::ExtensionTwice(
                    extension.oid.as_bytes().to_vec(),
                ));
            }
        }
        let envelope = Envelope::open(der).map_err(|fault| Malformed(fault.as_str()))?;
        Ok(Self { parsed, envelope })
    }

    /// The value of an extension, critical or not.
    pub(crate) fn extension(&self, oid: &Oid<'_>) -> Option<&'a [u8]> {
        let mut extensions = self.parsed.extensions().iter();
        extensions
            .find(|extension| extension.oid == *oid)
            .map(|extension| extension.value)
    }

    /// Whether basic constraints say that this is an authority (RFC 5280 section 4.2.1.9). Unreadable ones
    /// do not.
    pub(crate) fn is_authority(&self) -> bool {
        let Some(value) = self.extension(&BASIC_CONSTRAINTS) else {
            return false;
        };
        let first =
            der::sole(value, Tag::SEQUENCE).and_then(|mut members| members.expect(Tag::BOOLEAN));
        first.is_ok_and(|boolean| boolean.content == [0xFF])
    }

    pub(crate) fn spki(&self) -> &[u8] {
        self.parsed.public_key().raw
    }

    /// Object identifier of the key's algorithm.
    pub(crate) fn key_algorithm(&self) -> String {
        self.parsed.public_key().algorithm.algorithm.to_id_string()
    }

    /// The key, where it is one that can sign certificates.
    pub(crate) fn key(&self) -> Option<IssuerKey> {
        IssuerKey::of(self.parsed.public_key())
    }

    /// The subject's name, for people.
    pub(crate) fn subject_name(&self) -> String {
        self.parsed.subject().to_string()
    }

    /// The issuer's name, for people.
    pub(crate) fn issuer_name(&self) -> String {
        self.parsed.issuer().to_string()
    }

    /// DER of the subject's name.
    pub(crate) fn subject(&self) -> &[u8] {
        self.parsed.subject().as_raw()
    }

    /// DER of the issuer's name.
    pub(crate) fn issuer(&self) -> &[u8] {
        self.parsed.issuer().as_raw()
    }

    /// Whether the subject has an attribute of that type, with that text.
    ///
    /// By type, never by printed name: RSA-rooted phones write `O=TEE,CN=…`, others `CN=…,O=TEE`.
    pub(crate) fn subject_has(&self, attribute: &Oid<'_>, text: &str) -> bool {
        self.subject_texts(attribute).any(|value| value == text)
    }

    pub(crate) fn subject_texts(&self, attribute: &Oid<'_>) -> impl Iterator<Item = &str> {
        self.parsed
            .subject()
            .iter_attributes()
            .filter(move |found| found.attr_type() == attribute)
            .filter_map(|found| found.as_str().ok())
    }

    pub(crate) fn serial(&self) -> SerialNumber {
        SerialNumber::from_bytes(self.parsed.raw_serial())
    }

    /// Content of the serial number's INTEGER.
    pub(crate) fn raw_serial(&self) -> &[u8] {
        self.parsed.raw_serial()
    }

    pub(crate) fn not_before(&self) -> UnixTime {
        UnixTime(self.parsed.validity().not_before.timestamp())
    }

    pub(crate) fn not_after(&self) -> UnixTime {
        UnixTime(self.parsed.validity().not_after.timestamp())
    }

    /// Signed by `key`, with one and the same algorithm inside and outside the signed part
    /// (RFC 5280 section 4.1.1.2): the outer one is not covered by the signature. `None` is a key with
    /// which nothing is signed that we accept.
    pub(crate) fn is_signed_by(&self, key: Option<&IssuerKey>) -> Result<(), SignatureFault> {
        let inner = &self.parsed.tbs_certificate.signature;
        if inner.algorithm.as_bytes() != self.envelope.algorithm {
            return Err(SignatureFault::AlgorithmMismatch);
        }
        let algorithm = SignatureAlgorithm::of(inner).ok_or(SignatureFault::Unsupported)?;
        let key = key.ok_or(SignatureFault::Unsupported)?;
        key.verify(
            algorithm,
            self.parsed.tbs_certificate.as_ref(),
            self.envelope.signature,
        )
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
        null_or_nothing(identifier)?;
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

/// Parameters that say nothing.
fn null_or_nothing(mut parameters: Reader<'_>) -> Result<(), DerFault> {
    if !parameters.is_empty() {
        parameters.expect(Tag::NULL)?;
    }
    parameters.finish()
}
