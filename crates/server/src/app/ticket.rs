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

/// Form of what is sealed: `02 || standing (1) || enrolled at (8) || issued at (8) || mark (4) || facts`, numbers
/// big-endian, facts as JSON. Tickets in another form are invalid: the device enrols again.
const FORM: u8 = 2;
const HEADER: usize = 1 + 1 + 8 + 8 + 4;

/// Whether the device has its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Allowed at least once.
    Enrolled,
    /// Authentic, but refused so far.
    Refused,
}

impl Standing {
    fn code(self) -> u8 {
        match self {
            Self::Enrolled => b'e',
            Self::Refused => b'r',
        }
    }

    fn of_code(code: u8) -> Option<Self> {
        match code {
            b'e' => Some(Self::Enrolled),
            b'r' => Some(Self::Refused),
            _ => None,
        }
    }
}

/// The sealed contents.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticket {
    /// What the hardware said; holds the key.
    pub facts: Facts,
    /// The facts as they are sealed: the next ticket copies them instead of writing them anew.
    stored: Vec<u8>,
    /// When the key was enrolled, seconds since 1970.
    pub enrolled_at: i64,
    /// When this ticket was made, seconds since 1970.
    pub issued_at: i64,
    /// Whether the device has its row.
    pub standing: Standing,
    /// The last recorded findings ([`findings_mark`]), so that only a change is recorded anew.
    pub mark: u32,
}

/// Facts on their own, in the form of a ticket.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Stored(#[serde(with = "StoredFacts")] Facts);

/// Facts to write.
#[derive(Serialize)]
#[serde(transparent)]
struct Storing<'a>(#[serde(serialize_with = "StoredFacts::serialize")] &'a Facts);

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
    /// The first ticket of a key.
    pub fn first(facts: Facts, now: i64, standing: Standing, mark: u32) -> Result<Self, AppError> {
        Ok(Self {
            stored: serde_json::to_vec(&Storing(&facts))?,
            facts,
            enrolled_at: now,
            issued_at: now,
            standing,
            mark,
        })
    }

    /// The same enrolment's next ticket.
    #[must_use]
    pub fn next(self, now: i64, standing: Standing, mark: u32) -> Self {
        Self {
            issued_at: now,
            standing,
            mark,
            ..self
        }
    }

    /// Seals it for an account.
    pub fn seal(&self, keys: &Keys, account: &AccountId) -> Result<Vec<u8>, AppError> {
        let mut contents = Vec::with_capacity(HEADER + self.stored.len());
        contents.extend_from_slice(&[FORM, self.standing.code()]);
        contents.extend_from_slice(&self.enrolled_at.to_be_bytes());
        contents.extend_from_slice(&self.issued_at.to_be_bytes());
        contents.extend_from_slice(&self.mark.to_be_bytes());
        contents.extend_from_slice(&self.stored);
        Ok(keys.seal_ticket(account, &contents)?)
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
        // Sealed by us but not readable: by another version. The device enrols again.
        let ticket = Self::read(&contents).ok_or(AppError::TicketInvalid)?;
        if now >= ticket.expires_at() {
            return Err(AppError::TicketExpired);
        }
        Ok(ticket)
    }

    fn read(contents: &[u8]) -> Option<Self> {
        let ([form, standing], rest) = contents.split_first_chunk()?;
        if *form != FORM {
            return None;
        }
        let (enrolled_at, rest) = rest.split_first_chunk()?;
        let (issued_at, rest) = rest.split_first_chunk()?;
        let (mark, stored) = rest.split_first_chunk()?;
        let Stored(facts) = serde_json::from_slice(stored).ok()?;
        Some(Self {
            facts,
            stored: stored.to_vec(),
            enrolled_at: i64::from_be_bytes(*enrolled_at),
            issued_at: i64::from_be_bytes(*issued_at),
            standing: Standing::of_code(*standing)?,
            mark: u32::from_be_bytes(*mark),
        })
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

#[cfg(test)]
mod tests {
    use bonafide_wire::ids::AccountId;

    use super::*;
    use crate::keys::master::MasterKeys;

    #[test]
    fn contents_of_another_form_are_an_invalid_ticket() {
        let keys = Keys::new(&MasterKeys::generate().unwrap()).unwrap();
        let account = AccountId::parse("acme").unwrap();
        // The form before this one, an unknown one, one cut short, one with a standing that does not exist.
        let others: [&[u8]; 5] = [
            br#"{"f":{"ak":{}},"e":1,"i":1,"s":"e","m":0}"#,
            b"\x03e",
            b"",
            b"\x02e\0\0\0",
            b"\x02x\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0{}",
        ];
        for contents in others {
            let sealed = keys.seal_ticket(&account, contents).unwrap();
            let opened = Ticket::open(&keys, &account, &sealed, 1);
            assert!(
                matches!(opened, Err(AppError::TicketInvalid)),
                "{contents:?}"
            );
        }
    }
}
