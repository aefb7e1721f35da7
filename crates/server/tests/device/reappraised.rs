//! Enrolments are judged again when the revocation list, an anchor or the policy changes, and the affected ones are
//! found by what was found.

use bonafide_server::app::reappraise;
use bonafide_server::app::revocations::Giver;
use bonafide_server::store::Expectation;
use bonafide_server::store::{ObjectKey, ObjectKind, Window, Write};
use bonafide_wire::admin::DeviceView;

use crate::world::{NOW, World};

async fn found(world: &World, code: &str) -> Vec<DeviceView> {
    let window = Window {
        after: None,
        limit: 100,
    };
    let store = world.service.store();
    let rows = store.devices_with_finding(&world.account, code, window);
    rows.await.unwrap().items
}

async fn all_judged(world: &World) -> usize {
    let mut judged = 0;
    loop {
        match reappraise::once(&world.service).await.unwrap() {
            0 => return judged,
            count => judged += count,
        }
    }
}

async fn actions(world: &World) -> Vec<(String, serde_json::Value)> {
    let window = Window {
        after: None,
        limit: 500,
    };
    let store = world.service.store();
    let events = store.audit(Some(&world.account), window).await.unwrap();
    let events = events.items.into_iter();
    events
        .filter(|event| event.action == "device.reappraised")
        .map(|event| (event.object, event.details["findings"].clone()))
        .collect()
}

/// Every serial number behind an enrolment, from what was recorded of it.
fn serials(facts: &serde_json::Value) -> Vec<String> {
    let serials = facts["serials"].as_array().unwrap();
    serials
        .iter()
        .map(|serial| serial.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_listed_certificate_marks_its_devices_and_no_others() {
    let world = World::new().await;
    let (mut first, mut second) = (world.genuine(), world.genuine());
    let listed = world.enrol(&mut first).await.device_id;
    let facts = last_facts(&world).await;
    world.enrol(&mut second).await;
    assert_eq!(all_judged(&world).await, 0, "judged with the enrolment");
    let others = serials(&last_facts(&world).await);
    let own: Vec<_> = serials(&facts)
        .into_iter()
        .filter(|serial| !others.contains(serial))
        .collect();
    assert!(
        !own.is_empty(),
        "the factory gives each phone a chain of its own"
    );
    let list = format!(
        r#"{{"entries": {{"{}": {{"status": "REVOKED"}}}}}}"#,
        own[0]
    );
    let revocations = world.service.revocation_list();
    revocations
        .offer(list.as_bytes(), Giver::Operator, NOW)
        .unwrap();
    assert_eq!(all_judged(&world).await, 2);
    let devices = found(&world, "certificate-revoked").await;
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].device_id, listed);
    assert_eq!(devices[0].judged.as_ref().unwrap().outcome, "deny");
    let expected = (
        listed.to_string(),
        serde_json::json!(["certificate-revoked"]),
    );
    assert_eq!(actions(&world).await, [expected]);
    // The list is taken back: so is the finding.
    revocations
        .offer(br#"{"entries": {}}"#, Giver::Operator, NOW)
        .unwrap();
    assert_eq!(all_judged(&world).await, 2);
    assert!(found(&world, "certificate-revoked").await.is_empty());
}

async fn last_facts(world: &World) -> serde_json::Value {
    world.service.recorder().settled().await;
    let window = Window {
        after: None,
        limit: 1,
    };
    let store = world.service.store();
    let verdicts = store.verdicts(&world.account, window).await.unwrap();
    verdicts.items[0].facts.clone()
}

#[tokio::test]
async fn a_removed_anchor_and_a_changed_policy_are_found_too() {
    let world = World::new().await;
    let mut phone = world.genuine();
    world.enrol(&mut phone).await;
    assert!(found(&world, "development-evidence").await.len() <= 1);
    // The world's policy accepts development evidence.
    world.set_policy(&[("development", "enforce")]).await;
    assert_eq!(all_judged(&world).await, 1);
    let devices = found(&world, "development-evidence").await;
    assert_eq!(devices[0].judged.as_ref().unwrap().outcome, "deny");
    let snapshot = world.service.snapshot();
    let account = snapshot.account(&world.account).unwrap();
    let removals = account.config.anchors.keys().map(|name| {
        let key = ObjectKey::of(&world.account, ObjectKind::Anchor, name.as_str());
        Write::delete(key, Expectation::Any)
    });
    world.write(removals.collect()).await;
    assert_eq!(all_judged(&world).await, 1);
    assert_eq!(found(&world, "root-not-trusted").await.len(), 1);
}
