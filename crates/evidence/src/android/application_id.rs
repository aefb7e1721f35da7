//! The operating system's word on the app that owns the key (`AttestationApplicationId`).
//!
//! Decides only how the record is spelled. It refuses to pick one of several packages: where they
//! share a user id, each can use the others' keys.

use serde::{Deserialize, Serialize};

use crate::Sha256Digest;

/// One package of the user id that owns the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version code.
    pub version: u64,
}

/// The app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationId {
    /// Usually one.
    pub packages: Vec<Package>,
    /// SHA-256 of the signing certificates.
    pub signers: Vec<Sha256Digest>,
}
