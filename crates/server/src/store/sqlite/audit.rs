//! The audit log's rows: appended in the transaction of what they tell, read in pages, verified as a chain.

use bonafide_wire::admin::{AuditEventView, AuditVerification};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::ids::AccountId;
use rusqlite::{Connection, Row, params};

use super::group::Group;
use super::{account_column, counted, document, stored, text, window_of};
use crate::store::audit_chain::{GENESIS, Link};
use crate::store::{AuditEntry, AuditHead, Rows, StoreError, Window};

/// Appends the entries. The head is moved once for each group, by [`store_head`].
pub(super) fn append(group: &Group<'_>, entries: &[AuditEntry]) -> Result<(), StoreError> {
    let AuditHead {
        mut sequence,
        mut hash,
    } = match group.head() {
        Some(head) => head,
        None => head(group)?,
    };
    let mut insert = group.prepare_cached(
        "INSERT INTO audit (sequence, at, account, actor, action, object, details, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for entry in entries {
        sequence = sequence.saturating_add(1);
        let details = text("audit details", &entry.details)?;
        let link = Link {
            sequence,
            at: entry.at,
            account: account_column(entry.account.as_ref()),
            actor: &entry.actor.0,
            action: entry.action,
            object: &entry.object,
            details: &details,
        };
        hash = link.hash(&hash);
        insert.execute(params![
            stored(sequence)?,
            link.at,
            link.account,
            link.actor,
            link.action,
            link.object,
            link.details,
            hash
        ])?;
    }
    group.moved(AuditHead { sequence, hash });
    Ok(())
}

/// Writes the head down where the group moved it: the last thing before its commit.
pub(super) fn store_head(group: &Group<'_>) -> Result<(), StoreError> {
    if let Some(AuditHead { sequence, hash }) = group.head() {
        group
            .prepare_cached("UPDATE audit_head SET sequence = ?1, hash = ?2")?
            .execute(params![stored(sequence)?, hash])?;
    }
    Ok(())
}

pub(super) fn head(db: &Connection) -> Result<AuditHead, StoreError> {
    let (sequence, hash): (i64, [u8; 32]) = db
        .prepare_cached("SELECT sequence, hash FROM audit_head")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(AuditHead {
        sequence: counted(sequence)?,
        hash,
    })
}

/// The log, oldest first; of one account, or all of it.
pub(super) fn events(
    db: &Connection,
    account: Option<&AccountId>,
    window: &Window,
) -> Result<Rows<AuditEventView>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT sequence, at, account, actor, action, object, details, hash FROM audit
         WHERE sequence > ?1 AND (?2 IS NULL OR account = ?2) ORDER BY sequence LIMIT ?3",
    )?;
    let after = stored(window.after.unwrap_or(0))?;
    let limit = i64::from(window.limit).saturating_add(1);
    let mut rows = select.query(params![after, account.map(AccountId::as_str), limit])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push((row.get(0)?, event(row)?));
    }
    window_of(events, window)
}

fn event(row: &Row<'_>) -> Result<AuditEventView, StoreError> {
    let account: String = row.get(2)?;
    let account = match account.as_str() {
        "" => None,
        id => Some(AccountId::parse(id).map_err(|e| StoreError::Damaged(e.to_string()))?),
    };
    let hash: Vec<u8> = row.get(7)?;
    Ok(AuditEventView {
        sequence: counted(row.get(0)?)?,
        at: row.get(1)?,
        account,
        actor: row.get(3)?,
        action: row.get(4)?,
        object: row.get(5)?,
        details: document("audit details", &row.get::<_, String>(6)?)?,
        hash: Base64Url(hash),
    })
}

/// Recomputes every link, and compares the last one with the head.
pub(super) fn verify(db: &Connection) -> Result<AuditVerification, StoreError> {
    let AuditHead {
        sequence: last,
        hash: head_hash,
    } = head(db)?;
    let mut select = db.prepare_cached(
        "SELECT sequence, at, account, actor, action, object, details, hash FROM audit ORDER BY sequence",
    )?;
    let mut rows = select.query([])?;
    let (mut checked, mut hash) = (0_u64, GENESIS);
    while let Some(row) = rows.next()? {
        let expected = checked.saturating_add(1);
        match relink(row, expected, &hash)? {
            Some(next) => hash = next,
            None => return Ok(verification(checked, head_hash, Some(expected))),
        }
        checked = expected;
    }
    let tail_holds = checked == last && hash == head_hash;
    let broken_at = (!tail_holds).then(|| checked.min(last).saturating_add(1));
    Ok(verification(checked, head_hash, broken_at))
}

/// The row's hash where it is the one expected and says what it hashed to.
fn relink(
    row: &Row<'_>,
    expected: u64,
    previous: &[u8; 32],
) -> Result<Option<[u8; 32]>, StoreError> {
    let sequence: i64 = row.get(0)?;
    let texts: [String; 5] = [
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
    ];
    let [account, actor, action, object, details] = &texts;
    let hash = Link {
        sequence: expected,
        at: row.get(1)?,
        account,
        actor,
        action,
        object,
        details,
    }
    .hash(previous);
    let kept: Vec<u8> = row.get(7)?;
    let holds = u64::try_from(sequence) == Ok(expected) && kept == hash;
    Ok(holds.then_some(hash))
}

fn verification(events: u64, head: [u8; 32], broken_at: Option<u64>) -> AuditVerification {
    AuditVerification {
        intact: broken_at.is_none(),
        events,
        head: Base64Url(head.to_vec()),
        broken_at,
    }
}
