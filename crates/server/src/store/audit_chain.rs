//! The audit log's hash chain: which bytes of a row are hashed, the same for every backend.
//!
//! ```text
//! hash(0)  = 32 zero bytes
//! hash(n)  = SHA-256( "bonafide-v1-audit" 00 || hash(n-1) || row(n) )
//! row(n)   = sequence (u64, big endian) || at (i64, big endian)
//!            || text(account) || text(actor) || text(action) || text(object) || text(details)
//! text(s)  = length of s in bytes (u32, big endian) || s as UTF-8
//! ```
//!
//! `account` is the empty text for events of the service itself; `details` is compact JSON with sorted members,
//! byte for byte as stored. Lengths stand before texts, so no two rows share their bytes. The newest hash is kept
//! beside the log (the head): deleting, altering, inserting or reordering any row, the last one included, shows.

use aws_lc_rs::digest;

/// Where the chain begins.
pub const GENESIS: [u8; 32] = [0; 32];

/// The members of a row that its hash covers.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// 1, 2, 3, …
    pub sequence: u64,
    /// Seconds since 1970.
    pub at: i64,
    /// Empty for the service itself.
    pub account: &'a str,
    /// Who.
    pub actor: &'a str,
    /// What.
    pub action: &'a str,
    /// To what.
    pub object: &'a str,
    /// JSON as stored.
    pub details: &'a str,
}

impl Link<'_> {
    /// This row's hash after the previous one's.
    pub fn hash(&self, previous: &[u8; 32]) -> [u8; 32] {
        let digest = digest::digest(&digest::SHA256, &self.bytes(previous));
        let mut hash = [0; 32];
        hash.copy_from_slice(digest.as_ref());
        hash
    }

    fn bytes(&self, previous: &[u8; 32]) -> Vec<u8> {
        let mut bytes = b"bonafide-v1-audit\0".to_vec();
        bytes.extend_from_slice(previous);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.at.to_be_bytes());
        for text in [
            self.account,
            self.actor,
            self.action,
            self.object,
            self.details,
        ] {
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Link<'_> = Link {
        sequence: 1,
        at: 1_764_000_000,
        account: "acme",
        actor: "ops",
        action: "registration.added",
        object: "reg_1",
        details: r#"{"app":"books"}"#,
    };

    #[test]
    fn the_hashed_bytes_are_these() {
        // Computed apart from this program, with Python's struct and hashlib.
        assert_eq!(
            hex::encode(ROW.bytes(&GENESIS)),
            concat!(
                "626f6e61666964652d76312d61756469740000000000000000000000000000000000000000000000",
                "00000000000000000000000000000000000100000000692481000000000461636d65000000036f70",
                "7300000012726567697374726174696f6e2e6164646564000000057265675f310000000f7b226170",
                "70223a22626f6f6b73227d",
            )
        );
        assert_eq!(
            hex::encode(ROW.hash(&GENESIS)),
            "8d26fd4cc1b29ca1ada2e8913047361c31530bfa931825730dd69bdd2b61a97d"
        );
    }

    #[test]
    fn moving_a_byte_between_members_changes_the_hash() {
        let moved = Link {
            actor: "op",
            action: "sregistration.added",
            ..ROW
        };
        assert_ne!(moved.hash(&GENESIS), ROW.hash(&GENESIS));
    }
}
