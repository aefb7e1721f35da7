//! How the phone booted, as its hardware saw it.
//!
//! Decides only how the record is spelled. Whether a self-signed or unlocked system is welcome is
//! the policy's business.

use serde::{Deserialize, Serialize};

use crate::Octets;

/// Outcome of verified boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootState {
    /// Green: signed by the maker's key.
    Verified,
    /// Yellow: signed by a key that the owner put in.
    SelfSigned,
    /// Orange: not checked, because unlocked.
    Unverified,
    /// Red: checked and wrong.
    Failed,
}

impl BootState {
    /// From the record's number.
    pub(crate) const fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Verified),
            1 => Some(Self::SelfSigned),
            2 => Some(Self::Unverified),
            3 => Some(Self::Failed),
            _ => None,
        }
    }

    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::SelfSigned => "self-signed",
            Self::Unverified => "unverified",
            Self::Failed => "failed",
        }
    }
}

/// `RootOfTrust` of the key description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootOfTrust {
    /// Digest of the key that the system image is signed with; empty on some unlocked phones.
    pub verified_boot_key: Octets,
    /// Whether the bootloader is locked.
    pub device_locked: Locked,
    /// Outcome of verified boot.
    pub state: BootState,
    /// Digest over everything that was verified; absent before schema 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_boot_hash: Option<Octets>,
}

/// The bootloader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Locked {
    /// Starts only what is signed.
    Locked,
    /// Starts anything.
    Unlocked,
}
