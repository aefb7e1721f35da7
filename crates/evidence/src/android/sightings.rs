//! What was seen under one attestation key, and whether it can be true of one phone, or one model.
//!
//! Decides which observations contradict one another. A factory's key is shared by phones of one model on
//! purpose: they boot with one maker's key. A remotely provisioned key belongs to one phone: its patch level
//! never falls. Where such things differ, the key has been copied out of the hardware, and whoever holds the
//! copy says what he likes. It refuses to say which of the contradicting devices is the genuine one: nobody
//! can know.
//!
//! Pure: the caller keeps one value for each account and attestation key
//! ([`KeyFacts::attestation_key`]), and gives it to the appraisal. It is bounded, whatever is observed.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{BootState, KeyFacts, PatchLevel, Provisioning, SecurityLevel};
use crate::{Octets, Sha256Digest, UnixTime};

/// Boot keys that are remembered by name; one more than one is a contradiction already.
const MOST_BOOT_KEYS: usize = 8;
/// Real boot keys are digests of 32 bytes; longer ones are remembered by theirs.
const MOST_BOOT_KEY_BYTES: usize = 64;

/// What was seen under one attestation key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestationKeySightings {
    /// When the key was first seen.
    pub first_seen: UnixTime,
    /// When it was last seen.
    pub last_seen: UnixTime,
    /// How many app keys it attested here, reinstallations included.
    pub keys: u64,
    /// How it came into the phone, by each chain that ended in it.
    pub provisioning: BTreeSet<Provisioning>,
    /// Where the keys that it attested live.
    pub levels: BTreeSet<SecurityLevel>,
    /// Makers' keys that phones under it booted with, in state verified. At most eight are kept.
    pub boot_keys: BTreeSet<Octets>,
    /// The newest patch level of the operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_os_patch: Option<PatchLevel>,
    /// The furthest that the patch level fell from one enrolment to a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_fell: Option<PatchFell>,
}

/// A patch level that fell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchFell {
    /// From this.
    pub from: PatchLevel,
    /// To this, later.
    pub to: PatchLevel,
}

/// Two observations that cannot both be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// Several makers' boot keys under one attestation key.
    BootKeys(usize),
    /// One key attests for the trusted environment and for a security chip.
    SecurityLevels,
    /// One key was burnt in at a factory and fetched for one phone.
    Provisioning,
    /// The patch level of the one phone that has this key fell.
    PatchFell(PatchFell),
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BootKeys(count) => {
                write!(f, "{count} makers' boot keys under one attestation key")
            }
            Self::SecurityLevels => f.write_str("one attestation key for two kinds of hardware"),
            Self::Provisioning => {
                f.write_str("one attestation key from a factory and from remote provisioning")
            }
            Self::PatchFell(fell) => write!(
                f,
                "the patch level of one phone fell from {} to {}",
                fell.from.0, fell.to.0
            ),
        }
    }
}

impl AttestationKeySightings {
    /// What is known once these facts were seen too: of a key that was not enrolled before, allowed or not.
    /// Give the result to the appraisal and keep it.
    #[must_use]
    pub fn after(previous: Option<Self>, facts: &KeyFacts, at: UnixTime) -> Self {
        let mut seen = previous.unwrap_or_else(|| Self::nothing(at));
        seen.first_seen = seen.first_seen.min(at);
        seen.last_seen = seen.last_seen.max(at);
        seen.keys = seen.keys.saturating_add(1);
        seen.provisioning.insert(facts.provisioning);
        seen.levels.insert(facts.keymint_level);
        seen.boot(facts);
        seen.patch(facts.os_patch);
        seen
    }

    const fn nothing(at: UnixTime) -> Self {
        Self {
            first_seen: at,
            last_seen: at,
            keys: 0,
            provisioning: BTreeSet::new(),
            levels: BTreeSet::new(),
            boot_keys: BTreeSet::new(),
            newest_os_patch: None,
            patch_fell: None,
        }
    }

    fn boot(&mut self, facts: &KeyFacts) {
        let Some(boot) = &facts.root_of_trust else {
            return;
        };
        // Owners' keys and unlocked phones differ as they please.
        if boot.state == BootState::Verified && self.boot_keys.len() < MOST_BOOT_KEYS {
            let key = &boot.verified_boot_key;
            self.boot_keys.insert(if key.0.len() > MOST_BOOT_KEY_BYTES {
                Octets(Sha256Digest::of(&key.0).0.to_vec())
            } else {
                key.clone()
            });
        }
    }

    fn patch(&mut self, level: Option<PatchLevel>) {
        let Some((level, months)) = level.and_then(|level| Some((level, level.calendar_months()?)))
        else {
            return;
        };
        let months_of = |level: PatchLevel| level.calendar_months().unwrap_or(i64::MIN);
        match self.newest_os_patch {
            Some(newest) if months < months_of(newest) => {
                let further = self
                    .patch_fell
                    .is_none_or(|fell| months < months_of(fell.to));
                if further {
                    self.patch_fell = Some(PatchFell {
                        from: newest,
                        to: level,
                    });
                }
            }
            Some(newest) if months == months_of(newest) => {}
            _ => self.newest_os_patch = Some(level),
        }
    }

    /// What cannot be true of a key that never left its hardware.
    pub fn contradictions(&self) -> Vec<Contradiction> {
        let several = |count: usize| count > 1;
        let remote = self.provisioning.contains(&Provisioning::Remote);
        let fell = self.patch_fell.filter(|_| remote);
        [
            several(self.boot_keys.len()).then_some(Contradiction::BootKeys(self.boot_keys.len())),
            several(self.levels.len()).then_some(Contradiction::SecurityLevels),
            several(self.provisioning.len()).then_some(Contradiction::Provisioning),
            fell.map(Contradiction::PatchFell),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
