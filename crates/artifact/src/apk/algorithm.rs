//! The signature algorithms of APK Signature Scheme v2 and newer, and which of several decides.

use crate::apk::content_digest::ContentDigest;
use crate::public_key::{Hash, Padding};

/// One row of the table of algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Algorithm {
    pub(crate) id: u32,
    pub(crate) padding: Padding,
    pub(crate) hash: Hash,
    pub(crate) content: ContentDigest,
    /// First Android level that knows it.
    pub(crate) since: u32,
}

/// <https://source.android.com/docs/security/features/apksigning/v2#signature-algorithm-ids>
const ALGORITHMS: [Algorithm; 11] = {
    use ContentDigest::{Sha256 as C256, Sha512 as C512, Verity};
    use Hash::{Sha256, Sha512};
    use Padding::{Dsa, Ecdsa, MlDsa, RsaPkcs1, RsaPss};
    const fn row(
        id: u32,
        padding: Padding,
        hash: Hash,
        content: ContentDigest,
        since: u32,
    ) -> Algorithm {
        Algorithm {
            id,
            padding,
            hash,
            content,
            since,
        }
    }
    [
        row(0x0101, RsaPss, Sha256, C256, 24),
        row(0x0102, RsaPss, Sha512, C512, 24),
        row(0x0103, RsaPkcs1, Sha256, C256, 24),
        row(0x0104, RsaPkcs1, Sha512, C512, 24),
        row(0x0201, Ecdsa, Sha256, C256, 24),
        row(0x0202, Ecdsa, Sha512, C512, 24),
        row(0x0301, Dsa, Sha256, C256, 24),
        row(0x0421, RsaPkcs1, Sha256, Verity, 28),
        row(0x0423, Ecdsa, Sha256, Verity, 28),
        row(0x0425, Dsa, Sha256, Verity, 28),
        // Hashes by itself; the hash named here is never asked for.
        row(0x0501, MlDsa, Sha512, C512, 37),
    ]
};

impl Algorithm {
    pub(crate) fn by_id(id: u32) -> Option<Self> {
        ALGORITHMS.into_iter().find(|algorithm| algorithm.id == id)
    }

    /// Android prefers SHA-512 over verity over SHA-256.
    pub(crate) const fn strength(self) -> u8 {
        match self.content {
            ContentDigest::Sha512 => 2,
            ContentDigest::Verity => 1,
            ContentDigest::Sha256 => 0,
        }
    }
}

/// The signatures that Android would verify somewhere in `from..=to`: the strongest among those that each level knows.
/// `None` if the first level knows none of them.
pub(crate) fn to_verify<T: Copy>(
    signatures: &[(Algorithm, T)],
    from: u32,
    to: u32,
) -> Option<Vec<(Algorithm, T)>> {
    let usable = || {
        signatures
            .iter()
            .filter(|(algorithm, _)| algorithm.since <= to)
    };
    let first_since = usable().map(|(algorithm, _)| algorithm.since).min()?;
    if from < first_since {
        return None;
    }
    let mut best: Vec<(Algorithm, T)> = Vec::new();
    for candidate in usable() {
        match best
            .iter_mut()
            .find(|(algorithm, _)| algorithm.since == candidate.0.since)
        {
            Some(kept) if candidate.0.strength() > kept.0.strength() => *kept = *candidate,
            Some(_) => {}
            None => best.push(*candidate),
        }
    }
    Some(best)
}
