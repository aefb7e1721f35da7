//! Devices, verdicts, and the device refused last.

use bonafide_server::store::{Actor, AuditEntry, NewDevice, VerdictRecord};
use bonafide_wire::admin::{DeviceView, Role, VerdictView};
use bonafide_wire::ids::{AccountId, AppId, DeviceId, SupportId};
use serde_json::json;

use crate::harness::{Harness, START};

const ACME: &str = "/accounts/acme";

fn acme() -> AccountId {
    AccountId::parse("acme").unwrap()
}

fn id(number: u8) -> DeviceId {
    DeviceId::from_bytes([number; 16])
}

async fn enrol(harness: &Harness, number: u8) {
    let device = NewDevice {
        account: acme(),
        device: DeviceView {
            device_id: id(number),
            app: AppId::parse("books").unwrap(),
            development: false,
            revoked: false,
            enrolled_at: START,
            judged: None,
        },
        challenge: vec![number],
        challenge_expires_at: START,
        public_key: vec![4; 65],
        facts: String::new(),
        judged_under: 0,
        sighting: None,
        audit: AuditEntry {
            at: START,
            account: Some(acme()),
            actor: Actor(id(number).to_string()),
            action: "device.enrolled",
            object: id(number).to_string(),
            details: json!({}),
        },
    };
    harness.service.store().enrol(device).await.unwrap();
}

async fn refuse(harness: &Harness, number: u8) {
    let verdict = VerdictView {
        support_id: SupportId::from_random([number; 5]),
        at: START,
        request: "enrolment".to_owned(),
        outcome: "deny".to_owned(),
        code: Some("attestation-refused".to_owned()),
        device_id: Some(id(number)),
        app: None,
        findings: Vec::new(),
        policy_version: 1,
        facts: json!({}),
    };
    let record = VerdictRecord {
        account: acme(),
        verdict,
    };
    harness
        .service
        .store()
        .record_verdicts(vec![record])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_device_is_revoked_once_and_reinstated() {
    let harness = Harness::start().await;
    enrol(&harness, 1).await;
    let admin = harness.admin().await;
    let path = format!("{ACME}/devices/{}", id(1));
    let revocation = format!("{path}/revocation");
    assert_eq!(admin.get(&path).await.ok(200)["revoked"], false);
    assert_eq!(
        admin.put(&revocation, json!({})).await.ok(200)["revoked"],
        true
    );
    let version = harness.service.snapshot().version();
    admin.put(&revocation, json!({})).await.ok(200);
    assert_eq!(
        harness.service.snapshot().version(),
        version,
        "once more is no change"
    );
    assert!(
        harness.service.snapshot().configuration.accounts[&acme()]
            .revoked
            .contains_key(&id(1))
    );
    let list = admin.get(&format!("{ACME}/devices")).await.ok(200);
    assert_eq!(list["items"][0]["revoked"], true);
    assert_eq!(admin.delete(&revocation).await.status, 204);
    admin.delete(&revocation).await.refused(404, "not-found");
    assert_eq!(admin.get(&path).await.ok(200)["revoked"], false);
    let unknown = format!("{ACME}/devices/{}/revocation", id(9));
    admin
        .put(&unknown, json!({}))
        .await
        .refused(404, "not-found");
}

fn pass() -> serde_json::Value {
    json!({ "kind": "always-pass", "reason": "demo", "for_seconds": 600 })
}

#[tokio::test]
async fn latest_is_the_only_device_refused_lately_or_nobody() {
    let harness = Harness::start().await;
    let latest = format!("{ACME}/overrides/latest");
    let developer = harness.session(&harness.root, Role::Developer).await;
    developer
        .put(&latest, pass())
        .await
        .refused(404, "not-found");
    // The same device twice is one device.
    refuse(&harness, 1).await;
    refuse(&harness, 1).await;
    let view = developer.put(&latest, pass()).await.ok(200);
    assert_eq!(view["device_id"], id(1).as_str());
    // Now somebody asks in a loop.
    refuse(&harness, 2).await;
    refuse(&harness, 2).await;
    let refused = developer.put(&latest, pass()).await;
    refused.refused(409, "conflict");
    let why = refused.body["detail"].as_str().unwrap();
    assert!(
        why.contains("2 devices") && why.contains("support id"),
        "{why}"
    );
    let candidates = developer
        .get(&format!("{ACME}/refused-devices"))
        .await
        .ok(200);
    let support_ids: Vec<_> = candidates["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|candidate| candidate["support_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        support_ids,
        [2, 1].map(|n| SupportId::from_random([n; 5]).to_string())
    );
    developer.get(&latest).await.refused(404, "not-found");
    // Refused an hour ago is not lately.
    harness.turn_clock(3601);
    let developer = harness.session(&harness.root, Role::Developer).await;
    developer
        .put(&latest, pass())
        .await
        .refused(404, "not-found");
}

#[tokio::test]
async fn a_support_id_says_whose_override_it_is() {
    let harness = Harness::start().await;
    let developer = harness.session(&harness.root, Role::Developer).await;
    refuse(&harness, 1).await;
    refuse(&harness, 2).await;
    let by = |number: u8| format!("{ACME}/overrides/{}", SupportId::from_random([number; 5]));
    let view = developer.put(&by(1), pass()).await.ok(200);
    assert_eq!(view["device_id"], id(1).as_str());
    developer
        .put(&by(9), pass())
        .await
        .refused(404, "not-found");
}

#[tokio::test]
async fn what_an_admin_locked_out_no_developer_lets_in() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let developer = harness.session(&harness.root, Role::Developer).await;
    let path = format!("{ACME}/overrides/{}", id(1));
    let fail = json!({ "kind": "always-fail", "reason": "scraper", "for_seconds": 600 });
    admin.put(&path, fail.clone()).await.ok(200);
    developer.put(&path, pass()).await.refused(403, "forbidden");
    developer.delete(&path).await.refused(403, "forbidden");
    assert_eq!(admin.get(&path).await.ok(200)["kind"], "always-fail");
    // One that has ended binds nobody, and neither does a developer's own, nor an admin's always-pass.
    harness.turn_clock(600);
    developer.put(&path, fail).await.ok(200);
    developer.put(&path, pass()).await.ok(200);
    admin.put(&path, pass()).await.ok(200);
    assert_eq!(developer.delete(&path).await.status, 204);
}

#[tokio::test]
async fn a_support_id_leads_to_its_verdict_in_its_account_only() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    admin
        .post("/accounts", json!({ "id": "other", "name": "Other" }))
        .await
        .ok(201);
    refuse(&harness, 1).await;
    let support_id = SupportId::from_random([1; 5]);
    let verdict = admin
        .get(&format!("{ACME}/verdicts/{support_id}"))
        .await
        .ok(200);
    assert_eq!(verdict["device_id"], id(1).as_str());
    let elsewhere = admin
        .get(&format!("/accounts/other/verdicts/{support_id}"))
        .await;
    elsewhere.refused(404, "not-found");
    assert_eq!(
        admin.get(&format!("{ACME}/verdicts")).await.ok(200)["items"][0],
        verdict
    );
}
