//! An app's own attest key (`PURPOSE_ATTEST_KEY`), between the key store and the leaf.
//!
//! Decides when a certificate with a key description may sign another one. Hardware lets a key of exactly that
//! purpose sign nothing but descriptions that it wrote itself, so only hardware's own list of purposes counts,
//! and only for keys that were born there; any other key signs what its owner likes. It refuses to know whether
//! anybody wants such chains: the context says so, and by default nobody does.

use serde::{Deserialize, Serialize};

use super::key_description::UnverifiedKeyDescription;
use super::proven::Authority;
use super::{Octets, Origin, PatchLevel, SecurityLevel};
use crate::Reject;

/// `PURPOSE_ATTEST_KEY`.
const PURPOSE: u32 = 7;
/// Attest keys may attest attest keys; no design needs more.
const MOST: usize = 2;

/// Whether chains with an app's own attest key are believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttestKeys {
    /// They are refused: the chain is longer than its shape allows.
    #[default]
    Refuse,
    /// They are believed where hardware vouches for the attest key, on the same phone and for the same app.
    /// Pairing designs need this; it makes enrolments of one app on one phone linkable.
    Accept,
}

impl AttestKeys {
    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Accept => "accept",
        }
    }
}

/// The attest key nearest the key store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttestKeyFacts {
    /// How many stand above the leaf.
    pub count: u8,
    /// What the attest key was made for, when it was made.
    pub challenge: Octets,
    /// Patch level of the operating system when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_patch: Option<PatchLevel>,
}

/// How many of the authorities nearest the leaf are attest keys that may be believed.
pub(super) fn count(authorities: &[Authority], wanted: AttestKeys) -> usize {
    match wanted {
        AttestKeys::Refuse => 0,
        AttestKeys::Accept => authorities
            .iter()
            .take(MOST)
            .take_while(|authority| authority.describes_key())
            .count(),
    }
}

/// What hardware says about the attest keys, nearest the leaf first. `leaf` is what they vouch for.
pub(super) fn facts(
    keys: &[Authority],
    leaf: &UnverifiedKeyDescription,
) -> Result<Option<AttestKeyFacts>, Reject> {
    let mut facts = None;
    for key in keys {
        let description = key.description().ok_or(Reject::ChainExtended)?;
        let description = UnverifiedKeyDescription::parse(description)?;
        attests_only(&description)?;
        one_app_on_one_phone(&description, leaf)?;
        facts = Some(AttestKeyFacts {
            count: u8::try_from(keys.len()).unwrap_or(u8::MAX),
            challenge: Octets(description.challenge.clone()),
            os_patch: description.patch_levels().first().copied().flatten(),
        });
    }
    Ok(facts)
}

/// In hardware, born there, for nothing else: then what it signed is hardware's word too.
fn attests_only(description: &UnverifiedKeyDescription) -> Result<(), Reject> {
    let purposes = &description.hardware.purposes;
    let in_hardware = description.attestation_level != SecurityLevel::Software
        && description.keymint_level != SecurityLevel::Software;
    if in_hardware
        && description.origin() == Some(Origin::Generated)
        && purposes.len() == 1
        && purposes.contains(&PURPOSE)
        && description.software.purposes.is_empty()
    {
        Ok(())
    } else {
        Err(Reject::ChainExtended)
    }
}

/// Both were made by one app, in one key store, of a phone that boots one system. Versions and patch levels
/// differ with time.
fn one_app_on_one_phone(
    attest_key: &UnverifiedKeyDescription,
    leaf: &UnverifiedKeyDescription,
) -> Result<(), Reject> {
    let boot = |description: &UnverifiedKeyDescription| {
        let boot = description.root_of_trust()?;
        Some((
            boot.verified_boot_key.clone(),
            boot.device_locked,
            boot.state,
        ))
    };
    let app = |description: &UnverifiedKeyDescription| {
        let application = description.application()?;
        let mut names: Vec<String> = application
            .packages
            .iter()
            .map(|package| package.name.clone())
            .collect();
        names.sort();
        let mut signers = application.signers.clone();
        signers.sort();
        Some((names, signers))
    };
    let same = boot(attest_key) == boot(leaf)
        && app(attest_key) == app(leaf)
        && attest_key.keymint_level == leaf.keymint_level
        && attest_key.attestation_level == leaf.attestation_level;
    if same {
        Ok(())
    } else {
        Err(Reject::AttestKeyMismatch)
    }
}
