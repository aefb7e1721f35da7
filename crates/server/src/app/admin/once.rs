//! Requests that may come twice (`Idempotency-Key`): the second changes nothing and hears what the first heard.
//!
//! The reply is kept for 24 hours, sealed (it may hold a credential's secret), in the transaction of the change.
//! The same key with another request is refused.

use bonafide_wire::bytes::{self, Base64Url};
use serde::Serialize;

use crate::app::{AppError, Service};
use crate::config::SealedBytes;
use crate::store::{RecordedReply, ReplyKey};

/// How long replies are kept, seconds.
pub const KEPT_SECONDS: i64 = 24 * 60 * 60;
/// What a request that made something is answered with.
const CREATED: u16 = 201;

/// A request with an `Idempotency-Key`.
#[derive(Debug, Clone)]
pub struct Once {
    /// Whose, and which.
    pub key: ReplyKey,
    /// SHA-256 over method, path and body.
    pub request_sha256: [u8; 32],
}

impl Once {
    /// What the first of these requests heard (JSON), if there was one.
    pub async fn earlier(&self, service: &Service) -> Result<Option<Vec<u8>>, AppError> {
        let Some(kept) = service.store().recorded_reply(self.key.clone()).await? else {
            return Ok(None);
        };
        if kept.expires_at <= service.now() {
            return Ok(None);
        }
        if kept.request_sha256 != self.request_sha256 {
            let message = "this Idempotency-Key was used with another request; take a new one";
            return Err(AppError::invalid("", message));
        }
        let sealed = bytes::decode(&kept.body)
            .map_err(|_| AppError::Internal("a kept reply is damaged".to_owned()))?;
        let sealed = SealedBytes(Base64Url(sealed));
        let (credential, key) = (&self.key.credential, &self.key.key);
        Ok(Some(
            service
                .keys()
                .open_reply(credential, key, &sealed)?
                .to_vec(),
        ))
    }

    /// The reply to be kept with the change.
    pub(super) fn reply<T: Serialize>(
        &self,
        service: &Service,
        answer: &T,
    ) -> Result<RecordedReply, AppError> {
        let body = zeroize::Zeroizing::new(serde_json::to_vec(answer)?);
        let (credential, key) = (&self.key.credential, &self.key.key);
        let sealed = service.keys().seal_reply(credential, key, &body)?;
        Ok(RecordedReply {
            key: self.key.clone(),
            request_sha256: self.request_sha256,
            status: CREATED,
            body: sealed.0.to_string(),
            expires_at: service.now().saturating_add(KEPT_SECONDS),
        })
    }
}
