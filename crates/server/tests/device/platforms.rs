//! W-5, W-8 and W-9 for App Attest and Play Integrity: each kind enrols and gets what it asks for, and each case
//! after that breaks one rule and expects exactly that code.

use bonafide_server::config::{Anchor, App, PlayKey, Registration, Revocation};
use bonafide_server::store::{Expectation, ObjectKey, ObjectKind, Write};
use bonafide_simulator::{
    Factory, IPhone, IosApp, IosKeyId, IosRelease, IosVersion, KeyAlias, PlayConsole, PlayRequest,
    PlayVerdicts,
};
use bonafide_wire::admin::Reference;
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{
    AttestationReply, AttestationRequest, ChallengePurpose, EnrolmentPayload, EnrolmentReply,
    EnrolmentRequest, Measured, Measurements, PlatformEvidence, SealedReply, SecretOutcome,
    TokenOutcome, app_attest_client_data_hash, play_request_hash,
};
use bonafide_wire::ids::{AppId, PackageName};
use bonafide_wire::platform::AnchoredEvidence;
use bonafide_wire::problem::{Problem, ProblemCode};
use bonafide_wire::proof::{Proof, Purpose, device_id, sha256, signed_bytes};

use bonafide_wire::seal::OpeningKey;

use crate::world::{CANARY, Instance, NOW, PACKAGE, World, problem, read, sdk};

const APP_ID: &str = "TEAM123456.dev.bonafide.books";

/// A phone of either kind with its enrolled key.
enum Handset {
    Apple { phone: IPhone, key: IosKeyId },
    Play { on: Instance, google: PlayConsole },
}

struct Enrolled {
    handset: Handset,
    ticket: Base64Url,
}

impl Handset {
    fn prove(&self, world: &World, purpose: Purpose, attachment: &[u8], payload: &[u8]) -> Proof {
        match self {
            Self::Apple { phone, key } => {
                let message = signed_bytes(purpose, &world.account, attachment, payload);
                let assertion = phone.generate_assertion(APP_ID, *key, &sha256(&message));
                Proof::AppAttestAssertion {
                    assertion: Base64Url(assertion.unwrap()),
                }
            }
            Self::Play { on, .. } => world.prove(on, purpose, attachment, payload),
        }
    }

    /// A new key and the platform's word for it.
    fn attest(&mut self, world: &World, challenge: &[u8]) -> PlatformEvidence {
        match self {
            Self::Apple { phone, key } => {
                *key = phone.generate_key(APP_ID).unwrap();
                let hash = app_attest_client_data_hash(challenge);
                let object = phone.attest_key(APP_ID, *key, &hash, world.now());
                PlatformEvidence::AppAttest {
                    attestation: Base64Url(object.unwrap()),
                    key_id: Base64Url(key.0.to_vec()),
                }
            }
            Self::Play { on, google } => {
                let (alias, point) = on.phone.generate_plain_key(on.app).unwrap();
                on.key = Some(alias);
                let hash = play_request_hash(&world.account, challenge, &point);
                let request = PlayRequest::Standard(&hash);
                let token = google.token(&on.phone, on.app, request, world.now());
                PlatformEvidence::PlayIntegrity {
                    token: token.unwrap(),
                    public_key: Base64Url(point),
                }
            }
        }
    }
}

fn clear() -> Measurements {
    Measurements {
        debugger: Measured::Clear,
        tracer: Measured::Clear,
        instrumentation: Measured::Clear,
        injected_libraries: Measured::Clear,
        code_modified: Measured::Clear,
        emulator: Measured::Clear,
        root: Measured::Clear,
        artifact_sha256: None,
    }
}

/// A world that knows the iOS app under a development anchor.
async fn apple_world() -> World {
    let world = World::new().await;
    let app = App {
        name: "Books".to_owned(),
        android_package: Some(PackageName::parse(PACKAGE).unwrap()),
        apple_app_id: Some(APP_ID.parse().unwrap()),
        created_at: NOW,
    };
    let anchor = Anchor {
        evidence: AnchoredEvidence::AppAttest,
        certificate: Base64Url(world.factory.root_certificate_der().to_vec()),
        added_by: "test".to_owned(),
        added_at: NOW,
    };
    let registration = Registration {
        app: AppId::parse("books").unwrap(),
        reference: Reference::AppleApp {
            app_id: APP_ID.parse().unwrap(),
        },
        label: "test".to_owned(),
        added_by: "test".to_owned(),
        added_at: NOW,
        expires_at: None,
    };
    world
        .write(vec![
            world.put(ObjectKind::App, "books", &app),
            world.put(ObjectKind::Anchor, "iphone", &anchor),
            world.put(ObjectKind::Registration, "reg_ios", &registration),
        ])
        .await;
    world
}

fn iphone_of(factory: &Factory, app_id: &str, release: IosRelease) -> Handset {
    let phone = IPhone::new(factory, IosVersion::Ios27, NOW).unwrap();
    phone.install(IosApp {
        app_id: app_id.to_owned(),
        build: "42".to_owned(),
        release,
    });
    let key = IosKeyId([0; 32]);
    Handset::Apple { phone, key }
}

fn iphone(world: &World) -> Handset {
    iphone_of(&world.factory, APP_ID, IosRelease::AppStore)
}

/// A world that can open Play verdicts, and the console that makes them.
async fn play_world() -> (World, Handset) {
    let world = World::new().await;
    let handset = android(&world, PlayVerdicts::Evaluated);
    set_play_keys(&world, &handset).await;
    (world, handset)
}

fn android(world: &World, verdicts: PlayVerdicts) -> Handset {
    Handset::Play {
        on: world.genuine(),
        google: PlayConsole::new(PACKAGE, vec![world.apk.signer()], verdicts).unwrap(),
    }
}

async fn set_play_keys(world: &World, handset: &Handset) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let Handset::Play { google, .. } = handset else {
        panic!("no Play phone");
    };
    let app = AppId::parse("books").unwrap();
    let decryption = STANDARD.decode(google.decryption_key_base64()).unwrap();
    let verification = google.verification_key_base64().unwrap();
    let keys = world.service.keys();
    let key = PlayKey {
        verification: Base64Url(STANDARD.decode(verification).unwrap()),
        sealed: keys
            .seal_play_key(&world.account, &app, &decryption)
            .unwrap(),
        added_by: "test".to_owned(),
        added_at: NOW,
    };
    world
        .write(vec![world.put(ObjectKind::PlayKey, "books", &key)])
        .await;
}

async fn payload_of(world: &World, handset: &mut Handset) -> EnrolmentPayload {
    let challenge = world.challenge(ChallengePurpose::Enrolment).await;
    let evidence = handset.attest(world, challenge.as_slice());
    EnrolmentPayload {
        challenge,
        evidence,
        measurements: clear(),
        sdk: sdk(),
    }
}

fn signed(world: &World, handset: &Handset, payload: &EnrolmentPayload) -> EnrolmentRequest {
    let payload = serde_json::to_vec(payload).unwrap();
    EnrolmentRequest {
        proof: handset.prove(world, Purpose::Enrolment, &[], &payload),
        payload: Base64Url(payload),
    }
}

async fn request_of(world: &World, handset: &mut Handset) -> EnrolmentRequest {
    let payload = payload_of(world, handset).await;
    signed(world, handset, &payload)
}

async fn enrol(world: &World, mut handset: Handset) -> (Enrolled, EnrolmentReply) {
    let request = request_of(world, &mut handset).await;
    let reply: EnrolmentReply = read(world.post("enrolments", &request).await).await;
    let ticket = reply.ticket.clone();
    (Enrolled { handset, ticket }, reply)
}

/// A good request; its challenge, response key and wishes are those of the world's other tests.
async fn asking(world: &World, enrolled: &Enrolled) -> (AttestationRequest, OpeningKey) {
    let other = world.genuine();
    let (mut payload, key) = world.asking(&other).await;
    payload.measurements = clear();
    let payload = serde_json::to_vec(&payload).unwrap();
    let ticket = enrolled.ticket.clone();
    let proof = enrolled
        .handset
        .prove(world, Purpose::Attestation, ticket.as_slice(), &payload);
    let request = AttestationRequest {
        ticket,
        payload: Base64Url(payload),
        proof,
    };
    (request, key)
}

async fn attest(world: &World, enrolled: &mut Enrolled) -> AttestationReply {
    let (request, key) = asking(world, enrolled).await;
    let sealed: SealedReply = read(world.post("attestations", &request).await).await;
    let reply = world.open(&sealed, &request, &key).unwrap();
    enrolled.ticket = reply.ticket.clone();
    reply
}

async fn refused(world: &World, request: &EnrolmentRequest) -> Problem {
    problem(world.post("enrolments", request).await).await
}

async fn not_attested(world: &World, request: &AttestationRequest) -> ProblemCode {
    problem(world.post("attestations", request).await)
        .await
        .code
}

/// The code that an operator finds behind evidence that was rejected.
async fn rejected_as(world: &World, request: &EnrolmentRequest) -> String {
    let problem = refused(world, request).await;
    assert_eq!(problem.code, ProblemCode::EvidenceRejected);
    let verdict = world.verdict(&problem).await;
    verdict.findings.first().unwrap().code.clone()
}

fn assert_gets_everything(reply: &AttestationReply) {
    let [TokenOutcome::Issued { token, .. }] = reply.tokens.as_slice() else {
        panic!("{:?}", reply.tokens);
    };
    let body = token.0.expose().split('.').nth(1).unwrap();
    let claims: serde_json::Value =
        serde_json::from_slice(&bonafide_wire::bytes::decode(body).unwrap()).unwrap();
    assert_eq!(claims["sub"], reply.device_id.as_str());
    let [SecretOutcome::Released { value, .. }] = reply.secrets.as_slice() else {
        panic!("{:?}", reply.secrets);
    };
    assert_eq!(value.0.expose(), CANARY);
}

#[tokio::test]
async fn an_iphone_enrols_and_attests_with_a_counter_that_grows() {
    let world = apple_world().await;
    let (mut enrolled, reply) = enrol(&world, iphone(&world)).await;
    let device = world
        .service
        .store()
        .device(&world.account, &reply.device_id);
    let device = device.await.unwrap().unwrap();
    assert!(device.development);
    assert_eq!(device.app.as_str(), "books");
    for _ in 0..3 {
        let reply = attest(&world, &mut enrolled).await;
        assert_gets_everything(&reply);
        assert!(reply.ticket.as_slice().len() <= 4096);
    }
}

#[tokio::test]
async fn a_phone_enrols_by_a_play_verdict_of_either_kind_of_request() {
    let (world, handset) = play_world().await;
    let (mut enrolled, reply) = enrol(&world, handset).await;
    assert!(reply.ticket.as_slice().len() <= 4096);
    assert_gets_everything(&attest(&world, &mut enrolled).await);
    assert_gets_everything(&attest(&world, &mut enrolled).await);
    // Tokens that are opened locally come from classic requests in practice.
    let mut classic = enrolled.handset;
    let mut payload = payload_of(&world, &mut classic).await;
    let Handset::Play { on, google } = &classic else {
        panic!("no Play phone");
    };
    let PlatformEvidence::PlayIntegrity { token, public_key } = &mut payload.evidence else {
        panic!("no Play evidence");
    };
    let hash = play_request_hash(
        &world.account,
        payload.challenge.as_slice(),
        public_key.as_slice(),
    );
    let request = PlayRequest::Classic(&hash);
    *token = google.token(&on.phone, on.app, request, NOW).unwrap();
    let request = signed(&world, &classic, &payload);
    let reply: EnrolmentReply = read(world.post("enrolments", &request).await).await;
    assert_eq!(
        reply.device_id,
        device_id(&world.account, public_key_of(&payload).as_slice())
    );
}

fn public_key_of(payload: &EnrolmentPayload) -> Base64Url {
    match &payload.evidence {
        PlatformEvidence::PlayIntegrity { public_key, .. } => public_key.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_broken_rule_of_app_attest_is_refused_with_its_own_code() {
    let world = apple_world().await;
    let mut phone = iphone(&world);
    let good = payload_of(&world, &mut phone).await;
    // Over another challenge of ours.
    let mut other = good.clone();
    other.challenge = world.challenge(ChallengePurpose::Enrolment).await;
    let request = signed(&world, &phone, &other);
    assert_eq!(rejected_as(&world, &request).await, "nonce-mismatch");
    // Named by another key id.
    let mut renamed = good.clone();
    if let PlatformEvidence::AppAttest { key_id, .. } = &mut renamed.evidence {
        *key_id = Base64Url(vec![0; 32]);
    }
    let request = signed(&world, &phone, &renamed);
    assert_eq!(rejected_as(&world, &request).await, "key-id-mismatch");
    // Under a root that nobody trusts.
    let stranger = Factory::new(NOW).unwrap();
    let mut foreign = iphone_of(&stranger, APP_ID, IosRelease::AppStore);
    let request = request_of(&world, &mut foreign).await;
    assert_eq!(rejected_as(&world, &request).await, "root-not-trusted");
    // Nothing of it was spent: the good one still enrols.
    let request = signed(&world, &phone, &good);
    let _: EnrolmentReply = read(world.post("enrolments", &request).await).await;
    assert_eq!(
        refused(&world, &request).await.code,
        ProblemCode::ChallengeUsed
    );
}

#[tokio::test]
async fn another_app_of_apples_is_not_ours() {
    let world = apple_world().await;
    let phone = IPhone::new(&world.factory, IosVersion::Ios27, NOW).unwrap();
    let other = "TEAM123456.dev.bonafide.other";
    phone.install(IosApp {
        app_id: other.to_owned(),
        build: "42".to_owned(),
        release: IosRelease::AppStore,
    });
    let key = phone.generate_key(other).unwrap();
    let challenge = world.challenge(ChallengePurpose::Enrolment).await;
    let hash = app_attest_client_data_hash(challenge.as_slice());
    let object = phone.attest_key(other, key, &hash, NOW).unwrap();
    let payload = EnrolmentPayload {
        challenge,
        evidence: PlatformEvidence::AppAttest {
            attestation: Base64Url(object),
            key_id: Base64Url(key.0.to_vec()),
        },
        measurements: clear(),
        sdk: sdk(),
    };
    let bytes = serde_json::to_vec(&payload).unwrap();
    let message = signed_bytes(Purpose::Enrolment, &world.account, &[], &bytes);
    let assertion = phone.generate_assertion(other, key, &sha256(&message));
    let request = EnrolmentRequest {
        payload: Base64Url(bytes),
        proof: Proof::AppAttestAssertion {
            assertion: Base64Url(assertion.unwrap()),
        },
    };
    assert_eq!(rejected_as(&world, &request).await, "app-id-mismatch");
}

#[tokio::test]
async fn an_ios_app_without_a_registration_is_authentic_and_refused_until_it_has_one() {
    let world = apple_world().await;
    let key = ObjectKey::of(&world.account, ObjectKind::Registration, "reg_ios");
    world
        .write(vec![Write::delete(key, Expectation::Present)])
        .await;
    let mut phone = iphone(&world);
    let request = request_of(&world, &mut phone).await;
    let problem = refused(&world, &request).await;
    assert_eq!(problem.code, ProblemCode::AttestationRefused);
    let verdict = world.verdict(&problem).await;
    assert!(
        verdict
            .findings
            .iter()
            .any(|finding| finding.code == "app-not-registered")
    );
    let mut enrolled = Enrolled {
        handset: phone,
        ticket: problem.ticket.unwrap(),
    };
    let registration = Registration {
        app: AppId::parse("books").unwrap(),
        reference: Reference::AppleApp {
            app_id: APP_ID.parse().unwrap(),
        },
        label: "test".to_owned(),
        added_by: "test".to_owned(),
        added_at: NOW,
        expires_at: None,
    };
    world
        .write(vec![world.put(
            ObjectKind::Registration,
            "reg_ios",
            &registration,
        )])
        .await;
    assert_gets_everything(&attest(&world, &mut enrolled).await);
}

#[tokio::test]
async fn the_sandbox_of_apple_is_refused_unless_the_policy_takes_it() {
    let world = apple_world().await;
    let mut sandbox = iphone_of(&world.factory, APP_ID, IosRelease::Development);
    let request = request_of(&world, &mut sandbox).await;
    let problem = refused(&world, &request).await;
    assert_eq!(problem.code, ProblemCode::AttestationRefused);
    let verdict = world.verdict(&problem).await;
    let enforced: Vec<&str> = verdict
        .findings
        .iter()
        .filter(|finding| finding.severity == "enforced")
        .map(|finding| finding.code.as_str())
        .collect();
    assert_eq!(enforced, ["environment-not-accepted"]);
    world
        .set_policy(&[
            ("development", "observe"),
            ("app-attest-environment", "any"),
        ])
        .await;
    let (mut enrolled, _) = enrol(&world, sandbox).await;
    assert_gets_everything(&attest(&world, &mut enrolled).await);
}

#[tokio::test]
async fn an_assertion_is_good_for_one_ticket_one_payload_and_one_key_and_never_goes_back() {
    let world = apple_world().await;
    let (mut enrolled, _) = enrol(&world, iphone(&world)).await;
    let (first, _) = asking(&world, &enrolled).await;
    let (second, key) = asking(&world, &enrolled).await;
    // The earlier assertion with the later payload.
    let mixed = AttestationRequest {
        proof: first.proof.clone(),
        ..second.clone()
    };
    assert_eq!(
        not_attested(&world, &mixed).await,
        ProblemCode::ProofInvalid
    );
    // Another phone's assertion.
    let (other, _) = enrol(&world, iphone(&world)).await;
    let foreign = AttestationRequest {
        proof: other.handset.prove(
            &world,
            Purpose::Attestation,
            second.ticket.as_slice(),
            second.payload.as_slice(),
        ),
        ..second.clone()
    };
    assert_eq!(
        not_attested(&world, &foreign).await,
        ProblemCode::ProofInvalid
    );
    // A bare signature is not how this key signs.
    let bare = AttestationRequest {
        proof: Proof::EcdsaP256Sha256 {
            signature: Base64Url(vec![0; 70]),
        },
        ..second.clone()
    };
    assert_eq!(not_attested(&world, &bare).await, ProblemCode::ProofInvalid);
    // The ticket that follows the second assertion carries its counter.
    let sealed: SealedReply = read(world.post("attestations", &second).await).await;
    enrolled.ticket = world.open(&sealed, &second, &key).unwrap().ticket;
    attest(&world, &mut enrolled).await;
}

#[tokio::test]
async fn a_counter_that_is_not_above_the_tickets_is_refused() {
    let world = apple_world().await;
    let (mut enrolled, _) = enrol(&world, iphone(&world)).await;
    attest(&world, &mut enrolled).await;
    let (request, _) = asking(&world, &enrolled).await;
    // The key as it was when it had asserted nothing yet: what a clone of it would say.
    let Handset::Apple { phone, key } = &enrolled.handset else {
        panic!("no iPhone");
    };
    phone.rewind_counter(*key).unwrap();
    let message = signed_bytes(
        Purpose::Attestation,
        &world.account,
        request.ticket.as_slice(),
        request.payload.as_slice(),
    );
    let assertion = phone.generate_assertion(APP_ID, *key, &sha256(&message));
    let older = AttestationRequest {
        proof: Proof::AppAttestAssertion {
            assertion: Base64Url(assertion.unwrap()),
        },
        ..request
    };
    assert_eq!(
        not_attested(&world, &older).await,
        ProblemCode::CounterNotGreater
    );
}

#[tokio::test]
async fn what_an_assertion_says_of_the_release_is_judged_anew() {
    let world = apple_world().await;
    world
        .set_policy(&[
            ("development", "observe"),
            ("bundle-version", "enforce"),
            ("allowed-bundle-versions", "42"),
        ])
        .await;
    let (mut enrolled, _) = enrol(&world, iphone(&world)).await;
    attest(&world, &mut enrolled).await;
    let Handset::Apple { phone, .. } = &enrolled.handset else {
        panic!("no iPhone");
    };
    phone.install(IosApp {
        app_id: APP_ID.to_owned(),
        build: "41".to_owned(),
        release: IosRelease::AppStore,
    });
    let (request, _) = asking(&world, &enrolled).await;
    assert_eq!(
        not_attested(&world, &request).await,
        ProblemCode::AttestationRefused
    );
}

#[tokio::test]
async fn a_removed_anchor_or_key_and_a_revoked_device_end_every_kind() {
    let world = apple_world().await;
    let (apple, _) = enrol(&world, iphone(&world)).await;
    let handset = android(&world, PlayVerdicts::Evaluated);
    set_play_keys(&world, &handset).await;
    let (play, reply) = enrol(&world, handset).await;
    let revocation = Revocation { at: NOW };
    let revoked = world.put(
        ObjectKind::Revocation,
        reply.device_id.as_str(),
        &revocation,
    );
    world.write(vec![revoked]).await;
    let (request, _) = asking(&world, &play).await;
    assert_eq!(
        not_attested(&world, &request).await,
        ProblemCode::DeviceRevoked
    );
    for (kind, id) in [
        (ObjectKind::Anchor, "iphone"),
        (ObjectKind::PlayKey, "books"),
    ] {
        let key = ObjectKey::of(&world.account, kind, id);
        world
            .write(vec![Write::delete(key, Expectation::Present)])
            .await;
    }
    for enrolled in [&apple, &play] {
        let (request, _) = asking(&world, enrolled).await;
        assert_eq!(
            not_attested(&world, &request).await,
            ProblemCode::TicketExpired
        );
    }
}

#[tokio::test]
async fn each_broken_rule_of_play_integrity_is_refused_with_its_own_code() {
    let (world, mut handset) = play_world().await;
    let good = payload_of(&world, &mut handset).await;
    let Handset::Play { on, google } = &handset else {
        panic!("no Play phone");
    };
    let token = |request: &str, now| {
        let request = PlayRequest::Standard(request);
        google.token(&on.phone, on.app, request, now).unwrap()
    };
    let hash = play_request_hash(
        &world.account,
        good.challenge.as_slice(),
        public_key_of(&good).as_slice(),
    );
    let stranger = PlayConsole::new(PACKAGE, vec![], PlayVerdicts::Evaluated).unwrap();
    let foreign = stranger
        .token(&on.phone, on.app, PlayRequest::Standard(&hash), NOW)
        .unwrap();
    let cases = [
        ("request-binding-mismatch", token("another hash", NOW)),
        ("verdict-not-fresh", token(&hash, NOW - 601)),
        ("verdict-not-fresh", token(&hash, NOW + 61)),
        ("jwe-undecryptable", foreign),
        ("token-format", "no token".to_owned()),
    ];
    for (code, other) in cases {
        let payload = altered(&good, |token, _| *token = other);
        let request = signed(&world, &handset, &payload);
        assert_eq!(rejected_as(&world, &request).await, code);
    }
    // The same token for another key: the thief's, which signs well.
    let (thief, point) = on.phone.generate_plain_key(on.app).unwrap();
    let payload = altered(&good, |_, public_key| *public_key = Base64Url(point));
    let request = signed_by(&world, on, thief, &payload);
    assert_eq!(
        rejected_as(&world, &request).await,
        "request-binding-mismatch"
    );
    // The thief's key in the proof only.
    let (thief, _) = on.phone.generate_plain_key(on.app).unwrap();
    let request = signed_by(&world, on, thief, &good);
    assert_eq!(
        refused(&world, &request).await.code,
        ProblemCode::ProofInvalid
    );
    // No failed try has burnt anything; the good one is good once.
    let request = signed(&world, &handset, &good);
    let _: EnrolmentReply = read(world.post("enrolments", &request).await).await;
    assert_eq!(
        refused(&world, &request).await.code,
        ProblemCode::ChallengeUsed
    );
    // Sealed anew by somebody with the keys, and signed anew by Google: other bytes, the same request.
    let again = altered(&good, |text, _| *text = token(&hash, NOW));
    let request = signed(&world, &handset, &again);
    assert_eq!(
        refused(&world, &request).await.code,
        ProblemCode::ChallengeUsed
    );
}

/// The same enrolment with another token or key.
fn altered(
    good: &EnrolmentPayload,
    alter: impl FnOnce(&mut String, &mut Base64Url),
) -> EnrolmentPayload {
    let mut payload = good.clone();
    if let PlatformEvidence::PlayIntegrity { token, public_key } = &mut payload.evidence {
        alter(token, public_key);
    }
    payload
}

fn signed_by(
    world: &World,
    on: &Instance,
    key: KeyAlias,
    payload: &EnrolmentPayload,
) -> EnrolmentRequest {
    let mut thief = on.clone();
    thief.key = Some(key);
    let payload = serde_json::to_vec(payload).unwrap();
    EnrolmentRequest {
        proof: world.prove(&thief, Purpose::Enrolment, &[], &payload),
        payload: Base64Url(payload),
    }
}

#[tokio::test]
async fn a_testers_verdict_is_development_evidence() {
    let world = World::new().await;
    let handset = android(&world, PlayVerdicts::Testing);
    set_play_keys(&world, &handset).await;
    world.set_policy(&[]).await;
    let mut handset = handset;
    let request = request_of(&world, &mut handset).await;
    let problem = refused(&world, &request).await;
    let verdict = world.verdict(&problem).await;
    assert_eq!(verdict.findings[0].code, "development-evidence");
    world.set_policy(&[("development", "observe")]).await;
    let (_, reply) = enrol(&world, handset).await;
    let device = world
        .service
        .store()
        .device(&world.account, &reply.device_id);
    assert!(device.await.unwrap().unwrap().development);
}

#[tokio::test]
async fn a_play_verdict_is_good_for_as_long_as_the_policy_says() {
    let (world, handset) = play_world().await;
    let (enrolled, reply) = enrol(&world, handset).await;
    assert_eq!(reply.ticket_expires_at, NOW + 24 * 3600);
    world.advance(24 * 3600 - 1);
    let mut enrolled = enrolled;
    attest(&world, &mut enrolled).await;
    world.advance(1);
    let (request, _) = asking(&world, &enrolled).await;
    assert_eq!(
        not_attested(&world, &request).await,
        ProblemCode::TicketExpired
    );
    // A policy that is made longer later counts at once.
    world
        .set_policy(&[
            ("development", "observe"),
            ("play-max-verdict-age-hours", "48"),
        ])
        .await;
    attest(&world, &mut enrolled).await;
}
