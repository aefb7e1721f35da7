//! Attestation (W-10 to W-12), the hot path: a ticket, a proof and measurements become tokens and secrets.
//!
//! Reads no database. It writes to one only where something must be durable before the answer leaves: the
//! audit rows of released secrets, and the row of a device that is allowed for the first time.

use aws_lc_rs::digest::{SHA256, digest};
use bonafide_evidence::{Decision, Facts, Grant};
use bonafide_wire::admin::DeviceView;
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{
    AttestationPayload, AttestationReply, AttestationRequest, ChallengePurpose, MOST_ITEMS,
    SealedReply, SecretJson, SecretOutcome, TokenOutcome, reply_info,
};
use bonafide_wire::ids::{AccountId, AppId, DeviceId};
use bonafide_wire::proof::Purpose;
use bonafide_wire::seal::{SealError, Sealer};
use bonafide_wire::upstream::ClientAuthenticationOutcome;
use zeroize::Zeroizing;

use super::judge::{self, Asked, Judged, Refused};
use super::presented::Presented;
use super::snapshot::AccountView;
use super::ticket::{Standing, Ticket, findings_mark};
use super::{AppError, Service, enrol, release};
use crate::keys::challenge::FreshChallenge;

/// What became of an attestation; a refusal is an answer.
#[derive(Debug)]
pub enum Attestation {
    /// Sealed to the response key.
    Allowed(SealedReply),
    /// Policy says no.
    Refused(Box<Refused>),
}

/// An authenticated request of an enrolled key.
pub(super) struct Asking<'a> {
    pub(super) account: AccountView<'a>,
    pub(super) device: DeviceId,
    pub(super) ticket: Ticket,
    pub(super) payload: AttestationPayload,
    challenge: FreshChallenge,
    pub(super) now: i64,
}

/// Answers an attestation. `parse` reads the payload, strictly, once the proof is good.
pub async fn attest<P>(
    service: &Service,
    account: &AccountId,
    request: &AttestationRequest,
    parse: P,
) -> Result<Attestation, AppError>
where
    P: FnOnce(&[u8]) -> Result<AttestationPayload, AppError>,
{
    let snapshot = service.snapshot();
    let account = snapshot.account(account)?;
    let asking = authenticate(service, account, request, parse)?;
    let measurements = judge::measurements(&asking.payload.measurements)?;
    let (account, now) = (asking.account, asking.now);
    let who = (&asking.device, &asking.ticket.facts);
    if account.is_revoked(&asking.device) {
        service.count(Asked::Attestation, Decision::Deny);
        let (refused, view) = judge::revoked(&account, Asked::Attestation, who, now)?;
        service.record(account.id, view);
        return Ok(Attestation::Refused(Box::new(refused)));
    }
    let judged = judge::judge(
        &account,
        who.0,
        who.1,
        &measurements,
        (now, service.revocation_list_age(), account.sightings(who.1)),
    );
    service.count(Asked::Attestation, judged.verdict.decision());
    let mark = findings_mark(judged.verdict.findings());
    // Every refusal is recorded, an allow only when its findings differ from those recorded last.
    let recorded = if judged.verdict.decision() == Decision::Deny
        || mark != asking.ticket.mark
        || asking.ticket.standing == Standing::Refused
    {
        Some(judge::record(
            &account,
            Asked::Attestation,
            &judged,
            who,
            now,
        )?)
    } else {
        None
    };
    let refused = recorded
        .as_ref()
        .map(|view| judge::refused(&account, view, &asking.device));
    if let Some(view) = recorded {
        service.record(account.id, view);
    }
    let Judged { verdict, app } = judged;
    match (verdict.into_grant(), refused) {
        (Ok(grant), _) => asking.answer(service, request, (&grant, app), mark).await,
        (Err(_), Some(refused)) => Ok(Attestation::Refused(Box::new(refused))),
        (Err(_), None) => Err(AppError::Internal("a refusal without a record".to_owned())),
    }
}

/// Ticket, proof, shape, challenge, in this order (W-6).
fn authenticate<'a, P>(
    service: &Service,
    account: AccountView<'a>,
    request: &AttestationRequest,
    parse: P,
) -> Result<Asking<'a>, AppError>
where
    P: FnOnce(&[u8]) -> Result<AttestationPayload, AppError>,
{
    let now = service.now();
    let presented = Presented {
        purpose: Purpose::Attestation,
        ticket: request.ticket.as_slice(),
        payload: request.payload.as_slice(),
        proof: &request.proof,
    };
    let (ticket, device) = presented.admit(service, &account, now)?;
    let payload = parse(request.payload.as_slice())?;
    check_shape(&payload)?;
    let challenge = service.keys().challenges().check(
        account.id,
        ChallengePurpose::Attestation,
        payload.challenge.as_slice(),
        now,
    )?;
    Ok(Asking {
        account,
        device,
        ticket,
        payload,
        challenge,
        now,
    })
}

fn check_shape(payload: &AttestationPayload) -> Result<(), AppError> {
    judge::check_sdk(&payload.sdk)?;
    for (name, count) in [
        ("tokens", payload.tokens.len()),
        ("secrets", payload.secrets.len()),
        (
            "client_authentications",
            payload.client_authentications.len(),
        ),
    ] {
        if count > MOST_ITEMS {
            let message = format!("at most {MOST_ITEMS} at a time");
            return Err(judge::malformed(format!("/payload/{name}"), message));
        }
    }
    for (index, wish) in payload.tokens.iter().enumerate() {
        if wish.binding.as_ref().is_some_and(|hash| hash.0.len() != 32) {
            let pointer = format!("/payload/tokens/{index}/binding");
            return Err(judge::malformed(pointer, "must have 32 bytes"));
        }
    }
    refuse_repeated("tokens", &payload.tokens)?;
    refuse_repeated("secrets", &payload.secrets)?;
    refuse_repeated("client_authentications", &payload.client_authentications)
}

/// One wish, one outcome: what is asked for twice would be signed or logged twice.
fn refuse_repeated<T: PartialEq>(name: &str, wishes: &[T]) -> Result<(), AppError> {
    for (index, wish) in wishes.iter().enumerate() {
        if wishes.iter().take(index).any(|earlier| earlier == wish) {
            let pointer = format!("/payload/{name}/{index}");
            return Err(judge::malformed(pointer, "is wished for already"));
        }
    }
    Ok(())
}

impl Asking<'_> {
    async fn answer(
        self,
        service: &Service,
        request: &AttestationRequest,
        (grant, app): (&Grant, Option<AppId>),
        mark: u32,
    ) -> Result<Attestation, AppError> {
        // A key that nothing can be sealed to is noticed before a release is on record.
        let key = &self.payload.response_key;
        let info = reply_info(self.account.id);
        let agreed = Sealer::agree(key.suite, key.public_key.as_slice(), &info)
            .map_err(response_key_problem)?;
        let standing = self.first_allow(service, app.as_ref()).await?;
        let mut released = release::all(service, &self, grant, app).await?;
        let ticket = self.ticket.next(self.now, standing, mark);
        let reply = AttestationReply {
            device_id: self.device,
            ticket: Base64Url(ticket.seal(service.keys(), self.account.id)?),
            ticket_expires_at: ticket.expires_at(&self.account.config.policy.policy),
            server_time: self.now,
            trust_bundle_version: self.account.config.trust.version,
            tokens: core::mem::take(&mut released.tokens),
            secrets: core::mem::take(&mut released.secrets),
            client_authentications: core::mem::take(&mut released.client_authentications),
        };
        let mut plaintext = Zeroizing::new(Vec::with_capacity(most_bytes(&reply)));
        serde_json::to_writer(&mut *plaintext, &reply)?;
        let request_hash = digest(&SHA256, request.payload.as_slice());
        let sealed = agreed
            .seal(request_hash.as_ref(), plaintext)
            .map_err(response_key_problem)?;
        Ok(Attestation::Allowed(SealedReply { sealed }))
    }

    /// A device that was refused at its enrolment gets its row with the first allow. While the store is
    /// down it stays without, and the next attestation tries again.
    async fn first_allow(
        &self,
        service: &Service,
        app: Option<&AppId>,
    ) -> Result<Standing, AppError> {
        if self.ticket.standing == Standing::Enrolled {
            return Ok(Standing::Enrolled);
        }
        let facts: &Facts = &self.ticket.facts;
        let device = DeviceView {
            device_id: self.device.clone(),
            app: app.cloned().map_or_else(enrol::unregistered, Ok)?,
            development: facts.development(),
            revoked: false,
            enrolled_at: self.now,
            judged: None,
        };
        let authentic = (facts, self.ticket.point()?);
        let new = enrol::new_device(service, &self.account, device, authentic, &self.challenge)?;
        match service.store().enrol(new).await {
            Ok(_) => Ok(Standing::Enrolled),
            Err(error) => {
                tracing::warn!(%error, "a device that is allowed now has no row yet");
                Ok(Standing::Refused)
            }
        }
    }
}

fn response_key_problem(error: SealError) -> AppError {
    match error {
        SealError::PublicKey => AppError::ResponseKeyInvalid,
        SealError::Open | SealError::Library => AppError::Internal(error.to_string()),
    }
}

/// The most that a reply can have as JSON: its buffer must never grow, because one that moves leaves secrets
/// behind. JSON writes at most six bytes for one.
fn most_bytes(reply: &AttestationReply) -> usize {
    const MEMBERS: usize = 1024;
    let value = |value: &SecretJson| value.0.expose().len().saturating_mul(6);
    let tokens = reply.tokens.iter().map(|outcome| match outcome {
        TokenOutcome::Issued { token, .. } => value(token),
        TokenOutcome::Withheld { .. } => 0,
    });
    let secrets = reply.secrets.iter().map(|outcome| match outcome {
        SecretOutcome::Released { value: text, .. } => value(text),
        SecretOutcome::Withheld { .. } => 0,
    });
    let proofs = reply
        .client_authentications
        .iter()
        .map(|outcome| match outcome {
            ClientAuthenticationOutcome::Issued { value: text, .. } => value(text),
            ClientAuthenticationOutcome::Withheld { .. } => 0,
        });
    let ticket = reply.ticket.as_slice().len().saturating_mul(2);
    tokens
        .chain(secrets)
        .chain(proofs)
        .map(|bytes| bytes.saturating_add(MEMBERS))
        .fold(ticket.saturating_add(MEMBERS), usize::saturating_add)
}
