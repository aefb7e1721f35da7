//! What is kept about the keys that attest other keys, the same for every backend.
//!
//! Decides when a key becomes noteworthy: then it belongs to the configuration that every node holds in memory, so
//! that the next attestation under it is judged with what is known. It refuses to know what the policy makes of it.

use bonafide_evidence::UnixTime;
use bonafide_evidence::android::{AttestationKeySightings, Contradiction, KeyFacts, Provisioning};

/// Most noteworthy keys that an account holds in memory.
pub const MOST_TOLD: u32 = 10_000;
/// From how many app keys on one phone's own attestation key is noteworthy.
const MANY_KEYS: u64 = 4;

/// A key that was attested just now, and by which one.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// What its chain says.
    pub facts: Box<KeyFacts>,
    /// Seconds since 1970.
    pub at: i64,
}

impl Sighting {
    /// How the attesting key is named in the store.
    pub fn key(&self) -> String {
        self.facts.attestation_key.to_string()
    }

    /// What is known with it.
    pub fn after(&self, previous: Option<AttestationKeySightings>) -> AttestationKeySightings {
        AttestationKeySightings::after(previous, &self.facts, UnixTime(self.at))
    }
}

/// What is noteworthy, as a text that differs when something new is; empty: nothing.
pub fn told(sightings: &AttestationKeySightings) -> String {
    let mut told: Vec<String> = sightings
        .contradictions()
        .iter()
        .map(Contradiction::to_string)
        .collect();
    if sightings.provisioning.contains(&Provisioning::Remote) && sightings.keys >= MANY_KEYS {
        // Not at each further key: everything that is told is loaded again by every node.
        let digits = sightings.keys.ilog2();
        told.push(format!("2^{digits} keys"));
    }
    told.join("; ")
}
