//! ES256 signing: attestation tokens and trust metadata.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use bonafide_evidence::{Grant, GrantStatus};
use bonafide_wire::token::{self, Claims, EarStatus};
use zeroize::Zeroizing;

use super::KeyError;

/// A new key: its uncompressed point and its private half as PKCS#8.
pub(super) fn generate() -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), KeyError> {
    let pair =
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| KeyError::Library)?;
    let private = pair.to_pkcs8v1().map_err(|_| KeyError::Library)?;
    Ok((
        pair.public_key().as_ref().to_vec(),
        Zeroizing::new(private.as_ref().to_vec()),
    ))
}

/// The RFC 7638 thumbprint of an uncompressed point.
pub(super) fn thumbprint(point: &[u8]) -> Result<String, KeyError> {
    token::Jwk::from_point(point)
        .map(|jwk| jwk.kid)
        .ok_or(KeyError::NotAKey)
}

/// An opened private key.
pub(super) struct SigningPair(EcdsaKeyPair);

impl SigningPair {
    pub(super) fn from_pkcs8(private: &[u8]) -> Result<Self, KeyError> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private)
            .map(Self)
            .map_err(|_| KeyError::NotAKey)
    }

    /// 64 bytes, `r` then `s`.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.0
            .sign(&SystemRandom::new(), message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| KeyError::Library)
    }
}

/// A key that signs attestation tokens, opened.
pub struct TokenSigner {
    kid: String,
    pair: SigningPair,
}

impl core::fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TokenSigner")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl TokenSigner {
    pub(super) fn new(kid: &str, private: &[u8]) -> Result<Self, KeyError> {
        Ok(Self {
            kid: kid.to_owned(),
            pair: SigningPair::from_pkcs8(private)?,
        })
    }

    /// Its RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs an attestation token for an instance that was allowed (laws 2 and 5). What the token says of
    /// the verdict is taken from the grant, whatever the claims said.
    pub fn sign_token(&self, grant: &Grant, mut claims: Claims) -> Result<String, KeyError> {
        claims.development = grant.development();
        claims.ear_status = match grant.status() {
            GrantStatus::Affirming => EarStatus::Affirming,
            GrantStatus::Warning => EarStatus::Warning,
        };
        let input = token::signing_input(&self.kid, &claims).map_err(|_| KeyError::Library)?;
        Ok(token::assemble(&input, &self.pair.sign(input.as_bytes())?))
    }
}
