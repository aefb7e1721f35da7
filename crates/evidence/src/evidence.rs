//! Foreign evidence, and the one place that tells its kinds apart.
//!
//! Decides which rules apply. The kinds are a closed set: a new one is a compile error wherever
//! kinds matter.

use crate::android::{AuthorityMemory, NoMemory};
use crate::apple::AppAttest;
use crate::play::PlayIntegrity;
use crate::{Context, Facts, Reject, android, apple, play};

/// Evidence as somebody sent it.
#[derive(Clone, Copy, Debug)]
pub enum Evidence<'a> {
    /// Android Key Attestation.
    AndroidKey {
        /// DER certificates, leaf first.
        chain: &'a [Vec<u8>],
    },
    /// Apple App Attest.
    AppAttest(AppAttest<'a>),
    /// Google Play Integrity. It has a binding and a freshness of its own; of the context it needs nothing.
    PlayIntegrity(PlayIntegrity<'a>),
}

/// Authenticates: on success the facts are what the platform vouches for, at `context.now`.
pub fn verify(evidence: &Evidence<'_>, context: &Context<'_>) -> Result<Facts, Reject> {
    verify_with_memory(evidence, context, &NoMemory)
}

/// The same, cheaper where the memory knows the authorities: only signatures are remembered, and whether a
/// signature verifies never changes. Time, anchors and revocations are asked anew each time, so a memory can be
/// shared between accounts; what it can never do is accept more.
pub fn verify_with_memory(
    evidence: &Evidence<'_>,
    context: &Context<'_>,
    memory: &dyn AuthorityMemory,
) -> Result<Facts, Reject> {
    match evidence {
        Evidence::AndroidKey { chain } => {
            android::verify(chain, context, memory).map(Facts::AndroidKey)
        }
        Evidence::AppAttest(evidence) => {
            apple::verify(evidence, context, memory).map(Facts::AppAttest)
        }
        Evidence::PlayIntegrity(evidence) => play::verify(evidence).map(Facts::PlayIntegrity),
    }
}
