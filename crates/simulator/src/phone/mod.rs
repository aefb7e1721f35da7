//! A virtual phone with the semantics of hardware-held keys.
//!
//! Apps are installed under user ids of their own; a key made by one app can be used by that app alone, and
//! nothing gives a private key out. The phone tells the truth about itself in its attestations, as hardware
//! does: an unlocked boot loader is reported as such, and there is no method that makes it lie. What an app
//! *measures* about its process (debugger, hooks, root) is reported too. Whether any of it is acceptable is not
//! known here.

mod build;
pub(crate) mod storage;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{Measured, Measurements};
use serde::{Deserialize, Serialize};

use crate::SimulatorError;
use crate::apk::{Apk, BuildType};
use crate::certificate::{Attribute, Certificate, Name, Validity, extension, signing_key_usage};
use crate::factory::AttestationKey;
use crate::key::{KeyKind, PrivateKey, random};
use crate::key_description::{self, BootState, KeyDescription, RootOfTrust};

pub use build::PhoneBuilder;

/// 2048-01-01, what Android's KeyStore writes when the app does not say.
const KEY_NOT_AFTER: i64 = 2_461_449_600;
const FIRST_APP_UID: u32 = 10_100;

/// Where keys live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecurityLevel {
    /// The trusted execution environment of the main processor.
    TrustedEnvironment,
    /// A secure element.
    StrongBox,
}

impl SecurityLevel {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::TrustedEnvironment => "TEE",
            Self::StrongBox => "StrongBox",
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::TrustedEnvironment => 1,
            Self::StrongBox => 2,
        }
    }
}

/// An installed app, by its user id on one phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AppUid(u32);

/// A key in the phone's key store, by the name that its app knows it under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyAlias(String);

impl KeyAlias {
    /// The text, for an app that remembers its key across starts.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for KeyAlias {
    fn from(alias: String) -> Self {
        Self(alias)
    }
}

/// What stands in the phone's specification and boot state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Traits {
    model: String,
    security_level: SecurityLevel,
    keymint_version: u64,
    os_version: u64,
    os_patch_level: u64,
    vendor_patch_level: u64,
    boot_patch_level: u64,
    boot_key: [u8; 32],
    boot_hash: [u8; 32],
    bootloader: Bootloader,
    root: Rooted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Bootloader {
    Locked,
    Unlocked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Rooted {
    No,
    Yes,
}

/// One installed app and what happens to its process.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Installed {
    package: String,
    version_code: u64,
    signers: Vec<[u8; 32]>,
    artifact_sha256: [u8; 32],
    /// A debug build says so in its manifest, and lets any debugger in.
    debuggable: Presence,
    debugger: Presence,
    instrumentation: Presence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Presence {
    Absent,
    Present,
}

/// A phone and an app of it, as Google's servers see them.
#[derive(Debug)]
pub(crate) struct SeenByPlay {
    pub(crate) package: String,
    pub(crate) version_code: u64,
    pub(crate) signers: Vec<[u8; 32]>,
    pub(crate) locked: bool,
}

#[derive(Debug)]
struct State {
    traits: Traits,
    attestation: AttestationKey,
    apps: BTreeMap<AppUid, Installed>,
    keys: BTreeMap<(AppUid, KeyAlias), PrivateKey>,
    next_uid: u32,
    home: Option<PathBuf>,
}

/// A virtual phone. Clones are handles to the same phone.
#[derive(Debug, Clone)]
pub struct Phone {
    state: Arc<Mutex<State>>,
}

impl Phone {
    /// Installs an app. The same package by the same signers is an update, which keeps its keys; by other
    /// signers it is refused, as on any Android phone.
    pub fn install(&self, apk: &Apk) -> Result<AppUid, SimulatorError> {
        self.change(|state| {
            let present = state
                .apps
                .iter()
                .find(|(_, app)| app.package == apk.package());
            let uid = match present {
                Some((uid, app)) if app.signers == [apk.signer()] => *uid,
                Some((_, app)) => return Err(SimulatorError::SignerMismatch(app.package.clone())),
                None => {
                    state.next_uid += 1;
                    AppUid(state.next_uid)
                }
            };
            state.apps.insert(uid, Installed::new(apk));
            Ok(uid)
        })
    }

    /// Removes an app with all its keys.
    pub fn uninstall(&self, app: AppUid) -> Result<(), SimulatorError> {
        self.change(|state| {
            state
                .apps
                .remove(&app)
                .ok_or(SimulatorError::AppNotInstalled)?;
            state.keys.retain(|(owner, _), _| *owner != app);
            Ok(())
        })
    }

    /// The installed app of a package.
    pub fn app(&self, package: &str) -> Option<AppUid> {
        let state = self.lock();
        state
            .apps
            .iter()
            .find(|(_, app)| app.package == package)
            .map(|(uid, _)| *uid)
    }

    /// Makes a P-256 signing key for an app, without an attestation: its uncompressed point is all there is to say.
    pub fn generate_plain_key(&self, app: AppUid) -> Result<(KeyAlias, Vec<u8>), SimulatorError> {
        self.change(|state| {
            if !state.apps.contains_key(&app) {
                return Err(SimulatorError::AppNotInstalled);
            }
            let key = PrivateKey::generate(KeyKind::EcP256)?;
            let point = key.point()?;
            let alias = KeyAlias(format!("bonafide-{}", hex::encode(random::<8>()?)));
            state.keys.insert((app, alias.clone()), key);
            Ok((alias, point))
        })
    }

    /// Makes a P-256 signing key for an app and attests it over the challenge; `now` in seconds since 1970.
    ///
    /// The chain is DER, leaf first, root last.
    pub fn generate_key(
        &self,
        app: AppUid,
        challenge: &[u8],
        now: i64,
    ) -> Result<(KeyAlias, Vec<Vec<u8>>), SimulatorError> {
        self.change(|state| {
            let key = PrivateKey::generate(KeyKind::EcP256)?;
            let chain = state.attest(app, &key, challenge, now)?;
            let alias = KeyAlias(format!("bonafide-{}", hex::encode(random::<8>()?)));
            state.keys.insert((app, alias.clone()), key);
            Ok((alias, chain))
        })
    }

    /// Signs with a key of this app: ECDSA P-256 with SHA-256, ASN.1 DER.
    pub fn sign(
        &self,
        app: AppUid,
        alias: &KeyAlias,
        message: &[u8],
    ) -> Result<Vec<u8>, SimulatorError> {
        self.lock()
            .keys
            .get(&(app, alias.clone()))
            .ok_or(SimulatorError::KeyNotFound)?
            .sign(message)
    }

    /// The public half of a P-256 key of this app: an uncompressed point of 65 bytes.
    pub fn public_key(&self, app: AppUid, alias: &KeyAlias) -> Result<Vec<u8>, SimulatorError> {
        let state = self.lock();
        let key = state.keys.get(&(app, alias.clone()));
        let spki = key.ok_or(SimulatorError::KeyNotFound)?.spki()?;
        // The point is what a SubjectPublicKeyInfo of P-256 ends with.
        let point = spki.len().checked_sub(65).and_then(|at| spki.get(at..));
        point
            .filter(|point| point.first() == Some(&4))
            .map(<[u8]>::to_vec)
            .ok_or(SimulatorError::KeyNotFound)
    }

    /// The names of this app's keys.
    pub fn aliases(&self, app: AppUid) -> Vec<KeyAlias> {
        let state = self.lock();
        let keys = state.keys.keys();
        keys.filter(|(owner, _)| *owner == app)
            .map(|(_, alias)| alias.clone())
            .collect()
    }

    /// Deletes a key of this app; deleting what is not there is no error.
    pub fn delete_key(&self, app: AppUid, alias: &KeyAlias) -> Result<(), SimulatorError> {
        self.change(|state| {
            state.keys.remove(&(app, alias.clone()));
            Ok(())
        })
    }

    /// What the SDK inside this app can see of its process and the device.
    pub fn measure(&self, app: AppUid) -> Result<Measurements, SimulatorError> {
        let state = self.lock();
        let installed = state
            .apps
            .get(&app)
            .ok_or(SimulatorError::AppNotInstalled)?;
        Ok(Measurements {
            debugger: installed.debuggable.or(installed.debugger).into(),
            // A debugger of the managed runtime traces nothing (no TracerPid).
            tracer: Measured::Clear,
            instrumentation: installed.instrumentation.into(),
            injected_libraries: installed.instrumentation.into(),
            code_modified: Measured::Clear,
            emulator: Measured::Clear,
            root: match state.traits.root {
                Rooted::Yes => Measured::Detected,
                Rooted::No => Measured::Clear,
            },
            artifact_sha256: Some(Base64Url(installed.artifact_sha256.to_vec())),
        })
    }

    /// Unlocks the boot loader. As on a real phone this erases everything: apps and keys are gone.
    pub fn unlock_bootloader(&self) -> Result<(), SimulatorError> {
        self.change(|state| {
            state.traits.bootloader = Bootloader::Unlocked;
            state.apps.clear();
            state.keys.clear();
            Ok(())
        })
    }

    /// Roots the running system; the boot loader stays as it is.
    pub fn root(&self) -> Result<(), SimulatorError> {
        self.change(|state| {
            state.traits.root = Rooted::Yes;
            Ok(())
        })
    }

    /// Attaches a debugger to an app.
    pub fn attach_debugger(&self, app: AppUid) -> Result<(), SimulatorError> {
        self.change_app(app, |installed| installed.debugger = Presence::Present)
    }

    /// Takes the debugger away again.
    pub fn detach_debugger(&self, app: AppUid) -> Result<(), SimulatorError> {
        self.change_app(app, |installed| installed.debugger = Presence::Absent)
    }

    /// Injects an instrumentation framework (as Frida does) into an app.
    pub fn instrument(&self, app: AppUid) -> Result<(), SimulatorError> {
        self.change_app(app, |installed| {
            installed.instrumentation = Presence::Present;
        })
    }

    /// What Google's servers find out about the phone and an app.
    pub(crate) fn seen_by_play(&self, app: AppUid) -> Result<SeenByPlay, SimulatorError> {
        let state = self.lock();
        let installed = state.apps.get(&app);
        let installed = installed.ok_or(SimulatorError::AppNotInstalled)?;
        Ok(SeenByPlay {
            package: installed.package.clone(),
            version_code: installed.version_code,
            signers: installed.signers.clone(),
            locked: state.traits.bootloader == Bootloader::Locked,
        })
    }

    /// The model name.
    pub fn model(&self) -> String {
        self.lock().traits.model.clone()
    }

    fn change_app(
        &self,
        app: AppUid,
        change: impl FnOnce(&mut Installed),
    ) -> Result<(), SimulatorError> {
        self.change(|state| {
            let installed = state.apps.get_mut(&app);
            change(installed.ok_or(SimulatorError::AppNotInstalled)?);
            Ok(())
        })
    }

    /// Changes the phone and, if it lives in a directory, saves it.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, SimulatorError>,
    ) -> Result<T, SimulatorError> {
        let mut state = self.lock();
        let outcome = change(&mut state)?;
        state.save()?;
        Ok(outcome)
    }

    /// A panic in another thread leaves no half-done change: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn attest(
        &self,
        app: AppUid,
        key: &PrivateKey,
        challenge: &[u8],
        now: i64,
    ) -> Result<Vec<Vec<u8>>, SimulatorError> {
        let installed = self.apps.get(&app).ok_or(SimulatorError::AppNotInstalled)?;
        let created_at_ms =
            u64::try_from(now.saturating_mul(1000)).map_err(|_| SimulatorError::TimeOutOfRange)?;
        let description = self.traits.describe(installed, challenge, created_at_ms);
        let leaf = Certificate {
            serial: vec![1],
            issuer: self.attestation.subject.clone(),
            subject: Name::new(&[(Attribute::CommonName, "Android Keystore Key")]),
            validity: Validity {
                not_before: now,
                not_after: KEY_NOT_AFTER,
            },
            spki: key.spki()?,
            extensions: vec![
                signing_key_usage(),
                extension(key_description::OID, &description.to_der()),
            ],
        }
        .sign(&self.attestation.key)?;
        let mut chain = vec![leaf];
        chain.extend(self.attestation.chain.iter().cloned());
        Ok(chain)
    }
}

impl Traits {
    fn describe<'a>(
        &self,
        app: &Installed,
        challenge: &'a [u8],
        created_at_ms: u64,
    ) -> KeyDescription<'a> {
        KeyDescription {
            keymint_version: self.keymint_version,
            security_level: self.security_level.number(),
            challenge,
            created_at_ms,
            application_id: key_description::application_id(
                &app.package,
                app.version_code,
                &app.signers,
            ),
            root_of_trust: self.root_of_trust(),
            os_version: self.os_version,
            os_patch_level: self.os_patch_level,
            vendor_patch_level: self.vendor_patch_level,
            boot_patch_level: self.boot_patch_level,
        }
    }

    fn root_of_trust(&self) -> RootOfTrust {
        match self.bootloader {
            Bootloader::Locked => RootOfTrust {
                verified_boot_key: self.boot_key,
                device_locked: true,
                state: BootState::Verified,
                verified_boot_hash: self.boot_hash,
            },
            Bootloader::Unlocked => RootOfTrust {
                verified_boot_key: [0; 32],
                device_locked: false,
                state: BootState::Unverified,
                verified_boot_hash: self.boot_hash,
            },
        }
    }
}

impl Installed {
    fn new(apk: &Apk) -> Self {
        Self {
            package: apk.package().to_owned(),
            version_code: apk.version_code(),
            signers: vec![apk.signer()],
            artifact_sha256: apk.sha256(),
            debuggable: match apk.build_type() {
                BuildType::Release => Presence::Absent,
                BuildType::Debug => Presence::Present,
            },
            debugger: Presence::Absent,
            instrumentation: Presence::Absent,
        }
    }
}

impl Presence {
    fn or(self, other: Self) -> Self {
        match self {
            Self::Present => Self::Present,
            Self::Absent => other,
        }
    }
}

impl From<Presence> for Measured {
    fn from(presence: Presence) -> Self {
        match presence {
            Presence::Absent => Self::Clear,
            Presence::Present => Self::Detected,
        }
    }
}
