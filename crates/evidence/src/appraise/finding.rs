//! What a check says about facts.
//!
//! Decides how much a finding weighs. Its code is API and says what is wrong; its text is for the
//! operator and names what was seen.

use serde::{Deserialize, Serialize};

use super::{Check, DeviceOverride, Mode, Policy};
use crate::Reject;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Would refuse if the policy enforced it, or did refuse before an override.
    Observed,
    /// Refuses.
    Enforced,
}

impl Severity {
    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Observed => "observed",
            Self::Enforced => "enforced",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable, kebab-case.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// For the operator; may quote the evidence, so it goes to nobody else.
    pub detail: String,
}

/// A rule of authentication that does not hold any more: no policy and no override softens it.
pub(super) fn broken(reject: &Reject) -> Finding {
    Finding {
        code: reject.code(),
        severity: Severity::Enforced,
        detail: reject.to_string(),
    }
}

/// Collects findings under a policy.
pub(crate) struct Findings<'a> {
    pub(crate) policy: &'a Policy,
    found: Vec<Finding>,
}

impl<'a> Findings<'a> {
    pub(crate) const fn new(policy: &'a Policy) -> Self {
        Self {
            policy,
            found: Vec::new(),
        }
    }

    /// A check failed. What that weighs is the policy's decision.
    pub(crate) fn failed(&mut self, check: Check, code: &'static str, detail: impl Into<String>) {
        let severity = match self.policy.mode(check) {
            Mode::Off => return,
            Mode::Observe => Severity::Observed,
            Mode::Enforce => Severity::Enforced,
        };
        self.found.push(Finding {
            code,
            severity,
            detail: detail.into(),
        });
    }

    pub(crate) fn info(&mut self, code: &'static str, detail: impl Into<String>) {
        self.found.push(Finding {
            code,
            severity: Severity::Info,
            detail: detail.into(),
        });
    }

    /// Applies the override. `AlwaysPass` hides nothing: each refusal stays in sight as observed.
    pub(crate) fn under(mut self, device_override: DeviceOverride) -> Vec<Finding> {
        match device_override {
            DeviceOverride::None => {}
            DeviceOverride::AlwaysPass => {
                for finding in &mut self.found {
                    finding.severity = finding.severity.min(Severity::Observed);
                }
                self.found.push(Finding {
                    code: "override-always-pass",
                    severity: Severity::Observed,
                    detail: "an operator lets this device pass whatever is found".to_owned(),
                });
            }
            DeviceOverride::AlwaysFail => self.found.push(Finding {
                code: "override-always-fail",
                severity: Severity::Enforced,
                detail: "an operator refuses this device".to_owned(),
            }),
        }
        self.found
    }
}
