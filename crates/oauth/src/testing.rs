//! One good login in parts, for the tests of each step to break.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_SHA256,
};
use serde_json::{Value, json};
use url::Url;

use crate::authorize::{self, Authorization, AuthorizationWish, Client};
use crate::discovery::{Issuer, ServerMetadata};
use crate::dpop::{Binding, DpopKey, Proof, UnsignedProof};
use crate::encoding::base64url;
use crate::entropy::fixed::Counting;
use crate::id_token::IdTokenClaims;
use crate::jose::Algorithm;
use crate::jwks::Jwks;
use crate::redirect::Authorized;
use crate::redirect_uri::RedirectUri;
use crate::secret::SecretText;
use crate::time::UnixTime;
use crate::tokens::Tokens;

pub(crate) const ISSUER: &str = "https://as.example";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:5000/callback";
/// Wed, 25 Nov 2026 11:00:00 GMT
pub(crate) const NOW: UnixTime = UnixTime(1_795_604_400);

pub(crate) fn server() -> ServerMetadata {
    let url = |path: &str| Url::parse(&format!("{ISSUER}/{path}")).unwrap();
    ServerMetadata {
        issuer: Issuer::parse(ISSUER).unwrap(),
        authorization_endpoint: url("authorize"),
        token_endpoint: url("token"),
        jwks_uri: Some(url("jwks")),
        userinfo_endpoint: Some(url("userinfo")),
        revocation_endpoint: Some(url("revoke")),
        end_session_endpoint: None,
        pushed_authorization_request_endpoint: None,
        require_pushed_authorization_requests: false,
        challenge_endpoint: None,
        registration_endpoint: None,
        dpop_signing_alg_values_supported: None,
        authorization_response_iss_parameter_supported: true,
        code_challenge_methods_supported: Some(vec!["S256".to_owned()]),
        token_endpoint_auth_methods_supported: None,
        id_token_signing_alg_values_supported: Some(vec!["RS256".to_owned(), "ES256".to_owned()]),
    }
}

pub(crate) fn client() -> Client {
    Client {
        client_id: "books".to_owned(),
        redirect_uri: RedirectUri::parse(REDIRECT).unwrap(),
    }
}

pub(crate) fn wish() -> AuthorizationWish {
    AuthorizationWish {
        scope: vec!["openid".to_owned(), "email".to_owned()],
        binding: Binding::Bearer,
        extra: vec![("prompt".to_owned(), "select_account".to_owned())],
    }
}

pub(crate) fn begin() -> Authorization {
    authorize::begin(&server(), &client(), &wish(), &mut Counting::default()).unwrap()
}

pub(crate) fn authorized() -> Authorized {
    let pending = begin().pending;
    let state = pending.state.expose();
    let arrived = format!("{REDIRECT}?state={state}&iss=https%3A%2F%2Fas.example&code=4%2F0Acode");
    pending.receive(&arrived).unwrap()
}

pub(crate) fn tokens() -> Tokens {
    Tokens {
        issuer: Issuer::parse(ISSUER).unwrap(),
        client_id: "books".to_owned(),
        algorithms: Algorithm::ALL.to_vec(),
        nonce: begin().pending.nonce,
        binding: Binding::Bearer,
        id_token: Some(SecretText::new("id-1")),
        access_token: SecretText::new("access-1"),
        refresh_token: Some(SecretText::new("refresh-1")),
        scope: vec!["openid".to_owned()],
        expires_at: Some(NOW.plus(3600)),
        identity: Some(IdTokenClaims {
            subject: "user-1".to_owned(),
            issued_at: NOW.0,
            expires_at: NOW.0 + 3600,
            authenticated_at: None,
            email: None,
            name: None,
            given_name: None,
        }),
    }
}

/// Claims that belong to [`begin`].
pub(crate) fn login_claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "user-1", "aud": "books", "iat": NOW.0, "exp": NOW.0 + 3600,
        "nonce": begin().pending.nonce.expose(),
    })
}

/// A server's signing key.
pub(crate) struct Signer {
    id: String,
    key: Key,
}

enum Key {
    Ec(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl Signer {
    pub(crate) fn es256(id: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self {
            id: id.to_owned(),
            key: Key::Ec(key),
        }
    }

    pub(crate) fn rs256(id: &str) -> Self {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        Self {
            id: id.to_owned(),
            key: Key::Rsa(Box::new(key)),
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        match &self.key {
            Key::Ec(key) => {
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig",
                    "x": base64url(&point[1..33]), "y": base64url(&point[33..])})
            }
            Key::Rsa(key) => {
                let (modulus, exponent) = rsa_numbers(key.public_key().as_ref());
                json!({"kty": "RSA", "kid": self.id, "alg": "RS256",
                    "n": base64url(modulus), "e": base64url(exponent)})
            }
        }
    }

    pub(crate) fn jwks(&self) -> Jwks {
        Jwks::parse(json!({"keys": [self.jwk()]}).to_string().as_bytes()).unwrap()
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let algorithm = match self.key {
            Key::Ec(_) => "ES256",
            Key::Rsa(_) => "RS256",
        };
        let header = json!({"alg": algorithm, "typ": "JWT", "kid": self.id});
        self.sign_with_header(&header, claims)
    }

    pub(crate) fn sign_with_header(&self, header: &Value, claims: &Value) -> String {
        let input = format!(
            "{}.{}",
            base64url(header.to_string()),
            base64url(claims.to_string())
        );
        let signature = match &self.key {
            Key::Ec(key) => key
                .sign(&SystemRandom::new(), input.as_bytes())
                .unwrap()
                .as_ref()
                .to_vec(),
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    input.as_bytes(),
                    &mut signature,
                )
                .unwrap();
                signature
            }
        };
        format!("{input}.{}", base64url(signature))
    }
}

/// The two INTEGERs of a PKCS #1 `RSAPublicKey` of 2048 bits.
fn rsa_numbers(der: &[u8]) -> (&[u8], &[u8]) {
    // 30 82 LL LL  02 82 01 01 00 <256 bytes>  02 03 <3 bytes>
    (&der[9..265], &der[267..])
}

/// An instance's key, as a key store holds it: DER signatures.
pub(crate) struct InstanceKey(EcdsaKeyPair);

impl InstanceKey {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    pub(crate) fn public(&self) -> DpopKey {
        DpopKey::from_point(self.0.public_key().as_ref()).unwrap()
    }

    pub(crate) fn prove(&self, proof: UnsignedProof) -> Proof {
        let signature = self.0.sign(&SystemRandom::new(), proof.signing_input());
        proof.signed_der(signature.unwrap().as_ref()).unwrap()
    }
}
