//! What every store must do, as checks over any backend. `store_contract!` makes one test of each.
//!
//! A backend's own tests say how to open an empty store; nothing here knows which one it is.

pub(crate) mod configuration;
pub(crate) mod once;
pub(crate) mod records;

use std::sync::Arc;

use bonafide_evidence::Policy;
use bonafide_wire::admin::{DeviceView, FindingView, Role, VerdictView};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::ids::{AccountId, AppId, CredentialId, DeviceId, SupportId, UpstreamName};

use super::{
    Actor, AuditEntry, Change, Consumption, Enrolled, Expectation, InstanceClient, NewDevice,
    NewRelay, ObjectKey, ObjectKind, RecordedReply, RelayTurn, ReplyKey, Session, Store,
    StoreError, VerdictRecord, Window, Write,
};
use crate::config::{
    AccountProfile, App, ManagedRoots, PublishedTrust, Revocation, SealedBytes, TrustKey,
    TrustKeys, VersionedPolicy,
};

/// One test per rule of the contract, on the store that `$open` opens (a guard and an `Arc<dyn Store>`).
macro_rules! store_contract {
    ($open:expr) => {
        store_contract!(@each configuration, $open;
            a_new_store_is_empty_and_its_audit_chain_intact,
            a_committed_account_loads_as_it_was_written,
            every_commit_counts_the_version_up_by_one,
            a_change_is_whole_or_absent,
            expectations_that_do_not_hold_are_conflicts,
            of_many_compare_and_sets_at_once_one_wins,
            an_account_that_is_not_whole_is_damage_not_a_default_and_no_others,
            a_reply_is_kept_with_its_change_or_not_at_all,
            nothing_is_written_for_an_unknown_account,
        );
        store_contract!(@each once, $open;
            one_challenge_enrols_one_device_under_a_race,
            a_challenge_spent_by_a_refusal_enrols_nothing,
            challenges_of_two_accounts_do_not_meet,
            a_token_is_consumed_once_under_a_race,
            one_relay_request_has_its_turn_once_under_a_race,
            the_same_relay_request_hears_what_became_of_it,
            the_same_key_enrolled_again_is_one_device,
            concurrent_writers_leave_a_log_without_gaps,
        );
        store_contract!(@each records, $open;
            devices_page_newest_first_without_gap_or_repeat,
            verdicts_page_and_are_found_by_support_id,
            refused_devices_are_told_once_each_with_their_newest_verdict,
            devices_are_judged_again_and_found_by_finding,
            what_is_noteworthy_about_an_attestation_key_is_configuration,
            sessions_open_and_close_with_an_audit_row_each,
            a_registered_client_is_found_and_replaced,
            clients_of_revoked_devices_are_found_and_forgotten,
            the_audit_log_pages_by_account_and_whole,
            prune_forgets_what_expired_and_nothing_else,
        );
    };
    (@each $module:ident, $open:expr; $($rule:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            let (guard, store) = $open;
            $crate::store::contract::$module::$rule(store).await;
            drop(guard);
        })*
    };
}
pub(crate) use store_contract;

pub(crate) type Opened = Arc<dyn Store>;

pub(crate) fn account(name: &str) -> AccountId {
    AccountId::parse(name).unwrap()
}

pub(crate) fn entry(account: Option<&AccountId>, object: &str) -> AuditEntry {
    AuditEntry {
        at: 1_764_000_000,
        account: account.cloned(),
        actor: Actor("ops".to_owned()),
        action: "test.done",
        object: object.to_owned(),
        details: serde_json::json!({"b": 1, "a": "ü"}),
    }
}

fn put<T: serde::Serialize>(account: &AccountId, kind: ObjectKind, body: &T) -> Write {
    Write::put(ObjectKey::only(account, kind), Expectation::Absent, body).unwrap()
}

/// All that makes an account whole.
pub(crate) fn new_account(account: &AccountId) -> Change {
    let key = || TrustKey {
        public_key: Base64Url(vec![4; 65]),
        sealed: SealedBytes(Base64Url(vec![1, 2, 3])),
    };
    let writes = vec![
        put(
            account,
            ObjectKind::Account,
            &AccountProfile {
                name: "Acme".to_owned(),
                created_at: 7,
            },
        ),
        put(
            account,
            ObjectKind::Policy,
            &VersionedPolicy {
                version: 1,
                policy: Policy::default(),
                author: "ops".to_owned(),
                updated_at: 7,
            },
        ),
        put(
            account,
            ObjectKind::ManagedRoots,
            &ManagedRoots { enabled: false },
        ),
        put(
            account,
            ObjectKind::TrustKeys,
            &TrustKeys {
                root: key(),
                bundle: key(),
            },
        ),
        put(
            account,
            ObjectKind::Trust,
            &PublishedTrust {
                version: 1,
                refresh_at: 9,
                document: "{}".to_owned(),
            },
        ),
    ];
    Change::new(writes, entry(Some(account), account.as_str()))
}

pub(crate) async fn with_account(store: &Opened, name: &str) -> AccountId {
    let id = account(name);
    store.commit(new_account(&id)).await.unwrap();
    id
}

fn app_change(account: &AccountId, id: &str, expect: Expectation) -> Change {
    let app = App {
        name: id.to_owned(),
        android_package: None,
        apple_app_id: None,
        created_at: 1,
    };
    let write = Write::put(ObjectKey::of(account, ObjectKind::App, id), expect, &app).unwrap();
    Change::new(vec![write], entry(Some(account), id))
}

pub(crate) fn device(account: &AccountId, number: u8, challenge: u8) -> NewDevice {
    NewDevice {
        account: account.clone(),
        device: DeviceView {
            device_id: DeviceId::from_bytes([number; 16]),
            app: AppId::parse("books").unwrap(),
            development: false,
            revoked: false,
            enrolled_at: i64::from(number),
            judged: None,
        },
        challenge: vec![challenge; 16],
        challenge_expires_at: 100,
        public_key: vec![4; 65],
        facts: "{}".to_owned(),
        judged_under: 0,
        sighting: None,
        audit: entry(Some(account), "device"),
    }
}

fn verdict(number: u8, outcome: &str) -> VerdictView {
    VerdictView {
        support_id: SupportId::from_random([number; 5]),
        at: i64::from(number),
        request: "attestation".to_owned(),
        outcome: outcome.to_owned(),
        code: Some("attestation-refused".to_owned()),
        device_id: Some(DeviceId::from_bytes([number; 16])),
        app: None,
        findings: vec![FindingView {
            code: "boot-not-verified".to_owned(),
            severity: "enforced".to_owned(),
            detail: "unlocked".to_owned(),
        }],
        policy_version: 1,
        facts: serde_json::json!({"patch": 202_609}),
    }
}

async fn events(store: &Opened) -> u64 {
    let verification = store.verify_audit().await.unwrap();
    assert!(verification.intact, "{verification:?}");
    verification.events
}

async fn join<T>(tasks: impl Iterator<Item = tokio::task::JoinHandle<T>>) -> Vec<T> {
    let tasks: Vec<_> = tasks.collect();
    let mut outcomes = Vec::with_capacity(tasks.len());
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

async fn two_accounts(store: &Opened) -> (AccountId, AccountId) {
    (
        with_account(store, "acme").await,
        with_account(store, "other").await,
    )
}
