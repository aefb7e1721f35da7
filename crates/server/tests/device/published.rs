//! What anybody may read: trust bundle, keys, discovery, health.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use bonafide_trust::TrustedSet;
use bonafide_wire::envelope::key_id;

use crate::world::{NOW, World, bytes_of, read};

#[tokio::test]
async fn the_trust_bundle_is_believed_by_who_knows_the_root_key() {
    let world = World::new().await;
    let snapshot = world.service.snapshot();
    let account = snapshot.account(&world.account).unwrap();
    let root = key_id(account.config.trust_keys.root.public_key.as_slice());
    let body = bytes_of(world.get(&world.url("trust-bundle")).await).await;
    let mut held = TrustedSet::new(world.account.clone(), root);
    held.update(&body, NOW).unwrap();
    assert!(held.bundle().is_some());
}

#[tokio::test]
async fn published_documents_may_be_kept_and_asked_for_by_their_tag() {
    let world = World::new().await;
    for route in [
        "trust-bundle",
        "jwks.json",
        ".well-known/openid-configuration",
        ".well-known/oauth-authorization-server",
    ] {
        let path = world.url(route);
        let first = world.get(&path).await;
        assert_eq!(first.status(), StatusCode::OK, "{route}");
        assert_eq!(first.headers()["content-type"], "application/json");
        let caching = first.headers()["cache-control"].clone();
        assert_eq!(caching, "public, max-age=300, stale-if-error=86400");
        let etag = first.headers()["etag"].clone();
        let request = Request::get(&path)
            .header("if-none-match", etag)
            .body(Body::empty())
            .unwrap();
        let second = world.send(request).await;
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED, "{route}");
        assert!(bytes_of(second).await.is_empty());
    }
}

#[tokio::test]
async fn discovery_leads_to_the_keys_of_exactly_this_issuer() {
    let world = World::new().await;
    for path in [
        "/v1/acme/.well-known/openid-configuration",
        "/v1/acme/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/v1/acme",
    ] {
        let document: serde_json::Value = read(world.get(path).await).await;
        assert_eq!(document["issuer"], "https://attest.example.com/v1/acme");
        assert_eq!(
            document["jwks_uri"],
            "https://attest.example.com/v1/acme/jwks.json"
        );
    }
}

#[tokio::test]
async fn health_says_little_and_is_never_authenticated() {
    let world = World::new().await;
    let live: serde_json::Value = read(world.get("/livez").await).await;
    assert_eq!(live, serde_json::json!({ "status": "ok" }));
    let ready: serde_json::Value = read(world.get("/readyz").await).await;
    assert_eq!(ready, serde_json::json!({ "status": "ready" }));
}
