//! Enrolled devices, spent challenges, consumed tokens: what happens once, happens here once.

use bonafide_wire::admin::DeviceView;
use bonafide_wire::ids::{AccountId, DeviceId};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::group::Group;
use super::{audit, document, stored, text, window_of};
use crate::store::{Consumption, Enrolled, NewDevice, Rows, StoreError, Window};

/// Spends the challenge, writes device and audit row. The same key enrolled again (a new challenge) replaces its row.
pub(super) fn enrol(tx: &Group<'_>, new: &NewDevice) -> Result<Enrolled, StoreError> {
    let spent = spend_challenge(tx, &new.account, &new.challenge, new.challenge_expires_at)?;
    if spent == Enrolled::ChallengeUsed {
        return Ok(spent);
    }
    tx.prepare_cached(
        "INSERT INTO devices (account, device, public_key, enrolled_at, view) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (account, device)
         DO UPDATE SET public_key = excluded.public_key, enrolled_at = excluded.enrolled_at, view = excluded.view",
    )?
    .execute(params![
        new.account.as_str(),
        new.device.device_id.as_str(),
        new.public_key,
        new.device.enrolled_at,
        text("device", &new.device)?
    ])?;
    audit::append(tx, core::slice::from_ref(&new.audit))?;
    Ok(Enrolled::Yes)
}

/// Spends a challenge; says whether it was still good.
pub(super) fn spend_challenge(
    tx: &Connection,
    account: &AccountId,
    challenge: &[u8],
    expires_at: i64,
) -> Result<Enrolled, StoreError> {
    let inserted = tx
        .prepare_cached(
            "INSERT INTO challenges (account, challenge, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![account.as_str(), challenge, expires_at])?;
    Ok(if inserted == 1 {
        Enrolled::Yes
    } else {
        Enrolled::ChallengeUsed
    })
}

/// Consumes a token; says whether this call was the first.
pub(super) fn consume_token(
    tx: &Connection,
    account: &AccountId,
    jti: &str,
    expires_at: i64,
) -> Result<Consumption, StoreError> {
    let inserted = tx
        .prepare_cached(
            "INSERT INTO consumed_tokens (account, jti, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![account.as_str(), jti, expires_at])?;
    Ok(if inserted == 1 {
        Consumption::First
    } else {
        Consumption::Already
    })
}

/// One device.
pub(super) fn device(
    db: &Connection,
    account: &AccountId,
    id: &DeviceId,
) -> Result<Option<DeviceView>, StoreError> {
    let view: Option<String> = db
        .prepare_cached("SELECT view FROM devices WHERE account = ?1 AND device = ?2")?
        .query_row([account.as_str(), id.as_str()], |row| row.get(0))
        .optional()?;
    view.map(|view| document("device", &view)).transpose()
}

/// Devices, newest first.
pub(super) fn devices(
    db: &Connection,
    account: &AccountId,
    window: &Window,
) -> Result<Rows<DeviceView>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT number, view FROM devices WHERE account = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
    )?;
    let before = window.after.map_or(Ok(i64::MAX), stored)?;
    let limit = i64::from(window.limit).saturating_add(1);
    let mut rows = select.query(params![account.as_str(), before, limit])?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next()? {
        devices.push((row.get(0)?, document("device", &row.get::<_, String>(1)?)?));
    }
    window_of(devices, window)
}
