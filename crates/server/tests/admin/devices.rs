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
        },
        challenge: vec![number],
        challenge_expires_at: START,
        public_key: vec![4; 65],
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

#[tokio::test]
async fn latest_is_the_device_refused_last() {
    let harness = Harness::start().await;
    let developer = harness.session(&harness.root, Role::Developer).await;
    refuse(&harness, 1).await;
    refuse(&harness, 2).await;
    let set = json!({ "kind": "always-pass", "reason": "demo", "for_seconds": 600 });
    let view = developer
        .put(&format!("{ACME}/overrides/latest"), set)
        .await
        .ok(200);
    assert_eq!(view["device_id"], id(2).as_str());
    developer
        .get(&format!("{ACME}/overrides/latest"))
        .await
        .refused(404, "not-found");
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
