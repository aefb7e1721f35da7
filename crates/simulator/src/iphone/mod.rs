//! A virtual iPhone: App Attest keys with the semantics of the Secure Enclave.
//!
//! A key belongs to one app, is attested once, asserts with a counter that only grows, and survives an update but
//! neither a reinstall nor a restore on another phone. The phone tells the truth about its apps; whether that is
//! acceptable is not known here.

mod object;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bonafide_wire::device::{Measured, Measurements};

use crate::factory::AttestationKey;
use crate::key::{KeyKind, PrivateKey};
use crate::{Factory, SimulatorError};

/// The version of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IosVersion {
    /// Says nothing about an app's release.
    Ios26,
    /// Says how an app was released, and which build it is.
    Ios27,
}

/// How an app came to the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IosRelease {
    /// From the App Store.
    AppStore,
    /// By `TestFlight`.
    TestFlight,
    /// From Xcode: App Attest's development environment.
    Development,
}

/// An app as Apple delivers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IosApp {
    /// `TEAMID.bundle.identifier`.
    pub app_id: String,
    /// `CFBundleVersion`.
    pub build: String,
    /// How it came here.
    pub release: IosRelease,
}

/// The name that the system has for a key: SHA-256 of its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IosKeyId(pub [u8; 32]);

#[derive(Debug)]
struct EnclaveKey {
    key: PrivateKey,
    owner: String,
    attested: Attested,
    counter: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attested {
    NotYet,
    Once,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Jailbreak {
    None,
    Done,
}

/// What happens to an app's process.
#[derive(Debug)]
struct Process {
    app: IosApp,
    debugger: Measured,
    instrumentation: Measured,
}

#[derive(Debug)]
struct State {
    version: IosVersion,
    jailbreak: Jailbreak,
    authority: AttestationKey,
    apps: BTreeMap<String, Process>,
    keys: BTreeMap<IosKeyId, EnclaveKey>,
}

/// A virtual iPhone. Clones are handles to the same phone.
#[derive(Debug, Clone)]
pub struct IPhone {
    state: Arc<Mutex<State>>,
}

impl IPhone {
    /// A phone whose keys are attested beneath this factory's root; `now` in seconds since 1970.
    pub fn new(factory: &Factory, version: IosVersion, now: i64) -> Result<Self, SimulatorError> {
        Ok(Self {
            state: Arc::new(Mutex::new(State {
                version,
                jailbreak: Jailbreak::None,
                authority: factory.app_attest_authority(now)?,
                apps: BTreeMap::new(),
                keys: BTreeMap::new(),
            })),
        })
    }

    /// Installs an app, or updates it: then its keys stay.
    pub fn install(&self, app: IosApp) {
        let process = Process {
            debugger: Measured::Clear,
            instrumentation: Measured::Clear,
            app,
        };
        self.lock().apps.insert(process.app.app_id.clone(), process);
    }

    /// Removes an app with all its keys.
    pub fn uninstall(&self, app_id: &str) -> Result<(), SimulatorError> {
        let mut state = self.lock();
        state.keys.retain(|_, key| key.owner != app_id);
        let removed = state.apps.remove(app_id);
        removed.map(drop).ok_or(SimulatorError::AppNotInstalled)
    }

    /// Apps and their files come back from a backup, on this phone or another; no key does.
    pub fn restore_from_backup(&self) {
        self.lock().keys.clear();
    }

    /// Makes a key for an app (`DCAppAttestService.generateKey`).
    pub fn generate_key(&self, app_id: &str) -> Result<IosKeyId, SimulatorError> {
        let mut state = self.lock();
        if !state.apps.contains_key(app_id) {
            return Err(SimulatorError::AppNotInstalled);
        }
        let key = PrivateKey::generate(KeyKind::EcP256)?;
        let id = IosKeyId(object::sha256(&key.point()?));
        let key = EnclaveKey {
            key,
            owner: app_id.to_owned(),
            attested: Attested::NotYet,
            counter: 0,
        };
        state.keys.insert(id, key);
        Ok(id)
    }

    /// Attests a key over a client data hash (`attestKey`); each key once.
    pub fn attest_key(
        &self,
        app_id: &str,
        id: IosKeyId,
        client_data_hash: &[u8; 32],
        now: i64,
    ) -> Result<Vec<u8>, SimulatorError> {
        let mut state = self.lock();
        let State {
            version,
            authority,
            apps,
            keys,
            ..
        } = &mut *state;
        let app = apps.get(app_id).ok_or(SimulatorError::AppNotInstalled)?;
        let key = owned(keys, app_id, id)?;
        if key.attested == Attested::Once {
            return Err(SimulatorError::KeyAttestedAlready);
        }
        key.attested = Attested::Once;
        let app = (&app.app, *version);
        object::attestation(authority, app, &key.key, client_data_hash, now)
    }

    /// Asserts a client data hash with an attested key (`generateAssertion`).
    pub fn generate_assertion(
        &self,
        app_id: &str,
        id: IosKeyId,
        client_data_hash: &[u8; 32],
    ) -> Result<Vec<u8>, SimulatorError> {
        let mut state = self.lock();
        let State {
            version,
            apps,
            keys,
            ..
        } = &mut *state;
        let app = apps.get(app_id).ok_or(SimulatorError::AppNotInstalled)?;
        let key = owned(keys, app_id, id)?;
        if key.attested == Attested::NotYet {
            return Err(SimulatorError::KeyNotFound);
        }
        key.counter += 1;
        let app = (&app.app, *version);
        object::assertion(app, &key.key, key.counter, client_data_hash)
    }

    /// Sets a key's counter back: what no phone does, and what a copy of a key would show.
    pub fn rewind_counter(&self, id: IosKeyId) -> Result<(), SimulatorError> {
        let mut state = self.lock();
        let key = state.keys.get_mut(&id);
        key.ok_or(SimulatorError::KeyNotFound)?.counter = 0;
        Ok(())
    }

    /// Deletes a key; deleting what is not there is no error.
    pub fn delete_key(&self, id: IosKeyId) {
        self.lock().keys.remove(&id);
    }

    /// What the SDK inside this app can see of its process and the phone. An app cannot read its own package as the
    /// App Store delivered it.
    pub fn measure(&self, app_id: &str) -> Result<Measurements, SimulatorError> {
        let state = self.lock();
        let process = state.apps.get(app_id);
        let process = process.ok_or(SimulatorError::AppNotInstalled)?;
        Ok(Measurements {
            debugger: process.debugger,
            tracer: process.debugger,
            instrumentation: process.instrumentation,
            injected_libraries: process.instrumentation,
            code_modified: Measured::Clear,
            emulator: Measured::Clear,
            root: match state.jailbreak {
                Jailbreak::Done => Measured::Detected,
                Jailbreak::None => Measured::Clear,
            },
            artifact_sha256: None,
        })
    }

    /// Attaches a debugger to an app.
    pub fn attach_debugger(&self, app_id: &str) -> Result<(), SimulatorError> {
        self.change_process(app_id, |process| process.debugger = Measured::Detected)
    }

    /// Injects an instrumentation framework (as Frida does) into an app.
    pub fn instrument(&self, app_id: &str) -> Result<(), SimulatorError> {
        self.change_process(app_id, |process| {
            process.instrumentation = Measured::Detected;
        })
    }

    /// Jailbreaks the phone. The Secure Enclave goes on attesting its apps.
    pub fn jailbreak(&self) {
        self.lock().jailbreak = Jailbreak::Done;
    }

    fn change_process(
        &self,
        app_id: &str,
        change: impl FnOnce(&mut Process),
    ) -> Result<(), SimulatorError> {
        let mut state = self.lock();
        let process = state.apps.get_mut(app_id);
        change(process.ok_or(SimulatorError::AppNotInstalled)?);
        Ok(())
    }

    /// A panic in another thread leaves no half-done change: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn owned<'a>(
    keys: &'a mut BTreeMap<IosKeyId, EnclaveKey>,
    app_id: &str,
    id: IosKeyId,
) -> Result<&'a mut EnclaveKey, SimulatorError> {
    keys.get_mut(&id)
        .filter(|key| key.owner == app_id)
        .ok_or(SimulatorError::KeyNotFound)
}
