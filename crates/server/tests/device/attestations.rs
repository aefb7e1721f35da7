//! W-10 to W-12, the hot path.

use std::sync::{Arc, OnceLock};

use bonafide_server::app::revocations::Giver;
use bonafide_server::store::{Expectation, ObjectKey, ObjectKind, Store, Window, Write};
use bonafide_simulator::KeyKind;
use bonafide_simulator::apk::SigningKey;
use bonafide_wire::admin::OverrideKind;
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{
    AttestationPayload, AttestationRequest, ChallengePurpose, ResponseKey, SealedReply,
    SecretOutcome, SecretWish, TokenOutcome, TokenWish, Withheld,
};
use bonafide_wire::ids::SecretName;
use bonafide_wire::problem::{Problem, ProblemCode};
use bonafide_wire::proof::Purpose;
use bonafide_wire::seal::{OpeningKey, Suite};

use crate::enrolments::set_override;
use crate::watched::Watched;
use crate::world::{
    CANARY, Instance, NO_TOKEN_API, NOW, SECRET_HOST, TOKEN_API, World, books, host, problem, read,
};

async fn enrolled(world: &World) -> Instance {
    let mut phone = world.genuine();
    world.enrol(&mut phone).await;
    phone
}

async fn refused(world: &World, request: &AttestationRequest) -> Problem {
    problem(world.post("attestations", request).await).await
}

#[tokio::test]
async fn a_ticket_ends_when_a_certificate_behind_it_is_listed() {
    let world = World::new().await;
    let mut phone = enrolled(&world).await;
    world.attest(&mut phone).await;
    world.service.recorder().settled().await;
    let window = Window {
        after: None,
        limit: 1,
    };
    let verdicts = world.service.store().verdicts(&world.account, window);
    let facts = verdicts.await.unwrap().items[0].facts.clone();
    let serials = facts["serials"].as_array().unwrap();
    let listed = serials.last().unwrap().as_str().unwrap();
    let list = format!(r#"{{"entries": {{"{listed}": {{"status": "REVOKED"}}}}}}"#);
    let revocations = world.service.revocation_list();
    let offered = revocations.offer(list.as_bytes(), Giver::Operator, NOW);
    offered.unwrap();
    let (payload, _) = world.asking(&phone).await;
    let request = world.signed(&phone, &payload);
    let told = refused(&world, &request).await;
    assert_eq!(told.code, ProblemCode::TicketExpired);
    let request = world.enrolment(&mut phone).await;
    let told = problem(world.post("enrolments", &request).await).await;
    assert_eq!(told.code, ProblemCode::EvidenceRejected);
}

#[tokio::test]
async fn a_ticket_ends_when_its_anchor_is_removed() {
    let world = World::new().await;
    let mut phone = enrolled(&world).await;
    world.attest(&mut phone).await;
    let key = ObjectKey::of(&world.account, ObjectKind::Anchor, "simulator");
    let gone = Write::delete(key, Expectation::Present);
    world.write(vec![gone]).await;
    let (payload, _) = world.asking(&phone).await;
    let request = world.signed(&phone, &payload);
    let told = refused(&world, &request).await;
    assert_eq!(told.code, ProblemCode::TicketExpired);
    let request = world.enrolment(&mut phone).await;
    let told = problem(world.post("enrolments", &request).await).await;
    assert_eq!(told.code, ProblemCode::EvidenceRejected);
}

#[tokio::test]
async fn the_hot_path_reads_no_database_and_writes_only_the_release_of_a_secret() {
    let watched = Arc::new(OnceLock::new());
    let opened = Arc::clone(&watched);
    let world = World::over(move |store| {
        let store = opened.get_or_init(|| Arc::new(Watched::new(store)));
        Arc::clone(store) as Arc<dyn Store>
    })
    .await;
    let store = watched.get().unwrap();
    let mut phone = enrolled(&world).await;
    // The first allow is recorded; what follows is as before.
    world.attest(&mut phone).await;
    world.service.recorder().settled().await;
    store.called();
    let (mut payload, key) = world.asking(&phone).await;
    payload.secrets.clear();
    let reply = world.attest_with(&mut phone, &payload, &key).await;
    assert!(matches!(
        reply.tokens.as_slice(),
        [TokenOutcome::Issued { .. }]
    ));
    assert_eq!(store.called(), [""; 0]);
    world.attest(&mut phone).await;
    assert_eq!(store.called(), ["append_audit"]);
}

#[tokio::test]
async fn an_allowed_instance_gets_what_it_asks_for_and_the_next_ticket() {
    let world = World::new().await;
    let mut phone = enrolled(&world).await;
    let first = phone.ticket.clone();
    for suite in [Suite::X25519, Suite::P256] {
        let (mut payload, _) = world.asking(&phone).await;
        let key = OpeningKey::generate(suite).unwrap();
        payload.response_key = ResponseKey {
            suite,
            public_key: Base64Url(key.public_key().to_vec()),
        };
        let reply = world.attest_with(&mut phone, &payload, &key).await;
        assert_ne!(reply.ticket, first);
        assert_eq!(reply.ticket_expires_at, NOW + 30 * 24 * 3600);
        assert!(matches!(
            reply.tokens.as_slice(),
            [TokenOutcome::Issued { expires_at, .. }] if *expires_at == NOW + 300
        ));
        let [
            SecretOutcome::Released {
                value, expires_at, ..
            },
        ] = reply.secrets.as_slice()
        else {
            panic!("{:?}", reply.secrets);
        };
        assert_eq!(value.0.expose(), CANARY);
        assert_eq!(*expires_at, NOW + 300);
    }
}

#[tokio::test]
async fn each_wish_has_its_own_outcome() {
    let world = World::new().await;
    let mut phone = enrolled(&world).await;
    let (mut payload, key) = world.asking(&phone).await;
    let wish = |name: &str, to: &str| SecretWish {
        name: SecretName::parse(name).unwrap(),
        host: host(to),
    };
    payload.secrets = vec![
        wish("client_secret", SECRET_HOST),
        wish("client_secret", TOKEN_API),
        wish("other", SECRET_HOST),
    ];
    payload.tokens = [TOKEN_API, NO_TOKEN_API, "unknown.example"]
        .map(|audience| TokenWish {
            audience: host(audience),
            binding: None,
        })
        .to_vec();
    let reply = world.attest_with(&mut phone, &payload, &key).await;
    let secrets: Vec<_> = reply.secrets.iter().map(secret_reason).collect();
    assert_eq!(
        secrets,
        [
            None,
            Some(Withheld::HostNotAllowed),
            Some(Withheld::UnknownSecret)
        ]
    );
    let tokens: Vec<_> = reply.tokens.iter().map(token_reason).collect();
    assert_eq!(
        tokens,
        [None, Some(Withheld::NoTokenApi), Some(Withheld::UnknownApi)]
    );
}

fn secret_reason(outcome: &SecretOutcome) -> Option<Withheld> {
    match outcome {
        SecretOutcome::Released { .. } => None,
        SecretOutcome::Withheld { reason, .. } => Some(*reason),
    }
}

fn token_reason(outcome: &TokenOutcome) -> Option<Withheld> {
    match outcome {
        TokenOutcome::Issued { .. } => None,
        TokenOutcome::Withheld { reason, .. } => Some(*reason),
    }
}

#[tokio::test]
async fn a_captured_request_sent_again_yields_nothing_its_sender_can_open() {
    let world = World::new().await;
    let phone = enrolled(&world).await;
    let (payload, key) = world.asking(&phone).await;
    let request = world.signed(&phone, &payload);
    let sealed: SealedReply = read(world.post("attestations", &request).await).await;
    assert!(world.open(&sealed, &request, &key).is_some());
    let again: SealedReply = read(world.post("attestations", &request).await).await;
    let thief = OpeningKey::generate(Suite::X25519).unwrap();
    assert!(world.open(&again, &request, &thief).is_none());
    // And a man in the middle who puts his own key in breaks the proof.
    let mut swapped = payload;
    swapped.response_key.public_key = Base64Url(thief.public_key().to_vec());
    let forged = AttestationRequest {
        payload: Base64Url(serde_json::to_vec(&swapped).unwrap()),
        ..request
    };
    assert_eq!(
        refused(&world, &forged).await.code,
        ProblemCode::ProofInvalid
    );
}

#[tokio::test]
async fn tickets_are_ours_unaltered_in_time_and_of_the_signing_key() {
    let world = World::new().await;
    let phone = enrolled(&world).await;
    let other = enrolled(&world).await;
    let (payload, _) = world.asking(&phone).await;
    let with_ticket = |ticket: Vec<u8>| Instance {
        ticket: Base64Url(ticket),
        ..phone.clone()
    };
    let mut altered = phone.ticket.0.clone();
    altered[40] ^= 1;
    for bad in [Vec::new(), vec![1; 64], altered] {
        let request = world.signed(&with_ticket(bad), &payload);
        assert_eq!(
            refused(&world, &request).await.code,
            ProblemCode::TicketInvalid
        );
    }
    let stolen = with_ticket(other.ticket.0.clone());
    let request = world.signed(&stolen, &payload);
    assert_eq!(
        refused(&world, &request).await.code,
        ProblemCode::ProofInvalid
    );
    world.advance(30 * 24 * 3600);
    let (payload, _) = world.asking(&phone).await;
    let request = world.signed(&phone, &payload);
    assert_eq!(
        refused(&world, &request).await.code,
        ProblemCode::TicketExpired
    );
}

type Break = Box<dyn Fn(&mut AttestationPayload)>;

#[tokio::test]
async fn each_broken_rule_of_a_request_has_its_code() {
    let world = World::new().await;
    let phone = enrolled(&world).await;
    let enrolment = world.challenge(ChallengePurpose::Enrolment).await;
    let cases: Vec<(&str, Break, ProblemCode)> = vec![
        (
            "a challenge for an enrolment",
            Box::new(move |payload| payload.challenge = enrolment.clone()),
            ProblemCode::ChallengeInvalid,
        ),
        (
            "a low-order point",
            Box::new(|payload| payload.response_key.public_key = Base64Url(vec![0; 32])),
            ProblemCode::ResponseKeyInvalid,
        ),
        (
            "a short response key",
            Box::new(|payload| payload.response_key.public_key = Base64Url(vec![9; 31])),
            ProblemCode::ResponseKeyInvalid,
        ),
        (
            "a point off the curve",
            Box::new(|payload| {
                payload.response_key.suite = Suite::P256;
                payload.response_key.public_key = Base64Url(vec![4; 65]);
            }),
            ProblemCode::ResponseKeyInvalid,
        ),
        (
            "a binding that is no digest",
            Box::new(|payload| payload.tokens[0].binding = Some(Base64Url(vec![0; 20]))),
            ProblemCode::MalformedRequest,
        ),
    ];
    for (what, alter, code) in cases {
        let (mut payload, _) = world.asking(&phone).await;
        alter(&mut payload);
        let request = world.signed(&phone, &payload);
        assert_eq!(refused(&world, &request).await.code, code, "{what}");
    }
    let (payload, _) = world.asking(&phone).await;
    let request = world.signed(&phone, &payload);
    world.advance(120);
    assert_eq!(
        refused(&world, &request).await.code,
        ProblemCode::ChallengeExpired
    );
}

#[tokio::test]
async fn wishes_have_bounds_and_are_made_once() {
    let world = World::new().await;
    let phone = enrolled(&world).await;
    let cases: Vec<(&str, Break)> = vec![
        (
            "too many tokens",
            Box::new(|payload| payload.tokens = vec![payload.tokens[0].clone(); 17]),
        ),
        (
            "too many secrets",
            Box::new(|payload| payload.secrets = vec![payload.secrets[0].clone(); 17]),
        ),
        (
            "a token wished for twice",
            Box::new(|payload| payload.tokens.push(payload.tokens[0].clone())),
        ),
        (
            "a secret wished for twice",
            Box::new(|payload| payload.secrets.push(payload.secrets[0].clone())),
        ),
    ];
    for (what, alter) in cases {
        let (mut payload, _) = world.asking(&phone).await;
        alter(&mut payload);
        let request = world.signed(&phone, &payload);
        let code = refused(&world, &request).await.code;
        assert_eq!(code, ProblemCode::MalformedRequest, "{what}");
    }
}

#[tokio::test]
async fn a_payload_is_parsed_only_after_its_proof() {
    let world = World::new().await;
    let phone = enrolled(&world).await;
    let signed = |payload: &[u8], purpose| AttestationRequest {
        ticket: phone.ticket.clone(),
        payload: Base64Url(payload.to_vec()),
        proof: world.prove(&phone, purpose, phone.ticket.as_slice(), payload),
    };
    let noise = b"{\"challenge\":";
    let unsigned = signed(noise, Purpose::Enrolment);
    assert_eq!(
        refused(&world, &unsigned).await.code,
        ProblemCode::ProofInvalid
    );
    let request = signed(noise, Purpose::Attestation);
    let told = refused(&world, &request).await;
    assert_eq!(told.code, ProblemCode::MalformedRequest);
    assert!(told.errors[0].pointer.starts_with("/payload"));
}

#[tokio::test]
async fn a_refused_instance_is_let_in_by_the_next_registration_or_override() {
    let world = World::new().await;
    let other = SigningKey::generate(KeyKind::EcP256, "New key", NOW).unwrap();
    let apk = books(&other);
    for way in ["registration", "override"] {
        let mut phone = world.phone_with(&apk);
        let request = world.enrolment(&mut phone).await;
        let told = problem(world.post("enrolments", &request).await).await;
        phone.ticket = told.ticket.unwrap();
        let device = told.device_id.unwrap();
        let (payload, _) = world.asking(&phone).await;
        let request = world.signed(&phone, &payload);
        let told = refused(&world, &request).await;
        assert_eq!(told.code, ProblemCode::AttestationRefused);
        assert_eq!(world.verdict(&told).await.request, "attestation");
        let row = || world.service.store().device(&world.account, &device);
        assert!(row().await.unwrap().is_none());
        if way == "override" {
            set_override(&world, &device, OverrideKind::AlwaysPass).await;
        } else {
            world.register(&apk).await;
        }
        world.attest(&mut phone).await;
        assert!(row().await.unwrap().is_some(), "{way}");
        world.register(&world.apk).await;
    }
}

#[tokio::test]
async fn an_override_that_locks_out_or_has_ended_is_honoured() {
    let world = World::new().await;
    let mut phone = world.genuine();
    let device = world.enrol(&mut phone).await.device_id;
    set_override(&world, &device, OverrideKind::AlwaysFail).await;
    let (payload, _) = world.asking(&phone).await;
    let request = world.signed(&phone, &payload);
    assert_eq!(
        refused(&world, &request).await.code,
        ProblemCode::AttestationRefused
    );
    world.advance(3600);
    world.attest(&mut phone).await;
}

#[tokio::test]
async fn what_the_sdk_sees_later_counts_too() {
    let world = World::new().await;
    let phone = enrolled(&world).await;
    phone.phone.attach_debugger(phone.app).unwrap();
    let (payload, _) = world.asking(&phone).await;
    let request = world.signed(&phone, &payload);
    let told = refused(&world, &request).await;
    assert_eq!(told.code, ProblemCode::AttestationRefused);
    let recorded = world.verdict(&told).await;
    assert!(
        recorded
            .findings
            .iter()
            .any(|f| f.code == "debugger-attached")
    );
}
