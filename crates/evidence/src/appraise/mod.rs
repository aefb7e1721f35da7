//! Facts and measurements against policy: the verdict.
//!
//! Decides allow or deny, and says everything it found, not just the first thing: an operator who
//! mends one fault should not meet the next one only afterwards. It refuses to know bytes, keys and
//! clocks; evidence that is not authentic never gets here.

mod android;
mod apple;
mod application;
mod check;
mod explain;
mod finding;
mod measured;
mod play;
mod policy;
mod verdict;

pub use check::{Check, Mode};
pub use explain::{Explanation, explain};
pub use finding::{Finding, Severity};
pub use policy::{EnvironmentPolicy, PlayPolicy, Policy, PolicyError, Preset, RejectionReasons};
pub use verdict::{Decision, Grant, GrantStatus, Refusal, Verdict};

use crate::apple::Release;
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
    /// The moment of judgement.
    pub now: UnixTime,
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
    let matched = match appraisal.facts {
        Facts::AndroidKey(facts) => {
            android::key(facts, appraisal.now, &mut findings);
            application::attested(facts.application.as_ref(), appraisal, &mut findings)
        }
        Facts::AppAttest(facts) => apple::key(facts, appraisal, &mut findings),
        Facts::PlayIntegrity(facts) => play::verdict(facts, appraisal, &mut findings),
    };
    measured::all(appraisal.measurements, &mut findings);
    let findings = findings.under(appraisal.device_override);
    Verdict::new(findings, matched, Standing::of(appraisal.facts))
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

#[cfg(test)]
mod tests;
