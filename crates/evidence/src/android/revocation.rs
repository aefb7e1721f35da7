//! Google's list of attestation certificates that no longer count.
//!
//! Decides how the list is read. It refuses entries it does not understand, because a list that is
//! half read is a list of keys that leaked and still pass; and it refuses to know where it came from. How
//! old it is, the caller says ([`ListAge`]), and the policy judges.
//!
//! Every listed number counts as revoked, `SUSPENDED` and future words included: Google lists a key
//! because it must not be believed now. `expires` is ignored for the same reason.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Error as _, MapAccess, Visitor};

use super::SerialNumber;
use crate::UnixTime;

/// Largest list, bytes. Google's of January 2025 has 467 entries in about 40 KB.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// Serial numbers of revoked and suspended certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    serials: BTreeSet<SerialNumber>,
}

/// How old the list is that evidence was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListAge {
    /// Fetched, or confirmed to be still the newest, at this moment.
    ConfirmedAt(UnixTime),
    /// There is no list: nothing was compared.
    Missing,
}

/// Bytes that are not a revocation list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationListError {
    /// Larger than 32 MiB.
    #[error("the revocation list is larger than 32 MiB")]
    TooLarge,
    /// Not `{"entries": {"<hexadecimal serial>": {"status": "…"}}}`.
    #[error("not a revocation list: {0}")]
    Malformed(String),
}

impl RevocationList {
    /// Nothing is revoked. A named choice for a caller who has no list.
    pub const fn empty() -> Self {
        Self {
            serials: BTreeSet::new(),
        }
    }

    /// Reads the list as Google publishes it.
    pub fn parse(json: &[u8]) -> Result<Self, RevocationListError> {
        if json.len() > MAX_BYTES {
            return Err(RevocationListError::TooLarge);
        }
        let document: Document = serde_json::from_slice(json)
            .map_err(|error| RevocationListError::Malformed(error.to_string()))?;
        Ok(Self {
            serials: document.entries.0,
        })
    }

    /// Whether the number is listed.
    pub fn contains(&self, serial: &SerialNumber) -> bool {
        self.serials.contains(serial)
    }

    /// How many numbers are listed: a list that shrinks suddenly deserves a question.
    pub fn len(&self) -> usize {
        self.serials.len()
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.serials.is_empty()
    }
}

#[derive(Deserialize)]
struct Document {
    entries: Entries,
}

struct Entries(BTreeSet<SerialNumber>);

/// `reason`, `expires`, `comment` and what may come are ignored: none makes a listed key good.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "status")]
    _status: String,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl<'de> Visitor<'de> for Numbers {
            type Value = BTreeSet<SerialNumber>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object keyed by hexadecimal serial numbers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut serials = BTreeSet::new();
                while let Some((key, _entry)) = map.next_entry::<String, Entry>()? {
                    let serial = key.parse().map_err(A::Error::custom)?;
                    serials.insert(serial);
                }
                Ok(serials)
            }
        }
        deserializer.deserialize_map(Numbers).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<RevocationList, RevocationListError> {
        RevocationList::parse(json.as_bytes())
    }

    #[test]
    fn finds_numbers_of_odd_length_and_with_leading_zeros() {
        let list = parse(
            r#"{"entries": {"abc": {"status": "REVOKED", "reason": "KEY_COMPROMISE"},
                            "00DE": {"status": "SUSPENDED", "expires": "2020-11-13"}}}"#,
        )
        .unwrap();
        assert_eq!(list.len(), 2);
        assert!(list.contains(&SerialNumber::from_bytes(&[0x0A, 0xBC])));
        assert!(list.contains(&SerialNumber::from_bytes(&[0xDE])));
        assert!(!list.contains(&SerialNumber::from_bytes(&[0xBC])));
    }

    #[test]
    fn refuses_what_it_cannot_read_whole() {
        for json in [
            "",
            "[]",
            "{}",
            r#"{"entries": []}"#,
            r#"{"entries": {"xyz": {"status": "REVOKED"}}}"#,
            r#"{"entries": {"1": {}}}"#,
            r#"{"entries": {"1": "REVOKED"}}"#,
            r#"{"entries": {}, "entries": {}}"#,
            r#"{"entries": {}} trailing"#,
        ] {
            assert!(
                matches!(parse(json), Err(RevocationListError::Malformed(_))),
                "{json}"
            );
        }
    }

    #[test]
    fn an_empty_list_is_a_list() {
        assert!(RevocationList::empty().is_empty());
        assert_eq!(parse(r#"{"entries": {}}"#), Ok(RevocationList::empty()));
    }
}
