//! One account's damage: the others work, and it is said where it is.

use axum::body::Body;
use axum::http::Request;
use bonafide_server::app::AppError;
use bonafide_server::app::commit::Plan;
use bonafide_server::store::{
    Actor, AuditEntry, Expectation, ObjectKey, ObjectKind, StoreError, Write,
};
use bonafide_wire::ids::AccountId;
use serde_json::{Value, json};

use crate::harness::Harness;

async fn with_two_accounts() -> Harness {
    let harness = Harness::start().await;
    harness
        .admin()
        .await
        .post("/accounts", json!({ "id": "other", "name": "Other" }))
        .await
        .ok(201);
    harness
}

/// Another program's hand in the database.
async fn spoil(harness: &Harness, sql: &str) {
    let path = harness.directory.path().join("bonafide.db");
    let db = rusqlite::Connection::open(path).unwrap();
    assert_eq!(db.execute(sql, []).unwrap(), 1, "{sql}");
    db.execute("UPDATE configuration SET version = version + 1", [])
        .unwrap();
    harness.service.refresh().await.unwrap();
}

async fn ready(harness: &Harness) -> Value {
    let request = Request::get("/readyz").body(Body::empty()).unwrap();
    harness.send(request).await.ok(200)
}

const FAULTS: [(&str, &str); 4] = [
    (
        "UPDATE objects SET body = '{' WHERE account = 'other' AND kind = 'policy'",
        "policy",
    ),
    (
        "DELETE FROM objects WHERE account = 'other' AND kind = 'trust-keys'",
        "trust-keys",
    ),
    (
        "UPDATE objects SET kind = 'of-tomorrow' WHERE account = 'other' AND kind = 'managed-roots'",
        "of-tomorrow",
    ),
    (
        "INSERT INTO objects VALUES ('other', 'anchor', 'bad', \
         '{\"certificate\":\"AAAA\",\"added_by\":\"x\",\"added_at\":1}')",
        "anchor bad",
    ),
];

#[tokio::test]
async fn a_damaged_account_is_named_and_the_others_work() {
    for (sql, told) in FAULTS {
        let harness = with_two_accounts().await;
        let admin = harness.admin().await;
        assert_eq!(ready(&harness).await["checks"]["damaged"], json!({}));
        spoil(&harness, sql).await;
        let damaged = admin.get("/accounts/other/policy").await;
        damaged.refused(503, "account-damaged");
        let ready = ready(&harness).await;
        let why = ready["checks"]["damaged"]["other"].as_str().unwrap();
        assert!(why.contains(told), "{why}");
        // Reads and changes of the other one.
        admin.get("/accounts/acme/policy").await.ok(200);
        let api = json!({ "token": "token" });
        let path = "/accounts/acme/apis/api.example.com";
        admin.put(path, api).await.ok(200);
        admin.get(path).await.ok(200);
    }
}

#[tokio::test]
async fn what_could_not_be_read_back_is_not_written() {
    let harness = Harness::start().await;
    let acme = AccountId::parse("acme").unwrap();
    let bad_signers = json!({
        "app": "books", "label": "x", "added_by": "x", "added_at": 1, "expires_at": null,
        "reference": { "kind": "certificate", "package": "com.example.books", "signer": "no digest" },
    });
    let cases = [
        (ObjectKind::Policy, "", Some(json!({ "version": "x" }))),
        (ObjectKind::Registration, "reg_1", Some(bad_signers)),
        (ObjectKind::TrustKeys, "", None),
    ];
    let before = harness.service.store().version().await.unwrap();
    for (kind, id, body) in cases {
        let key = ObjectKey::of(&acme, kind, id);
        let planned = harness.service.commit(|_| {
            Ok(Plan {
                writes: vec![match &body {
                    Some(body) => Write::put(key.clone(), Expectation::Any, body)?,
                    None => Write::delete(key.clone(), Expectation::Any),
                }],
                audit: audit_entry(&acme),
                reply: None,
                answer: (),
            })
        });
        let refused = planned.await.unwrap_err();
        assert!(
            matches!(
                refused,
                AppError::Store(StoreError::Damaged(_)) | AppError::Internal(_)
            ),
            "{kind:?}: {refused:?}"
        );
    }
    assert_eq!(harness.service.store().version().await, Ok(before));
    assert!(harness.service.snapshot().damaged().is_empty());
}

fn audit_entry(account: &AccountId) -> AuditEntry {
    AuditEntry {
        at: 1,
        account: Some(account.clone()),
        actor: Actor("test".to_owned()),
        action: "test.done",
        object: String::new(),
        details: Value::Null,
    }
}
