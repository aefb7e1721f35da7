//! JWTs that this client makes: built here, signed elsewhere.
//!
//! The key may live in hardware behind an asynchronous call, so a JWT is first an [`UnsignedJwt`] whose
//! [`UnsignedJwt::signing_input`] goes to the key, then a text. Which claims belong in, the callers decide.

use serde::Serialize;

use crate::encoding::base64url;
use crate::secret::SecretText;

/// A JWT that lacks its signature.
#[derive(Debug, Clone)]
pub struct UnsignedJwt {
    input: SecretText,
}

/// A signature that is not one of ES256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key's signature is not an ECDSA P-256 signature")]
pub struct SignatureReject;

impl UnsignedJwt {
    pub(crate) fn new(header: &impl Serialize, claims: &impl Serialize) -> Self {
        let part = |json: Vec<u8>| base64url(json);
        let header = part(serde_json::to_vec(header).unwrap_or_default());
        let claims = part(serde_json::to_vec(claims).unwrap_or_default());
        Self {
            input: SecretText::new(format!("{header}.{claims}")),
        }
    }

    /// The bytes to sign with ECDSA P-256 and SHA-256.
    pub fn signing_input(&self) -> &[u8] {
        self.input.expose().as_bytes()
    }

    /// With a signature as JOSE has it: `r` and `s`, 32 bytes each.
    pub fn signed_fixed(&self, signature: &[u8]) -> Result<SecretText, SignatureReject> {
        if signature.len() == 64 {
            Ok(self.with(signature))
        } else {
            Err(SignatureReject)
        }
    }

    /// With a signature as key stores give it: ASN.1 DER.
    pub fn signed_der(&self, signature: &[u8]) -> Result<SecretText, SignatureReject> {
        fixed_from_der(signature)
            .map(|signature| self.with(&signature))
            .ok_or(SignatureReject)
    }

    pub(crate) fn with(&self, signature: &[u8]) -> SecretText {
        SecretText::new(format!("{}.{}", self.input.expose(), base64url(signature)))
    }
}

/// `SEQUENCE { INTEGER r, INTEGER s }` to `r || s`.
fn fixed_from_der(der: &[u8]) -> Option<[u8; 64]> {
    let (&[0x30, length], body) = der.split_first_chunk()? else {
        return None;
    };
    if usize::from(length) != body.len() {
        return None;
    }
    let (r, rest) = integer(body)?;
    let (s, rest) = integer(rest)?;
    if !rest.is_empty() {
        return None;
    }
    let mut fixed = [0_u8; 64];
    let (first, second) = fixed.split_at_mut(32);
    first.copy_from_slice(&r);
    second.copy_from_slice(&s);
    Some(fixed)
}

/// A positive INTEGER of at most 32 bytes in its shortest form, padded to 32.
fn integer(der: &[u8]) -> Option<([u8; 32], &[u8])> {
    let (&[0x02, length], rest) = der.split_first_chunk()? else {
        return None;
    };
    let (value, rest) = rest.split_at_checked(usize::from(length))?;
    let magnitude = match value {
        [] => return None,
        [0, next @ ..] if next.first().is_some_and(|byte| byte & 0x80 != 0) => next,
        [first, ..] if first & 0x80 != 0 || *first == 0 => return None,
        value => value,
    };
    let mut padded = [0_u8; 32];
    let start = padded.len().checked_sub(magnitude.len())?;
    padded.get_mut(start..)?.copy_from_slice(magnitude);
    Some((padded, rest))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED, EcdsaKeyPair, KeyPair as _,
        UnparsedPublicKey,
    };
    use serde_json::json;

    use super::*;
    use crate::encoding::read_base64url;

    #[test]
    fn a_key_stores_der_signature_becomes_the_jose_form() {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref());
        // Often enough to meet integers with and without padding.
        for number in 0..64 {
            let jwt = UnsignedJwt::new(&json!({"alg": "ES256"}), &json!({ "n": number }));
            let der = key.sign(&SystemRandom::new(), jwt.signing_input()).unwrap();
            let signed = jwt.signed_der(der.as_ref()).unwrap();
            let (input, signature) = signed.expose().rsplit_once('.').unwrap();
            let signature = read_base64url(signature).unwrap();
            public.verify(input.as_bytes(), &signature).unwrap();
        }
    }

    #[test]
    fn integers_are_positive_short_and_complete() {
        let good = [0x30, 6, 2, 1, 1, 2, 1, 2];
        assert!(fixed_from_der(&good).is_some());
        for bad in [
            &[0x30, 6, 2, 1, 1, 2, 1][..],
            &[0x30, 7, 2, 1, 1, 2, 1, 2, 0],
            &[0x31, 6, 2, 1, 1, 2, 1, 2],
            &[0x30, 6, 2, 1, 0x80, 2, 1, 2],
            &[0x30, 7, 2, 2, 0, 1, 2, 1, 2],
            &[0x30, 5, 2, 0, 2, 1, 2],
            &[0x30, 6, 2, 1, 0, 2, 1, 2],
            &[],
        ] {
            assert_eq!(fixed_from_der(bad), None, "{bad:?}");
        }
        let jwt = UnsignedJwt::new(&json!({}), &json!({}));
        assert_eq!(jwt.signed_fixed(&[0; 63]).err(), Some(SignatureReject));
        assert_eq!(jwt.signed_der(&[0x30; 72]).err(), Some(SignatureReject));
    }
}
