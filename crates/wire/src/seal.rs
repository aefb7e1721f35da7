//! HPKE (RFC 9180), base mode, single shot: what the service says only this one request's key can read.
//!
//! Composed on aws-lc-rs primitives because the pure-Rust crates cost the service three to six times as
//! much per reply (measured); the RFC's vectors and an independent implementation keep it honest.
//! HPKE gives no replay protection and no sender authentication: freshness comes from the key being
//! made for one request, authorship from the associated data (W-10).

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::bytes::Base64Url;

/// The suites. X25519 for keys in software, P-256 where the platform's key store does the agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Suite {
    /// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
    #[serde(rename = "x25519-sha256-aes128gcm")]
    X25519,
    /// DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
    #[serde(rename = "p256-sha256-aes128gcm")]
    P256,
}

/// A sealed message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sealed {
    /// The suite.
    pub suite: Suite,
    /// The encapsulated key: 32 or 65 bytes.
    pub enc: Base64Url,
    /// Ciphertext and 16-byte tag.
    pub ciphertext: Base64Url,
}

/// Sealing or opening failed. One code for all causes: a decryption oracle needs two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The recipient's key is not a point of the suite's curve.
    #[error("the public key is not valid for the suite")]
    PublicKey,
    /// Wrong key, info or associated data, or altered bytes.
    #[error("the sealed message cannot be opened")]
    Open,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Library,
}

/// A private key that opens messages sealed to its public key.
pub struct OpeningKey {
    suite: Suite,
    private: PrivateKey,
    public: Vec<u8>,
}

impl core::fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("OpeningKey")
            .field("suite", &self.suite)
            .finish_non_exhaustive()
    }
}

impl OpeningKey {
    /// Makes a fresh key; for one request.
    pub fn generate(suite: Suite) -> Result<Self, SealError> {
        let private = PrivateKey::generate(suite.curve()).map_err(|_| SealError::Library)?;
        Self::new(suite, private)
    }

    fn new(suite: Suite, private: PrivateKey) -> Result<Self, SealError> {
        let public = private
            .compute_public_key()
            .map_err(|_| SealError::Library)?
            .as_ref()
            .to_vec();
        Ok(Self {
            suite,
            private,
            public,
        })
    }

    /// Its suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The public key: 32 bytes (X25519) or 65 bytes (P-256, uncompressed).
    pub fn public_key(&self) -> &[u8] {
        &self.public
    }

    /// Opens a message (RFC 9180 §6.1, `OpenBase`).
    pub fn open(
        &self,
        sealed: &Sealed,
        info: &[u8],
        aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        if sealed.suite != self.suite {
            return Err(SealError::Open);
        }
        let shared = agree(self.suite, &self.private, &sealed.enc.0, |dh| {
            shared_secret(self.suite, dh, &sealed.enc.0, &self.public)
        })?;
        let (key, nonce) = key_schedule(self.suite, &shared, info)?;
        let mut text = Zeroizing::new(sealed.ciphertext.0.clone());
        let length = key
            .open_in_place(nonce, Aad::from(aad), &mut text)
            .map_err(|_| SealError::Open)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

/// Seals a message to a public key (RFC 9180 §6.1, `SealBase`).
pub fn seal(
    suite: Suite,
    recipient: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: Zeroizing<Vec<u8>>,
) -> Result<Sealed, SealError> {
    Sealer::agree(suite, recipient, info)?.seal(aad, plaintext)
}

/// A key agreed with a recipient, for one message. Whether the recipient's key is any good shows when this is made,
/// so make it before anything happens that the message shall tell of.
pub struct Sealer {
    suite: Suite,
    enc: Vec<u8>,
    key: LessSafeKey,
    nonce: Nonce,
}

impl core::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sealer")
            .field("suite", &self.suite)
            .finish_non_exhaustive()
    }
}

impl Sealer {
    /// Agrees with the recipient by a fresh key (RFC 9180 §5.1.1, `SetupBaseS`).
    pub fn agree(suite: Suite, recipient: &[u8], info: &[u8]) -> Result<Self, SealError> {
        let ephemeral = PrivateKey::generate(suite.curve()).map_err(|_| SealError::Library)?;
        Self::with(OpeningKey::new(suite, ephemeral)?, recipient, info)
    }

    fn with(ephemeral: OpeningKey, recipient: &[u8], info: &[u8]) -> Result<Self, SealError> {
        let suite = ephemeral.suite;
        let shared = agree(suite, &ephemeral.private, recipient, |dh| {
            shared_secret(suite, dh, &ephemeral.public, recipient)
        })?;
        let (key, nonce) = key_schedule(suite, &shared, info)?;
        Ok(Self {
            suite,
            enc: ephemeral.public,
            key,
            nonce,
        })
    }

    /// Seals the one message.
    pub fn seal(self, aad: &[u8], mut plaintext: Zeroizing<Vec<u8>>) -> Result<Sealed, SealError> {
        let tag = self
            .key
            .seal_in_place_separate_tag(self.nonce, Aad::from(aad), &mut plaintext)
            .map_err(|_| SealError::Library)?;
        // From here on the buffer holds ciphertext, so it may leave its wiping wrapper.
        let mut ciphertext = core::mem::take(&mut *plaintext);
        ciphertext.extend_from_slice(tag.as_ref());
        Ok(Sealed {
            suite: self.suite,
            enc: Base64Url(self.enc),
            ciphertext: Base64Url(ciphertext),
        })
    }
}

impl Suite {
    /// Length of a public key, bytes.
    pub fn public_key_length(self) -> usize {
        match self {
            Self::X25519 => 32,
            Self::P256 => 65,
        }
    }

    fn curve(self) -> &'static agreement::Algorithm {
        match self {
            Self::X25519 => &agreement::X25519,
            Self::P256 => &agreement::ECDH_P256,
        }
    }

    fn kem_id(self) -> [u8; 5] {
        match self {
            Self::X25519 => *b"KEM\x00\x20",
            Self::P256 => *b"KEM\x00\x10",
        }
    }

    fn hpke_id(self) -> [u8; 10] {
        match self {
            Self::X25519 => *b"HPKE\x00\x20\x00\x01\x00\x01",
            Self::P256 => *b"HPKE\x00\x10\x00\x01\x00\x01",
        }
    }
}

/// Diffie-Hellman; the library validates the peer's point and refuses an all-zero X25519 result.
fn agree(
    suite: Suite,
    private: &PrivateKey,
    peer: &[u8],
    kdf: impl FnOnce(&[u8]) -> Zeroizing<[u8; 32]>,
) -> Result<Zeroizing<[u8; 32]>, SealError> {
    if peer.len() != suite.public_key_length() {
        return Err(SealError::PublicKey);
    }
    agreement::agree(
        private,
        UnparsedPublicKey::new(suite.curve(), peer),
        SealError::PublicKey,
        |dh| Ok(kdf(dh)),
    )
}

/// `ExtractAndExpand` (RFC 9180 §4.1).
fn shared_secret(suite: Suite, dh: &[u8], enc: &[u8], recipient: &[u8]) -> Zeroizing<[u8; 32]> {
    let id = suite.kem_id();
    let prk = labeled_extract(&id, b"", b"eae_prk", dh);
    labeled_expand(&id, &prk, b"shared_secret", &[enc, recipient].concat())
}

/// `KeySchedule` for base mode (RFC 9180 §5.1): the first key and nonce, which a single shot uses once.
fn key_schedule(
    suite: Suite,
    shared: &[u8; 32],
    info: &[u8],
) -> Result<(LessSafeKey, Nonce), SealError> {
    let id = suite.hpke_id();
    let psk_id_hash = labeled_extract(&id, b"", b"psk_id_hash", b"");
    let info_hash = labeled_extract(&id, b"", b"info_hash", info);
    let context = [[0].as_slice(), &*psk_id_hash, &*info_hash].concat();
    let secret = labeled_extract(&id, shared, b"secret", b"");
    let key: Zeroizing<[u8; 16]> = labeled_expand(&id, &secret, b"key", &context);
    let nonce: Zeroizing<[u8; 12]> = labeled_expand(&id, &secret, b"base_nonce", &context);
    let key = UnboundKey::new(&AES_128_GCM, &*key).map_err(|_| SealError::Library)?;
    Ok((LessSafeKey::new(key), Nonce::assume_unique_for_key(*nonce)))
}

fn labeled_extract(id: &[u8], salt: &[u8], label: &[u8], ikm: &[u8]) -> Zeroizing<[u8; 32]> {
    hmac_sha256(salt, &[b"HPKE-v1", id, label, ikm])
}

/// `LabeledExpand` for outputs of at most one hash: one round of HKDF-Expand (RFC 5869 §2.3).
fn labeled_expand<const N: usize>(
    id: &[u8],
    prk: &[u8; 32],
    label: &[u8],
    info: &[u8],
) -> Zeroizing<[u8; N]>
where
    [u8; N]: Zeroize,
{
    const { assert!(N <= 32, "one round of HKDF-Expand gives 32 bytes") };
    let length = u16::try_from(N).unwrap_or_default().to_be_bytes();
    let block = hmac_sha256(prk, &[&length, b"HPKE-v1", id, label, info, &[1]]);
    let mut output = Zeroizing::new([0; N]);
    for (to, from) in output.iter_mut().zip(block.iter()) {
        *to = *from;
    }
    output
}

fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut output = Zeroizing::new([0; 32]);
    for (to, from) in output.iter_mut().zip(context.sign().as_ref()) {
        *to = *from;
    }
    output
}

#[cfg(test)]
mod tests {
    use hpke::{Deserializable as _, Serializable as _};

    use super::*;

    struct Vector {
        suite: Suite,
        ephemeral: &'static str,
        recipient: &'static str,
        enc: &'static str,
        ciphertext: &'static str,
    }

    /// RFC 9180 appendices A.1.1 and A.3.1, sequence number 0.
    const VECTORS: [Vector; 2] = [
        Vector {
            suite: Suite::X25519,
            ephemeral: "52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736",
            recipient: "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
            enc: "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
            ciphertext: "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a",
        },
        Vector {
            suite: Suite::P256,
            ephemeral: "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb",
            recipient: "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2",
            enc: "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4",
            ciphertext: "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434",
        },
    ];
    const INFO: &str = "4f6465206f6e2061204772656369616e2055726e";
    const AAD: &str = "436f756e742d30";
    const PLAINTEXT: &str = "4265617574792069732074727574682c20747275746820626561757479";

    fn unhex(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    fn opening_key(suite: Suite, private: &str) -> OpeningKey {
        let private = PrivateKey::from_private_key(suite.curve(), &unhex(private)).unwrap();
        OpeningKey::new(suite, private).unwrap()
    }

    #[test]
    fn agrees_with_rfc_9180() {
        for vector in VECTORS {
            let recipient = opening_key(vector.suite, vector.recipient);
            let ephemeral = opening_key(vector.suite, vector.ephemeral);
            let agreed = Sealer::with(ephemeral, recipient.public_key(), &unhex(INFO)).unwrap();
            let plaintext = Zeroizing::new(unhex(PLAINTEXT));
            let sealed = agreed.seal(&unhex(AAD), plaintext).unwrap();
            assert_eq!(sealed.enc.0, unhex(vector.enc));
            assert_eq!(hex::encode(&sealed.ciphertext.0), vector.ciphertext);
            let opened = recipient.open(&sealed, &unhex(INFO), &unhex(AAD)).unwrap();
            assert_eq!(*opened, unhex(PLAINTEXT));
        }
    }

    fn interoperates<Kem: hpke::Kem>(suite: Suite) {
        use hpke::{OpModeR, OpModeS, aead::AesGcm128, kdf::HkdfSha256};
        // Ours seals, theirs opens.
        let (private, public) = Kem::derive_keypair(&[9; 64]);
        let sealed = seal(
            suite,
            &public.to_bytes(),
            b"i",
            b"a",
            Zeroizing::new(b"hello".to_vec()),
        )
        .unwrap();
        let enc = Kem::EncappedKey::from_bytes(&sealed.enc.0).unwrap();
        let opened = hpke::single_shot_open::<AesGcm128, HkdfSha256, Kem>(
            &OpModeR::Base,
            &private,
            &enc,
            b"i",
            &sealed.ciphertext.0,
            b"a",
        )
        .unwrap();
        assert_eq!(opened, b"hello");
        // Theirs seals, ours opens.
        let key = OpeningKey::generate(suite).unwrap();
        let public = Kem::PublicKey::from_bytes(key.public_key()).unwrap();
        let (enc, ciphertext) = hpke::single_shot_seal::<AesGcm128, HkdfSha256, Kem>(
            &OpModeS::Base,
            &public,
            b"i",
            b"hello",
            b"a",
        )
        .unwrap();
        let sealed = Sealed {
            suite,
            enc: Base64Url(enc.to_bytes().to_vec()),
            ciphertext: Base64Url(ciphertext),
        };
        assert_eq!(*key.open(&sealed, b"i", b"a").unwrap(), b"hello");
    }

    #[test]
    fn agrees_with_an_independent_implementation() {
        interoperates::<hpke::kem::X25519HkdfSha256>(Suite::X25519);
        interoperates::<hpke::kem::DhP256HkdfSha256>(Suite::P256);
    }

    #[test]
    fn every_input_is_bound() {
        for suite in [Suite::X25519, Suite::P256] {
            let key = OpeningKey::generate(suite).unwrap();
            let other = OpeningKey::generate(suite).unwrap();
            let sealed = seal(
                suite,
                key.public_key(),
                b"info",
                b"aad",
                Zeroizing::new(b"s".to_vec()),
            )
            .unwrap();
            assert!(key.open(&sealed, b"info", b"aad").is_ok());
            assert_eq!(
                key.open(&sealed, b"infO", b"aad").unwrap_err(),
                SealError::Open
            );
            assert_eq!(
                key.open(&sealed, b"info", b"aaD").unwrap_err(),
                SealError::Open
            );
            assert_eq!(
                other.open(&sealed, b"info", b"aad").unwrap_err(),
                SealError::Open
            );
            let mut altered = sealed;
            altered.ciphertext.0[0] ^= 1;
            assert_eq!(
                key.open(&altered, b"info", b"aad").unwrap_err(),
                SealError::Open
            );
        }
    }

    #[test]
    fn bad_points_are_refused() {
        let plain = || Zeroizing::new(Vec::new());
        // Not on the curve, infinity, compressed, wrong length; X25519's all-zero low-order point.
        for point in [vec![4; 65], vec![0], vec![2; 33], vec![4; 64]] {
            assert_eq!(
                seal(Suite::P256, &point, b"", b"", plain()).unwrap_err(),
                SealError::PublicKey
            );
        }
        for point in [vec![0; 32], vec![9; 31]] {
            assert_eq!(
                seal(Suite::X25519, &point, b"", b"", plain()).unwrap_err(),
                SealError::PublicKey
            );
        }
    }
}
