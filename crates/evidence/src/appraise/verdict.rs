//! Allow or deny, and the proof of an allow.
//!
//! Decides that a [`Grant`] has one origin: a [`Verdict`] without an enforced finding, which only
//! [`appraise`](super::appraise) makes. Whatever releases a secret or signs a token asks for a grant,
//! so forgetting to look at the verdict does not compile.

use serde::Serialize;

use super::{Finding, Severity};
use crate::Facts;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Nothing that was found is enforced.
    Allow,
    /// Something is.
    Deny,
}

/// Outcome of an appraisal: a value, also when it says no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[must_use = "a verdict that nobody looks at decides nothing"]
pub struct Verdict {
    decision: Decision,
    findings: Vec<Finding>,
    matched: Option<usize>,
    development: bool,
}

/// What the evidence is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Production,
    Development,
}

impl Standing {
    pub(super) fn of(facts: &Facts) -> Self {
        if facts.development() {
            Self::Development
        } else {
            Self::Production
        }
    }
}

impl Verdict {
    pub(super) fn new(findings: Vec<Finding>, matched: Option<usize>, standing: Standing) -> Self {
        let refused = findings
            .iter()
            .any(|finding| finding.severity == Severity::Enforced);
        let decision = if refused {
            Decision::Deny
        } else {
            Decision::Allow
        };
        Self {
            decision,
            findings,
            matched,
            development: standing == Standing::Development,
        }
    }

    /// What was decided.
    pub const fn decision(&self) -> Decision {
        self.decision
    }

    /// Everything that was found, in the order of evaluation.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Which of the given references the app is (or claims to be, with another file); `None` also for
    /// an app that passes without one.
    pub const fn matched(&self) -> Option<usize> {
        self.matched
    }

    /// The evidence ends at an anchor for development.
    pub const fn development(&self) -> bool {
        self.development
    }

    /// The grant of an allow, or the refusal. The only way to a grant.
    pub fn into_grant(self) -> Result<Grant, Refusal> {
        match self.decision {
            Decision::Allow => Ok(Grant { verdict: self }),
            Decision::Deny => Err(Refusal { verdict: self }),
        }
    }
}

/// How an allowed instance is described to those who check its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantStatus {
    /// Nothing but information was found.
    Affirming,
    /// Allowed in spite of findings, by an override, or on development evidence.
    Warning,
}

/// Proof of an allow. Not `Clone`: one appraisal, one grant.
#[derive(Debug)]
pub struct Grant {
    verdict: Verdict,
}

impl Grant {
    /// How the instance is described.
    pub fn status(&self) -> GrantStatus {
        let noted = |finding: &Finding| finding.severity >= Severity::Observed;
        if self.development() || self.verdict.findings.iter().any(noted) {
            GrantStatus::Warning
        } else {
            GrantStatus::Affirming
        }
    }

    /// The evidence ends at an anchor for development.
    pub const fn development(&self) -> bool {
        self.verdict.development
    }

    /// The verdict behind it.
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

/// The other outcome: there is nothing to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    verdict: Verdict,
}

impl Refusal {
    /// Codes of the findings that refused.
    pub fn codes(&self) -> impl Iterator<Item = &'static str> {
        let refusing = |finding: &&Finding| finding.severity == Severity::Enforced;
        self.verdict
            .findings
            .iter()
            .filter(refusing)
            .map(|finding| finding.code)
    }

    /// The verdict behind it.
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}
