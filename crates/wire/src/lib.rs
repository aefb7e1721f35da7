//! The bytes both ends agree on.
//!
//! Requests, replies, problem codes, token claims, and the signed and sealed envelopes around them.
//! This crate says how things look on the wire (`docs/protocol.md`, rules `W-n`), never whether they
//! are to be trusted: it holds no policy, reads no clock and opens no connection. Both the phone and
//! the service link it, so it stays small.
#![deny(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, reason = "a test may fail loudly")
)]

pub mod admin;
pub mod bytes;
pub mod config_string;
pub mod device;
pub mod envelope;
pub mod ids;
pub mod platform;
pub mod problem;
pub mod proof;
mod reference;
pub mod seal;
pub mod secret;
pub mod token;
pub mod upstream;
