//! What must happen once happens once, whoever races.

use std::collections::BTreeSet;

use super::*;

pub(crate) async fn one_challenge_enrols_one_device_under_a_race(store: Opened) {
    let acme = with_account(&store, "acme").await;
    let tries = (0..64).map(|n| {
        let (store, device) = (Arc::clone(&store), device(&acme, n, 9));
        tokio::spawn(async move { store.enrol(device).await.unwrap() })
    });
    let outcomes = join(tries).await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Enrolled::Yes)
            .count(),
        1
    );
    let devices = store
        .devices(
            &acme,
            Window {
                after: None,
                limit: 100,
            },
        )
        .await
        .unwrap();
    assert_eq!(devices.items.len(), 1);
    assert_eq!(
        events(&store).await,
        2,
        "an enrolment that did not happen left an audit row"
    );
}

pub(crate) async fn a_challenge_spent_by_a_refusal_enrols_nothing(store: Opened) {
    let acme = with_account(&store, "acme").await;
    let spend = || store.spend_challenge(&acme, vec![9; 16], 100);
    assert_eq!(spend().await, Ok(Enrolled::Yes));
    assert_eq!(spend().await, Ok(Enrolled::ChallengeUsed));
    assert_eq!(
        store.enrol(device(&acme, 1, 9)).await,
        Ok(Enrolled::ChallengeUsed)
    );
    assert_eq!(
        store
            .device(&acme, &DeviceId::from_bytes([1; 16]))
            .await
            .unwrap()
            .map(|d| d.app),
        None
    );
}

pub(crate) async fn challenges_of_two_accounts_do_not_meet(store: Opened) {
    let (acme, other) = two_accounts(&store).await;
    assert_eq!(store.enrol(device(&acme, 1, 9)).await, Ok(Enrolled::Yes));
    assert_eq!(store.enrol(device(&other, 1, 9)).await, Ok(Enrolled::Yes));
    let window = || Window {
        after: None,
        limit: 10,
    };
    assert_eq!(store.devices(&acme, window()).await.unwrap().items.len(), 1);
    assert_eq!(
        store.devices(&other, window()).await.unwrap().items.len(),
        1
    );
}

pub(crate) async fn a_token_is_consumed_once_under_a_race(store: Opened) {
    let (acme, other) = two_accounts(&store).await;
    let tries = (0..64).map(|_| {
        let (store, acme) = (Arc::clone(&store), acme.clone());
        tokio::spawn(async move { store.consume_token(&acme, "jti-1", 100).await.unwrap() })
    });
    let outcomes = join(tries).await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Consumption::First)
            .count(),
        1
    );
    assert_eq!(
        store.consume_token(&acme, "jti-2", 100).await,
        Ok(Consumption::First)
    );
    assert_eq!(
        store.consume_token(&other, "jti-1", 100).await,
        Ok(Consumption::First)
    );
}

pub(crate) async fn the_same_key_enrolled_again_is_one_device(store: Opened) {
    let acme = with_account(&store, "acme").await;
    store.enrol(device(&acme, 1, 1)).await.unwrap();
    store.enrol(device(&acme, 2, 2)).await.unwrap();
    let mut again = device(&acme, 1, 3);
    again.device.enrolled_at = 77;
    store.enrol(again).await.unwrap();
    let kept = store
        .device(&acme, &DeviceId::from_bytes([1; 16]))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.enrolled_at, 77);
    let devices = store
        .devices(
            &acme,
            Window {
                after: None,
                limit: 10,
            },
        )
        .await
        .unwrap();
    assert_eq!(devices.items.len(), 2);
}

/// Conflicts among them leave none either.
pub(crate) async fn concurrent_writers_leave_a_log_without_gaps(store: Opened) {
    let acme = with_account(&store, "acme").await;
    let writers = (0..64_u8).map(|n| {
        let (store, acme) = (Arc::clone(&store), acme.clone());
        tokio::spawn(async move {
            store.enrol(device(&acme, n, n)).await.unwrap();
            let conflict = app_change(&acme, "ghost", Expectation::Present);
            assert!(store.commit(conflict).await.is_err());
            let change = app_change(&acme, &format!("app-{n}"), Expectation::Absent);
            store.commit(change).await.unwrap()
        })
    });
    let versions: BTreeSet<u64> = join(writers).await.into_iter().collect();
    assert_eq!(
        versions,
        (2..=65).collect(),
        "two commits had the same version"
    );
    assert_eq!(events(&store).await, 129);
}

fn relay(account: &AccountId, request: u8) -> NewRelay {
    NewRelay {
        account: account.clone(),
        challenge: vec![7; 16],
        request_sha256: [request; 32],
        expires_at: 100,
        audit: entry(Some(account), "relay"),
    }
}

pub(crate) async fn one_relay_request_has_its_turn_once_under_a_race(store: Opened) {
    let acme = with_account(&store, "acme").await;
    let before = events(&store).await;
    let tries = (0..64).map(|_| {
        let (store, relay) = (Arc::clone(&store), relay(&acme, 1));
        tokio::spawn(async move { store.begin_relay(relay).await.unwrap() })
    });
    let turns = join(tries).await;
    let first = turns.iter().filter(|turn| **turn == RelayTurn::First);
    assert_eq!(first.count(), 1);
    let waiting = turns.iter().filter(|turn| **turn == RelayTurn::UnderWay);
    assert_eq!(waiting.count(), 63);
    assert_eq!(events(&store).await, before + 1, "one audit row");
}

pub(crate) async fn the_same_relay_request_hears_what_became_of_it(store: Opened) {
    let (acme, other) = two_accounts(&store).await;
    let begin = |account: &AccountId, request| store.begin_relay(relay(account, request));
    assert_eq!(begin(&acme, 1).await, Ok(RelayTurn::First));
    assert_eq!(begin(&acme, 2).await, Ok(RelayTurn::ChallengeUsed));
    let done = entry(Some(&acme), "relay");
    store
        .finish_relay(&acme, vec![7; 16], b"sealed".to_vec(), done)
        .await
        .unwrap();
    let kept = RelayTurn::Done(b"sealed".to_vec());
    assert_eq!(begin(&acme, 1).await, Ok(kept));
    assert_eq!(begin(&other, 1).await, Ok(RelayTurn::First));
    let enrolment = store.spend_challenge(&acme, vec![7; 16], 100).await;
    assert_eq!(enrolment, Ok(Enrolled::ChallengeUsed));
}
