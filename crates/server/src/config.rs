//! What operators configure, as the running service holds it: read whole from the store, never row by row.
//!
//! A [`Configuration`] is an immutable snapshot. Every change makes a new one, and the hot path only ever
//! looks at the snapshot in memory, which is why it needs no database (promise P9).

use std::collections::BTreeMap;

use bonafide_evidence::Policy;
use bonafide_evidence::android::AttestationKeySightings;
use bonafide_wire::admin::{
    AssertionAudience, OverrideKind, Reference, Role, TokenMode, UpstreamEndpoints,
};
use bonafide_wire::device::SecretUse;
use bonafide_wire::ids::{
    AccountId, AnchorName, AppId, AppleAppId, CredentialId, DeviceId, Host, Issuer, PackageName,
    RegistrationId, SecretName, UpstreamName,
};
use bonafide_wire::platform::AnchoredEvidence;
use bonafide_wire::upstream::{ClientAuthenticationMethod, Rung};
use serde::{Deserialize, Serialize};

/// Everything, at one version.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// Grows with every committed change, on every node alike.
    pub version: u64,
    /// The tenants.
    pub accounts: BTreeMap<AccountId, AccountConfig>,
    /// Management credentials.
    pub credentials: BTreeMap<CredentialId, Credential>,
    /// What is stored and cannot be used, by account (empty: of the service itself), with the first fault.
    pub damaged: BTreeMap<String, String>,
}

/// One tenant.
#[derive(Debug, Clone)]
pub struct AccountConfig {
    /// For people.
    pub name: String,
    /// Seconds since 1970.
    pub created_at: i64,
    /// Products.
    pub apps: BTreeMap<AppId, App>,
    /// Reference values.
    pub registrations: BTreeMap<RegistrationId, Registration>,
    /// The account's policy.
    pub policy: VersionedPolicy,
    /// Protected APIs.
    pub apis: BTreeMap<Host, Api>,
    /// Runtime secrets, sealed.
    pub secrets: BTreeMap<SecretName, RuntimeSecret>,
    /// Secrets that were removed.
    pub retired_secrets: BTreeMap<SecretName, RetiredSecret>,
    /// Device overrides; expired ones may still be here.
    pub overrides: BTreeMap<DeviceId, DeviceOverride>,
    /// Devices that an operator revoked, with the time.
    pub revoked: BTreeMap<DeviceId, i64>,
    /// Development anchors of evidence.
    pub anchors: BTreeMap<AnchorName, Anchor>,
    /// How Play Integrity verdicts are read, sealed; by app.
    pub play_keys: BTreeMap<AppId, PlayKey>,
    /// Noteworthy keys that attested others, by the hexadecimal SHA-256 of their `SubjectPublicKeyInfo`.
    pub attestation_keys: BTreeMap<String, AttestationKeySightings>,
    /// Whether connections to protected APIs trust managed roots only.
    pub managed_roots: bool,
    /// Roots of the account's own that are managed beside the built-in ones.
    pub trust_roots: BTreeMap<AnchorName, TrustRoot>,
    /// Keys that sign attestation tokens, sealed.
    pub signing_keys: BTreeMap<String, SigningKey>,
    /// Keys that attest instances to authorization servers, sealed; the newest signs.
    pub attester_keys: BTreeMap<String, SigningKey>,
    /// Authorization servers.
    pub upstreams: BTreeMap<UpstreamName, Upstream>,
    /// The keys that sign trust metadata, sealed.
    pub trust_keys: TrustKeys,
    /// The signed trust metadata as served.
    pub trust: PublishedTrust,
}

/// The members of an account that are its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccountProfile {
    /// For people.
    pub name: String,
    /// Seconds since 1970.
    pub created_at: i64,
}

/// The managed roots switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedRoots {
    /// On: connections to protected APIs trust managed roots only.
    pub enabled: bool,
}

/// A device that an operator revoked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Revocation {
    /// Since when, seconds since 1970.
    pub at: i64,
}

/// A root for protected APIs that the account added, say its company's own CA.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrustRoot {
    /// DER certificate.
    pub certificate: bonafide_wire::bytes::Base64Url,
    /// Who added it.
    pub added_by: String,
    /// Seconds since 1970.
    pub added_at: i64,
}

/// A product.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct App {
    /// For people.
    pub name: String,
    /// Its Android package.
    pub android_package: Option<PackageName>,
    /// Its app id on iOS.
    pub apple_app_id: Option<AppleAppId>,
    /// Seconds since 1970.
    pub created_at: i64,
}

/// A reference value.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Registration {
    /// Of which app.
    pub app: AppId,
    /// What counts.
    pub reference: Reference,
    /// For people.
    pub label: String,
    /// Who added it.
    pub added_by: String,
    /// Seconds since 1970.
    pub added_at: i64,
    /// It counts no longer after this.
    pub expires_at: Option<i64>,
}

/// A policy and its history mark.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VersionedPolicy {
    /// Grows with each change.
    pub version: u64,
    /// The typed policy.
    pub policy: Policy,
    /// Who changed it last.
    pub author: String,
    /// Seconds since 1970.
    pub updated_at: i64,
}

/// A protected API.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Api {
    /// Tokens or not.
    pub token: TokenMode,
    /// Seconds since 1970.
    pub added_at: i64,
}

/// Bytes sealed under the master key; `keys` opens them, with a Grant where they are a runtime secret's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedBytes(pub bonafide_wire::bytes::Base64Url);

/// A runtime secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuntimeSecret {
    /// Where it may go.
    pub hosts: Vec<Host>,
    /// Where in a request it may stand.
    pub uses: Vec<SecretUse>,
    /// Which apps may have it; empty: all.
    pub apps: Vec<AppId>,
    /// How long an app may hold it, seconds.
    pub life_seconds: u32,
    /// Grows with each new value.
    pub version: u64,
    /// The value.
    pub sealed: SealedBytes,
    /// Seconds since 1970.
    pub updated_at: i64,
}

fn admin() -> Role {
    Role::Admin
}

/// A secret that was removed: one made again under its name goes on counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiredSecret {
    /// Its last version.
    pub version: u64,
}

/// A device override.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeviceOverride {
    /// What it does.
    pub kind: OverrideKind,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub owner: String,
    /// In which role; where an earlier version did not write it down, the widest.
    #[serde(default = "admin")]
    pub owner_role: Role,
    /// Seconds since 1970.
    pub created_at: i64,
    /// It ends by itself.
    pub expires_at: i64,
}

/// A development anchor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Anchor {
    /// Which evidence may end there.
    #[serde(default)]
    pub evidence: AnchoredEvidence,
    /// DER certificate.
    pub certificate: bonafide_wire::bytes::Base64Url,
    /// Who added it.
    pub added_by: String,
    /// Seconds since 1970.
    pub added_at: i64,
}

/// An authorization server that the account's apps log in at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upstream {
    /// Its issuer identifier.
    pub issuer: Issuer,
    /// The app's client id there.
    pub client_id: String,
    /// Allowed rungs, best first.
    pub rungs: Vec<Rung>,
    /// What the service calls; nothing a device says changes it.
    pub endpoints: UpstreamEndpoints,
    /// How the service authenticates as the app's client.
    pub authentication: Option<ClientAuthentication>,
    /// Whom client assertions name.
    pub audience: AssertionAudience,
    /// Which apps may use it; empty: all.
    pub apps: Vec<AppId>,
    /// Where codes may arrive.
    pub redirect_uris: Vec<String>,
    /// Whether the relay keeps refresh tokens.
    pub keep_refresh_tokens: bool,
    /// Initial access token of the registration endpoint.
    pub registration_secret: Option<SecretName>,
    /// Grows with each change.
    pub version: u64,
    /// Seconds since 1970.
    pub updated_at: i64,
}

/// How the service authenticates as the app's client at an upstream.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// A runtime secret in the `Authorization` header.
    ClientSecretBasic {
        /// Its name.
        secret: SecretName,
    },
    /// A runtime secret in the form.
    ClientSecretPost {
        /// Its name.
        secret: SecretName,
    },
    /// A JWT authenticated with a runtime secret.
    ClientSecretJwt {
        /// Its name.
        secret: SecretName,
    },
    /// A JWT signed with this key.
    PrivateKeyJwt {
        /// The key.
        key: ClientKey,
    },
}

/// The private key of a client at an upstream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientKey {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// The public half.
    pub jwk: serde_json::Value,
    /// PKCS#8.
    pub sealed: SealedBytes,
}

impl ClientAuthentication {
    /// The name that OAuth registers.
    pub fn method(&self) -> ClientAuthenticationMethod {
        match self {
            Self::ClientSecretBasic { .. } => ClientAuthenticationMethod::ClientSecretBasic,
            Self::ClientSecretPost { .. } => ClientAuthenticationMethod::ClientSecretPost,
            Self::ClientSecretJwt { .. } => ClientAuthenticationMethod::ClientSecretJwt,
            Self::PrivateKeyJwt { .. } => ClientAuthenticationMethod::PrivateKeyJwt,
        }
    }

    /// The runtime secret behind it.
    pub fn secret(&self) -> Option<&SecretName> {
        match self {
            Self::ClientSecretBasic { secret }
            | Self::ClientSecretPost { secret }
            | Self::ClientSecretJwt { secret } => Some(secret),
            Self::PrivateKeyJwt { .. } => None,
        }
    }
}

impl Upstream {
    /// Whether the account allows a rung here.
    pub fn allows(&self, rung: Rung) -> bool {
        self.rungs.contains(&rung)
    }

    /// Whether the service itself uses this runtime secret here.
    pub fn uses_secret(&self, name: &SecretName) -> bool {
        let authentication = self.authentication.as_ref();
        authentication.and_then(ClientAuthentication::secret) == Some(name)
            || self.registration_secret.as_ref() == Some(name)
    }
}

impl AccountConfig {
    /// Whether an upstream keeps this runtime secret on the service: it is never delivered then.
    pub fn withholds_secret(&self, name: &SecretName) -> bool {
        let keeps = |upstream: &Upstream| {
            upstream.uses_secret(name)
                && !(upstream.allows(Rung::DeliveredSecret)
                    && upstream.registration_secret.as_ref() != Some(name))
        };
        self.upstreams.values().any(keeps)
    }
}

/// How the Play Integrity verdicts of an app are read: with its keys of "response encryption".
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlayKey {
    /// The verification key: DER `SubjectPublicKeyInfo`, P-256.
    pub verification: bonafide_wire::bytes::Base64Url,
    /// The decryption key, 32 bytes.
    pub sealed: SealedBytes,
    /// Who added it.
    pub added_by: String,
    /// Seconds since 1970.
    pub added_at: i64,
}

/// Life of a signing key (`docs/operations.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SigningKeyState {
    /// In the JWKS, not yet used.
    Published,
    /// Signs.
    Active,
    /// Still in the JWKS until the last token and cache died.
    Retiring,
}

/// A key that signs attestation tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SigningKey {
    /// Its state.
    pub state: SigningKeyState,
    /// Uncompressed P-256 point.
    pub public_key: bonafide_wire::bytes::Base64Url,
    /// PKCS#8.
    pub sealed: SealedBytes,
    /// Seconds since 1970.
    pub created_at: i64,
    /// When it came into that state, seconds since 1970.
    pub since: i64,
}

impl SigningKey {
    /// The same key in another state.
    #[must_use]
    pub fn moved_to(&self, state: SigningKeyState, now: i64) -> Self {
        Self {
            state,
            since: now,
            ..self.clone()
        }
    }
}

/// The two roles of trust metadata.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrustKeys {
    /// Signs root metadata; its thumbprint is in the config string.
    pub root: TrustKey,
    /// Signs bundles.
    pub bundle: TrustKey,
}

/// One key of trust metadata.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrustKey {
    /// Uncompressed P-256 point.
    pub public_key: bonafide_wire::bytes::Base64Url,
    /// PKCS#8.
    pub sealed: SealedBytes,
}

/// Signed trust metadata, byte for byte as served.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PublishedTrust {
    /// The bundle's version; the `ETag`.
    pub version: u64,
    /// Re-sign before this, seconds since 1970.
    pub refresh_at: i64,
    /// JSON of the reply to `GET trust-bundle`.
    pub document: String,
}

/// A management credential.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credential {
    /// Who or what uses it.
    pub name: String,
    /// The widest role it may take.
    pub role: Role,
    /// The only account it is good for.
    pub account: Option<AccountId>,
    /// SHA-256 of the secret part (256 random bits, so a plain hash is enough).
    pub secret_sha256: bonafide_wire::bytes::Base64Url,
    /// Seconds since 1970.
    pub created_at: i64,
}
