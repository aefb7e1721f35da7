//! JWE around JWS, opened with the keys of the Play Console.
//!
//! Decides one algorithm for each step and refuses everything else before any cryptography: `zip`, `crit`,
//! PBES2 with its iteration counts, short tags, keys of another length. The outer layer proves nothing
//! about origin, whoever can decrypt can also encrypt; only the signature inside does.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::fmt;
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo};
use zeroize::Zeroizing;

use super::MAX_TOKEN_BYTES;
use crate::x509::IssuerKey;
use crate::{Reject, strict_json};

/// The two keys of an app's "response encryption". Prints nothing and wipes itself.
#[derive(Clone)]
pub struct PlayKeys {
    decryption: Zeroizing<[u8; 32]>,
    /// Uncompressed P-256 point.
    verification: Vec<u8>,
}

/// Bytes that cannot be the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlayKeyError {
    /// Not 32 bytes. The two keys are easily mixed up.
    #[error("the decryption key has 32 bytes (is this the verification key?)")]
    Decryption,
    /// Not a P-256 `SubjectPublicKeyInfo`.
    #[error("the verification key is a P-256 SubjectPublicKeyInfo in DER")]
    Verification,
}

impl PlayKeys {
    /// From the decoded base64 of the Play Console.
    pub fn new(decryption: &[u8], verification_spki: &[u8]) -> Result<Self, PlayKeyError> {
        let decryption = decryption
            .try_into()
            .map_err(|_| PlayKeyError::Decryption)?;
        let Ok((&[], spki)) = SubjectPublicKeyInfo::from_der(verification_spki) else {
            return Err(PlayKeyError::Verification);
        };
        let key = IssuerKey::of(&spki);
        let point = key.as_ref().and_then(|key| key.p256_point());
        Ok(Self {
            decryption: Zeroizing::new(decryption),
            verification: point.ok_or(PlayKeyError::Verification)?.to_vec(),
        })
    }
}

impl fmt::Debug for PlayKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlayKeys([redacted])")
    }
}

/// The signed verdict inside a token.
pub(super) fn open(token: &str, keys: &PlayKeys) -> Result<Vec<u8>, Reject> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Reject::TokenFormat);
    }
    let signed = decrypt(token, keys)?;
    authenticate(&signed, keys)
}

fn decode(part: &str) -> Result<Vec<u8>, base64::DecodeError> {
    URL_SAFE_NO_PAD.decode(part)
}

fn header(part: &str) -> Option<Map<String, Value>> {
    match strict_json::parse(&decode(part).ok()?) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

/// RFC 7516 section 5.2 with `A256KW` and `A256GCM`, and nothing else in the header that could change the
/// meaning.
fn decrypt(token: &str, keys: &PlayKeys) -> Result<Vec<u8>, Reject> {
    // One more than there may be, not one for each dot that a stranger wrote.
    let parts: Vec<&str> = token.splitn(6, '.').collect();
    let [protected, encrypted_key, iv, ciphertext, tag] = parts.as_slice() else {
        return Err(Reject::TokenFormat);
    };
    let part = |text: &str| decode(text).map_err(|_| Reject::TokenFormat);
    let (encrypted_key, iv) = (part(encrypted_key)?, part(iv)?);
    let (ciphertext, tag) = (part(ciphertext)?, part(tag)?);
    part(protected)?;
    let header = header(protected).ok_or(Reject::JweUndecryptable)?;
    let wanted =
        header.get("alg") == Some(&"A256KW".into()) && header.get("enc") == Some(&"A256GCM".into());
    if !wanted || header.contains_key("zip") || header.contains_key("crit") {
        return Err(Reject::JweAlgorithm);
    }
    // 32 bytes and eight of integrity; libraries that take less also take an empty key.
    let iv: [u8; 12] = iv.try_into().map_err(|_| Reject::JweUndecryptable)?;
    if encrypted_key.len() != 40 || tag.len() != 16 {
        return Err(Reject::JweUndecryptable);
    }
    let opened = || {
        let mut content_key = Zeroizing::new([0_u8; 32]);
        let unwrapping = AesKek::new(&AES_256, keys.decryption.as_slice())?;
        if unwrapping
            .unwrap(&encrypted_key, content_key.as_mut_slice())?
            .len()
            != 32
        {
            return Err(aws_lc_rs::error::Unspecified);
        }
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, content_key.as_slice())?);
        let mut sealed = [ciphertext, tag].concat();
        let aad = Aad::from(protected.as_bytes());
        let plain = key.open_in_place(Nonce::assume_unique_for_key(iv), aad, &mut sealed)?;
        Ok(plain.to_vec())
    };
    opened().map_err(|_| Reject::JweUndecryptable)
}

/// RFC 7515 section 5.2 with `ES256`; keys that the token brings along are nobody's.
pub(super) fn authenticate(signed: &[u8], keys: &PlayKeys) -> Result<Vec<u8>, Reject> {
    let text = std::str::from_utf8(signed).map_err(|_| Reject::JwsMalformed)?;
    let (message, signature) = text.rsplit_once('.').ok_or(Reject::JwsMalformed)?;
    let (protected, payload) = message.split_once('.').ok_or(Reject::JwsMalformed)?;
    if payload.contains('.') {
        return Err(Reject::JwsMalformed);
    }
    let header = header(protected).ok_or(Reject::JwsMalformed)?;
    let plain = !header.contains_key("crit") && !header.contains_key("b64");
    if header.get("alg") != Some(&"ES256".into()) || !plain {
        return Err(Reject::JwsAlgorithm);
    }
    let signature = decode(signature).map_err(|_| Reject::JwsSignatureInvalid)?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &keys.verification)
        .verify(message.as_bytes(), &signature)
        .map_err(|_| Reject::JwsSignatureInvalid)?;
    decode(payload).map_err(|_| Reject::JwsMalformed)
}
