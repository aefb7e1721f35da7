//! Client assertions (RFC 7523): one server, one use, sixty seconds.
//!
//! Whoever holds the key mints them: on rung 4 a service, never the device. The audience is a setting for each server
//! and is never taken from a request, because servers disagree about it (RFC 7523bis wants the issuer alone, others
//! only know their token endpoint).

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};

use crate::discovery::ServerMetadata;
use crate::entropy::{self, Entropy, EntropyFailed};
use crate::jwt::UnsignedJwt;
use crate::secret::SecretText;
use crate::time::UnixTime;

const LIFE_SECONDS: i64 = 60;
/// RFC 7518 §3.2: a key of at least the hash's length.
const LEAST_SECRET_BYTES: usize = 32;

/// What `aud` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AudiencePolicy {
    /// The issuer identifier alone.
    #[default]
    Issuer,
    /// The token endpoint alone.
    TokenEndpoint,
    /// Both, for servers that want either.
    Both,
}

/// An assertion that must not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionReject {
    /// A secret that can be guessed from one assertion.
    #[error("client_secret_jwt needs a secret of at least {LEAST_SECRET_BYTES} bytes")]
    SecretTooShort,
    /// No `jti`, no assertion.
    #[error(transparent)]
    Entropy(#[from] EntropyFailed),
}

impl AssertionReject {
    /// Stable text.
    pub fn code(self) -> &'static str {
        match self {
            Self::SecretTooShort => "assertion-secret-too-short",
            Self::Entropy(EntropyFailed) => "entropy-failed",
        }
    }
}

/// Who asserts, to whom, when.
#[derive(Debug, Clone, Copy)]
pub struct Assertion<'a> {
    /// The server.
    pub server: &'a ServerMetadata,
    /// Its setting.
    pub audience: AudiencePolicy,
    /// `iss` and `sub`.
    pub client_id: &'a str,
    /// Now.
    pub now: UnixTime,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: Audience<'a>,
    jti: String,
    iat: i64,
    exp: i64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Two([&'a str; 2]),
}

impl Assertion<'_> {
    /// `private_key_jwt`, to be signed with ES256 by the key of this id.
    pub fn for_key(
        &self,
        key_id: &str,
        entropy: &mut dyn Entropy,
    ) -> Result<UnsignedJwt, AssertionReject> {
        let header = Header {
            alg: "ES256",
            typ: "JWT",
            kid: Some(key_id),
        };
        Ok(UnsignedJwt::new(&header, &self.claims(entropy)?))
    }

    /// `client_secret_jwt`: HS256 over the secret's bytes.
    pub fn with_secret(
        &self,
        secret: &SecretText,
        entropy: &mut dyn Entropy,
    ) -> Result<SecretText, AssertionReject> {
        let bytes = secret.expose().as_bytes();
        if bytes.len() < LEAST_SECRET_BYTES {
            return Err(AssertionReject::SecretTooShort);
        }
        let header = Header {
            alg: "HS256",
            typ: "JWT",
            kid: None,
        };
        let jwt = UnsignedJwt::new(&header, &self.claims(entropy)?);
        let key = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        Ok(jwt.with(hmac::sign(&key, jwt.signing_input()).as_ref()))
    }

    fn claims(&self, entropy: &mut dyn Entropy) -> Result<Claims<'_>, EntropyFailed> {
        let issuer = self.server.issuer.as_str();
        let endpoint = self.server.token_endpoint.as_str();
        Ok(Claims {
            iss: self.client_id,
            sub: self.client_id,
            aud: match self.audience {
                AudiencePolicy::Issuer => Audience::One(issuer),
                AudiencePolicy::TokenEndpoint => Audience::One(endpoint),
                AudiencePolicy::Both => Audience::Two([issuer, endpoint]),
            },
            jti: entropy::text(entropy)?,
            iat: self.now.0,
            exp: self.now.plus(LIFE_SECONDS).0,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::encoding::read_base64url;
    use crate::entropy::fixed::Counting;
    use crate::testing::{self, NOW};

    fn claims_of(jwt: &[u8]) -> Value {
        let text = std::str::from_utf8(jwt).unwrap();
        let payload = text.split('.').nth(1).unwrap();
        serde_json::from_slice(&read_base64url(payload).unwrap()).unwrap()
    }

    #[test]
    fn the_audience_is_what_the_setting_says() {
        let server = testing::server();
        let mut entropy = Counting::default();
        for (audience, aud) in [
            (AudiencePolicy::Issuer, json!("https://as.example")),
            (
                AudiencePolicy::TokenEndpoint,
                json!("https://as.example/token"),
            ),
            (
                AudiencePolicy::Both,
                json!(["https://as.example", "https://as.example/token"]),
            ),
        ] {
            let assertion = Assertion {
                server: &server,
                audience,
                client_id: "books",
                now: NOW,
            };
            let jwt = assertion.for_key("k", &mut entropy).unwrap();
            let claims = claims_of(jwt.signing_input());
            assert_eq!(
                (&claims["aud"], &claims["iss"], &claims["sub"]),
                (&aud, &json!("books"), &json!("books"))
            );
            assert_eq!(
                claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
                60
            );
        }
    }

    #[test]
    fn no_two_assertions_share_a_jti() {
        let server = testing::server();
        let mut entropy = Counting::default();
        let audience = AudiencePolicy::Issuer;
        let assertion = Assertion {
            server: &server,
            audience,
            client_id: "books",
            now: NOW,
        };
        let mut jti = || {
            claims_of(
                assertion
                    .for_key("k", &mut entropy)
                    .unwrap()
                    .signing_input(),
            )["jti"]
                .clone()
        };
        assert_ne!(jti(), jti());
    }

    #[test]
    fn a_secret_signs_only_when_it_is_long_enough() {
        let server = testing::server();
        let audience = AudiencePolicy::Issuer;
        let assertion = Assertion {
            server: &server,
            audience,
            client_id: "books",
            now: NOW,
        };
        let short = SecretText::new("x".repeat(31));
        let reject = assertion
            .with_secret(&short, &mut Counting::default())
            .err();
        assert_eq!(reject, Some(AssertionReject::SecretTooShort));
        let secret = "x".repeat(32);
        let signed =
            assertion.with_secret(&SecretText::new(secret.as_str()), &mut Counting::default());
        let signed = signed.unwrap();
        let (input, signature) = signed.expose().rsplit_once('.').unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::verify(&key, input.as_bytes(), &read_base64url(signature).unwrap()).unwrap();
    }
}
