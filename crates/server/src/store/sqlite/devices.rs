//! Enrolled devices, spent challenges, consumed tokens: what happens once, happens here once.

use bonafide_evidence::android::AttestationKeySightings;
use bonafide_wire::admin::DeviceView;
use bonafide_wire::ids::{AccountId, DeviceId};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::group::Group;
use super::{audit, counted, document, objects, stored, text, window_of};
use crate::store::sightings::{self, Sighting};
use crate::store::{
    AuditEntry, Consumption, Enrolled, Enrolment, NewDevice, Rejudged, Rows, StoreError, Window,
};

/// Spends the challenge, writes device and audit row. The same key enrolled again (a new challenge) replaces its row.
pub(super) fn enrol(tx: &Group<'_>, new: &NewDevice) -> Result<Enrolled, StoreError> {
    let spent = spend_challenge(tx, &new.account, &new.challenge, new.challenge_expires_at)?;
    if spent == Enrolled::ChallengeUsed {
        return Ok(spent);
    }
    if let Some(sighting) = &new.sighting {
        // The same key sent again is no other one.
        if number_of(tx, &new.account, &new.device.device_id)?.is_none() {
            sight(tx, &new.account, sighting)?;
        }
    }
    tx.prepare_cached(
        "INSERT INTO devices (account, device, public_key, enrolled_at, view, facts, judged_under)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (account, device)
         DO UPDATE SET public_key = excluded.public_key, enrolled_at = excluded.enrolled_at, view = excluded.view,
                       facts = excluded.facts, judged_under = excluded.judged_under",
    )?
    .execute(params![
        new.account.as_str(),
        new.device.device_id.as_str(),
        new.public_key,
        new.device.enrolled_at,
        text("device", &new.device)?,
        new.facts,
        new.judged_under
    ])?;
    let number = match number_of(tx, &new.account, &new.device.device_id)? {
        Some(number) => number,
        None => tx.last_insert_rowid(),
    };
    write_findings(tx, &new.account, number, &new.device)?;
    audit::append(tx, core::slice::from_ref(&new.audit))?;
    Ok(Enrolled::Yes)
}

fn number_of(
    tx: &Connection,
    account: &AccountId,
    device: &DeviceId,
) -> Result<Option<i64>, StoreError> {
    Ok(tx
        .prepare_cached("SELECT number FROM devices WHERE account = ?1 AND device = ?2")?
        .query_row([account.as_str(), device.as_str()], |row| row.get(0))
        .optional()?)
}

/// The codes of the judgement in the row.
fn write_findings(
    tx: &Connection,
    account: &AccountId,
    number: i64,
    device: &DeviceView,
) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM device_findings WHERE number = ?1")?
        .execute([number])?;
    let findings = device.judged.iter().flat_map(|judged| &judged.findings);
    let mut insert = tx.prepare_cached(
        "INSERT INTO device_findings (account, code, number) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?;
    for finding in findings {
        insert.execute(params![account.as_str(), finding.code, number])?;
    }
    Ok(())
}

/// Adds a sighting; where something becomes noteworthy by it, every node is to know.
fn sight(tx: &Connection, account: &AccountId, sighting: &Sighting) -> Result<(), StoreError> {
    let key = sighting.key();
    let kept: Option<(String, String)> = tx
        .prepare_cached(
            "SELECT sightings, told FROM attestation_keys WHERE account = ?1 AND key = ?2",
        )?
        .query_row([account.as_str(), &key], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let (previous, told_before) = match kept {
        Some((sightings, told)) => (Some(document("sightings", &sightings)?), told),
        None => (None, String::new()),
    };
    let after = sighting.after(previous);
    let told = sightings::told(&after);
    tx.prepare_cached(
        "INSERT INTO attestation_keys (account, key, sightings, told) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (account, key) DO UPDATE SET sightings = excluded.sightings, told = excluded.told",
    )?
    .execute(params![
        account.as_str(),
        key,
        text("sightings", &after)?,
        told
    ])?;
    if told != told_before {
        objects::next_version(tx)?;
    }
    Ok(())
}

/// What was seen under an attestation key.
pub(super) fn sightings_of(
    db: &Connection,
    account: &AccountId,
    key: &str,
) -> Result<Option<AttestationKeySightings>, StoreError> {
    let sightings: Option<String> = db
        .prepare_cached("SELECT sightings FROM attestation_keys WHERE account = ?1 AND key = ?2")?
        .query_row([account.as_str(), key], |row| row.get(0))
        .optional()?;
    sightings
        .map(|sightings| document("sightings", &sightings))
        .transpose()
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

/// Devices whose last judgement has this finding, newest first.
pub(super) fn with_finding(
    db: &Connection,
    account: &AccountId,
    code: &str,
    window: &Window,
) -> Result<Rows<DeviceView>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT d.number, d.view FROM device_findings f JOIN devices d ON d.number = f.number
         WHERE f.account = ?1 AND f.code = ?2 AND f.number < ?3 ORDER BY f.number DESC LIMIT ?4",
    )?;
    let before = window.after.map_or(Ok(i64::MAX), stored)?;
    let limit = i64::from(window.limit).saturating_add(1);
    let mut rows = select.query(params![account.as_str(), code, before, limit])?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next()? {
        devices.push((row.get(0)?, document("device", &row.get::<_, String>(1)?)?));
    }
    window_of(devices, window)
}

/// Devices with facts that were judged under other circumstances.
pub(super) fn outdated(
    db: &Connection,
    account: &AccountId,
    circumstances: i64,
    most: u32,
) -> Result<Vec<Enrolment>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT number, view, facts FROM devices
         WHERE account = ?1 AND judged_under <> ?2 AND facts <> '' LIMIT ?3",
    )?;
    let mut rows = select.query(params![account.as_str(), circumstances, most])?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next()? {
        devices.push(Enrolment {
            number: counted(row.get(0)?)?,
            device: document("device", &row.get::<_, String>(1)?)?,
            facts: row.get(2)?,
        });
    }
    Ok(devices)
}

/// Writes new judgements and their audit rows.
pub(super) fn rejudge(
    tx: &Group<'_>,
    account: &AccountId,
    devices: &[Rejudged],
    entries: &[AuditEntry],
) -> Result<(), StoreError> {
    for rejudged in devices {
        let number = stored(rejudged.number)?;
        let written = tx
            .prepare_cached(
                "UPDATE devices SET view = ?3, judged_under = ?4
                 WHERE number = ?1 AND account = ?2 AND enrolled_at = ?5",
            )?
            .execute(params![
                number,
                account.as_str(),
                text("device", &rejudged.device)?,
                rejudged.judged_under,
                rejudged.device.enrolled_at
            ])?;
        if written == 1 {
            write_findings(tx, account, number, &rejudged.device)?;
        }
    }
    if !entries.is_empty() {
        audit::append(tx, entries)?;
    }
    Ok(())
}
