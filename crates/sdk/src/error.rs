//! What can go wrong, as an app must tell it apart: who refuses, whether to try again and when, and what
//! to read out to the operator. Messages never hold a URL, a token or a secret.

use core::fmt;
use core::time::Duration;

use bonafide_wire::device::Withheld;
use bonafide_wire::ids::{DeviceId, SupportId};
use bonafide_wire::problem::{Problem, ProblemCode};

use crate::fault::{Fault, RequestFault};
use crate::host::{AttesterError, TransportError};

/// A failure of the SDK. Nothing was sent unprotected because of it (W-20).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdkError {
    fault: Fault,
    report: Option<Box<Report>>,
}

/// What the service told about a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Report {
    retry_after: Option<Duration>,
    support_id: Option<SupportId>,
    device_id: Option<DeviceId>,
    findings: Vec<String>,
    detail: Option<String>,
}

impl SdkError {
    /// The stable code; for refusals the service's own (`attestation-refused`, …).
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }

    /// The same as a type.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn retryable(&self) -> bool {
        match self.fault {
            Fault::Problem(code) => {
                code.status() >= 500
                    || matches!(
                        code,
                        ProblemCode::RateLimited
                            | ProblemCode::RelayInProgress
                            | ProblemCode::ChallengeExpired
                            | ProblemCode::ChallengeUsed
                    )
            }
            Fault::Withheld(reason) => reason == Withheld::StoreUnavailable,
            Fault::Transport(error) => error != TransportError::TooLarge,
            Fault::Attester(error) | Fault::InstanceKey(error) => matches!(
                error,
                AttesterError::Failed | AttesterError::PlatformUnavailable
            ),
            Fault::TrustStale => true,
            Fault::Request(fault) => matches!(
                fault,
                RequestFault::Unreachable | RequestFault::TimedOut | RequestFault::Interrupted
            ),
            Fault::Reply(_) | Fault::Trust(_) | Fault::Connection(_) | Fault::Placeholder(_) => {
                false
            }
        }
    }

    /// Whether the service refuses this instance, for now.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self.fault,
            Fault::Problem(
                ProblemCode::AttestationRefused
                    | ProblemCode::DeviceRevoked
                    | ProblemCode::EvidenceRejected
            )
        )
    }

    /// How long to wait before another try, where it is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.report.as_ref()?.retry_after
    }

    /// What a refused user reads out to the operator (`bonafide verdict show SUPPORT-ID`).
    pub fn support_id(&self) -> Option<&SupportId> {
        self.report.as_ref()?.support_id.as_ref()
    }

    /// The device, where the evidence authenticated one.
    pub fn device_id(&self) -> Option<&DeviceId> {
        self.report.as_ref()?.device_id.as_ref()
    }

    /// Codes of the findings; empty unless the account's policy has rejection reasons on.
    pub fn findings(&self) -> &[String] {
        self.report.as_ref().map_or(&[], |report| &report.findings)
    }

    /// The service's words about this occurrence.
    pub fn detail(&self) -> Option<&str> {
        self.report.as_ref()?.detail.as_deref()
    }

    pub(crate) fn from_problem(problem: &Problem) -> Self {
        Self {
            fault: Fault::Problem(problem.code),
            report: Some(Box::new(Report {
                retry_after: problem
                    .retry_after
                    .map(|seconds| Duration::from_secs(u64::from(seconds))),
                support_id: problem.support_id.clone(),
                device_id: problem.device_id.clone(),
                findings: problem.findings.clone().unwrap_or_default(),
                detail: problem.detail.clone(),
            })),
        }
    }

    pub(crate) fn with_retry_after(mut self, wait: Duration) -> Self {
        self.report.get_or_insert_default().retry_after = Some(wait);
        self
    }
}

impl From<Fault> for SdkError {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            report: None,
        }
    }
}

impl fmt::Display for SdkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.fault.message(), self.code())?;
        if !self.findings().is_empty() {
            write!(f, ": {}", self.findings().join(", "))?;
        }
        if let Some(id) = self.support_id() {
            write!(f, "; support id {id}")?;
        }
        f.write_str(")")
    }
}

impl core::error::Error for SdkError {}
