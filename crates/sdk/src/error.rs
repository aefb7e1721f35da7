//! What can go wrong, as an app must tell it apart: who refuses, whether to try again and when, and what
//! to read out to the operator. Messages never hold a URL, a token or a secret.

use core::fmt;
use core::time::Duration;

use bonafide_trust::{ConnectionReject, TrustReject};
use bonafide_wire::device::Withheld;
use bonafide_wire::ids::{DeviceId, SupportId};
use bonafide_wire::problem::{Problem, ProblemCode};

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

/// Which rule failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The service answered with a problem.
    Problem(ProblemCode),
    /// The instance is allowed, but this wish is not granted.
    Withheld(Withheld),
    /// The service gave no answer.
    Transport(TransportError),
    /// The service's answer cannot be used.
    Reply(ReplyFault),
    /// The device's key store failed.
    Attester(AttesterError),
    /// The trust metadata that came first were refused, so that there are none.
    Trust(TrustReject),
    /// The trust metadata are past their expiry and could not be renewed; secrets stay where they are.
    TrustStale,
    /// The connection to an API was refused.
    Connection(ConnectionReject),
    /// A placeholder stands where no secret may go.
    Placeholder(PlaceholderReject),
    /// The request to an API failed or is not one that this client sends.
    Request(RequestFault),
}

/// Why a service's answer cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyFault {
    /// Not the documented JSON.
    Malformed,
    /// Sealed to another key, or to another request.
    Sealed,
    /// The outcomes are not those of the wishes.
    Mismatch,
}

/// Why a placeholder is not replaced (W-19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceholderReject {
    /// It is not a whole header value, query value or form field.
    Misplaced,
    /// The name in it is not the name of a secret.
    MalformedName,
    /// The request would not go over `https`.
    NotHttps,
    /// The host is not a protected API.
    HostNotProtected,
    /// The secret may not be used in that place.
    UseNotAllowed,
    /// The secret holds characters that cannot stand in that place.
    Unfit,
    /// A redirect brought it.
    FromRedirect,
}

/// What is wrong with a request to an API, or with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFault {
    /// Not an absolute `https` URL without user info.
    Url,
    /// A header that is not one, or that this client sets itself.
    Header,
    /// The client could not be built.
    Client,
    /// No connection.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The answer broke off.
    Interrupted,
    /// The body is larger than the client's limit.
    TooLarge,
    /// A redirect to another origin would have to carry a body over.
    RedirectWithBody,
    /// Too many redirects, or one without a usable target.
    Redirect,
}

impl Fault {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Problem(code) => code.as_str(),
            Self::Withheld(reason) => reason.as_str(),
            Self::Transport(TransportError::Unreachable) => "service-unreachable",
            Self::Transport(TransportError::TimedOut) => "service-timed-out",
            Self::Transport(TransportError::Untrusted) => "service-untrusted",
            Self::Transport(TransportError::TooLarge) => "service-answer-too-large",
            Self::Reply(ReplyFault::Malformed) => "service-answer-malformed",
            Self::Reply(ReplyFault::Sealed) => "service-answer-not-for-us",
            Self::Reply(ReplyFault::Mismatch) => "service-answer-mismatched",
            Self::Attester(AttesterError::KeyMissing) => "hardware-key-missing",
            Self::Attester(AttesterError::Unsupported) => "attestation-unsupported",
            Self::Attester(AttesterError::Failed) => "key-store-failed",
            Self::Trust(reject) => reject.code(),
            Self::TrustStale => "trust-stale",
            Self::Connection(reject) => reject.code(),
            Self::Placeholder(reject) => reject.code(),
            Self::Request(fault) => fault.code(),
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Problem(code) => code.title(),
            Self::Withheld(Withheld::UnknownApi) => {
                "the host is not a protected API of the account"
            }
            Self::Withheld(Withheld::NoTokenApi) => "the API takes no attestation tokens",
            Self::Withheld(Withheld::UnknownSecret) => "there is no such secret for this app",
            Self::Withheld(Withheld::HostNotAllowed) => "the secret may not go to that host",
            Self::Withheld(Withheld::StoreUnavailable) => {
                "the service cannot record the release of a secret now"
            }
            Self::Transport(TransportError::Unreachable) => "the service cannot be reached",
            Self::Transport(TransportError::TimedOut) => "the service did not answer in time",
            Self::Transport(TransportError::Untrusted) => {
                "somebody stands between this app and the service"
            }
            Self::Transport(TransportError::TooLarge) => "the service's answer is too large",
            Self::Reply(ReplyFault::Malformed) => "the service's answer cannot be read",
            Self::Reply(ReplyFault::Sealed) => "the service's answer is not for this request",
            Self::Reply(ReplyFault::Mismatch) => "the service answered another question",
            Self::Attester(AttesterError::KeyMissing) => "the hardware key is gone",
            Self::Attester(AttesterError::Unsupported) => "this device has no key attestation",
            Self::Attester(AttesterError::Failed) => "the platform's key store failed",
            Self::Trust(_) => "the account's trust metadata were refused",
            Self::TrustStale => {
                "the account's trust metadata are out of date and cannot be renewed"
            }
            Self::Connection(_) => "the connection is not trusted; nothing was sent",
            Self::Placeholder(reject) => reject.message(),
            Self::Request(fault) => fault.message(),
        }
    }
}

impl PlaceholderReject {
    fn code(self) -> &'static str {
        match self {
            Self::Misplaced => "placeholder-misplaced",
            Self::MalformedName => "placeholder-malformed",
            Self::NotHttps => "placeholder-without-https",
            Self::HostNotProtected => "placeholder-host-not-protected",
            Self::UseNotAllowed => "placeholder-use-not-allowed",
            Self::Unfit => "placeholder-secret-unfit",
            Self::FromRedirect => "placeholder-from-redirect",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Misplaced => {
                "a placeholder must be a whole header value, query value or form field; nothing was sent"
            }
            Self::MalformedName => "the placeholder does not name a secret; nothing was sent",
            Self::NotHttps => "a secret leaves over https only; nothing was sent",
            Self::HostNotProtected => {
                "a secret leaves to protected APIs only (`bonafide api add HOST`); nothing was sent"
            }
            Self::UseNotAllowed => "the secret may not be used in that place; nothing was sent",
            Self::Unfit => "the secret cannot stand in that place; nothing was sent",
            Self::FromRedirect => "a redirect asked for a secret; it was not followed",
        }
    }
}

impl RequestFault {
    fn code(self) -> &'static str {
        match self {
            Self::Url => "request-url",
            Self::Header => "request-header",
            Self::Client => "client-not-built",
            Self::Unreachable => "api-unreachable",
            Self::TimedOut => "api-timed-out",
            Self::Interrupted => "api-interrupted",
            Self::TooLarge => "api-answer-too-large",
            Self::RedirectWithBody => "redirect-with-body",
            Self::Redirect => "redirect-refused",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Url => "the URL must be absolute, https and without user info",
            Self::Header => "a header is malformed, or one that this client sets itself",
            Self::Client => "the HTTP client cannot be built",
            Self::Unreachable => "the API cannot be reached",
            Self::TimedOut => "the API did not answer in time",
            Self::Interrupted => "the API's answer broke off",
            Self::TooLarge => "the API's answer is larger than the client's limit",
            Self::RedirectWithBody => "a redirect to another origin would carry the body over",
            Self::Redirect => "too many redirects, or one without a usable target",
        }
    }
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
                            | ProblemCode::ChallengeExpired
                            | ProblemCode::ChallengeUsed
                    )
            }
            Fault::Withheld(reason) => reason == Withheld::StoreUnavailable,
            Fault::Transport(error) => error != TransportError::TooLarge,
            Fault::Attester(error) => error == AttesterError::Failed,
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
