//! Configuration: whole or absent, compare and set, one version per commit.

use super::*;

pub(crate) async fn a_new_store_is_empty_and_its_audit_chain_intact(store: Opened) {
    let configuration = store.load().await.unwrap();
    assert_eq!(configuration.version, 0);
    assert!(configuration.accounts.is_empty() && configuration.credentials.is_empty());
    assert_eq!(store.version().await, Ok(0));
    assert_eq!(events(&store).await, 0);
}

pub(crate) async fn a_committed_account_loads_as_it_was_written(store: Opened) {
    let acme = with_account(&store, "acme").await;
    store
        .commit(app_change(&acme, "books", Expectation::Absent))
        .await
        .unwrap();
    let revoked = DeviceId::from_bytes([3; 16]);
    let key = ObjectKey::of(&acme, ObjectKind::Revocation, revoked.as_str());
    let write = Write::put(key, Expectation::Any, &Revocation { at: 55 }).unwrap();
    store
        .commit(Change::new(vec![write], entry(Some(&acme), "device")))
        .await
        .unwrap();
    let configuration = store.load().await.unwrap();
    let loaded = &configuration.accounts[&acme];
    assert_eq!((loaded.name.as_str(), loaded.created_at), ("Acme", 7));
    assert_eq!(loaded.policy.policy, Policy::default());
    assert_eq!(loaded.apps[&AppId::parse("books").unwrap()].name, "books");
    assert_eq!(loaded.revoked[&revoked], 55);
    assert_eq!(loaded.trust_keys.root.public_key.as_slice().len(), 65);
    assert!(!loaded.managed_roots);
}

pub(crate) async fn every_commit_counts_the_version_up_by_one(store: Opened) {
    let acme = with_account(&store, "acme").await;
    for expected in 2..6 {
        let change = app_change(&acme, "books", Expectation::Any);
        assert_eq!(store.commit(change).await, Ok(expected));
        assert_eq!(store.version().await, Ok(expected));
        assert_eq!(store.load().await.unwrap().version, expected);
    }
}

pub(crate) async fn a_change_is_whole_or_absent(store: Opened) {
    let acme = with_account(&store, "acme").await;
    let mut change = app_change(&acme, "first", Expectation::Absent);
    change
        .writes
        .extend(app_change(&acme, "gone", Expectation::Present).writes);
    assert!(matches!(
        store.commit(change).await,
        Err(StoreError::Conflict(_))
    ));
    assert!(store.load().await.unwrap().accounts[&acme].apps.is_empty());
    assert_eq!((store.version().await, events(&store).await), (Ok(1), 1));
}

pub(crate) async fn expectations_that_do_not_hold_are_conflicts(store: Opened) {
    let acme = with_account(&store, "acme").await;
    let steps = [
        (Expectation::Present, None),
        (Expectation::Absent, Some(2)),
        (Expectation::Absent, None),
        (Expectation::Present, Some(3)),
        (Expectation::Version(2), None),
        (Expectation::Version(3), Some(4)),
    ];
    for (expect, version) in steps {
        let outcome = store.commit(app_change(&acme, "books", expect)).await;
        let conflict = matches!(outcome, Err(StoreError::Conflict(_)));
        assert_eq!(
            (outcome.ok(), conflict),
            (version, version.is_none()),
            "{expect:?}"
        );
    }
}

pub(crate) async fn of_many_compare_and_sets_at_once_one_wins(store: Opened) {
    let acme = with_account(&store, "acme").await;
    let tries = (0..64).map(|n| {
        let (store, acme) = (Arc::clone(&store), acme.clone());
        tokio::spawn(async move {
            let change = app_change(&acme, &format!("app-{n}"), Expectation::Version(1));
            store.commit(change).await
        })
    });
    let outcomes = join(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(store.load().await.unwrap().accounts[&acme].apps.len(), 1);
    assert_eq!(events(&store).await, 2);
}

pub(crate) async fn an_account_that_is_not_whole_is_damage_not_a_default_and_no_others(
    store: Opened,
) {
    let (broken, acme) = (account("broken"), with_account(&store, "acme").await);
    let mut change = new_account(&broken);
    change
        .writes
        .retain(|write| write.key.kind != ObjectKind::Policy);
    store.commit(change).await.unwrap();
    let key = ObjectKey::service(ObjectKind::Credential, "cred_1");
    let unreadable = Write::put(key, Expectation::Any, &"no credential").unwrap();
    let change = Change::new(vec![unreadable], entry(None, "credential"));
    store.commit(change).await.unwrap();
    let configuration = store.load().await.unwrap();
    assert!(configuration.damaged["broken"].contains("policy"));
    assert!(configuration.damaged[""].contains("cred_1"));
    assert!(!configuration.accounts.contains_key(&broken));
    assert_eq!(configuration.accounts[&acme].policy.version, 1);
}

pub(crate) async fn a_reply_is_kept_with_its_change_or_not_at_all(store: Opened) {
    let acme = with_account(&store, "acme").await;
    let key = ReplyKey {
        credential: CredentialId::parse("cred_1").unwrap(),
        key: "k".to_owned(),
    };
    let reply = RecordedReply {
        key: key.clone(),
        request_sha256: [1; 32],
        status: 201,
        body: "{}".to_owned(),
        expires_at: 1_764_000_100,
    };
    let mut failing = app_change(&acme, "books", Expectation::Present);
    failing.reply = Some(reply.clone());
    assert!(store.commit(failing).await.is_err());
    assert_eq!(store.recorded_reply(key.clone()).await, Ok(None));
    for (id, holds) in [("books", true), ("other", false)] {
        let mut change = app_change(&acme, id, Expectation::Absent);
        change.reply = Some(reply.clone());
        assert_eq!(store.commit(change).await.is_ok(), holds, "{id}");
    }
    assert_eq!(store.recorded_reply(key).await, Ok(Some(reply)));
    assert_eq!(store.load().await.unwrap().accounts[&acme].apps.len(), 1);
}

pub(crate) async fn nothing_is_written_for_an_unknown_account(store: Opened) {
    let ghost = account("ghost");
    assert!(store.enrol(device(&ghost, 1, 1)).await.is_err());
    assert!(store.spend_challenge(&ghost, vec![1], 1).await.is_err());
    assert!(store.consume_token(&ghost, "jti", 1).await.is_err());
    assert!(
        store
            .commit(app_change(&ghost, "books", Expectation::Any))
            .await
            .is_err()
    );
    assert_eq!((store.version().await, events(&store).await), (Ok(0), 0));
}
