//! The driver: shared work, callers that go away, records that outlive the process.

use std::sync::Arc;

use bonafide_sdk::adaptor::{DirectoryVault, SystemClock};
use bonafide_sdk::host::{Clock as _, MemoryVault};
use bonafide_sdk::{Fault, ProblemCode, SecretName, SecretUse, Wish, Withheld};

use crate::service::{HandClock, NOW, Secret, Service, host};

const API: &str = "api.example.com";

#[tokio::test]
async fn fifty_callers_are_one_enrolment_and_one_attestation() {
    let service = Service::new();
    let client = service.client();
    let callers = (0..50).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.attestation_token(&host(API), None).await })
    });
    for caller in callers.collect::<Vec<_>>() {
        let token = caller.await.unwrap().unwrap();
        assert_eq!(token.expose(), "token-for-api.example.com");
    }
    assert_eq!(service.asked("enrolments"), 1);
    assert_eq!(service.asked("attestations"), 1);
    assert_eq!(service.asked("challenges"), 2);
}

#[tokio::test]
async fn several_wishes_are_one_attestation() {
    let service = Service::new();
    let client = service.client();
    let wish = |audience: &str| Wish::Token {
        audience: host(audience),
        binding: None,
    };
    let wishes = vec![wish("a.example.com"), wish("b.example.com")];
    let answers = client.obtain(wishes).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(service.asked("attestations"), 1);
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_take_the_others_down() {
    let service = Service::new();
    let client = service.client();
    let first = {
        let client = client.clone();
        tokio::spawn(async move { client.attestation_token(&host(API), None).await })
    };
    // The first caller is somewhere in the middle when it is dropped.
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let token = client.attestation_token(&host(API), None).await.unwrap();
    assert_eq!(token.expose(), "token-for-api.example.com");
    assert_eq!(service.asked("enrolments"), 1);
}

#[tokio::test]
async fn bindings_belong_to_the_call_and_not_to_the_client() {
    let service = Service::new();
    let client = service.client();
    let audience = host(API);
    let (bound, plain) = tokio::join!(
        client.attestation_token(&audience, Some(b"Bearer x")),
        client.attestation_token(&audience, None),
    );
    assert_eq!(plain.unwrap().expose(), "token-for-api.example.com");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"Bearer x");
    let expected = format!(
        "token-for-api.example.com-bound-{}",
        bonafide_wire::bytes::encode(digest)
    );
    assert_eq!(bound.unwrap().expose(), expected);
}

#[tokio::test]
async fn the_next_process_needs_no_second_enrolment() {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::new();
    for _ in 0..2 {
        let vault = DirectoryVault::open(directory.path().join("state")).unwrap();
        let client = service.client_with(Arc::new(vault), Arc::new(HandClock::default()));
        client.prefetch().await.unwrap();
        client.attestation_token(&host(API), None).await.unwrap();
        assert!(client.device_id().is_some());
    }
    assert_eq!(service.asked("enrolments"), 1);
    assert_eq!(service.asked("attestations"), 2);
}

#[tokio::test]
async fn a_refusal_says_what_an_app_and_its_user_need() {
    let service = Service::new();
    service.change(|state| state.refuse = Some(ProblemCode::AttestationRefused));
    let client = service.client();
    let error = client
        .attestation_token(&host(API), None)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "attestation-refused");
    assert!(error.is_refusal() && !error.retryable());
    assert_eq!(error.support_id().unwrap().as_str(), "K7Q2-9MXP");
    assert_eq!(error.findings(), ["app-not-registered"]);
    assert_eq!(
        error.to_string(),
        "This app instance is refused (attestation-refused: app-not-registered; support id K7Q2-9MXP)"
    );
    // Nobody hammers: the next answer comes from memory.
    let again = client
        .attestation_token(&host(API), None)
        .await
        .unwrap_err();
    assert_eq!(again.support_id(), error.support_id());
    assert!(again.retry_after().is_some());
    assert_eq!(service.asked("attestations"), 1);
}

#[tokio::test]
async fn secrets_are_typed_named_and_withheld_with_a_reason() {
    let service = Service::new();
    service.change(|state| {
        let secret = Secret {
            value: "canary".to_owned(),
            hosts: vec![API],
            uses: vec![SecretUse::Oauth],
        };
        state.secrets.insert("client_secret", secret);
    });
    let client = service.client();
    let name = SecretName::parse("client_secret").unwrap();
    let secret = client.secret(&name, &host(API)).await.unwrap();
    assert_eq!(secret.expose(), "canary");
    assert!(secret.allows(SecretUse::Oauth) && !secret.allows(SecretUse::Header));
    assert!(!format!("{secret:?} {client:?}").contains("canary"));

    let other = client.secret(&name, &host("evil.example.com")).await;
    assert_eq!(
        other.unwrap_err().fault(),
        Fault::Withheld(Withheld::HostNotAllowed)
    );
}

#[tokio::test]
async fn no_secret_is_asked_for_under_stale_trust() {
    let service = Service::new();
    let clock = Arc::new(HandClock::default());
    let client = service.client_with(Arc::new(MemoryVault::default()), clock.clone());
    client.prefetch().await.unwrap();
    service.change(|state| state.down = true);
    clock.turn(1000);
    let name = SecretName::parse("client_secret").unwrap();
    let error = client.secret(&name, &host(API)).await.unwrap_err();
    assert_eq!(error.fault(), Fault::TrustStale);
    assert_eq!(client.trust().await.unwrap().epoch(), 1);
}

#[tokio::test]
async fn time_is_the_services_as_soon_as_it_is_known() {
    let service = Service::new();
    let clock = Arc::new(HandClock::default());
    let client = service.client_with(Arc::new(MemoryVault::default()), clock.clone());
    assert_eq!(client.seconds(), NOW);
    client.prefetch().await.unwrap();
    clock.turn(25);
    assert_eq!(client.seconds(), NOW + 25);
    let system = SystemClock::new();
    assert!(system.wall() > 1_700_000_000);
    assert!(system.monotonic() <= system.monotonic());
}

#[tokio::test]
async fn a_flight_that_everybody_left_does_not_outlive_the_client() {
    let service = Service::new();
    let vault = Arc::new(MemoryVault::default());
    let client = service.client_with(vault.clone(), Arc::new(HandClock::default()));
    let only = {
        let client = client.clone();
        tokio::spawn(async move { client.attestation_token(&host(API), None).await })
    };
    tokio::task::yield_now().await;
    only.abort();
    assert!(only.await.unwrap_err().is_cancelled());
    assert_eq!(service.asked("enrolments"), 0);
    assert!(Arc::strong_count(&vault) > 1);
    drop(client);
    assert_eq!(Arc::strong_count(&vault), 1);
}
