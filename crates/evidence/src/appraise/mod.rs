//! Facts and measurements against policy: the verdict.
//!
//! Decides allow or deny, and says everything it found, not just the first thing: an operator who
//! mends one fault should not meet the next one only afterwards. It refuses to know bytes, keys and
//! clocks; evidence that is not authentic never gets here.

mod again;
mod android;
mod apple;
mod application;
mod check;
mod explain;
mod finding;
mod measured;
mod play;
mod policy;
mod shared_key;
mod verdict;

pub use again::{Reappraisal, reappraise};
pub use check::{Check, Mode};
pub use explain::{Explanation, explain};
pub use finding::{Finding, Severity};
pub use policy::{EnvironmentPolicy, PlayPolicy, Policy, PolicyError, Preset, RejectionReasons};
pub use verdict::{Decision, Grant, GrantStatus, Refusal, Verdict};

use crate::android::{AttestationKeySightings, ListAge};
use crate::apple::{ReceiptFacts, Release};
use crate::{Facts, Measurements, ReferenceValue, UnixTime};
use finding::Findings;
use verdict::Standing;

/// What is judged.
#[derive(Clone, Copy, Debug)]
pub struct Appraisal<'a> {
    /// What authentic evidence says.
    pub facts: &'a Facts,
    /// What the SDK says.
    pub measurements: &'a Measurements,
    /// The account's registrations that are in force.
    pub references: &'a [ReferenceValue],
    /// An operator's word on this one device.
    pub device_override: DeviceOverride,
    /// How old the revocation list is that the evidence was compared with.
    pub revocation_list: ListAge,
    /// What else was seen under the key that attested this one, this evidence included.
    pub sightings: Sightings<'a>,
    /// The moment of judgement.
    pub now: UnixTime,
}

/// What the caller knows about the key that attested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sightings<'a> {
    /// Nothing is kept: for looking at evidence by hand, and for kinds that share no attestation key.
    NotKept,
    /// Everything that was seen under it.
    Kept(&'a AttestationKeySightings),
}

/// An operator's word on one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DeviceOverride {
    /// None: the policy decides.
    #[default]
    None,
    /// What the policy would refuse is only noted. Evidence must be authentic all the same.
    AlwaysPass,
    /// Refused whatever the policy says.
    AlwaysFail,
}

/// Judges. Pure: the same arguments give the same verdict, for a dry run as for the real one.
pub fn appraise(appraisal: &Appraisal<'_>, policy: &Policy) -> Verdict {
    let mut findings = Findings::new(policy);
    let matched = judged(appraisal, &mut findings);
    let findings = findings.under(appraisal.device_override);
    Verdict::new(findings, matched, Standing::of(appraisal.facts))
}

/// Everything that the policy has a word on; the index of the matching reference.
fn judged(appraisal: &Appraisal<'_>, findings: &mut Findings<'_>) -> Option<usize> {
    let matched = match appraisal.facts {
        Facts::AndroidKey(facts) => {
            android::key(facts, appraisal.now, findings);
            shared_key::seen(facts, appraisal, findings);
            application::attested(facts.application.as_ref(), appraisal, findings)
        }
        Facts::AppAttest(facts) => apple::key(facts, appraisal, findings),
        Facts::PlayIntegrity(facts) => play::verdict(facts, appraisal, findings),
    };
    measured::all(appraisal.measurements, findings);
    matched
}

/// Judges what one assertion says of the app's release; the enrolled key's facts were judged with the
/// enrolment.
pub fn appraise_release(release: &Release, policy: &Policy) -> Verdict {
    let mut findings = Findings::new(policy);
    apple::release(release, &mut findings);
    Verdict::new(
        findings.under(DeviceOverride::None),
        None,
        Standing::Production,
    )
}

/// Judges what a receipt says of the phone: how many keys it attested for this app lately.
pub fn appraise_receipt(receipt: &ReceiptFacts, policy: &Policy) -> Verdict {
    let mut findings = Findings::new(policy);
    apple::risk(receipt, &mut findings);
    Verdict::new(
        findings.under(DeviceOverride::None),
        None,
        Standing::Production,
    )
}

#[cfg(test)]
mod tests;
