//! What the policy says about an attested Android key and the phone it lives in.
//!
//! Decides by hardware's word alone where hardware has one. It refuses to take boot state or key
//! origin from the list that software fills in; `verify` already dropped those.

use super::Check;
use super::finding::Findings;
use crate::UnixTime;
use crate::android::{
    AnchorKind, BootState, ChallengeComparison, KeyFacts, Locked, Origin, PatchLevel, Provisioning,
    RootOfTrust, SecurityLevel, Tolerance,
};

/// KeyMint's number for "attests other keys".
const PURPOSE_ATTEST_KEY: u32 = 7;
/// How far in the future a patch level may lie: makers ship next month's patch early.
const MOST_MONTHS_AHEAD: i64 = 2;

pub(super) fn key(facts: &KeyFacts, now: UnixTime, findings: &mut Findings<'_>) {
    provenance(facts, findings);
    levels(facts, findings);
    life(facts, findings);
    match &facts.root_of_trust {
        Some(root_of_trust) => boot(root_of_trust, findings),
        None => findings.failed(
            Check::RootOfTrust,
            "root-of-trust-missing",
            "hardware says nothing about how the phone booted",
        ),
    }
    patches(facts, now, findings);
    if !facts.tolerated.is_empty() {
        let faults: Vec<_> = facts
            .tolerated
            .iter()
            .copied()
            .map(Tolerance::as_str)
            .collect();
        findings.info("encoding-tolerated", faults.join("; "));
    }
}

fn provenance(facts: &KeyFacts, findings: &mut Findings<'_>) {
    if facts.anchor == AnchorKind::Development {
        findings.failed(
            Check::Development,
            "development-evidence",
            "the chain ends at an anchor that is trusted for development only",
        );
    }
    if facts.challenge == ChallengeComparison::NotCompared {
        findings.failed(
            Check::Challenge,
            "challenge-not-compared",
            "no expected challenge was given, so the evidence may be a replay",
        );
    }
    if facts.provisioning == Provisioning::Factory {
        findings.failed(
            Check::Provisioning,
            "provisioned-in-factory",
            "the attestation key is shared by many phones; one leak frees them all",
        );
    }
}

fn levels(facts: &KeyFacts, findings: &mut Findings<'_>) {
    let (attestation, key) = (facts.attestation_level, facts.keymint_level);
    if attestation != key || key == SecurityLevel::Software {
        findings.failed(
            Check::SecurityLevel,
            "key-not-in-hardware",
            format!("attested in {attestation:?}, lives in {key:?}"),
        );
    }
    let chip = |level| level == SecurityLevel::StrongBox;
    if chip(attestation) != chip(facts.chain_level) || chip(key) != chip(facts.chain_level) {
        findings.failed(
            Check::SecurityLevelChain,
            "security-level-contradicts-chain",
            format!(
                "claims {key:?} under an attestation certificate for {:?}",
                facts.chain_level
            ),
        );
    }
    if !chip(key) {
        findings.failed(
            Check::StrongBox,
            "not-in-strongbox",
            format!("the key lives in {key:?}"),
        );
    }
}

fn life(facts: &KeyFacts, findings: &mut Findings<'_>) {
    if facts.origin != Some(Origin::Generated) {
        let seen = facts
            .origin
            .map_or("not stated".to_owned(), |origin| format!("{origin:?}"));
        findings.failed(
            Check::KeyOrigin,
            "key-not-generated-in-hardware",
            format!("origin by hardware's word: {seen}"),
        );
    }
    if facts.purposes.contains(&PURPOSE_ATTEST_KEY) {
        findings.failed(
            Check::KeyPurpose,
            "key-attests-others",
            "the key may attest other keys, so its own attestation says little",
        );
    }
}

fn boot(root_of_trust: &RootOfTrust, findings: &mut Findings<'_>) {
    if root_of_trust.device_locked == Locked::Unlocked {
        findings.failed(
            Check::Bootloader,
            "bootloader-unlocked",
            "the phone starts any system",
        );
    }
    let accepted = match root_of_trust.state {
        BootState::Verified => true,
        BootState::SelfSigned => {
            root_of_trust.device_locked == Locked::Locked
                && findings
                    .policy
                    .accepted_boot_keys
                    .contains(&root_of_trust.verified_boot_key)
        }
        BootState::Unverified | BootState::Failed => false,
    };
    if !accepted {
        findings.failed(
            Check::BootState,
            "boot-not-verified",
            format!(
                "boot state {}, key {}",
                root_of_trust.state.as_str(),
                root_of_trust.verified_boot_key
            ),
        );
    }
}

/// The operating system's patch level must be there. The others came with schema 3: judged where
/// they are, since their absence says how old the key store is, not how old the patches are.
fn patches(facts: &KeyFacts, now: UnixTime, findings: &mut Findings<'_>) {
    if facts.os_patch.is_none() {
        findings.failed(
            Check::PatchAge,
            "patch-level-implausible",
            "hardware states no patch level of the operating system",
        );
    }
    let levels = [
        ("operating system", facts.os_patch),
        ("vendor partition", facts.vendor_patch),
        ("boot partition", facts.boot_patch),
    ];
    for (name, level) in levels {
        if let Some(level) = level {
            patch(name, level, now, findings);
        }
    }
}

fn patch(name: &str, level: PatchLevel, now: UnixTime, findings: &mut Findings<'_>) {
    let age = match (now.calendar_months(), level.calendar_months()) {
        (Some(now), Some(then)) => now.checked_sub(then),
        _ => None,
    };
    let limit = findings.policy.max_patch_age_months;
    match age {
        Some(months) if months > i64::from(limit) => findings.failed(
            Check::PatchAge,
            "patch-level-too-old",
            format!(
                "{name}: {} is {months} months old, at most {limit} allowed",
                level.0
            ),
        ),
        Some(months) if months >= -MOST_MONTHS_AHEAD => {}
        _ => findings.failed(
            Check::PatchAge,
            "patch-level-implausible",
            format!(
                "{name}: {} is no date up to {MOST_MONTHS_AHEAD} months ahead",
                level.0
            ),
        ),
    }
}
