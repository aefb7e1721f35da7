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
pub mod android;
mod appraise;
mod context;
mod der;
mod evidence;
mod facts;
mod measurements;
mod octets;
mod reference;
mod reject;
mod unix_time;

pub use appraise::{
    Appraisal, Check, Decision, DeviceOverride, Explanation, Finding, Grant, GrantStatus, Mode,
    Policy, PolicyError, Preset, Refusal, RejectionReasons, Severity, Verdict, appraise, explain,
};
pub use context::{Context, ExpectedChallenge};
pub use evidence::{Evidence, verify, verify_with_memory};
pub use facts::Facts;
pub use measurements::{Measured, Measurements};
pub use octets::{HexError, Octets, Sha256Digest};
pub use reference::ReferenceValue;
pub use reject::{Reject, Rule};
pub use unix_time::{TimeFormatError, UnixTime};
