//! A receipt: Apple's word, from its servers, on how often a phone attested keys for this app.
//!
//! Decides whether Apple signed it, for this app and key, and whether it still counts. It refuses to judge
//! the risk metric. Receipts chain to Apple Root CA - G3, not to the root of attestations.
//!
//! CMS `SignedData` (RFC 5652) in BER. One oddity is refused by name: receipts of August and September 2020
//! carry signed attributes while the signature is over the bare content. A verifier that tries both readings
//! lets the attributes say anything.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use x509_parser::asn1_rs::oid;
use x509_parser::der_parser::Oid;

use super::MAX_RECEIPT_BYTES;
use super::attestation::{anchor_of, certificate, in_time, issued};
use crate::anchors::Anchors;
use crate::ber;
use crate::der::{self, Class, DerFault, Element, Reader, Tag};
use crate::x509::Certificate;
use crate::{Reject, Sha256Digest, UnixTime};

/// Marks a certificate that may sign receipts.
const RECEIPT_SIGNER: Oid<'static> = oid!(1.2.840.113635.100.12.15);
const SIGNED_DATA: Oid<'static> = oid!(1.2.840.113549.1.7.2);
const DATA: Oid<'static> = oid!(1.2.840.113549.1.7.1);
const MESSAGE_DIGEST: Oid<'static> = oid!(1.2.840.113549.1.9.4);
const SHA256: Oid<'static> = oid!(2.16.840.1.101.3.4.2.1);
const ECDSA_WITH_SHA256: Oid<'static> = oid!(1.2.840.10045.4.3.2);
/// Most fields; Apple writes eleven.
const MOST_FIELDS: usize = 64;

/// A receipt and what it must be about.
#[derive(Clone, Copy, Debug)]
pub struct Receipt<'a> {
    /// CMS `SignedData`.
    pub object: &'a [u8],
    /// `TEAMID.bundle.identifier`.
    pub app_id: &'a str,
    /// The attested key, an uncompressed P-256 point.
    pub public_key: ExpectedPublicKey<'a>,
    /// Where the signer's chain must end.
    pub anchors: &'a Anchors,
    /// The moment for which the question is asked.
    pub now: UnixTime,
}

/// The key that the receipt must be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedPublicKey<'a> {
    /// Exactly this.
    Exactly(&'a [u8]),
    /// Whatever it is. For looking at receipts by hand.
    NotCompared,
}

/// What kind of receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReceiptType {
    /// Came with an attestation; has no metric.
    Attest,
    /// Fetched later.
    Receipt,
}

/// What an authentic receipt says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptFacts {
    /// Its kind.
    pub receipt_type: ReceiptType,
    /// `production` or `sandbox`, as written; Apple documents neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Roughly how many keys this phone attested for this app in the last 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk_metric: Option<u32>,
    /// RFC 3339, as written.
    pub created: String,
    /// The next one can be fetched after this; RFC 3339, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// RFC 3339, as written.
    pub expires: String,
    /// Numbers of all fields.
    pub fields: Vec<u32>,
}

/// Authenticates a receipt.
pub fn verify_receipt(receipt: &Receipt<'_>) -> Result<ReceiptFacts, Reject> {
    if receipt.object.len() > MAX_RECEIPT_BYTES {
        return Err(Reject::ObjectTooLarge);
    }
    let der = ber::to_der(receipt.object).map_err(malformed)?;
    der::check_structure(&der, 16).map_err(malformed)?;
    let signed = SignedData::read(&der).map_err(malformed)?;
    let fields = fields(signed.content).map_err(malformed)?;
    let facts = facts(&fields)?;
    let created = time(&facts.created)?;
    signed.verify(receipt.anchors, created)?;
    if fields.get(&2) != Some(&receipt.app_id.as_bytes()) {
        return Err(Reject::AppIdMismatch);
    }
    if let ExpectedPublicKey::Exactly(expected) = receipt.public_key {
        about_key(fields.get(&3).copied(), expected)?;
    }
    if receipt.now < created || receipt.now > time(&facts.expires)? {
        return Err(Reject::ReceiptStale);
    }
    Ok(facts)
}

fn malformed(fault: DerFault) -> Reject {
    Reject::ObjectMalformed {
        reason: fault.as_str(),
    }
}

fn time(text: &str) -> Result<UnixTime, Reject> {
    UnixTime::parse_rfc3339(text).map_err(|_| Reject::ObjectMalformed {
        reason: "a date that is not RFC 3339",
    })
}

/// The parts of CMS that count.
struct SignedData<'a> {
    content: &'a [u8],
    certificates: Vec<&'a [u8]>,
    signer: SignerInfo<'a>,
}

struct SignerInfo<'a> {
    /// Issuer and serial number, DER.
    issuer: &'a [u8],
    serial: &'a [u8],
    signed_attributes: Option<Element<'a>>,
    signature: &'a [u8],
}

const fn context(number: u32) -> Tag {
    Tag {
        class: Class::Context,
        constructed: true,
        number,
    }
}

fn expect_oid(reader: &mut Reader<'_>, oid: &Oid<'_>) -> Result<(), DerFault> {
    let found = reader.expect(Tag::OBJECT_IDENTIFIER)?.content;
    if found == oid.as_bytes() {
        Ok(())
    } else {
        Err(DerFault::UnexpectedTag)
    }
}

/// `SEQUENCE { algorithm, NULL or nothing }`
fn expect_algorithm(reader: &mut Reader<'_>, oid: &Oid<'_>) -> Result<(), DerFault> {
    let mut identifier = reader.expect(Tag::SEQUENCE)?.reader();
    expect_oid(&mut identifier, oid)?;
    if !identifier.is_empty() {
        identifier.expect(Tag::NULL)?;
    }
    identifier.finish()
}

impl<'a> SignedData<'a> {
    fn read(der: &'a [u8]) -> Result<Self, DerFault> {
        let mut info = der::sole(der, Tag::SEQUENCE)?;
        expect_oid(&mut info, &SIGNED_DATA)?;
        let mut wrapped = info.expect(context(0))?.reader();
        info.finish()?;
        let mut members = wrapped.expect(Tag::SEQUENCE)?.reader();
        wrapped.finish()?;
        members.integer()?; // version
        members.expect(Tag::SET)?; // digest algorithms, said again by the signer
        let mut encapsulated = members.expect(Tag::SEQUENCE)?.reader();
        expect_oid(&mut encapsulated, &DATA)?;
        let content = encapsulated.expect(context(0))?.reader().octets()?;
        let mut set = members.expect(context(0))?.reader();
        let mut certificates = Vec::new();
        while !set.is_empty() && certificates.len() < 8 {
            certificates.push(set.whole(Tag::SEQUENCE)?);
        }
        let mut signers = members.expect(Tag::SET)?.reader();
        members.finish()?;
        let signer = SignerInfo::read(signers.expect(Tag::SEQUENCE)?)?;
        signers.finish()?; // one signer: a second one would be read by nobody
        Ok(Self {
            content,
            certificates,
            signer,
        })
    }

    /// Chain, marker and signature, as they were when the receipt was made: signing certificates live about
    /// a year, receipts are kept.
    fn verify(&self, anchors: &Anchors, created: UnixTime) -> Result<(), Reject> {
        let parsed: Vec<Certificate<'_>> = self
            .certificates
            .iter()
            .zip(0..)
            .map(|(der, position)| certificate(der, position))
            .collect::<Result<_, _>>()?;
        let signs = |certificate: &&Certificate<'_>| {
            certificate.issuer() == self.signer.issuer
                && certificate.raw_serial() == self.signer.serial
        };
        let leaf = parsed.iter().find(signs).ok_or(Reject::ChainLength)?;
        let issues = |certificate: &&Certificate<'_>| certificate.subject() == leaf.issuer();
        let intermediate = parsed.iter().find(issues).ok_or(Reject::ChainLength)?;
        anchor_of(intermediate, anchors)?;
        issued(leaf, intermediate)?;
        in_time(leaf, 0, created)?;
        in_time(intermediate, 1, created)?;
        leaf.extension(&RECEIPT_SIGNER)
            .ok_or(Reject::ReceiptSignerUnmarked)?;
        let key = leaf.key().ok_or(Reject::ReceiptSignatureInvalid)?;
        let message = self.signed_message()?;
        key.verify_ecdsa_sha256(&message, self.signer.signature)
            .map_err(|_| Reject::ReceiptSignatureInvalid)
    }

    /// RFC 5652 section 5.4: with signed attributes, the signature is over those, as a SET, and one of them
    /// is the digest of the content.
    fn signed_message(&self) -> Result<Vec<u8>, Reject> {
        let Some(attributes) = self.signer.signed_attributes else {
            return Ok(self.content.to_vec());
        };
        let digest = message_digest(attributes).map_err(malformed)?;
        if digest != Sha256Digest::of(self.content).0 {
            return Err(Reject::ReceiptSignatureInvalid);
        }
        ber::definite(0x31, attributes.content).map_err(malformed)
    }
}

impl<'a> SignerInfo<'a> {
    fn read(info: Element<'a>) -> Result<Self, DerFault> {
        let mut members = info.reader();
        members.integer()?; // version
        let mut identifier = members.expect(Tag::SEQUENCE)?.reader();
        let issuer = identifier.whole(Tag::SEQUENCE)?;
        let serial = identifier.expect(Tag::INTEGER)?.content;
        identifier.finish()?;
        expect_algorithm(&mut members, &SHA256)?;
        let signed_attributes = members.optional(context(0))?;
        expect_algorithm(&mut members, &ECDSA_WITH_SHA256)?;
        let signature = members.octets()?;
        members.optional(context(1))?; // unsigned attributes: nobody's word
        members.finish()?;
        Ok(Self {
            issuer,
            serial,
            signed_attributes,
            signature,
        })
    }
}

/// The attribute's only value; the attribute must be there once.
fn message_digest(attributes: Element<'_>) -> Result<&[u8], DerFault> {
    let mut list = attributes.reader();
    let mut digest = None;
    while !list.is_empty() {
        let mut attribute = list.expect(Tag::SEQUENCE)?.reader();
        let name = attribute.expect(Tag::OBJECT_IDENTIFIER)?.content;
        let mut values = attribute.expect(Tag::SET)?.reader();
        attribute.finish()?;
        if name == MESSAGE_DIGEST.as_bytes() {
            let value = values.octets()?;
            values.finish()?;
            if digest.replace(value).is_some() {
                return Err(DerFault::TrailingBytes);
            }
        }
    }
    digest.ok_or(DerFault::Truncated)
}

/// `SET OF SEQUENCE { type INTEGER, version INTEGER, value OCTET STRING }`; a type that occurs twice is
/// refused.
fn fields(content: &[u8]) -> Result<BTreeMap<u32, &[u8]>, DerFault> {
    let mut set = der::sole(content, Tag::SET)?;
    let mut fields = BTreeMap::new();
    while !set.is_empty() {
        let mut field = set.expect(Tag::SEQUENCE)?.reader();
        let number = u32::try_from(field.integer()?).map_err(|_| DerFault::Integer)?;
        field.integer()?; // version of the field
        let value = field.octets()?;
        field.finish()?;
        if fields.insert(number, value).is_some() || fields.len() > MOST_FIELDS {
            return Err(DerFault::TrailingBytes);
        }
    }
    Ok(fields)
}

fn facts(fields: &BTreeMap<u32, &[u8]>) -> Result<ReceiptFacts, Reject> {
    let incomplete = Reject::ObjectMalformed {
        reason: "a receipt field is missing or no text",
    };
    let text = |number: u32| {
        fields
            .get(&number)
            .map(|value| std::str::from_utf8(value).map(str::to_owned))
            .transpose()
    };
    let optional = |number| text(number).map_err(|_| incomplete.clone());
    let required = |number| optional(number)?.ok_or(incomplete.clone());
    Ok(ReceiptFacts {
        receipt_type: match required(6)?.as_str() {
            "ATTEST" => ReceiptType::Attest,
            "RECEIPT" => ReceiptType::Receipt,
            _ => {
                return Err(Reject::ObjectMalformed {
                    reason: "another type of receipt",
                });
            }
        },
        environment: optional(7)?,
        risk_metric: optional(17)?
            .map(|metric| metric.parse().map_err(|_| incomplete.clone()))
            .transpose()?,
        created: required(12)?,
        not_before: optional(19)?,
        expires: required(21)?,
        fields: fields.keys().copied().collect(),
    })
}

/// Field 3 holds the attested certificate.
fn about_key(field: Option<&[u8]>, expected: &[u8]) -> Result<(), Reject> {
    let attested = certificate(field.ok_or(Reject::KeyIdMismatch)?, 0)?;
    let key = attested.key();
    match key.as_ref().and_then(|key| key.p256_point()) {
        Some(point) if point == expected => Ok(()),
        _ => Err(Reject::KeyIdMismatch),
    }
}
