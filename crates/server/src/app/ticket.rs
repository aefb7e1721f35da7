//! What a ticket holds (W-9): who enrolled, what the hardware said then, and what was decided last.
//!
//! The device keeps it and cannot read it; the service opens it instead of a database. It proves who asks
//! and grants nothing.

use aws_lc_rs::digest::{Context, SHA256};
use bonafide_evidence::android::KeyFacts;
use bonafide_evidence::apple::{AppAttestFacts, Release};
use bonafide_evidence::play::PlayFacts;
use bonafide_evidence::{Facts, Finding, Policy};
use bonafide_wire::ids::AccountId;
use bonafide_wire::proof::Proof;
use serde::{Deserialize, Serialize};

use super::AppError;
use super::proof::{self, Holder, Proven, Signed};
use crate::keys::{KeyError, Keys};

/// How long an enrolment lasts, seconds.
pub const LIFE_SECONDS: i64 = 30 * 24 * 60 * 60;

/// Form of what is sealed: `03 || standing (1) || enrolled at (8) || issued at (8) || mark (4) || counter (4) ||
/// length of key (1) || key || facts`, numbers big-endian, facts as JSON. The key stands there only where the facts
/// attest none. Tickets in another form are invalid: the device enrols again.
const FORM: u8 = 3;
const HEADER: usize = 1 + 1 + 8 + 8 + 4 + 4 + 1;
/// An uncompressed P-256 point.
const POINT: usize = 65;

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
    /// What the platform said; holds the key, where the platform attests one.
    pub facts: Facts,
    /// The facts as they are sealed: the next ticket copies them instead of writing them anew.
    stored: Vec<u8>,
    /// The key, where the platform's word is bound to one that it does not attest; else empty.
    bound: Vec<u8>,
    /// The last assertion's counter, for keys that assert.
    counter: u32,
    /// When the key was enrolled, seconds since 1970.
    pub enrolled_at: i64,
    /// When this ticket was made, seconds since 1970.
    pub issued_at: i64,
    /// Whether the device has its row.
    pub standing: Standing,
    /// The last recorded findings ([`findings_mark`]), so that only a change is recorded anew.
    pub mark: u32,
}

/// A key that its platform vouches for, on its way into a ticket.
#[derive(Debug, Clone)]
pub struct Authentic {
    /// What the platform said.
    pub facts: Facts,
    /// The key: an uncompressed P-256 point.
    pub point: Vec<u8>,
    /// Its last assertion's counter, for keys that assert.
    pub counter: u32,
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
    pub fn first(
        authentic: Authentic,
        now: i64,
        standing: Standing,
        mark: u32,
    ) -> Result<Self, AppError> {
        let Authentic {
            facts,
            point,
            counter,
        } = authentic;
        let attested = facts.public_key().is_ok();
        Ok(Self {
            stored: serde_json::to_vec(&Storing(&facts))?,
            bound: if attested { Vec::new() } else { point },
            facts,
            counter,
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

    /// The enrolled key: an uncompressed P-256 point.
    pub fn point(&self) -> Result<&[u8], AppError> {
        match self.bound.as_slice() {
            [] => self.facts.public_key().map_err(|_| AppError::TicketInvalid),
            bound => Ok(bound),
        }
    }

    /// Checks a proof of the enrolled key. The ticket that follows knows its counter and how the app was released,
    /// as the platform says with each assertion: an update changes that without a new enrolment.
    pub fn prove(&mut self, signed: &Signed<'_>, proof: &Proof) -> Result<(), AppError> {
        let point = self.point()?;
        let holder = match &self.facts {
            Facts::AndroidKey(_) | Facts::PlayIntegrity(_) => Holder::Signing { point },
            Facts::AppAttest(facts) => Holder::Asserting {
                point,
                app_id: &facts.app_id,
                counter: self.counter,
            },
        };
        let proven = proof::verify(signed, proof, &holder)?;
        if let (Proven::Asserted(asserted), Facts::AppAttest(facts)) = (proven, &mut self.facts) {
            self.counter = asserted.counter;
            let stated = asserted.release != Release::default();
            if stated && asserted.release != facts.release {
                facts.release = asserted.release;
                self.stored = serde_json::to_vec(&Storing(&self.facts))?;
            }
        }
        Ok(())
    }

    /// Seals it for an account.
    pub fn seal(&self, keys: &Keys, account: &AccountId) -> Result<Vec<u8>, AppError> {
        let key_length = u8::try_from(self.bound.len()).map_err(|_| AppError::TicketInvalid)?;
        let mut contents = Vec::with_capacity(HEADER + self.bound.len() + self.stored.len());
        contents.extend_from_slice(&[FORM, self.standing.code()]);
        contents.extend_from_slice(&self.enrolled_at.to_be_bytes());
        contents.extend_from_slice(&self.issued_at.to_be_bytes());
        contents.extend_from_slice(&self.mark.to_be_bytes());
        contents.extend_from_slice(&self.counter.to_be_bytes());
        contents.push(key_length);
        contents.extend_from_slice(&self.bound);
        contents.extend_from_slice(&self.stored);
        Ok(keys.seal_ticket(account, &contents)?)
    }

    /// Opens a ticket of this account. How long it lives the policy in force says, too.
    pub fn open(
        keys: &Keys,
        (account, policy): (&AccountId, &Policy),
        sealed: &[u8],
        now: i64,
    ) -> Result<Self, AppError> {
        let contents = keys.open_ticket(account, sealed).map_err(|e| match e {
            KeyError::Unopenable => AppError::TicketInvalid,
            other => AppError::Key(other),
        })?;
        // Sealed by us but not readable: by another version. The device enrols again.
        let ticket = Self::read(&contents).ok_or(AppError::TicketInvalid)?;
        if now >= ticket.expires_at(policy) {
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
        let (mark, rest) = rest.split_first_chunk()?;
        let (counter, rest) = rest.split_first_chunk()?;
        let ([key_length], rest) = rest.split_first_chunk()?;
        let (bound, stored) = rest.split_at_checked(usize::from(*key_length))?;
        if !matches!(bound.len(), 0 | POINT) {
            return None;
        }
        let Stored(facts) = serde_json::from_slice(stored).ok()?;
        Some(Self {
            facts,
            stored: stored.to_vec(),
            bound: bound.to_vec(),
            counter: u32::from_be_bytes(*counter),
            enrolled_at: i64::from_be_bytes(*enrolled_at),
            issued_at: i64::from_be_bytes(*issued_at),
            standing: Standing::of_code(*standing)?,
            mark: u32::from_be_bytes(*mark),
        })
    }

    /// When the enrolment is over, seconds since 1970. A Play Integrity verdict is what Google saw once: it ages by
    /// Google's clock, as the policy says.
    pub fn expires_at(&self, policy: &Policy) -> i64 {
        let end = self.enrolled_at.saturating_add(LIFE_SECONDS);
        match &self.facts {
            Facts::AndroidKey(_) | Facts::AppAttest(_) => end,
            Facts::PlayIntegrity(facts) => {
                let hours = i64::from(policy.play.max_verdict_age_hours);
                let age = hours.saturating_mul(60 * 60);
                end.min(facts.timestamp_ms.div_euclid(1000).saturating_add(age))
            }
        }
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
        let others: [&[u8]; 6] = [
            br#"{"f":{"ak":{}},"e":1,"i":1,"s":"e","m":0}"#,
            b"\x02e\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0{}",
            b"\x04e",
            b"",
            b"\x03e\0\0\0",
            b"\x03x\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0{}",
        ];
        for contents in others {
            let sealed = keys.seal_ticket(&account, contents).unwrap();
            let policy = Policy::default();
            let opened = Ticket::open(&keys, (&account, &policy), &sealed, 1);
            assert!(
                matches!(opened, Err(AppError::TicketInvalid)),
                "{contents:?}"
            );
        }
    }
}
