//! What somebody on the wire gets: by listening, by sending again, by altering (W-5, W-10).

use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{
    AttestationPayload, AttestationRequest, ResponseKey, SealedReply, reply_info,
};
use bonafide_wire::problem::Problem;
use bonafide_wire::seal::{OpeningKey, SealError, Suite};

use crate::world::{API, CANARY, SECRET_HOST, World, host, secret_name};

#[tokio::test]
async fn the_same_attestation_sent_twice_gains_nothing() {
    let world = World::new().await;
    let instance = world.genuine();
    let secret = instance
        .sdk
        .secret(&secret_name(), &host(SECRET_HOST))
        .await;
    assert_eq!(secret.unwrap().expose(), CANARY);

    let captured = instance.tap.heard("attestations").pop().unwrap();
    let (status, answer) = world
        .device_post("attestations", captured.request.clone())
        .await;
    // The request is good as long as its challenge is, so the service answers. But to whom?
    assert_eq!(status, 200);
    let again: SealedReply = serde_json::from_slice(&answer).unwrap();
    let first: SealedReply = serde_json::from_slice(&captured.response).unwrap();
    assert_ne!(again.sealed.ciphertext, first.sealed.ciphertext);

    let request: AttestationRequest = serde_json::from_slice(&captured.request).unwrap();
    let payload = request.payload.as_slice();
    let digest = bonafide_wire::envelope::key_id(payload);
    let info = reply_info(&world.config().account);
    for reply in [&again, &first] {
        let thief = OpeningKey::generate(Suite::X25519).unwrap();
        let opened = thief.open(&reply.sealed, &info, digest.as_slice());
        assert_eq!(opened.unwrap_err(), SealError::Open);
    }
    for bytes in [&answer, &captured.response, &captured.request] {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains(CANARY) && !text.contains("eyJhbGciOiJFUzI1NiI"));
    }
    // And the instance goes on as if nothing had happened.
    let token = instance.sdk.attestation_token(&host(API), None).await;
    assert!(token.is_ok());
}

#[tokio::test]
async fn the_same_enrolment_sent_twice_makes_no_second_device() {
    let world = World::new().await;
    let instance = world.genuine();
    instance.sdk.prefetch().await.unwrap();
    let captured = instance.tap.heard("enrolments").pop().unwrap();
    let (status, answer) = world.device_post("enrolments", captured.request).await;
    let problem: Problem = serde_json::from_slice(&answer).unwrap();
    assert_eq!((status, problem.code.as_str()), (409, "challenge-used"));
    assert_eq!(problem.ticket, None);
    let devices = world.admin("GET", "devices", serde_json::Value::Null).await;
    assert_eq!(
        devices["items"].as_array().map(Vec::len),
        Some(1),
        "{devices}"
    );
}

/// The key that a man in the middle puts in place of the instance's own.
fn with_own_key(route: &str, body: Vec<u8>) -> Vec<u8> {
    if route != "attestations" {
        return body;
    }
    let mut request: AttestationRequest = serde_json::from_slice(&body).unwrap();
    let mut payload: AttestationPayload = serde_json::from_slice(&request.payload.0).unwrap();
    let own = OpeningKey::generate(Suite::X25519).unwrap();
    payload.response_key = ResponseKey {
        suite: own.suite(),
        public_key: Base64Url(own.public_key().to_vec()),
    };
    request.payload = Base64Url(serde_json::to_vec(&payload).unwrap());
    serde_json::to_vec(&request).unwrap()
}

#[tokio::test]
async fn a_swapped_response_key_breaks_the_proof() {
    let world = World::new().await;
    let instance = world.genuine();
    instance.tap.alter(with_own_key);
    let error = instance
        .sdk
        .secret(&secret_name(), &host(SECRET_HOST))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "proof-invalid");
    for exchange in instance.tap.heard("attestations") {
        let problem: Problem = serde_json::from_slice(&exchange.response).unwrap();
        assert_eq!(problem.code.as_str(), "proof-invalid");
    }
    // Once more with a new key, and then no more: no loop.
    assert_eq!(instance.tap.heard("attestations").len(), 2);
    assert_eq!(instance.tap.heard("enrolments").len(), 2);
}

#[tokio::test]
async fn a_ticket_is_worthless_to_another_phone() {
    let world = World::new().await;
    let (victim, thief) = (world.genuine(), world.genuine());
    for instance in [&victim, &thief] {
        let token = instance.sdk.attestation_token(&host(API), None).await;
        assert!(token.is_ok());
    }
    let of = |instance: &crate::world::Instance| -> AttestationRequest {
        let exchange = instance.tap.heard("attestations").pop().unwrap();
        serde_json::from_slice(&exchange.request).unwrap()
    };
    let mut mixed = of(&thief);
    mixed.ticket = of(&victim).ticket;
    let body = serde_json::to_vec(&mixed).unwrap();
    let (status, answer) = world.device_post("attestations", body).await;
    let problem: Problem = serde_json::from_slice(&answer).unwrap();
    assert_eq!((status, problem.code.as_str()), (400, "proof-invalid"));
}
