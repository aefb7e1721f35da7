//! From facts and measurements to a verdict under the account's policy, with its record for the operator.

use bonafide_evidence::android::ListAge;
use bonafide_evidence::{
    Appraisal, Decision, Facts, Finding, Measured, Measurements, RejectionReasons, Sha256Digest,
    Sightings, UnixTime, Verdict, appraise,
};
use bonafide_wire::admin::{FindingView, VerdictView};
use bonafide_wire::device;
use bonafide_wire::ids::{AppId, DeviceId, SupportId};
use bonafide_wire::problem::{FieldError, ProblemCode};

use super::AppError;
use super::snapshot::AccountView;
use crate::keys::KeyError;

/// A verdict and whose app it is about.
#[derive(Debug)]
pub struct Judged {
    /// What was decided.
    pub verdict: Verdict,
    /// Where the package belongs to one.
    pub app: Option<AppId>,
}

/// A refusal by policy, as the device is told (W-9, W-12).
#[derive(Debug)]
pub struct Refused {
    /// [`ProblemCode::AttestationRefused`] or [`ProblemCode::DeviceRevoked`].
    pub code: ProblemCode,
    /// Finds the record.
    pub support_id: SupportId,
    /// The device that asked.
    pub device_id: DeviceId,
    /// Codes of the findings, only with rejection reasons on.
    pub findings: Option<Vec<String>>,
    /// So that it may ask again with the same key; only from an enrolment.
    pub ticket: Option<Vec<u8>>,
}

/// Which request was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// `POST enrolments`
    Enrolment,
    /// `POST attestations`
    Attestation,
    /// `POST relay/…`
    Relay,
}

impl Asked {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Enrolment => "enrolment",
            Self::Attestation => "attestation",
            Self::Relay => "relay",
        }
    }
}

impl super::Service {
    /// Counts a verdict.
    pub(super) fn count(&self, asked: Asked, decision: Decision) {
        self.metrics.verdict(asked.as_str(), outcome(decision));
    }
}

pub(super) fn outcome(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "allow",
        Decision::Deny => "deny",
    }
}

/// Judges a device by the policy in force.
pub fn judge(
    account: &AccountView<'_>,
    device: &DeviceId,
    facts: &Facts,
    measurements: &Measurements,
    (now, revocation_list, sightings): (i64, ListAge, Sightings<'_>),
) -> Judged {
    let references = account.references(facts, now);
    let appraisal = Appraisal {
        facts,
        measurements,
        references: references.values(),
        device_override: account.device_override(device, now),
        revocation_list,
        sightings,
        now: UnixTime(now),
    };
    let verdict = appraise(&appraisal, &account.config.policy.policy);
    let app = account.app_of(facts, &references, verdict.matched());
    Judged { verdict, app }
}

/// What the operator reads about a verdict.
pub fn record(
    account: &AccountView<'_>,
    asked: Asked,
    judged: &Judged,
    (device, facts): (&DeviceId, &Facts),
    now: i64,
) -> Result<VerdictView, AppError> {
    let refused = judged.verdict.decision() == Decision::Deny;
    Ok(VerdictView {
        support_id: support_id()?,
        at: now,
        request: asked.as_str().to_owned(),
        outcome: outcome(judged.verdict.decision()).to_owned(),
        code: refused.then(|| ProblemCode::AttestationRefused.as_str().to_owned()),
        device_id: Some(device.clone()),
        app: judged.app.clone(),
        findings: judged.verdict.findings().iter().map(finding_view).collect(),
        policy_version: account.config.policy.version,
        facts: serde_json::to_value(facts)?,
    })
}

/// What the operator reads about evidence that did not authenticate.
pub fn record_rejected(
    account: &AccountView<'_>,
    reject: &bonafide_evidence::Reject,
    now: i64,
) -> Result<VerdictView, AppError> {
    Ok(VerdictView {
        support_id: support_id()?,
        at: now,
        request: Asked::Enrolment.as_str().to_owned(),
        outcome: "rejected".to_owned(),
        code: Some(ProblemCode::EvidenceRejected.as_str().to_owned()),
        device_id: None,
        app: None,
        findings: vec![FindingView {
            code: reject.code().to_owned(),
            severity: "enforced".to_owned(),
            detail: reject.to_string(),
        }],
        policy_version: account.config.policy.version,
        facts: serde_json::Value::Null,
    })
}

/// The refusal that goes with a record.
pub fn refused(account: &AccountView<'_>, record: &VerdictView, device: &DeviceId) -> Refused {
    Refused {
        code: ProblemCode::AttestationRefused,
        support_id: record.support_id.clone(),
        device_id: device.clone(),
        findings: told(account, record),
        ticket: None,
    }
}

/// A revoked device's refusal and its record. It is not appraised: nothing that it shows would help it.
pub fn revoked(
    account: &AccountView<'_>,
    asked: Asked,
    (device, facts): (&DeviceId, &Facts),
    now: i64,
) -> Result<(Refused, VerdictView), AppError> {
    let code = ProblemCode::DeviceRevoked;
    let view = VerdictView {
        support_id: support_id()?,
        at: now,
        request: asked.as_str().to_owned(),
        outcome: "deny".to_owned(),
        code: Some(code.as_str().to_owned()),
        device_id: Some(device.clone()),
        app: None,
        findings: vec![FindingView {
            code: code.as_str().to_owned(),
            severity: "enforced".to_owned(),
            detail: "an operator revoked this device".to_owned(),
        }],
        policy_version: account.config.policy.version,
        facts: serde_json::to_value(facts)?,
    };
    let refused = Refused {
        code,
        findings: None,
        ..refused(account, &view, device)
    };
    Ok((refused, view))
}

/// The codes that a device may learn (W-12): those that refused it, and only where the policy says so.
pub fn told(account: &AccountView<'_>, record: &VerdictView) -> Option<Vec<String>> {
    match account.config.policy.policy.rejection_reasons {
        RejectionReasons::Off => None,
        RejectionReasons::On => Some(
            record
                .findings
                .iter()
                .filter(|finding| finding.severity == "enforced")
                .map(|finding| finding.code.clone())
                .collect(),
        ),
    }
}

pub(super) fn finding_view(finding: &Finding) -> FindingView {
    FindingView {
        code: finding.code.to_owned(),
        severity: finding.severity.as_str().to_owned(),
        detail: finding.detail.clone(),
    }
}

fn support_id() -> Result<SupportId, AppError> {
    let mut random = [0; 5];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| KeyError::Library)?;
    Ok(SupportId::from_random(random))
}

/// The wire's measurements as `evidence` knows them.
pub fn measurements(wire: &device::Measurements) -> Result<Measurements, AppError> {
    let artifact_sha256 = match &wire.artifact_sha256 {
        None => None,
        Some(digest) => Some(Sha256Digest(digest.as_slice().try_into().map_err(
            |_| {
                malformed(
                    "/payload/measurements/artifact_sha256",
                    "must have 32 bytes",
                )
            },
        )?)),
    };
    Ok(Measurements {
        debugger: measured(wire.debugger),
        tracer: measured(wire.tracer),
        instrumentation: measured(wire.instrumentation),
        injected_libraries: measured(wire.injected_libraries),
        code_modified: measured(wire.code_modified),
        emulator: measured(wire.emulator),
        root: measured(wire.root),
        artifact_sha256,
    })
}

fn measured(wire: device::Measured) -> Measured {
    match wire {
        device::Measured::Clear => Measured::Clear,
        device::Measured::Detected => Measured::Detected,
        device::Measured::Unreadable => Measured::Unreadable,
        device::Measured::NotMeasured => Measured::NotMeasured,
    }
}

/// The SDK's name and version, bounded.
pub fn check_sdk(sdk: &device::SdkInfo) -> Result<(), AppError> {
    const MOST: usize = 64;
    for (pointer, text) in [("name", &sdk.name), ("version", &sdk.version)] {
        if text.len() > MOST {
            let pointer = format!("/payload/sdk/{pointer}");
            return Err(malformed(pointer, "must have at most 64 bytes"));
        }
    }
    Ok(())
}

/// One value of a signed payload that breaks the documented shape.
pub fn malformed(pointer: impl Into<String>, message: impl Into<String>) -> AppError {
    AppError::Malformed(vec![FieldError {
        pointer: pointer.into(),
        message: message.into(),
    }])
}
