//! The store: one trait of coarse verbs, each atomic and durable when it returns (promises P1, P2, P7, P8).
//!
//! Atomicity is a security property, so it is part of the contract: a state change and its audit row are
//! one transaction (law 7), a challenge enrols one key, a token is consumed once. One contract suite runs
//! on every backend. Configuration is small and read whole; devices, verdicts and audit are rows.

pub mod assemble;
pub mod audit_chain;
#[cfg(test)]
mod contract;
pub mod sightings;
pub mod sqlite;

use core::future::Future;
use core::pin::Pin;

use bonafide_evidence::android::AttestationKeySightings;
use bonafide_wire::admin::{
    AuditEventView, AuditVerification, DeviceView, RefusedDevice, Role, VerdictView,
};
use bonafide_wire::ids::{AccountId, CredentialId, DeviceId, SupportId, UpstreamName};

use serde::Serialize;

use crate::config::{Configuration, SealedBytes};
use sightings::Sighting;

/// A verb's result to come.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why a verb did nothing. Nothing was changed in any of these cases.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, or could not make it durable.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A precondition did not hold: the object exists, is gone, or has another version.
    #[error("{0}")]
    Conflict(String),
    /// Stored bytes cannot be read: damage or a newer version's format.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(pub String);

/// One row for the audit log; the store adds sequence and hash.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// Seconds since 1970.
    pub at: i64,
    /// Whose log; absent for the service itself.
    pub account: Option<AccountId>,
    /// Who did it.
    pub actor: Actor,
    /// Like `registration.added`.
    pub action: &'static str,
    /// What it was done to.
    pub object: String,
    /// Names and digests, never values.
    pub details: serde_json::Value,
}

/// An object of the configuration, by kind and key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Absent for service-wide objects (credentials).
    pub account: Option<AccountId>,
    /// Which kind.
    pub kind: ObjectKind,
    /// The key within kind and account.
    pub id: String,
}

/// The kinds of configuration objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    /// [`crate::config::AccountProfile`]; also makes the tenant's place for devices, verdicts and sessions.
    Account,
    /// [`crate::config::App`]
    App,
    /// [`crate::config::Registration`]
    Registration,
    /// [`crate::config::VersionedPolicy`]
    Policy,
    /// [`crate::config::Api`]
    Api,
    /// [`crate::config::RuntimeSecret`]
    Secret,
    /// [`crate::config::RetiredSecret`]
    RetiredSecret,
    /// [`crate::config::DeviceOverride`]
    Override,
    /// [`crate::config::Revocation`]
    Revocation,
    /// [`crate::config::Anchor`]
    Anchor,
    /// [`crate::config::PlayKey`]
    PlayKey,
    /// A noteworthy attestation key ([`sightings`]); written by enrolments, not by changes.
    AttestationKey,
    /// [`crate::config::ManagedRoots`]
    ManagedRoots,
    /// [`crate::config::TrustRoot`]
    TrustRoot,
    /// [`crate::config::SigningKey`]
    SigningKey,
    /// [`crate::config::SigningKey`] that attests to authorization servers
    AttesterKey,
    /// [`crate::config::Upstream`]
    Upstream,
    /// [`crate::config::TrustKeys`]
    TrustKeys,
    /// [`crate::config::PublishedTrust`]
    Trust,
    /// [`crate::config::Credential`]
    Credential,
}

impl ObjectKind {
    /// All kinds.
    pub const ALL: [Self; 20] = [
        Self::Account,
        Self::App,
        Self::Registration,
        Self::Policy,
        Self::Api,
        Self::Secret,
        Self::RetiredSecret,
        Self::Override,
        Self::Revocation,
        Self::Anchor,
        Self::PlayKey,
        Self::AttestationKey,
        Self::ManagedRoots,
        Self::TrustRoot,
        Self::SigningKey,
        Self::AttesterKey,
        Self::Upstream,
        Self::TrustKeys,
        Self::Trust,
        Self::Credential,
    ];

    /// The stable text, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::App => "app",
            Self::Registration => "registration",
            Self::Policy => "policy",
            Self::Api => "api",
            Self::Secret => "secret",
            Self::RetiredSecret => "retired-secret",
            Self::Override => "override",
            Self::Revocation => "revocation",
            Self::Anchor => "anchor",
            Self::PlayKey => "play-key",
            Self::AttestationKey => "attestation-key",
            Self::ManagedRoots => "managed-roots",
            Self::TrustRoot => "trust-root",
            Self::SigningKey => "signing-key",
            Self::AttesterKey => "attester-key",
            Self::Upstream => "upstream",
            Self::TrustKeys => "trust-keys",
            Self::Trust => "trust",
            Self::Credential => "credential",
        }
    }
}

impl ObjectKey {
    /// One of several objects of an account.
    pub fn of(account: &AccountId, kind: ObjectKind, id: impl Into<String>) -> Self {
        Self {
            account: Some(account.clone()),
            kind,
            id: id.into(),
        }
    }

    /// The only object of its kind in an account (profile, policy, managed roots, trust keys, trust).
    pub fn only(account: &AccountId, kind: ObjectKind) -> Self {
        Self::of(account, kind, "")
    }

    /// An object of the service itself.
    pub fn service(kind: ObjectKind, id: impl Into<String>) -> Self {
        Self {
            account: None,
            kind,
            id: id.into(),
        }
    }
}

/// What must hold of an object before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// It must not exist.
    Absent,
    /// It must exist.
    Present,
    /// Either.
    Any,
    /// The whole configuration must still have this version (compare and set).
    Version(u64),
}

/// One write of one object.
#[derive(Debug, Clone)]
pub struct Write {
    /// Which object.
    pub key: ObjectKey,
    /// What must hold before.
    pub expect: Expectation,
    /// Its new body (JSON), or `None` to delete it.
    pub body: Option<String>,
}

impl Write {
    /// Puts a document.
    pub fn put<T: Serialize>(
        key: ObjectKey,
        expect: Expectation,
        document: &T,
    ) -> Result<Self, StoreError> {
        let body = serde_json::to_string(document)
            .map_err(|e| StoreError::Damaged(format!("{}: {e}", key.kind.as_str())))?;
        Ok(Self {
            key,
            expect,
            body: Some(body),
        })
    }

    /// Deletes an object.
    pub fn delete(key: ObjectKey, expect: Expectation) -> Self {
        Self {
            key,
            expect,
            body: None,
        }
    }
}

/// Several writes and their audit row: all or nothing.
#[derive(Debug, Clone)]
pub struct Change {
    /// In order.
    pub writes: Vec<Write>,
    /// What the log shall say.
    pub audit: AuditEntry,
    /// The reply to be kept where the request had an `Idempotency-Key`; a key in use is a conflict.
    pub reply: Option<RecordedReply>,
}

impl Change {
    /// A change without a kept reply.
    pub fn new(writes: Vec<Write>, audit: AuditEntry) -> Self {
        Self {
            writes,
            audit,
            reply: None,
        }
    }
}

/// Under which a reply is kept: keys of two credentials never meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyKey {
    /// Whose request it was.
    pub credential: CredentialId,
    /// The `Idempotency-Key`.
    pub key: String,
}

/// A reply kept so that the same request, sent again, changes nothing and hears the same.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordedReply {
    /// Where it is found.
    pub key: ReplyKey,
    /// SHA-256 over method, path and body of the request.
    pub request_sha256: [u8; 32],
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
    /// Kept until, seconds since 1970.
    pub expires_at: i64,
}

impl core::fmt::Debug for RecordedReply {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RecordedReply({} {})", self.key.key, self.status)
    }
}

/// A device to be enrolled.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// The tenant.
    pub account: AccountId,
    /// What can be read later.
    pub device: DeviceView,
    /// The spent challenge (its random part); using it twice is a conflict.
    pub challenge: Vec<u8>,
    /// When the challenge may be forgotten, seconds since 1970.
    pub challenge_expires_at: i64,
    /// Uncompressed point of the enrolled key.
    pub public_key: Vec<u8>,
    /// What the evidence said (JSON), so that it can be judged again.
    pub facts: String,
    /// Under which circumstances it was judged; 0: let it be judged again.
    pub judged_under: i64,
    /// Of kinds whose keys are attested by a key that others share.
    pub sighting: Option<Sighting>,
    /// The audit row.
    pub audit: AuditEntry,
}

/// What became of an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolled {
    /// The device is there now.
    Yes,
    /// The challenge was spent before; nothing was written.
    ChallengeUsed,
}

/// A relay request about to be forwarded.
#[derive(Debug, Clone)]
pub struct NewRelay {
    /// The tenant.
    pub account: AccountId,
    /// The challenge to be spent (its random part).
    pub challenge: Vec<u8>,
    /// SHA-256 over device and signed payload: the same request is known again by it.
    pub request_sha256: [u8; 32],
    /// When all of it may be forgotten, seconds since 1970.
    pub expires_at: i64,
    /// The audit row.
    pub audit: AuditEntry,
}

/// Whose turn a relay request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayTurn {
    /// Its own: forward it.
    First,
    /// The same request was forwarded before and has no answer yet.
    UnderWay,
    /// The same request was answered before; these are the bytes that were kept.
    Done(Vec<u8>),
    /// Another request spent the challenge.
    ChallengeUsed,
}

/// A client that was registered at an upstream for one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceClient {
    /// The tenant.
    pub account: AccountId,
    /// Where.
    pub upstream: UpstreamName,
    /// Whose.
    pub device: DeviceId,
    /// Its client id there.
    pub client_id: String,
    /// RFC 7638 thumbprint of the key it authenticates with.
    pub key_thumbprint: String,
    /// What deletes it again, sealed; absent where the server gave nothing.
    pub management: Option<SealedBytes>,
    /// Seconds since 1970.
    pub created_at: i64,
}

/// A device as it is judged again.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// The row's number.
    pub number: u64,
    /// What can be read of it.
    pub device: DeviceView,
    /// What the evidence said (JSON).
    pub facts: String,
}

/// A device that was judged again.
#[derive(Debug, Clone)]
pub struct Rejudged {
    /// The row's number. Where the device enrolled anew meanwhile, nothing is written.
    pub number: u64,
    /// With the new judgement.
    pub device: DeviceView,
    /// Under which circumstances.
    pub judged_under: i64,
}

/// Whether a token was consumed by this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumption {
    /// By this call.
    First,
    /// By an earlier one.
    Already,
}

/// An open role session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the bearer value.
    pub bearer_sha256: [u8; 32],
    /// By which credential.
    pub credential: CredentialId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where.
    pub account: Option<AccountId>,
    /// Seconds since 1970.
    pub expires_at: i64,
}

/// A verdict to be recorded.
#[derive(Debug, Clone)]
pub struct VerdictRecord {
    /// The tenant.
    pub account: AccountId,
    /// What can be read later.
    pub verdict: VerdictView,
}

/// The newest link of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// Number of the newest row; 0 where there is none.
    pub sequence: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// A window on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// After this position (opaque to callers; a row number inside).
    pub after: Option<u64>,
    /// At most this many, 1 to 500.
    pub limit: u32,
}

/// A window's rows and where the next begins.
#[derive(Debug, Clone)]
pub struct Rows<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Give it as [`Window::after`] for more.
    pub next: Option<u64>,
}

/// The verbs.
pub trait Store: Send + Sync + core::fmt::Debug {
    /// Reads the whole configuration. What cannot be used of it is named there, and the rest can be.
    fn load(&self) -> StoreFuture<'_, Configuration>;
    /// The configuration's version: cheap, for other nodes' changes and for readiness. Where nothing can be written
    /// any more, it fails too.
    fn version(&self) -> StoreFuture<'_, u64>;
    /// How many writes wait for their turn now, as a measure of load.
    fn waiting(&self) -> usize;
    /// Writes objects and their audit row; gives the new version.
    fn commit(&self, change: Change) -> StoreFuture<'_, u64>;
    /// The reply kept under that key, expired or not.
    fn recorded_reply(&self, key: ReplyKey) -> StoreFuture<'_, Option<RecordedReply>>;
    /// Spends the challenge, writes device and audit row.
    fn enrol(&self, device: NewDevice) -> StoreFuture<'_, Enrolled>;
    /// Spends a challenge without enrolling (an authenticated but refused instance).
    fn spend_challenge(
        &self,
        account: &AccountId,
        challenge: Vec<u8>,
        expires_at: i64,
    ) -> StoreFuture<'_, Enrolled>;
    /// Consumes a token's `jti` until `expires_at`.
    fn consume_token(
        &self,
        account: &AccountId,
        jti: &str,
        expires_at: i64,
    ) -> StoreFuture<'_, Consumption>;
    /// Spends a relay request's challenge and writes its audit row; the same request again is told apart.
    fn begin_relay(&self, relay: NewRelay) -> StoreFuture<'_, RelayTurn>;
    /// Keeps what became of a relay request, for the same request sent again.
    fn finish_relay(
        &self,
        account: &AccountId,
        challenge: Vec<u8>,
        answer: Vec<u8>,
        audit: AuditEntry,
    ) -> StoreFuture<'_, ()>;
    /// The client of one instance at one upstream.
    fn instance_client(
        &self,
        account: &AccountId,
        upstream: &UpstreamName,
        device: &DeviceId,
    ) -> StoreFuture<'_, Option<InstanceClient>>;
    /// Writes such a client down, replacing the one before.
    fn put_instance_client(&self, client: InstanceClient, audit: AuditEntry)
    -> StoreFuture<'_, ()>;
    /// Forgets one.
    fn remove_instance_client(
        &self,
        account: &AccountId,
        upstream: &UpstreamName,
        device: &DeviceId,
        audit: AuditEntry,
    ) -> StoreFuture<'_, ()>;
    /// At most so many clients of devices that are revoked.
    fn instance_clients_of_revoked(&self, most: u32) -> StoreFuture<'_, Vec<InstanceClient>>;
    /// Appends to the audit log (secret releases).
    fn append_audit(&self, entries: Vec<AuditEntry>) -> StoreFuture<'_, ()>;
    /// Records verdicts.
    fn record_verdicts(&self, records: Vec<VerdictRecord>) -> StoreFuture<'_, ()>;
    /// One recorded verdict.
    fn verdict(
        &self,
        account: &AccountId,
        support_id: &SupportId,
    ) -> StoreFuture<'_, Option<VerdictView>>;
    /// Recorded verdicts, newest first.
    fn verdicts(&self, account: &AccountId, window: Window) -> StoreFuture<'_, Rows<VerdictView>>;
    /// The devices refused by policy since then, each with its newest verdict, the newest first; at most so many.
    fn refused_since(
        &self,
        account: &AccountId,
        since: i64,
        most: u32,
    ) -> StoreFuture<'_, Vec<RefusedDevice>>;
    /// One enrolled device.
    fn device(&self, account: &AccountId, id: &DeviceId) -> StoreFuture<'_, Option<DeviceView>>;
    /// Enrolled devices, newest first.
    fn devices(&self, account: &AccountId, window: Window) -> StoreFuture<'_, Rows<DeviceView>>;
    /// Enrolled devices whose last judgement has this finding, newest first.
    fn devices_with_finding(
        &self,
        account: &AccountId,
        code: &str,
        window: Window,
    ) -> StoreFuture<'_, Rows<DeviceView>>;
    /// Devices with facts that were judged under other circumstances than these, at most so many.
    fn outdated(
        &self,
        account: &AccountId,
        circumstances: i64,
        most: u32,
    ) -> StoreFuture<'_, Vec<Enrolment>>;
    /// Writes new judgements and their audit rows.
    fn rejudge(
        &self,
        account: &AccountId,
        devices: Vec<Rejudged>,
        audit: Vec<AuditEntry>,
    ) -> StoreFuture<'_, ()>;
    /// What was seen under an attestation key.
    fn sightings(
        &self,
        account: &AccountId,
        key: &str,
    ) -> StoreFuture<'_, Option<AttestationKeySightings>>;
    /// Opens a session and writes its audit row.
    fn open_session(&self, session: Session, audit: AuditEntry) -> StoreFuture<'_, ()>;
    /// The session of a bearer value, expired or not.
    fn session(&self, bearer_sha256: [u8; 32]) -> StoreFuture<'_, Option<Session>>;
    /// Ends a session.
    fn close_session(&self, bearer_sha256: [u8; 32], audit: AuditEntry) -> StoreFuture<'_, ()>;
    /// The audit log, oldest first; of one account or of all.
    fn audit(
        &self,
        account: Option<&AccountId>,
        window: Window,
    ) -> StoreFuture<'_, Rows<AuditEventView>>;
    /// The newest link of the audit log.
    fn audit_head(&self) -> StoreFuture<'_, AuditHead>;
    /// Recomputes the hash chain.
    fn verify_audit(&self) -> StoreFuture<'_, AuditVerification>;
    /// Forgets what has expired: challenges, consumed tokens, sessions, verdicts older than the given times.
    fn prune(&self, now: i64, verdicts_before: i64) -> StoreFuture<'_, ()>;
}
