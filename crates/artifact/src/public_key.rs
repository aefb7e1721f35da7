//! Signature verification: the one place where cryptography is called.
//!
//! Decides whether a signature over a message verifies with a key. Key sizes are bounded so that a hostile key cannot buy
//! minutes of arithmetic, and DSA parameters are checked for sanity before they reach a big-number library. `RustCrypto` is
//! used because Android accepts what others have dropped: DSA, P-521, MD5, SHA-224, RSA with 16,384 bits.

use rsa::BoxedUint;
use rsa::signature::hazmat::PrehashVerifier;
use sha2::Digest;

use crate::der::{self, Reader};

const MIN_RSA_BITS: usize = 512;
const MAX_RSA_BITS: usize = 16_384;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => md5::Md5::digest(message).to_vec(),
            Self::Sha1 => sha1::Sha1::digest(message).to_vec(),
            Self::Sha224 => sha2::Sha224::digest(message).to_vec(),
            Self::Sha256 => sha2::Sha256::digest(message).to_vec(),
            Self::Sha384 => sha2::Sha384::digest(message).to_vec(),
            Self::Sha512 => sha2::Sha512::digest(message).to_vec(),
        }
    }

    /// A running hash, for data that comes in pieces.
    pub(crate) fn hasher(self) -> Box<dyn sha2::digest::DynDigest> {
        match self {
            Self::Md5 => Box::new(md5::Md5::new()),
            Self::Sha1 => Box::new(sha1::Sha1::new()),
            Self::Sha224 => Box::new(sha2::Sha224::new()),
            Self::Sha256 => Box::new(sha2::Sha256::new()),
            Self::Sha384 => Box::new(sha2::Sha384::new()),
            Self::Sha512 => Box::new(sha2::Sha512::new()),
        }
    }

    pub(crate) const fn is_weak(self) -> bool {
        matches!(self, Self::Md5 | Self::Sha1)
    }

    /// `DigestInfo` up to the digest itself (RFC 8017, section 9.2, note 1).
    const fn digest_info(self) -> &'static [u8] {
        match self {
            Self::Md5 => {
                b"\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10"
            }
            Self::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
            Self::Sha224 => {
                b"\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04\x05\x00\x04\x1c"
            }
            Self::Sha256 => {
                b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
            }
            Self::Sha384 => {
                b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
            }
            Self::Sha512 => {
                b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
            }
        }
    }
}

/// How a signature was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// RSA with PKCS#1 v1.5 padding.
    RsaPkcs1,
    /// RSA-PSS with a salt as long as the hash.
    RsaPss,
    Ecdsa,
    Dsa,
    /// ML-DSA-65 or ML-DSA-87, which hash by themselves.
    MlDsa,
}

/// A public key of one of the kinds that Android accepts.
#[derive(Clone, Debug)]
pub(crate) enum PublicKey {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
    Dsa(Box<dsa::VerifyingKey>),
    #[cfg(feature = "post-quantum")]
    MlDsa(crate::post_quantum::Key),
}

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo`.
    pub(crate) fn parse(info: &[u8]) -> Option<Self> {
        let mut fields = Reader::new(info).sequence()?;
        let mut algorithm = fields.sequence()?;
        let oid = der::dotted(algorithm.expect_tag(der::OID)?.content)?;
        let bits = fields.expect_tag(der::BIT_STRING)?.whole_bits()?;
        match oid.as_str() {
            "1.2.840.113549.1.1.1" => Self::parse_rsa(bits),
            "1.2.840.10045.2.1" => {
                Self::parse_ec(&der::dotted(algorithm.expect_tag(der::OID)?.content)?, bits)
            }
            "1.2.840.10040.4.1" => Self::parse_dsa(algorithm.sequence()?, bits),
            #[cfg(feature = "post-quantum")]
            oid if algorithm.is_empty() => {
                crate::post_quantum::Key::parse(oid, bits).map(Self::MlDsa)
            }
            _ => None,
        }
    }

    fn parse_rsa(bits: &[u8]) -> Option<Self> {
        let mut numbers = Reader::new(bits).sequence()?;
        let modulus = numbers.expect_tag(der::INTEGER)?.magnitude()?;
        let exponent = numbers.expect_tag(der::INTEGER)?.magnitude()?;
        let fits = (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bit_length(modulus));
        fits.then(|| Self::Rsa {
            modulus: modulus.to_vec(),
            exponent: exponent.to_vec(),
        })
    }

    fn parse_ec(curve: &str, point: &[u8]) -> Option<Self> {
        match curve {
            "1.2.840.10045.3.1.7" => p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .ok()
                .map(Self::P256),
            "1.3.132.0.34" => p384::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .ok()
                .map(Self::P384),
            "1.3.132.0.35" => p521::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .ok()
                .map(Self::P521),
            _ => None,
        }
    }

    fn parse_dsa(mut parameters: Reader<'_>, bits: &[u8]) -> Option<Self> {
        let p = parameters.expect_tag(der::INTEGER)?.magnitude()?;
        let q = parameters.expect_tag(der::INTEGER)?.magnitude()?;
        let g = parameters.expect_tag(der::INTEGER)?.magnitude()?;
        let y = Reader::new(bits).expect_tag(der::INTEGER)?.magnitude()?;
        // Only the sizes of FIPS 186-4; anything else is a key that nobody generates but an attacker.
        let sizes = (bit_length(p), bit_length(q));
        if !matches!(sizes, (1024, 160) | (2048, 224 | 256) | (3072, 256)) || !is_odd(q) {
            return None;
        }
        let width = u32::try_from(sizes.0).ok()?;
        let number = |bytes: &[u8], width| BoxedUint::from_be_slice(bytes, width).ok();
        let modulus = number(p, width)?;
        let order = BoxedUint::from_be_slice_vartime(q);
        let (generator, y) = (number(g, width)?, number(y, width)?);
        if y >= modulus {
            return None;
        }
        let components = dsa::Components::from_components(modulus, order, generator).ok()?;
        let key = dsa::VerifyingKey::from_components(components, y).ok()?;
        Some(Self::Dsa(Box::new(key)))
    }

    /// Kind and size, as in `RSA 2048`.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Rsa { modulus, .. } => format!("RSA {}", bit_length(modulus)),
            Self::P256(_) => "EC P-256".to_owned(),
            Self::P384(_) => "EC P-384".to_owned(),
            Self::P521(_) => "EC P-521".to_owned(),
            Self::Dsa(key) => format!("DSA {}", key.components().p().bits_precision()),
            #[cfg(feature = "post-quantum")]
            Self::MlDsa(key) => key.describe().to_owned(),
        }
    }

    /// Short RSA keys and all of DSA: accepted by Android, no longer fit to hold an identity.
    pub(crate) fn is_weak(&self) -> bool {
        match self {
            Self::Rsa { modulus, .. } => bit_length(modulus) < 2048,
            Self::Dsa(_) => true,
            Self::P256(_) | Self::P384(_) | Self::P521(_) => false,
            #[cfg(feature = "post-quantum")]
            Self::MlDsa(_) => false,
        }
    }

    /// Whether it is a key that Android takes beside a classical one only.
    pub(crate) const fn is_post_quantum(&self) -> bool {
        match self {
            #[cfg(feature = "post-quantum")]
            Self::MlDsa(_) => true,
            Self::Rsa { .. } | Self::P256(_) | Self::P384(_) | Self::P521(_) | Self::Dsa(_) => {
                false
            }
        }
    }

    /// Whether both are RSA keys of the same numbers.
    pub(crate) fn is_same_rsa(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::Rsa { modulus: a, exponent: b }, Self::Rsa { modulus: c, exponent: d })
                if a == c && b == d
        )
    }

    /// Whether `signature` over `message` verifies. A key of another kind than `padding` never does.
    pub(crate) fn verify(
        &self,
        padding: Padding,
        hash: Hash,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        #[cfg(feature = "post-quantum")]
        if let (Self::MlDsa(key), Padding::MlDsa) = (self, padding) {
            return key.verifies(message, signature);
        }
        let digest = hash.digest(message);
        self.verify_digest(padding, hash, &digest, signature)
    }

    /// As [`Self::verify`], over a digest made before.
    pub(crate) fn verify_digest(
        &self,
        padding: Padding,
        hash: Hash,
        digest: &[u8],
        signature: &[u8],
    ) -> bool {
        match (self, padding) {
            (Self::Rsa { modulus, exponent }, Padding::RsaPkcs1) => rsa_key(modulus, exponent)
                .is_some_and(|key| {
                    let scheme = rsa::Pkcs1v15Sign {
                        hash_len: Some(digest.len()),
                        prefix: hash.digest_info().into(),
                    };
                    key.verify(scheme, digest, signature).is_ok()
                }),
            (Self::Rsa { modulus, exponent }, Padding::RsaPss) => rsa_key(modulus, exponent)
                .is_some_and(|key| verify_pss(&key, hash, digest, signature)),
            (Self::P256(key), Padding::Ecdsa) => p256::ecdsa::DerSignature::try_from(signature)
                .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok()),
            (Self::P384(key), Padding::Ecdsa) => p384::ecdsa::DerSignature::try_from(signature)
                .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok()),
            (Self::P521(key), Padding::Ecdsa) => p521::ecdsa::DerSignature::try_from(signature)
                .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok()),
            (Self::Dsa(key), Padding::Dsa) => dsa_signature(signature)
                .is_some_and(|signature| key.verify_prehash(digest, &signature).is_ok()),
            _ => false,
        }
    }
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Option<rsa::PublicKey> {
    let modulus = BoxedUint::from_be_slice_vartime(modulus);
    let exponent = BoxedUint::from_be_slice_vartime(exponent);
    rsa::PublicKey::new_with_size_limits(modulus, exponent, MIN_RSA_BITS..=MAX_RSA_BITS).ok()
}

fn verify_pss(key: &rsa::PublicKey, hash: Hash, digest: &[u8], signature: &[u8]) -> bool {
    match hash {
        Hash::Sha256 => key
            .verify(
                rsa::Pss::<sha2::Sha256>::new_with_salt(32),
                digest,
                signature,
            )
            .is_ok(),
        Hash::Sha512 => key
            .verify(
                rsa::Pss::<sha2::Sha512>::new_with_salt(64),
                digest,
                signature,
            )
            .is_ok(),
        Hash::Md5 | Hash::Sha1 | Hash::Sha224 | Hash::Sha384 => false,
    }
}

fn dsa_signature(bytes: &[u8]) -> Option<dsa::Signature> {
    let mut numbers = Reader::new(bytes).sequence()?;
    let mut number = || {
        let magnitude = numbers.expect_tag(der::INTEGER)?.magnitude()?;
        (magnitude.len() <= 32).then(|| BoxedUint::from_be_slice_vartime(magnitude))
    };
    let (r, s) = (number()?, number()?);
    dsa::Signature::from_components(r, s)
}

fn bit_length(magnitude: &[u8]) -> usize {
    let leading = magnitude.first().map_or(0, |byte| byte.leading_zeros());
    magnitude
        .len()
        .saturating_mul(8)
        .saturating_sub(usize::try_from(leading).unwrap_or(0))
}

fn is_odd(magnitude: &[u8]) -> bool {
    magnitude.last().is_some_and(|byte| byte & 1 == 1)
}
