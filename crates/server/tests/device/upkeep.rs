//! What ages is renewed in time: signing keys and trust metadata, by a clock that is turned by hand.

use bonafide_server::app::{new_account, upkeep};
use bonafide_server::config::SigningKeyState;
use bonafide_server::store::{Expectation, ObjectKey, ObjectKind, Write};
use bonafide_trust::TrustedSet;
use bonafide_wire::envelope::key_id;
use bonafide_wire::ids::AccountId;

use crate::world::{World, bytes_of};

const DAY: i64 = 24 * 60 * 60;

fn states(world: &World) -> Vec<SigningKeyState> {
    let snapshot = world.service.snapshot();
    let account = snapshot.account(&world.account).unwrap();
    let mut keys: Vec<_> = account.config.signing_keys.values().collect();
    keys.sort_by_key(|key| key.created_at);
    keys.iter().map(|key| key.state).collect()
}

#[tokio::test]
async fn a_signing_key_is_published_a_day_before_it_signs_and_two_days_after() {
    use SigningKeyState::{Active, Published, Retiring};
    let world = World::new().await;
    let steps = [
        (30 * DAY - 1, vec![Active]),
        (1, vec![Active, Published]),
        (DAY - 1, vec![Active, Published]),
        (1, vec![Retiring, Active]),
        (2 * DAY - 1, vec![Retiring, Active]),
        (1, vec![Active]),
    ];
    for (pass, expected) in steps {
        world.advance(pass);
        // A few rounds, as the task would make them: each takes one step.
        for _ in 0..3 {
            upkeep::once(&world.service).await.unwrap();
        }
        assert_eq!(states(&world), expected, "after {pass} more seconds");
    }
    let mut phone = world.genuine();
    world.enrol(&mut phone).await;
    world.attest(&mut phone).await;
}

#[tokio::test]
async fn trust_metadata_are_signed_anew_long_before_they_expire() {
    let world = World::new().await;
    let snapshot = world.service.snapshot();
    let account = snapshot.account(&world.account).unwrap();
    let root = key_id(account.config.trust_keys.root.public_key.as_slice());
    let mut held = TrustedSet::new(world.account.clone(), root);
    for week in 1..=60 {
        let body = bytes_of(world.get(&world.url("trust-bundle")).await).await;
        held.update(&body, world.now()).unwrap();
        assert_eq!(held.version(), week);
        world.advance(7 * DAY);
        for _ in 0..3 {
            upkeep::once(&world.service).await.unwrap();
        }
    }
}

#[tokio::test]
async fn one_accounts_trouble_does_not_end_the_upkeep_of_others() {
    let world = World::new().await;
    let trust_version = || {
        let snapshot = world.service.snapshot();
        snapshot
            .account(&world.account)
            .unwrap()
            .config
            .trust
            .version
    };
    // Comes first in every round, and its trust keys cannot be opened: they are another account's.
    let broken = AccountId::parse("aaa").unwrap();
    let order = new_account::NewAccountOrder {
        id: &broken,
        name: "Broken",
        author: "test",
        now: world.now(),
    };
    let mut writes = new_account::writes_for(world.service.keys(), &order).unwrap();
    let snapshot = world.service.snapshot();
    let foreign = &snapshot.account(&world.account).unwrap().config.trust_keys;
    let key = ObjectKey::only(&broken, ObjectKind::TrustKeys);
    writes.push(Write::put(key, Expectation::Any, foreign).unwrap());
    world.write(writes).await;
    let before = trust_version();
    world.advance(7 * DAY);
    assert!(upkeep::once(&world.service).await.is_err());
    assert_eq!(trust_version(), before + 1);
}
