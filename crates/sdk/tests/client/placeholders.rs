//! Placeholders in each place, and each misuse: an error, and nothing is sent (W-19).

use std::sync::Arc;

use bonafide_sdk::SecretUse;
use bonafide_sdk::adaptor::{ProtectedClient, ProtectedRequest};

use crate::connections::{client, protect};
use crate::origin::{Authority, Origin};
use crate::service::{Secret, Service, State};

const API: &str = "api.example.com";
const WWW: &str = "www.example.com";
const VALUE: &str = r#"a b&c=d/+"%"#;

fn add(state: &mut State, name: &'static str, value: &str, uses: &[SecretUse]) {
    let secret = Secret {
        value: value.to_owned(),
        hosts: vec![API],
        uses: uses.to_vec(),
    };
    state.secrets.insert(name, secret);
}

fn world() -> (Arc<Service>, Origin, ProtectedClient) {
    let service = Service::new();
    let public = Authority::new("public");
    let api = public.origin(&[API, WWW, "unprotected.example.com"]);
    let all = [SecretUse::Header, SecretUse::Query, SecretUse::Form];
    service.change(|state| {
        protect(state, &[&public], &[API, WWW]);
        add(state, "key", VALUE, &all);
        add(state, "line", "a\nb", &all);
        add(state, "header-only", "h", &[SecretUse::Header]);
        add(state, "oauth-only", "o", &[SecretUse::Oauth]);
    });
    let client = client(&service, &[(API, &api), (WWW, &api)]);
    (service, api, client)
}

fn request(target: &str) -> ProtectedRequest {
    ProtectedRequest::post(&format!("https://api.example.com{target}")).unwrap()
}

#[tokio::test]
async fn a_whole_header_value_query_value_and_form_field_are_replaced() {
    let (service, api, client) = world();
    let request = request("/p?first=1&key=%7B%7Bbonafide:key%7D%7D&last=%20x+y")
        .header("x-api-key", "{{bonafide:key}}")
        .unwrap()
        .header("authorization", "Bearer {{bonafide:key}}")
        .unwrap()
        .header("accept", "text/plain")
        .unwrap()
        .form(&[("client_id", "id{}"), ("client_secret", "{{bonafide:key}}")]);
    client.send(request).await.unwrap();
    let seen = api.only();
    assert_eq!(
        seen.target,
        "/p?first=1&key=a%20b%26c%3Dd%2F%2B%22%25&last=%20x+y"
    );
    assert_eq!(seen.header("x-api-key"), Some(VALUE));
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {VALUE}").as_str())
    );
    assert_eq!(seen.header("accept"), Some("text/plain"));
    assert_eq!(
        seen.body,
        "client_id=id%7B%7D&client_secret=a+b%26c%3Dd%2F%2B%22%25"
    );
    // One secret, however often it stands there.
    assert_eq!(service.asked("attestations"), 1);
}

#[tokio::test]
async fn a_form_may_come_as_bytes() {
    let (_service, api, client) = world();
    let form = b"a=%7b%7bbonafide%3Akey%7d%7d&b=1".to_vec();
    let content_type = "application/x-www-form-urlencoded; charset=utf-8";
    let request = request("/").body(content_type, form).unwrap();
    client.send(request).await.unwrap();
    assert_eq!(api.only().body, "a=a+b%26c%3Dd%2F%2B%22%25&b=1");
}

/// A request, and the code of the rule it breaks.
fn misuses() -> Vec<(&'static str, ProtectedRequest)> {
    let header = |value: &str| request("/").header("x-api-key", value).unwrap();
    let form = |name: &str, value: &str| request("/").form(&[(name, value)]);
    let json = |text: &str| {
        request("/")
            .body("application/json", text.as_bytes().to_vec())
            .unwrap()
    };
    let at = |host: &str| {
        ProtectedRequest::get(&format!("https://{host}/"))
            .unwrap()
            .header("x-api-key", "{{bonafide:key}}")
            .unwrap()
    };
    vec![
        ("placeholder-misplaced", header("{{bonafide:key}} and more")),
        ("placeholder-misplaced", header("x{{bonafide:key}}")),
        ("placeholder-misplaced", header("Bearer  {{bonafide:key}}")),
        ("placeholder-misplaced", header("a b {{bonafide:key}}")),
        (
            "placeholder-misplaced",
            header("{{bonafide:key}}{{bonafide:key}}"),
        ),
        ("placeholder-misplaced", header("{{bonafide:key")),
        ("placeholder-malformed", header("{{bonafide:}}")),
        ("placeholder-malformed", header("{{bonafide:a b}}")),
        ("placeholder-misplaced", request("/{{bonafide:key}}")),
        (
            "placeholder-misplaced",
            request("/%7B%7Bbonafide%3Akey%7D%7D"),
        ),
        ("placeholder-misplaced", request("/#{{bonafide:key}}")),
        ("placeholder-misplaced", request("/?{{bonafide:key}}=1")),
        ("placeholder-misplaced", request("/?{{bonafide:key}}")),
        ("placeholder-misplaced", request("/?a=x{{bonafide:key}}")),
        (
            "placeholder-misplaced",
            request("/?a=%7b%7bbonafide:key%7d%7d%20"),
        ),
        ("placeholder-misplaced", form("a", "x{{bonafide:key}}")),
        ("placeholder-misplaced", form("{{bonafide:key}}", "x")),
        (
            "placeholder-misplaced",
            json(r#"{"key":"{{bonafide:key}}"}"#),
        ),
        (
            "placeholder-misplaced",
            json(r#""%7B%7Bbonafide:key%7D%7D""#),
        ),
        ("placeholder-secret-unfit", header("{{bonafide:line}}")),
        (
            "placeholder-use-not-allowed",
            header("{{bonafide:oauth-only}}"),
        ),
        (
            "placeholder-use-not-allowed",
            form("a", "{{bonafide:header-only}}"),
        ),
        (
            "placeholder-use-not-allowed",
            request("/?a={{bonafide:header-only}}"),
        ),
        (
            "placeholder-host-not-protected",
            at("unprotected.example.com"),
        ),
        ("placeholder-host-not-protected", at("127.0.0.1")),
        ("placeholder-host-not-protected", at("localhost")),
        ("host-not-allowed", at(WWW)),
        ("unknown-secret", header("{{bonafide:other}}")),
    ]
}

#[tokio::test]
async fn each_misuse_is_an_error_and_nothing_is_sent() {
    let (_service, api, client) = world();
    for (number, (code, request)) in misuses().into_iter().enumerate() {
        let error = client.send(request).await.unwrap_err();
        assert_eq!(error.code(), code, "case {number}");
        assert!(!format!("{error:?}").contains(VALUE));
    }
    assert!(api.seen().is_empty());
}

#[tokio::test]
async fn a_placeholder_that_is_none_is_only_text() {
    let (_service, api, client) = world();
    let request = request("/?a={{other}}")
        .header("x", "{{ bonafide }}")
        .unwrap();
    client.send(request).await.unwrap();
    assert_eq!(api.only().header("x"), Some("{{ bonafide }}"));
}

#[tokio::test]
async fn nothing_secret_leaves_under_stale_trust_but_tokens_do() {
    let (service, api, _) = world();
    let clock = Arc::new(crate::service::HandClock::default());
    let vault = Arc::new(bonafide_sdk::host::MemoryVault::default());
    let client = ProtectedClient::builder(service.client_with(vault, clock.clone()))
        .resolve(API, api.address)
        .build()
        .unwrap();
    client.send(request("/")).await.unwrap();
    // The service goes on attesting, but signs no bundle that is good any more.
    clock.turn(1000);
    let with_secret = request("/").header("x", "{{bonafide:key}}").unwrap();
    let error = client.send(with_secret).await.unwrap_err();
    assert_eq!(error.code(), "trust-stale");
    client.send(request("/")).await.unwrap();
    assert_eq!(api.seen().len(), 2);
}
