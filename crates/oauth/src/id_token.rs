//! The ID token: signature first, then every claim that OIDC Core 3.1.3.7 and 12.2 name.
//!
//! Time is the server's clock as it told it (a phone's may be off by a day), with a minute of slack. A token that
//! came straight from the token endpoint is verified all the same. Who the user is, the app decides.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::discovery::Issuer;
use crate::encoding::{base64url, sha256};
use crate::jose::{Algorithm, JoseReject, Unverified};
use crate::jwks::{Jwks, KeyReject};
use crate::secret::SecretText;
use crate::time::UnixTime;

/// Slack between two honest clocks.
const SLACK_SECONDS: i64 = 60;
/// An ID token that comes with a code exchange was made for it.
const MOST_AGE_SECONDS: i64 = 600;
const MOST_AUDIENCES: usize = 8;

/// Claims of a verified ID token that Books-like apps use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdTokenClaims {
    /// The user, within this issuer.
    pub subject: String,
    /// Issued at, by the server's clock.
    pub issued_at: i64,
    /// Expires at, by the server's clock.
    pub expires_at: i64,
    /// When the user last proved who they are, by the server's clock (`auth_time`), if given.
    #[serde(default)]
    pub authenticated_at: Option<i64>,
    /// `email`, if given.
    pub email: Option<String>,
    /// `name`, if given.
    pub name: Option<String>,
    /// `given_name`, if given.
    pub given_name: Option<String>,
}

/// An ID token that proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenReject {
    /// Asked for and not sent.
    #[error("the server sent no ID token although one was asked for")]
    Missing,
    /// No acceptable JWS.
    #[error(transparent)]
    Jose(#[from] JoseReject),
    /// No key vouches for it.
    #[error(transparent)]
    Key(#[from] KeyReject),
    /// A compulsory claim is missing or of the wrong type.
    #[error("the ID token lacks a claim or has it in the wrong type")]
    ClaimsMalformed,
    /// `iss` is not the server.
    #[error("the ID token was issued by somebody else")]
    IssuerMismatch,
    /// `aud` does not contain this client. `azp` is no substitute.
    #[error("the ID token was issued for another client")]
    AudienceMismatch,
    /// `aud` contains parties that this client does not trust.
    #[error("the ID token was issued for further clients")]
    AudienceUntrusted,
    /// `azp` is another client, or missing where several audiences demand it.
    #[error("the ID token was issued to another client")]
    AuthorizedPartyMismatch,
    /// `nonce` was sent and did not come back, or came back altered.
    #[error("the ID token does not belong to this login")]
    NonceMismatch,
    /// `exp` has passed.
    #[error("the ID token has expired")]
    Expired,
    /// `iat` lies ahead.
    #[error("the ID token was issued in the future")]
    IssuedInFuture,
    /// `iat` lies too far back.
    #[error("the ID token is too old for this login")]
    IssuedTooLongAgo,
    /// The user proved who they are longer ago than `max_age` allows, or the server does not say when.
    #[error("the user did not log in recently enough, or the server does not say when")]
    AuthenticationTooOld,
    /// `sub` differs from the one before.
    #[error("the ID token speaks of another user")]
    SubjectChanged,
    /// `at_hash` is not of this access token.
    #[error("the ID token belongs to another access token")]
    AccessTokenMismatch,
}

impl IdTokenReject {
    /// Stable text.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "id-token-missing",
            Self::Jose(reject) => reject.code(),
            Self::Key(reject) => reject.code(),
            Self::ClaimsMalformed => "id-token-claims-malformed",
            Self::IssuerMismatch => "id-token-issuer-mismatch",
            Self::AudienceMismatch => "id-token-audience-mismatch",
            Self::AudienceUntrusted => "id-token-audience-untrusted",
            Self::AuthorizedPartyMismatch => "id-token-authorized-party-mismatch",
            Self::NonceMismatch => "id-token-nonce-mismatch",
            Self::Expired => "id-token-expired",
            Self::IssuedInFuture => "id-token-issued-in-future",
            Self::IssuedTooLongAgo => "id-token-issued-too-long-ago",
            Self::AuthenticationTooOld => "id-token-authentication-too-old",
            Self::SubjectChanged => "id-token-subject-changed",
            Self::AccessTokenMismatch => "id-token-access-token-mismatch",
        }
    }

    /// Whether fetching the server's keys once more may help.
    pub fn wants_fresh_keys(self) -> bool {
        self == Self::Key(KeyReject::Unknown)
    }
}

/// What the token must say.
#[derive(Debug, Clone)]
pub(crate) struct Expectation {
    pub(crate) issuer: Issuer,
    pub(crate) client_id: String,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) nonce: SecretText,
    /// How long ago the user may have proven who they are, where the request said so.
    pub(crate) max_age: Option<u32>,
    pub(crate) occasion: Occasion,
}

/// What the token came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A code exchange: it must come, and carry the nonce.
    Login,
    /// A refresh: it may come, of the same user; a nonce only if it is the same.
    Refresh { subject: String },
    /// `openid` was not asked for; what comes is not looked at.
    NotAsked,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: NumericDate,
    iat: NumericDate,
    nonce: Option<String>,
    azp: Option<String>,
    at_hash: Option<String>,
    auth_time: Option<NumericDate>,
    email: Option<String>,
    name: Option<String>,
    given_name: Option<String>,
}

/// Seconds since 1970. RFC 7519 §2 allows fractions, and servers send them; they are cut off.
#[derive(Clone, Copy)]
struct NumericDate(i64);

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let text = number.to_string();
        let whole = text
            .split_once('.')
            .map_or(text.as_str(), |(whole, fraction)| {
                let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
                if digits { whole } else { "" }
            });
        whole
            .parse()
            .map(Self)
            .map_err(|_| D::Error::custom("a date beyond all clocks"))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(audience) => std::slice::from_ref(audience),
            Self::Several(audiences) => audiences,
        }
    }
}

impl Expectation {
    pub(crate) fn verify(
        &self,
        token: &SecretText,
        access_token: &SecretText,
        jwks: &Jwks,
        server_now: UnixTime,
    ) -> Result<IdTokenClaims, IdTokenReject> {
        let token = Unverified::parse(token.expose(), &self.algorithms)?;
        jwks.verify(&token)?;
        let claims: Claims =
            serde_json::from_slice(&token.payload).map_err(|_| IdTokenReject::ClaimsMalformed)?;
        self.check_parties(&claims)?;
        self.check_login(&claims)?;
        check_time(&claims, server_now)?;
        self.check_age(&claims, server_now)?;
        check_access_token(&claims, access_token)?;
        Ok(IdTokenClaims {
            subject: claims.sub,
            issued_at: claims.iat.0,
            expires_at: claims.exp.0,
            authenticated_at: claims.auth_time.map(|at| at.0),
            email: claims.email,
            name: claims.name,
            given_name: claims.given_name,
        })
    }

    fn check_parties(&self, claims: &Claims) -> Result<(), IdTokenReject> {
        if claims.sub.is_empty() || claims.sub.len() > 255 {
            return Err(IdTokenReject::ClaimsMalformed);
        }
        if claims.iss != self.issuer.as_str() {
            return Err(IdTokenReject::IssuerMismatch);
        }
        let audiences = claims.aud.as_slice();
        if audiences.len() > MOST_AUDIENCES || !audiences.contains(&self.client_id) {
            return Err(IdTokenReject::AudienceMismatch);
        }
        if audiences.iter().any(|audience| *audience != self.client_id) {
            return Err(IdTokenReject::AudienceUntrusted);
        }
        match &claims.azp {
            Some(party) if *party != self.client_id => Err(IdTokenReject::AuthorizedPartyMismatch),
            _ => Ok(()),
        }
    }

    fn check_login(&self, claims: &Claims) -> Result<(), IdTokenReject> {
        let same_nonce = claims.nonce.as_ref().map(|nonce| self.nonce.matches(nonce));
        match &self.occasion {
            Occasion::Login if same_nonce == Some(true) => Ok(()),
            Occasion::Refresh { subject } if *subject != claims.sub => {
                Err(IdTokenReject::SubjectChanged)
            }
            Occasion::Refresh { .. } if same_nonce != Some(false) => Ok(()),
            _ => Err(IdTokenReject::NonceMismatch),
        }
    }
}

impl Expectation {
    /// OIDC Core §3.1.2.1: with `max_age` the server must say when the user logged in.
    fn check_age(&self, claims: &Claims, now: UnixTime) -> Result<(), IdTokenReject> {
        let Some(max_age) = self.max_age else {
            return Ok(());
        };
        let since = claims
            .auth_time
            .ok_or(IdTokenReject::AuthenticationTooOld)?;
        let good_until = UnixTime(since.0)
            .plus(i64::from(max_age))
            .plus(SLACK_SECONDS);
        if now > good_until {
            return Err(IdTokenReject::AuthenticationTooOld);
        }
        Ok(())
    }
}

fn check_time(claims: &Claims, now: UnixTime) -> Result<(), IdTokenReject> {
    if now >= UnixTime(claims.exp.0).plus(SLACK_SECONDS) {
        return Err(IdTokenReject::Expired);
    }
    if UnixTime(claims.iat.0) > now.plus(SLACK_SECONDS) {
        return Err(IdTokenReject::IssuedInFuture);
    }
    if UnixTime(claims.iat.0).plus(MOST_AGE_SECONDS) < now {
        return Err(IdTokenReject::IssuedTooLongAgo);
    }
    Ok(())
}

/// The left half of the access token's hash; both accepted algorithms hash with SHA-256.
fn check_access_token(claims: &Claims, access_token: &SecretText) -> Result<(), IdTokenReject> {
    let Some(at_hash) = &claims.at_hash else {
        return Ok(());
    };
    let hash = sha256(access_token.expose().as_bytes());
    let half = hash.get(..16).unwrap_or_default();
    if *at_hash == base64url(half) {
        Ok(())
    } else {
        Err(IdTokenReject::AccessTokenMismatch)
    }
}

#[cfg(test)]
#[path = "id_token_tests.rs"]
mod tests;
