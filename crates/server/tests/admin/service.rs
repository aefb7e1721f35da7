//! What concerns the service as a whole: the revocation list, and the page that a monitor scrapes.

use axum::body::Body;
use axum::http::{Request, header};
use bonafide_server::app::revocations::Giver;
use bonafide_wire::admin::Role;
use serde_json::json;
use tower::ServiceExt as _;

use crate::harness::{Harness, START};

async fn metrics(harness: &Harness) -> String {
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = harness.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let media = response.headers()[header::CONTENT_TYPE].to_str().unwrap();
    assert_eq!(media, "text/plain; version=0.0.4; charset=utf-8");
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await;
    String::from_utf8(bytes.unwrap().to_vec()).unwrap()
}

fn number(page: &str, name: &str) -> Option<u64> {
    let mut lines = page.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test]
async fn the_metrics_page_follows_list_store_and_requests() {
    let harness = Harness::start().await;
    let page = metrics(&harness).await;
    assert_eq!(number(&page, "bonafide_store_up"), Some(1));
    assert_eq!(number(&page, "bonafide_revocation_list_entries"), Some(0));
    assert_eq!(number(&page, "bonafide_revocation_list_age_seconds"), None);
    let sequence = number(&page, "bonafide_audit_sequence").unwrap();
    let version = number(&page, "bonafide_configuration_version").unwrap();

    let admin = harness.admin().await;
    admin
        .put(
            "/accounts/acme/apis/api.example.com",
            json!({ "token": "token" }),
        )
        .await
        .ok(200);
    let list = br#"{"entries":{"a":{"status":"REVOKED"}}}"#;
    let revocations = harness.service.revocation_list();
    revocations
        .offer(list, Giver::Server, START - 3600)
        .unwrap();
    let page = metrics(&harness).await;
    assert_eq!(number(&page, "bonafide_revocation_list_entries"), Some(1));
    assert_eq!(
        number(&page, "bonafide_revocation_list_age_seconds"),
        Some(3600)
    );
    assert_eq!(number(&page, "bonafide_audit_sequence"), Some(sequence + 2));
    assert_eq!(
        number(&page, "bonafide_configuration_version"),
        Some(version + 1)
    );
    let route =
        r#"{listener="admin",method="PUT",route="/admin/v1/accounts/{account}/apis/{host}""#;
    let requests = format!(r#"bonafide_http_requests_total{route},status="200"}}"#);
    assert_eq!(number(&page, &requests), Some(1), "{page}");
    let count = format!("bonafide_http_request_duration_seconds_count{route}}}");
    assert_eq!(number(&page, &count), Some(1));
    // Routes, never paths: no tenant's name is on the page.
    assert!(!page.contains("acme"));
}

#[tokio::test]
async fn the_revocation_list_tells_its_age_and_its_last_failure() {
    let harness = Harness::start().await;
    let viewer = harness.session(&harness.root, Role::Viewer).await;
    let path = "/revocation-list";
    let none = viewer.get(path).await.ok(200);
    assert_eq!(
        (&none["source"], &none["confirmed_at"]),
        (&json!(null), &json!(null))
    );
    let admin = harness.admin().await;
    let refresh = admin.post("/revocation-list/refresh", json!({})).await;
    refresh.refused(409, "conflict");
    let revocations = harness.service.revocation_list();
    revocations.comes_from("https://google.example/status".to_owned());
    let list = br#"{"entries":{"a":{"status":"REVOKED"}}}"#;
    revocations.offer(list, Giver::Server, START).unwrap();
    revocations.attempted(
        START + 60,
        &Err("the upstream did not answer in time".to_owned()),
    );
    harness.turn_clock(120);
    let view = viewer.get(path).await.ok(200);
    assert_eq!(
        view,
        json!({
            "source": "https://google.example/status", "entries": 1, "confirmed_at": START, "age_seconds": 120,
            "last_attempt_at": START + 60, "last_failure": "the upstream did not answer in time",
        })
    );
    let request = Request::get("/readyz").body(Body::empty()).unwrap();
    let ready = harness.send(request).await.ok(200);
    assert_eq!(ready["checks"]["revocation_list"], view);
}
