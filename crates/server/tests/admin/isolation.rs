//! Accounts do not see each other: whatever exists in one, every route of another answers as if it did not (P32).

use axum::http::Method;
use bonafide_wire::admin::Role;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::authz::operations;
use crate::harness::{Client, Harness};

/// One of everything, in this account; gives what can be named.
async fn furnish(admin: &Client<'_>, account: &str) -> Vec<(&'static str, String)> {
    let base = format!("/accounts/{account}");
    let reference = json!({
        "kind": "certificate", "package": "com.example.books", "signer": "ab".repeat(32),
    });
    let new = json!({ "reference": reference, "label": "" });
    let registration = admin
        .post(&format!("{base}/registrations"), new)
        .await
        .ok(201);
    admin
        .put(
            &format!("{base}/apis/api.{account}.com"),
            json!({ "token": "token" }),
        )
        .await
        .ok(200);
    let secret = json!({ "value": format!("canary-{account}"), "hosts": ["api.example.com"] });
    admin
        .put(&format!("{base}/secrets/secret-{account}"), secret)
        .await
        .ok(200);
    let upstream = json!({
        "issuer": "https://as.example", "client_id": "books", "rungs": ["attested-client"],
        "endpoints": { "token": "https://as.example/token", "revocation": null, "registration": null },
    });
    admin
        .put(&format!("{base}/upstreams/up-{account}"), upstream)
        .await
        .ok(200);
    let device = bonafide_wire::ids::DeviceId::from_bytes([7; 16]).to_string();
    let set = json!({ "kind": "always-pass", "reason": "test", "for_seconds": 600 });
    admin
        .put(&format!("{base}/overrides/{device}"), set)
        .await
        .ok(200);
    let new = json!({ "name": format!("ci-{account}"), "role": "viewer" });
    let credential = admin
        .post(&format!("{base}/credentials"), new)
        .await
        .ok(201);
    vec![
        ("id", registration["id"].as_str().unwrap().to_owned()),
        ("id", "books".to_owned()),
        (
            "id",
            credential["credential"]["id"].as_str().unwrap().to_owned(),
        ),
        ("host", format!("api.{account}.com")),
        ("name", format!("secret-{account}")),
        ("name", format!("up-{account}")),
        ("device", device),
    ]
}

fn every_call(names: &[(&'static str, String)]) -> Vec<(Method, String)> {
    let mut calls = Vec::new();
    for operation in operations() {
        let Some(tail) = operation.path.strip_prefix("/admin/v1/accounts/{account}") else {
            continue;
        };
        let mut filled = names
            .iter()
            .map(|(name, value)| tail.replace(&format!("{{{name}}}"), value))
            .filter(|path| !path.contains('{'))
            .collect::<Vec<_>>();
        filled.dedup();
        calls.extend(
            filled
                .into_iter()
                .map(|path| (operation.method.clone(), path)),
        );
    }
    calls
}

/// What an account holds, as its admin sees it.
async fn contents(admin: &Client<'_>, account: &str) -> Vec<Value> {
    let mut contents = Vec::new();
    for noun in [
        "apps",
        "registrations",
        "apis",
        "secrets",
        "overrides",
        "credentials",
        "policy",
        "managed-roots",
    ] {
        contents.push(
            admin
                .get(&format!("/accounts/{account}/{noun}"))
                .await
                .ok(200),
        );
    }
    contents
}

#[test]
fn no_call_with_another_accounts_names_reads_or_changes_anything_of_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (harness, names, credential, before) = runtime.block_on(async {
        let harness = Harness::start().await;
        let admin = harness.admin().await;
        admin
            .post("/accounts", json!({ "id": "other", "name": "Other" }))
            .await
            .ok(201);
        furnish(&admin, "acme").await;
        let names = furnish(&admin, "other").await;
        let before = contents(&admin, "other").await;
        let credential = harness.credential_in("acme", Role::Admin).await;
        drop(admin);
        (harness, names, credential, before)
    });
    let calls = every_call(&names);
    assert!(calls.len() > 50, "{}", calls.len());
    let mut config = ProptestConfig::with_cases(2_000);
    config.failure_persistence = None;
    let session = runtime.block_on(harness.session(&credential, Role::Admin));
    let bodies = [
        json!({}),
        json!({ "token": "no-token" }),
        json!({ "value": "stolen", "hosts": ["evil.example.com"] }),
        json!({ "enabled": false }),
        json!({ "kind": "always-fail", "reason": "x", "for_seconds": 60 }),
        json!({ "name": "x", "role": "admin" }),
    ];
    proptest!(config, |(call in 0..calls.len(), body in 0..bodies.len())| {
        let (method, path) = &calls[call];
        let request = session.request(method.clone(), &format!("/accounts/other{path}"), Some(&bodies[body]));
        let answer = runtime.block_on(harness.send(request));
        prop_assert_eq!((answer.status.as_u16(), answer.code()), (404, "unknown-account"));
        let text = answer.body.to_string();
        prop_assert!(!text.contains("other") && !text.contains("canary"), "{}", text);
    });
    let after = runtime.block_on(async { contents(&harness.admin().await, "other").await });
    assert_eq!(before, after);
}

#[tokio::test]
async fn names_of_another_account_mean_nothing_in_ones_own() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    admin
        .post("/accounts", json!({ "id": "other", "name": "Other" }))
        .await
        .ok(201);
    let names = furnish(&admin, "other").await;
    let before = contents(&admin, "other").await;
    let credential = harness.credential_in("acme", Role::Admin).await;
    let session = harness.session(&credential, Role::Admin).await;
    for (method, path) in every_call(&names) {
        let in_own = format!("/accounts/acme{path}");
        let ours = path
            .rsplit('/')
            .next()
            .is_some_and(|last| names.iter().any(|(_, n)| n == last));
        if ours && method != Method::PUT {
            let answer = session
                .harness
                .send(session.request(method, &in_own, None))
                .await;
            answer.refused(404, "not-found");
        }
    }
    assert_eq!(before, contents(&admin, "other").await);
    let log = session
        .get("/accounts/acme/audit?page_size=500")
        .await
        .ok(200);
    assert!(!log.to_string().contains("\"other\""));
}
