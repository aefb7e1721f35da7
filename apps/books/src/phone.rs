//! The virtual phone as the SDK's attester: a hardware key that is made, used and forgotten on request.
//!
//! Remembers which of the phone's keys is the present one; the key itself never leaves the phone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bonafide_oauth::entropy::{Entropy as _, SystemEntropy};
use bonafide_sdk::host::{
    Attester, AttesterError, BoxFuture, Clock, EnrolmentChallenge, KeyPurpose, KeyRing,
};
use bonafide_sdk::{Measured, Measurements, PlatformEvidence, Proof};
use bonafide_simulator::{AppUid, KeyAlias, Phone, SimulatorError};
use bonafide_wire::bytes::Base64Url;
use zeroize::Zeroizing;

use crate::PACKAGE;
use crate::files::write_private;

/// One installed app on one phone.
pub struct PhoneAttester {
    phone: Phone,
    alias_file: PathBuf,
    clock: Arc<dyn Clock>,
}

impl PhoneAttester {
    /// Remembers the present key's name in `state`.
    pub fn new(phone: Phone, state: &Path, clock: Arc<dyn Clock>) -> Self {
        Self {
            phone,
            alias_file: state.join("hardware-key-alias"),
            clock,
        }
    }

    fn app(&self) -> Result<AppUid, AttesterError> {
        self.phone.app(PACKAGE).ok_or(AttesterError::KeyMissing)
    }

    fn alias(&self) -> Result<KeyAlias, AttesterError> {
        std::fs::read_to_string(&self.alias_file)
            .map(KeyAlias::from)
            .map_err(|_| AttesterError::KeyMissing)
    }

    fn make(&self, challenge: &[u8]) -> Result<PlatformEvidence, AttesterError> {
        let app = self.phone.app(PACKAGE).ok_or(AttesterError::Unsupported)?;
        let (alias, chain) = self
            .phone
            .generate_key(app, challenge, self.clock.wall())
            .map_err(|error| failure(&error))?;
        write_private(&self.alias_file, alias.as_str().as_bytes())
            .map_err(|_| AttesterError::Failed)?;
        Ok(PlatformEvidence::AndroidKey {
            chain: chain.into_iter().map(Base64Url).collect(),
        })
    }

    fn prove(&self, message: &[u8]) -> Result<Proof, AttesterError> {
        let signature = self
            .phone
            .sign(self.app()?, &self.alias()?, message)
            .map_err(|error| failure(&error))?;
        Ok(Proof::EcdsaP256Sha256 {
            signature: Base64Url(signature),
        })
    }

    fn delete(&self) -> Result<(), AttesterError> {
        let (Ok(app), Ok(alias)) = (self.app(), self.alias()) else {
            return Ok(());
        };
        self.phone
            .delete_key(app, &alias)
            .map_err(|error| failure(&error))?;
        std::fs::remove_file(&self.alias_file).map_err(|_| AttesterError::Failed)
    }
}

fn failure(error: &SimulatorError) -> AttesterError {
    match error {
        SimulatorError::KeyNotFound | SimulatorError::AppNotInstalled => AttesterError::KeyMissing,
        _ => AttesterError::Failed,
    }
}

fn nothing_seen() -> Measurements {
    Measurements {
        debugger: Measured::Unreadable,
        tracer: Measured::Unreadable,
        instrumentation: Measured::Unreadable,
        injected_libraries: Measured::Unreadable,
        code_modified: Measured::Unreadable,
        emulator: Measured::Unreadable,
        root: Measured::Unreadable,
        artifact_sha256: None,
    }
}

impl Attester for PhoneAttester {
    fn attest<'a>(
        &'a self,
        challenge: EnrolmentChallenge<'a>,
    ) -> BoxFuture<'a, Result<PlatformEvidence, AttesterError>> {
        Box::pin(std::future::ready(self.make(challenge.bytes)))
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Proof, AttesterError>> {
        Box::pin(std::future::ready(self.prove(message)))
    }

    fn measure(&self) -> BoxFuture<'_, Measurements> {
        let measured = self
            .app()
            .ok()
            .and_then(|app| self.phone.measure(app).ok())
            .unwrap_or_else(nothing_seen);
        Box::pin(std::future::ready(measured))
    }

    fn forget(&self) -> BoxFuture<'_, Result<(), AttesterError>> {
        Box::pin(std::future::ready(self.delete()))
    }
}

/// Further keys of the app on the phone, one for each purpose.
///
/// The sealing key stands in the app's own files here; a real phone keeps it in its key store.
pub struct PhoneKeyRing {
    phone: Phone,
    names: PathBuf,
    sealing: PathBuf,
    clock: Arc<dyn Clock>,
    changing: Mutex<()>,
}

impl PhoneKeyRing {
    /// Remembers the keys' names in `state`.
    pub fn new(phone: Phone, state: &Path, clock: Arc<dyn Clock>) -> Self {
        Self {
            phone,
            names: state.join("instance-keys.json"),
            sealing: state.join("sealing-key"),
            clock,
            changing: Mutex::new(()),
        }
    }

    fn app(&self) -> Result<AppUid, AttesterError> {
        self.phone.app(PACKAGE).ok_or(AttesterError::KeyMissing)
    }

    fn names(&self) -> BTreeMap<String, String> {
        std::fs::read(&self.names)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    fn remember(&self, names: &BTreeMap<String, String>) -> Result<(), AttesterError> {
        let bytes = serde_json::to_vec(names).map_err(|_| AttesterError::Failed)?;
        write_private(&self.names, &bytes).map_err(|_| AttesterError::Failed)
    }

    fn alias(&self, purpose: &KeyPurpose) -> Result<KeyAlias, AttesterError> {
        let name = self.names().remove(purpose.as_str());
        name.map(KeyAlias::from).ok_or(AttesterError::KeyMissing)
    }

    fn present(&self, purpose: &KeyPurpose) -> Result<Vec<u8>, AttesterError> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let app = self.app()?;
        let point = |alias: &KeyAlias| self.phone.public_key(app, alias).ok();
        if let Some(point) = self.alias(purpose).ok().and_then(|alias| point(&alias)) {
            return Ok(point);
        }
        let (alias, _) = self
            .phone
            .generate_key(app, purpose.as_str().as_bytes(), self.clock.wall())
            .map_err(|error| failure(&error))?;
        let mut names = self.names();
        names.insert(purpose.as_str().to_owned(), alias.as_str().to_owned());
        self.remember(&names)?;
        point(&alias).ok_or(AttesterError::Failed)
    }

    fn delete(&self, purpose: &KeyPurpose) -> Result<(), AttesterError> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names = self.names();
        let Some(alias) = names.remove(purpose.as_str()).map(KeyAlias::from) else {
            return Ok(());
        };
        self.phone
            .delete_key(self.app()?, &alias)
            .map_err(|error| failure(&error))?;
        self.remember(&names)
    }

    fn seal(&self) -> Result<Zeroizing<[u8; 32]>, AttesterError> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(bytes) = std::fs::read(&self.sealing) {
            let key = <[u8; 32]>::try_from(bytes).map_err(|_| AttesterError::Failed)?;
            return Ok(Zeroizing::new(key));
        }
        let mut key = Zeroizing::new([0; 32]);
        SystemEntropy
            .fill(&mut *key)
            .map_err(|_| AttesterError::Failed)?;
        write_private(&self.sealing, &*key).map_err(|_| AttesterError::Failed)?;
        Ok(key)
    }
}

impl KeyRing for PhoneKeyRing {
    fn public_key<'a>(
        &'a self,
        purpose: &'a KeyPurpose,
    ) -> BoxFuture<'a, Result<Vec<u8>, AttesterError>> {
        Box::pin(std::future::ready(self.present(purpose)))
    }

    fn sign<'a>(
        &'a self,
        purpose: &'a KeyPurpose,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, AttesterError>> {
        let signed = self.app().and_then(|app| {
            let alias = self.alias(purpose)?;
            let signature = self.phone.sign(app, &alias, message);
            signature.map_err(|error| failure(&error))
        });
        Box::pin(std::future::ready(signed))
    }

    fn forget<'a>(&'a self, purpose: &'a KeyPurpose) -> BoxFuture<'a, Result<(), AttesterError>> {
        Box::pin(std::future::ready(self.delete(purpose)))
    }

    fn sealing_key(&self) -> BoxFuture<'_, Result<Zeroizing<[u8; 32]>, AttesterError>> {
        Box::pin(std::future::ready(self.seal()))
    }
}

impl std::fmt::Debug for PhoneKeyRing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PhoneKeyRing")
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PhoneAttester {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PhoneAttester")
            .finish_non_exhaustive()
    }
}
