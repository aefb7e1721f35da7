//! The virtual phone as the SDK's attester: a hardware key that is made, used and forgotten on request.
//!
//! Remembers which of the phone's keys is the present one; the key itself never leaves the phone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bonafide_sdk::host::{Attester, AttesterError, BoxFuture, Clock};
use bonafide_sdk::{Measured, Measurements, PlatformEvidence, Proof};
use bonafide_simulator::{AppUid, KeyAlias, Phone, SimulatorError};
use bonafide_wire::bytes::Base64Url;

use crate::PACKAGE;
use crate::session::write_private;

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
        challenge: &'a [u8],
    ) -> BoxFuture<'a, Result<PlatformEvidence, AttesterError>> {
        Box::pin(std::future::ready(self.make(challenge)))
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

impl std::fmt::Debug for PhoneAttester {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PhoneAttester")
            .finish_non_exhaustive()
    }
}
