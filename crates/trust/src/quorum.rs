//! Whether an envelope carries enough signatures. The only place that counts them, for both roles.

use std::collections::BTreeSet;

use bonafide_wire::bytes::Base64Url;
use bonafide_wire::envelope::{Envelope, MOST_SIGNATURES, Role, signed_bytes, verifies};
use bonafide_wire::ids::AccountId;

use crate::reject::TrustReject;
use crate::root::{KeyRole, RootMetadata};

/// Refuses envelopes with too many signatures, or two of one key.
pub(crate) fn check_form(envelope: &Envelope) -> Result<(), TrustReject> {
    let distinct: BTreeSet<&Base64Url> = envelope.signatures.iter().map(|s| &s.key_id).collect();
    let fits =
        envelope.signatures.len() <= MOST_SIGNATURES && distinct.len() == envelope.signatures.len();
    fits.then_some(()).ok_or(TrustReject::Signatures)
}

/// Whether a threshold of distinct keys of `role`, taken from `keys`, signed the envelope's exact bytes.
pub(crate) fn is_met(
    envelope: &Envelope,
    document: Role,
    account: &AccountId,
    (keys, role): (&RootMetadata, &KeyRole),
) -> bool {
    let good = role
        .key_ids
        .iter()
        .filter(|id| {
            keys.key(id)
                .is_some_and(|point| is_signed_by(envelope, document, account, (id, point)))
        })
        .count();
    u32::try_from(good).is_ok_and(|good| good >= role.threshold) && role.threshold > 0
}

/// Whether the key with this id and point signed the envelope's exact bytes.
pub(crate) fn is_signed_by(
    envelope: &Envelope,
    document: Role,
    account: &AccountId,
    (id, point): (&Base64Url, &[u8]),
) -> bool {
    let message = signed_bytes(document, account, envelope.payload.as_slice());
    envelope
        .signatures
        .iter()
        .filter(|signature| signature.key_id == *id)
        .any(|signature| verifies(point, &message, signature.signature.as_slice()))
}
