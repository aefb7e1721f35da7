//! What a ticket holds (W-9): who enrolled, what the hardware said then, and what was decided last.
//!
//! The device keeps it and cannot read it; the service opens it instead of a database. It proves who asks
//! and grants nothing.

use aws_lc_rs::digest::{Context, SHA256};
use bonafide_evidence::android::KeyFacts;
use bonafide_evidence::apple::AppAttestFacts;
use bonafide_evidence::play::PlayFacts;
use bonafide_evidence::{Facts, Finding};
use bonafide_wire::ids::AccountId;
use serde::{Deserialize, Serialize};

use super::AppError;
use crate::keys::{KeyError, Keys};

/// How long an enrolment lasts, seconds.
pub const LIFE_SECONDS: i64 = 30 * 24 * 60 * 60;

/// Whether the device has its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Allowed at least once.
    #[serde(rename = "e")]
    Enrolled,
    /// Authentic, but refused so far.
    #[serde(rename = "r")]
    Refused,
}

/// The sealed contents. Member names are short because every request carries them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// What the hardware said; holds the key.
    #[serde(rename = "f", with = "StoredFacts")]
    pub facts: Facts,
    /// When the key was enrolled, seconds since 1970.
    #[serde(rename = "e")]
    pub enrolled_at: i64,
    /// When this ticket was made, seconds since 1970.
    #[serde(rename = "i")]
    pub issued_at: i64,
    /// Whether the device has its row.
    #[serde(rename = "s")]
    pub standing: Standing,
    /// The last recorded findings ([`findings_mark`]), so that only a change is recorded anew.
    #[serde(rename = "m")]
    pub mark: u32,
}

/// [`Facts`] with the tag outside: the tag inside, as the operator reads it, costs a second pass at every request.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Facts")]
enum StoredFacts {
    #[serde(rename = "ak")]
    AndroidKey(KeyFacts),
    #[serde(rename = "aa")]
    AppAttest(AppAttestFacts),
    #[serde(rename = "pi")]
    PlayIntegrity(PlayFacts),
}

impl Ticket {
    /// Seals it for an account.
    pub fn seal(&self, keys: &Keys, account: &AccountId) -> Result<Vec<u8>, AppError> {
        Ok(keys.seal_ticket(account, &serde_json::to_vec(self)?)?)
    }

    /// Opens a ticket of this account.
    pub fn open(
        keys: &Keys,
        account: &AccountId,
        sealed: &[u8],
        now: i64,
    ) -> Result<Self, AppError> {
        let contents = keys.open_ticket(account, sealed).map_err(|e| match e {
            KeyError::Unopenable => AppError::TicketInvalid,
            other => AppError::Key(other),
        })?;
        // Sealed by us but not readable: by an older version. The device enrols again.
        let ticket: Self =
            serde_json::from_slice(&contents).map_err(|_| AppError::TicketInvalid)?;
        if now >= ticket.expires_at() {
            return Err(AppError::TicketExpired);
        }
        Ok(ticket)
    }

    /// Seconds since 1970.
    pub fn expires_at(&self) -> i64 {
        self.enrolled_at.saturating_add(LIFE_SECONDS)
    }
}

/// Four bytes that change when the findings do.
pub fn findings_mark(findings: &[Finding]) -> u32 {
    let mut hash = Context::new(&SHA256);
    for finding in findings {
        hash.update(finding.code.as_bytes());
        hash.update(finding.severity.as_str().as_bytes());
    }
    let digest = hash.finish();
    digest
        .as_ref()
        .iter()
        .take(4)
        .fold(0, |mark, byte| (mark << 8) | u32::from(*byte))
}
