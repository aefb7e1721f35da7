#![doc = include_str!("../README.md")]
//!
//! This crate decides when to enrol, attest, refresh and give up, and what may leave the app under which
//! protection. It refuses to know the platform: hardware, storage, clock and network are [`host`] traits.

#[cfg(feature = "reqwest")]
pub mod adaptor;
mod driver;
mod error;
mod exchange;
mod fault;
pub mod host;
pub mod machine;
mod released;

pub use driver::{Bonafide, Hosts};
pub use error::SdkError;
pub use fault::{Fault, PlaceholderReject, ReplyFault, RequestFault};
pub use machine::{Errand, ErrandOrder};
pub use released::{AttestationToken, ClientCredential, Relayed, RuntimeSecret, Trust, Wish};

pub use bonafide_trust::{Bundle, ConnectionReject, Freshness, TrustReject, Upstream};
pub use bonafide_wire::config_string::SdkConfig;
pub use bonafide_wire::device::{Measured, Measurements, PlatformEvidence, SecretUse, Withheld};
pub use bonafide_wire::ids::{DeviceId, Host, SecretName, SupportId, UpstreamName};
pub use bonafide_wire::problem::ProblemCode;
pub use bonafide_wire::proof::Proof;
pub use bonafide_wire::secret::SecretText;
pub use bonafide_wire::upstream::{ClientAuthenticationMethod, RelayOrder, Rung, TokenTypeHint};
