//! Authenticator data, in the two shapes that App Attest has (WebAuthn section 6.1).
//!
//! Decides where each part ends. It refuses to believe the flags about what follows: iOS 27 phones append a
//! map with the extension flag set or clear, and assertions set the credential flag without credential.
//! Whatever bytes are left must be exactly one map.

use serde::{Deserialize, Serialize};

use crate::Reject;
use crate::cbor::{self, CborFault, Reader};

const FLAG_ATTESTED_CREDENTIAL: u8 = 0x40;

/// How the app was released, by the operating system's word; absent before iOS 27.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// 1 operating system, 2 TestFlight, 3 development, 4 App Store, 5 enterprise or ad hoc,
    /// 6 Developer ID, 10 other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_category: Option<u32>,
    /// `CFBundleVersion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_version: Option<String>,
}

/// What both shapes start with.
pub(super) struct Header<'a> {
    pub(super) rp_id_hash: &'a [u8],
    pub(super) flags: u8,
    pub(super) counter: u32,
}

/// The credential of an attestation.
pub(super) struct Credential<'a> {
    pub(super) aaguid: &'a [u8],
    pub(super) id: &'a [u8],
    /// Uncompressed point.
    pub(super) point: Vec<u8>,
}

pub(super) fn malformed(reason: CborFault) -> Reject {
    Reject::ObjectMalformed { reason }
}

fn cut<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Reject> {
    let (taken, behind) = rest
        .split_at_checked(length)
        .ok_or(malformed("truncated authenticator data"))?;
    *rest = behind;
    Ok(taken)
}

fn header<'a>(rest: &mut &'a [u8]) -> Result<Header<'a>, Reject> {
    let rp_id_hash = cut(rest, 32)?;
    let flags = cut(rest, 1)?.first().copied().unwrap_or_default();
    let counter = cut(rest, 4)?
        .iter()
        .fold(0, |count, byte| (count << 8) | u32::from(*byte));
    Ok(Header {
        rp_id_hash,
        flags,
        counter,
    })
}

/// Authenticator data of an assertion.
pub(super) fn of_assertion(data: &[u8]) -> Result<(Header<'_>, Release), Reject> {
    let mut rest = data;
    let header = header(&mut rest)?;
    Ok((header, release(rest)?))
}

/// Authenticator data of an attestation, without what follows the key: that is read last, so that a new
/// shape of it is not taken for a forgery.
pub(super) fn of_attestation(data: &[u8]) -> Result<(Header<'_>, Credential<'_>, &[u8]), Reject> {
    let mut rest = data;
    let header = header(&mut rest)?;
    if header.flags & FLAG_ATTESTED_CREDENTIAL == 0 {
        return Err(malformed("attestation without attested credential data"));
    }
    let aaguid = cut(&mut rest, 16)?;
    if cut(&mut rest, 2)? != [0, 32] {
        return Err(malformed("credential id of another length than 32"));
    }
    let id = cut(&mut rest, 32)?;
    let mut reader = Reader::new(rest);
    let point = cose_key(&mut reader).map_err(malformed)?;
    Ok((header, Credential { aaguid, id, point }, reader.rest()))
}

/// EC2 key on P-256 for ES256 (RFC 9053 section 7.1): kty 2, alg -7, crv 1, x, y and nothing else.
fn cose_key(reader: &mut Reader<'_>) -> Result<Vec<u8>, CborFault> {
    let (mut x, mut y): (&[u8], &[u8]) = (&[], &[]);
    let mut fixed = 0_u8;
    cbor::members(reader, Reader::integer, |label, value| {
        match label {
            -2 => x = value.bytes()?,
            -3 => y = value.bytes()?,
            1 | 3 | -1 => {
                if (*label, value.integer()?) != (*label, fixed_value(*label)) {
                    return Err("another key than ES256 on P-256");
                }
                fixed = fixed.saturating_add(1);
            }
            _ => return Err("an unknown member of the COSE key"),
        }
        Ok(())
    })?;
    if fixed != 3 || x.len() != 32 || y.len() != 32 {
        return Err("an incomplete COSE key");
    }
    Ok([&[4], x, y].concat())
}

const fn fixed_value(label: i64) -> i64 {
    match label {
        1 => 2,
        3 => -7,
        _ => 1,
    }
}

/// Nothing, or exactly one map with text keys; unknown ones are passed over.
pub(super) fn release(rest: &[u8]) -> Result<Release, Reject> {
    if rest.is_empty() {
        return Ok(Release::default());
    }
    let mut reader = Reader::new(rest);
    let mut release = Release::default();
    cbor::members(&mut reader, Reader::text, |name, value| {
        match *name {
            "apple_validation_category_01" => {
                let octets = value
                    .bytes()?
                    .try_into()
                    .map_err(|_| "category not of 4 bytes")?;
                release.validation_category = Some(u32::from_le_bytes(octets));
            }
            "apple_bundle_version_01" => release.bundle_version = Some(value.text()?.to_owned()),
            _ => value.skip()?,
        }
        Ok(())
    })
    .and_then(|()| reader.finish())
    .map_err(malformed)?;
    Ok(release)
}
