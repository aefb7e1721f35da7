//! The audit event of every kind of change, as it is stored and hashed.

use axum::http::Method;
use bonafide_simulator::Factory;
use serde_json::{Value, json};

use crate::harness::{Client, Harness, START};

const ACME: &str = "/accounts/acme";

async fn change_apps(admin: &Client<'_>) {
    admin
        .post("/accounts", json!({ "id": "other", "name": "Other" }))
        .await
        .ok(201);
    let app = json!({ "id": "books", "name": "Books", "android_package": "com.example.books" });
    admin.post(&format!("{ACME}/apps"), app).await.ok(201);
    let reference =
        json!({ "kind": "certificate", "package": "com.example.books", "signer": "ab".repeat(32) });
    let new = json!({ "reference": reference, "label": "release key" });
    let made = admin
        .post(&format!("{ACME}/registrations"), new)
        .await
        .ok(201);
    gone(
        admin,
        &format!("registrations/{}", made["id"].as_str().unwrap()),
    )
    .await;
    gone(admin, "apps/books").await;
}

async fn change_what_apps_get(admin: &Client<'_>) {
    for token in ["no-token", "token"] {
        put(admin, "apis/api.example.com", json!({ "token": token })).await;
    }
    gone(admin, "apis/api.example.com").await;
    put(
        admin,
        "secrets/client_secret",
        json!({ "value": "canary", "hosts": ["api.example.com"] }),
    )
    .await;
    put(admin, "secrets/client_secret", json!({ "value": "canary" })).await;
    let mut upstream = json!({
        "issuer": "https://as.example", "client_id": "books", "rungs": ["relay", "attested-client"],
        "authentication": { "method": "client_secret_basic", "secret": "client_secret" },
        "redirect_uris": ["https://app.example.com/cb"],
        "endpoints": { "token": "https://as.example/token", "revocation": null, "registration": null },
    });
    put(admin, "upstreams/google", upstream.clone()).await;
    upstream["keep_refresh_tokens"] = json!(true);
    put(admin, "upstreams/google", upstream).await;
    gone(admin, "upstreams/google").await;
    gone(admin, "secrets/client_secret").await;
    let policy = (Method::PUT, "/accounts/acme/policy");
    let changed = json!({ "rejection_reasons": "on" });
    admin
        .with_header(policy, ("if-match", "*"), changed)
        .await
        .ok(200);
    let device = "overrides/AAAAAAAAAAAAAAAAAAAAAA";
    put(
        admin,
        device,
        json!({ "kind": "always-pass", "reason": "demo", "for_seconds": 600 }),
    )
    .await;
    gone(admin, device).await;
}

async fn change_trust_and_access(admin: &Client<'_>) {
    put(admin, "managed-roots", json!({ "enabled": false })).await;
    let pem = Factory::new(START).unwrap().root_certificate_pem();
    for noun in ["trust-roots/own", "anchors/simulator"] {
        put(admin, noun, json!({ "certificate_pem": pem })).await;
        gone(admin, noun).await;
    }
    admin
        .post(&format!("{ACME}/signing-keys"), json!({}))
        .await
        .ok(201);
    let new = json!({ "name": "ci", "role": "viewer" });
    let made = admin
        .post(&format!("{ACME}/credentials"), new)
        .await
        .ok(201);
    gone(
        admin,
        &format!("credentials/{}", made["credential"]["id"].as_str().unwrap()),
    )
    .await;
}

async fn put(admin: &Client<'_>, route: &str, body: Value) {
    admin.put(&format!("{ACME}/{route}"), body).await.ok(200);
}

async fn gone(admin: &Client<'_>, route: &str) {
    assert_eq!(
        admin.delete(&format!("{ACME}/{route}")).await.status,
        204,
        "{route}"
    );
}

/// What is made at random, by what it is.
fn without_chance(text: &str) -> String {
    let mut told = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-') {
        let bare =
            word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
        let rest = &word[bare.len()..];
        let hex = bare.len() == 64 && bare.bytes().all(|b| b.is_ascii_hexdigit());
        told.push_str(match bare {
            bare if bare.starts_with("reg_") => "reg_…",
            bare if bare.starts_with("cred_") => "cred_…",
            bare if bare.len() == 43 => "<kid>",
            bare if bare.len() == 16 && bare.bytes().all(|b| b.is_ascii_hexdigit()) => "<serial>",
            bare if hex && !bare.starts_with("abab") => "<sha256>",
            bare => bare,
        });
        told.push_str(rest);
    }
    told
}

#[tokio::test]
async fn the_events_are_these() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    change_apps(&admin).await;
    change_what_apps_get(&admin).await;
    change_trust_and_access(&admin).await;
    assert_eq!(admin.delete("/sessions/current").await.status, 204);
    let log = harness
        .admin()
        .await
        .get("/audit?page_size=500")
        .await
        .ok(200);
    let lines: Vec<String> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            let account = event["account"].as_str().unwrap_or("-");
            let [actor, action, object] =
                ["actor", "action", "object"].map(|m| event[m].as_str().unwrap());
            without_chance(&format!(
                "{account} {actor} {action} {object} {}",
                event["details"]
            ))
        })
        .collect();
    assert!(!lines.iter().any(|line| line.contains("canary")));
    insta::assert_snapshot!("audit-events", lines.join("\n"));
}
