//! A virtual phone that emits evidence in the real formats under a root of its own, and small real APKs for
//! it to run.
//!
//! Made for demonstrations and tests: what a [`Phone`] says is encoded as a real one says it, so nothing that
//! reads evidence can tell the two apart but by the [`Factory`]'s root. Whether to trust that root is decided
//! elsewhere, explicitly, and marked `development`. The clock is an argument everywhere.

pub mod apk;
mod certificate;
mod der;
mod error;
mod factory;
mod key;
mod key_description;
mod phone;

pub use error::SimulatorError;
pub use factory::{Factory, Provisioning};
pub use key::KeyKind;
pub use phone::{AppUid, KeyAlias, Phone, PhoneBuilder, SecurityLevel};
