//! The admin side (`/admin/v1`): what the command line, the console and scripts exchange with the service.
//!
//! Views are what is read, `New…` and `Put…` what is written. A secret's value only ever travels inwards.

use serde::{Deserialize, Serialize};

pub use crate::reference::{AppAttestEnvironment, PlatformName, Reference};

use crate::bytes::Base64Url;
use crate::device::SecretUse;
use crate::ids::{
    AccountId, AnchorName, AppId, AppleAppId, CredentialId, DeviceId, EndpointUrl, Host, Issuer,
    PackageName, RegistrationId, SecretName, SupportId, UpstreamName,
};
use crate::platform::AnchoredEvidence;
use crate::secret::{SecretText, expose_into, expose_some};
use crate::upstream::Rung;

/// What a session may do. Wider roles include `viewer`; `auditor` reads everything, audit log included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Role {
    /// Reads configuration, devices and verdicts.
    Viewer,
    /// A viewer who reads the audit log too, and changes nothing.
    Auditor,
    /// A viewer who registers apps and builds and sets device overrides.
    Developer,
    /// Everything.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Auditor, Self::Developer, Self::Admin];

    /// Whether a session of this role may do what needs `needed`. Everybody reads; the audit log is for
    /// auditors, registering for developers; an admin may do everything.
    pub fn covers(self, needed: Self) -> bool {
        self == Self::Admin || needed == Self::Viewer || self == needed
    }

    /// The stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
            Self::Developer => "developer",
            Self::Admin => "admin",
        }
    }
}

macro_rules! dto {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }
    };
}

dto! {
    /// `POST /admin/v1/sessions`, with a management credential as bearer.
    NewSession {
        /// The role wanted; at most the credential's.
        role: Role,
    }
}
dto! {
    /// A session. It ends an hour after it was opened.
    SessionView {
        /// The bearer value for the routes below.
        #[serde(serialize_with = "expose_into")]
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        session: SecretText,
        /// What it may do.
        role: Role,
        /// The only account it may do it in; absent for a service-wide credential.
        account: Option<AccountId>,
        /// Seconds since 1970.
        expires_at: i64,
    }
}
dto! {
    /// `GET /admin/v1/whoami`
    WhoAmI {
        /// The credential's name.
        name: String,
        /// The session's role.
        role: Role,
        /// Absent for a service-wide credential.
        account: Option<AccountId>,
        /// Seconds since 1970.
        expires_at: i64,
    }
}
dto! {
    /// A management credential, without its secret.
    CredentialView {
        /// Its id.
        id: CredentialId,
        /// Who or what uses it.
        name: String,
        /// The widest role it may take.
        role: Role,
        /// The only account it is good for; absent: service-wide.
        account: Option<AccountId>,
        /// Seconds since 1970.
        created_at: i64,
    }
}
dto! {
    /// `POST …/credentials`
    NewCredential {
        /// Who or what will use it.
        name: String,
        /// The widest role it may take.
        role: Role,
    }
}
dto! {
    /// A credential just made: the one time its secret is shown.
    CreatedCredential {
        /// What can be read again.
        credential: CredentialView,
        /// What cannot.
        #[serde(serialize_with = "expose_into")]
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        secret: SecretText,
    }
}
dto! {
    /// An account.
    AccountView {
        /// Its id, part of every URL.
        id: AccountId,
        /// For people.
        name: String,
        /// Seconds since 1970.
        created_at: i64,
    }
}
dto! {
    /// `POST /admin/v1/accounts`
    NewAccount {
        /// Its id.
        id: AccountId,
        /// For people; at most 100 characters.
        name: String,
    }
}
dto! {
    /// An app.
    AppView {
        /// Its id.
        id: AppId,
        /// For people.
        name: String,
        /// Its Android package.
        android_package: Option<PackageName>,
        /// Its app id on iOS.
        apple_app_id: Option<AppleAppId>,
        /// Seconds since 1970.
        created_at: i64,
    }
}
dto! {
    /// `POST …/apps`
    NewApp {
        /// Its id.
        id: AppId,
        /// For people; at most 100 characters.
        name: String,
        /// Its Android package; one app per package.
        android_package: Option<PackageName>,
        /// Its app id on iOS; one app per app id.
        apple_app_id: Option<AppleAppId>,
    }
}

dto! {
    /// A registration.
    RegistrationView {
        /// Its id.
        id: RegistrationId,
        /// Of which app.
        app: AppId,
        /// What counts.
        reference: Reference,
        /// For people.
        label: String,
        /// Who added it.
        added_by: String,
        /// Seconds since 1970.
        added_at: i64,
        /// It counts no longer after this.
        expires_at: Option<i64>,
    }
}
dto! {
    /// `POST …/registrations`. Without an app, the app of the package or app id is taken, or made. A named
    /// app without one on that platform gets it.
    NewRegistration {
        /// Of which app.
        app: Option<AppId>,
        /// What counts.
        reference: Reference,
        /// For people; at most 200 characters.
        label: String,
        /// Seconds since 1970.
        expires_at: Option<i64>,
    }
}

/// Whether an API gets attestation tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TokenMode {
    /// Requests carry `Bonafide-Token`.
    Token,
    /// The API is not ours: protected channel and secrets only.
    NoToken,
}

dto! {
    /// A protected API.
    ApiView {
        /// Its host.
        host: Host,
        /// Tokens or not.
        token: TokenMode,
        /// Seconds since 1970.
        added_at: i64,
    }
}
dto! {
    /// `PUT …/apis/{host}`
    PutApi {
        /// Tokens or not.
        token: TokenMode,
    }
}
dto! {
    /// A runtime secret, without its value.
    SecretView {
        /// Its name.
        name: SecretName,
        /// Where it may go; at least one.
        hosts: Vec<Host>,
        /// Where in a request it may stand.
        uses: Vec<SecretUse>,
        /// Which apps may have it; empty: all of the account.
        apps: Vec<AppId>,
        /// How long an app may hold it, seconds, 1 to 3600.
        life_seconds: u32,
        /// Grows with each new value.
        version: u64,
        /// Seconds since 1970.
        updated_at: i64,
    }
}
dto! {
    /// `PUT …/secrets/{name}`: makes the secret, or replaces its value (a rotation).
    PutSecret {
        /// 1 byte to 8 KiB of text.
        #[serde(serialize_with = "expose_into")]
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        value: SecretText,
        /// Where it may go; at least one. Absent on rotation: as before.
        hosts: Option<Vec<Host>>,
        /// Where in a request it may stand. Absent: as before, or header, form and OAuth.
        uses: Option<Vec<SecretUse>>,
        /// Which apps may have it. Absent: as before, or all.
        apps: Option<Vec<AppId>>,
        /// Absent: as before, or 300.
        life_seconds: Option<u32>,
    }
}
/// How the service authenticates as the app's client at an upstream, as it is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PutClientAuthentication {
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
    /// A JWT authenticated with a runtime secret of at least 32 bytes.
    ClientSecretJwt {
        /// Its name.
        secret: SecretName,
    },
    /// A JWT signed with a key of the service.
    PrivateKeyJwt {
        /// PEM (PKCS#8, SEC 1 or PKCS#1) of a P-256 or RSA key. Absent: the key there is, or a new P-256 key.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            serialize_with = "expose_some"
        )]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
        private_key_pem: Option<SecretText>,
    },
}

/// How the service authenticates as the app's client at an upstream, as it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ClientAuthenticationView {
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
    /// A JWT signed with a key of the service.
    PrivateKeyJwt {
        /// The public key as JWK (RFC 7517), to be registered at the authorization server.
        #[cfg_attr(feature = "openapi", schema(value_type = Object))]
        jwk: serde_json::Value,
    },
}

/// Whom a client assertion names as its audience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AssertionAudience {
    /// The issuer identifier, as RFC 7523bis demands.
    Issuer,
    /// The token endpoint, for servers that know RFC 7523 only.
    TokenEndpoint,
    /// Something else.
    Explicit {
        /// The audience, byte for byte.
        value: String,
    },
}

/// The endpoints of an upstream that the service calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpstreamEndpoints {
    /// Where codes and refresh tokens are redeemed.
    pub token: EndpointUrl,
    /// Where tokens are revoked (RFC 7009).
    pub revocation: Option<EndpointUrl>,
    /// Where clients are registered (RFC 7591).
    pub registration: Option<EndpointUrl>,
}

dto! {
    /// An authorization server that the account's apps log in at.
    UpstreamView {
        /// Its name.
        name: UpstreamName,
        /// Its issuer identifier.
        issuer: Issuer,
        /// The app's client id there.
        client_id: String,
        /// The allowed rungs, best first.
        rungs: Vec<Rung>,
        /// What the service calls.
        endpoints: UpstreamEndpoints,
        /// How the service authenticates there (relay, minted assertions); names the delivered secret too.
        authentication: Option<ClientAuthenticationView>,
        /// Whom client assertions name.
        audience: AssertionAudience,
        /// Which apps may use it; empty: all of the account.
        apps: Vec<AppId>,
        /// Where codes may arrive.
        redirect_uris: Vec<String>,
        /// Whether the relay keeps refresh tokens.
        keep_refresh_tokens: bool,
        /// The runtime secret that is the initial access token of the registration endpoint.
        registration_secret: Option<SecretName>,
        /// Grows with each change; the `ETag`.
        version: u64,
        /// Seconds since 1970.
        updated_at: i64,
    }
}
dto! {
    /// `PUT …/upstreams/{name}`
    PutUpstream {
        /// Its issuer identifier; the endpoints are discovered below it.
        issuer: Issuer,
        /// The app's client id there; 1 to 256 printable ASCII characters.
        client_id: String,
        /// The allowed rungs; at least one.
        rungs: Vec<Rung>,
        /// Needed by every rung but the attested client and own registrations.
        authentication: Option<PutClientAuthentication>,
        /// Absent: the issuer.
        audience: Option<AssertionAudience>,
        /// Which apps may use it. Absent: all.
        apps: Option<Vec<AppId>>,
        /// Where codes may arrive, compared byte for byte (the port of a loopback URI is free). At least one for
        /// relay and own registrations.
        redirect_uris: Option<Vec<String>>,
        /// Whether the relay keeps refresh tokens. Absent: it does not.
        keep_refresh_tokens: Option<bool>,
        /// The runtime secret that is the initial access token of the registration endpoint, where it wants one.
        registration_secret: Option<SecretName>,
        /// For a server without metadata. Absent: discovered now.
        endpoints: Option<UpstreamEndpoints>,
    }
}
dto! {
    /// `POST …/upstream-checks`: exactly one of the two.
    CheckUpstream {
        /// One of the account's.
        upstream: Option<UpstreamName>,
        /// Any server.
        issuer: Option<Issuer>,
    }
}

/// Whether a rung can be used at a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RungSupport {
    /// Its metadata say so.
    Yes,
    /// Its metadata do not say; the server's operator knows.
    Maybe,
    /// Its metadata rule it out.
    No,
}

dto! {
    /// One rung at one server.
    RungReport {
        /// Which.
        rung: Rung,
        /// Whether it can be used.
        support: RungSupport,
        /// Whether the account allows it there; absent where only an issuer was asked about.
        allowed: Option<bool>,
        /// Why, for people.
        why: String,
    }
}
dto! {
    /// What an authorization server supports, and which rung is best.
    UpstreamReport {
        /// Its issuer identifier, as its metadata have it.
        issuer: Issuer,
        /// Where the metadata were found.
        metadata_url: EndpointUrl,
        /// What the service would call.
        endpoints: UpstreamEndpoints,
        /// `token_endpoint_auth_methods_supported`, or what its absence means.
        auth_methods: Vec<String>,
        /// What helps every rung: PKCE with S256, DPoP, pushed requests, `iss` in redirects.
        features: Vec<String>,
        /// One for each rung, best first.
        rungs: Vec<RungReport>,
        /// The best that can be used.
        best: Option<Rung>,
        /// What an operator should know or change.
        warnings: Vec<String>,
    }
}
dto! {
    /// The account's policy, in force since `version`.
    PolicyView {
        /// Grows with each change; also the `ETag`.
        version: u64,
        /// The policy document (`docs/reference/policy.md`).
        #[cfg_attr(feature = "openapi", schema(value_type = Object))]
        policy: serde_json::Value,
        /// Who changed it last.
        author: String,
        /// Seconds since 1970.
        updated_at: i64,
    }
}

/// What an override does to a device's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum OverrideKind {
    /// Policy findings do not refuse it. Evidence that fails authentication still does.
    AlwaysPass,
    /// Refused whatever it shows, to test failure paths or to lock it out.
    AlwaysFail,
}

dto! {
    /// A device override.
    OverrideView {
        /// The device.
        device_id: DeviceId,
        /// What it does.
        kind: OverrideKind,
        /// Why.
        reason: String,
        /// Who set it.
        owner: String,
        /// Seconds since 1970.
        created_at: i64,
        /// It ends by itself.
        expires_at: i64,
    }
}
dto! {
    /// `PUT …/overrides/{device}`; in place of the device a support id, or `latest`: the only one refused lately.
    PutOverride {
        /// What it does.
        kind: OverrideKind,
        /// Why; 1 to 200 characters.
        reason: String,
        /// 60 to 7,776,000 (90 days).
        for_seconds: u32,
    }
}
dto! {
    /// An enrolled device.
    DeviceView {
        /// Its id.
        device_id: DeviceId,
        /// Of which app.
        app: AppId,
        /// Enrolled under a development anchor.
        development: bool,
        /// Revoked by an operator.
        revoked: bool,
        /// Seconds since 1970.
        enrolled_at: i64,
        /// How its evidence is judged: at the enrolment, and again whenever the revocation list, a trusted key, a
        /// registration or the policy changes. Absent: it enrolled with an earlier version, or is about to be judged.
        judged: Option<JudgedView>,
    }
}
dto! {
    /// The last judgement of a device's evidence; what the app measures is judged at each attestation.
    JudgedView {
        /// Seconds since 1970.
        at: i64,
        /// `allow` or `deny`.
        outcome: String,
        /// All findings.
        findings: Vec<FindingView>,
    }
}
dto! {
    /// A device that policy refused lately, with its newest verdict.
    RefusedDevice {
        /// Its id.
        device_id: DeviceId,
        /// What its user was told.
        support_id: SupportId,
        /// Seconds since 1970.
        at: i64,
        /// `enrolment` or `attestation`.
        request: String,
        /// Of which app, where the package belongs to one.
        app: Option<AppId>,
        /// Codes of the findings that refused it.
        findings: Vec<String>,
    }
}
dto! {
    /// Google's list of attestation keys that no longer count, as the service has it.
    RevocationListView {
        /// The URL or file that it comes from; absent: there is none.
        source: Option<String>,
        /// How many keys are listed.
        entries: u64,
        /// When the list was last known to be the newest, seconds since 1970; absent: there is no list.
        confirmed_at: Option<i64>,
        /// How long ago that was; the policy judges it.
        age_seconds: Option<i64>,
        /// When a newer one was last asked for, seconds since 1970.
        last_attempt_at: Option<i64>,
        /// Why the last attempt failed; absent: it did not.
        last_failure: Option<String>,
    }
}
dto! {
    /// One finding of a recorded verdict.
    FindingView {
        /// Stable code.
        code: String,
        /// `info`, `observed` or `enforced`.
        severity: String,
        /// This occurrence, for people.
        detail: String,
    }
}
dto! {
    /// A recorded verdict.
    VerdictView {
        /// What the refused user read out.
        support_id: SupportId,
        /// Seconds since 1970.
        at: i64,
        /// `enrolment` or `attestation`.
        request: String,
        /// `allow`, `deny` or `rejected` (evidence that did not authenticate).
        outcome: String,
        /// The problem code that the device saw; absent on allow.
        code: Option<String>,
        /// Where evidence authenticated one.
        device_id: Option<DeviceId>,
        /// Where the package belongs to one.
        app: Option<AppId>,
        /// All of them.
        findings: Vec<FindingView>,
        /// The policy version that judged.
        policy_version: u64,
        /// The verified facts.
        #[cfg_attr(feature = "openapi", schema(value_type = Object))]
        facts: serde_json::Value,
    }
}
dto! {
    /// Managed trust roots on or off.
    ManagedRootsView {
        /// On: connections to protected APIs trust the bundle's roots only.
        enabled: bool,
    }
}
dto! {
    /// A root of the account's own in its trust bundle, beside the managed ones (a company's CA).
    TrustRootView {
        /// Its name.
        name: AnchorName,
        /// The certificate's subject, for people.
        subject: String,
        /// SHA-256 of its key (`SubjectPublicKeyInfo`), lower-case hex.
        spki_sha256: String,
        /// Who added it.
        added_by: String,
        /// Seconds since 1970.
        added_at: i64,
    }
}
dto! {
    /// `PUT …/trust-roots/{name}`
    PutTrustRoot {
        /// One PEM certificate of an authority.
        certificate_pem: String,
    }
}
dto! {
    /// An evidence trust anchor that the account added. Always marked development.
    AnchorView {
        /// Its name.
        name: AnchorName,
        /// Which evidence may end there.
        evidence: AnchoredEvidence,
        /// SHA-256 of its key (`SubjectPublicKeyInfo`), lower-case hex.
        spki_sha256: String,
        /// Who added it.
        added_by: String,
        /// Seconds since 1970.
        added_at: i64,
    }
}
dto! {
    /// `PUT …/anchors/{name}`
    PutAnchor {
        /// Which evidence may end there. Absent: Android Key Attestation.
        #[serde(default)]
        evidence: AnchoredEvidence,
        /// One PEM certificate.
        certificate_pem: String,
    }
}
dto! {
    /// `GET …/sdk-config`
    SdkConfigView {
        /// The config string.
        config: String,
    }
}
dto! {
    /// A signing key of attestation tokens.
    SigningKeyView {
        /// RFC 7638 thumbprint.
        kid: String,
        /// `published`, `active` or `retiring`.
        state: String,
        /// Seconds since 1970.
        created_at: i64,
    }
}
dto! {
    /// `POST …/signing-keys`: nothing to say.
    RotateSigningKey {}
}
dto! {
    /// One row of the audit log.
    AuditEventView {
        /// 1, 2, 3, … without gaps.
        sequence: u64,
        /// Seconds since 1970.
        at: i64,
        /// Absent for events of the service itself.
        account: Option<AccountId>,
        /// Credential name, device id, or `service`.
        actor: String,
        /// Like `registration.added`.
        action: String,
        /// What it was done to.
        object: String,
        /// Names and digests, never values.
        #[cfg_attr(feature = "openapi", schema(value_type = Object))]
        details: serde_json::Value,
        /// SHA-256 over the previous hash and this row.
        hash: Base64Url,
    }
}
dto! {
    /// `GET /admin/v1/audit/verify`
    AuditVerification {
        /// Whether every link holds.
        intact: bool,
        /// How many rows were checked.
        events: u64,
        /// Hash of the newest row.
        head: Base64Url,
        /// The first row that does not hold.
        broken_at: Option<u64>,
    }
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// In a stable order.
    pub items: Vec<T>,
    /// Give it back as `page_token` for more; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}
