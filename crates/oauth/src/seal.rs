//! Records at rest: bytes that outlive the process, sealed under a key that the host keeps.
//!
//! AES-256-GCM, the record's purpose as associated data, so that one kind cannot be passed off as another. Where key
//! and bytes are stored is the host's business.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyFailed};

/// Something that can be kept and read back. The bytes hold secrets.
pub trait Record: Sized {
    /// Names kind and version of the record.
    const PURPOSE: &'static str;

    /// The bytes, in clear: for a store that is itself protected.
    fn to_record(&self) -> Zeroizing<Vec<u8>>;

    /// Reads the bytes back.
    fn from_record(bytes: &[u8]) -> Result<Self, RecordReject>;

    /// The bytes, sealed.
    fn seal(&self, key: &SealKey, entropy: &mut dyn Entropy) -> Result<Vec<u8>, RecordReject> {
        seal(key, Self::PURPOSE, &self.to_record(), entropy)
    }

    /// Opens sealed bytes.
    fn open(key: &SealKey, sealed: &[u8]) -> Result<Self, RecordReject> {
        Self::from_record(&open(key, Self::PURPOSE, sealed)?)
    }
}

/// 256 bits from the platform's key store.
pub struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    /// Takes the key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn cipher(&self) -> Result<LessSafeKey, RecordReject> {
        UnboundKey::new(&AES_256_GCM, self.0.as_slice())
            .map(LessSafeKey::new)
            .map_err(|_| RecordReject::Unsealable)
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SealKey([redacted])")
    }
}

/// A record that cannot be kept or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordReject {
    /// Other key, other kind of record, or altered bytes.
    #[error("the record was sealed for something else, or was altered")]
    Unsealable,
    /// The bytes are no such record.
    #[error("the record cannot be read")]
    Malformed,
    /// No nonce, no sealing.
    #[error(transparent)]
    Entropy(#[from] EntropyFailed),
}

impl RecordReject {
    /// Stable text.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unsealable => "record-unsealable",
            Self::Malformed => "record-malformed",
            Self::Entropy(EntropyFailed) => "entropy-failed",
        }
    }
}

fn seal(
    key: &SealKey,
    purpose: &str,
    record: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, RecordReject> {
    let mut nonce = [0_u8; NONCE_LEN];
    entropy.fill(&mut nonce)?;
    let mut sealed = record.to_vec();
    key.cipher()?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(purpose.as_bytes()),
            &mut sealed,
        )
        .map_err(|_| RecordReject::Unsealable)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn open(key: &SealKey, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordReject> {
    let (nonce, body) = sealed
        .split_first_chunk::<NONCE_LEN>()
        .ok_or(RecordReject::Unsealable)?;
    let mut body = Zeroizing::new(body.to_vec());
    let length = key
        .cipher()?
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(purpose.as_bytes()),
            &mut body,
        )
        .map_err(|_| RecordReject::Unsealable)?
        .len();
    body.truncate(length);
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn opens_only_with_the_same_key_for_the_same_purpose_and_unaltered() {
        let key = SealKey::new([1; 32]);
        let sealed = seal(&key, "one", b"record", &mut SystemEntropy).unwrap();
        assert_eq!(open(&key, "one", &sealed).unwrap().as_slice(), b"record");
        assert!(!sealed.windows(6).any(|window| window == b"record"));

        let mut altered = sealed.clone();
        *altered.last_mut().unwrap() ^= 1;
        for (key, purpose, sealed) in [
            (&SealKey::new([2; 32]), "one", sealed.as_slice()),
            (&key, "two", &sealed),
            (&key, "one", &altered),
            (&key, "one", &sealed[..11]),
            (&key, "one", &[]),
        ] {
            assert_eq!(open(key, purpose, sealed), Err(RecordReject::Unsealable));
        }
    }

    #[test]
    fn the_key_does_not_print() {
        assert_eq!(
            format!("{:?}", SealKey::new([65; 32])),
            "SealKey([redacted])"
        );
    }
}
