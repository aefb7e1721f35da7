//! The few parts of an X.509 certificate that app signing uses.
//!
//! In app signing a certificate is a container for a key: chain, dates and names decide nothing, and its digest over the
//! original bytes is the identity. So this reads tolerantly (Android accepts certificates that are not DER) and decides
//! nothing but where the key is.

use sha2::{Digest, Sha256};

use crate::der::{self, BIT_STRING, INTEGER, Reader, SEQUENCE};
use crate::inspection::{CertificateSummary, Sha256Digest};
use crate::public_key::PublicKey;

/// A certificate, by its own bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) der: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) public_key_info: Vec<u8>,
    /// `notBefore` and `notAfter`, as they are written.
    pub(crate) validity: Vec<u8>,
    /// The content of the extensions' SEQUENCE, or empty.
    pub(crate) extensions: Vec<u8>,
    /// The signed part, all bytes.
    pub(crate) to_be_signed: Vec<u8>,
    /// Content of the outer signature algorithm and the signature bits.
    pub(crate) signature_algorithm: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Certificate {
    /// Reads one certificate that starts at the first byte; trailing bytes after it stay part of [`Self::der`], because
    /// Android digests what the artifact stores.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut outer = Reader::new(bytes).sequence()?;
        let signed = outer.expect_tag(SEQUENCE)?;
        let algorithm = outer.expect_tag(SEQUENCE)?;
        let signature = outer.expect_tag(BIT_STRING)?.whole_bits()?;
        let mut fields = signed.inside();
        fields.optional(0xa0);
        let serial = fields.expect_tag(INTEGER)?;
        fields.expect_tag(SEQUENCE)?;
        let issuer = fields.expect_tag(SEQUENCE)?;
        let validity = fields.expect_tag(SEQUENCE)?;
        let subject = fields.expect_tag(SEQUENCE)?;
        let key = fields.expect_tag(SEQUENCE)?;
        fields.optional(0x81);
        fields.optional(0x82);
        let extensions = match fields.optional(0xa3) {
            Some(wrapped) => wrapped.inside().expect_tag(SEQUENCE)?.content,
            None => &[],
        };
        Some(Self {
            der: bytes.to_vec(),
            issuer: issuer.raw.to_vec(),
            serial: serial.content.to_vec(),
            subject: subject.raw.to_vec(),
            public_key_info: key.raw.to_vec(),
            validity: validity.content.to_vec(),
            extensions: extensions.to_vec(),
            to_be_signed: signed.raw.to_vec(),
            signature_algorithm: algorithm.content.to_vec(),
            signature: signature.to_vec(),
        })
    }

    pub(crate) fn sha256(&self) -> Sha256Digest {
        Sha256Digest(Sha256::digest(&self.der).into())
    }

    pub(crate) fn summary(&self) -> CertificateSummary {
        CertificateSummary {
            sha256: self.sha256(),
            subject: display_name(&self.subject),
            key: PublicKey::parse(&self.public_key_info)
                .map_or_else(|| "unreadable key".to_owned(), |key| key.describe()),
        }
    }

    /// The certificate that Android's build tools make on every developer's machine.
    pub(crate) fn is_android_debug(&self) -> bool {
        name_attribute(&self.subject, "2.5.4.3").as_deref() == Some("Android Debug")
    }
}

/// A distinguished name in the order it is written, as `CN=…, O=…`.
pub(crate) fn display_name(name: &[u8]) -> String {
    let parts: Vec<String> = attributes(name)
        .into_iter()
        .map(|(oid, value)| {
            let label = match oid.as_str() {
                "2.5.4.3" => "CN",
                "2.5.4.6" => "C",
                "2.5.4.7" => "L",
                "2.5.4.8" => "ST",
                "2.5.4.10" => "O",
                "2.5.4.11" => "OU",
                "0.9.2342.19200300.100.1.1" => "UID",
                "1.2.840.113549.1.9.1" => "emailAddress",
                other => other,
            };
            format!("{label}={value}")
        })
        .collect();
    parts.join(", ")
}

/// The first value of one attribute (by dotted object identifier) in a distinguished name.
pub(crate) fn name_attribute(name: &[u8], wanted: &str) -> Option<String> {
    attributes(name)
        .into_iter()
        .find(|(oid, _)| oid == wanted)
        .map(|(_, value)| value)
}

/// Whether two distinguished names are the same: as X.500 compares them, without case, string type and extra spaces.
pub(crate) fn is_same_name(one: &[u8], other: &[u8]) -> bool {
    let canonical = |name| -> Vec<(String, String)> {
        attributes(name)
            .into_iter()
            .map(|(oid, value)| {
                let words: Vec<_> = value.split_whitespace().map(str::to_lowercase).collect();
                (oid, words.join(" "))
            })
            .collect()
    };
    one == other || canonical(one) == canonical(other)
}

/// Whether two INTEGERs are the same number, written with as many leading bytes as one likes.
pub(crate) fn is_same_number(one: &[u8], other: &[u8]) -> bool {
    let negative = |number: &[u8]| number.first().is_some_and(|byte| byte & 0x80 != 0);
    let trimmed = |number: &[u8], fill: u8| -> Vec<u8> {
        number
            .iter()
            .copied()
            .skip_while(|byte| *byte == fill)
            .collect()
    };
    let fill = if negative(one) { 0xff } else { 0 };
    negative(one) == negative(other) && trimmed(one, fill) == trimmed(other, fill)
}

fn attributes(name: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let Some(mut sets) = Reader::new(name).sequence() else {
        return found;
    };
    while let Some(set) = sets.value() {
        let mut pairs = set.inside();
        while let Some(mut pair) = pairs.sequence() {
            let oid = pair
                .expect_tag(der::OID)
                .and_then(|oid| der::dotted(oid.content));
            if let (Some(oid), Some(value)) = (oid, pair.value()) {
                found.push((oid, text(value.tag, value.content)));
            }
        }
    }
    found
}

/// Text for people: control characters would let a certificate draw on the terminal.
fn text(tag: u8, content: &[u8]) -> String {
    const BMP_STRING: u8 = 0x1e;
    let decoded = if tag == BMP_STRING {
        let units: Vec<u16> = content
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u16::from_be_bytes(*pair))
            .collect();
        String::from_utf16_lossy(&units)
    } else {
        String::from_utf8_lossy(content).into_owned()
    };
    decoded
        .chars()
        .filter(|c| !c.is_control())
        .take(120)
        .collect()
}
