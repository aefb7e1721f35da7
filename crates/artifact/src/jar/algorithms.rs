//! On which Android levels a pair of digest and signature algorithm verifies in a JAR signature.
//!
//! Facts about old platforms, measured by the authors of Android's own verifier; nothing here is a matter of taste.

use crate::finding::{ApiRange, LATEST_API};
use crate::pkcs7::{hash_by_oid, signature_by_oid};
use crate::public_key::{Hash, Padding};

/// Whether the pair verifies on every level of `range`.
pub(crate) fn supported(digest: &str, signature: &str, range: ApiRange) -> bool {
    let (Some(digest), Some((padding, own))) = (hash_by_oid(digest), signature_by_oid(signature))
    else {
        return false;
    };
    covers(&levels(digest, padding, own), range)
}

fn levels(digest: Hash, padding: Padding, own: Option<Hash>) -> Vec<ApiRange> {
    let since = |level| vec![ApiRange::new(level, LATEST_API)];
    // Android 5 and 6 looked the two up separately and so accepted nearly every mixture.
    let mixed = |last| vec![ApiRange::new(21, last)];
    let early_and = |level| vec![ApiRange::new(0, 8), ApiRange::new(level, LATEST_API)];
    match (padding, own) {
        (_, Some(own)) if own != digest => match (padding, digest, own) {
            (Padding::RsaPkcs1, Hash::Sha224, Hash::Sha256)
            | (Padding::RsaPkcs1, Hash::Sha256, Hash::Sha1)
            | (Padding::RsaPkcs1, Hash::Sha512, Hash::Sha384) => mixed(21),
            _ => mixed(23),
        },
        (Padding::RsaPkcs1, own) => match digest {
            Hash::Md5 if own.is_some() => early_and(21),
            Hash::Md5 | Hash::Sha1 => since(0),
            Hash::Sha224 => early_and(21),
            Hash::Sha256 => early_and(18),
            Hash::Sha384 | Hash::Sha512 => since(if own.is_some() { 21 } else { 18 }),
        },
        (Padding::Dsa, own) => match digest {
            Hash::Sha1 => since(if own.is_some() { 9 } else { 0 }),
            Hash::Sha224 | Hash::Sha256 => since(if own.is_some() { 21 } else { 22 }),
            Hash::Md5 | Hash::Sha384 | Hash::Sha512 => Vec::new(),
        },
        (Padding::Ecdsa, own) => match digest {
            Hash::Sha1 => since(18),
            Hash::Sha224 => since(21),
            Hash::Sha256 | Hash::Sha384 | Hash::Sha512 => {
                since(if own.is_some() { 21 } else { 18 })
            }
            Hash::Md5 => Vec::new(),
        },
        (Padding::RsaPss | Padding::MlDsa, _) => Vec::new(),
    }
}

fn covers(parts: &[ApiRange], range: ApiRange) -> bool {
    let mut next = range.from;
    for part in parts {
        if part.contains(next) {
            if part.to >= range.to {
                return true;
            }
            next = part.to.saturating_add(1);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA1: &str = "1.3.14.3.2.26";
    const SHA256: &str = "2.16.840.1.101.3.4.2.1";
    const SHA384: &str = "2.16.840.1.101.3.4.2.2";
    const MD5: &str = "1.2.840.113549.2.5";

    #[test]
    fn a_pair_must_verify_on_all_levels() {
        for (digest, signature, from, to, expected) in [
            (SHA256, "1.2.840.113549.1.1.1", 18, LATEST_API, true),
            (SHA256, "1.2.840.113549.1.1.1", 9, LATEST_API, false),
            (SHA256, "1.2.840.113549.1.1.1", 4, 8, true),
            (SHA256, "1.2.840.113549.1.1.1", 8, 18, false),
            (MD5, "1.2.840.113549.1.1.1", 1, LATEST_API, true),
            (MD5, "1.2.840.113549.1.1.4", 21, LATEST_API, true),
            (MD5, "1.2.840.113549.1.1.4", 20, LATEST_API, false),
            (SHA1, "1.2.840.113549.1.1.11", 21, 23, true),
            (SHA1, "1.2.840.113549.1.1.11", 21, 24, false),
            (SHA256, "1.2.840.113549.1.1.5", 22, 22, false),
            (SHA1, "1.2.840.10045.2.1", 18, LATEST_API, true),
            (SHA256, "1.2.840.10045.4.3.2", 18, LATEST_API, false),
            (SHA384, "2.16.840.1.101.3.4.3.3", 24, LATEST_API, false),
            (SHA384, "1.2.840.10040.4.1", 24, LATEST_API, false),
        ] {
            let got = supported(digest, signature, ApiRange::new(from, to));
            assert_eq!(got, expected, "{digest} with {signature} on {from} to {to}");
        }
    }
}
