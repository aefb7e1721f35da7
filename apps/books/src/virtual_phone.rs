//! The virtual phone as the SDK's attester: a desktop has no attesting hardware, so Books runs on this one.
//!
//! Passes on what the phone says. One key at a time: the present key is the only one that the app has, so that
//! two processes on the same phone agree about it.

use bonafide_sdk::host::{Attester, AttesterError, BoxFuture, Clock};
use bonafide_sdk::{Measured, Measurements, PlatformEvidence, Proof};
use bonafide_simulator::{AppUid, KeyAlias, Phone, SimulatorError};
use std::sync::Arc;

/// One app on one virtual phone.
pub struct PhoneAttester {
    phone: Phone,
    app: AppUid,
    clock: Arc<dyn Clock>,
}

impl core::fmt::Debug for PhoneAttester {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PhoneAttester")
            .field("app", &self.app)
            .finish_non_exhaustive()
    }
}

impl PhoneAttester {
    /// An attester for an installed app; the clock tells the phone the time.
    pub fn new(phone: Phone, app: AppUid, clock: Arc<dyn Clock>) -> Self {
        Self { phone, app, clock }
    }

    fn present_key(&self) -> Result<KeyAlias, AttesterError> {
        self.phone
            .aliases(self.app)
            .pop()
            .ok_or(AttesterError::KeyMissing)
    }

    fn forget_now(&self) -> Result<(), AttesterError> {
        for alias in self.phone.aliases(self.app) {
            self.phone
                .delete_key(self.app, &alias)
                .map_err(|error| fault(&error))?;
        }
        Ok(())
    }

    fn attest_now(&self, challenge: &[u8]) -> Result<PlatformEvidence, AttesterError> {
        self.forget_now()?;
        let (_, chain) = self
            .phone
            .generate_key(self.app, challenge, self.clock.wall())
            .map_err(|error| fault(&error))?;
        Ok(PlatformEvidence::AndroidKey {
            chain: chain.into_iter().map(Into::into).collect(),
        })
    }

    fn sign_now(&self, message: &[u8]) -> Result<Proof, AttesterError> {
        let signature = self
            .phone
            .sign(self.app, &self.present_key()?, message)
            .map_err(|error| fault(&error))?;
        Ok(Proof::EcdsaP256Sha256 {
            signature: signature.into(),
        })
    }
}

impl Attester for PhoneAttester {
    fn attest<'a>(
        &'a self,
        challenge: &'a [u8],
    ) -> BoxFuture<'a, Result<PlatformEvidence, AttesterError>> {
        Box::pin(async { self.attest_now(challenge) })
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Proof, AttesterError>> {
        Box::pin(async { self.sign_now(message) })
    }

    fn measure(&self) -> BoxFuture<'_, Measurements> {
        Box::pin(async { self.phone.measure(self.app).unwrap_or(UNREADABLE) })
    }

    fn forget(&self) -> BoxFuture<'_, Result<(), AttesterError>> {
        Box::pin(async { self.forget_now() })
    }
}

fn fault(error: &SimulatorError) -> AttesterError {
    match error {
        SimulatorError::KeyNotFound | SimulatorError::AppNotInstalled => AttesterError::KeyMissing,
        _ => AttesterError::Failed,
    }
}

/// What an app that is no longer installed can say.
const UNREADABLE: Measurements = Measurements {
    debugger: Measured::Unreadable,
    tracer: Measured::Unreadable,
    instrumentation: Measured::Unreadable,
    injected_libraries: Measured::Unreadable,
    code_modified: Measured::Unreadable,
    emulator: Measured::Unreadable,
    root: Measured::Unreadable,
    artifact_sha256: None,
};
