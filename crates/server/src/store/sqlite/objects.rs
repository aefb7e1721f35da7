//! Configuration objects: compare, write, count the version up, all in the transaction of their audit row.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::group::Group;
use super::{account_column, audit, counted, sessions, stored};
use crate::config::Configuration;
use crate::store::assemble::{Row, assemble};
use crate::store::sightings::MOST_TOLD;
use crate::store::{Change, Expectation, ObjectKind, StoreError, Write};

/// Reads every object, at one version.
pub(super) fn load(db: &Connection) -> Result<Configuration, StoreError> {
    let version = version(db)?;
    let mut select = db
        .prepare_cached("SELECT account, kind, id, body FROM objects ORDER BY account, kind, id")?;
    let mut found = select.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(Row {
            account: row.get(0)?,
            kind: row.get(1)?,
            id: row.get(2)?,
            body: row.get(3)?,
        });
    }
    drop(found);
    told_attestation_keys(db, &mut rows)?;
    Ok(assemble(version, rows))
}

/// Bounded for each account: a tenant with keys of its own making must not hide what others should be told.
fn told_attestation_keys(db: &Connection, rows: &mut Vec<Row>) -> Result<(), StoreError> {
    let mut select = db.prepare_cached(
        "SELECT account, key, sightings FROM (
             SELECT account, key, sightings, ROW_NUMBER() OVER (PARTITION BY account ORDER BY key) AS place
             FROM attestation_keys WHERE told <> ''
         ) AS told WHERE place <= ?1 ORDER BY account, key",
    )?;
    let mut found = select.query([MOST_TOLD])?;
    while let Some(row) = found.next()? {
        rows.push(Row {
            account: row.get(0)?,
            kind: ObjectKind::AttestationKey.as_str().to_owned(),
            id: row.get(1)?,
            body: row.get(2)?,
        });
    }
    Ok(())
}

/// Counts the configuration's version up.
pub(super) fn next_version(tx: &Connection) -> Result<u64, StoreError> {
    let version = version(tx)?.saturating_add(1);
    tx.prepare_cached("UPDATE configuration SET version = ?1")?
        .execute([stored(version)?])?;
    Ok(version)
}

/// The configuration's version.
pub(super) fn version(db: &Connection) -> Result<u64, StoreError> {
    let version: i64 = db
        .prepare_cached("SELECT version FROM configuration")?
        .query_row([], |row| row.get(0))?;
    counted(version)
}

/// Writes objects, audit row and kept reply; gives the new version.
pub(super) fn commit(tx: &Group<'_>, change: &Change) -> Result<u64, StoreError> {
    let before = version(tx)?;
    for write in &change.writes {
        check(tx, write, before)?;
        apply(tx, write)?;
    }
    if let Some(reply) = &change.reply {
        sessions::record_reply(tx, reply, change.audit.at)?;
    }
    audit::append(tx, core::slice::from_ref(&change.audit))?;
    next_version(tx)
}

fn check(tx: &Connection, write: &Write, version: u64) -> Result<(), StoreError> {
    let wanted = match write.expect {
        Expectation::Any => return Ok(()),
        Expectation::Version(expected) if expected == version => return Ok(()),
        Expectation::Version(_) => {
            return Err(StoreError::Conflict(
                "the configuration has changed meanwhile".to_owned(),
            ));
        }
        Expectation::Absent => false,
        Expectation::Present => true,
    };
    let key = &write.key;
    let there = tx
        .prepare_cached("SELECT 1 FROM objects WHERE account = ?1 AND kind = ?2 AND id = ?3")?
        .query_row(
            params![
                account_column(key.account.as_ref()),
                key.kind.as_str(),
                key.id
            ],
            |_| Ok(()),
        )
        .optional()?
        .is_some();
    if there == wanted {
        return Ok(());
    }
    let state = if there {
        "exists already"
    } else {
        "does not exist"
    };
    Err(StoreError::Conflict(format!(
        "{} {} {state}",
        key.kind.as_str(),
        key.id
    )))
}

fn apply(tx: &Connection, write: &Write) -> Result<(), StoreError> {
    let key = &write.key;
    let account = account_column(key.account.as_ref());
    let Some(body) = &write.body else {
        tx.prepare_cached("DELETE FROM objects WHERE account = ?1 AND kind = ?2 AND id = ?3")?
            .execute(params![account, key.kind.as_str(), key.id])?;
        return Ok(());
    };
    if key.kind == ObjectKind::Account {
        tx.prepare_cached("INSERT INTO accounts (id) VALUES (?1) ON CONFLICT DO NOTHING")?
            .execute([account])?;
    }
    tx.prepare_cached(
        "INSERT INTO objects (account, kind, id, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (account, kind, id) DO UPDATE SET body = excluded.body",
    )?
    .execute(params![account, key.kind.as_str(), key.id, body])?;
    Ok(())
}
