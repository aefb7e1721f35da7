//! Who is refused, what they learn, and that it ends when the operator says so.

use bonafide_sdk::{Bonafide, SdkError};
use bonafide_simulator::KeyKind;
use bonafide_simulator::apk::SigningKey;
use serde_json::{Value, json};

use crate::world::{API, CANARY, Instance, SECRET_HOST, World, host, secret_name};

/// Asks for everything; gives the refusal after making sure that nothing came.
async fn refused(instance: &Instance) -> SdkError {
    let before = instance.tap.heard("attestations").len();
    let token = instance.sdk.attestation_token(&host(API), None).await;
    let error = token.unwrap_err();
    let secret = instance
        .sdk
        .secret(&secret_name(), &host(SECRET_HOST))
        .await;
    assert_eq!(secret.unwrap_err().code(), error.code());
    for exchange in instance.tap.heard("attestations").split_off(before) {
        let text = String::from_utf8(exchange.response).unwrap();
        assert!(!text.contains("sealed") && !text.contains("eyJ"), "{text}");
    }
    assert!(!instance.tap.heard_text(CANARY));
    assert!(error.is_refusal() && !error.retryable());
    error
}

async fn token(sdk: &Bonafide) -> Result<(), SdkError> {
    sdk.attestation_token(&host(API), None).await.map(|_| ())
}

#[tokio::test]
async fn an_unregistered_build_is_refused_until_it_is_registered() {
    let world = World::unregistered().await;
    let instance = world.genuine();
    let error = refused(&instance).await;
    assert_eq!(error.code(), "attestation-refused");
    assert!(
        error.findings().contains(&"app-not-registered".to_owned()),
        "{error}"
    );
    let device = error.device_id().unwrap().clone();

    // The operator finds the verdict by the code that the user reads out.
    let id = error.support_id().unwrap();
    let verdict = world
        .admin("GET", &format!("verdicts/{id}"), Value::Null)
        .await;
    assert_eq!(verdict["device_id"], device.as_str());

    world.register(&world.apk).await;
    // The refusal is remembered for a while (W-18), then the same key asks again (W-9).
    assert_eq!(
        token(&instance.sdk).await.unwrap_err().code(),
        "attestation-refused"
    );
    instance.clock.turn(10);
    assert_eq!(token(&instance.sdk).await, Ok(()));
    assert_eq!(instance.sdk.device_id(), Some(device));
    assert_eq!(instance.tap.heard("enrolments").len(), 1);
}

#[tokio::test]
async fn a_clone_signed_by_somebody_else_is_refused() {
    let world = World::new().await;
    let thief = SigningKey::generate(KeyKind::EcP256, "Thief", 1_795_000_000).unwrap();
    let clone = world.apk.contents().sign(&thief).unwrap();
    let error = refused(&world.on(world.phone(), &clone)).await;
    assert_eq!(error.code(), "attestation-refused");
}

#[tokio::test]
async fn another_build_of_the_same_developer_is_refused() {
    let world = World::new().await;
    let next = world.apk.contents().version(8, "1.8");
    let next = next.sign(&world.developer).unwrap();
    let instance = world.on(world.phone(), &next);
    assert_eq!(refused(&instance).await.code(), "attestation-refused");
}

#[tokio::test]
async fn an_unlocked_phone_is_refused() {
    let world = World::new().await;
    let phone = world.phone();
    phone.unlock_bootloader().unwrap();
    let error = refused(&world.on(phone, &world.apk)).await;
    assert!(
        error.findings().iter().any(|code| code.contains("boot")),
        "{error}"
    );
}

#[tokio::test]
async fn a_debugger_ends_what_the_instance_had() {
    let world = World::new().await;
    let instance = world.genuine();
    assert_eq!(token(&instance.sdk).await, Ok(()));
    instance.phone.attach_debugger(instance.app).unwrap();
    instance.clock.turn(300);
    let error = refused(&instance).await;
    assert!(
        error.findings().contains(&"debugger-attached".to_owned()),
        "{error}"
    );
    instance.phone.detach_debugger(instance.app).unwrap();
    instance.clock.turn(10);
    assert_eq!(token(&instance.sdk).await, Ok(()));
}

#[tokio::test]
async fn an_override_lets_a_device_pass_and_a_revocation_ends_it() {
    let world = World::unregistered().await;
    let instance = world.genuine();
    refused(&instance).await;
    let pass = json!({ "kind": "always-pass", "reason": "test", "for_seconds": 600 });
    world.admin("PUT", "overrides/latest", pass).await;
    instance.clock.turn(10);
    assert_eq!(token(&instance.sdk).await, Ok(()));

    let device = instance.sdk.device_id().unwrap();
    let revocation = format!("devices/{device}/revocation");
    world.admin("PUT", &revocation, Value::Null).await;
    instance.clock.turn(300);
    let error = token(&instance.sdk).await.unwrap_err();
    assert_eq!(error.code(), "device-revoked");
    instance.clock.turn(10);
    // It does not slip out under a new key by itself.
    assert_eq!(
        token(&instance.sdk).await.unwrap_err().code(),
        "device-revoked"
    );
    assert_eq!(instance.tap.heard("enrolments").len(), 1);
}
