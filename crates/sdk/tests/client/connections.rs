//! Which servers are believed: managed roots, pins, the device's store, and changes over the air (W-17).

use std::sync::Arc;

use bonafide_sdk::adaptor::{ProtectedClient, ProtectedRequest, Roots};
use bonafide_sdk::{ProblemCode, SdkError};
use bonafide_trust::{ManagedRoots, Pin, ProtectedApi};
use bonafide_wire::admin::TokenMode;
use bonafide_wire::bytes::Base64Url;

use crate::origin::{Authority, Origin};
use crate::service::{Service, State, host};

const API: &str = "api.example.com";

/// A protected API with tokens, managed roots on.
pub(crate) fn protect(state: &mut State, authorities: &[&Authority], hosts: &[&str]) {
    state.bundle.managed_roots = ManagedRoots::On;
    state.bundle.roots = authorities.iter().map(|root| root.managed()).collect();
    state.bundle.apis = hosts
        .iter()
        .map(|name| ProtectedApi {
            host: host(name),
            token: TokenMode::Token,
            pins: vec![],
        })
        .collect();
}

pub(crate) fn client(service: &Arc<Service>, routes: &[(&str, &Origin)]) -> ProtectedClient {
    client_with(service, routes, Roots::Only(vec![]))
}

fn client_with(
    service: &Arc<Service>,
    routes: &[(&str, &Origin)],
    device_roots: Roots,
) -> ProtectedClient {
    let mut builder = ProtectedClient::builder(service.client()).device_roots(device_roots);
    for (host, origin) in routes {
        builder = builder.resolve(host, origin.address);
    }
    builder.most_body(100).build().unwrap()
}

async fn get(client: &ProtectedClient, url: &str) -> Result<u16, SdkError> {
    let response = client.send(ProtectedRequest::get(url)?).await?;
    Ok(response.status())
}

async fn code(client: &ProtectedClient, url: &str) -> &'static str {
    match get(client, url).await {
        Ok(_) => "sent",
        Err(error) => error.code(),
    }
}

#[tokio::test]
async fn a_managed_root_is_believed_and_the_token_travels() {
    let service = Service::new();
    let public = Authority::new("public");
    let api = public.origin(&[API]);
    service.change(|state| protect(state, &[&public], &[API]));
    let client = client(&service, &[(API, &api)]);
    assert_eq!(get(&client, "https://api.example.com/a?b=c").await, Ok(200));
    let seen = api.only();
    assert_eq!(seen.target, "/a?b=c");
    assert_eq!(
        seen.header("bonafide-token"),
        Some("token-for-api.example.com")
    );
    assert_eq!(seen.header("referer"), None);
}

#[tokio::test]
async fn a_self_made_authority_is_refused_whatever_the_device_says() {
    let service = Service::new();
    let public = Authority::new("public");
    let own = Authority::new("in the middle");
    let middle = own.origin(&[API]);
    service.change(|state| protect(state, &[&public], &[API]));
    let client = client_with(&service, &[(API, &middle)], own.only());
    let url = "https://api.example.com/?key=canary";
    let error = get(&client, url).await.unwrap_err();
    assert_eq!(error.code(), "root-not-managed");
    assert!(!error.retryable());
    assert!(middle.seen().is_empty());
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[tokio::test]
async fn another_public_authority_is_stopped_by_pins_only() {
    let service = Service::new();
    let ours = Authority::new("ours");
    let other = Authority::new("another public authority");
    let genuine = ours.origin(&[API]);
    let middle = other.origin(&[API]);
    service.change(|state| protect(state, &[&ours, &other], &[API]));
    let client = client(&service, &[(API, &middle)]);
    // The limit of managed roots, said openly.
    assert_eq!(code(&client, "https://api.example.com/").await, "sent");

    service.change(|state| {
        let backup = Pin {
            spki_sha256: Base64Url(vec![0; 32]),
        };
        state.bundle.version = 2;
        state.bundle.apis[0].pins = vec![genuine.pin.clone(), backup];
    });
    client.bonafide().refresh_trust().await.unwrap();
    // The connection is open and its token still good, but the epoch is new.
    assert_eq!(
        code(&client, "https://api.example.com/").await,
        "pin-mismatch"
    );
    assert_eq!(middle.seen().len(), 1);
}

#[tokio::test]
async fn a_withdrawn_root_ends_even_open_connections() {
    let service = Service::new();
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let api = first.origin(&[API]);
    service.change(|state| protect(state, &[&first, &second], &[API]));
    let client = client(&service, &[(API, &api)]);
    for _ in 0..2 {
        assert_eq!(code(&client, "https://api.example.com/").await, "sent");
    }
    service.change(|state| {
        state.bundle.version = 2;
        state.bundle.roots = vec![second.managed()];
    });
    client.bonafide().refresh_trust().await.unwrap();
    assert_eq!(
        code(&client, "https://api.example.com/").await,
        "root-not-managed"
    );
    service.change(|state| {
        state.bundle.version = 3;
        state.bundle.roots = vec![first.managed()];
    });
    client.bonafide().refresh_trust().await.unwrap();
    assert_eq!(code(&client, "https://api.example.com/").await, "sent");
    assert_eq!(api.seen().len(), 3);
}

#[tokio::test]
async fn a_hint_during_the_request_is_followed_before_its_bytes_leave() {
    let service = Service::new();
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let api = first.origin(&[API, "www.example.com"]);
    let hosts = [API, "www.example.com"];
    service.change(|state| protect(state, &[&first, &second], &hosts));
    let client = client(&service, &[(API, &api), ("www.example.com", &api)]);
    assert_eq!(code(&client, "https://api.example.com/").await, "sent");
    service.change(|state| {
        state.bundle.version = 2;
        state.bundle.roots = vec![second.managed()];
    });
    // A token for another host has to be fetched, and its reply tells of version 2.
    assert_eq!(
        code(&client, "https://www.example.com/").await,
        "root-not-managed"
    );
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test]
async fn an_unprotected_host_is_the_devices_affair_and_gets_nothing() {
    let service = Service::new();
    let (public, device) = (Authority::new("public"), Authority::new("device"));
    let name = "www.example.com";
    let by_device = device.origin(&[name]);
    service.change(|state| protect(state, &[&public], &[API]));
    let client = client_with(&service, &[(name, &by_device)], device.only());
    assert_eq!(code(&client, "https://www.example.com/").await, "sent");
    assert_eq!(by_device.only().header("bonafide-token"), None);
    assert_eq!(service.asked("attestations"), 0);

    let by_public = public.origin(&[name]);
    let client = client_with(&service, &[(name, &by_public)], device.only());
    assert_eq!(
        code(&client, "https://www.example.com/").await,
        "root-unknown"
    );
}

#[tokio::test]
async fn with_managed_roots_off_the_device_decides_for_all_hosts() {
    let service = Service::new();
    let device = Authority::new("device");
    let api = device.origin(&[API]);
    service.change(|state| {
        protect(state, &[], &[API]);
        state.bundle.managed_roots = ManagedRoots::Off;
    });
    let client = client_with(&service, &[(API, &api)], device.only());
    assert_eq!(code(&client, "https://api.example.com/").await, "sent");
    assert!(api.only().header("bonafide-token").is_some());
}

#[tokio::test]
async fn letter_case_and_a_trailing_dot_do_not_unprotect_a_host() {
    let service = Service::new();
    let (public, device) = (Authority::new("public"), Authority::new("device"));
    let middle = device.origin(&[API]);
    service.change(|state| protect(state, &[&public], &[API]));
    let routes = [(API, &middle), ("api.example.com.", &middle)];
    let client = client_with(&service, &routes, device.only());
    for url in ["https://API.example.COM/", "https://api.example.com./"] {
        assert_eq!(code(&client, url).await, "root-not-managed", "{url}");
    }
    assert!(middle.seen().is_empty());
}

#[tokio::test]
async fn certificates_must_be_valid_now_and_for_the_host() {
    let service = Service::new();
    let public = Authority::new("public");
    let wrong = public.origin(&["other.example.com"]);
    let expired = public.origin_with(&[API], |params| {
        params.not_after = rcgen::date_time_ymd(2026, 1, 1);
    });
    service.change(|state| protect(state, &[&public], &[API]));
    for (origin, expected) in [
        (&wrong, "certificate-wrong-host"),
        (&expired, "certificate-invalid"),
    ] {
        let client = client(&service, &[(API, origin)]);
        assert_eq!(code(&client, "https://api.example.com/").await, expected);
        assert!(origin.seen().is_empty());
    }
}

#[tokio::test]
async fn a_refused_instance_sends_nothing() {
    let service = Service::new();
    let public = Authority::new("public");
    let api = public.origin(&[API]);
    service.change(|state| {
        protect(state, &[&public], &[API]);
        state.refuse = Some(ProblemCode::AttestationRefused);
    });
    let client = client(&service, &[(API, &api)]);
    assert_eq!(
        code(&client, "https://api.example.com/").await,
        "attestation-refused"
    );
    assert!(api.seen().is_empty());
}

#[tokio::test]
async fn without_the_service_nothing_is_sent_unprotected() {
    let service = Service::new();
    let public = Authority::new("public");
    let api = public.origin(&[API]);
    service.change(|state| {
        protect(state, &[&public], &[API]);
        state.down = true;
    });
    let client = client(&service, &[(API, &api)]);
    let error = get(&client, "https://api.example.com/").await.unwrap_err();
    assert_eq!(error.code(), "service-unreachable");
    assert!(error.retryable());
    assert!(api.seen().is_empty());
}

#[tokio::test]
async fn requests_that_cannot_be_protected_are_not_made() {
    for url in [
        "http://api.example.com/",
        "https://user@api.example.com/",
        "https://user:pass@api.example.com/",
        "api.example.com",
        "file:///etc/passwd",
    ] {
        let error = ProtectedRequest::get(url).unwrap_err();
        assert_eq!(error.code(), "request-url", "{url}");
    }
    let request = ProtectedRequest::get("https://api.example.com/").unwrap();
    for name in ["Bonafide-Token", "Host", "Content-Length", "a b"] {
        let error = request.clone().header(name, "x").unwrap_err();
        assert_eq!(error.code(), "request-header", "{name}");
    }
}

#[tokio::test]
async fn bodies_have_a_limit_and_tokens_may_be_bound() {
    let service = Service::new();
    let public = Authority::new("public");
    let api = public.origin(&[API]);
    service.change(|state| protect(state, &[&public], &[API]));
    let client = client(&service, &[(API, &api)]);
    assert_eq!(
        code(&client, "https://api.example.com/large").await,
        "api-answer-too-large"
    );
    let request = ProtectedRequest::get("https://api.example.com/").unwrap();
    let response = client.send(request.bind_token_to(b"data")).await.unwrap();
    assert_eq!(response.body(), b"hello");
    assert_eq!(response.header("content-type"), Some("text/plain"));
    let seen = api.seen();
    let token = seen[1].header("bonafide-token").unwrap();
    assert!(token.contains("-bound-"), "{token}");
}

#[tokio::test]
async fn the_services_own_channel_has_its_own_roots_and_limits() {
    use bonafide_sdk::adaptor::ReqwestTransport;
    use bonafide_sdk::host::{
        ServiceMethod, ServiceRequest, ServiceTransport as _, TransportError,
    };

    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let service = ours.origin(&["bonafide.example.com"]);
    let timeout = core::time::Duration::from_secs(20);
    let way = |roots: Roots| {
        let resolve = [("bonafide.example.com", service.address)];
        ReqwestTransport::new(&roots, timeout, &resolve).unwrap()
    };
    let request = |path: &str, most_bytes| ServiceRequest {
        method: ServiceMethod::Post(b"{}".to_vec()),
        url: format!("https://bonafide.example.com{path}"),
        if_none_match: Some("\"1\"".to_owned()),
        most_bytes,
    };
    for roots in [other.only(), Roots::Mozilla] {
        let refused = way(roots).send(request("/", 100)).await;
        assert_eq!(refused, Err(TransportError::Untrusted));
    }
    assert!(service.seen().is_empty());

    let answer = way(ours.only()).send(request("/", 100)).await.unwrap();
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, b"hello".as_slice())
    );
    let seen = service.only();
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("if-none-match"), Some("\"1\""));
    let large = way(ours.only()).send(request("/large", 999)).await;
    assert_eq!(large, Err(TransportError::TooLarge));
    // The service does not redirect.
    let away = crate::origin::redirect(302, "https://bonafide.example.com/");
    let redirect = way(ours.only()).send(request(&away, 100)).await.unwrap();
    assert_eq!(redirect.status, 302);
}
