//! Keys that speak for an app at an authorization server, and the short JWTs they sign.
//!
//! Two kinds: a client key of one upstream (`private_key_jwt`; P-256 or RSA, made here or imported) and the account's
//! attester key, which signs client attestations and software statements and nothing that an API would take. Every
//! signature for an instance demands a [`Grant`] (law 2).

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use aws_lc_rs::{digest, hmac};
use bonafide_evidence::Grant;
use bonafide_wire::bytes;
use bonafide_wire::secret::SecretText;
use bonafide_wire::token::Jwk;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;
use x509_parser::prelude::FromDer as _;
use zeroize::Zeroizing;

use super::KeyError;

/// RSA keys of these sizes are taken, bytes of the modulus.
const RSA_BYTES: core::ops::RangeInclusive<usize> = 256..=512;

/// What somebody wants to import is no key for this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImportReject {
    /// Not one PEM private key.
    #[error("is not a PEM private key (PKCS#8, SEC 1 or PKCS#1)")]
    NotPem,
    /// A key of another kind or size.
    #[error("must be a P-256 key, or an RSA key of 2048 to 4096 bits")]
    Kind,
}

/// An opened key.
enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

/// A key that signs JWTs for authorization servers, opened.
pub struct ClientSigner {
    kid: String,
    pair: Pair,
}

/// What a key is outside: its public half as JWK, its private half to be sealed.
pub(super) struct NewClientKey {
    /// With `kid`, `alg` and `use`.
    pub(super) jwk: serde_json::Value,
    /// RFC 7638 thumbprint.
    pub(super) kid: String,
    /// PKCS#8.
    pub(super) private: Zeroizing<Vec<u8>>,
}

impl core::fmt::Debug for ClientSigner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ClientSigner")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// A new P-256 key.
pub(super) fn generate() -> Result<NewClientKey, KeyError> {
    let (point, private) = super::signing::generate()?;
    let jwk = Jwk::from_point(&point).ok_or(KeyError::NotAKey)?;
    Ok(NewClientKey {
        kid: jwk.kid.clone(),
        jwk: serde_json::to_value(jwk).map_err(|_| KeyError::Library)?,
        private,
    })
}

/// Takes over a key that somebody made elsewhere.
pub(super) fn import(pem: &SecretText) -> Result<NewClientKey, ImportReject> {
    let der =
        PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).map_err(|_| ImportReject::NotPem)?;
    let ec = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_der())
        .or_else(|_| EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_der()));
    if let Ok(pair) = ec {
        let jwk = Jwk::from_point(pair.public_key().as_ref()).ok_or(ImportReject::Kind)?;
        let private = pair.to_pkcs8v1().map_err(|_| ImportReject::Kind)?;
        return Ok(NewClientKey {
            kid: jwk.kid.clone(),
            jwk: serde_json::to_value(jwk).map_err(|_| ImportReject::Kind)?,
            private: Zeroizing::new(private.as_ref().to_vec()),
        });
    }
    let pair = RsaKeyPair::from_pkcs8(der.secret_der())
        .or_else(|_| RsaKeyPair::from_der(der.secret_der()))
        .map_err(|_| ImportReject::Kind)?;
    import_rsa(&pair).ok_or(ImportReject::Kind)
}

fn import_rsa(pair: &RsaKeyPair) -> Option<NewClientKey> {
    if !RSA_BYTES.contains(&pair.public_modulus_len()) {
        return None;
    }
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
    let (_, spki) = x509_parser::x509::SubjectPublicKeyInfo::from_der(spki.as_ref()).ok()?;
    let x509_parser::public_key::PublicKey::RSA(public) = spki.parsed().ok()? else {
        return None;
    };
    let unsigned = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        bytes::encode(number.get(zeros..).unwrap_or_default())
    };
    let (n, e) = (unsigned(public.modulus), unsigned(public.exponent));
    let canonical = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
    let kid = bytes::encode(digest::digest(&digest::SHA256, canonical.as_bytes()));
    let private: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    Some(NewClientKey {
        jwk: serde_json::json!({
            "kty": "RSA", "n": n, "e": e, "alg": "RS256", "use": "sig", "kid": kid,
        }),
        kid,
        private: Zeroizing::new(private.as_ref().to_vec()),
    })
}

impl ClientSigner {
    pub(super) fn new(kid: &str, private: &[u8]) -> Result<Self, KeyError> {
        let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private);
        let pair = match ec {
            Ok(pair) => Pair::Es256(pair),
            Err(_) => RsaKeyPair::from_pkcs8(private)
                .map(Pair::Rs256)
                .map_err(|_| KeyError::NotAKey)?,
        };
        Ok(Self {
            kid: kid.to_owned(),
            pair,
        })
    }

    /// Its RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs claims for an instance that was allowed, under the given `typ`.
    pub fn sign<C: Serialize>(
        &self,
        _grant: &Grant,
        typ: &str,
        claims: &C,
    ) -> Result<SecretText, KeyError> {
        let alg = match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::Rs256(_) => "RS256",
        };
        let header = Header {
            alg,
            typ,
            kid: Some(&self.kid),
        };
        let input = signing_input(&header, claims)?;
        let signature = self.signature(input.as_bytes())?;
        Ok(assemble(&input, &signature))
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Es256(pair) => pair
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| KeyError::Library),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| KeyError::Library)?;
                Ok(signature)
            }
        }
    }
}

/// Authenticates claims with a client secret (`client_secret_jwt`, HS256) for an instance that was allowed.
pub fn authenticate_with_secret<C: Serialize>(
    _grant: &Grant,
    secret: &SecretText,
    claims: &C,
) -> Result<SecretText, KeyError> {
    let header = Header {
        alg: "HS256",
        typ: "JWT",
        kid: None,
    };
    let input = signing_input(&header, claims)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mac = hmac::sign(&key, input.as_bytes());
    Ok(assemble(&input, mac.as_ref()))
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

fn signing_input<C: Serialize>(header: &Header<'_>, claims: &C) -> Result<String, KeyError> {
    let encoded =
        |json: serde_json::Result<Vec<u8>>| json.map(bytes::encode).map_err(|_| KeyError::Library);
    let header = encoded(serde_json::to_vec(header))?;
    let claims = encoded(serde_json::to_vec(claims))?;
    Ok(format!("{header}.{claims}"))
}

fn assemble(input: &str, signature: &[u8]) -> SecretText {
    SecretText::new(bonafide_wire::token::assemble(input, signature))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
        VerificationAlgorithm,
    };

    use super::*;

    fn pem(label: &str, der: &[u8]) -> SecretText {
        use base64::Engine as _;
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        SecretText::new(format!(
            "-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"
        ))
    }

    fn signs(key: &NewClientKey, algorithm: &'static dyn VerificationAlgorithm, public: &[u8]) {
        let signer = ClientSigner::new(&key.kid, &key.private).unwrap();
        let signature = signer.signature(b"message").unwrap();
        UnparsedPublicKey::new(algorithm, public)
            .verify(b"message", &signature)
            .unwrap();
    }

    #[test]
    fn keys_of_every_usual_spelling_are_imported_and_sign() {
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let pkcs8 = pem("PRIVATE KEY", ec.to_pkcs8v1().unwrap().as_ref());
        let sec1: aws_lc_rs::encoding::EcPrivateKeyRfc5915Der<'_> =
            ec.private_key().as_der().unwrap();
        for pem in [pkcs8, pem("EC PRIVATE KEY", sec1.as_ref())] {
            let key = import(&pem).unwrap();
            assert_eq!(key.jwk["alg"], "ES256");
            signs(&key, &ECDSA_P256_SHA256_FIXED, ec.public_key().as_ref());
        }
        let rsa = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let pkcs8: Pkcs8V1Der<'_> = rsa.as_der().unwrap();
        let key = import(&pem("PRIVATE KEY", pkcs8.as_ref())).unwrap();
        assert_eq!(key.jwk["alg"], "RS256");
        assert_eq!(key.jwk["e"], "AQAB");
        assert_eq!(key.jwk["kid"], key.kid.as_str());
        signs(&key, &RSA_PKCS1_2048_8192_SHA256, rsa.public_key().as_ref());
    }

    #[test]
    fn other_keys_are_refused() {
        let p384 = EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING)
            .unwrap()
            .to_pkcs8v1()
            .unwrap();
        let cases = [
            (pem("PRIVATE KEY", p384.as_ref()), ImportReject::Kind),
            (pem("PRIVATE KEY", b"nonsense"), ImportReject::Kind),
            (
                SecretText::new("no PEM at all".to_owned()),
                ImportReject::NotPem,
            ),
        ];
        for (pem, expected) in cases {
            assert_eq!(import(&pem).err(), Some(expected));
        }
    }
}
