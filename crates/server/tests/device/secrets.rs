//! Where a runtime secret must never be found (promises P28 and P29).

use bonafide_simulator::KeyKind;
use bonafide_simulator::apk::SigningKey;
use bonafide_wire::admin::AuditEventView;
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{SecretOutcome, Withheld};
use bonafide_wire::seal::Suite;

use crate::log;
use crate::world::{CANARY, NOW, World, books, bytes_of, host};

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[tokio::test]
async fn a_delivered_secret_is_in_no_log_no_database_file_and_no_plain_reply() {
    let world = World::new().await;
    let mut phone = world.genuine();
    world.enrol(&mut phone).await;
    let (payload, key) = world.asking(&phone).await;
    let request = world.signed(&phone, &payload);
    let response = bytes_of(world.post("attestations", &request).await).await;
    let sealed = serde_json::from_slice(&response).unwrap();
    let reply = world.open(&sealed, &request, &key).unwrap();
    let [SecretOutcome::Released { value, .. }] = reply.secrets.as_slice() else {
        panic!("{:?}", reply.secrets);
    };
    assert_eq!(value.0.expose(), CANARY, "it was delivered");

    let canary = CANARY.as_bytes();
    assert!(!contains(&response, canary));
    assert!(!contains(format!("{reply:?}").as_bytes(), canary));
    let snapshot = format!("{:?}", world.service.snapshot());
    assert!(!contains(snapshot.as_bytes(), canary));
    let mut files = 0;
    for entry in std::fs::read_dir(world.directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!contains(&bytes, canary));
        files += 1;
    }
    assert!(files >= 2, "database and master key were looked at");
    // Of this test and of all that ran so far, at the most talkative level.
    let log = log::captured();
    assert!(contains(&log, b"bonafide::access"), "something was logged");
    assert!(!contains(&log, canary));
}

#[tokio::test]
async fn its_release_is_in_the_audit_log_by_name_and_host() {
    let world = World::new().await;
    let mut phone = world.genuine();
    let device = world.enrol(&mut phone).await.device_id;
    world.attest(&mut phone).await;
    let window = bonafide_server::store::Window {
        after: None,
        limit: 100,
    };
    let store = world.service.store();
    let rows = store.audit(Some(&world.account), window).await.unwrap();
    let released = rows
        .items
        .iter()
        .find(|row| row.action == "secret.released")
        .unwrap();
    assert_eq!(released.actor, device.as_str());
    assert_eq!(released.object, "client_secret");
    assert_eq!(released.details["host"], "oauth2.googleapis.com");
    assert!(store.verify_audit().await.unwrap().intact);
}

#[tokio::test]
async fn it_goes_to_no_clone_no_unlocked_phone_and_no_other_host() {
    let world = World::new().await;
    let thief = SigningKey::generate(KeyKind::EcP256, "Thief", NOW).unwrap();
    let clone = world.phone_with(&books(&thief));
    let unlocked = world.genuine();
    unlocked.phone.unlock_bootloader().unwrap();
    let app = unlocked.phone.install(&world.apk).unwrap();
    let unlocked = crate::world::Instance { app, ..unlocked };
    for mut phone in [clone, unlocked] {
        let request = world.enrolment(&mut phone).await;
        let told = crate::world::problem(world.post("enrolments", &request).await).await;
        phone.ticket = told.ticket.unwrap();
        let (payload, _) = world.asking(&phone).await;
        let request = world.signed(&phone, &payload);
        let response = world.post("attestations", &request).await;
        assert_eq!(response.status(), 403);
        assert!(!contains(&bytes_of(response).await, CANARY.as_bytes()));
    }
    let mut phone = world.genuine();
    world.enrol(&mut phone).await;
    let (mut payload, key) = world.asking(&phone).await;
    payload.secrets[0].host = host("evil.example");
    let reply = world.attest_with(&mut phone, &payload, &key).await;
    assert!(matches!(
        reply.secrets.as_slice(),
        [SecretOutcome::Withheld {
            reason: Withheld::HostNotAllowed,
            ..
        }]
    ));
}

#[tokio::test]
async fn a_rotated_secret_is_what_the_next_attestation_gets() {
    let world = World::new().await;
    let mut phone = world.genuine();
    world.enrol(&mut phone).await;
    world.attest(&mut phone).await;
    world.set_secret("GOCSPX-rotated", 2).await;
    let reply = world.attest(&mut phone).await;
    let [SecretOutcome::Released { value, version, .. }] = reply.secrets.as_slice() else {
        panic!("{:?}", reply.secrets);
    };
    assert_eq!((value.0.expose(), *version), ("GOCSPX-rotated", 2));
}

#[tokio::test]
async fn a_response_key_that_nothing_can_be_sealed_to_releases_nothing() {
    let world = World::new().await;
    let mut phone = world.genuine();
    world.enrol(&mut phone).await;
    for (suite, point) in [
        (Suite::P256, vec![4; 65]),
        (Suite::X25519, vec![0; 32]),
        (Suite::X25519, vec![9; 31]),
    ] {
        let (mut payload, _) = world.asking(&phone).await;
        payload.response_key.suite = suite;
        payload.response_key.public_key = Base64Url(point);
        let request = world.signed(&phone, &payload);
        let response = world.post("attestations", &request).await;
        assert_eq!(response.status().as_u16(), 400);
    }
    let window = bonafide_server::store::Window {
        after: None,
        limit: 500,
    };
    let store = world.service.store();
    let rows = store.audit(Some(&world.account), window).await.unwrap();
    let released = |event: &AuditEventView| event.action == "secret.released";
    assert!(!rows.items.iter().any(released));
}
