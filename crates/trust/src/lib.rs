#![doc = include_str!("../README.md")]
//!
//! This crate decides which trust metadata is believed and which connection is allowed. It refuses to
//! know where bytes come from: no clock, no network, no storage (`docs/protocol.md`, W-14 to W-17).
#![deny(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test may fail loudly"
    )
)]

pub mod author;
mod bundle;
pub mod connection;
pub mod decide;
mod der;
pub mod limits;
mod quorum;
mod reject;
mod root;
mod trusted_set;

pub use bundle::{Bundle, ManagedRoot, ManagedRoots, Pin, ProtectedApi, Upstream};
pub use decide::{Allowed, ConnectionReject, Freshness, Protection, ValidatedPath, decide};
pub use reject::TrustReject;
pub use root::{KeyRole, Roles, RootKey, RootMetadata};
pub use trusted_set::{TrustedSet, Updated};
