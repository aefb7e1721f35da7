//! Role sessions, replies kept for repeated requests, and what is forgotten when its time is over.

use bonafide_wire::admin::Role;
use bonafide_wire::ids::{AccountId, CredentialId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::group::Group;
use super::{account_column, audit};
use crate::store::{AuditEntry, RecordedReply, ReplyKey, Session, StoreError};

/// Opens a session and writes its audit row.
pub(super) fn open(
    tx: &Group<'_>,
    session: &Session,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO sessions (bearer_sha256, credential, name, role, account, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        session.bearer_sha256,
        session.credential.as_str(),
        session.name,
        session.role.as_str(),
        account_column(session.account.as_ref()),
        session.expires_at
    ])?;
    audit::append(tx, core::slice::from_ref(entry))
}

/// The session of a bearer value, expired or not.
pub(super) fn session(db: &Connection, bearer: &[u8; 32]) -> Result<Option<Session>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT bearer_sha256, credential, name, role, account, expires_at FROM sessions WHERE bearer_sha256 = ?1",
    )?;
    let mut rows = select.query([bearer])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<Session, StoreError> {
    let damaged = |what: &str| StoreError::Damaged(format!("session: {what}"));
    let role: String = row.get(3)?;
    let role = Role::ALL.into_iter().find(|known| known.as_str() == role);
    let account: String = row.get(4)?;
    let account = match account.as_str() {
        "" => None,
        id => Some(AccountId::parse(id).map_err(|e| damaged(&e.to_string()))?),
    };
    let credential: String = row.get(1)?;
    Ok(Session {
        bearer_sha256: row.get(0)?,
        credential: CredentialId::parse(credential).map_err(|e| damaged(&e.to_string()))?,
        name: row.get(2)?,
        role: role.ok_or_else(|| damaged("role"))?,
        account,
        expires_at: row.get(5)?,
    })
}

/// Ends a session and writes its audit row.
pub(super) fn close(
    tx: &Group<'_>,
    bearer: &[u8; 32],
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    let closed = tx
        .prepare_cached("DELETE FROM sessions WHERE bearer_sha256 = ?1")?
        .execute([bearer])?;
    if closed == 0 {
        return Err(StoreError::Conflict("there is no such session".to_owned()));
    }
    audit::append(tx, core::slice::from_ref(entry))
}

/// Keeps the reply of a change, so that the same request again changes nothing and hears the same.
pub(super) fn record_reply(
    tx: &Connection,
    reply: &RecordedReply,
    now: i64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "DELETE FROM replies WHERE credential = ?1 AND key = ?2 AND expires_at <= ?3",
    )?
    .execute(params![reply.key.credential.as_str(), reply.key.key, now])?;
    tx.prepare_cached(
        "INSERT INTO replies (credential, key, request_sha256, status, body, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        reply.key.credential.as_str(),
        reply.key.key,
        reply.request_sha256,
        reply.status,
        reply.body,
        reply.expires_at
    ])?;
    Ok(())
}

/// The reply kept under that key, expired or not.
pub(super) fn recorded_reply(
    db: &Connection,
    key: &ReplyKey,
) -> Result<Option<RecordedReply>, StoreError> {
    let reply = db
        .prepare_cached(
            "SELECT request_sha256, status, body, expires_at FROM replies WHERE credential = ?1 AND key = ?2",
        )?
        .query_row(params![key.credential.as_str(), key.key], |row| {
            Ok(RecordedReply {
                key: key.clone(),
                request_sha256: row.get(0)?,
                status: row.get(1)?,
                body: row.get(2)?,
                expires_at: row.get(3)?,
            })
        })
        .optional()?;
    Ok(reply)
}

/// Forgets what has expired. The audit log is never pruned.
pub(super) fn prune(tx: &Connection, now: i64, verdicts_before: i64) -> Result<(), StoreError> {
    for expired in [
        "DELETE FROM challenges WHERE expires_at < ?1",
        "DELETE FROM consumed_tokens WHERE expires_at < ?1",
        "DELETE FROM sessions WHERE expires_at < ?1",
        "DELETE FROM replies WHERE expires_at < ?1",
        "DELETE FROM relays WHERE expires_at < ?1",
    ] {
        tx.prepare_cached(expired)?.execute([now])?;
    }
    tx.prepare_cached("DELETE FROM verdicts WHERE at < ?1")?
        .execute([verdicts_before])?;
    Ok(())
}
