//! Enrolments judged again (in bounded batches, in the background) when the circumstances change: the revocation
//! list, a trusted key, a registration, the policy, or what was seen under an attestation key.
//!
//! Decides which devices are judged again and writes down what came out, so that an operator can list the affected
//! ones. It releases and withholds nothing: the next attestation is judged by the policy in force, and a listed
//! certificate or a removed anchor ends its ticket. What the app measured is not judged here, because nobody
//! measures now.

use bonafide_evidence::android::{AttestationKeySightings, KeyFacts};
use bonafide_evidence::{
    Appraisal, Facts, Measurements, Policy, Reappraisal, Sightings, UnixTime, reappraise,
};
use bonafide_wire::admin::{DeviceView, JudgedView};
use bonafide_wire::ids::{AccountId, DeviceId};

use super::revocations::InForce;
use super::snapshot::AccountView;
use super::{AppError, Service, Snapshot, judge};
use crate::store::{Actor, AuditEntry, Rejudged};

/// Most devices of an account that are judged at a time: between two batches, other writers have their turn.
const BATCH: u32 = 200;
/// Checks of what the app measures.
const MEASURED: [&str; 11] = [
    "artifact",
    "artifact-measured",
    "debugger",
    "tracer",
    "instrumentation",
    "injected-libraries",
    "code-modified",
    "emulator",
    "root",
    "measurement-readable",
    "measurement-complete",
];

/// What a judgement depends on besides the account.
#[derive(Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) list: &'a InForce,
    pub(super) now: i64,
}

/// Judges a batch of each account; gives how many devices were judged.
pub async fn once(service: &Service) -> Result<usize, AppError> {
    let snapshot = service.snapshot();
    let mut judged: usize = 0;
    let mut first_failure = Ok(());
    for id in snapshot.configuration.accounts.keys() {
        match batch(service, &snapshot, id).await {
            Ok(count) => judged = judged.saturating_add(count),
            Err(AppError::AccountDamaged) => {}
            // One account's trouble is no other's.
            Err(error) => first_failure = first_failure.and(Err(error)),
        }
    }
    first_failure.map(|()| judged)
}

async fn batch(service: &Service, snapshot: &Snapshot, id: &AccountId) -> Result<usize, AppError> {
    let account = snapshot.account(id)?;
    let circumstances = Circumstances {
        list: &service.revocation_list().in_force(),
        now: service.now(),
    };
    let under = circumstances.mark(&account);
    let outdated = service.store().outdated(id, under, BATCH).await?;
    if outdated.is_empty() {
        return Ok(0);
    }
    let policy = without_measurements(&account.config.policy.policy);
    let mut rejudged = Vec::with_capacity(outdated.len());
    let mut audit = Vec::new();
    for enrolment in outdated {
        let before = enrolment.device.judged.clone();
        let device = circumstances.again(&account, enrolment.device, (&enrolment.facts, &policy));
        audit.extend(turned(id, before.as_ref(), &device, circumstances.now));
        if let Some(judged) = &device.judged {
            let outcome = if judged.outcome == "deny" {
                "deny"
            } else {
                "allow"
            };
            service.metrics().reappraised(outcome, 1);
        }
        rejudged.push(Rejudged {
            number: enrolment.number,
            device,
            judged_under: under,
        });
    }
    let count = rejudged.len();
    service.store().rejudge(id, rejudged, audit).await?;
    Ok(count)
}

impl Circumstances<'_> {
    /// A number that changes when a judgement could.
    pub(super) fn mark(&self, account: &AccountView<'_>) -> i64 {
        const MONTH: i64 = 30 * 24 * 60 * 60;
        let mut bytes = account.judged_by().to_vec();
        bytes.extend_from_slice(&self.list.digest);
        // Patch levels age by the month.
        bytes.extend_from_slice(&self.now.div_euclid(MONTH).to_be_bytes());
        let digest = super::admin::sha256(&bytes);
        let (first, _) = digest.split_first_chunk().unwrap_or((&[1; 8], &[]));
        // 0 is for devices that were never judged.
        i64::from_be_bytes(*first).max(i64::MIN + 1) | 1
    }

    fn again(
        &self,
        account: &AccountView<'_>,
        device: DeviceView,
        (facts, policy): (&str, &Policy),
    ) -> DeviceView {
        let judged = match serde_json::from_str::<Facts>(facts) {
            Ok(facts) => {
                let enrolled_at = device.enrolled_at;
                let sightings = account.sightings(&facts);
                let what = (&facts, enrolled_at, sightings);
                Some(self.judge(account, &device.device_id, what, policy))
            }
            Err(error) => {
                tracing::error!(device = %device.device_id, %error, "facts cannot be judged again");
                device.judged.clone()
            }
        };
        DeviceView { judged, ..device }
    }

    /// Judges by the rules that do not depend on what the app measures.
    fn judge(
        &self,
        account: &AccountView<'_>,
        device: &DeviceId,
        (facts, enrolled_at, sightings): (&Facts, i64, Sightings<'_>),
        policy: &Policy,
    ) -> JudgedView {
        let references = account.references(facts, self.now);
        let verdict = reappraise(
            &Reappraisal {
                appraisal: Appraisal {
                    facts,
                    measurements: &Measurements::NONE,
                    references: references.values(),
                    device_override: account.device_override(device, self.now),
                    revocation_list: self.list.age,
                    sightings,
                    now: UnixTime(self.now),
                },
                enrolled_at: UnixTime(enrolled_at),
                anchors: account.anchors_for(facts),
                revocations: &self.list.list,
            },
            policy,
        );
        JudgedView {
            at: self.now,
            outcome: judge::outcome(verdict.decision()).to_owned(),
            findings: verdict.findings().iter().map(judge::finding_view).collect(),
        }
    }

    /// The first judgement, with the enrolment.
    pub(super) fn first(
        &self,
        account: &AccountView<'_>,
        device: &DeviceId,
        (facts, sightings): (&Facts, Sightings<'_>),
    ) -> JudgedView {
        let policy = without_measurements(&account.config.policy.policy);
        self.judge(account, device, (facts, self.now, sightings), &policy)
    }
}

fn without_measurements(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    for check in MEASURED {
        if let Err(error) = policy.set(check, "off") {
            tracing::error!(check, %error, "a check of the app's measurements has another name now");
        }
    }
    policy
}

/// The audit row of a device whose judgement turned.
fn turned(
    account: &AccountId,
    before: Option<&JudgedView>,
    device: &DeviceView,
    now: i64,
) -> Option<AuditEntry> {
    let judged = device.judged.as_ref()?;
    let was = before.map_or("allow", |before| before.outcome.as_str());
    if was == judged.outcome {
        return None;
    }
    let refusing = judged
        .findings
        .iter()
        .filter(|finding| finding.severity == "enforced");
    let codes: Vec<&str> = refusing.map(|finding| finding.code.as_str()).collect();
    Some(AuditEntry {
        at: now,
        account: Some(account.clone()),
        actor: Actor("service".to_owned()),
        action: "device.reappraised",
        object: device.device_id.to_string(),
        details: serde_json::json!({ "outcome": judged.outcome, "findings": codes }),
    })
}

impl Service {
    /// What is known about the key that attested these facts, this enrolment included.
    pub(super) async fn seen_with(
        &self,
        account: &AccountId,
        device: &DeviceId,
        facts: &Facts,
    ) -> Result<Option<AttestationKeySightings>, AppError> {
        let Facts::AndroidKey(key) = facts else {
            return Ok(None);
        };
        let name = key.attestation_key.to_string();
        let previous = self.store().sightings(account, &name).await?;
        // The same key sent again is no other one.
        if previous.is_some() && self.store().device(account, device).await?.is_some() {
            return Ok(previous);
        }
        let facts: &KeyFacts = key;
        let at = UnixTime(self.now());
        Ok(Some(AttestationKeySightings::after(previous, facts, at)))
    }
}
