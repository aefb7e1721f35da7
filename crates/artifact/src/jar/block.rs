//! A signature block (`.RSA`, `.DSA`, `.EC`) against its signature file: what each signer in it amounts to.
//!
//! Verifies each once, whatever the Android level; which of the faults count on which levels is decided in `judge`.

use crate::certificate::Certificate;
use crate::der::{self, Reader};
use crate::finding::{Code, Finding};
use crate::pkcs7::{self, SignedData, SignerInfo};

/// What one `SignerInfo` amounts to.
#[derive(Debug)]
pub(crate) struct SignerFacts {
    pub(crate) digest_algorithm: String,
    pub(crate) signature_algorithm: String,
    pub(crate) has_attributes: bool,
    pub(crate) content_type: ContentType,
    /// The signer's certificate, if its signature over the file verifies.
    pub(crate) verified: Option<Certificate>,
    /// A fault that ends verification on every level, whatever other signers there are.
    pub(crate) fatal: Option<Finding>,
}

/// The signed `contentType` attribute, which only Android 7 and later look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentType {
    Missing,
    Wrong,
    Right,
}

/// Verifies each signer of the block over the signature file's bytes.
pub(crate) fn verify(block: &[u8], file: &[u8]) -> Result<Vec<SignerFacts>, Finding> {
    let malformed = |what| Finding::new(Code::JarBlockMalformed, what);
    let data = SignedData::parse(block).ok_or_else(|| malformed("not readable PKCS#7"))?;
    if data.signers.is_empty() {
        return Err(malformed("nobody signs"));
    }
    Ok(data
        .signers
        .iter()
        .map(|signer| facts(&data, signer, file))
        .collect())
}

fn facts(data: &SignedData, signer: &SignerInfo, file: &[u8]) -> SignerFacts {
    let mut facts = SignerFacts {
        digest_algorithm: signer.digest_algorithm.clone(),
        signature_algorithm: signer.signature_algorithm.clone(),
        has_attributes: signer.has_attributes(),
        content_type: ContentType::Right,
        verified: None,
        fatal: None,
    };
    let Some(certificate) = data.certificate_of(signer) else {
        facts.fatal = Some(Finding::new(
            Code::CertificateMissing,
            "the signer's is not in the block",
        ));
        return facts;
    };
    facts.fatal = check_certificate(certificate);
    let digest_matches = if facts.has_attributes {
        let attributes = signer.attributes();
        let digest = attributes.as_deref().and_then(pkcs7::message_digest);
        facts.content_type = content_type(data, attributes.as_deref().unwrap_or_default());
        let Some(digest) = digest else {
            let finding = Finding::new(
                Code::JarBlockMalformed,
                "signed attributes without one digest",
            );
            facts.fatal = facts.fatal.or(Some(finding));
            return facts;
        };
        pkcs7::hash_by_oid(&facts.digest_algorithm).is_some_and(|hash| hash.digest(file) == digest)
    } else {
        true
    };
    if digest_matches && signer.verifies(certificate, file) {
        facts.verified = Some(certificate.clone());
    }
    facts
}

fn content_type(data: &SignedData, attributes: &[pkcs7::Attribute]) -> ContentType {
    match pkcs7::content_type(attributes) {
        None => ContentType::Missing,
        Some(signed) if signed == data.content_type => ContentType::Right,
        Some(_) => ContentType::Wrong,
    }
}

/// Android refuses two things in a certificate here, and nothing else: not its age, not its chain.
fn check_certificate(certificate: &Certificate) -> Option<Finding> {
    const KEY_USAGE: &str = "2.5.29.15";
    const KNOWN: [&str; 20] = [
        "2.5.29.14",
        "2.5.29.15",
        "2.5.29.16",
        "2.5.29.17",
        "2.5.29.18",
        "2.5.29.19",
        "2.5.29.20",
        "2.5.29.27",
        "2.5.29.28",
        "2.5.29.30",
        "2.5.29.31",
        "2.5.29.32",
        "2.5.29.33",
        "2.5.29.35",
        "2.5.29.36",
        "2.5.29.37",
        "2.5.29.46",
        "2.5.29.54",
        "1.3.6.1.5.5.7.1.1",
        "2.16.840.1.113730.1.1",
    ];
    let mut extensions = Reader::new(&certificate.extensions);
    while let Some(mut extension) = extensions.sequence() {
        let oid = extension
            .expect_tag(der::OID)
            .and_then(|oid| der::dotted(oid.content));
        let critical = extension
            .optional(der::BOOLEAN)
            .is_some_and(|flag| flag.content != [0]);
        let oid = oid.unwrap_or_default();
        if critical && !KNOWN.contains(&oid.as_str()) {
            return Some(Finding::new(
                Code::CertificateUnsuitable,
                format!("critical extension {oid}"),
            ));
        }
        if oid == KEY_USAGE {
            let value = extension
                .expect_tag(der::OCTET_STRING)
                .map(|value| value.content);
            let bits = value.and_then(|value| Reader::new(value).expect_tag(der::BIT_STRING));
            let first = bits
                .and_then(|bits| bits.content.get(1))
                .copied()
                .unwrap_or(0);
            // digitalSignature and nonRepudiation
            if first & 0xc0 == 0 {
                return Some(Finding::new(
                    Code::CertificateUnsuitable,
                    "not for signatures",
                ));
            }
        }
    }
    None
}
