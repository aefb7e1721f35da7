//! Lists and what is found in them: pages without gap or repeat, sessions, and what is forgotten.

use bonafide_evidence::android::KeyFacts;
use bonafide_wire::admin::JudgedView;

use super::*;
use crate::store::Rejudged;
use crate::store::sightings::Sighting;

pub(crate) async fn devices_page_newest_first_without_gap_or_repeat(store: Opened) {
    let acme = with_account(&store, "acme").await;
    let other = with_account(&store, "other").await;
    for n in 0..25 {
        store.enrol(device(&acme, n, n)).await.unwrap();
        store.enrol(device(&other, n, n)).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store
            .devices(&acme, Window { after, limit: 10 })
            .await
            .unwrap();
        assert!(page.items.len() <= 10);
        seen.extend(page.items.iter().map(|device| device.enrolled_at));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..25).rev().collect::<Vec<i64>>());
}

pub(crate) async fn verdicts_page_and_are_found_by_support_id(store: Opened) {
    let (acme, other) = two_accounts(&store).await;
    let records = (0..5).map(|n| VerdictRecord {
        account: acme.clone(),
        verdict: verdict(n, "deny"),
    });
    store.record_verdicts(records.collect()).await.unwrap();
    let found = store
        .verdict(&acme, &SupportId::from_random([3; 5]))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.at, found.findings.len()), (3, 1));
    assert_eq!(found.facts, serde_json::json!({"patch": 202_609}));
    assert!(
        store
            .verdict(&other, &SupportId::from_random([3; 5]))
            .await
            .unwrap()
            .is_none()
    );
    let page = store
        .verdicts(
            &acme,
            Window {
                after: None,
                limit: 3,
            },
        )
        .await
        .unwrap();
    assert_eq!(
        page.items.iter().map(|v| v.at).collect::<Vec<_>>(),
        [4, 3, 2]
    );
    let rest = store
        .verdicts(
            &acme,
            Window {
                after: page.next,
                limit: 3,
            },
        )
        .await
        .unwrap();
    assert_eq!(rest.items.iter().map(|v| v.at).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(rest.next, None);
}

pub(crate) async fn refused_devices_are_told_once_each_with_their_newest_verdict(store: Opened) {
    let (acme, other) = two_accounts(&store).await;
    assert!(told(&store, &acme, 0).await.is_empty());
    // The fifth is the first device again.
    let outcomes = [
        (1, "deny", 1),
        (2, "deny", 2),
        (3, "allow", 3),
        (4, "rejected", 4),
        (5, "deny", 1),
    ];
    let records = outcomes.map(|(number, outcome, device)| VerdictRecord {
        account: acme.clone(),
        verdict: VerdictView {
            device_id: Some(DeviceId::from_bytes([device; 16])),
            ..verdict(number, outcome)
        },
    });
    store.record_verdicts(records.to_vec()).await.unwrap();
    let of = |number: u8| (SupportId::from_random([number; 5]), i64::from(number));
    assert_eq!(told(&store, &acme, 0).await, [of(5), of(2)]);
    assert_eq!(told(&store, &acme, 3).await, [of(5)]);
    assert!(told(&store, &other, 0).await.is_empty());
    let first = store.refused_since(&acme, 0, 1).await.unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].findings, ["boot-not-verified"]);
}

async fn told(store: &Opened, account: &AccountId, since: i64) -> Vec<(SupportId, i64)> {
    let refused = store.refused_since(account, since, 10).await.unwrap();
    refused
        .into_iter()
        .map(|device| (device.support_id, device.at))
        .collect()
}

pub(crate) async fn sessions_open_and_close_with_an_audit_row_each(store: Opened) {
    let acme = with_account(&store, "acme").await;
    let session = Session {
        bearer_sha256: [5; 32],
        credential: CredentialId::parse("cred_1").unwrap(),
        name: "ci".to_owned(),
        role: Role::Developer,
        account: Some(acme.clone()),
        expires_at: 100,
    };
    store
        .open_session(session.clone(), entry(None, "session"))
        .await
        .unwrap();
    assert_eq!(store.session([5; 32]).await, Ok(Some(session)));
    assert_eq!(store.session([6; 32]).await, Ok(None));
    store
        .close_session([5; 32], entry(None, "session"))
        .await
        .unwrap();
    assert_eq!(store.session([5; 32]).await, Ok(None));
    let again = store.close_session([5; 32], entry(None, "session")).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))));
    assert_eq!(events(&store).await, 3);
}

pub(crate) async fn the_audit_log_pages_by_account_and_whole(store: Opened) {
    let (acme, other) = two_accounts(&store).await;
    let entries = (0..4).map(|n| entry(if n % 2 == 0 { Some(&acme) } else { None }, "x"));
    store.append_audit(entries.collect()).await.unwrap();
    let expected = [
        (None, vec![vec![1, 2], vec![3, 4], vec![5, 6]]),
        (Some(&acme), vec![vec![1, 3], vec![5]]),
        (Some(&other), vec![vec![2]]),
    ];
    for (account, pages) in expected {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = store
                .audit(account, Window { after, limit: 2 })
                .await
                .unwrap();
            seen.push(
                page.items
                    .iter()
                    .map(|event| event.sequence)
                    .collect::<Vec<_>>(),
            );
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, pages, "{account:?}");
    }
    let whole = store
        .audit(
            None,
            Window {
                after: None,
                limit: 9,
            },
        )
        .await
        .unwrap();
    assert_eq!(
        whole.items[0].details,
        serde_json::json!({"a": "ü", "b": 1})
    );
    assert_eq!(whole.items[5].account, None);
}

pub(crate) async fn prune_forgets_what_expired_and_nothing_else(store: Opened) {
    let acme = with_account(&store, "acme").await;
    let first = [(Enrolled::Yes, Consumption::First); 2];
    assert_eq!(use_once(&store, &acme).await, first);
    let records = [1, 9].map(|n| VerdictRecord {
        account: acme.clone(),
        verdict: verdict(n, "deny"),
    });
    store.record_verdicts(records.to_vec()).await.unwrap();
    let before = events(&store).await;
    store.prune(20, 5).await.unwrap();
    let kept = (Enrolled::ChallengeUsed, Consumption::Already);
    assert_eq!(use_once(&store, &acme).await, [first[0], kept]);
    let verdicts = store
        .verdicts(
            &acme,
            Window {
                after: None,
                limit: 9,
            },
        )
        .await
        .unwrap();
    assert_eq!(verdicts.items.iter().map(|v| v.at).collect::<Vec<_>>(), [9]);
    assert_eq!(
        events(&store).await,
        before,
        "the audit log is never pruned"
    );
}

/// Spends a challenge and consumes a token that expire at 10, and others that expire at 30.
async fn use_once(store: &Opened, account: &AccountId) -> [(Enrolled, Consumption); 2] {
    let mut outcomes = [(Enrolled::Yes, Consumption::First); 2];
    for (outcome, (name, expires_at)) in outcomes.iter_mut().zip([("old", 10), ("new", 30)]) {
        let spent = store
            .spend_challenge(account, name.into(), expires_at)
            .await;
        let consumed = store.consume_token(account, name, expires_at).await;
        *outcome = (spent.unwrap(), consumed.unwrap());
    }
    outcomes
}

fn client(account: &AccountId, device: u8, client_id: &str) -> InstanceClient {
    InstanceClient {
        account: account.clone(),
        upstream: UpstreamName::parse("google").unwrap(),
        device: DeviceId::from_bytes([device; 16]),
        client_id: client_id.to_owned(),
        key_thumbprint: format!("thumbprint of {client_id}"),
        management: Some(SealedBytes(Base64Url(vec![1, 2, 3]))),
        created_at: 5,
    }
}

async fn put_clients(store: &Opened, clients: Vec<InstanceClient>) {
    for client in clients {
        let audit = entry(Some(&client.account), "client");
        store.put_instance_client(client, audit).await.unwrap();
    }
}

pub(crate) async fn a_registered_client_is_found_and_replaced(store: Opened) {
    let (acme, other) = two_accounts(&store).await;
    let before = events(&store).await;
    let held = client(&acme, 1, "second");
    let clients = vec![
        client(&acme, 1, "first"),
        held.clone(),
        client(&acme, 2, "third"),
        client(&other, 1, "fourth"),
    ];
    put_clients(&store, clients).await;
    assert_eq!(events(&store).await, before + 4);
    let found = store.instance_client(&acme, &held.upstream, &held.device);
    assert_eq!(found.await, Ok(Some(held)));
}

pub(crate) async fn clients_of_revoked_devices_are_found_and_forgotten(store: Opened) {
    let (acme, other) = two_accounts(&store).await;
    let held = client(&acme, 1, "ours");
    put_clients(&store, vec![held.clone(), client(&other, 1, "theirs")]).await;
    assert_eq!(store.instance_clients_of_revoked(10).await, Ok(vec![]));
    let key = ObjectKey::of(&acme, ObjectKind::Revocation, held.device.as_str());
    let revoke = Write::put(key, Expectation::Any, &Revocation { at: 9 }).unwrap();
    let audit = entry(Some(&acme), "device");
    let change = Change::new(vec![revoke], audit);
    store.commit(change).await.unwrap();
    let revoked = store.instance_clients_of_revoked(10).await;
    assert_eq!(revoked, Ok(vec![held.clone()]));
    let audit = entry(Some(&acme), "client");
    let gone = store.remove_instance_client(&acme, &held.upstream, &held.device, audit);
    gone.await.unwrap();
    assert_eq!(store.instance_clients_of_revoked(10).await, Ok(vec![]));
}

fn judged(device: DeviceView, code: &str) -> DeviceView {
    let findings = vec![FindingView {
        code: code.to_owned(),
        severity: "enforced".to_owned(),
        detail: String::new(),
    }];
    DeviceView {
        judged: Some(JudgedView {
            at: 5,
            outcome: "deny".to_owned(),
            findings,
        }),
        ..device
    }
}

async fn found(store: &Opened, account: &AccountId, code: &str) -> Vec<i64> {
    let window = Window {
        after: None,
        limit: 100,
    };
    let rows = store.devices_with_finding(account, code, window);
    let devices = rows.await.unwrap().items;
    devices.iter().map(|device| device.enrolled_at).collect()
}

#[expect(clippy::cognitive_complexity, reason = "one story, told in its order")]
pub(crate) async fn devices_are_judged_again_and_found_by_finding(store: Opened) {
    let (acme, other) = two_accounts(&store).await;
    for n in 1..=5 {
        store.enrol(device(&acme, n, n)).await.unwrap();
    }
    let mut factless = device(&acme, 6, 6);
    factless.facts = String::new();
    store.enrol(factless).await.unwrap();
    store.enrol(device(&other, 1, 1)).await.unwrap();
    let before = events(&store).await;
    let batch = store.outdated(&acme, 7, 3).await.unwrap();
    assert_eq!(batch.len(), 3);
    let rejudged: Vec<_> = batch
        .into_iter()
        .map(|enrolment| Rejudged {
            number: enrolment.number,
            device: judged(enrolment.device, "certificate-revoked"),
            judged_under: 7,
        })
        .collect();
    // The first one enrols anew meanwhile: its judgement is about evidence that is gone.
    let mut anew = device(&acme, 1, 9);
    anew.device.enrolled_at = 99;
    store.enrol(anew).await.unwrap();
    let audit = vec![entry(Some(&acme), "reappraised")];
    store.rejudge(&acme, rejudged, audit).await.unwrap();
    assert_eq!(events(&store).await, before + 2);
    assert_eq!(found(&store, &acme, "certificate-revoked").await, [3, 2]);
    assert!(found(&store, &acme, "boot-not-verified").await.is_empty());
    assert!(
        found(&store, &other, "certificate-revoked")
            .await
            .is_empty()
    );
    let rest = store.outdated(&acme, 7, 100).await.unwrap();
    let mut rest: Vec<_> = rest.iter().map(|rest| rest.device.enrolled_at).collect();
    rest.sort_unstable();
    assert_eq!(rest, [4, 5, 99], "without facts there is nothing to judge");
    // Judged again, it has other findings; enrolled again, those of its new evidence.
    let one = store.outdated(&acme, 8, 100).await.unwrap();
    let second = one.into_iter().find(|one| one.device.enrolled_at == 2);
    let second = second.unwrap();
    let rejudged = vec![Rejudged {
        number: second.number,
        device: judged(second.device, "boot-not-verified"),
        judged_under: 8,
    }];
    store.rejudge(&acme, rejudged, Vec::new()).await.unwrap();
    assert_eq!(found(&store, &acme, "certificate-revoked").await, [3]);
    assert_eq!(found(&store, &acme, "boot-not-verified").await, [2]);
    store.enrol(device(&acme, 3, 10)).await.unwrap();
    assert!(found(&store, &acme, "certificate-revoked").await.is_empty());
}

fn key_facts(boot_key: u8) -> KeyFacts {
    let digest = "ab".repeat(32);
    let facts = serde_json::json!({
        "public_key": { "algorithm": "other", "identifier": "1.2" },
        "anchor": "google", "root": digest, "provisioning": "factory",
        "chain_level": "trusted-environment", "serials": [], "attestation_key": digest,
        "valid_from": 0, "challenge": "equal", "attestation_version": 3, "keymint_version": 4,
        "attestation_level": "trusted-environment", "keymint_level": "trusted-environment", "purposes": [2],
        "root_of_trust": {
            "verified_boot_key": hex::encode([boot_key; 32]), "device_locked": "locked", "state": "verified",
        },
    });
    serde_json::from_value(facts).unwrap()
}

#[expect(clippy::cognitive_complexity, reason = "one story, told in its order")]
pub(crate) async fn what_is_noteworthy_about_an_attestation_key_is_configuration(store: Opened) {
    let (acme, other) = two_accounts(&store).await;
    let sighted = |account: &AccountId, number: u8, boot_key: u8| NewDevice {
        sighting: Some(Sighting {
            facts: Box::new(key_facts(boot_key)),
            at: i64::from(number),
        }),
        ..device(account, number, number)
    };
    let key = "ab".repeat(32);
    let version = store.version().await.unwrap();
    for n in 1..=3 {
        store.enrol(sighted(&acme, n, 1)).await.unwrap();
    }
    // The same key sent again is no other one.
    let again = NewDevice {
        challenge: vec![77],
        ..sighted(&acme, 3, 1)
    };
    store.enrol(again).await.unwrap();
    store.enrol(sighted(&other, 1, 2)).await.unwrap();
    let seen = store.sightings(&acme, &key).await.unwrap().unwrap();
    assert_eq!((seen.keys, seen.contradictions().len()), (3, 0));
    assert_eq!(store.version().await, Ok(version), "nothing to tell");
    store.enrol(sighted(&acme, 4, 2)).await.unwrap();
    assert_eq!(store.version().await, Ok(version + 1));
    let configuration = store.load().await.unwrap();
    let told = &configuration.accounts[&acme].attestation_keys[&key];
    assert_eq!((told.keys, told.contradictions().len()), (4, 1));
    assert!(configuration.accounts[&other].attestation_keys.is_empty());
    store.enrol(sighted(&acme, 5, 2)).await.unwrap();
    assert_eq!(store.version().await, Ok(version + 1), "told already");
}
