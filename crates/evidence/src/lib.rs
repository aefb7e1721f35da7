#![doc = include_str!("../README.md")]
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::allow_attributes,
        reason = "a test that is wrong about its own data should fail loudly"
    )
)]
mod anchors;
pub mod android;
pub mod apple;
mod appraise;
mod ber;
mod cbor;
mod context;
mod der;
mod evidence;
mod facts;
#[cfg(fuzzing)]
pub mod fuzzing;
mod measurements;
mod octets;
pub mod outline;
pub mod play;
pub mod published;
mod reference;
mod reject;
pub mod rules;
mod serial_number;
mod strict_json;
mod unix_time;
mod x509;

pub use appraise::{
    Appraisal, Check, Decision, DeviceOverride, EnvironmentPolicy, Explanation, Finding, Grant,
    GrantStatus, Mode, PlayPolicy, Policy, PolicyError, Preset, Reappraisal, Refusal,
    RejectionReasons, Severity, Sightings, Verdict, appraise, appraise_receipt, appraise_release,
    explain, reappraise,
};
pub use context::{Context, ExpectedChallenge};
pub use evidence::{Evidence, verify, verify_with_memory};
pub use facts::Facts;
pub use measurements::{Measured, Measurements};
pub use octets::{HexError, Octets, Sha256Digest};
pub use reference::ReferenceValue;
pub use reject::Reject;
pub use serial_number::SerialNumber;
pub use unix_time::{TimeFormatError, UnixTime};
