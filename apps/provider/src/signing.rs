//! The key that signs ID tokens (RS256, as Google does), made for this run.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use serde_json::{Value, json};

use crate::secret::{base64url, sha256};

/// An RSA key and its public name.
pub(crate) struct SigningKey {
    pair: KeyPair,
    modulus: String,
    exponent: String,
    id: String,
}

impl SigningKey {
    /// A new key of 2048 bits.
    pub(crate) fn generate() -> Option<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
        let (modulus, exponent) = numbers(pair.public_key().as_ref())?;
        let id = base64url(sha256(modulus.as_bytes()));
        Some(Self {
            pair,
            modulus,
            exponent,
            id,
        })
    }

    /// The published key set.
    pub(crate) fn jwks(&self) -> Value {
        json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256",
            "kid": self.id, "n": self.modulus, "e": self.exponent,
        }]})
    }

    /// A compact JWS.
    pub(crate) fn sign(&self, claims: &Value) -> Option<String> {
        let header = json!({"alg": "RS256", "kid": self.id, "typ": "JWT"});
        let input = format!(
            "{}.{}",
            base64url(header.to_string()),
            base64url(claims.to_string())
        );
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                input.as_bytes(),
                &mut signature,
            )
            .ok()?;
        Some(format!("{input}.{}", base64url(signature)))
    }
}

/// Modulus and exponent of the PKCS #1 `RSAPublicKey` of a 2048-bit key:
/// `30 82 LL LL 02 82 01 01 00 <256 bytes> 02 03 <3 bytes>`.
fn numbers(der: &[u8]) -> Option<(String, String)> {
    let modulus = der.get(9..265)?;
    let exponent = der.get(267..270).filter(|_| der.len() == 270)?;
    Some((base64url(modulus), base64url(exponent)))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::PublicKeyComponents;
    use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn what_it_signs_verifies_by_what_it_publishes() {
        let key = SigningKey::generate().unwrap();
        let token = key.sign(&json!({"sub": "1"})).unwrap();
        let (input, signature) = token.rsplit_once('.').unwrap();
        let jwks = key.jwks();
        let part = |name: &str| URL_SAFE_NO_PAD.decode(jwks["keys"][0][name].as_str().unwrap());
        let public = PublicKeyComponents {
            n: part("n").unwrap(),
            e: part("e").unwrap(),
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        public
            .verify(&RSA_PKCS1_2048_8192_SHA256, input.as_bytes(), &signature)
            .unwrap();
    }
}
