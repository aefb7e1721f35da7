//! Compact JWS as clients send them: ES256 and HS256, and no third algorithm.
//!
//! Reads what is there and checks signatures under keys that the caller names; what the claims mean is the caller's
//! business.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::secret::{base64url, sha256};

const MOST_BYTES: usize = 8 * 1024;

/// A JWS that was taken apart; its signature is still to be checked.
#[derive(Debug)]
pub(super) struct Jws<'a> {
    pub(super) header: Value,
    pub(super) claims: Value,
    input: &'a str,
    signature: Vec<u8>,
}

/// A P-256 public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    point: Vec<u8>,
    /// RFC 7638.
    pub(super) thumbprint: String,
}

impl<'a> Jws<'a> {
    /// Takes a text apart; `None` for what is no JWS of JSON objects.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        if text.len() > MOST_BYTES {
            return None;
        }
        let (input, signature) = text.rsplit_once('.')?;
        let (header, claims) = input.split_once('.')?;
        Some(Self {
            header: object(header)?,
            claims: object(claims)?,
            input,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// Whether the header says this type and ES256.
    pub(super) fn is_es256(&self, typ: &str) -> bool {
        self.header["typ"] == typ && self.header["alg"] == "ES256"
    }

    /// Whether the header says ES256, whatever the type.
    pub(super) fn says(&self, alg: &str) -> bool {
        self.header["alg"] == alg
    }

    pub(super) fn is_signed_by(&self, key: &PublicKey) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.point)
            .verify(self.input.as_bytes(), &self.signature)
            .is_ok()
    }

    /// Whether one of a key set's keys signed it; a `kid` narrows the choice.
    pub(super) fn is_signed_by_one_of(&self, jwks: &Value) -> bool {
        let kid = self.header["kid"].as_str();
        jwks["keys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|jwk| kid.is_none_or(|kid| jwk["kid"].as_str().is_none_or(|own| own == kid)))
            .filter_map(PublicKey::from_jwk)
            .any(|key| self.is_signed_by(&key))
    }

    pub(super) fn is_authenticated_by(&self, secret: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        hmac::verify(&key, self.input.as_bytes(), &self.signature).is_ok()
    }

    /// A claim that is a text, empty where it is not.
    pub(super) fn text(&self, claim: &str) -> &str {
        self.claims[claim].as_str().unwrap_or_default()
    }

    /// Whether `claim` is a time within `seconds` of `now`.
    pub(super) fn is_recent(&self, claim: &str, now: i64, seconds: i64) -> bool {
        self.claims[claim]
            .as_i64()
            .is_some_and(|at| now.abs_diff(at) <= seconds.unsigned_abs())
    }
}

fn object(part: &str) -> Option<Value> {
    let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
    value.is_object().then_some(value)
}

impl PublicKey {
    /// Reads a JWK of a P-256 public key. One that shows a private part is refused: its owner lost it.
    pub(super) fn from_jwk(jwk: &Value) -> Option<Self> {
        if jwk["kty"] != "EC" || jwk["crv"] != "P-256" || jwk.get("d").is_some() {
            return None;
        }
        let (x, y) = (jwk["x"].as_str()?, jwk["y"].as_str()?);
        let coordinate = |text: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            (bytes.len() == 32).then_some(bytes)
        };
        let point = [vec![4], coordinate(x)?, coordinate(y)?].concat();
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        Some(Self {
            point,
            thumbprint: base64url(sha256(canonical.as_bytes())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::testing::Key;
    use serde_json::json;

    #[test]
    fn a_signature_counts_under_its_own_key_only() {
        let (own, other) = (Key::new(), Key::new());
        let text = own.sign(&json!({"alg": "ES256", "typ": "t"}), &json!({"a": 1}));
        let jws = Jws::read(&text).unwrap();
        assert!(jws.is_es256("t") && !jws.is_es256("u"));
        for (jwk, good) in [(own.jwk(), true), (other.jwk(), false)] {
            assert_eq!(jws.is_signed_by(&PublicKey::from_jwk(&jwk).unwrap()), good);
            assert_eq!(jws.is_signed_by_one_of(&json!({ "keys": [jwk] })), good);
        }
        for text in ["", "a.b", "e30.e30", "e30.W10.AA", "x.e30.AA"] {
            assert!(Jws::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_key_that_shows_its_private_part_is_no_key() {
        let mut jwk = Key::new().jwk();
        assert!(PublicKey::from_jwk(&jwk).is_some());
        jwk["d"] = json!("AA");
        assert!(PublicKey::from_jwk(&jwk).is_none());
    }
}
