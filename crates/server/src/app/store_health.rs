//! Whether the store answers, as the background poll saw it last: what degraded means (promise P9).

use std::sync::atomic::{AtomicI64, Ordering};

/// How long re-attestation goes on from tickets while the store is down, seconds.
pub const GRACE_SECONDS: i64 = 15 * 60;
const UP: i64 = i64::MIN;

/// Since when the store has been down, if it is.
#[derive(Debug)]
pub struct StoreHealth(AtomicI64);

impl Default for StoreHealth {
    fn default() -> Self {
        Self(AtomicI64::new(UP))
    }
}

impl StoreHealth {
    /// The store answered.
    pub fn up(&self) {
        self.0.store(UP, Ordering::Relaxed);
    }

    /// The store did not answer at `now`.
    pub fn down(&self, now: i64) {
        // The first failure counts; a failed exchange means that it was counted before.
        self.0
            .compare_exchange(UP, now, Ordering::Relaxed, Ordering::Relaxed)
            .ok();
    }

    /// Whether it did not answer last time. Tokens issued now say so.
    pub fn is_degraded(&self) -> bool {
        self.0.load(Ordering::Relaxed) != UP
    }

    /// Whether it has been down for longer than tickets alone are good for.
    pub fn is_beyond_grace(&self, now: i64) -> bool {
        let since = self.0.load(Ordering::Relaxed);
        since != UP && now.saturating_sub(since) > GRACE_SECONDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grace_begins_with_the_first_failure_and_ends_with_an_answer() {
        let health = StoreHealth::default();
        assert!(!health.is_degraded());
        health.down(1000);
        health.down(1000 + GRACE_SECONDS);
        assert!(health.is_degraded());
        assert!(!health.is_beyond_grace(1000 + GRACE_SECONDS));
        assert!(health.is_beyond_grace(1001 + GRACE_SECONDS));
        health.up();
        assert!(!health.is_degraded());
        assert!(!health.is_beyond_grace(i64::MAX));
    }
}
