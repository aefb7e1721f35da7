//! PKCS#7 / CMS `SignedData` as app signing uses it: in JAR signatures, Apple's code signatures and profiles.
//!
//! Reads the structure and verifies one signer's signature. Whether a signature is demanded, by whom and on which levels
//! is for the callers. It is BER, not DER: nothing is re-encoded, because digests are over the bytes as received.

use crate::certificate::{Certificate, is_same_name, is_same_number};
use crate::der::{self, Reader, Value};
use crate::public_key::{Hash, Padding, PublicKey};

const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
/// Real files have one to four; each costs a signature verification.
const MAX_SIGNERS: usize = 16;
const MAX_CERTIFICATES: usize = 64;
const MAX_ATTRIBUTES: usize = 256;

/// `SignedData`.
#[derive(Debug)]
pub(crate) struct SignedData {
    /// Type of what is signed.
    pub(crate) content_type: String,
    /// What is signed, if it is carried inside.
    pub(crate) content: Option<Vec<u8>>,
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) signers: Vec<SignerInfo>,
}

/// `SignerInfo`.
#[derive(Debug)]
pub(crate) struct SignerInfo {
    issuer: Vec<u8>,
    serial: Vec<u8>,
    pub(crate) digest_algorithm: String,
    pub(crate) signature_algorithm: String,
    /// All bytes of the signed attributes, with the outer tag as it is written.
    signed_attributes: Option<Vec<u8>>,
    signature: Vec<u8>,
}

/// One signed attribute: its type and the raw content of its set of values.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) oid: String,
    values: Vec<u8>,
}

impl SignedData {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut info = Reader::new(bytes).sequence()?;
        if der::dotted(info.expect_tag(der::OID)?.content)? != SIGNED_DATA {
            return None;
        }
        let mut data = info.expect_tag(0xa0)?.inside().sequence()?;
        data.expect_tag(der::INTEGER)?;
        data.expect_tag(der::SET)?;
        let mut content_info = data.sequence()?;
        let content_type = der::dotted(content_info.expect_tag(der::OID)?.content)?;
        let content = match content_info.optional(0xa0) {
            Some(wrapped) => Some(wrapped.inside().value()?.octets()?),
            None => None,
        };
        let mut certificates = Vec::new();
        if let Some(bag) = data.optional(0xa0) {
            let mut bag = bag.inside();
            while !bag.is_empty() {
                certificates.push(Certificate::parse(bag.expect_tag(der::SEQUENCE)?.raw)?);
            }
        }
        data.optional(0xa1);
        let mut infos = data.expect_tag(der::SET)?.inside();
        let mut signers = Vec::new();
        while !infos.is_empty() {
            signers.push(SignerInfo::parse(infos.sequence()?)?);
        }
        let fits = signers.len() <= MAX_SIGNERS && certificates.len() <= MAX_CERTIFICATES;
        fits.then_some(Self {
            content_type,
            content,
            certificates,
            signers,
        })
    }

    /// The certificate that a signer names. The bag may hold unrelated ones, and in any order.
    pub(crate) fn certificate_of(&self, signer: &SignerInfo) -> Option<&Certificate> {
        self.certificates.iter().find(|known| {
            is_same_number(&known.serial, &signer.serial)
                && is_same_name(&known.issuer, &signer.issuer)
        })
    }
}

impl SignerInfo {
    fn parse(mut fields: Reader<'_>) -> Option<Self> {
        fields.expect_tag(der::INTEGER)?;
        // Android and Apple name the signer by issuer and serial number only.
        let mut identifier = fields.sequence()?;
        let issuer = identifier.expect_tag(der::SEQUENCE)?.raw.to_vec();
        let serial = identifier.expect_tag(der::INTEGER)?.content.to_vec();
        let digest_algorithm = algorithm(fields.sequence()?)?;
        let signed_attributes = fields
            .optional(0xa0)
            .map(|attributes| attributes.raw.to_vec());
        let signature_algorithm = algorithm(fields.sequence()?)?;
        let signature = fields.value()?.octets()?;
        Some(Self {
            issuer,
            serial,
            digest_algorithm,
            signature_algorithm,
            signed_attributes,
            signature,
        })
    }

    pub(crate) const fn has_attributes(&self) -> bool {
        self.signed_attributes.is_some()
    }

    /// The signed attributes. `None`: they cannot be read, or one comes twice (then readers differ about which counts).
    pub(crate) fn attributes(&self) -> Option<Vec<Attribute>> {
        let raw = self.signed_attributes.as_deref().unwrap_or_default();
        let mut found: Vec<Attribute> = Vec::new();
        if raw.is_empty() {
            return Some(found);
        }
        let mut reader = Reader::new(raw).value()?.inside();
        while !reader.is_empty() {
            let mut attribute = reader.sequence()?;
            let oid = der::dotted(attribute.expect_tag(der::OID)?.content)?;
            let values = attribute.expect_tag(der::SET)?.content.to_vec();
            if found.len() == MAX_ATTRIBUTES || found.iter().any(|known| known.oid == oid) {
                return None;
            }
            found.push(Attribute { oid, values });
        }
        Some(found)
    }

    /// Whether the signature verifies with the certificate's key, over the attributes or else over `content`.
    ///
    /// Attributes are hashed as received but for their first byte, which becomes the tag of a SET: re-sorting or
    /// re-encoding them, as the standard asks, would refuse files that every phone accepts.
    pub(crate) fn verifies(&self, certificate: &Certificate, content: &[u8]) -> bool {
        let Some((padding, hash)) =
            signature_scheme(&self.digest_algorithm, &self.signature_algorithm)
        else {
            return false;
        };
        let Some(key) = PublicKey::parse(&certificate.public_key_info) else {
            return false;
        };
        match &self.signed_attributes {
            Some(raw) => {
                let mut message = raw.clone();
                if let Some(tag) = message.first_mut() {
                    *tag = der::SET;
                }
                key.verify(padding, hash, &message, &self.signature)
            }
            None => key.verify(padding, hash, content, &self.signature),
        }
    }
}

impl Attribute {
    /// The only value; `None` if there are none, several, or it does not fit.
    pub(crate) fn single(&self) -> Option<Value<'_>> {
        let mut reader = Reader::new(&self.values);
        let value = reader.value()?;
        reader.is_empty().then_some(value)
    }
}

/// The `contentType` attribute among these.
pub(crate) fn content_type(attributes: &[Attribute]) -> Option<String> {
    let attribute = attributes
        .iter()
        .find(|attribute| attribute.oid == CONTENT_TYPE)?;
    let value = attribute.single()?;
    if value.tag == der::OID {
        der::dotted(value.content)
    } else {
        None
    }
}

/// The `messageDigest` attribute among these.
pub(crate) fn message_digest(attributes: &[Attribute]) -> Option<Vec<u8>> {
    attributes
        .iter()
        .find(|attribute| attribute.oid == MESSAGE_DIGEST)?
        .single()?
        .octets()
}

fn algorithm(mut identifier: Reader<'_>) -> Option<String> {
    der::dotted(identifier.expect_tag(der::OID)?.content)
}

/// The hash function with this object identifier.
pub(crate) fn hash_by_oid(oid: &str) -> Option<Hash> {
    Some(match oid {
        "1.2.840.113549.2.5" => Hash::Md5,
        "1.3.14.3.2.26" => Hash::Sha1,
        "2.16.840.1.101.3.4.2.4" => Hash::Sha224,
        "2.16.840.1.101.3.4.2.1" => Hash::Sha256,
        "2.16.840.1.101.3.4.2.2" => Hash::Sha384,
        "2.16.840.1.101.3.4.2.3" => Hash::Sha512,
        _ => return None,
    })
}

/// What a signature algorithm's identifier says: the kind, and the hash unless it is left to the digest algorithm.
pub(crate) fn signature_by_oid(oid: &str) -> Option<(Padding, Option<Hash>)> {
    use Padding::{Dsa, Ecdsa, RsaPkcs1};
    Some(match oid {
        "1.2.840.113549.1.1.1" => (RsaPkcs1, None),
        "1.2.840.113549.1.1.4" => (RsaPkcs1, Some(Hash::Md5)),
        "1.2.840.113549.1.1.5" => (RsaPkcs1, Some(Hash::Sha1)),
        "1.2.840.113549.1.1.14" => (RsaPkcs1, Some(Hash::Sha224)),
        "1.2.840.113549.1.1.11" => (RsaPkcs1, Some(Hash::Sha256)),
        "1.2.840.113549.1.1.12" => (RsaPkcs1, Some(Hash::Sha384)),
        "1.2.840.113549.1.1.13" => (RsaPkcs1, Some(Hash::Sha512)),
        "1.2.840.10040.4.1" => (Dsa, None),
        "1.2.840.10040.4.3" => (Dsa, Some(Hash::Sha1)),
        "2.16.840.1.101.3.4.3.1" => (Dsa, Some(Hash::Sha224)),
        "2.16.840.1.101.3.4.3.2" => (Dsa, Some(Hash::Sha256)),
        "1.2.840.10045.2.1" => (Ecdsa, None),
        "1.2.840.10045.4.1" => (Ecdsa, Some(Hash::Sha1)),
        "1.2.840.10045.4.3.1" => (Ecdsa, Some(Hash::Sha224)),
        "1.2.840.10045.4.3.2" => (Ecdsa, Some(Hash::Sha256)),
        "1.2.840.10045.4.3.3" => (Ecdsa, Some(Hash::Sha384)),
        "1.2.840.10045.4.3.4" => (Ecdsa, Some(Hash::Sha512)),
        _ => return None,
    })
}

/// How to verify: the signature algorithm's own hash, or the digest algorithm's where it names none.
pub(crate) fn signature_scheme(digest: &str, signature: &str) -> Option<(Padding, Hash)> {
    let (padding, hash) = signature_by_oid(signature)?;
    Some((padding, hash.or_else(|| hash_by_oid(digest))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identifier_means_what_the_standards_say() {
        use Hash::{Md5, Sha1, Sha224, Sha256, Sha384, Sha512};
        use Padding::{Dsa, Ecdsa, RsaPkcs1};
        for (oid, hash) in [
            ("1.2.840.113549.2.5", Md5),
            ("1.3.14.3.2.26", Sha1),
            ("2.16.840.1.101.3.4.2.4", Sha224),
            ("2.16.840.1.101.3.4.2.1", Sha256),
            ("2.16.840.1.101.3.4.2.2", Sha384),
            ("2.16.840.1.101.3.4.2.3", Sha512),
        ] {
            assert_eq!(hash_by_oid(oid), Some(hash), "{oid}");
        }
        for (oid, padding, hash) in [
            ("1.2.840.113549.1.1.1", RsaPkcs1, None),
            ("1.2.840.113549.1.1.4", RsaPkcs1, Some(Md5)),
            ("1.2.840.113549.1.1.5", RsaPkcs1, Some(Sha1)),
            ("1.2.840.113549.1.1.14", RsaPkcs1, Some(Sha224)),
            ("1.2.840.113549.1.1.11", RsaPkcs1, Some(Sha256)),
            ("1.2.840.113549.1.1.12", RsaPkcs1, Some(Sha384)),
            ("1.2.840.113549.1.1.13", RsaPkcs1, Some(Sha512)),
            ("1.2.840.10040.4.1", Dsa, None),
            ("1.2.840.10040.4.3", Dsa, Some(Sha1)),
            ("2.16.840.1.101.3.4.3.1", Dsa, Some(Sha224)),
            ("2.16.840.1.101.3.4.3.2", Dsa, Some(Sha256)),
            ("1.2.840.10045.2.1", Ecdsa, None),
            ("1.2.840.10045.4.1", Ecdsa, Some(Sha1)),
            ("1.2.840.10045.4.3.1", Ecdsa, Some(Sha224)),
            ("1.2.840.10045.4.3.2", Ecdsa, Some(Sha256)),
            ("1.2.840.10045.4.3.3", Ecdsa, Some(Sha384)),
            ("1.2.840.10045.4.3.4", Ecdsa, Some(Sha512)),
        ] {
            assert_eq!(signature_by_oid(oid), Some((padding, hash)), "{oid}");
            let chosen = signature_scheme("1.3.14.3.2.26", oid);
            assert_eq!(chosen, Some((padding, hash.unwrap_or(Sha1))), "{oid}");
        }
        assert_eq!(hash_by_oid("1.2.3"), None);
        assert_eq!(signature_by_oid("1.2.3"), None);
    }
}
