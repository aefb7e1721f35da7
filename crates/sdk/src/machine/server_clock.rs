//! The service's clock, carried on by the monotonic one (W-3). It decides what time it is.

use core::time::Duration;

use super::Moment;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ServerClock {
    told: Option<(i64, Duration)>,
}

impl ServerClock {
    /// The service told its time in an answer that arrived now.
    pub(super) fn set(&mut self, server_time: i64, now: Moment) {
        self.told = Some((server_time, now.monotonic));
    }

    /// Seconds since 1970 by the service's clock, once it is known.
    pub(super) fn told_seconds(&self, now: Moment) -> Option<i64> {
        self.told.map(|(server_time, at)| {
            let since = now.monotonic.saturating_sub(at).as_secs();
            server_time.saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
        })
    }

    /// The same, and the device's own clock as long as there is nothing better.
    pub(super) fn seconds(&self, now: Moment) -> i64 {
        self.told_seconds(now).unwrap_or(now.wall)
    }
}
