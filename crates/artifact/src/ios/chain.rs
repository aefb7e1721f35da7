//! Whether a signing certificate comes from Apple: the chain to Apple's root, by signatures.
//!
//! Decides nothing about dates: app signatures outlive certificates by design, and revocation needs a network.

use crate::certificate::{Certificate, display_name};
use crate::der::{self, Reader};
use crate::pkcs7::signature_by_oid;
use crate::public_key::PublicKey;

/// The public key of "Apple Root CA" (2006 to 2035, SHA-256 of the certificate `b0b1730e…1001f024`), under which all of
/// Apple's code signing is. The key and not the certificate, because profiles carry an older certificate of the same key.
const APPLE_ROOT_KEY: &[u8] = include_bytes!("apple-root-ca.spki");
const APPLE_ROOT_NAME: &str =
    "C=US, O=Apple Inc., OU=Apple Certification Authority, CN=Apple Root CA";
const MAX_LENGTH: usize = 6;
const EXTENSION_BASIC_CONSTRAINTS: &str = "2.5.29.19";

/// Whether `leaf` chains to Apple's root through certificates that came with it.
pub(crate) fn is_apple(leaf: &Certificate, others: &[Certificate]) -> bool {
    let mut current = leaf;
    for _ in 0..MAX_LENGTH {
        if display_name(&current.issuer) == APPLE_ROOT_NAME && signed_by(current, APPLE_ROOT_KEY) {
            return true;
        }
        let issuer = others.iter().find(|candidate| {
            candidate.der != current.der
                && candidate.subject == current.issuer
                && is_authority(candidate)
                && signed_by(current, &candidate.public_key_info)
        });
        let Some(issuer) = issuer else { return false };
        current = issuer;
    }
    false
}

fn signed_by(certificate: &Certificate, public_key_info: &[u8]) -> bool {
    let algorithm = Reader::new(&certificate.signature_algorithm).expect_tag(der::OID);
    let scheme = algorithm
        .and_then(|oid| der::dotted(oid.content))
        .as_deref()
        .and_then(signature_by_oid);
    let (Some((padding, Some(hash))), Some(key)) = (scheme, PublicKey::parse(public_key_info))
    else {
        return false;
    };
    key.verify(
        padding,
        hash,
        &certificate.to_be_signed,
        &certificate.signature,
    )
}

/// Without this any developer's certificate could issue others.
fn is_authority(certificate: &Certificate) -> bool {
    let mut extensions = Reader::new(&certificate.extensions);
    while let Some(mut extension) = extensions.sequence() {
        let oid = extension
            .expect_tag(der::OID)
            .and_then(|oid| der::dotted(oid.content));
        if oid.as_deref() == Some(EXTENSION_BASIC_CONSTRAINTS) {
            extension.optional(der::BOOLEAN);
            let value = extension
                .expect_tag(der::OCTET_STRING)
                .map(|value| value.content);
            let fields = value.and_then(|value| Reader::new(value).sequence());
            let flag = fields.and_then(|mut fields| fields.expect_tag(der::BOOLEAN));
            return flag.is_some_and(|flag| flag.content != [0]);
        }
    }
    false
}
