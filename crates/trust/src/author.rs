//! The publishing side: makes the exact bytes that are signed, and puts signatures around them.
//!
//! It refuses to publish what a reader of this crate would refuse. Signing itself is the caller's.

use bonafide_wire::bytes::Base64Url;
use bonafide_wire::envelope::{Envelope, Signature, TrustReply, key_id};

pub use bonafide_wire::envelope::{Role, signed_bytes};

use crate::bundle::Bundle;
use crate::limits;
use crate::reject::TrustReject;
use crate::root::RootMetadata;

/// Trust metadata that no reader would accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these trust metadata would be refused: {0}")]
pub struct AuthorError(pub TrustReject);

/// The payload of root metadata: what [`signed_bytes`] wraps for signing.
pub fn root_payload(root: &RootMetadata) -> Result<Vec<u8>, AuthorError> {
    root.check().map_err(AuthorError)?;
    let payload = serde_json::to_vec(root).map_err(|_| AuthorError(TrustReject::RootMalformed))?;
    RootMetadata::parse(&payload).map_err(AuthorError)?;
    Ok(payload)
}

/// The payload of a bundle, roots and APIs in the order of their names, so that one content has one spelling.
pub fn bundle_payload(bundle: &Bundle) -> Result<Vec<u8>, AuthorError> {
    bundle.check().map_err(AuthorError)?;
    let mut sorted = bundle.clone();
    sorted.roots.sort_by(|a, b| a.name.cmp(&b.name));
    sorted.apis.sort_by(|a, b| a.host.cmp(&b.host));
    serde_json::to_vec(&sorted).map_err(|_| AuthorError(TrustReject::BundleMalformed))
}

/// An envelope around a payload; each signature is 64 bytes (r then s) by the key with that public point.
pub fn envelope(payload: Vec<u8>, signatures: &[(&[u8], Vec<u8>)]) -> Envelope {
    Envelope {
        payload: Base64Url(payload),
        signatures: signatures
            .iter()
            .map(|(point, signature)| Signature {
                key_id: key_id(point),
                signature: Base64Url(signature.clone()),
            })
            .collect(),
    }
}

/// The document that `GET trust-bundle` answers.
pub fn reply(root: Envelope, bundle: Envelope) -> Result<String, AuthorError> {
    let text = serde_json::to_string(&TrustReply { root, bundle })
        .map_err(|_| AuthorError(TrustReject::Malformed))?;
    if text.len() > limits::MOST_BYTES {
        return Err(AuthorError(TrustReject::TooLarge));
    }
    Ok(text)
}
