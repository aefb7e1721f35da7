//! The bytes of each exchange with the service: requests as the protocol writes them, answers as typed
//! outcomes. Pure; it decides nothing but whether an answer can be read.

use aws_lc_rs::digest::{SHA256, digest};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::config_string::SdkConfig;
use bonafide_wire::device::{
    AttestationPayload, AttestationReply, AttestationRequest, ChallengePurpose, ChallengeRequest,
    EnrolmentPayload, EnrolmentRequest, SMALL_BODY, SdkInfo, SealedReply, reply_info,
};
use bonafide_wire::ids::UpstreamName;
use bonafide_wire::problem::{Problem, ProblemCode};
use bonafide_wire::proof::{Proof, Purpose, signed_bytes};
use bonafide_wire::seal::OpeningKey;
use bonafide_wire::upstream::{
    RelayOrder, RelayPayload, RelayReply, RelayRequest, SealedRelayReply, relay_info,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::SdkError;
use crate::fault::{Fault, ReplyFault};
use crate::host::{ServiceMethod, ServiceRequest, ServiceResponse};
use crate::machine::{Failure, TrustAnswer};

/// Largest sealed reply: 16 tokens and 16 secrets, sealed, in base64url.
const SEALED_REPLY: usize = 512 * 1024;

pub(crate) fn sdk_info() -> SdkInfo {
    SdkInfo {
        name: "bonafide-rust".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// A payload and the bytes that the hardware key signs for it (W-5).
pub(crate) struct Unsigned {
    pub(crate) payload: Vec<u8>,
    pub(crate) message: Vec<u8>,
}

pub(crate) fn challenge(
    config: &SdkConfig,
    purpose: ChallengePurpose,
) -> Result<ServiceRequest, SdkError> {
    post(
        config,
        "challenges",
        &ChallengeRequest { purpose },
        SMALL_BODY,
    )
}

pub(crate) fn enrolment_payload(
    config: &SdkConfig,
    payload: &EnrolmentPayload,
) -> Result<Unsigned, SdkError> {
    let payload = json(payload)?;
    let message = signed_bytes(Purpose::Enrolment, &config.account, &[], &payload);
    Ok(Unsigned { payload, message })
}

pub(crate) fn enrolment(
    config: &SdkConfig,
    payload: Vec<u8>,
    proof: Proof,
) -> Result<ServiceRequest, SdkError> {
    let request = EnrolmentRequest {
        payload: Base64Url(payload),
        proof,
    };
    post(config, "enrolments", &request, SMALL_BODY)
}

pub(crate) fn attestation_payload(
    config: &SdkConfig,
    ticket: &Base64Url,
    payload: &AttestationPayload,
) -> Result<Unsigned, SdkError> {
    let payload = json(payload)?;
    let message = signed_bytes(
        Purpose::Attestation,
        &config.account,
        ticket.as_slice(),
        &payload,
    );
    Ok(Unsigned { payload, message })
}

pub(crate) fn attestation(
    config: &SdkConfig,
    (ticket, payload): (Base64Url, Vec<u8>),
    proof: Proof,
) -> Result<ServiceRequest, SdkError> {
    let request = AttestationRequest {
        ticket,
        payload: Base64Url(payload),
        proof,
    };
    post(config, "attestations", &request, SEALED_REPLY)
}

pub(crate) fn relay_payload(
    config: &SdkConfig,
    ticket: &Base64Url,
    payload: &RelayPayload,
) -> Result<Unsigned, SdkError> {
    let payload = json(payload)?;
    let message = signed_bytes(Purpose::Relay, &config.account, ticket.as_slice(), &payload);
    Ok(Unsigned { payload, message })
}

pub(crate) fn relay(
    config: &SdkConfig,
    (ticket, payload): (Base64Url, Vec<u8>),
    proof: Proof,
    route: &str,
) -> Result<ServiceRequest, SdkError> {
    let request = RelayRequest {
        ticket,
        payload: Base64Url(payload),
        proof,
    };
    post(config, route, &request, SEALED_REPLY)
}

/// Where an order goes.
pub(crate) fn relay_route(upstream: &UpstreamName, order: &RelayOrder) -> String {
    let verb = match order {
        RelayOrder::AuthorizationCode { .. } | RelayOrder::RefreshToken { .. } => "token",
        RelayOrder::Revoke { .. } => "revoke",
        RelayOrder::Register { .. } => "register",
    };
    format!("relay/{upstream}/{verb}")
}

/// Opens a sealed relay reply as [`open`] does an attestation's.
pub(crate) fn open_relayed(
    config: &SdkConfig,
    response: &ServiceResponse,
    (key, payload): (&OpeningKey, &[u8]),
) -> Result<Box<RelayReply>, Failure> {
    let reply: SealedRelayReply = read(response)?;
    let plaintext = key
        .open(
            &reply.sealed,
            &relay_info(&config.account),
            digest(&SHA256, payload).as_ref(),
        )
        .map_err(|_| SdkError::from(Fault::Reply(ReplyFault::Sealed)))?;
    serde_json::from_slice(&plaintext)
        .map(Box::new)
        .map_err(|_| malformed().into())
}

pub(crate) fn trust(config: &SdkConfig, etag: Option<String>) -> ServiceRequest {
    ServiceRequest {
        method: ServiceMethod::Get,
        url: config.url("trust-bundle"),
        if_none_match: etag,
        most_bytes: bonafide_trust::limits::MOST_BYTES,
    }
}

/// Reads an answer, or the problem that came instead.
pub(crate) fn read<T: DeserializeOwned>(response: &ServiceResponse) -> Result<T, Failure> {
    if !is_success(response) {
        return Err(Failure::of_response(response));
    }
    serde_json::from_slice(&response.body).map_err(|_| malformed().into())
}

/// Opens a sealed reply with the key that was made for its request, whose payload it must answer (W-10).
pub(crate) fn open(
    config: &SdkConfig,
    response: &ServiceResponse,
    (key, payload): (&OpeningKey, &[u8]),
) -> Result<Box<AttestationReply>, Failure> {
    let reply: SealedReply = read(response)?;
    let info = reply_info(&config.account);
    let plaintext = key
        .open(&reply.sealed, &info, digest(&SHA256, payload).as_ref())
        .map_err(|_| SdkError::from(Fault::Reply(ReplyFault::Sealed)))?;
    serde_json::from_slice(&plaintext)
        .map(Box::new)
        .map_err(|_| malformed().into())
}

pub(crate) fn trust_answer(response: ServiceResponse) -> Result<TrustAnswer, Failure> {
    match response.status {
        304 => Ok(TrustAnswer::NotModified),
        200 => Ok(TrustAnswer::Document {
            bytes: response.body,
            etag: response.etag,
        }),
        _ => Err(Failure::of_response(&response)),
    }
}

fn is_success(response: &ServiceResponse) -> bool {
    (200..300).contains(&response.status)
}

impl Failure {
    /// The failure that an answer other than success tells. A proxy in front of the service may answer for
    /// it in its own words; then only the status counts.
    pub fn of_response(response: &ServiceResponse) -> Self {
        let problem = match serde_json::from_slice::<Problem>(&response.body) {
            Ok(problem) => problem,
            Err(_) if response.status == 429 => Problem::new(ProblemCode::RateLimited),
            Err(_) if response.status >= 500 => Problem::new(ProblemCode::Unavailable),
            Err(_) => return malformed().into(),
        };
        Self {
            error: SdkError::from_problem(&Problem {
                retry_after: problem.retry_after.or(response.retry_after),
                ..problem.clone()
            }),
            ticket: problem.ticket,
        }
    }
}

fn malformed() -> SdkError {
    Fault::Reply(ReplyFault::Malformed).into()
}

fn post<T: Serialize>(
    config: &SdkConfig,
    route: &str,
    body: &T,
    most_bytes: usize,
) -> Result<ServiceRequest, SdkError> {
    Ok(ServiceRequest {
        method: ServiceMethod::Post(json(body)?),
        url: config.url(route),
        if_none_match: None,
        most_bytes,
    })
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, SdkError> {
    serde_json::to_vec(value).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_may_answer_for_the_service() {
        for (status, code, retryable) in [
            (502, "unavailable", true),
            (503, "unavailable", true),
            (429, "rate-limited", true),
            (404, "service-answer-malformed", false),
            (200, "service-answer-malformed", false),
        ] {
            let failure = Failure::of_response(&ServiceResponse {
                status,
                retry_after: Some(7),
                body: b"<html>".to_vec(),
                ..ServiceResponse::default()
            });
            assert_eq!(failure.error.code(), code, "{status}");
            assert_eq!(failure.error.retryable(), retryable, "{status}");
            let wait = failure.error.retry_after().map(|wait| wait.as_secs());
            assert_eq!(wait, retryable.then_some(7), "{status}");
        }
    }
}
