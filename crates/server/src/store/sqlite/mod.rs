//! The embedded store: one SQLite file, WAL, full sync, one writer that groups commits, readers of their own.
//!
//! Decides how verbs become transactions; knows SQL and nothing of HTTP, policy or keys. A verb is
//! acknowledged only after the commit that contains it is on disk; where that fails, nothing is.

mod audit;
mod devices;
mod group;
mod objects;
mod reader;
mod relays;
mod schema;
mod sessions;
mod verdicts;
mod writer;

use core::fmt;
use std::path::Path;

use bonafide_evidence::android::AttestationKeySightings;
use bonafide_wire::admin::{
    AuditEventView, AuditVerification, DeviceView, RefusedDevice, VerdictView,
};
use bonafide_wire::ids::{AccountId, DeviceId, SupportId, UpstreamName};
use rusqlite::ErrorCode;

use super::{
    AuditEntry, AuditHead, Change, Consumption, Enrolled, Enrolment, InstanceClient, NewDevice,
    NewRelay, RecordedReply, Rejudged, RelayTurn, ReplyKey, Rows, Session, Store, StoreError,
    StoreFuture, VerdictRecord, Window,
};
use crate::config::Configuration;

/// The embedded store.
pub struct SqliteStore {
    writer: writer::Writer,
    readers: reader::Readers,
}

impl SqliteStore {
    /// Opens the database file, or makes it (mode 0600), and brings its schema up to date. A schema newer than
    /// this program is refused.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        schema::create_file(path)?;
        let mut connection = schema::connect(path)?;
        schema::migrate(&mut connection)?;
        Ok(Self {
            writer: writer::Writer::start(connection)?,
            readers: reader::Readers::new(path),
        })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteStore")
    }
}

impl Store for SqliteStore {
    fn load(&self) -> StoreFuture<'_, Configuration> {
        self.readers.read(objects::load)
    }

    fn version(&self) -> StoreFuture<'_, u64> {
        if self.writer.is_alive() {
            self.readers.read(objects::version)
        } else {
            Box::pin(async { Err(writer::stopped()) })
        }
    }

    fn waiting(&self) -> usize {
        self.writer.waiting()
    }

    fn commit(&self, change: Change) -> StoreFuture<'_, u64> {
        self.writer.write(move |tx| objects::commit(tx, &change))
    }

    fn recorded_reply(&self, key: ReplyKey) -> StoreFuture<'_, Option<RecordedReply>> {
        self.readers
            .read(move |db| sessions::recorded_reply(db, &key))
    }

    fn enrol(&self, device: NewDevice) -> StoreFuture<'_, Enrolled> {
        self.writer.write(move |tx| devices::enrol(tx, &device))
    }

    fn spend_challenge(
        &self,
        account: &AccountId,
        challenge: Vec<u8>,
        expires_at: i64,
    ) -> StoreFuture<'_, Enrolled> {
        let account = account.clone();
        self.writer
            .write(move |tx| devices::spend_challenge(tx, &account, &challenge, expires_at))
    }

    fn consume_token(
        &self,
        account: &AccountId,
        jti: &str,
        expires_at: i64,
    ) -> StoreFuture<'_, Consumption> {
        let (account, jti) = (account.clone(), jti.to_owned());
        self.writer
            .write(move |tx| devices::consume_token(tx, &account, &jti, expires_at))
    }

    fn begin_relay(&self, relay: NewRelay) -> StoreFuture<'_, RelayTurn> {
        self.writer.write(move |tx| relays::begin(tx, &relay))
    }

    fn finish_relay(
        &self,
        account: &AccountId,
        challenge: Vec<u8>,
        answer: Vec<u8>,
        audit: AuditEntry,
    ) -> StoreFuture<'_, ()> {
        let account = account.clone();
        self.writer
            .write(move |tx| relays::finish(tx, &account, (&challenge, &answer), &audit))
    }

    fn instance_client(
        &self,
        account: &AccountId,
        upstream: &UpstreamName,
        device: &DeviceId,
    ) -> StoreFuture<'_, Option<InstanceClient>> {
        let (account, upstream, device) = (account.clone(), upstream.clone(), device.clone());
        self.readers
            .read(move |db| relays::client(db, &account, &upstream, &device))
    }

    fn put_instance_client(
        &self,
        client: InstanceClient,
        audit: AuditEntry,
    ) -> StoreFuture<'_, ()> {
        self.writer
            .write(move |tx| relays::put_client(tx, &client, &audit))
    }

    fn remove_instance_client(
        &self,
        account: &AccountId,
        upstream: &UpstreamName,
        device: &DeviceId,
        audit: AuditEntry,
    ) -> StoreFuture<'_, ()> {
        let (account, upstream, device) = (account.clone(), upstream.clone(), device.clone());
        self.writer
            .write(move |tx| relays::remove_client(tx, &account, (&upstream, &device), &audit))
    }

    fn instance_clients_of_revoked(&self, most: u32) -> StoreFuture<'_, Vec<InstanceClient>> {
        self.readers
            .read(move |db| relays::clients_of_revoked(db, most))
    }

    fn append_audit(&self, entries: Vec<AuditEntry>) -> StoreFuture<'_, ()> {
        self.writer.write(move |tx| audit::append(tx, &entries))
    }

    fn record_verdicts(&self, records: Vec<VerdictRecord>) -> StoreFuture<'_, ()> {
        self.writer.write(move |tx| verdicts::record(tx, &records))
    }

    fn verdict(
        &self,
        account: &AccountId,
        support_id: &SupportId,
    ) -> StoreFuture<'_, Option<VerdictView>> {
        let (account, support_id) = (account.clone(), support_id.clone());
        self.readers
            .read(move |db| verdicts::verdict(db, &account, &support_id))
    }

    fn verdicts(&self, account: &AccountId, window: Window) -> StoreFuture<'_, Rows<VerdictView>> {
        let account = account.clone();
        self.readers
            .read(move |db| verdicts::verdicts(db, &account, &window))
    }

    fn refused_since(
        &self,
        account: &AccountId,
        since: i64,
        most: u32,
    ) -> StoreFuture<'_, Vec<RefusedDevice>> {
        let account = account.clone();
        self.readers
            .read(move |db| verdicts::refused_since(db, &account, since, most))
    }

    fn device(&self, account: &AccountId, id: &DeviceId) -> StoreFuture<'_, Option<DeviceView>> {
        let (account, id) = (account.clone(), id.clone());
        self.readers
            .read(move |db| devices::device(db, &account, &id))
    }

    fn devices(&self, account: &AccountId, window: Window) -> StoreFuture<'_, Rows<DeviceView>> {
        let account = account.clone();
        self.readers
            .read(move |db| devices::devices(db, &account, &window))
    }

    fn devices_with_finding(
        &self,
        account: &AccountId,
        code: &str,
        window: Window,
    ) -> StoreFuture<'_, Rows<DeviceView>> {
        let (account, code) = (account.clone(), code.to_owned());
        self.readers
            .read(move |db| devices::with_finding(db, &account, &code, &window))
    }

    fn outdated(
        &self,
        account: &AccountId,
        circumstances: i64,
        most: u32,
    ) -> StoreFuture<'_, Vec<Enrolment>> {
        let account = account.clone();
        self.readers
            .read(move |db| devices::outdated(db, &account, circumstances, most))
    }

    fn rejudge(
        &self,
        account: &AccountId,
        devices: Vec<Rejudged>,
        audit: Vec<AuditEntry>,
    ) -> StoreFuture<'_, ()> {
        let account = account.clone();
        self.writer
            .write(move |tx| devices::rejudge(tx, &account, &devices, &audit))
    }

    fn sightings(
        &self,
        account: &AccountId,
        key: &str,
    ) -> StoreFuture<'_, Option<AttestationKeySightings>> {
        let (account, key) = (account.clone(), key.to_owned());
        self.readers
            .read(move |db| devices::sightings_of(db, &account, &key))
    }

    fn open_session(&self, session: Session, audit: AuditEntry) -> StoreFuture<'_, ()> {
        self.writer
            .write(move |tx| sessions::open(tx, &session, &audit))
    }

    fn session(&self, bearer_sha256: [u8; 32]) -> StoreFuture<'_, Option<Session>> {
        self.readers
            .read(move |db| sessions::session(db, &bearer_sha256))
    }

    fn close_session(&self, bearer_sha256: [u8; 32], audit: AuditEntry) -> StoreFuture<'_, ()> {
        self.writer
            .write(move |tx| sessions::close(tx, &bearer_sha256, &audit))
    }

    fn audit(
        &self,
        account: Option<&AccountId>,
        window: Window,
    ) -> StoreFuture<'_, Rows<AuditEventView>> {
        let account = account.cloned();
        self.readers
            .read(move |db| audit::events(db, account.as_ref(), &window))
    }

    fn audit_head(&self) -> StoreFuture<'_, AuditHead> {
        self.readers.read(audit::head)
    }

    fn verify_audit(&self) -> StoreFuture<'_, AuditVerification> {
        self.readers.read(audit::verify)
    }

    fn prune(&self, now: i64, verdicts_before: i64) -> StoreFuture<'_, ()> {
        self.writer
            .write(move |tx| sessions::prune(tx, now, verdicts_before))
    }
}

/// What SQLite says, as the contract's three cases.
impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let said = error.to_string();
        match error {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::ConstraintViolation => Self::Conflict(said),
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged(said),
                _ => Self::Unavailable(said),
            },
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..) => Self::Damaged(said),
            _ => Self::Unavailable(said),
        }
    }
}

/// A count as SQLite keeps it.
fn stored(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Conflict("a number is out of range".to_owned()))
}

/// A count as SQLite kept it.
fn counted(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Damaged("a count is negative".to_owned()))
}

/// A stored JSON document.
fn document<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Damaged(format!("{what}: {e}")))
}

/// A document to be stored.
fn text<T: serde::Serialize>(what: &str, document: &T) -> Result<String, StoreError> {
    serde_json::to_string(document).map_err(|e| StoreError::Damaged(format!("{what}: {e}")))
}

/// The service itself is the account with the empty name.
fn account_column(account: Option<&AccountId>) -> &str {
    account.map_or("", AccountId::as_str)
}

/// Cuts a window out of `limit + 1` rows: the extra row only says that there is more.
fn window_of<T>(mut rows: Vec<(i64, T)>, window: &Window) -> Result<Rows<T>, StoreError> {
    let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = match rows.last() {
        Some((number, _)) if more => Some(counted(*number)?),
        _ => None,
    };
    Ok(Rows {
        items: rows.into_iter().map(|(_, item)| item).collect(),
        next,
    })
}

#[cfg(test)]
mod tests;
