//! Upstreams as an operator handles them, against servers that say true and false things about themselves.

use axum::Router;
use axum::http::{StatusCode, Uri, header};
use serde_json::{Value, json};

use crate::harness::{Client, Harness};

const AT: &str = "/accounts/acme/upstreams/google";
const CHECKS: &str = "/accounts/acme/upstream-checks";

/// What a server says about itself, given its issuer.
type Metadata = fn(&str) -> Value;

/// A server whose metadata are at one path only; gives its issuer.
async fn server(path: &'static str, metadata: Metadata) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let document = metadata(&issuer).to_string();
    let answer = move |uri: Uri| {
        let document = document.clone();
        async move {
            if uri.path() == path {
                Ok(([(header::CONTENT_TYPE, "application/json")], document))
            } else {
                Err(StatusCode::NOT_FOUND)
            }
        }
    };
    let router = Router::new().fallback(answer);
    tokio::spawn(async move {
        let listener = listener.into_std().unwrap();
        let server = axum_server::from_tcp(listener).unwrap();
        server.serve(router.into_make_service()).await
    });
    issuer
}

const OPENID: &str = "/.well-known/openid-configuration";

fn google(issuer: &str) -> Value {
    json!({
        "issuer": issuer, "token_endpoint": format!("{issuer}/token"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "code_challenge_methods_supported": ["plain", "S256"],
    })
}

fn put(issuer: &str) -> Value {
    json!({
        "issuer": issuer, "client_id": "1234.apps", "rungs": ["relay"],
        "authentication": { "method": "client_secret_post", "secret": "client_secret" },
        "redirect_uris": ["https://app.example.com/cb"], "keep_refresh_tokens": true,
    })
}

async fn with_secret(admin: &Client<'_>, value: &str) {
    let secret = json!({ "value": value, "hosts": ["oauth2.googleapis.com"] });
    let path = "/accounts/acme/secrets/client_secret";
    admin.put(path, secret).await.ok(200);
}

#[tokio::test]
async fn an_upstream_is_added_by_discovery_shown_listed_bundled_and_removed() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    with_secret(&admin, "GOCSPX-canary").await;
    let issuer = server(OPENID, google).await;
    let made = admin.put(AT, put(&issuer)).await.ok(200);
    assert_eq!(
        made["endpoints"],
        json!({ "token": format!("{issuer}/token"), "revocation": format!("{issuer}/revoke"), "registration": null })
    );
    assert_eq!(admin.get(AT).await.ok(200), made);
    let listed = admin.get("/accounts/acme/upstreams").await.ok(200);
    assert_eq!(listed["items"], json!([made]));
    assert!(!made.to_string().contains("canary"));
    let told = bundle(&harness);
    assert_eq!(
        told["upstreams"],
        json!([{
            "name": "google", "issuer": issuer, "client_id": "1234.apps", "rungs": ["relay"],
            "authentication": "client_secret_post",
        }])
    );
    // What the upstream needs stays.
    admin
        .delete("/accounts/acme/secrets/client_secret")
        .await
        .refused(409, "conflict");
    admin.delete(AT).await.ok(204);
    admin.get(AT).await.refused(404, "not-found");
    assert_eq!(bundle(&harness).get("upstreams"), None);
    admin
        .delete("/accounts/acme/secrets/client_secret")
        .await
        .ok(204);
}

/// The account's trust bundle, as apps read it.
fn bundle(harness: &Harness) -> Value {
    let snapshot = harness.service.snapshot();
    let account = bonafide_wire::ids::AccountId::parse("acme").unwrap();
    let document = &snapshot.account(&account).unwrap().config.trust.document;
    let reply: bonafide_wire::envelope::TrustReply = serde_json::from_str(document).unwrap();
    serde_json::from_slice(reply.bundle.payload.as_slice()).unwrap()
}

#[tokio::test]
async fn each_wrong_upstream_is_refused_at_the_member_that_is_wrong() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    with_secret(&admin, "short").await;
    let issuer = server(OPENID, google).await;
    let cases = [
        ("/client_id", json!({ "client_id": "" })),
        ("/rungs", json!({ "rungs": [] })),
        ("/rungs/0", json!({ "redirect_uris": [] })),
        ("/rungs/0", json!({ "authentication": null })),
        ("/rungs/0", json!({ "rungs": ["minted-assertion"] })),
        (
            "/redirect_uris/0",
            json!({ "redirect_uris": ["https://a/#f"] }),
        ),
        ("/apps/0", json!({ "apps": ["nobody"] })),
        ("/rungs", json!({ "rungs": ["own-registration"] })),
        (
            "/authentication/secret",
            json!({ "authentication": { "method": "client_secret_post", "secret": "nobody" } }),
        ),
        (
            "/authentication/secret",
            json!({ "authentication": { "method": "client_secret_jwt", "secret": "client_secret" } }),
        ),
        (
            "/authentication/private_key_pem",
            json!({ "authentication": { "method": "private_key_jwt", "private_key_pem": "x" } }),
        ),
    ];
    for (pointer, change) in cases {
        let mut body = put(&issuer);
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        admin.put(AT, body).await.broken(&[pointer]);
    }
}

#[tokio::test]
async fn metadata_of_another_issuer_or_without_endpoints_are_not_believed() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    with_secret(&admin, "s").await;
    let liars: [(&str, Metadata); 4] = [
        ("another issuer", |issuer| {
            let mut metadata = google(issuer);
            metadata["issuer"] = json!("https://evil.example");
            metadata
        }),
        ("one slash more", |issuer| {
            let mut metadata = google(issuer);
            metadata["issuer"] = json!(format!("{issuer}/"));
            metadata
        }),
        ("no token endpoint", |issuer| json!({ "issuer": issuer })),
        ("an endpoint in the clear", |issuer| {
            let mut metadata = google(issuer);
            metadata["token_endpoint"] = json!("http://as.example/token");
            metadata
        }),
    ];
    for (what, metadata) in liars {
        let issuer = server(OPENID, metadata).await;
        println!("{what}");
        admin.put(AT, put(&issuer)).await.broken(&["/issuer"]);
    }
    let silent = server("/elsewhere", google).await;
    admin.put(AT, put(&silent)).await.broken(&["/issuer"]);
    // A server without metadata: the operator says where its endpoints are.
    let mut body = put(&silent);
    body["endpoints"] =
        json!({ "token": format!("{silent}/token"), "revocation": null, "registration": null });
    admin.put(AT, body).await.ok(200);
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    admin
        .put(AT, put(&issuer))
        .await
        .refused(503, "upstream-unavailable");
}

#[tokio::test]
async fn a_client_key_is_made_shown_kept_and_replaced_by_an_imported_one() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let issuer = server("/.well-known/oauth-authorization-server", google).await;
    let mut body = put(&issuer);
    body["rungs"] = json!(["minted-assertion", "attested-client"]);
    body["authentication"] = json!({ "method": "private_key_jwt" });
    let made = admin.put(AT, body.clone()).await.ok(200);
    assert_eq!(
        made["rungs"],
        json!(["attested-client", "minted-assertion"]),
        "best first"
    );
    let jwk = made["authentication"]["jwk"].clone();
    assert_eq!(
        (&jwk["kty"], &jwk["alg"], &jwk["d"]),
        (&json!("EC"), &json!("ES256"), &Value::Null)
    );
    let again = admin.put(AT, body.clone()).await.ok(200);
    assert_eq!(again["authentication"]["jwk"], jwk);
    assert_eq!(again["version"], 2);
    let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
    body["authentication"]["private_key_pem"] = json!(pem);
    let imported = admin.put(AT, body).await.ok(200);
    assert_ne!(imported["authentication"]["jwk"], jwk);
    assert!(!imported.to_string().contains("PRIVATE"));
}

#[tokio::test]
async fn a_check_says_what_a_server_supports_which_rung_is_best_and_why() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    with_secret(&admin, "s").await;
    let issuer = server(OPENID, google).await;
    let report = admin
        .post(CHECKS, json!({ "issuer": issuer }))
        .await
        .ok(200);
    assert_eq!(report["best"], "relay");
    let supports: Vec<_> = report["rungs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rung| rung["support"].as_str().unwrap())
        .collect();
    assert_eq!(supports, ["no", "yes", "no", "no", "yes"]);
    assert_eq!(report["features"], json!(["pkce-s256"]));
    let mut body = put(&issuer);
    body["rungs"] = json!(["delivered-secret"]);
    admin.put(AT, body).await.ok(200);
    let report = admin
        .post(CHECKS, json!({ "upstream": "google" }))
        .await
        .ok(200);
    assert_eq!(report["best"], "delivered-secret");
    assert_eq!(report["rungs"][1]["allowed"], false);
    for both in [json!({}), json!({ "upstream": "google", "issuer": issuer })] {
        admin
            .post(CHECKS, both)
            .await
            .refused(422, "validation-failed");
    }
    admin
        .post(CHECKS, json!({ "upstream": "nobody" }))
        .await
        .refused(404, "not-found");
}

#[tokio::test]
async fn a_secret_that_authenticates_jwts_cannot_become_too_short() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    with_secret(&admin, "a client secret of more than 32 bytes").await;
    let issuer = server(OPENID, google).await;
    let mut body = put(&issuer);
    body["authentication"]["method"] = json!("client_secret_jwt");
    admin.put(AT, body).await.ok(200);
    let short = json!({ "value": "short" });
    let path = "/accounts/acme/secrets/client_secret";
    admin.put(path, short).await.broken(&["/value"]);
}
