//! Specifies a phone before it leaves the factory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use time::{Date, OffsetDateTime};

use super::{Bootloader, FIRST_APP_UID, Phone, Rooted, SecurityLevel, State, Traits};
use crate::factory::Provisioning;
use crate::{Factory, SimulatorError};

/// What kind of phone to make. Left alone it is a locked Android 16 phone, patched last month.
#[derive(Debug, Clone)]
pub struct PhoneBuilder {
    model: String,
    security_level: SecurityLevel,
    provisioning: Provisioning,
    patched_on: Option<Date>,
    boot_key: Option<[u8; 32]>,
}

impl Phone {
    /// Starts to specify a phone.
    pub fn builder(model: impl Into<String>) -> PhoneBuilder {
        PhoneBuilder {
            model: model.into(),
            security_level: SecurityLevel::TrustedEnvironment,
            provisioning: Provisioning::Factory,
            patched_on: None,
            boot_key: None,
        }
    }
}

impl PhoneBuilder {
    /// Keeps keys in a secure element.
    #[must_use]
    pub fn strong_box(mut self) -> Self {
        self.security_level = SecurityLevel::StrongBox;
        self
    }

    /// How it came to its attestation key.
    #[must_use]
    pub fn provisioning(mut self, provisioning: Provisioning) -> Self {
        self.provisioning = provisioning;
        self
    }

    /// The day of its security patches.
    #[must_use]
    pub fn patched_on(mut self, day: Date) -> Self {
        self.patched_on = Some(day);
        self
    }

    /// SHA-256 of the key that its operating system is signed with.
    #[must_use]
    pub fn boot_key(mut self, key: [u8; 32]) -> Self {
        self.boot_key = Some(key);
        self
    }

    /// Makes the phone; `now` in seconds since 1970.
    pub fn build(self, factory: &Factory, now: i64) -> Result<Phone, SimulatorError> {
        let patched_on = match self.patched_on {
            Some(day) => day,
            None => last_month(now)?,
        };
        let (month, day) = patch_levels(patched_on)?;
        let derived = |what: &str| -> [u8; 32] {
            let digest = digest(&SHA256, format!("{what}\0{}", self.model).as_bytes());
            let mut out = [0; 32];
            out.copy_from_slice(digest.as_ref());
            out
        };
        let traits = Traits {
            security_level: self.security_level,
            keymint_version: 300,
            os_version: 160_000,
            os_patch_level: month,
            vendor_patch_level: day,
            boot_patch_level: day,
            boot_key: self.boot_key.unwrap_or_else(|| derived("boot key")),
            boot_hash: derived("boot hash"),
            bootloader: Bootloader::Locked,
            root: Rooted::No,
            model: self.model,
        };
        let attestation = factory.provision(self.provisioning, traits.security_level, now)?;
        let state = State {
            traits,
            attestation,
            apps: BTreeMap::new(),
            keys: BTreeMap::new(),
            next_uid: FIRST_APP_UID,
            home: None,
        };
        Ok(Phone {
            state: Arc::new(Mutex::new(state)),
        })
    }
}

/// The fifth of the month before.
fn last_month(now: i64) -> Result<Date, SimulatorError> {
    let out_of_range = || SimulatorError::TimeOutOfRange;
    let today = OffsetDateTime::from_unix_timestamp(now)
        .map_err(|_| out_of_range())?
        .date();
    let first = today.replace_day(1).map_err(|_| out_of_range())?;
    first
        .previous_day()
        .and_then(|last| last.replace_day(5).ok())
        .ok_or_else(out_of_range)
}

/// YYYYMM and YYYYMMDD.
fn patch_levels(day: Date) -> Result<(u64, u64), SimulatorError> {
    let year = u64::try_from(day.year()).map_err(|_| SimulatorError::TimeOutOfRange)?;
    let month = year * 100 + u64::from(u8::from(day.month()));
    Ok((month, month * 100 + u64::from(day.day())))
}
