//! The device side of the protocol (`/v1/{account}`), as `docs/protocol.md` numbers it.
//!
//! A signed request carries its payload as exact bytes: what was signed is what is parsed, so no
//! canonical form is needed and no second reading can disagree with the first.

use serde::{Deserialize, Serialize};

use crate::bytes::Base64Url;
use crate::ids::{DeviceId, Host, SecretName};
use crate::proof::Proof;
use crate::seal::{Sealed, Suite};
use crate::secret::{SecretText, expose_into};
use crate::upstream::{ClientAuthenticationOutcome, ClientAuthenticationWish};

/// Largest body of `POST challenges`, `tokens/*`, bytes.
pub const SMALL_BODY: usize = 16 * 1024;
/// Largest body of `POST enrolments`, bytes: a 64 KiB chain, twice in base64url.
pub const ENROLMENT_BODY: usize = 160 * 1024;
/// Largest body of `POST attestations`, bytes.
pub const ATTESTATION_BODY: usize = 32 * 1024;
/// Most audiences, and most secrets, of one attestation.
pub const MOST_ITEMS: usize = 16;

/// What a challenge is to be used for; each purpose has challenges of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ChallengePurpose {
    /// For `POST enrolments`: goes into the platform's attestation of a new key. Single use.
    Enrolment,
    /// For `POST attestations`: stateless, bound to its reply by the response key.
    Attestation,
    /// For `POST relay/…`. Single use.
    Relay,
}

/// `POST challenges`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChallengeRequest {
    /// What it is for.
    pub purpose: ChallengePurpose,
}

/// The answer to `POST challenges`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChallengeReply {
    /// Opaque, at most 64 bytes; compare nothing, send it back.
    pub challenge: Base64Url,
    /// Seconds since 1970; after this it is refused.
    pub expires_at: i64,
    /// The service's clock, seconds since 1970: the SDK reckons expiry by it, never by its own.
    pub server_time: i64,
}

/// Platform evidence, one variant per kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PlatformEvidence {
    /// Android Key Attestation.
    AndroidKey {
        /// DER certificates, leaf first: at most 8, 16 KiB each.
        chain: Vec<Base64Url>,
    },
    /// Apple App Attest, over the client data hash `SHA-256(challenge)`.
    AppAttest {
        /// The CBOR attestation object: at most 16 KiB.
        attestation: Base64Url,
        /// What the system calls the key: SHA-256 of its point, 32 bytes.
        key_id: Base64Url,
    },
    /// Google Play Integrity, bound to challenge and key by [`play_request_hash`]. Nobody vouches for where the
    /// key lives.
    PlayIntegrity {
        /// The token as Google Play gave it: at most 64 KiB.
        token: String,
        /// The key that is enrolled: an uncompressed P-256 point, 65 bytes.
        public_key: Base64Url,
    },
}

/// What an App Attest key attests over: the challenge as client data hash (W-8).
pub fn app_attest_client_data_hash(challenge: &[u8]) -> [u8; 32] {
    crate::proof::sha256(challenge)
}

/// What a Play Integrity request carries (W-8): base64url of
/// `SHA-256("bonafide-v1-play" 00 account 00 challenge 00 point)`, so that the verdict is about one enrolment of
/// one key. An account has no zero byte and a point always 65 bytes: no two inputs share an encoding.
pub fn play_request_hash(
    account: &crate::ids::AccountId,
    challenge: &[u8],
    point: &[u8],
) -> String {
    let input = [
        b"bonafide-v1-play\0".as_slice(),
        account.as_str().as_bytes(),
        &[0],
        challenge,
        &[0],
        point,
    ]
    .concat();
    crate::bytes::encode(crate::proof::sha256(&input))
}

/// Which SDK speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SdkInfo {
    /// Like `bonafide-rust`; at most 64 bytes.
    pub name: String,
    /// Like `0.1.0`; at most 64 bytes.
    pub version: String,
}

/// `POST enrolments`: a payload and the new key's signature over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrolmentRequest {
    /// JSON of [`EnrolmentPayload`].
    pub payload: Base64Url,
    /// By the key in the evidence, purpose `Enrolment`, no attachment.
    pub proof: Proof,
}

/// What an enrolment says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrolmentPayload {
    /// From `POST challenges`, purpose `enrolment`; the evidence carries the same bytes.
    pub challenge: Base64Url,
    /// The platform's word for the key.
    pub evidence: PlatformEvidence,
    /// What the SDK saw of its process.
    pub measurements: Measurements,
    /// Who speaks.
    pub sdk: SdkInfo,
}

/// The answer to an allowed enrolment. Not sealed: the ticket is worthless without the hardware key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrolmentReply {
    /// This installation's id in this account.
    pub device_id: DeviceId,
    /// Sealed by the service, opaque to the phone; at most 4 KiB.
    pub ticket: Base64Url,
    /// Enrol again after this, seconds since 1970.
    pub ticket_expires_at: i64,
    /// The service's clock.
    pub server_time: i64,
}

/// What the SDK could learn about one thing. Silence is a state of its own, never a "clear".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Measured {
    /// Looked, found nothing.
    Clear,
    /// Found.
    Detected,
    /// The platform refused the look.
    Unreadable,
    /// This SDK does not look for it on this platform.
    NotMeasured,
}

/// What the SDK saw of its own process and device. Advisory: an attacker in the process can lie (W-11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Measurements {
    /// A debugger, or a debuggable process.
    pub debugger: Measured,
    /// Another process traces this one.
    pub tracer: Measured,
    /// Frida, hooks, patched prologues.
    pub instrumentation: Measured,
    /// Libraries that the app did not ship.
    pub injected_libraries: Measured,
    /// Code in memory differs from code on disk.
    pub code_modified: Measured,
    /// An emulator.
    pub emulator: Measured,
    /// Root or jailbreak.
    pub root: Measured,
    /// SHA-256 of the installed base artifact, where the SDK can read it.
    pub artifact_sha256: Option<Base64Url>,
}

/// The fresh key a reply is sealed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResponseKey {
    /// HPKE suite.
    pub suite: Suite,
    /// The public key: 32 bytes (X25519) or 65 bytes (P-256, uncompressed).
    pub public_key: Base64Url,
}

/// `POST attestations`: ticket, payload and the enrolled key's signature over both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttestationRequest {
    /// From the enrolment or the last reply.
    pub ticket: Base64Url,
    /// JSON of [`AttestationPayload`].
    pub payload: Base64Url,
    /// By the enrolled key, purpose `Attestation`, attachment = the ticket.
    pub proof: Proof,
}

/// What an attestation says and asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttestationPayload {
    /// From `POST challenges`, purpose `attestation`.
    pub challenge: Base64Url,
    /// Made for this one request.
    pub response_key: ResponseKey,
    /// What the SDK saw.
    pub measurements: Measurements,
    /// Tokens wanted; at most 16.
    pub tokens: Vec<TokenWish>,
    /// Secrets wanted; at most 16.
    pub secrets: Vec<SecretWish>,
    /// Proofs of being the app, for authorization servers; at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_authentications: Vec<ClientAuthenticationWish>,
    /// Who speaks.
    pub sdk: SdkInfo,
}

/// A token wanted for one protected API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenWish {
    /// The protected API.
    pub audience: Host,
    /// SHA-256 of caller data (say, the `Authorization` value) that the token shall be bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Base64Url>,
}

/// A secret wanted for one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretWish {
    /// Its name.
    pub name: SecretName,
    /// Where it is about to go.
    pub host: Host,
}

/// The answer to an allowed attestation: JSON of [`AttestationReply`], sealed to the response key with
/// `info` = [`reply_info`] and `aad` = SHA-256 of the request's payload (W-10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SealedReply {
    /// The sealed bytes.
    pub sealed: Sealed,
}

/// The HPKE `info` of a sealed reply: names the use and the tenant.
pub fn reply_info(account: &crate::ids::AccountId) -> Vec<u8> {
    format!("bonafide-v1-attestation-reply\0{account}").into_bytes()
}

/// What an allowed attestation gives.
#[derive(Debug, Serialize, Deserialize)]
pub struct AttestationReply {
    /// This device.
    pub device_id: DeviceId,
    /// Replaces the ticket that was sent.
    pub ticket: Base64Url,
    /// Enrol again after this, seconds since 1970.
    pub ticket_expires_at: i64,
    /// The service's clock.
    pub server_time: i64,
    /// The newest trust bundle's version: fetch it when it is above the one held.
    pub trust_bundle_version: u64,
    /// One per wish, in the order of the wishes.
    pub tokens: Vec<TokenOutcome>,
    /// One per wish, in the order of the wishes.
    pub secrets: Vec<SecretOutcome>,
    /// One per wish, in the order of the wishes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_authentications: Vec<ClientAuthenticationOutcome>,
}

/// What became of a token wish.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum TokenOutcome {
    /// Here it is.
    Issued {
        /// The protected API.
        audience: Host,
        /// Compact JWS; see [`crate::token`].
        token: SecretJson,
        /// Seconds since 1970.
        expires_at: i64,
    },
    /// Not this one.
    Withheld {
        /// The protected API.
        audience: Host,
        /// Why.
        reason: Withheld,
    },
}

/// What became of a secret wish.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum SecretOutcome {
    /// Here it is.
    Released {
        /// Its name.
        name: SecretName,
        /// The one host it may go to.
        host: Host,
        /// Where in a request it may stand.
        uses: Vec<SecretUse>,
        /// The value.
        value: SecretJson,
        /// Its version; grows with each rotation.
        version: u64,
        /// Forget it after this, seconds since 1970.
        expires_at: i64,
    },
    /// Not this one.
    Withheld {
        /// Its name.
        name: SecretName,
        /// Where it was to go.
        host: Host,
        /// Why.
        reason: Withheld,
    },
}

/// Why a wish was not granted although the instance is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Withheld {
    /// The account has no such protected API.
    UnknownApi,
    /// The API is registered with `--no-token`.
    NoTokenApi,
    /// The account has no such secret, or not for this app.
    UnknownSecret,
    /// The secret may not go to that host.
    HostNotAllowed,
    /// The store is down, and a release that cannot be logged does not happen.
    StoreUnavailable,
    /// The account has no such upstream, or not for this app.
    UnknownUpstream,
    /// The account does not allow this rung of the ladder at this upstream.
    RungNotAllowed,
    /// The instance key does not prove possession, or is the enrolled key, or serves another upstream too.
    InstanceKeyInvalid,
    /// What the service would authenticate with is missing or too weak; the operator's log says what.
    NotConfigured,
}

impl Withheld {
    /// All of them, for the reference page.
    pub const ALL: [Self; 9] = [
        Self::UnknownApi,
        Self::NoTokenApi,
        Self::UnknownSecret,
        Self::HostNotAllowed,
        Self::StoreUnavailable,
        Self::UnknownUpstream,
        Self::RungNotAllowed,
        Self::InstanceKeyInvalid,
        Self::NotConfigured,
    ];

    /// The stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownApi => "unknown-api",
            Self::NoTokenApi => "no-token-api",
            Self::UnknownSecret => "unknown-secret",
            Self::HostNotAllowed => "host-not-allowed",
            Self::StoreUnavailable => "store-unavailable",
            Self::UnknownUpstream => "unknown-upstream",
            Self::RungNotAllowed => "rung-not-allowed",
            Self::InstanceKeyInvalid => "instance-key-invalid",
            Self::NotConfigured => "not-configured",
        }
    }
}

/// Where in a request a secret may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SecretUse {
    /// A whole header value (a scheme prefix such as `Bearer ` may stand before it).
    Header,
    /// A whole query parameter value. Leaks into logs; discouraged.
    Query,
    /// A whole field of a form body.
    Form,
    /// Fetched by the OAuth engine as client authentication.
    Oauth,
}

/// A secret that is a member of the sealed plaintext: prints nothing, wipes itself, serialises on purpose.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretJson(#[serde(serialize_with = "expose_into")] pub SecretText);

impl From<String> for SecretJson {
    fn from(value: String) -> Self {
        Self(SecretText::new(value))
    }
}

/// `POST tokens/verify` and `POST tokens/consume`, for gateways and back ends.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenCheckRequest {
    /// Compact JWS, as received.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub token: SecretText,
    /// The protected API that received it.
    pub audience: Host,
    /// SHA-256 of the bound data, where the API demands a binding.
    #[serde(default)]
    pub binding: Option<Base64Url>,
}

/// The answer of both; an inactive token is an answer, not an error (RFC 7662 §2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenCheckReply {
    /// Whether the token is good for that audience now (and, for `consume`, was not consumed before).
    pub active: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The claims of an active token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<crate::token::Claims>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_members_are_refused() {
        let good = r#"{"purpose":"enrolment"}"#;
        let bad = r#"{"purpose":"enrolment","also":1}"#;
        assert!(serde_json::from_str::<ChallengeRequest>(good).is_ok());
        assert!(serde_json::from_str::<ChallengeRequest>(bad).is_err());
    }

    #[test]
    fn a_play_request_hash_is_about_one_account_challenge_and_key() {
        let account = |name| crate::ids::AccountId::parse(name).unwrap();
        let base = play_request_hash(&account("acme"), b"challenge", &[4; 65]);
        assert_eq!(base, "gDx9Ejnb7-jLhO6cBaQlk_tGtSIXsM53EqqeBQobZc8");
        assert_ne!(
            base,
            play_request_hash(&account("acme2"), b"challenge", &[4; 65])
        );
        assert_ne!(
            base,
            play_request_hash(&account("acme"), b"challengf", &[4; 65])
        );
        assert_ne!(
            base,
            play_request_hash(&account("acme"), b"challenge", &[5; 65])
        );
    }

    #[test]
    fn a_released_secret_does_not_print() {
        let outcome = SecretOutcome::Released {
            name: SecretName::parse("client_secret").unwrap(),
            host: Host::parse("oauth2.googleapis.com").unwrap(),
            uses: vec![SecretUse::Oauth],
            value: "canary".to_owned().into(),
            version: 1,
            expires_at: 0,
        };
        assert!(!format!("{outcome:?}").contains("canary"));
        assert!(
            serde_json::to_string(&outcome)
                .unwrap()
                .contains("\"value\":\"canary\"")
        );
    }
}
