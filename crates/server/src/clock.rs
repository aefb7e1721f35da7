//! The one place of the service that reads the wall clock. Everything else is told the time.

use core::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// Seconds since 1970, from wherever the process was told to take them.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> i64 + Send + Sync>,
    steady: Option<Arc<Steady>>,
}

impl Clock {
    /// The system's clock, which within one process never goes back: what expired stays expired, what was used up
    /// stays used up. Where the system's clock is set back, time goes on from where it was; see [`Clock::ahead`].
    pub fn system() -> Self {
        let steady = Arc::new(Steady::starting(Instant::now()));
        let told = Arc::clone(&steady);
        Self {
            now: Arc::new(move || told.seconds()),
            steady: Some(steady),
        }
    }

    /// A clock that a test or the demo turns by hand.
    pub fn from_fn(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self {
            now: Arc::new(now),
            steady: None,
        }
    }

    /// Now, seconds since 1970.
    pub fn now(&self) -> i64 {
        (self.now)()
    }

    /// How far the service's time is ahead of the system's clock because that was set back, seconds. A restart takes
    /// the system's time.
    pub fn ahead(&self) -> i64 {
        self.steady.as_ref().map_or(0, |steady| steady.ahead())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// The system's clock and a monotonic one beside it. Time is the greatest distance ever seen between the two, plus
/// what the monotonic clock says now: it follows steps forward and ignores steps back.
struct Steady {
    start: Instant,
    /// Milliseconds since 1970 at `start`, as the greatest reading of the system's clock implies.
    origin: AtomicI64,
}

impl Steady {
    fn starting(start: Instant) -> Self {
        Self {
            start,
            origin: AtomicI64::new(i64::MIN),
        }
    }

    fn seconds(&self) -> i64 {
        self.at(system_millis(), self.elapsed()).div_euclid(1000)
    }

    fn ahead(&self) -> i64 {
        let wall = system_millis();
        let ahead = self.at(wall, self.elapsed()).saturating_sub(wall);
        ahead.div_euclid(1000)
    }

    fn elapsed(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn at(&self, wall: i64, elapsed: i64) -> i64 {
        let origin = wall.saturating_sub(elapsed);
        let greatest = self.origin.fetch_max(origin, Ordering::Relaxed).max(origin);
        greatest.saturating_add(elapsed)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the service's only reading of the clock"
)]
fn system_millis() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_does_not_take_time_back() {
        let steady = Steady::starting(Instant::now());
        // (the system's clock, the monotonic one, the service's time), milliseconds.
        for (wall, elapsed, time) in [
            (1_000_000, 0, 1_000_000),
            (1_001_000, 1_000, 1_001_000),
            (400_000, 2_000, 1_002_000),
            (410_000, 12_000, 1_012_000),
            (2_000_000, 13_000, 2_000_000),
            (1_000_000, 14_000, 2_001_000),
        ] {
            assert_eq!(steady.at(wall, elapsed), time, "{wall} {elapsed}");
        }
    }

    #[test]
    fn an_undisturbed_clock_is_not_ahead() {
        let clock = Clock::system();
        let first = clock.now();
        assert!(clock.now() >= first);
        assert_eq!(clock.ahead(), 0);
    }
}
