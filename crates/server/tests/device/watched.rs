//! A store that writes down which verbs are called; the work is SQLite's.

use std::sync::Mutex;

use bonafide_evidence::android::AttestationKeySightings;
use bonafide_server::config::Configuration;
use bonafide_server::store::sqlite::SqliteStore;
use bonafide_server::store::{
    AuditEntry, AuditHead, Change, Consumption, Enrolled, Enrolment, InstanceClient, NewDevice,
    NewRelay, RecordedReply, Rejudged, RelayTurn, ReplyKey, Rows, Session, Store, StoreFuture,
    VerdictRecord, Window,
};
use bonafide_wire::admin::{
    AuditEventView, AuditVerification, DeviceView, RefusedDevice, VerdictView,
};
use bonafide_wire::ids::{AccountId, DeviceId, SupportId, UpstreamName};

/// A real store under observation.
#[derive(Debug)]
pub(crate) struct Watched {
    store: SqliteStore,
    called: Mutex<Vec<&'static str>>,
}

impl Watched {
    pub(crate) fn new(store: SqliteStore) -> Self {
        Self {
            store,
            called: Mutex::default(),
        }
    }

    /// The verbs called since this was asked last.
    pub(crate) fn called(&self) -> Vec<&'static str> {
        core::mem::take(&mut self.called.lock().unwrap())
    }
}

macro_rules! watched {
    ($($verb:ident($($name:ident: $kind:ty),*) -> $answer:ty;)*) => {
        impl Store for Watched {
            fn waiting(&self) -> usize {
                self.store.waiting()
            }

            $(fn $verb(&self, $($name: $kind),*) -> StoreFuture<'_, $answer> {
                self.called.lock().unwrap().push(stringify!($verb));
                self.store.$verb($($name),*)
            })*
        }
    };
}

watched! {
    load() -> Configuration;
    version() -> u64;
    commit(change: Change) -> u64;
    recorded_reply(key: ReplyKey) -> Option<RecordedReply>;
    enrol(device: NewDevice) -> Enrolled;
    spend_challenge(account: &AccountId, challenge: Vec<u8>, expires_at: i64) -> Enrolled;
    consume_token(account: &AccountId, jti: &str, expires_at: i64) -> Consumption;
    begin_relay(relay: NewRelay) -> RelayTurn;
    finish_relay(account: &AccountId, challenge: Vec<u8>, answer: Vec<u8>, audit: AuditEntry) -> ();
    instance_client(account: &AccountId, upstream: &UpstreamName, device: &DeviceId) -> Option<InstanceClient>;
    put_instance_client(client: InstanceClient, audit: AuditEntry) -> ();
    remove_instance_client(account: &AccountId, upstream: &UpstreamName, device: &DeviceId, audit: AuditEntry) -> ();
    instance_clients_of_revoked(most: u32) -> Vec<InstanceClient>;
    append_audit(entries: Vec<AuditEntry>) -> ();
    record_verdicts(records: Vec<VerdictRecord>) -> ();
    verdict(account: &AccountId, support_id: &SupportId) -> Option<VerdictView>;
    verdicts(account: &AccountId, window: Window) -> Rows<VerdictView>;
    refused_since(account: &AccountId, since: i64, most: u32) -> Vec<RefusedDevice>;
    device(account: &AccountId, id: &DeviceId) -> Option<DeviceView>;
    devices(account: &AccountId, window: Window) -> Rows<DeviceView>;
    devices_with_finding(account: &AccountId, code: &str, window: Window) -> Rows<DeviceView>;
    outdated(account: &AccountId, circumstances: i64, most: u32) -> Vec<Enrolment>;
    rejudge(account: &AccountId, devices: Vec<Rejudged>, audit: Vec<AuditEntry>) -> ();
    sightings(account: &AccountId, key: &str) -> Option<AttestationKeySightings>;
    open_session(session: Session, audit: AuditEntry) -> ();
    session(bearer_sha256: [u8; 32]) -> Option<Session>;
    close_session(bearer_sha256: [u8; 32], audit: AuditEntry) -> ();
    audit(account: Option<&AccountId>, window: Window) -> Rows<AuditEventView>;
    audit_head() -> AuditHead;
    verify_audit() -> AuditVerification;
    prune(now: i64, verdicts_before: i64) -> ();
}
