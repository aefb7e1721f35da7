//! What is SQLite's own: the file, its schema, tampering with it, and running out of room.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;

use super::SqliteStore;
use crate::store::contract::{self, Opened, device, entry, store_contract, with_account};
use crate::store::sightings::MOST_TOLD;
use crate::store::{Enrolled, StoreError};

fn open() -> (tempfile::TempDir, Opened) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("bonafide.db")).unwrap();
    (directory, Arc::new(store))
}

fn file(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("bonafide.db")
}

mod the_contract {
    use super::{open, store_contract};
    store_contract!(open());
}

#[tokio::test]
async fn the_files_are_readable_by_their_owner_only() {
    let (directory, store) = open();
    with_account(&store, "acme").await;
    let mut seen = 0;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        seen += 1;
    }
    assert!(seen >= 2, "the database and its log");
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_opening_again() {
    let (directory, store) = open();
    let acme = with_account(&store, "acme").await;
    store.enrol(device(&acme, 1, 1)).await.unwrap();
    drop(store);
    let store: Opened = Arc::new(SqliteStore::open(&file(&directory)).unwrap());
    assert_eq!(
        store.enrol(device(&acme, 2, 1)).await,
        Ok(Enrolled::ChallengeUsed)
    );
    assert!(store.verify_audit().await.unwrap().intact);
    assert_eq!(store.version().await, Ok(1));
}

#[test]
fn a_newer_schema_is_refused() {
    let (directory, store) = open();
    drop(store);
    let db = Connection::open(file(&directory)).unwrap();
    db.pragma_update(None, "user_version", 999).unwrap();
    drop(db);
    let refused = SqliteStore::open(&file(&directory));
    assert!(matches!(refused, Err(StoreError::Damaged(why)) if why.contains("newer program")));
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let db = Connection::open(file(&directory)).unwrap();
    db.execute_batch("CREATE TABLE theirs (a)").unwrap();
    drop(db);
    assert!(matches!(
        SqliteStore::open(&file(&directory)),
        Err(StoreError::Damaged(_))
    ));
    std::fs::write(
        file(&directory),
        b"this is no database, but it is long enough",
    )
    .unwrap();
    assert!(SqliteStore::open(&file(&directory)).is_err());
}

#[test]
fn the_schema_is_this() {
    let (directory, store) = open();
    drop(store);
    let db = Connection::open(file(&directory)).unwrap();
    let mut select = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .unwrap();
    let tables = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let tables: Vec<String> = tables.map(Result::unwrap).collect();
    assert_eq!(
        tables.join(" "),
        "accounts attestation_keys audit audit_head challenges configuration consumed_tokens device_findings devices \
         instance_clients objects relays replies sessions sqlite_sequence verdicts"
    );
}

#[tokio::test]
async fn noteworthy_attestation_keys_of_one_account_hide_no_others() {
    let (directory, store) = open();
    let crowded = with_account(&store, "acme").await;
    let quiet = with_account(&store, "zeta").await;
    let sightings =
        r#"{"first_seen":1,"last_seen":2,"keys":4,"provisioning":[],"levels":[],"boot_keys":[]}"#;
    let db = Connection::open(file(&directory)).unwrap();
    let many = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?3)
        INSERT INTO attestation_keys SELECT ?1, printf('%064x', i), ?2, 'many-keys' FROM n";
    db.execute(many, (crowded.as_str(), sightings, MOST_TOLD))
        .unwrap();
    db.execute(many, (quiet.as_str(), sightings, 0)).unwrap();
    let accounts = store.load().await.unwrap().accounts;
    let told = |account| accounts[account].attestation_keys.len();
    assert_eq!(told(&crowded), usize::try_from(MOST_TOLD).unwrap());
    assert_eq!(told(&quiet), 1);
}

/// Every kind of tampering, on every row of a log of 40.
#[tokio::test]
async fn the_audit_chain_detects_every_row_deleted_altered_or_moved() {
    let (directory, store) = open();
    let acme = with_account(&store, "acme").await;
    for n in 1..40 {
        let account = (n % 3 > 0).then_some(&acme);
        store
            .append_audit(vec![entry(account, &format!("object-{n}"))])
            .await
            .unwrap();
    }
    let db = Connection::open(file(&directory)).unwrap();
    let tampering = [
        "DELETE FROM audit WHERE sequence = ?1",
        "UPDATE audit SET at = at + 1 WHERE sequence = ?1",
        "UPDATE audit SET actor = 'nobody' WHERE sequence = ?1",
        "UPDATE audit SET action = 'test.undone' WHERE sequence = ?1",
        "UPDATE audit SET object = object || '!' WHERE sequence = ?1",
        "UPDATE audit SET account = 'b' || account WHERE sequence = ?1",
        "UPDATE audit SET details = '{}' WHERE sequence = ?1",
        "UPDATE audit SET hash = zeroblob(32) WHERE sequence = ?1",
        "UPDATE audit SET sequence = sequence + 1000 WHERE sequence = ?1",
        "UPDATE audit SET object = (SELECT object FROM audit AS o WHERE o.sequence = audit.sequence % 40 + 1)
         WHERE sequence = ?1",
    ];
    for sequence in 1..=40_u64 {
        for statement in tampering {
            db.execute_batch("CREATE TABLE kept AS SELECT * FROM audit")
                .unwrap();
            let row = i64::try_from(sequence).unwrap();
            assert_eq!(db.execute(statement, [row]).unwrap(), 1);
            let verification = store.verify_audit().await.unwrap();
            assert!(!verification.intact, "{sequence}: {statement}");
            assert_eq!(verification.broken_at, Some(sequence), "{statement}");
            db.execute_batch(
                "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DROP TABLE kept",
            )
            .unwrap();
        }
    }
    assert!(store.verify_audit().await.unwrap().intact);
    db.execute("INSERT INTO audit SELECT 41, at, account, actor, action, object, details, hash FROM audit LIMIT 1", [])
        .unwrap();
    assert_eq!(store.verify_audit().await.unwrap().broken_at, Some(41));
}

/// `max_page_count` makes SQLite say `SQLITE_FULL` just as a full disk does.
#[tokio::test]
async fn a_full_disk_acknowledges_nothing_and_reads_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory);
    super::schema::create_file(&path).unwrap();
    let mut connection = super::schema::connect(&path).unwrap();
    super::schema::migrate(&mut connection).unwrap();
    let pages: i64 = connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    connection
        .pragma_update(None, "max_page_count", pages + 6)
        .unwrap();
    let store: Opened = Arc::new(SqliteStore {
        writer: super::writer::Writer::start(connection).unwrap(),
        readers: super::reader::Readers::new(&path),
    });
    let acme = with_account(&store, "acme").await;
    let mut written = 1;
    let refused = loop {
        match store
            .append_audit(vec![entry(Some(&acme), &"x".repeat(500))])
            .await
        {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 1000, "the disk never filled up");
    };
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    let verification = store.verify_audit().await.unwrap();
    assert_eq!((verification.intact, verification.events), (true, written));
    assert_eq!(store.version().await, Ok(1));
    let other = contract::new_account(&contract::account("other"));
    assert!(store.commit(other).await.is_err());
    assert!(store.load().await.is_ok());
}
