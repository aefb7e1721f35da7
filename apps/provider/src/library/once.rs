//! Values that are good for a while (nonces, challenges) and values that are good once (`jti`).

use std::collections::BTreeMap;

use crate::secret::random_text;

/// How long a value is the newest; the one before it is good for as long again.
const TURN_SECONDS: i64 = 120;
const MOST_SEEN: usize = 10_000;

/// A value that changes by itself, as DPoP nonces and attestation challenges do.
#[derive(Debug)]
pub(super) struct Turning {
    current: String,
    previous: String,
    since: i64,
}

impl Turning {
    pub(super) fn new(now: i64) -> Self {
        Self {
            current: random_text(),
            previous: random_text(),
            since: now,
        }
    }

    /// The newest value.
    pub(super) fn newest(&mut self, now: i64) -> &str {
        self.turn(now);
        &self.current
    }

    /// Whether a value is the newest, or the one before.
    pub(super) fn knows(&mut self, value: &str, now: i64) -> bool {
        self.turn(now);
        value == self.current || value == self.previous
    }

    fn turn(&mut self, now: i64) {
        let age = now.saturating_sub(self.since);
        if age >= TURN_SECONDS {
            let old = std::mem::replace(&mut self.current, random_text());
            self.previous = if age >= 2 * TURN_SECONDS {
                random_text()
            } else {
                old
            };
            self.since = now;
        }
    }
}

/// What was seen already, until it would be refused for its age anyway.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<String, i64>);

impl Seen {
    /// Whether `what` is new; from now on it is not.
    pub(super) fn admit(&mut self, what: String, now: i64, until: i64) -> bool {
        self.0.retain(|_, until| now < *until);
        if self.0.len() >= MOST_SEEN {
            return false;
        }
        self.0.insert(what, until).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_outlives_one_turn_and_not_two() {
        let mut turning = Turning::new(0);
        let first = turning.newest(0).to_owned();
        for (now, known) in [
            (TURN_SECONDS - 1, true),
            (TURN_SECONDS, true),
            (2 * TURN_SECONDS, false),
        ] {
            assert_eq!(turning.knows(&first, now), known, "at {now}");
        }
        let newest = turning.newest(2 * TURN_SECONDS).to_owned();
        assert!(!turning.knows(&newest, 9 * TURN_SECONDS), "slept over it");
        assert!(!turning.knows("", 0));
    }

    #[test]
    fn what_was_seen_is_new_again_only_after_its_life() {
        let mut seen = Seen::default();
        assert!(seen.admit("a".to_owned(), 0, 10));
        assert!(!seen.admit("a".to_owned(), 9, 10));
        assert!(seen.admit("a".to_owned(), 10, 20));
    }
}
