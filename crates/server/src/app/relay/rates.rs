//! How often one device may use the relay: a phone logs in and refreshes a few times an hour.
//!
//! Counted on each node in memory, for each minute; what a device costs an upstream is bounded, whoever controls it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bonafide_wire::ids::{AccountId, DeviceId};

use crate::app::AppError;

/// Most relay requests of a device in a minute.
pub(super) const MOST_A_MINUTE: u32 = 30;

/// The minute, and who asked how often in it.
#[derive(Debug, Default)]
pub struct RelayRates(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    number: i64,
    asked: BTreeMap<(AccountId, DeviceId), u32>,
}

impl RelayRates {
    /// Lets a request through, or says how long to wait.
    pub(super) fn admit(
        &self,
        account: &AccountId,
        device: &DeviceId,
        now: i64,
    ) -> Result<(), AppError> {
        let number = now.div_euclid(60);
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.number != number {
            *minute = Minute {
                number,
                asked: BTreeMap::new(),
            };
        }
        let asked = minute
            .asked
            .entry((account.clone(), device.clone()))
            .or_default();
        *asked = asked.saturating_add(1);
        if *asked <= MOST_A_MINUTE {
            return Ok(());
        }
        let left = 60_i64.saturating_sub(now.rem_euclid(60));
        Err(AppError::RateLimited {
            retry_after: u32::try_from(left).unwrap_or(60),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_has_a_minute_of_its_own() {
        let rates = RelayRates::default();
        let account = AccountId::parse("acme").unwrap();
        let device = |byte| DeviceId::from_bytes([byte; 16]);
        for _ in 0..MOST_A_MINUTE {
            rates.admit(&account, &device(1), 0).unwrap();
        }
        let refused = rates.admit(&account, &device(1), 50).unwrap_err();
        assert!(matches!(refused, AppError::RateLimited { retry_after: 10 }));
        rates.admit(&account, &device(2), 50).unwrap();
        rates.admit(&account, &device(1), 60).unwrap();
    }
}
