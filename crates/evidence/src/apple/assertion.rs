//! An assertion: the attested key's word on one request.
//!
//! Decides whether the key signed exactly this client data, for this app, after the last one. It refuses to
//! keep counters: the caller compares and advances them in one atomic step, or two requests get through.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::MAX_ASSERTION_BYTES;
use super::authenticator_data::{self, Release, malformed};
use crate::cbor::{self, Reader};
use crate::{Reject, Sha256Digest};

/// An assertion and what it must be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assertion<'a> {
    /// CBOR `{signature, authenticatorData}`.
    pub object: &'a [u8],
    /// `TEAMID.bundle.identifier`.
    pub app_id: &'a str,
    /// The hash that the app gave to the system.
    pub client_data_hash: &'a [u8],
    /// The attested key: uncompressed P-256 point.
    pub public_key: &'a [u8],
    /// The counter of the last assertion; 0 after the attestation.
    pub previous_counter: u32,
}

/// What an authentic assertion says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionFacts {
    /// Greater than the previous one; to be stored.
    pub counter: u32,
    /// Authenticator flags, information only.
    pub flags: u8,
    /// How the app was released, since iOS 27.
    #[serde(flatten)]
    pub release: Release,
}

/// Authenticates one request.
pub fn verify_assertion(assertion: &Assertion<'_>) -> Result<AssertionFacts, Reject> {
    if assertion.object.len() > MAX_ASSERTION_BYTES {
        return Err(Reject::ObjectTooLarge);
    }
    let (signature, data) = parse(assertion.object)?;
    // The signature is over the nonce, so its message is hashed twice.
    let nonce = Sha256Digest::of(&[data, assertion.client_data_hash].concat());
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, assertion.public_key)
        .verify(&nonce.0, signature)
        .map_err(|_| Reject::AssertionSignatureInvalid)?;
    let (header, release) = authenticator_data::of_assertion(data)?;
    if header.rp_id_hash != Sha256Digest::of(assertion.app_id.as_bytes()).0 {
        return Err(Reject::AppIdMismatch);
    }
    if header.counter <= assertion.previous_counter {
        return Err(Reject::CounterNotGreater);
    }
    Ok(AssertionFacts {
        counter: header.counter,
        flags: header.flags,
        release,
    })
}

/// What the signature is over, before anybody looked at the signature.
pub(crate) fn signed_data(bytes: &[u8]) -> Result<&[u8], Reject> {
    parse(bytes).map(|(_, data)| data)
}

fn parse(bytes: &[u8]) -> Result<(&[u8], &[u8]), Reject> {
    let mut reader = Reader::new(bytes);
    let (mut signature, mut data) = (None, None);
    cbor::members(&mut reader, Reader::text, |name, value| {
        match *name {
            "signature" => signature = Some(value.bytes()?),
            "authenticatorData" => data = Some(value.bytes()?),
            _ => value.skip()?,
        }
        Ok(())
    })
    .and_then(|()| reader.finish())
    .map_err(malformed)?;
    let signature = signature.ok_or(malformed("no signature"))?;
    Ok((signature, data.ok_or(malformed("no authenticator data"))?))
}
