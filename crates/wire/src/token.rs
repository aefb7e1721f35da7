//! The attestation token: a short JWT (RFC 7519) that an API checks without knowing Bonafide.
//!
//! Profile (W-13): header `alg`, `typ: JWT`, `kid` = RFC 7638 thumbprint; `aud` is one string; integers
//! for times. Accepted unchanged by HAProxy, Envoy, nginx, Apache, jose, PyJWT, Spring.
//! Signing and verifying are inputs: this module only fixes the bytes.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::bytes::{self, Base64Url};

/// The value of `eat_profile` (RFC 9711 §4.3.2), versioned.
pub const PROFILE: &str = "tag:bonafide.dev,2026:attestation-token#1";
/// Longest token this crate reads, bytes.
pub const MOST_BYTES: usize = 4096;

/// Trustworthiness of the appraised instance, in the words of EAR / AR4SI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum EarStatus {
    /// Every check passed.
    Affirming,
    /// Allowed, with findings that the policy only observes, an override, or development evidence.
    Warning,
}

/// The claims. A refused instance has no token, so there is no negative form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Claims {
    /// The account's URL, byte for byte.
    pub iss: String,
    /// The protected API: one string.
    pub aud: String,
    /// The device id.
    pub sub: String,
    /// Issued at, seconds since 1970.
    pub iat: i64,
    /// Not before.
    pub nbf: i64,
    /// Expires.
    pub exp: i64,
    /// Unique; what `tokens/consume` consumes.
    pub jti: String,
    /// The app's id.
    pub app: String,
    /// [`PROFILE`]
    pub eat_profile: String,
    /// The verdict in one word.
    pub ear_status: EarStatus,
    /// Present and true under development evidence (a simulator).
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub development: bool,
    /// Present and true when allowed in a degraded mode.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub degraded: bool,
    /// SHA-256 of caller data, base64url, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind: Option<Base64Url>,
    /// Confirmation (RFC 7800): the thumbprint of the enrolled key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

/// `cnf` (RFC 7800) with a JWK thumbprint (RFC 9449 §6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Confirmation {
    /// RFC 7638 SHA-256 thumbprint of the enrolled key.
    pub jkt: String,
}

/// The header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// `ES256`
    pub alg: String,
    /// `JWT`
    pub typ: String,
    /// Thumbprint of the signing key.
    pub kid: String,
}

/// A token whose signature nobody has checked yet.
#[derive(Debug)]
pub struct UnverifiedToken<'a> {
    /// The header.
    pub header: Header,
    /// `header.payload`, what is signed.
    pub signing_input: &'a str,
    /// 64 bytes, r then s (RFC 7518 §3.4).
    pub signature: Vec<u8>,
    payload: Vec<u8>,
}

/// A token that is not in our profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenReject {
    /// Longer than 4 KiB.
    #[error("the token is longer than {MOST_BYTES} bytes")]
    TooLong,
    /// Not three base64url parts.
    #[error("the token is not a compact JWS")]
    NotCompact,
    /// The header is not exactly `alg`, `typ`, `kid` of the profile.
    #[error("the header is not of the profile")]
    Header,
    /// The claims are not of the profile.
    #[error("the claims are not of the profile")]
    Claims,
}

/// `header.payload` of a token to be signed with ES256 under `kid`.
pub fn signing_input(kid: &str, claims: &Claims) -> Result<String, serde_json::Error> {
    let header = Header {
        alg: "ES256".to_owned(),
        typ: "JWT".to_owned(),
        kid: kid.to_owned(),
    };
    Ok(format!(
        "{}.{}",
        bytes::encode(serde_json::to_vec(&header)?),
        bytes::encode(serde_json::to_vec(claims)?)
    ))
}

/// Adds the signature (64 bytes, r then s).
pub fn assemble(signing_input: &str, signature: &[u8]) -> String {
    format!("{signing_input}.{}", bytes::encode(signature))
}

impl<'a> UnverifiedToken<'a> {
    /// Splits a compact JWS and reads its header; any other algorithm than ES256 is refused here.
    pub fn parse(token: &'a str) -> Result<Self, TokenReject> {
        if token.len() > MOST_BYTES {
            return Err(TokenReject::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(TokenReject::NotCompact)?;
        let (header, payload) = signing_input
            .split_once('.')
            .ok_or(TokenReject::NotCompact)?;
        let decode = |part: &str| bytes::decode(part).map_err(|_| TokenReject::NotCompact);
        let header: Header =
            serde_json::from_slice(&decode(header)?).map_err(|_| TokenReject::Header)?;
        if header.alg != "ES256" || header.typ != "JWT" {
            return Err(TokenReject::Header);
        }
        let signature = decode(signature)?;
        if signature.len() != 64 {
            return Err(TokenReject::NotCompact);
        }
        Ok(Self {
            header,
            signing_input,
            signature,
            payload: decode(payload)?,
        })
    }

    /// The claims, to be called after the signature was verified.
    pub fn claims(&self) -> Result<Claims, TokenReject> {
        serde_json::from_slice(&self.payload).map_err(|_| TokenReject::Claims)
    }
}

/// A public P-256 key as JWK (RFC 7517), as published in the JWKS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Jwk {
    /// `EC`
    pub kty: String,
    /// `P-256`
    pub crv: String,
    /// 32 bytes.
    pub x: Base64Url,
    /// 32 bytes.
    pub y: Base64Url,
    /// `ES256`
    pub alg: String,
    /// `sig`
    #[serde(rename = "use")]
    pub usage: String,
    /// RFC 7638 thumbprint.
    pub kid: String,
}

/// A JWK set (RFC 7517 §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JwkSet {
    /// At most 8.
    pub keys: Vec<Jwk>,
}

impl Jwk {
    /// The JWK of an uncompressed P-256 point (65 bytes: 04, x, y); `None` for anything else.
    pub fn from_point(point: &[u8]) -> Option<Self> {
        let coordinates = point.strip_prefix(&[4]).filter(|rest| rest.len() == 64)?;
        let (x, y) = coordinates.split_at_checked(32)?;
        Some(Self {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x: Base64Url(x.to_vec()),
            y: Base64Url(y.to_vec()),
            alg: "ES256".to_owned(),
            usage: "sig".to_owned(),
            kid: thumbprint(x, y),
        })
    }

    /// The uncompressed point again.
    pub fn to_point(&self) -> Vec<u8> {
        [[4].as_slice(), &self.x.0, &self.y.0].concat()
    }
}

/// RFC 7638 thumbprint of a P-256 key.
pub fn thumbprint(x: &[u8], y: &[u8]) -> String {
    let canonical = format!(
        r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
        bytes::encode(x),
        bytes::encode(y)
    );
    bytes::encode(digest(&SHA256, canonical.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            iss: "https://attest.example.com/v1/acme".to_owned(),
            aud: "api.example.com".to_owned(),
            sub: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
            iat: 1,
            nbf: 1,
            exp: 301,
            jti: "j".to_owned(),
            app: "books".to_owned(),
            eat_profile: PROFILE.to_owned(),
            ear_status: EarStatus::Affirming,
            development: false,
            degraded: false,
            bind: None,
            cnf: None,
        }
    }

    #[test]
    fn the_bytes_of_a_token_are_fixed() {
        insta::assert_snapshot!(serde_json::to_string(&claims()).unwrap(), @r#"{"iss":"https://attest.example.com/v1/acme","aud":"api.example.com","sub":"AAAAAAAAAAAAAAAAAAAAAA","iat":1,"nbf":1,"exp":301,"jti":"j","app":"books","eat_profile":"tag:bonafide.dev,2026:attestation-token#1","ear_status":"affirming"}"#);
    }

    #[test]
    fn parses_what_it_assembles() {
        let input = signing_input("kid", &claims()).unwrap();
        let token = assemble(&input, &[7; 64]);
        let parsed = UnverifiedToken::parse(&token).unwrap();
        assert_eq!(parsed.signing_input, input);
        assert_eq!(parsed.claims(), Ok(claims()));
    }

    #[test]
    fn refuses_each_fault_by_its_name() {
        let input = signing_input("kid", &claims()).unwrap();
        let with_header =
            |header: &str| format!("{}.e30.{}", bytes::encode(header), bytes::encode([0; 64]));
        let cases = [
            ("a".repeat(MOST_BYTES + 1), TokenReject::TooLong),
            ("a.b".to_owned(), TokenReject::NotCompact),
            (assemble(&input, &[7; 63]), TokenReject::NotCompact),
            (
                with_header(r#"{"alg":"none","typ":"JWT","kid":"k"}"#),
                TokenReject::Header,
            ),
            (
                with_header(r#"{"alg":"HS256","typ":"JWT","kid":"k"}"#),
                TokenReject::Header,
            ),
            (
                with_header(r#"{"alg":"ES256","typ":"JWT","kid":"k","crit":[]}"#),
                TokenReject::Header,
            ),
        ];
        for (token, reject) in cases {
            assert_eq!(
                UnverifiedToken::parse(&token).unwrap_err(),
                reject,
                "{token}"
            );
        }
    }

    /// RFC 7638 prints no P-256 example; this one was computed with Python's `hashlib` over the canonical form.
    #[test]
    fn thumbprints_agree_with_an_independent_computation() {
        let x = bytes::decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU").unwrap();
        let y = bytes::decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0").unwrap();
        assert_eq!(
            thumbprint(&x, &y),
            "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"
        );
    }
}
