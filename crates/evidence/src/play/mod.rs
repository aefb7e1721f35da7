//! Google Play Integrity: Google's word, by its servers, on app, device and account.
//!
//! This module lists the facts; its parts authenticate them. It refuses to know what an operator accepts,
//! and it is no proof of possession: the token attests no key, so it can be relayed by whoever gets one
//! made. Bind it to a key by its nonce or request hash, or use it beside key attestation.
//!
//! Sources: Google, "Integrity verdicts" and "Decrypt and verify locally"; RFC 7515, 7516, 7518.
//! `docs/reference/evidence-codes.md` names the rule behind each code.

mod envelope;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use envelope::{PlayKeyError, PlayKeys};

use crate::android::{ChallengeComparison, Package};
use crate::{Reject, Sha256Digest, UnixTime};

/// Largest token, characters. Real ones have about 2 KB.
pub const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// A verdict as an app or an upstream handed it in.
#[derive(Clone, Copy, Debug)]
pub struct PlayIntegrity<'a> {
    /// The verdict, sealed or not.
    pub token: PlayToken<'a>,
    /// What the request was bound to.
    pub binding: Binding<'a>,
    /// The package that asked.
    pub package: &'a str,
    /// How old it may be.
    pub freshness: Freshness,
}

/// The verdict.
#[derive(Clone, Copy, Debug)]
pub enum PlayToken<'a> {
    /// JWE around JWS, opened here with the account's keys.
    Sealed {
        /// Compact serialisation.
        token: &'a str,
        /// From the Play Console.
        keys: &'a PlayKeys,
    },
    /// JSON that Google's server decoded for a caller who authenticated that server.
    Decoded(&'a [u8]),
}

/// What the request was bound to: exactly one of the two must be there, and equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding<'a> {
    /// A classic request's nonce, as text.
    Nonce(&'a str),
    /// A standard request's hash, as text.
    RequestHash(&'a str),
    /// Either of them, with one text: of a request that was made for one key and challenge, whichever kind of
    /// request the app had to make.
    Either(&'a str),
    /// For looking at verdicts by hand; the facts say so.
    NotCompared,
}

/// The window in which a verdict counts; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Oldest.
    pub max_age_ms: i64,
    /// For clocks that differ.
    pub max_future_ms: i64,
    /// Now, to the millisecond that verdicts are written in.
    pub now_ms: i64,
}

impl Freshness {
    /// Ten minutes back, one ahead.
    pub const fn at(now: UnixTime) -> Self {
        Self {
            max_age_ms: 600_000,
            max_future_ms: 60_000,
            now_ms: now.0.saturating_mul(1000),
        }
    }
}

/// What an authentic, fresh and bound verdict says. Absent is what Google did not evaluate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayFacts {
    /// The package that asked.
    pub package: String,
    /// Milliseconds since 1970, by Google's clock.
    pub timestamp_ms: i64,
    /// Whether nonce or request hash was compared.
    pub binding: ChallengeComparison,
    /// `PLAY_RECOGNIZED`, `UNRECOGNIZED_VERSION`, `UNEVALUATED`, or what may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_verdict: Option<String>,
    /// The installed app, as Google knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<PlayApplication>,
    /// `MEETS_…_INTEGRITY`; the legacy list is no source.
    pub device_labels: BTreeSet<String>,
    /// `LEVEL_1` … `LEVEL_4`, `UNEVALUATED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity_level: Option<String>,
    /// The system's API level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk_version: Option<u32>,
    /// Bits that survive a reset of the phone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recall_bits: BTreeMap<String, bool>,
    /// `LICENSED`, `UNLICENSED`, `UNEVALUATED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// `NO_ISSUES`, `MEDIUM_RISK`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub play_protect: Option<String>,
    /// `KNOWN_INSTALLED`, `UNKNOWN_CAPTURING`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apps_detected: Option<BTreeSet<String>>,
    /// Whether the verdict was set by hand in the Play Console.
    pub origin: VerdictOrigin,
}

/// Who made a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictOrigin {
    /// Google evaluated the device.
    Evaluated,
    /// A tester chose it in the Play Console.
    Testing,
}

/// The installed app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayApplication {
    /// Its package.
    pub package: String,
    /// Its version code; absent in some verdicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// SHA-256 of its signing certificates.
    pub signers: Vec<Sha256Digest>,
}

impl PlayApplication {
    /// As Android's key attestation would put it, where the version is known.
    pub(crate) fn package(&self) -> Package {
        Package {
            name: self.package.clone(),
            version: self.version.unwrap_or(0),
        }
    }
}

/// Authenticates.
pub(crate) fn verify(evidence: &PlayIntegrity<'_>) -> Result<PlayFacts, Reject> {
    match evidence.token {
        PlayToken::Sealed { token, keys } => {
            let payload = envelope::open(token, keys)?;
            verdict::read(&payload, evidence)
        }
        PlayToken::Decoded(json) if json.len() > MAX_TOKEN_BYTES => Err(Reject::TokenFormat),
        PlayToken::Decoded(json) => verdict::read(json, evidence),
    }
}

/// The signed part of a token.
#[cfg(fuzzing)]
pub(crate) fn fuzz_signed(bytes: &[u8], keys: &PlayKeys) {
    drop(envelope::authenticate(bytes, keys));
}
