//! Enrolments made durable per second, beside SQLite's own group commit in the same run.
//!
//! The floor is one thread that writes the same rows in groups as large as the number of writers, without a channel,
//! a task or a hash. `cargo bench --package bonafide-server --bench store`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark says what it found, or stops"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bonafide_evidence::Policy;
use bonafide_server::config::{
    AccountProfile, ManagedRoots, PublishedTrust, SealedBytes, TrustKey, TrustKeys, VersionedPolicy,
};
use bonafide_server::store::sqlite::SqliteStore;
use bonafide_server::store::{
    Actor, AuditEntry, Change, Enrolled, Expectation, NewDevice, ObjectKey, ObjectKind, Store,
    Write,
};
use bonafide_wire::admin::DeviceView;
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::ids::{AccountId, AppId, DeviceId};
use rusqlite::{Connection, params};

const FOR: Duration = Duration::from_secs(3);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    println!(
        "{:>8} {:>14} {:>14} {:>7}",
        "writers", "enrolments/s", "floor/s", "ratio"
    );
    for writers in [1, 16, 64] {
        let floor = floor(writers);
        let ours = runtime.block_on(enrolments(writers));
        println!(
            "{writers:>8} {ours:>14.0} {floor:>14.0} {:>7.2}",
            ours / floor
        );
    }
}

async fn enrolments(writers: u64) -> f64 {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("bonafide.db")).unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let account = AccountId::parse("acme").unwrap();
    store.commit(new_account(&account)).await.unwrap();
    let started = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let (store, account) = (Arc::clone(&store), account.clone());
            tokio::spawn(async move {
                let mut done = 0_u64;
                while started.elapsed() < FOR {
                    let device = device(&account, u128::from(writer) << 64 | u128::from(done));
                    assert_eq!(store.enrol(device).await, Ok(Enrolled::Yes));
                    done += 1;
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await.unwrap();
    }
    per_second(done, started.elapsed())
}

#[expect(clippy::cast_precision_loss, reason = "a count of seconds' work")]
fn per_second(done: u64, elapsed: Duration) -> f64 {
    done as f64 / elapsed.as_secs_f64()
}

/// The same rows by SQLite alone.
fn floor(group: u64) -> f64 {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("floor.db");
    drop(SqliteStore::open(&path).unwrap());
    let mut db = connect(&path);
    db.execute("INSERT INTO accounts (id) VALUES ('acme')", [])
        .unwrap();
    let started = Instant::now();
    let mut done = 0;
    while started.elapsed() < FOR {
        let transaction = db.transaction().unwrap();
        for _ in 0..group {
            done += 1;
            insert(&transaction, done);
        }
        transaction.commit().unwrap();
    }
    per_second(done, started.elapsed())
}

fn connect(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.pragma_update(None, "synchronous", "FULL").unwrap();
    db.pragma_update(None, "foreign_keys", true).unwrap();
    db
}

fn insert(db: &Connection, number: u64) {
    let id = DeviceId::from_bytes(u128::from(number).to_be_bytes());
    let random = u128::from(number).to_be_bytes();
    db.prepare_cached("INSERT INTO challenges VALUES ('acme', ?1, 100)")
        .unwrap()
        .execute([random])
        .unwrap();
    db.prepare_cached(
        "INSERT INTO devices (account, device, public_key, enrolled_at, view, facts, judged_under)
         VALUES ('acme', ?1, ?2, 1, ?3, '{}', 1)",
    )
    .unwrap()
    .execute(params![id.as_str(), [4_u8; 65], "v".repeat(120)])
    .unwrap();
    db.prepare_cached(
        "INSERT INTO audit VALUES (?1, 1, 'acme', ?2, 'device.enrolled', ?2, '{}', ?3)",
    )
    .unwrap()
    .execute(params![
        i64::try_from(number).unwrap(),
        id.as_str(),
        [0_u8; 32]
    ])
    .unwrap();
}

fn device(account: &AccountId, number: u128) -> NewDevice {
    let id = DeviceId::from_bytes(number.to_be_bytes());
    NewDevice {
        account: account.clone(),
        audit: AuditEntry {
            at: 1,
            account: Some(account.clone()),
            actor: Actor(id.to_string()),
            action: "device.enrolled",
            object: id.to_string(),
            details: serde_json::Value::Object(serde_json::Map::new()),
        },
        device: DeviceView {
            device_id: id,
            app: AppId::parse("books").unwrap(),
            development: false,
            revoked: false,
            enrolled_at: 1,
            judged: None,
        },
        challenge: number.to_be_bytes().to_vec(),
        challenge_expires_at: 100,
        public_key: vec![4; 65],
        facts: "{}".to_owned(),
        judged_under: 1,
        sighting: None,
    }
}

fn new_account(account: &AccountId) -> Change {
    let key = || TrustKey {
        public_key: Base64Url(vec![4; 65]),
        sealed: SealedBytes(Base64Url(vec![1])),
    };
    let only = |kind| ObjectKey::only(account, kind);
    let policy = VersionedPolicy {
        version: 1,
        policy: Policy::default(),
        author: "bench".to_owned(),
        updated_at: 1,
    };
    let profile = AccountProfile {
        name: "Acme".to_owned(),
        created_at: 1,
    };
    let trust = PublishedTrust {
        version: 1,
        refresh_at: 1,
        document: "{}".to_owned(),
    };
    let keys = TrustKeys {
        root: key(),
        bundle: key(),
    };
    let any = Expectation::Any;
    let writes = vec![
        Write::put(only(ObjectKind::Account), any, &profile).unwrap(),
        Write::put(only(ObjectKind::Policy), any, &policy).unwrap(),
        Write::put(
            only(ObjectKind::ManagedRoots),
            any,
            &ManagedRoots { enabled: true },
        )
        .unwrap(),
        Write::put(only(ObjectKind::TrustKeys), any, &keys).unwrap(),
        Write::put(only(ObjectKind::Trust), any, &trust).unwrap(),
    ];
    let audit = AuditEntry {
        at: 1,
        account: Some(account.clone()),
        actor: Actor("bench".to_owned()),
        action: "account.added",
        object: account.to_string(),
        details: serde_json::Value::Null,
    };
    Change::new(writes, audit)
}
