//! Recorded verdicts: what a support id leads to.

use bonafide_wire::admin::{RefusedDevice, VerdictView};
use bonafide_wire::ids::{AccountId, DeviceId, SupportId};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{document, stored, text, window_of};
use crate::store::{Rows, StoreError, VerdictRecord, Window};

/// Records verdicts.
pub(super) fn record(tx: &Connection, records: &[VerdictRecord]) -> Result<(), StoreError> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO verdicts (account, support_id, at, outcome, device, view) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for record in records {
        let verdict = &record.verdict;
        insert.execute(params![
            record.account.as_str(),
            verdict.support_id.as_str(),
            verdict.at,
            verdict.outcome,
            verdict.device_id.as_ref().map(DeviceId::as_str),
            text("verdict", verdict)?
        ])?;
    }
    Ok(())
}

/// The newest verdict under that support id.
pub(super) fn verdict(
    db: &Connection,
    account: &AccountId,
    support_id: &SupportId,
) -> Result<Option<VerdictView>, StoreError> {
    let view: Option<String> = db
        .prepare_cached(
            "SELECT view FROM verdicts WHERE account = ?1 AND support_id = ?2 ORDER BY number DESC LIMIT 1",
        )?
        .query_row([account.as_str(), support_id.as_str()], |row| row.get(0))
        .optional()?;
    view.map(|view| document("verdict", &view)).transpose()
}

/// Verdicts, newest first.
pub(super) fn verdicts(
    db: &Connection,
    account: &AccountId,
    window: &Window,
) -> Result<Rows<VerdictView>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT number, view FROM verdicts WHERE account = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
    )?;
    let before = window.after.map_or(Ok(i64::MAX), stored)?;
    let limit = i64::from(window.limit).saturating_add(1);
    let mut rows = select.query(params![account.as_str(), before, limit])?;
    let mut verdicts = Vec::new();
    while let Some(row) = rows.next()? {
        verdicts.push((row.get(0)?, document("verdict", &row.get::<_, String>(1)?)?));
    }
    window_of(verdicts, window)
}

/// Devices that policy refused since then, each with its newest verdict, the newest first.
pub(super) fn refused_since(
    db: &Connection,
    account: &AccountId,
    since: i64,
    most: u32,
) -> Result<Vec<RefusedDevice>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT view FROM verdicts WHERE number IN (
             SELECT max(number) FROM verdicts
             WHERE account = ?1 AND outcome = 'deny' AND device IS NOT NULL AND at >= ?2
             GROUP BY device)
         ORDER BY number DESC LIMIT ?3",
    )?;
    let mut rows = select.query(params![account.as_str(), since, most])?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next()? {
        let verdict: VerdictView = document("verdict", &row.get::<_, String>(0)?)?;
        if let Some(device_id) = verdict.device_id {
            devices.push(RefusedDevice {
                device_id,
                support_id: verdict.support_id,
                at: verdict.at,
                request: verdict.request,
                app: verdict.app,
                findings: verdict
                    .findings
                    .into_iter()
                    .filter(|finding| finding.severity == "enforced")
                    .map(|finding| finding.code)
                    .collect(),
            });
        }
    }
    Ok(devices)
}
