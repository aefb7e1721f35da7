//! What a verification depends on besides the evidence.
//!
//! Decides nothing. Every member is required: a verifier that took "no revocation list" or "no
//! challenge" for "do not compare" would be switched off by whoever forgets an argument.

use crate::UnixTime;
use crate::android::{Anchors, AttestKeys, RevocationList};

/// The world as the verifier sees it.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The moment for which the question is asked.
    pub now: UnixTime,
    /// What the evidence must have been made for.
    pub challenge: ExpectedChallenge<'a>,
    /// Where chains must end.
    pub anchors: &'a Anchors,
    /// Certificates that no longer count.
    pub revocations: &'a RevocationList,
    /// Whether an app's own attest key may stand between the key store and the leaf; a policy says so
    /// ([`Policy::attest_keys`](crate::Policy::attest_keys)).
    pub attest_keys: AttestKeys,
}

/// What the evidence must have been made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedChallenge<'a> {
    /// Exactly these bytes.
    Exactly(&'a [u8]),
    /// Whatever it holds. For looking at evidence by hand; the facts say so and every preset that
    /// enforces refuses them.
    NotCompared,
}
