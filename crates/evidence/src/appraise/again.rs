//! An enrolment judged again, long after the evidence was sent: because the revocation list, the trusted keys
//! or the policy changed, or because time went by.
//!
//! Decides which clock each rule goes by. Certificates are asked about the moment of the enrolment: a chain is
//! made once, with the key, and runs out by itself. Revocation, trust in the root, patch levels and the age of
//! the list are asked about now. It refuses to know evidence: what is judged are the facts that were
//! authenticated then, so signatures, challenge and syntax need no second look.

use super::finding::{Findings, broken};
use super::verdict::{Standing, Verdict};
use super::{Appraisal, Finding, Policy, judged};
use crate::android::{Anchors, AttestKeys, KeyFacts, RevocationList};
use crate::apple::AppAttestFacts;
use crate::{Facts, Reject, UnixTime};

/// What is judged again.
#[derive(Clone, Copy, Debug)]
pub struct Reappraisal<'a> {
    /// As at the enrolment, with what is so now: `now`, registrations, override, list age, sightings. The
    /// measurements are those of the last assertion, or none.
    pub appraisal: Appraisal<'a>,
    /// When the evidence was authenticated.
    pub enrolled_at: UnixTime,
    /// The keys that are trusted now, of the evidence's kind: Android's, or Apple's.
    pub anchors: &'a Anchors,
    /// The list that is in force now.
    pub revocations: &'a RevocationList,
}

/// Judges again. Pure, like [`appraise`](super::appraise). Rules that no policy can switch off are findings
/// here, with the codes of their [`Reject`]; they refuse whatever the policy or an override says.
pub fn reappraise(reappraisal: &Reappraisal<'_>, policy: &Policy) -> Verdict {
    let appraisal = &reappraisal.appraisal;
    let mut findings: Vec<Finding> = standing_rules(reappraisal, policy)
        .iter()
        .map(broken)
        .collect();
    let mut found = Findings::new(policy);
    let matched = judged(appraisal, &mut found);
    findings.extend(found.under(appraisal.device_override));
    Verdict::new(findings, matched, Standing::of(appraisal.facts))
}

/// The rules of authentication whose outcome can differ today.
fn standing_rules(reappraisal: &Reappraisal<'_>, policy: &Policy) -> Vec<Reject> {
    let mut broken = Vec::new();
    let facts = reappraisal.appraisal.facts;
    if !facts.is_anchored_in(reappraisal.anchors) && !matches!(facts, Facts::PlayIntegrity(_)) {
        broken.push(Reject::RootNotTrusted);
    }
    match facts {
        Facts::AndroidKey(facts) => android(facts, reappraisal, policy, &mut broken),
        Facts::AppAttest(facts) => apple(facts, reappraisal.enrolled_at, &mut broken),
        // Its freshness was that of one request; what it says about the device, the policy judges.
        Facts::PlayIntegrity(_) => {}
    }
    broken
}

fn android(
    facts: &KeyFacts,
    reappraisal: &Reappraisal<'_>,
    policy: &Policy,
    broken: &mut Vec<Reject>,
) {
    if facts.attest_key.is_some() && policy.attest_keys == AttestKeys::Refuse {
        broken.push(Reject::ChainExtended);
    }
    in_time(
        (facts.valid_from, facts.valid_until),
        reappraisal.enrolled_at,
        broken,
    );
    broken.extend(
        facts
            .numbers()
            .filter(|serial| reappraisal.revocations.contains(serial))
            .map(|serial| Reject::CertificateRevoked {
                serial: serial.clone(),
            }),
    );
}

fn apple(facts: &AppAttestFacts, enrolled_at: UnixTime, broken: &mut Vec<Reject>) {
    let until = Some(facts.valid_until);
    in_time((facts.valid_from, until), enrolled_at, broken);
}

/// Whether the certificates counted when the evidence was taken.
fn in_time(
    (from, until): (UnixTime, Option<UnixTime>),
    enrolled_at: UnixTime,
    broken: &mut Vec<Reject>,
) {
    // Which of the certificates it was, the facts do not say: the attestation certificate is the first above
    // the leaf.
    let position = 1;
    if enrolled_at < from {
        broken.push(Reject::CertificateNotYetValid { position });
    }
    if until.is_some_and(|until| enrolled_at > until) {
        broken.push(Reject::CertificateExpired { position });
    }
}
