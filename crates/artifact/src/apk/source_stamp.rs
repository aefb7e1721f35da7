//! The source stamp: a store's or builder's note that it made this APK.
//!
//! Provenance, never identity: whatever a stamp says or fails to say, the app's verdict stays. So this is read on its own,
//! and every fault in it is a warning.

use crate::apk::algorithm::{Algorithm, to_verify};
use crate::apk::content_digest::ContentDigest;
use crate::apk::lineage;
use crate::apk::signer::numbered;
use crate::certificate::Certificate;
use crate::cursor::Cursor;
use crate::finding::{Code, Finding, LATEST_API};
use crate::inspection::{Scheme, SourceStamp};
use crate::public_key::PublicKey;

/// The entry that holds the digest of the stamp's certificate.
pub(crate) const CERTIFICATE_ENTRY: &str = "stamp-cert-sha256";
const ATTRIBUTE_LINEAGE: u32 = 0x9d63_03f7;
const ATTRIBUTE_TIME: u32 = 0xe43c_5946;
/// Devices look at stamps since Android 11.
const SINCE: u32 = 30;
const MANIFEST_DIGEST: u32 = 4;

/// What the stamp has to cover: for each scheme the bytes that are signed.
#[derive(Debug, Default)]
pub(crate) struct Covered {
    /// Of the schemes that count.
    pub(crate) schemes: Vec<(Scheme, Vec<u8>)>,
    /// Of v1 where it does not count: compared if the stamp covers it, so that it never tells of another archive.
    pub(crate) manifest: Option<Vec<u8>>,
}

/// The signed form of a scheme's content digests.
pub(crate) fn signed_form(mut digests: Vec<(u32, Vec<u8>)>) -> Vec<u8> {
    digests.sort();
    digests.dedup();
    let mut bytes = Vec::new();
    for (id, digest) in digests {
        let length = u32::try_from(digest.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.saturating_add(8).to_le_bytes());
        bytes.extend_from_slice(&id.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&digest);
    }
    bytes
}

/// The id under which a stamp lists a kind of content digest.
pub(crate) const fn digest_id(content: ContentDigest) -> u32 {
    match content {
        ContentDigest::Sha256 => 1,
        ContentDigest::Sha512 => 2,
        ContentDigest::Verity => 3,
    }
}

/// The signed form of a v1 manifest's digest.
pub(crate) fn signed_manifest(sha256: Vec<u8>) -> Vec<u8> {
    signed_form(vec![(MANIFEST_DIGEST, sha256)])
}

/// Verifies the stamp over everything that it has to cover.
pub(crate) fn verify(
    value: &[u8],
    announced: &[u8],
    covered: &Covered,
) -> Result<SourceStamp, Finding> {
    let malformed = || invalid("it cannot be read");
    let mut block = Cursor::new(value)
        .prefixed()
        .map(Cursor::new)
        .ok_or_else(malformed)?;
    let certificate = block
        .prefixed()
        .and_then(Certificate::parse)
        .ok_or_else(malformed)?;
    if certificate.sha256().0 != *announced {
        return Err(invalid(
            "the certificate is not the one that the archive announces",
        ));
    }
    let key =
        PublicKey::parse(&certificate.public_key_info).ok_or_else(|| invalid("unusable key"))?;
    let schemes = block.prefixed().and_then(numbered).ok_or_else(malformed)?;
    let signatures = |scheme| schemes.iter().find(|(id, _)| *id == scheme_id(scheme));
    let manifest = covered.manifest.iter().map(|bytes| (Scheme::V1, bytes));
    let manifest = manifest.filter(|(scheme, _)| signatures(*scheme).is_some());
    for (scheme, bytes) in covered.schemes.iter().map(|(s, b)| (*s, b)).chain(manifest) {
        let (_, signatures) = signatures(scheme)
            .ok_or_else(|| invalid(format!("does not cover {}", scheme.as_str())))?;
        verify_signature(&key, bytes, signatures)
            .map_err(|what| invalid(format!("{}: {what}", scheme.as_str())))?;
    }
    let mut stamp = SourceStamp {
        certificate: certificate.sha256(),
        made_at: None,
    };
    if !block.is_empty() {
        let attributes = block.prefixed().ok_or_else(malformed)?;
        let signatures = block.prefixed().ok_or_else(malformed)?;
        verify_signature(&key, attributes, signatures)
            .map_err(|what| invalid(format!("attributes: {what}")))?;
        read_attributes(attributes, &certificate, &mut stamp)?;
    }
    Ok(stamp)
}

fn invalid(what: impl Into<String>) -> Finding {
    Finding::new(Code::SourceStampInvalid, what)
}

const fn scheme_id(scheme: Scheme) -> u32 {
    match scheme {
        Scheme::V1 => 1,
        Scheme::V2 => 2,
        Scheme::V31 => 31,
        Scheme::V32 => 32,
        Scheme::V3 | Scheme::V4 | Scheme::Apple => 3,
    }
}

fn verify_signature(
    key: &PublicKey,
    message: &[u8],
    signatures: &[u8],
) -> Result<(), &'static str> {
    let signatures = numbered(signatures).ok_or("signatures cannot be read")?;
    let known: Vec<(Algorithm, &[u8])> = signatures
        .into_iter()
        .filter_map(|(id, signature)| Some((Algorithm::by_id(id)?, signature)))
        .collect();
    let chosen = to_verify(&known, SINCE, LATEST_API).ok_or("no signature by a known algorithm")?;
    let verified = chosen.iter().all(|(algorithm, signature)| {
        key.verify(algorithm.padding, algorithm.hash, message, signature)
    });
    if verified {
        Ok(())
    } else {
        Err("a signature does not verify")
    }
}

fn read_attributes(
    bytes: &[u8],
    own: &Certificate,
    stamp: &mut SourceStamp,
) -> Result<(), Finding> {
    let malformed = || invalid("an attribute cannot be read");
    let mut cursor = Cursor::new(bytes)
        .prefixed()
        .map(Cursor::new)
        .ok_or_else(malformed)?;
    while !cursor.is_empty() {
        let mut attribute = Cursor::new(cursor.prefixed().ok_or_else(malformed)?);
        match attribute.u32().ok_or_else(malformed)? {
            ATTRIBUTE_TIME => {
                let seconds = attribute
                    .u64()
                    .and_then(|seconds| i64::try_from(seconds).ok());
                let seconds = seconds.filter(|seconds| *seconds > 0);
                stamp.made_at = Some(seconds.ok_or_else(|| invalid("an impossible time"))?);
            }
            ATTRIBUTE_LINEAGE => {
                lineage::verify(attribute.rest(), own)
                    .map_err(|_| invalid("its key's history does not hold"))?;
            }
            _ => {}
        }
    }
    Ok(())
}
