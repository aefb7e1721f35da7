//! The configuration in force and what is derived from it once instead of at every request.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bonafide_evidence::android::Anchors;
use bonafide_evidence::apple::Environment;
use bonafide_evidence::play::PlayKeys;
use bonafide_evidence::{DeviceOverride, Evidence, Facts, ReferenceValue, Sha256Digest, Sightings};
use bonafide_wire::admin::{AppAttestEnvironment, OverrideKind, PlatformName, Reference};
use bonafide_wire::ids::{AccountId, AppId, AppleAppId, DeviceId, UpstreamName};
use bonafide_wire::platform::AnchoredEvidence;
use bonafide_wire::token::{Jwk, JwkSet};

use crate::config::{
    AccountConfig, App, ClientAuthentication, Configuration, Registration, SigningKey,
    SigningKeyState,
};
use crate::keys::Keys;
use crate::keys::client::ClientSigner;
use crate::keys::signing::TokenSigner;

use super::AppError;
use super::published::Published;

/// An immutable configuration with its indices.
#[derive(Debug)]
pub struct Snapshot {
    /// As stored.
    pub configuration: Configuration,
    derived: BTreeMap<AccountId, AccountIndex>,
    /// Accounts that cannot be used, with the first fault; the empty name is the service itself.
    damaged: BTreeMap<String, String>,
}

/// What is derived for one account.
#[derive(Debug)]
struct AccountIndex {
    signer: Option<Arc<TokenSigner>>,
    attester: Option<Arc<ClientSigner>>,
    client_signers: BTreeMap<UpstreamName, Arc<ClientSigner>>,
    attester_jwks: Published,
    android_anchors: Anchors,
    apple_anchors: Anchors,
    /// App ids of the account's apps, by the hash that evidence has them as.
    app_ids: BTreeMap<Sha256Digest, String>,
    play_openers: Vec<PlayOpener>,
    references: BTreeMap<String, PackageReferences>,
    jwks: Published,
    trust: Published,
    judged_by: [u8; 32],
}

/// Reads the Play Integrity verdicts of one package.
#[derive(Debug)]
pub struct PlayOpener {
    /// Which package.
    pub package: String,
    /// Opened.
    pub keys: PlayKeys,
}

/// The registrations of one package.
#[derive(Debug, Default)]
struct PackageReferences {
    values: Vec<ReferenceValue>,
    registered: Vec<Registered>,
}

#[derive(Debug, Clone)]
struct Registered {
    app: AppId,
    expires_at: Option<i64>,
}

/// The registrations that an instance is compared with, and whose they are.
#[derive(Debug)]
pub struct References<'a> {
    values: Cow<'a, [ReferenceValue]>,
    registered: Cow<'a, [Registered]>,
}

/// One account of a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct AccountView<'a> {
    /// Its id.
    pub id: &'a AccountId,
    /// As stored.
    pub config: &'a AccountConfig,
    index: &'a AccountIndex,
}

impl Snapshot {
    /// Derives the indices. Opened keys are taken over from the snapshot before. An account of which they cannot be
    /// derived is damaged; the others work.
    pub fn build(configuration: Configuration, keys: &Keys, before: Option<&Self>) -> Self {
        let mut derived = BTreeMap::new();
        let mut damaged = configuration.damaged.clone();
        for (id, account) in &configuration.accounts {
            let old = before.and_then(|before| before.derived.get(id));
            match AccountIndex::build(id, account, keys, old) {
                Ok(index) => drop(derived.insert(id.clone(), index)),
                Err(error) => drop(damaged.insert(id.to_string(), error.to_string())),
            }
        }
        let known = before.map(|before| &before.damaged);
        for (account, why) in &damaged {
            if known.is_none_or(|known| known.get(account) != Some(why)) {
                tracing::error!(account, why, "what is stored cannot be used");
            }
        }
        Self {
            configuration,
            derived,
            damaged,
        }
    }

    /// Whether this account could be used, were it like that.
    pub fn check(
        &self,
        id: &AccountId,
        account: &AccountConfig,
        keys: &Keys,
    ) -> Result<(), AppError> {
        AccountIndex::build(id, account, keys, self.derived.get(id)).map(drop)
    }

    /// What is stored and cannot be used, by account (empty: of the service itself), with the first fault.
    pub fn damaged(&self) -> &BTreeMap<String, String> {
        &self.damaged
    }

    /// Why an account gives no answers.
    fn missing(&self, id: &AccountId) -> AppError {
        if self.damaged.contains_key(id.as_str()) {
            AppError::AccountDamaged
        } else {
            AppError::UnknownAccount
        }
    }

    /// The configuration's version.
    pub fn version(&self) -> u64 {
        self.configuration.version
    }

    /// An account of it.
    pub fn account(&self, id: &AccountId) -> Result<AccountView<'_>, AppError> {
        let (id, config) = self
            .configuration
            .accounts
            .get_key_value(id)
            .ok_or_else(|| self.missing(id))?;
        let index = self.derived.get(id).ok_or_else(|| self.missing(id))?;
        Ok(AccountView { id, config, index })
    }
}

impl AccountIndex {
    fn build(
        id: &AccountId,
        account: &AccountConfig,
        keys: &Keys,
        old: Option<&Self>,
    ) -> Result<Self, AppError> {
        Ok(Self {
            signer: signer(id, account, keys, old)?,
            attester: attester(id, account, keys, old)?,
            client_signers: client_signers(id, account, keys, old)?,
            attester_jwks: Published::new(serde_json::to_string(&jwks(&account.attester_keys))?),
            android_anchors: anchors(id, account, AnchoredEvidence::AndroidKey)?,
            apple_anchors: anchors(id, account, AnchoredEvidence::AppAttest)?,
            app_ids: app_ids(account),
            play_openers: play_openers(id, account, keys)?,
            references: references(id, account)?,
            jwks: Published::new(serde_json::to_string(&jwks(&account.signing_keys))?),
            trust: Published::new(account.trust.document.clone()),
            judged_by: judged_by(account)?,
        })
    }
}

/// A digest of what judgements depend on.
fn judged_by(account: &AccountConfig) -> Result<[u8; 32], AppError> {
    Ok(super::admin::sha256(&serde_json::to_vec(&(
        &account.policy.policy,
        &account.registrations,
        &account.anchors,
        &account.attestation_keys,
    ))?))
}

fn signer(
    id: &AccountId,
    account: &AccountConfig,
    keys: &Keys,
    old: Option<&AccountIndex>,
) -> Result<Option<Arc<TokenSigner>>, AppError> {
    let active = account
        .signing_keys
        .iter()
        .find(|(_, key)| key.state == SigningKeyState::Active);
    let Some((kid, key)) = active else {
        return Ok(None);
    };
    let known = old
        .and_then(|old| old.signer.clone())
        .filter(|signer| signer.kid() == kid);
    match known {
        Some(signer) => Ok(Some(signer)),
        None => Ok(Some(Arc::new(keys.open_signing_key(id, kid, key)?))),
    }
}

/// The newest attester key, opened.
fn attester(
    id: &AccountId,
    account: &AccountConfig,
    keys: &Keys,
    old: Option<&AccountIndex>,
) -> Result<Option<Arc<ClientSigner>>, AppError> {
    let newest = account
        .attester_keys
        .iter()
        .max_by_key(|(kid, key)| (key.created_at, *kid));
    let Some((kid, key)) = newest else {
        return Ok(None);
    };
    let known = old
        .and_then(|old| old.attester.clone())
        .filter(|signer| signer.kid() == kid);
    match known {
        Some(signer) => Ok(Some(signer)),
        None => Ok(Some(Arc::new(keys.open_attester_key(id, kid, key)?))),
    }
}

/// The client keys of the upstreams, opened.
fn client_signers(
    id: &AccountId,
    account: &AccountConfig,
    keys: &Keys,
    old: Option<&AccountIndex>,
) -> Result<BTreeMap<UpstreamName, Arc<ClientSigner>>, AppError> {
    let mut signers = BTreeMap::new();
    for (name, upstream) in &account.upstreams {
        let Some(ClientAuthentication::PrivateKeyJwt { key }) = &upstream.authentication else {
            continue;
        };
        let known = old
            .and_then(|old| old.client_signers.get(name).cloned())
            .filter(|signer| signer.kid() == key.kid);
        let signer = match known {
            Some(signer) => signer,
            None => Arc::new(keys.open_client_key(id, name, key)?),
        };
        signers.insert(name.clone(), signer);
    }
    Ok(signers)
}

/// The platform's own keys and the account's development anchors of that kind.
fn anchors(
    id: &AccountId,
    account: &AccountConfig,
    evidence: AnchoredEvidence,
) -> Result<Anchors, AppError> {
    let mut anchors = match evidence {
        AnchoredEvidence::AndroidKey => Anchors::google(),
        AnchoredEvidence::AppAttest => Anchors::apple_app_attest(),
    };
    let of_kind = account
        .anchors
        .iter()
        .filter(|(_, anchor)| anchor.evidence == evidence);
    for (name, anchor) in of_kind {
        anchors = anchors
            .with_development(anchor.certificate.as_slice())
            .map_err(|error| AppError::Internal(format!("anchor {name} of {id}: {error}")))?;
    }
    Ok(anchors)
}

fn app_ids(account: &AccountConfig) -> BTreeMap<Sha256Digest, String> {
    let claimed = account
        .apps
        .values()
        .filter_map(|app| app.apple_app_id.as_ref());
    let registrations = account.registrations.values();
    let registered = registrations.filter_map(|entry| match entry.reference.names() {
        PlatformName::Apple(app_id) => Some(app_id),
        PlatformName::Android(_) => None,
    });
    claimed
        .chain(registered)
        .map(AppleAppId::as_str)
        .map(|app_id| (Sha256Digest::of(app_id.as_bytes()), app_id.to_owned()))
        .collect()
}

/// An app without a package has no verdicts.
fn play_openers(
    id: &AccountId,
    account: &AccountConfig,
    keys: &Keys,
) -> Result<Vec<PlayOpener>, AppError> {
    let mut openers = Vec::new();
    for (app, key) in &account.play_keys {
        let package = account
            .apps
            .get(app)
            .and_then(|app| app.android_package.as_ref());
        if let Some(package) = package {
            openers.push(PlayOpener {
                package: package.as_str().to_owned(),
                keys: keys.open_play_key(id, app, key)?,
            });
        }
    }
    Ok(openers)
}

fn references(
    id: &AccountId,
    account: &AccountConfig,
) -> Result<BTreeMap<String, PackageReferences>, AppError> {
    let mut packages: BTreeMap<String, PackageReferences> = BTreeMap::new();
    for (name, registration) in &account.registrations {
        let value = reference_value(registration)
            .map_err(|_| AppError::Internal(format!("registration {name} of {id} is damaged")))?;
        let package = packages.entry(value.package().to_owned()).or_default();
        package.values.push(value);
        package.registered.push(Registered {
            app: registration.app.clone(),
            expires_at: registration.expires_at,
        });
    }
    Ok(packages)
}

fn reference_value(
    registration: &Registration,
) -> Result<ReferenceValue, bonafide_evidence::HexError> {
    Ok(match &registration.reference {
        Reference::Build {
            package,
            version_code,
            signers,
            artifact_sha256,
        } => ReferenceValue::Build {
            package: package.as_str().to_owned(),
            version_code: *version_code,
            signers: signers
                .iter()
                .map(|signer| signer.parse())
                .collect::<Result<Vec<Sha256Digest>, _>>()?,
            artifact_sha256: artifact_sha256.parse()?,
        },
        Reference::Certificate { package, signer } => ReferenceValue::Certificate {
            package: package.as_str().to_owned(),
            signers: vec![signer.parse()?],
        },
        Reference::AppleApp { app_id } => ReferenceValue::Apple {
            app_id: app_id.as_str().to_owned(),
        },
        Reference::AppleBuild {
            app_id,
            version: _,
            build,
            environment,
        } => ReferenceValue::AppleBuild {
            app_id: app_id.as_str().to_owned(),
            bundle_version: build.clone(),
            environment: match environment {
                AppAttestEnvironment::Production => Environment::Production,
                AppAttestEnvironment::Development => Environment::Development,
            },
        },
    })
}

fn jwks(keys: &BTreeMap<String, SigningKey>) -> JwkSet {
    JwkSet {
        keys: keys
            .values()
            .filter_map(|key| Jwk::from_point(key.public_key.as_slice()))
            .collect(),
    }
}

impl<'a> AccountView<'a> {
    /// The key that signs now; absent only where an operator withdrew every key.
    pub fn signer(&self) -> Option<&'a TokenSigner> {
        self.index.signer.as_deref()
    }

    /// The key that attests instances to authorization servers; absent until an upstream needs it.
    pub fn attester(&self) -> Option<&'a ClientSigner> {
        self.index.attester.as_deref()
    }

    /// The client key of an upstream that authenticates with one.
    pub fn client_signer(&self, upstream: &UpstreamName) -> Option<&'a ClientSigner> {
        self.index
            .client_signers
            .get(upstream)
            .map(|signer| &**signer)
    }

    /// The served JWKS of the attester.
    pub fn attester_jwks(&self) -> &'a Published {
        &self.index.attester_jwks
    }

    /// Where evidence of that kind may end: the platform's keys and the account's development anchors. A Play
    /// Integrity verdict ends nowhere.
    pub fn anchors_of(&self, evidence: &Evidence<'_>) -> &'a Anchors {
        const NONE: &Anchors = &Anchors::none();
        match evidence {
            Evidence::AndroidKey { .. } => &self.index.android_anchors,
            Evidence::AppAttest(_) => &self.index.apple_anchors,
            Evidence::PlayIntegrity(_) => NONE,
        }
    }

    /// Where evidence with these facts may end.
    pub(super) fn anchors_for(&self, facts: &Facts) -> &'a Anchors {
        const NONE: &Anchors = &Anchors::none();
        match facts {
            Facts::AndroidKey(_) => &self.index.android_anchors,
            Facts::AppAttest(_) => &self.index.apple_anchors,
            Facts::PlayIntegrity(_) => NONE,
        }
    }

    /// What is noteworthy about the key that attested these facts.
    pub(super) fn sightings(&self, facts: &Facts) -> Sightings<'a> {
        let noteworthy = &self.config.attestation_keys;
        let Facts::AndroidKey(facts) = facts else {
            return Sightings::NotKept;
        };
        if noteworthy.is_empty() {
            return Sightings::NotKept;
        }
        noteworthy
            .get(&facts.attestation_key.to_string())
            .map_or(Sightings::NotKept, Sightings::Kept)
    }

    /// A digest of what judgements depend on; what is not the account's comes on top.
    pub(super) fn judged_by(&self) -> &'a [u8; 32] {
        &self.index.judged_by
    }

    /// Whether the account still trusts what the facts were authenticated by: its anchor, or the keys of the
    /// package that asked.
    pub fn still_trusts(&self, facts: &Facts) -> bool {
        match facts {
            Facts::AndroidKey(_) => facts.is_anchored_in(&self.index.android_anchors),
            Facts::AppAttest(_) => facts.is_anchored_in(&self.index.apple_anchors),
            Facts::PlayIntegrity(facts) => {
                let mut openers = self.index.play_openers.iter();
                openers.any(|opener| opener.package == facts.package)
            }
        }
    }

    /// The app id with this hash, if an app of the account has it.
    pub fn app_id(&self, hash: &Sha256Digest) -> Option<&'a str> {
        self.index.app_ids.get(hash).map(String::as_str)
    }

    /// How Play Integrity verdicts are read, one for each app that has keys.
    pub fn play_openers(&self) -> &'a [PlayOpener] {
        &self.index.play_openers
    }

    /// The served JWKS.
    pub fn jwks(&self) -> &'a Published {
        &self.index.jwks
    }

    /// The served trust metadata.
    pub fn trust(&self) -> &'a Published {
        &self.index.trust
    }

    /// The registrations in force of the packages that the platform vouches for.
    pub fn references(&self, facts: &Facts, now: i64) -> References<'a> {
        let mut packages = facts.packages();
        let of = |package: &str| self.index.references.get(package);
        match (packages.next().map(of), packages.next()) {
            (None | Some(None), None) => References::empty(),
            (Some(Some(only)), None) if only.all_in_force(now) => References {
                values: Cow::Borrowed(&only.values),
                registered: Cow::Borrowed(&only.registered),
            },
            _ => References::in_force(facts.packages().filter_map(of), now),
        }
    }

    /// The app of an instance: of the registration that matched, or the one that claims its package.
    pub fn app_of(
        &self,
        facts: &Facts,
        references: &References<'_>,
        matched: Option<usize>,
    ) -> Option<AppId> {
        let registered = matched.and_then(|index| references.registered.get(index));
        registered
            .map(|registered| registered.app.clone())
            .or_else(|| {
                let claims = |name: &str| {
                    self.config
                        .apps
                        .iter()
                        .find(|(_, app)| is_named(app, facts, name))
                };
                facts.packages().find_map(claims).map(|(id, _)| id.clone())
            })
    }

    /// What an operator said about a device, if it still counts.
    pub fn device_override(&self, device: &DeviceId, now: i64) -> DeviceOverride {
        match self.config.overrides.get(device) {
            Some(entry) if entry.expires_at > now => match entry.kind {
                OverrideKind::AlwaysPass => DeviceOverride::AlwaysPass,
                OverrideKind::AlwaysFail => DeviceOverride::AlwaysFail,
            },
            _ => DeviceOverride::None,
        }
    }

    /// Whether an operator revoked a device.
    pub fn is_revoked(&self, device: &DeviceId) -> bool {
        self.config.revoked.contains_key(device)
    }
}

/// Whether an app claims a name on the platform that vouches for it.
fn is_named(app: &App, facts: &Facts, name: &str) -> bool {
    match facts {
        Facts::AndroidKey(_) | Facts::PlayIntegrity(_) => {
            let package = app.android_package.as_ref();
            package.is_some_and(|known| known.as_str() == name)
        }
        Facts::AppAttest(_) => {
            let app_id = app.apple_app_id.as_ref();
            app_id.is_some_and(|known| known.as_str() == name)
        }
    }
}

impl PackageReferences {
    fn all_in_force(&self, now: i64) -> bool {
        self.registered.iter().all(|entry| entry.is_in_force(now))
    }
}

impl Registered {
    fn is_in_force(&self, now: i64) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

impl References<'_> {
    /// The reference values.
    pub fn values(&self) -> &[ReferenceValue] {
        &self.values
    }

    fn empty() -> Self {
        Self {
            values: Cow::Borrowed(&[]),
            registered: Cow::Borrowed(&[]),
        }
    }

    fn in_force<'a>(packages: impl Iterator<Item = &'a PackageReferences>, now: i64) -> Self {
        let (values, registered) = packages
            .flat_map(|package| package.values.iter().zip(&package.registered))
            .filter(|(_, registered)| registered.is_in_force(now))
            .map(|(value, registered)| (value.clone(), registered.clone()))
            .unzip();
        Self {
            values: Cow::Owned(values),
            registered: Cow::Owned(registered),
        }
    }
}
