#![doc = include_str!("../README.md")]
//!
//! What a [`Phone`] says is encoded as a real one says it, so nothing that reads evidence can tell the two apart
//! but by the [`Factory`]'s root. Whether to trust that root is decided elsewhere, explicitly. The clock is an
//! argument everywhere.

pub mod apk;
mod cbor;
mod certificate;
mod der;
mod error;
mod factory;
mod iphone;
mod key;
mod key_description;
mod phone;
mod play;

pub use error::SimulatorError;
pub use factory::{Factory, Provisioning};
pub use iphone::{IPhone, IosApp, IosKeyId, IosRelease, IosVersion};
pub use key::KeyKind;
pub use phone::{AppUid, KeyAlias, Phone, PhoneBuilder, SecurityLevel};
pub use play::{PlayConsole, PlayRequest, PlayVerdicts};
