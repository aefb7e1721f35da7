//! Enrolment (W-8, W-9): platform evidence for a new hardware key becomes a device row and a ticket.

use bonafide_evidence::{Decision, Facts, Sightings, UnixTime};
use bonafide_wire::admin::{DeviceView, VerdictView};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{ChallengePurpose, EnrolmentPayload, EnrolmentReply, EnrolmentRequest};
use bonafide_wire::ids::{AccountId, AppId, DeviceId};
use bonafide_wire::proof::{Purpose, device_id};

use super::judge::{self, Asked, Judged, Refused};
use super::platform::Claimed;
use super::proof::{self, Proven, Signed};
use super::reappraise::Circumstances;
use super::snapshot::AccountView;
use super::ticket::{Authentic, Standing, Ticket, findings_mark};
use super::{AppError, Service};
use crate::keys::challenge::FreshChallenge;
use crate::store::sightings::Sighting;
use crate::store::{Actor, AuditEntry, Enrolled, NewDevice, VerdictRecord};

/// What became of an enrolment; a refusal is an answer.
#[derive(Debug)]
pub enum Enrolment {
    /// The device is enrolled.
    Allowed(EnrolmentReply),
    /// Authentic, but policy says no.
    Refused(Box<Refused>),
}

/// An authentic device on its way in.
struct Candidate<'a> {
    account: AccountView<'a>,
    device: DeviceId,
    authentic: Authentic,
    challenge: FreshChallenge,
    now: i64,
}

/// Enrols a device. `payload` is the request's, parsed by the caller: an enrolment's key is inside it.
pub async fn enrol(
    service: &Service,
    account: &AccountId,
    request: &EnrolmentRequest,
    payload: EnrolmentPayload,
) -> Result<Enrolment, AppError> {
    let snapshot = service.snapshot();
    let account = snapshot.account(account)?;
    let now = service.now();
    judge::check_sdk(&payload.sdk)?;
    let measurements = judge::measurements(&payload.measurements)?;
    let reject = |reject| rejected(service, &account, &reject, now);
    let claimed = Claimed::read(payload.evidence, &account).map_err(reject)?;
    let signed = Signed {
        purpose: Purpose::Enrolment,
        account: account.id,
        attachment: &[],
        payload: request.payload.as_slice(),
    };
    let proven = proof::verify(&signed, &request.proof, &claimed.holder())?;
    let challenge = service.keys().challenges().check(
        account.id,
        ChallengePurpose::Enrolment,
        payload.challenge.as_slice(),
        now,
    )?;
    let facts = claimed
        .authenticate(
            service,
            &account,
            payload.challenge.as_slice(),
            UnixTime(now),
        )
        .map_err(reject)?;
    let point = claimed.point;
    // Play Integrity attests no key; there the request's hash has it.
    if facts.public_key().is_ok_and(|attested| attested != point) {
        return Err(AppError::ProofInvalid);
    }
    let candidate = Candidate {
        account,
        device: device_id(account.id, &point),
        authentic: Authentic {
            facts,
            point,
            counter: match proven {
                Proven::Signed => 0,
                Proven::Asserted(asserted) => asserted.counter,
            },
        },
        challenge,
        now,
    };
    candidate.decide(service, &measurements).await
}

/// Records evidence that did not authenticate; nothing is spent.
fn rejected(
    service: &Service,
    account: &AccountView<'_>,
    reject: &bonafide_evidence::Reject,
    now: i64,
) -> AppError {
    let view = match judge::record_rejected(account, reject, now) {
        Ok(view) => view,
        Err(error) => return error,
    };
    let error = AppError::EvidenceRejected {
        support_id: view.support_id.clone(),
        findings: judge::told(account, &view),
    };
    service.metrics.verdict(&view.request, &view.outcome);
    service.recorder.record_stranger(VerdictRecord {
        account: account.id.clone(),
        verdict: view,
    });
    error
}

impl Candidate<'_> {
    async fn decide(
        self,
        service: &Service,
        measurements: &bonafide_evidence::Measurements,
    ) -> Result<Enrolment, AppError> {
        let (account, now) = (self.account, self.now);
        let facts = &self.authentic.facts;
        let who = (&self.device, facts);
        if account.is_revoked(&self.device) {
            service.count(Asked::Enrolment, Decision::Deny);
            let (refused, view) = judge::revoked(&account, Asked::Enrolment, who, now)?;
            return self.refuse(service, refused, view, None).await;
        }
        let seen = service.seen_with(account.id, &self.device, facts).await?;
        let sightings = seen.as_ref().map_or(Sightings::NotKept, Sightings::Kept);
        let judged = judge::judge(
            &account,
            &self.device,
            facts,
            measurements,
            (now, service.revocation_list_age(), sightings),
        );
        service.count(Asked::Enrolment, judged.verdict.decision());
        let view = judge::record(&account, Asked::Enrolment, &judged, who, now)?;
        let Judged { verdict, app } = judged;
        let mark = findings_mark(verdict.findings());
        if verdict.into_grant().is_ok() {
            return self.admit(service, app, view, mark).await;
        }
        let refused = judge::refused(&account, &view, &self.device);
        let ticket = self.ticket(Standing::Refused, mark)?;
        self.refuse(service, refused, view, Some(ticket)).await
    }

    async fn admit(
        self,
        service: &Service,
        app: Option<AppId>,
        view: VerdictView,
        mark: u32,
    ) -> Result<Enrolment, AppError> {
        let ticket = self.ticket(Standing::Enrolled, mark)?;
        let sealed = ticket.seal(service.keys(), self.account.id)?;
        let device = DeviceView {
            device_id: self.device.clone(),
            app: app.map_or_else(unregistered, Ok)?,
            development: self.authentic.facts.development(),
            revoked: false,
            enrolled_at: self.now,
            judged: None,
        };
        let authentic = (&self.authentic.facts, self.authentic.point.as_slice());
        let new = new_device(service, &self.account, device, authentic, &self.challenge)?;
        match service.store().enrol(new).await? {
            Enrolled::ChallengeUsed => return Err(AppError::ChallengeUsed),
            Enrolled::Yes => service.record(self.account.id, view),
        }
        Ok(Enrolment::Allowed(EnrolmentReply {
            device_id: self.device,
            ticket: Base64Url(sealed),
            ticket_expires_at: ticket.expires_at(&self.account.config.policy.policy),
            server_time: self.now,
        }))
    }

    async fn refuse(
        self,
        service: &Service,
        mut refused: Refused,
        view: VerdictView,
        ticket: Option<Ticket>,
    ) -> Result<Enrolment, AppError> {
        let FreshChallenge { random, expires_at } = self.challenge;
        let spent = service
            .store()
            .spend_challenge(self.account.id, random.to_vec(), expires_at);
        if spent.await? == Enrolled::ChallengeUsed {
            return Err(AppError::ChallengeUsed);
        }
        service.record(self.account.id, view);
        refused.ticket = ticket
            .map(|ticket| ticket.seal(service.keys(), self.account.id))
            .transpose()?;
        Ok(Enrolment::Refused(Box::new(refused)))
    }

    fn ticket(&self, standing: Standing, mark: u32) -> Result<Ticket, AppError> {
        Ticket::first(self.authentic.clone(), self.now, standing, mark)
    }
}

/// The app of an instance that is allowed although nobody registered it.
pub fn unregistered() -> Result<AppId, AppError> {
    AppId::parse("unregistered").map_err(|error| AppError::Internal(error.to_string()))
}

/// The row, the spent challenge and the audit entry of a device that was allowed for the first time.
pub(super) fn new_device(
    service: &Service,
    account: &AccountView<'_>,
    device: DeviceView,
    (facts, point): (&Facts, &[u8]),
    challenge: &FreshChallenge,
) -> Result<NewDevice, AppError> {
    let id = device.device_id.to_string();
    let circumstances = Circumstances {
        list: &service.revocation_list().in_force(),
        now: device.enrolled_at,
    };
    let noteworthy = account.sightings(facts);
    let judged = circumstances.first(account, &device.device_id, (facts, noteworthy));
    let device = DeviceView {
        judged: Some(judged),
        ..device
    };
    let sighting = match facts {
        Facts::AndroidKey(key) => Some(Sighting {
            facts: Box::new(key.clone()),
            at: device.enrolled_at,
        }),
        Facts::AppAttest(_) | Facts::PlayIntegrity(_) => None,
    };
    Ok(NewDevice {
        account: account.id.clone(),
        facts: serde_json::to_string(facts)?,
        judged_under: circumstances.mark(account),
        sighting,
        audit: AuditEntry {
            at: device.enrolled_at,
            account: Some(account.id.clone()),
            actor: Actor(id.clone()),
            action: "device.enrolled",
            object: id,
            details: serde_json::json!({
                "app": device.app,
                "development": device.development,
            }),
        },
        device,
        challenge: challenge.random.to_vec(),
        challenge_expires_at: challenge.expires_at,
        public_key: point.to_vec(),
    })
}

impl Service {
    /// Queues a verdict for the operator.
    pub(super) fn record(&self, account: &AccountId, verdict: VerdictView) {
        self.recorder.record(VerdictRecord {
            account: account.clone(),
            verdict,
        });
    }
}
