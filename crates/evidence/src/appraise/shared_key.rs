//! What the policy says about the key that attested, and about the list that would name it if it leaked.
//!
//! Decides by what was seen under one attestation key: phones that contradict one another, more app keys than
//! one phone makes. It refuses to take no list, or an old one, for a list that names nobody.

use super::finding::Findings;
use super::{Appraisal, Check, Sightings};
use crate::UnixTime;
use crate::android::{
    AnchorKind, AttestationKeySightings, Contradiction, KeyFacts, ListAge, Provisioning,
};

const HOUR: i64 = 60 * 60;

pub(super) fn seen(facts: &KeyFacts, appraisal: &Appraisal<'_>, findings: &mut Findings<'_>) {
    // The list is Google's and says nothing about keys under an anchor for development.
    if facts.anchor != AnchorKind::Development {
        list(appraisal.revocation_list, appraisal.now, findings);
    }
    if let Sightings::Kept(sightings) = appraisal.sightings {
        contradictions(sightings, findings);
        usage(facts, sightings, findings);
    }
    volume(facts, findings);
}

/// Two thresholds, each with a check of its own: first it is noted, then it refuses.
fn list(age: ListAge, now: UnixTime, findings: &mut Findings<'_>) {
    let policy = findings.policy;
    let confirmed = match age {
        ListAge::ConfirmedAt(confirmed) => confirmed,
        ListAge::Missing => {
            return findings.failed(
                Check::RevocationListAge,
                "revocation-list-missing",
                "there is no revocation list: evidence under leaked keys is not refused",
            );
        }
    };
    let hours = now.0.saturating_sub(confirmed.0).max(0).div_euclid(HOUR);
    let older_than = |limit: u32| hours >= i64::from(limit);
    if older_than(policy.max_revocation_list_age_hours) {
        findings.failed(
            Check::RevocationListAge,
            "revocation-list-too-old",
            format!(
                "confirmed {hours} hours ago, less than {} allowed",
                policy.max_revocation_list_age_hours
            ),
        );
    } else if older_than(policy.stale_revocation_list_hours) {
        findings.failed(
            Check::RevocationListStale,
            "revocation-list-stale",
            format!(
                "confirmed {hours} hours ago, refused from {} on",
                policy.max_revocation_list_age_hours
            ),
        );
    }
}

fn contradictions(sightings: &AttestationKeySightings, findings: &mut Findings<'_>) {
    let found = sightings.contradictions();
    if !found.is_empty() {
        let told: Vec<_> = found.iter().map(Contradiction::to_string).collect();
        findings.failed(
            Check::AttestationKeyConsistent,
            "attestation-key-contradicted",
            told.join("; "),
        );
    }
}

/// A factory's key is shared by 100,000 phones on purpose; one that was fetched belongs to one phone, and lives
/// for some weeks.
fn usage(facts: &KeyFacts, sightings: &AttestationKeySightings, findings: &mut Findings<'_>) {
    let most = findings.policy.max_keys_per_remote_attestation_key;
    if facts.provisioning == Provisioning::Remote && sightings.keys > u64::from(most) {
        findings.failed(
            Check::AttestationKeyUse,
            "attestation-key-overused",
            format!(
                "attested {} app keys on what is one phone, at most {most} allowed",
                sightings.keys
            ),
        );
    }
}

fn volume(facts: &KeyFacts, findings: &mut Findings<'_>) {
    let most = findings.policy.max_certificates_issued;
    if let Some(issued) = facts.certificates_issued
        && issued > u64::from(most)
    {
        findings.failed(
            Check::ProvisioningVolume,
            "provisioning-volume-high",
            format!("{issued} certificates issued in 30 days, at most {most} allowed"),
        );
    }
}
