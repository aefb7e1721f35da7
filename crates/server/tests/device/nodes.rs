//! Two nodes on one database: a change on one is in force on the other, and neither overwrites the other's.

use std::sync::Arc;

use bonafide_server::app::AppError;
use bonafide_server::app::commit::Plan;
use bonafide_server::config::Api;
use bonafide_server::store::{Actor, AuditEntry, Expectation, ObjectKey, ObjectKind, Write};
use bonafide_wire::admin::TokenMode;

use crate::world::{NOW, World, host, open};

#[tokio::test]
async fn changes_meet_by_compare_and_set_and_reach_the_other_node() {
    let world = World::new().await;
    let other = open(world.directory.path(), Arc::clone(&world.clock), |store| {
        Arc::new(store)
    })
    .await;
    let api = Api {
        token: TokenMode::Token,
        added_at: NOW,
    };
    let add = |name: &'static str| {
        let key = ObjectKey::of(&world.account, ObjectKind::Api, name);
        let write = Write::put(key, Expectation::Any, &api).unwrap();
        let account = world.account.clone();
        move |_: &_| -> Result<Plan<()>, AppError> {
            Ok(Plan {
                writes: vec![write.clone()],
                audit: AuditEntry {
                    at: NOW,
                    account: Some(account.clone()),
                    actor: Actor("test".to_owned()),
                    action: "api.added",
                    object: name.to_owned(),
                    details: serde_json::Value::Null,
                },
                reply: None,
                answer: (),
            })
        }
    };
    // The other node does not know this change yet, so its own plan is made again on top of it.
    world.service.commit(add("first.example")).await.unwrap();
    other.commit(add("second.example")).await.unwrap();
    let both = [host("first.example"), host("second.example")];
    let has_both = |snapshot: &bonafide_server::app::Snapshot| {
        let account = snapshot.account(&world.account).unwrap();
        both.iter()
            .all(|host| account.config.apis.contains_key(host))
    };
    assert!(has_both(&other.snapshot()));
    assert!(!has_both(&world.service.snapshot()));
    world.service.refresh().await.unwrap();
    assert!(has_both(&world.service.snapshot()));
}
