//! Whatever is sent to an admin route, by somebody who may use it, the answer is a success or a problem document of the
//! caller's making; never a server error.

use axum::body::Body;
use axum::http::{Method, Request, Uri, header};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use crate::authz::{Operation, operations};
use crate::harness::Harness;

/// Members that the routes know, so that bodies come near to good ones.
const MEMBERS: [&str; 27] = [
    "id",
    "name",
    "role",
    "android_package",
    "apple_app_id",
    "app_id",
    "version",
    "build",
    "environment",
    "app",
    "reference",
    "kind",
    "package",
    "version_code",
    "signers",
    "artifact_sha256",
    "label",
    "expires_at",
    "token",
    "value",
    "hosts",
    "uses",
    "life_seconds",
    "enabled",
    "certificate_pem",
    "for_seconds",
    "checks",
];
const WORDS: [&str; 17] = [
    "acme",
    "admin",
    "com.example.books",
    "build",
    "certificate",
    "apple-build",
    "production",
    "A1B2C3D4E5.com.example.books",
    "no-token",
    "header",
    "a.example.com",
    "always-pass",
    "",
    "\u{0}",
    "-----BEGIN CERTIFICATE-----",
    "..",
    "\u{1F600}",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        select(&WORDS[..]).prop_map(str::to_owned),
        ".{0,20}",
        "[0-9a-f]{64}"
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let member = prop_oneof![9 => select(&MEMBERS[..]).prop_map(str::to_owned), 1 => text()];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(member.clone(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A path segment of visible characters.
fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "acme",
            "latest",
            "books",
            "a.example.com",
            "K7Q2-9MXP",
            "%00",
            "%2e%2e",
            "%ff"
        ])
        .prop_map(str::to_owned),
        "[A-Za-z0-9._~-]{1,30}",
    ]
}

fn request(
    operation: &Operation,
    segments: &[String],
    extra: (&str, &str, Vec<u8>),
) -> Request<Body> {
    let (query, header_value, body) = extra;
    let mut segments = segments.iter();
    let path: Vec<_> = operation
        .path
        .split('/')
        .map(|part| match part {
            "{account}" => "acme".to_owned(),
            part if part.starts_with('{') => segments.next().cloned().unwrap_or_default(),
            part => part.to_owned(),
        })
        .collect();
    Request::builder()
        .method(operation.method.clone())
        .uri(format!("{}?{query}", path.join("/")))
        .header(header::CONTENT_TYPE, "application/json")
        .header("if-match", header_value)
        .header("idempotency-key", header_value)
        .body(Body::from(body))
        .unwrap()
}

#[test]
fn no_input_makes_a_server_error() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let harness = runtime.block_on(Harness::start());
    // Ending the session, or the way to another one, would end the test.
    let all: Vec<_> = operations()
        .into_iter()
        .filter(|o| o.method != Method::DELETE || !o.path.contains("sessions"))
        .collect();
    let bearer = runtime.block_on(harness.admin()).bearer;
    let mut config = ProptestConfig::with_cases(3_000);
    config.failure_persistence = None;
    let bodies = prop_oneof![
        8 => json().prop_map(|value| value.to_string().into_bytes()),
        1 => vec(any::<u8>(), 0..100),
        1 => Just(vec![b'['; 2_000]),
    ];
    let headers = prop_oneof![
        Just("*".to_owned()),
        Just("\"1\"".to_owned()),
        "[ -~]{0,20}"
    ];
    let queries = prop_oneof![
        Just(String::new()),
        "page_(size|token)=[A-Za-z0-9_%-]{0,12}",
        "[a-z=&%0-9]{0,12}"
    ];
    let input = (0..all.len(), vec(segment(), 2), queries, headers, bodies);
    proptest!(config, |((at, segments, query, value, body) in input)| {
        let Ok(_) = format!("/{}?{query}", segments.join("/")).parse::<Uri>() else {
            return Ok(());
        };
        let mut request = request(&all[at], &segments, (&query, &value, body));
        let authorization = format!("Bearer {bearer}").parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, authorization);
        let answer = runtime.block_on(harness.send(request));
        let status = answer.status.as_u16();
        prop_assert!(status < 500, "{} {}: {:?}", all[at].method, all[at].path, answer);
        prop_assert!(status < 400 || answer.body["code"].is_string(), "{answer:?}");
    });
    let verification = runtime
        .block_on(harness.service.store().verify_audit())
        .unwrap();
    assert!(verification.intact);
}
