//! The ladder of client authentication on the wire: rungs, wishes for proof of being the app, and the relay.
//!
//! The service fixes who says what to which server: a device names an upstream and never an issuer, an audience, a
//! client id or an endpoint (`docs/protocol.md` §7).

use serde::{Deserialize, Serialize};

use crate::bytes::Base64Url;
use crate::device::{Measurements, ResponseKey, SdkInfo, SecretJson, Withheld};
use crate::ids::{AccountId, DeviceId, UpstreamName};
use crate::proof::Proof;
use crate::seal::Sealed;

/// Largest body of `POST relay/…`, bytes.
pub const RELAY_BODY: usize = 48 * 1024;

/// A rung of the ladder, best first (`docs/ladder.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Rung {
    /// 1: a client attestation by Bonafide and the instance's own key; there is no secret.
    AttestedClient,
    /// 2: Bonafide adds the client authentication and forwards.
    Relay,
    /// 3: a client of its own for each instance, registered by Bonafide with a software statement.
    OwnRegistration,
    /// 4: an assertion that Bonafide mints for one server, once, for a minute.
    MintedAssertion,
    /// 5: the client secret, sealed to the instance, at the moment of use.
    DeliveredSecret,
}

impl Rung {
    /// All of them, best first.
    pub const ALL: [Self; 5] = [
        Self::AttestedClient,
        Self::Relay,
        Self::OwnRegistration,
        Self::MintedAssertion,
        Self::DeliveredSecret,
    ];

    /// Its place on the ladder, 1 to 5.
    pub fn number(self) -> u8 {
        match self {
            Self::AttestedClient => 1,
            Self::Relay => 2,
            Self::OwnRegistration => 3,
            Self::MintedAssertion => 4,
            Self::DeliveredSecret => 5,
        }
    }

    /// The stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AttestedClient => "attested-client",
            Self::Relay => "relay",
            Self::OwnRegistration => "own-registration",
            Self::MintedAssertion => "minted-assertion",
            Self::DeliveredSecret => "delivered-secret",
        }
    }
}

impl core::fmt::Display for Rung {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is of no rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a rung is attested-client, relay, own-registration, minted-assertion, delivered-secret, or its number 1 to 5"
)]
pub struct NotARung;

impl core::str::FromStr for Rung {
    type Err = NotARung;

    fn from_str(text: &str) -> Result<Self, NotARung> {
        Self::ALL
            .into_iter()
            .find(|rung| rung.as_str() == text || rung.number().to_string() == text)
            .ok_or(NotARung)
    }
}

/// How a client says at the token endpoint who it is, as OAuth registers the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ClientAuthenticationMethod {
    /// Secret in the `Authorization` header.
    ClientSecretBasic,
    /// Secret in the form.
    ClientSecretPost,
    /// JWT authenticated with the secret (HS256).
    ClientSecretJwt,
    /// JWT signed with a private key.
    PrivateKeyJwt,
}

impl ClientAuthenticationMethod {
    /// The name that OAuth registers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::ClientSecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

/// A key of this instance for one authorization server, with proof that the instance has it (W-22).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InstanceKey {
    /// Uncompressed P-256 point, 65 bytes; never the enrolled key.
    pub public_key: Base64Url,
    /// By this key over [`instance_key_bytes`]: ECDSA P-256 with SHA-256, DER.
    pub proof: Base64Url,
}

/// What an instance key signs: `tag 00 account 00 device 00 upstream 00 challenge` (W-22). None of the first parts
/// contains a zero byte.
pub fn instance_key_bytes(
    account: &AccountId,
    device: &DeviceId,
    upstream: &UpstreamName,
    challenge: &[u8],
) -> Vec<u8> {
    let head = format!("bonafide-v1-instance-key\0{account}\0{device}\0{upstream}\0");
    [head.as_bytes(), challenge].concat()
}

/// Proof of being the app that is wanted for one authorization server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ClientAuthenticationWish {
    /// Rung 1: a client attestation (`OAuth-Client-Attestation`) for this key.
    AttestedClient {
        /// The authorization server.
        upstream: UpstreamName,
        /// The key that will prove possession there.
        key: InstanceKey,
    },
    /// Rung 4: a client assertion (RFC 7523), for one token request.
    ClientAssertion {
        /// The authorization server.
        upstream: UpstreamName,
    },
}

impl ClientAuthenticationWish {
    /// The authorization server.
    pub fn upstream(&self) -> &UpstreamName {
        match self {
            Self::AttestedClient { upstream, .. } | Self::ClientAssertion { upstream } => upstream,
        }
    }

    /// The rung it stands on.
    pub fn rung(&self) -> Rung {
        match self {
            Self::AttestedClient { .. } => Rung::AttestedClient,
            Self::ClientAssertion { .. } => Rung::MintedAssertion,
        }
    }
}

/// What became of such a wish.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum ClientAuthenticationOutcome {
    /// Here it is.
    Issued {
        /// The authorization server.
        upstream: UpstreamName,
        /// Compact JWS: the client attestation, or the client assertion.
        value: SecretJson,
        /// Worthless after this, seconds since 1970.
        expires_at: i64,
    },
    /// Not this one.
    Withheld {
        /// The authorization server.
        upstream: UpstreamName,
        /// Why.
        reason: Withheld,
    },
}

/// `POST relay/{upstream}/token`, `…/revoke` and `…/register`: ticket, payload and the enrolled key's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RelayRequest {
    /// From the enrolment or the last reply.
    pub ticket: Base64Url,
    /// JSON of [`RelayPayload`].
    pub payload: Base64Url,
    /// By the enrolled key, purpose `Relay`, attachment = the ticket.
    pub proof: Proof,
}

/// What a relay request says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayPayload {
    /// From `POST challenges`, purpose `relay`; good for one request.
    pub challenge: Base64Url,
    /// Made for this one request.
    pub response_key: ResponseKey,
    /// What the SDK saw.
    pub measurements: Measurements,
    /// Who speaks.
    pub sdk: SdkInfo,
    /// The authorization server; the same as in the route.
    pub upstream: UpstreamName,
    /// What it shall be asked; the route must fit.
    pub request: RelayOrder,
    /// A DPoP proof of the instance for the endpoint (RFC 9449), passed through as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop: Option<String>,
}

/// What the service is to ask of an authorization server. Client id, client authentication and endpoint are its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RelayOrder {
    /// Redeem a code (`…/token`).
    AuthorizationCode {
        /// The code.
        code: SecretJson,
        /// One of the upstream's redirect URIs; the one the code came to.
        redirect_uri: String,
        /// The PKCE verifier (RFC 7636); there is no exchange without.
        code_verifier: SecretJson,
    },
    /// Refresh (`…/token`).
    RefreshToken {
        /// The refresh token; in its kept form where the service keeps it.
        refresh_token: SecretJson,
        /// Narrower than what was granted, where wanted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
    },
    /// Revoke a token (`…/revoke`).
    Revoke {
        /// A refresh token (in its kept form where the service keeps it) or an access token.
        token: SecretJson,
        /// Which of the two it is.
        token_type_hint: TokenTypeHint,
    },
    /// Register this instance as a client of its own (`…/register`, rung 3).
    Register {
        /// The key it will authenticate with (`private_key_jwt`).
        key: InstanceKey,
    },
}

/// Kind of a token that is revoked (RFC 7009 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenTypeHint {
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
}

impl TokenTypeHint {
    /// The name that OAuth registers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::RefreshToken => "refresh_token",
        }
    }
}

/// The answer to an allowed relay request: JSON of [`RelayReply`], sealed to the response key with
/// `info` = [`relay_info`] and `aad` = SHA-256 of the request's payload (W-10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SealedRelayReply {
    /// The sealed bytes.
    pub sealed: Sealed,
}

/// The HPKE `info` of a sealed relay reply.
pub fn relay_info(account: &AccountId) -> Vec<u8> {
    format!("bonafide-v1-relay-reply\0{account}").into_bytes()
}

/// What the authorization server answered. A refusal by it is an answer like any other.
#[derive(Debug, Serialize, Deserialize)]
pub struct RelayReply {
    /// Replaces the ticket that was sent.
    pub ticket: Base64Url,
    /// Enrol again after this, seconds since 1970.
    pub ticket_expires_at: i64,
    /// The service's clock.
    pub server_time: i64,
    /// The upstream's HTTP status.
    pub status: u16,
    /// The upstream's headers that matter.
    pub headers: RelayedHeaders,
    /// The upstream's body: a JSON object, or nothing after a revocation.
    pub body: SecretJson,
    /// Whether the refresh token in the body is a kept one: good at this relay for this instance only.
    pub refresh_token_kept: bool,
}

/// The headers of an upstream's answer that mean something to the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayedHeaders {
    /// The upstream's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// For the next DPoP proof (RFC 9449 §8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_nonce: Option<String>,
    /// How long to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<String>,
    /// Media type of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_are_ordered_best_first_and_read_back() {
        let mut sorted = Rung::ALL.to_vec();
        sorted.sort();
        assert_eq!(sorted, Rung::ALL);
        for rung in Rung::ALL {
            assert_eq!(rung.as_str().parse(), Ok(rung));
            assert_eq!(rung.number().to_string().parse(), Ok(rung));
        }
        assert_eq!("6".parse::<Rung>(), Err(NotARung));
    }

    #[test]
    fn a_relay_request_does_not_print_what_it_carries() {
        let order = RelayOrder::AuthorizationCode {
            code: "canary-code".to_owned().into(),
            redirect_uri: "https://app.example/cb".to_owned(),
            code_verifier: "canary-verifier".to_owned().into(),
        };
        assert!(!format!("{order:?}").contains("canary"));
    }

    #[test]
    fn an_instance_key_is_proven_for_one_account_device_upstream_and_challenge() {
        let account = |name| AccountId::parse(name).unwrap();
        let device = |byte| DeviceId::from_bytes([byte; 16]);
        let upstream = |name| UpstreamName::parse(name).unwrap();
        let base = instance_key_bytes(&account("a"), &device(1), &upstream("b"), b"c");
        for other in [
            instance_key_bytes(&account("x"), &device(1), &upstream("b"), b"c"),
            instance_key_bytes(&account("a"), &device(2), &upstream("b"), b"c"),
            instance_key_bytes(&account("a"), &device(1), &upstream("x"), b"c"),
            instance_key_bytes(&account("a"), &device(1), &upstream("b"), b"x"),
        ] {
            assert_ne!(base, other);
        }
    }
}
