//! Relay requests, each forwarded once, and the clients that were registered for instances.

use bonafide_wire::bytes::Base64Url;
use bonafide_wire::ids::{AccountId, DeviceId, UpstreamName};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::group::Group;
use super::{audit, devices};
use crate::config::SealedBytes;
use crate::store::{
    AuditEntry, Enrolled, InstanceClient, NewRelay, ObjectKind, RelayTurn, StoreError,
};

/// Spends the challenge and writes the audit row, or says what became of the same request.
pub(super) fn begin(tx: &Group<'_>, new: &NewRelay) -> Result<RelayTurn, StoreError> {
    let spent = devices::spend_challenge(tx, &new.account, &new.challenge, new.expires_at)?;
    if spent == Enrolled::ChallengeUsed {
        return earlier(tx, new);
    }
    tx.prepare_cached(
        "INSERT INTO relays (account, challenge, request_sha256, expires_at) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        new.account.as_str(),
        new.challenge,
        new.request_sha256,
        new.expires_at
    ])?;
    audit::append(tx, core::slice::from_ref(&new.audit))?;
    Ok(RelayTurn::First)
}

fn earlier(tx: &Connection, new: &NewRelay) -> Result<RelayTurn, StoreError> {
    let found: Option<([u8; 32], Option<Vec<u8>>)> = tx
        .prepare_cached(
            "SELECT request_sha256, answer FROM relays WHERE account = ?1 AND challenge = ?2",
        )?
        .query_row(params![new.account.as_str(), new.challenge], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(match found {
        Some((request, answer)) if request == new.request_sha256 => {
            answer.map_or(RelayTurn::UnderWay, RelayTurn::Done)
        }
        _ => RelayTurn::ChallengeUsed,
    })
}

/// Keeps what became of a request.
pub(super) fn finish(
    tx: &Group<'_>,
    account: &AccountId,
    (challenge, answer): (&[u8], &[u8]),
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE relays SET answer = ?3 WHERE account = ?1 AND challenge = ?2")?
        .execute(params![account.as_str(), challenge, answer])?;
    audit::append(tx, core::slice::from_ref(entry))
}

/// The client of one instance at one upstream.
pub(super) fn client(
    db: &Connection,
    account: &AccountId,
    upstream: &UpstreamName,
    device: &DeviceId,
) -> Result<Option<InstanceClient>, StoreError> {
    let found = db
        .prepare_cached(
            "SELECT account, upstream, device, client_id, key_thumbprint, management, created_at
             FROM instance_clients WHERE account = ?1 AND upstream = ?2 AND device = ?3",
        )?
        .query_row(
            params![account.as_str(), upstream.as_str(), device.as_str()],
            raw,
        )
        .optional()?;
    found.map(read).transpose()
}

/// Writes it down, with its audit row.
pub(super) fn put_client(
    tx: &Group<'_>,
    client: &InstanceClient,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    let management = client.management.as_ref().map(|sealed| sealed.0.as_slice());
    tx.prepare_cached(
        "INSERT OR REPLACE INTO instance_clients
         (account, upstream, device, client_id, key_thumbprint, management, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        client.account.as_str(),
        client.upstream.as_str(),
        client.device.as_str(),
        client.client_id,
        client.key_thumbprint,
        management,
        client.created_at
    ])?;
    audit::append(tx, core::slice::from_ref(entry))
}

/// Forgets it, with its audit row.
pub(super) fn remove_client(
    tx: &Group<'_>,
    account: &AccountId,
    (upstream, device): (&UpstreamName, &DeviceId),
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "DELETE FROM instance_clients WHERE account = ?1 AND upstream = ?2 AND device = ?3",
    )?
    .execute(params![
        account.as_str(),
        upstream.as_str(),
        device.as_str()
    ])?;
    audit::append(tx, core::slice::from_ref(entry))
}

/// Clients of devices that are revoked.
pub(super) fn clients_of_revoked(
    db: &Connection,
    most: u32,
) -> Result<Vec<InstanceClient>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT c.account, c.upstream, c.device, c.client_id, c.key_thumbprint, c.management, c.created_at
         FROM instance_clients c
         JOIN objects o ON o.account = c.account AND o.kind = ?1 AND o.id = c.device
         ORDER BY c.account, c.upstream, c.device LIMIT ?2",
    )?;
    let mut rows = select.query(params![ObjectKind::Revocation.as_str(), most])?;
    let mut clients = Vec::new();
    while let Some(row) = rows.next()? {
        clients.push(read(raw(row)?)?);
    }
    Ok(clients)
}

type Raw = ([String; 5], Option<Vec<u8>>, i64);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let texts = [
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
    ];
    Ok((texts, row.get(5)?, row.get(6)?))
}

fn read((texts, management, created_at): Raw) -> Result<InstanceClient, StoreError> {
    let damaged = |error: bonafide_wire::ids::MalformedId| StoreError::Damaged(error.to_string());
    let [account, upstream, device, client_id, key_thumbprint] = texts;
    Ok(InstanceClient {
        account: AccountId::parse(account).map_err(damaged)?,
        upstream: UpstreamName::parse(upstream).map_err(damaged)?,
        device: DeviceId::parse(device).map_err(damaged)?,
        client_id,
        key_thumbprint,
        management: management.map(|sealed| SealedBytes(Base64Url(sealed))),
        created_at,
    })
}
