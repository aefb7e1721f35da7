//! What the platform gives to the SDK: hardware keys, storage, time and a way to the service.
//!
//! Object-safe on purpose: an app holds them behind `Arc<dyn …>`, and Kotlin or Swift can implement them.
//! This module decides nothing.

use core::future::Future;
use core::pin::Pin;
use core::time::Duration;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use bonafide_wire::device::{
    Measurements, PlatformEvidence, app_attest_client_data_hash, play_request_hash,
};
use bonafide_wire::ids::{AccountId, UpstreamName};
use bonafide_wire::proof::Proof;
use zeroize::Zeroizing;

/// What an App Attest host asserts where it is asked to sign a message.
pub fn assertion_hash(message: &[u8]) -> [u8; 32] {
    bonafide_wire::proof::sha256(message)
}

/// A future that can be stored and sent to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Carries requests to the Bonafide service, and nothing else.
///
/// No redirects. The channel should be TLS, but no secret depends on it (W-2, W-10).
pub trait ServiceTransport: Send + Sync {
    /// Sends one request.
    fn send(
        &self,
        request: ServiceRequest,
    ) -> BoxFuture<'_, Result<ServiceResponse, TransportError>>;
}

/// What the platform's word must be about: one account's challenge, in the form that each kind of evidence takes.
#[derive(Debug, Clone, Copy)]
pub struct EnrolmentChallenge<'a> {
    /// Whose challenge.
    pub account: &'a AccountId,
    /// The challenge itself: what Android Key Attestation puts into the key's certificate.
    pub bytes: &'a [u8],
}

impl EnrolmentChallenge<'_> {
    /// What App Attest's `attestKey` takes.
    pub fn client_data_hash(&self) -> [u8; 32] {
        app_attest_client_data_hash(self.bytes)
    }

    /// What a Play Integrity request takes, as `requestHash` (standard) or `nonce` (classic), for the key with this
    /// uncompressed P-256 point.
    pub fn play_request_hash(&self, point: &[u8]) -> String {
        play_request_hash(self.account, self.bytes, point)
    }
}

/// The instance's hardware key, and what the platform says about it.
///
/// | platform | `attest` | `sign` |
/// |---|---|---|
/// | Android | generates a key attested over the challenge's bytes | ECDSA with that key |
/// | iOS | `generateKey`, `attestKey` over [`EnrolmentChallenge::client_data_hash`] | `generateAssertion` over [`assertion_hash`] |
/// | Android without key attestation | generates a key, or keeps the one that Google Play vouched for before; asks for a token over [`EnrolmentChallenge::play_request_hash`] | ECDSA with that key |
///
/// The present key's name belongs where a reinstall erases it and a backup does not keep it. Where it was kept
/// nevertheless, the key is gone while its name is there: answer [`AttesterError::KeyMissing`], and the instance
/// enrols again, once.
pub trait Attester: Send + Sync {
    /// Makes a **new** hardware key, which from now on is the present key, and lets the platform vouch for it over
    /// this challenge.
    fn attest<'a>(
        &'a self,
        challenge: EnrolmentChallenge<'a>,
    ) -> BoxFuture<'a, Result<PlatformEvidence, AttesterError>>;

    /// Signs with the present key.
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Proof, AttesterError>>;

    /// What can be seen of this process now.
    fn measure(&self) -> BoxFuture<'_, Measurements>;

    /// Deletes the present key.
    fn forget(&self) -> BoxFuture<'_, Result<(), AttesterError>>;
}

/// Further hardware keys of this instance, one for each purpose, and the key that seals what must survive the process.
///
/// Needed by apps that log in at authorization servers: what proves the instance there is never the enrolled key, and
/// no two servers see the same one.
pub trait KeyRing: Send + Sync {
    /// The public key for a purpose, an uncompressed P-256 point of 65 bytes; it is made where there is none.
    fn public_key<'a>(
        &'a self,
        purpose: &'a KeyPurpose,
    ) -> BoxFuture<'a, Result<Vec<u8>, AttesterError>>;

    /// Signs with the key for a purpose: ECDSA P-256 with SHA-256, ASN.1 DER.
    fn sign<'a>(
        &'a self,
        purpose: &'a KeyPurpose,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, AttesterError>>;

    /// Deletes the key for a purpose; that there is none is no error.
    fn forget<'a>(&'a self, purpose: &'a KeyPurpose) -> BoxFuture<'a, Result<(), AttesterError>>;

    /// 256 bits from the platform's protected storage, always the same for this installation; made where there are none.
    fn sealing_key(&self) -> BoxFuture<'_, Result<Zeroizing<[u8; 32]>, AttesterError>>;
}

/// What a key of a [`KeyRing`] is for. Stable, printable, at most 64 bytes: a name for key stores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPurpose(String);

impl KeyPurpose {
    /// To be an instance of the app at one authorization server.
    pub fn instance_at(upstream: &UpstreamName) -> Self {
        Self(format!("instance-at-{upstream}"))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// No further keys: an app that never logs in anywhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoKeys;

impl KeyRing for NoKeys {
    fn public_key<'a>(
        &'a self,
        _: &'a KeyPurpose,
    ) -> BoxFuture<'a, Result<Vec<u8>, AttesterError>> {
        Box::pin(core::future::ready(Err(AttesterError::Unsupported)))
    }

    fn sign<'a>(
        &'a self,
        _: &'a KeyPurpose,
        _: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, AttesterError>> {
        Box::pin(core::future::ready(Err(AttesterError::Unsupported)))
    }

    fn forget<'a>(&'a self, _: &'a KeyPurpose) -> BoxFuture<'a, Result<(), AttesterError>> {
        Box::pin(core::future::ready(Ok(())))
    }

    fn sealing_key(&self) -> BoxFuture<'_, Result<Zeroizing<[u8; 32]>, AttesterError>> {
        Box::pin(core::future::ready(Err(AttesterError::Unsupported)))
    }
}

/// Keeps small records between runs. None is a secret as it is kept: the first two are worthless on another device, a
/// login is sealed.
pub trait Vault: Send + Sync {
    /// The record, `None` where there is none.
    fn load(&self, record: Record) -> BoxFuture<'_, Result<Option<Vec<u8>>, VaultError>>;

    /// Replaces the record as a whole, or erases it.
    fn store(
        &self,
        record: Record,
        bytes: Option<Vec<u8>>,
    ) -> BoxFuture<'_, Result<(), VaultError>>;
}

/// Time.
pub trait Clock: Send + Sync {
    /// Time that never goes back and goes on while the device sleeps (`CLOCK_BOOTTIME` where there is one).
    fn monotonic(&self) -> Duration;

    /// The device's wall clock, seconds since 1970. Believed only until the service has told the time (W-3).
    fn wall(&self) -> i64;
}

/// A request to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRequest {
    /// What to do.
    pub method: ServiceMethod,
    /// Absolute URL.
    pub url: String,
    /// Value of `If-None-Match`, verbatim.
    pub if_none_match: Option<String>,
    /// Stop reading the answer after so many bytes, and fail with [`TransportError::TooLarge`].
    pub most_bytes: usize,
}

/// The two methods that the protocol uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceMethod {
    /// `GET`
    Get,
    /// `POST` with an `application/json` body.
    Post(Vec<u8>),
}

/// The service's answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceResponse {
    /// HTTP status.
    pub status: u16,
    /// `ETag`, verbatim.
    pub etag: Option<String>,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u32>,
    /// The body.
    pub body: Vec<u8>,
}

/// No answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection.
    #[error("the service cannot be reached")]
    Unreachable,
    /// No answer in time.
    #[error("the service did not answer in time")]
    TimedOut,
    /// Somebody who is not the service answered.
    #[error("the channel to the service is not trusted")]
    Untrusted,
    /// The answer is larger than asked for.
    #[error("the service's answer is too large")]
    TooLarge,
}

/// The platform's key store did not do its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttesterError {
    /// There is no present key, or it cannot be used any more: enrol again.
    #[error("the hardware key is gone")]
    KeyMissing,
    /// This device cannot attest.
    #[error("this device has no key attestation")]
    Unsupported,
    /// The platform's own servers do not answer (Apple's `serverUnavailable`, Google Play's network errors): keep
    /// the key, wait, try again.
    #[error("the platform's attestation service is unavailable")]
    PlatformUnavailable,
    /// It failed; another try may do.
    #[error("the platform's key store failed")]
    Failed,
}

/// The vault did not do its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the vault failed")]
pub struct VaultError;

/// The records of a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Record {
    /// Ticket and device id.
    Enrolment,
    /// Signed trust metadata.
    Trust,
    /// A login at one authorization server, sealed.
    Login(LoginId),
}

/// Names the login at one authorization server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoginId(u128);

impl LoginId {
    /// The first half of the SHA-256 of what identifies it.
    pub fn of(identity: &str) -> Self {
        let digest = digest(&SHA256, identity.as_bytes());
        let half = digest.as_ref().first_chunk::<16>();
        Self(u128::from_be_bytes(*half.unwrap_or(&[0; 16])))
    }
}

impl Record {
    /// A name for files and keys.
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Self::Enrolment => "enrolment".into(),
            Self::Trust => "trust".into(),
            Self::Login(LoginId(id)) => format!("login-{id:032x}").into(),
        }
    }
}

/// A vault that forgets at the end of the process.
#[derive(Debug, Default)]
pub struct MemoryVault(Mutex<BTreeMap<Record, Vec<u8>>>);

impl Vault for MemoryVault {
    fn load(&self, record: Record) -> BoxFuture<'_, Result<Option<Vec<u8>>, VaultError>> {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = records.get(&record).cloned();
        Box::pin(core::future::ready(Ok(found)))
    }

    fn store(
        &self,
        record: Record,
        bytes: Option<Vec<u8>>,
    ) -> BoxFuture<'_, Result<(), VaultError>> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match bytes {
            Some(bytes) => records.insert(record, bytes),
            None => records.remove(&record),
        };
        Box::pin(core::future::ready(Ok(())))
    }
}
