//! Credentials and role sessions.

use axum::http::Method;
use bonafide_wire::admin::Role;
use serde_json::json;

use crate::harness::{Client, Harness};

fn with<'a>(harness: &'a Harness, bearer: &str) -> Client<'a> {
    Client {
        harness,
        bearer: bearer.to_owned(),
    }
}

#[tokio::test]
async fn a_session_is_what_was_asked_for_and_ends_after_an_hour() {
    let harness = Harness::start().await;
    let session = harness.session(&harness.root, Role::Developer).await;
    let me = session.get("/whoami").await.ok(200);
    assert_eq!(
        (me["name"].as_str(), me["role"].as_str()),
        (Some("root"), Some("developer"))
    );
    assert_eq!(me["expires_at"], crate::harness::START + 3600);
    harness.turn_clock(3599);
    session.get("/whoami").await.ok(200);
    harness.turn_clock(1);
    session.get("/whoami").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_closed_session_is_no_session() {
    let harness = Harness::start().await;
    let session = harness.admin().await;
    assert_eq!(session.delete("/sessions/current").await.status, 204);
    session.get("/whoami").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_credential_opens_only_the_roles_it_covers() {
    let harness = Harness::start().await;
    let expected = [
        (Role::Viewer, [true, false, false, false]),
        (Role::Auditor, [true, true, false, false]),
        (Role::Developer, [true, false, true, false]),
        (Role::Admin, [true; 4]),
    ];
    for (role, opens) in expected {
        let credential = harness.credential_in("acme", role).await;
        for (wanted, opens) in Role::ALL.into_iter().zip(opens) {
            let answer = with(&harness, &credential)
                .post("/sessions", json!({ "role": wanted }))
                .await;
            assert_eq!(answer.status == 201, opens, "{role:?} {wanted:?}");
            assert!(opens || answer.code() == "forbidden");
        }
    }
}

#[tokio::test]
async fn every_wrong_credential_fails_alike() {
    let harness = Harness::start().await;
    let root = &harness.root;
    let (_, secret) = root.rsplit_once('_').unwrap_or_default();
    let wrong = [
        String::new(),
        "bfc_".to_owned(),
        root.to_ascii_uppercase(),
        root[4..].to_owned(),
        format!("{root}A"),
        root[..root.len() - 2].to_owned(),
        format!("bfc_0000000000000000_{secret}"),
        harness.admin().await.bearer,
    ];
    for credential in wrong {
        let answer = with(&harness, &credential)
            .post("/sessions", json!({ "role": "viewer" }))
            .await;
        answer.refused(401, "unauthenticated");
        assert_eq!(
            answer.body["detail"],
            serde_json::Value::Null,
            "{credential}"
        );
    }
}

#[tokio::test]
async fn ending_a_credential_ends_its_sessions() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let made = admin
        .post("/credentials", json!({ "name": "ci", "role": "developer" }))
        .await
        .ok(201);
    let session = harness
        .session(made["secret"].as_str().unwrap(), Role::Developer)
        .await;
    session.get("/whoami").await.ok(200);
    let path = format!(
        "/credentials/{}",
        made["credential"]["id"].as_str().unwrap()
    );
    assert_eq!(admin.delete(&path).await.status, 204);
    session.get("/whoami").await.refused(401, "unauthenticated");
    admin.delete(&path).await.refused(404, "not-found");
}

#[tokio::test]
async fn the_last_way_in_cannot_be_removed() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    harness.credential_in("acme", Role::Admin).await;
    let all = admin.get("/credentials").await.ok(200);
    let items = all["items"].as_array().unwrap();
    let root = items.iter().find(|c| c["name"] == "root").unwrap();
    let path = format!("/credentials/{}", root["id"].as_str().unwrap());
    admin.delete(&path).await.refused(409, "conflict");
    admin
        .post("/credentials", json!({ "name": "second", "role": "admin" }))
        .await
        .ok(201);
    assert_eq!(admin.delete(&path).await.status, 204);
}

#[tokio::test]
async fn a_secret_of_a_credential_is_nowhere_in_the_database() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let body = json!({ "name": "ci", "role": "viewer" });
    let post = (Method::POST, "/credentials");
    let made = admin
        .with_header(post, ("idempotency-key", "k1"), body)
        .await
        .ok(201);
    let secret = made["secret"].as_str().unwrap();
    let random = secret.splitn(3, '_').nth(2).unwrap();
    for entry in std::fs::read_dir(harness.directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for needle in [random, &admin.bearer[4..]] {
            let found = bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes());
            assert!(!found, "a bearer value is stored in clear");
        }
    }
}
