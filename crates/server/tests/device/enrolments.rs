//! W-5 to W-9: each case breaks one rule and expects exactly that code.

use bonafide_server::config::{DeviceOverride, Revocation};
use bonafide_server::store::{ObjectKind, Window};
use bonafide_simulator::apk::SigningKey;
use bonafide_simulator::{Factory, KeyKind, Phone};
use bonafide_wire::admin::{OverrideKind, Role};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{
    ChallengePurpose, EnrolmentPayload, EnrolmentReply, EnrolmentRequest, PlatformEvidence,
};
use bonafide_wire::ids::DeviceId;
use bonafide_wire::problem::{Problem, ProblemCode};
use bonafide_wire::proof::{Proof, Purpose};

use crate::world::{Instance, NOW, World, books, problem, read};

async fn refused(world: &World, request: &EnrolmentRequest) -> Problem {
    problem(world.post("enrolments", request).await).await
}

async fn code(world: &World, request: &EnrolmentRequest) -> ProblemCode {
    refused(world, request).await.code
}

/// Changes the payload and signs it again.
fn altered(
    world: &World,
    instance: &Instance,
    request: &EnrolmentRequest,
    alter: impl FnOnce(&mut EnrolmentPayload),
) -> EnrolmentRequest {
    let mut payload = serde_json::from_slice(request.payload.as_slice()).unwrap();
    alter(&mut payload);
    let payload = serde_json::to_vec(&payload).unwrap();
    EnrolmentRequest {
        proof: world.prove(instance, Purpose::Enrolment, &[], &payload),
        payload: Base64Url(payload),
    }
}

#[tokio::test]
async fn a_genuine_instance_is_enrolled_with_its_row_and_a_ticket() {
    let world = World::new().await;
    let mut phone = world.genuine();
    let reply = world.enrol(&mut phone).await;
    assert_eq!(reply.server_time, NOW);
    assert_eq!(reply.ticket_expires_at, NOW + 30 * 24 * 3600);
    assert!(reply.ticket.as_slice().len() <= 4096);
    let window = Window {
        after: None,
        limit: 10,
    };
    let devices = world.service.store().devices(&world.account, window);
    let devices = devices.await.unwrap().items;
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].device_id, reply.device_id);
    assert_eq!(devices[0].app.as_str(), "books");
    assert!(devices[0].development);
}

#[tokio::test]
async fn a_challenge_enrols_once_of_its_own_account_purpose_and_time() {
    let world = World::new().await;
    let mut phone = world.genuine();
    let request = world.enrolment(&mut phone).await;
    let _: EnrolmentReply = read(world.post("enrolments", &request).await).await;
    assert_eq!(code(&world, &request).await, ProblemCode::ChallengeUsed);

    let foreign = world.challenge(ChallengePurpose::Attestation).await;
    let request = world.enrolment_over(&mut phone, foreign.clone(), &foreign);
    assert_eq!(code(&world, &request).await, ProblemCode::ChallengeInvalid);

    let request = world.enrolment(&mut phone).await;
    world.advance(120);
    assert_eq!(code(&world, &request).await, ProblemCode::ChallengeExpired);
}

#[tokio::test]
async fn one_challenge_enrols_one_of_many_racing_keys() {
    let world = World::new().await;
    let challenge = world.challenge(ChallengePurpose::Enrolment).await;
    let mut requests = Vec::new();
    for _ in 0..8 {
        let mut phone = world.genuine();
        requests.push(world.enrolment_over(&mut phone, challenge.clone(), &challenge));
    }
    let racing = requests
        .iter()
        .map(|request| world.post("enrolments", request));
    let responses = futures_util::future::join_all(racing).await;
    let mut won = 0;
    for response in responses {
        if response.status().is_success() {
            won += 1;
        } else {
            assert_eq!(problem(response).await.code, ProblemCode::ChallengeUsed);
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn the_proof_must_be_by_the_attested_key_over_these_bytes() {
    let world = World::new().await;
    let mut phone = world.genuine();
    let good = world.enrolment(&mut phone).await;
    let payload = good.payload.as_slice();
    let mut other = world.genuine();
    world.enrolment(&mut other).await;
    let cases = [
        world.prove(&other, Purpose::Enrolment, &[], payload),
        world.prove(&phone, Purpose::Attestation, &[], payload),
        world.prove(&phone, Purpose::Enrolment, b"x", payload),
        world.prove(&phone, Purpose::Enrolment, &[], b"{}"),
        Proof::EcdsaP256Sha256 {
            signature: Base64Url(vec![0; 71]),
        },
    ];
    for proof in cases {
        let request = EnrolmentRequest {
            proof,
            ..good.clone()
        };
        assert_eq!(code(&world, &request).await, ProblemCode::ProofInvalid);
    }
    // None of them spent the challenge.
    let _: EnrolmentReply = read(world.post("enrolments", &good).await).await;
}

#[tokio::test]
async fn evidence_that_does_not_authenticate_is_rejected_and_burns_nothing() {
    let world = World::new().await;
    world
        .set_policy(&[("development", "observe"), ("rejection-reasons", "on")])
        .await;
    let mut phone = world.genuine();
    // Made for another challenge.
    let challenge = world.challenge(ChallengePurpose::Enrolment).await;
    let request = world.enrolment_over(&mut phone, challenge.clone(), &Base64Url(vec![1; 16]));
    let rejected = refused(&world, &request).await;
    assert_eq!(rejected.code, ProblemCode::EvidenceRejected);
    assert_eq!(
        rejected.findings,
        Some(vec!["challenge-mismatch".to_owned()])
    );
    assert_eq!(rejected.ticket, None);
    let recorded = world.verdict(&rejected).await;
    assert_eq!(recorded.outcome, "rejected");
    // The same challenge still enrols.
    let good = world.enrolment_over(&mut phone, challenge.clone(), &challenge);
    let _: EnrolmentReply = read(world.post("enrolments", &good).await).await;
    // A phone of another maker.
    let elsewhere = Factory::new(NOW).unwrap();
    let foreign = Phone::builder("Other").build(&elsewhere, NOW).unwrap();
    let app = foreign.install(&world.apk).unwrap();
    let mut foreign = Instance {
        phone: foreign,
        app,
        key: None,
        ticket: Base64Url(Vec::new()),
    };
    let request = world.enrolment(&mut foreign).await;
    let rejected = refused(&world, &request).await;
    assert_eq!(rejected.findings, Some(vec!["root-not-trusted".to_owned()]));
    // No certificate at all, and one that is none.
    for chain in [Vec::new(), vec![Base64Url(vec![0x30, 0])]] {
        let good = world.enrolment(&mut phone).await;
        let request = altered(&world, &phone, &good, |payload| {
            payload.evidence = PlatformEvidence::AndroidKey { chain };
        });
        assert_eq!(code(&world, &request).await, ProblemCode::EvidenceRejected);
    }
}

#[tokio::test]
async fn a_refused_instance_learns_a_support_id_and_no_more_unless_told_so() {
    let world = World::new().await;
    let thief = SigningKey::generate(KeyKind::EcP256, "Thief", NOW).unwrap();
    let mut clone = world.phone_with(&books(&thief));
    let request = world.enrolment(&mut clone).await;
    let quiet = refused(&world, &request).await;
    assert_eq!(quiet.code, ProblemCode::AttestationRefused);
    assert_eq!(quiet.findings, None);
    assert!(quiet.device_id.is_some() && quiet.ticket.is_some());
    let recorded = world.verdict(&quiet).await;
    assert_eq!(recorded.outcome, "deny");
    assert!(
        recorded
            .findings
            .iter()
            .any(|f| f.code == "app-not-registered")
    );
    // A refusal spends its challenge.
    assert_eq!(code(&world, &request).await, ProblemCode::ChallengeUsed);

    world
        .set_policy(&[("development", "observe"), ("rejection-reasons", "on")])
        .await;
    let request = world.enrolment(&mut clone).await;
    let told = refused(&world, &request).await;
    assert_eq!(told.findings, Some(vec!["app-not-registered".to_owned()]));
}

#[tokio::test]
async fn each_weakness_of_the_device_is_refused_by_its_own_finding() {
    let world = World::new().await;
    world
        .set_policy(&[("development", "observe"), ("rejection-reasons", "on")])
        .await;
    let unlocked = world.genuine();
    unlocked.phone.unlock_bootloader().unwrap();
    let app = unlocked.phone.install(&world.apk).unwrap();
    let unlocked = Instance { app, ..unlocked };
    let debugged = world.genuine();
    debugged.phone.attach_debugger(debugged.app).unwrap();
    let hooked = world.genuine();
    hooked.phone.instrument(hooked.app).unwrap();
    let cases = [
        (unlocked, "bootloader-unlocked"),
        (debugged, "debugger-attached"),
        (hooked, "instrumentation-detected"),
    ];
    for (mut instance, finding) in cases {
        let request = world.enrolment(&mut instance).await;
        let told = refused(&world, &request).await;
        assert_eq!(told.code, ProblemCode::AttestationRefused);
        let findings = told.findings.unwrap();
        assert!(findings.iter().any(|code| code == finding), "{findings:?}");
    }
}

#[tokio::test]
async fn development_evidence_is_refused_where_the_policy_does_not_accept_it() {
    let world = World::new().await;
    world.set_policy(&[("rejection-reasons", "on")]).await;
    let mut phone = world.genuine();
    let request = world.enrolment(&mut phone).await;
    let told = refused(&world, &request).await;
    assert_eq!(told.findings, Some(vec!["development-evidence".to_owned()]));
}

/// Garbage costs its sender nothing, not even a challenge, so it must not cost us a row each time.
#[tokio::test]
async fn a_flood_of_evidence_that_does_not_authenticate_leaves_few_rows() {
    let world = World::new().await;
    let mut phone = world.genuine();
    let good = world.enrolment(&mut phone).await;
    let garbage = altered(&world, &phone, &good, |payload| {
        payload.evidence = PlatformEvidence::AndroidKey { chain: Vec::new() };
    });
    for _ in 0..100 {
        let told = code(&world, &garbage).await;
        assert_eq!(told, ProblemCode::EvidenceRejected);
    }
    world.enrol(&mut phone).await;
    world.service.recorder().settled().await;
    let window = Window {
        after: None,
        limit: 200,
    };
    let rows = world.service.store().verdicts(&world.account, window);
    let rows = rows.await.unwrap().items;
    let rejected = rows.iter().filter(|row| row.outcome == "rejected");
    assert_eq!(rejected.count(), 60);
    assert_eq!(rows[0].outcome, "allow");
}

#[tokio::test]
async fn overrides_and_revocations_count_at_once() {
    let world = World::new().await;
    let thief = SigningKey::generate(KeyKind::EcP256, "Thief", NOW).unwrap();
    let mut clone = world.phone_with(&books(&thief));
    let request = world.enrolment(&mut clone).await;
    let device = refused(&world, &request).await.device_id.unwrap();
    clone.ticket = Base64Url(Vec::new());

    set_override(&world, &device, OverrideKind::AlwaysPass).await;
    // The same key attests again over a new challenge only by its ticket, so the ticket is what counts;
    // a new enrolment is a new key and a new device.
    let request = world.enrolment(&mut clone).await;
    assert_eq!(
        code(&world, &request).await,
        ProblemCode::AttestationRefused
    );

    let mut phone = world.genuine();
    let reply = world.enrol(&mut phone).await;
    let revocation = Revocation { at: NOW };
    let id = reply.device_id.as_str();
    world
        .write(vec![world.put(ObjectKind::Revocation, id, &revocation)])
        .await;
    let (payload, _) = world.asking(&phone).await;
    let request = world.signed(&phone, &payload);
    let told = problem(world.post("attestations", &request).await).await;
    assert_eq!(told.code, ProblemCode::DeviceRevoked);
}

pub(crate) async fn set_override(world: &World, device: &DeviceId, kind: OverrideKind) {
    let entry = DeviceOverride {
        kind,
        reason: "test".to_owned(),
        owner: "test".to_owned(),
        owner_role: Role::Admin,
        created_at: NOW,
        expires_at: NOW + 3600,
    };
    world
        .write(vec![world.put(
            ObjectKind::Override,
            device.as_str(),
            &entry,
        )])
        .await;
}

#[tokio::test]
async fn a_payload_of_the_wrong_shape_is_named_by_its_pointer() {
    let world = World::new().await;
    let mut phone = world.genuine();
    let good = world.enrolment(&mut phone).await;
    let request = altered(&world, &phone, &good, |payload| {
        payload.sdk.name = "x".repeat(65);
    });
    let told = refused(&world, &request).await;
    assert_eq!(told.code, ProblemCode::MalformedRequest);
    assert_eq!(told.errors[0].pointer, "/payload/sdk/name");

    let request = altered(&world, &phone, &good, |payload| {
        payload.measurements.artifact_sha256 = Some(Base64Url(vec![0; 31]));
    });
    let told = refused(&world, &request).await;
    assert_eq!(
        told.errors[0].pointer,
        "/payload/measurements/artifact_sha256"
    );

    let text = String::from_utf8(good.payload.0.clone()).unwrap();
    let extra = text.replacen("\"debugger\"", "\"also\":1,\"debugger\"", 1);
    let request = EnrolmentRequest {
        payload: Base64Url(extra.into_bytes()),
        ..good
    };
    let told = refused(&world, &request).await;
    assert_eq!(told.code, ProblemCode::MalformedRequest);
    assert!(told.errors[0].pointer.starts_with("/payload/measurements"));
}
