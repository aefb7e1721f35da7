//! What a genuine instance gets, and that changes reach it.

use bonafide_sdk::{Fault, SecretUse, Withheld};
use bonafide_wire::envelope::verifies;
use bonafide_wire::token::{EarStatus, JwkSet, UnverifiedToken};

use crate::world::{API, CANARY, SECRET_HOST, World, host, secret_name};

/// W-13: any holder of the published keys can verify the token.
#[tokio::test]
async fn a_token_verifies_by_the_published_keys() {
    let world = World::new().await;
    let instance = world.genuine();
    let token = instance
        .sdk
        .attestation_token(&host(API), Some(b"Bearer abc"))
        .await
        .unwrap();
    let keys: JwkSet = serde_json::from_value(world.device_get("jwks.json").await).unwrap();
    let parsed = UnverifiedToken::parse(token.expose()).unwrap();
    let key = keys
        .keys
        .iter()
        .find(|key| key.kid == parsed.header.kid)
        .unwrap();
    let input = parsed.signing_input.as_bytes();
    assert!(verifies(&key.to_point(), input, &parsed.signature));

    let claims = parsed.claims().unwrap();
    let discovery = world.device_get(".well-known/openid-configuration").await;
    assert_eq!(discovery["issuer"], claims.iss.as_str());
    assert_eq!(claims.aud, API);
    assert_eq!(claims.sub, instance.sdk.device_id().unwrap().as_str());
    assert_eq!(claims.exp - claims.iat, 300);
    // A virtual phone is never taken for a real one.
    assert!(claims.development);
    assert_eq!(claims.ear_status, EarStatus::Warning);
    assert_eq!(claims.bind.unwrap().0.len(), 32);
}

#[tokio::test]
async fn each_wish_has_its_own_outcome() {
    let world = World::new().await;
    let sdk = world.genuine().sdk;
    let withheld = |error: bonafide_sdk::SdkError| match error.fault() {
        Fault::Withheld(reason) => reason,
        other => panic!("{other:?}"),
    };
    let no_token = sdk.attestation_token(&host(SECRET_HOST), None).await;
    assert_eq!(withheld(no_token.unwrap_err()), Withheld::NoTokenApi);
    let unknown = sdk.attestation_token(&host("api.evil.example"), None).await;
    assert_eq!(withheld(unknown.unwrap_err()), Withheld::UnknownApi);
    let other = bonafide_sdk::SecretName::parse("other").unwrap();
    let unknown = sdk.secret(&other, &host(SECRET_HOST)).await;
    assert_eq!(withheld(unknown.unwrap_err()), Withheld::UnknownSecret);
    assert!(sdk.attestation_token(&host(API), None).await.is_ok());
}

#[tokio::test]
async fn a_secret_goes_to_its_host_and_no_other() {
    let world = World::new().await;
    let instance = world.genuine();
    let secret = instance
        .sdk
        .secret(&secret_name(), &host(SECRET_HOST))
        .await
        .unwrap();
    assert_eq!(secret.expose(), CANARY);
    assert!(secret.allows(SecretUse::Oauth) && !secret.allows(SecretUse::Query));
    for other in [
        API,
        "evil.example.com",
        "oauth2.googleapis.com.evil.example",
    ] {
        let error = instance.sdk.secret(&secret_name(), &host(other)).await;
        let fault = error.unwrap_err().fault();
        assert_eq!(fault, Fault::Withheld(Withheld::HostNotAllowed), "{other}");
    }
    // Whoever listens (on TLS or without) has not heard it.
    assert!(!instance.tap.heard_text(CANARY));
    assert!(
        !instance
            .tap
            .heard_text(&bonafide_wire::bytes::encode(CANARY))
    );
}

#[tokio::test]
async fn a_rotated_secret_is_seen_at_the_next_fetch() {
    let world = World::new().await;
    let instance = world.genuine();
    let fetch = || async {
        let secret = instance
            .sdk
            .secret(&secret_name(), &host(SECRET_HOST))
            .await;
        let secret = secret.unwrap();
        (secret.expose().to_owned(), secret.version())
    };
    assert_eq!(fetch().await, (CANARY.to_owned(), 1));
    world.set_secret("rotated", 300).await;
    // Held for as long as the operator allowed, and not a second longer.
    assert_eq!(fetch().await, (CANARY.to_owned(), 1));
    instance.clock.turn(300);
    assert_eq!(fetch().await, ("rotated".to_owned(), 2));
}

/// W-18
#[tokio::test]
async fn forty_callers_are_one_enrolment_and_one_attestation() {
    let world = World::new().await;
    let instance = world.genuine();
    let callers: Vec<_> = (0..40)
        .map(|number| {
            let sdk = instance.sdk.clone();
            tokio::spawn(async move {
                if number % 2 == 0 {
                    let token = sdk.attestation_token(&host(API), None).await;
                    token.map(|token| token.expose().to_owned())
                } else {
                    let secret = sdk.secret(&secret_name(), &host(SECRET_HOST)).await;
                    secret.map(|secret| secret.expose().to_owned())
                }
            })
        })
        .collect();
    for caller in callers {
        assert!(caller.await.unwrap().is_ok());
    }
    assert_eq!(instance.tap.heard("enrolments").len(), 1);
    assert!(instance.tap.heard("attestations").len() <= 2);
    assert_eq!(instance.tap.heard("trust-bundle").len(), 1);
}

/// W-14 to W-16: what the service signs, the SDK believes; a change arrives with the next attestation.
#[tokio::test]
async fn a_change_of_trust_arrives_with_the_next_attestation() {
    let world = World::new().await;
    let instance = world.genuine();
    let first = instance.sdk.trust().await.unwrap();
    assert!(first.bundle().api(API).is_some());
    // Managed roots are on from the beginning.
    assert!(first.bundle().roots.len() > 100);

    let own = serde_json::json!({ "certificate_pem": world.factory.root_certificate_pem() });
    world.admin("PUT", "trust-roots/ours", own).await;
    assert_eq!(instance.sdk.trust().await.unwrap().epoch(), first.epoch());
    instance
        .sdk
        .attestation_token(&host(API), None)
        .await
        .unwrap();
    let second = instance.sdk.trust().await.unwrap();
    assert!(second.epoch() > first.epoch());
    assert!(second.bundle().roots.iter().any(|root| root.name == "ours"));

    world
        .admin("DELETE", "trust-roots/ours", serde_json::Value::Null)
        .await;
    let third = instance.sdk.refresh_trust().await.unwrap();
    assert!(!third.bundle().roots.iter().any(|root| root.name == "ours"));
    assert_eq!(third.problem(), None);
}
