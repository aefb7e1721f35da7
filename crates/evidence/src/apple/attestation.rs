//! The attestation of a new key.
//!
//! Decides whether Apple vouches for the key, for that app, for that client data. Here strict path rules
//! are right: Apple writes the certificates itself, three at most, and dates are enforced. It refuses to
//! look at extended key usages: since January 2026 leaves carry one of Apple's own, older ones have none,
//! and neither says anything that the nonce does not.

use std::sync::Arc;

use x509_parser::asn1_rs::oid;
use x509_parser::der_parser::Oid;

use super::authenticator_data::{self, Credential, malformed};
use super::{AppAttestFacts, Environment, KeyIdComparison, MAX_OBJECT_BYTES};
use crate::anchors::{Anchor, Anchors};
use crate::android::{AuthorityMemory, ProvenAuthorities};
use crate::cbor::{self, Reader};
use crate::der::{self, Class, Tag};
use crate::x509::{Certificate, CertificateFault, SignatureFault};
use crate::{Context, ExpectedChallenge, Octets, Reject, Sha256Digest, UnixTime};

/// The extension with the nonce.
const NONCE: Oid<'static> = oid!(1.2.840.113635.100.8.2);

/// An attestation as an app sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppAttest<'a> {
    /// CBOR attestation object.
    pub object: &'a [u8],
    /// `TEAMID.bundle.identifier` of the app that it must be.
    pub app_id: &'a str,
    /// The key id that came with it.
    pub key_id: ExpectedKeyId<'a>,
}

/// The key id that the app named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedKeyId<'a> {
    /// Exactly this.
    Exactly(&'a [u8]),
    /// None: for looking at evidence by hand. The facts say so.
    NotCompared,
}

/// The parts of the object.
pub(crate) struct Object<'a> {
    pub(crate) certificates: Vec<&'a [u8]>,
    receipt: &'a [u8],
    pub(crate) authenticator_data: &'a [u8],
}

/// Authenticates. The challenge of the context is the client data hash, which covers the authenticator
/// data: where nobody says what it should be, nothing here is authentic.
pub(crate) fn verify(
    evidence: &AppAttest<'_>,
    context: &Context<'_>,
    memory: &dyn AuthorityMemory,
) -> Result<AppAttestFacts, Reject> {
    let object = parse(evidence.object)?;
    let data = object.authenticator_data;
    let (header, credential, behind) = authenticator_data::of_attestation(data)?;
    let [leaf, intermediate_der] = object.certificates.as_slice() else {
        return Err(Reject::ChainLength);
    };
    let (leaf, intermediate) = (certificate(leaf, 0)?, certificate(intermediate_der, 1)?);
    let anchor = remembered_anchor(intermediate_der, &intermediate, context.anchors, memory)?;
    issued(&leaf, &intermediate)?;
    in_time(&leaf, 0, context.now)?;
    in_time(&intermediate, 1, context.now)?;
    nonce(&leaf, data, context.challenge)?;
    let (public_key, key_id) = key(&leaf, &credential)?;
    let key_id_comparison = compare(key_id, evidence.key_id)?;
    if header.rp_id_hash != Sha256Digest::of(evidence.app_id.as_bytes()).0 {
        return Err(Reject::AppIdMismatch);
    }
    if header.counter != 0 {
        return Err(Reject::CounterNotZero);
    }
    Ok(AppAttestFacts {
        public_key,
        key_id,
        key_id_comparison,
        app_id: evidence.app_id.to_owned(),
        anchor: anchor.kind,
        root: anchor.digest(),
        valid_from: leaf.not_before().max(intermediate.not_before()),
        valid_until: leaf.not_after().min(intermediate.not_after()),
        environment: environment(credential.aaguid)?,
        release: authenticator_data::release(behind)?,
    })
}

/// What an object says before anything in it is authenticated: enough to find out which rules to hold it to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The key that it says was attested: an uncompressed P-256 point.
    pub point: Vec<u8>,
    /// SHA-256 of the app id that it says made the key.
    pub rp_id_hash: Sha256Digest,
}

/// Reads those claims. Nobody vouches for them: [`verify`](crate::verify) must find the same.
pub fn claims_of(object: &[u8]) -> Result<Claims, Reject> {
    let object = parse(object)?;
    let (header, credential, _) = authenticator_data::of_attestation(object.authenticator_data)?;
    let rp_id_hash = header.rp_id_hash.try_into();
    Ok(Claims {
        point: credential.point,
        rp_id_hash: rp_id_hash
            .map(Sha256Digest)
            .map_err(|_| malformed("truncated authenticator data"))?,
    })
}

/// The receipt inside an attestation object, to be verified by itself.
pub fn receipt_of(object: &[u8]) -> Result<&[u8], Reject> {
    parse(object).map(|object| object.receipt)
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Object<'_>, Reject> {
    if bytes.len() > MAX_OBJECT_BYTES {
        return Err(Reject::ObjectTooLarge);
    }
    let mut reader = Reader::new(bytes);
    let (mut format, mut data) = (None, None);
    let (mut certificates, mut receipt) = (None, None);
    cbor::members(&mut reader, Reader::text, |name, value| {
        match *name {
            "fmt" => format = Some(value.text()?),
            "authData" => data = Some(value.bytes()?),
            "attStmt" => cbor::members(value, Reader::text, |name, value| {
                match *name {
                    "x5c" => {
                        let count = value.array()?;
                        let read = (0..count.min(8)).map(|_| value.bytes());
                        certificates = Some(read.collect::<Result<Vec<_>, _>>()?);
                    }
                    "receipt" => receipt = Some(value.bytes()?),
                    _ => value.skip()?,
                }
                Ok(())
            })?,
            _ => value.skip()?,
        }
        Ok(())
    })
    .and_then(|()| reader.finish())
    .map_err(malformed)?;
    if format.ok_or(malformed("no format"))? != "apple-appattest" {
        return Err(Reject::FormatUnknown);
    }
    Ok(Object {
        certificates: certificates.ok_or(malformed("no certificates"))?,
        receipt: receipt.ok_or(malformed("no receipt"))?,
        authenticator_data: data.ok_or(malformed("no authenticator data"))?,
    })
}

pub(super) fn certificate(der: &[u8], position: usize) -> Result<Certificate<'_>, Reject> {
    Certificate::parse(der).map_err(|fault| Reject::CertificateMalformed {
        position,
        reason: match fault {
            CertificateFault::Malformed(reason) => reason,
            CertificateFault::ExtensionTwice(_) => "an extension occurs twice",
        },
    })
}

/// The pinned key that signed the intermediate, or is remembered to have signed it: all phones share Apple's.
/// Whether the key is trusted is asked anew, since each account has anchors of its own.
fn remembered_anchor<'a>(
    der: &[u8],
    intermediate: &Certificate<'_>,
    anchors: &'a Anchors,
    memory: &dyn AuthorityMemory,
) -> Result<&'a Anchor, Reject> {
    // Apart from what is remembered under Android's rules.
    let identity = Sha256Digest::of(&[b"app-attest\0", der].concat());
    let proven = memory.find(&identity);
    if let Some(anchor) = proven.and_then(|proven| anchors.find(proven.root_key())) {
        return Ok(anchor);
    }
    let anchor = anchor_of(intermediate, anchors)?;
    let proven = ProvenAuthorities::signed_by(anchor.spki.clone());
    memory.keep(identity, Arc::new(proven));
    Ok(anchor)
}

/// The pinned key that signed the intermediate.
pub(super) fn anchor_of<'a>(
    intermediate: &Certificate<'_>,
    anchors: &'a Anchors,
) -> Result<&'a Anchor, Reject> {
    anchors
        .iter()
        .find(|anchor| intermediate.is_signed_by(anchor.key().as_ref()).is_ok())
        .ok_or(Reject::RootNotTrusted)
}

/// The leaf is the intermediate's: who is an authority and who is not, names, signature.
pub(super) fn issued(leaf: &Certificate<'_>, intermediate: &Certificate<'_>) -> Result<(), Reject> {
    if !intermediate.is_authority() || leaf.is_authority() {
        return Err(Reject::AuthorityMisplaced);
    }
    if leaf.issuer() != intermediate.subject() {
        return Err(Reject::IssuerNameMismatch { position: 0 });
    }
    let position = 0;
    leaf.is_signed_by(intermediate.key().as_ref())
        .map_err(|fault| match fault {
            SignatureFault::AlgorithmMismatch => Reject::SignatureAlgorithmMismatch { position },
            SignatureFault::Unsupported => Reject::SignatureAlgorithmUnsupported { position },
            SignatureFault::Invalid => Reject::SignatureInvalid { position },
        })
}

pub(super) fn in_time(
    certificate: &Certificate<'_>,
    position: usize,
    now: UnixTime,
) -> Result<(), Reject> {
    if now < certificate.not_before() {
        return Err(Reject::CertificateNotYetValid { position });
    }
    if now > certificate.not_after() {
        return Err(Reject::CertificateExpired { position });
    }
    Ok(())
}

/// `SEQUENCE { [1] { OCTET STRING (32) } }`, exactly: a verifier that takes the last 32 bytes accepts a
/// nonce in any wrapping.
fn nonce(
    leaf: &Certificate<'_>,
    data: &[u8],
    expected: ExpectedChallenge<'_>,
) -> Result<(), Reject> {
    let ExpectedChallenge::Exactly(client_data_hash) = expected else {
        return Err(Reject::NonceMismatch);
    };
    let computed = Sha256Digest::of(&[data, client_data_hash].concat());
    let value = leaf.extension(&NONCE).ok_or(Reject::NonceMismatch)?;
    let read = || {
        let mut members = der::sole(value, Tag::SEQUENCE)?;
        let wrapped = members.element()?;
        members.finish()?;
        let tagged = wrapped.tag.class == Class::Context && wrapped.tag.number == 1;
        let mut inner = wrapped.reader();
        let octets = inner.octets()?;
        inner.finish()?;
        Ok::<_, der::DerFault>((tagged && wrapped.tag.constructed, octets))
    };
    match read() {
        Ok((true, octets)) if octets == computed.0 => Ok(()),
        _ => Err(Reject::NonceMismatch),
    }
}

/// One key in three places: the certificate, the credential, and the credential's id, its hash.
fn key(
    leaf: &Certificate<'_>,
    credential: &Credential<'_>,
) -> Result<(Octets, Sha256Digest), Reject> {
    let key = leaf.key();
    let point = key
        .as_ref()
        .and_then(|key| key.p256_point())
        .ok_or(Reject::KeyAlgorithmUnsupported)?;
    let key_id = Sha256Digest::of(point);
    if credential.id != key_id.0 || credential.point != point {
        return Err(Reject::CredentialMismatch);
    }
    Ok((Octets(point.to_vec()), key_id))
}

fn compare(key_id: Sha256Digest, expected: ExpectedKeyId<'_>) -> Result<KeyIdComparison, Reject> {
    match expected {
        ExpectedKeyId::Exactly(expected) if expected == key_id.0 => Ok(KeyIdComparison::Equal),
        ExpectedKeyId::Exactly(_) => Err(Reject::KeyIdMismatch),
        ExpectedKeyId::NotCompared => Ok(KeyIdComparison::NotCompared),
    }
}

fn environment(aaguid: &[u8]) -> Result<Environment, Reject> {
    match aaguid {
        b"appattest\0\0\0\0\0\0\0" => Ok(Environment::Production),
        b"appattestdevelop" => Ok(Environment::Development),
        _ => Err(Reject::EnvironmentUnknown),
    }
}
