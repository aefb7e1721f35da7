//! What the service gave, for as long as it may be held, and what it refused, for as long as asking again
//! would be hammering. It decides how long; deadlines are monotonic, never the device's wall clock.

use core::time::Duration;
use std::collections::BTreeMap;

use super::{Answer, Moment};
use crate::error::SdkError;
use crate::released::Wish;

/// How long a refusal is remembered where the service does not say (W-18).
pub(super) const REFUSAL_LIFE: Duration = Duration::from_secs(10);
/// A token this close to its end is not used any more: it has to travel, and clocks differ.
const TOKEN_MARGIN: i64 = 30;
/// Most outcomes held.
const MOST_HELD: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Holdings(BTreeMap<Wish, Held>);

#[derive(Debug)]
struct Held {
    outcome: Result<Answer, SdkError>,
    until: Duration,
}

/// Life of an outcome by the service's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub(super) server_time: i64,
    pub(super) expires_at: i64,
}

impl Life {
    /// Seconds that a token of this life may be held: all but a margin, at most a quarter of it.
    pub(super) fn of_token(self) -> Duration {
        let life = self.expires_at.saturating_sub(self.server_time);
        seconds(life.saturating_sub(TOKEN_MARGIN.min(life / 4)))
    }

    /// Seconds that a secret of this life may be held.
    pub(super) fn of_secret(self) -> Duration {
        seconds(self.expires_at.saturating_sub(self.server_time))
    }
}

impl Holdings {
    /// Holds an outcome for `life` from `since`, the moment before it was asked for.
    pub(super) fn hold(
        &mut self,
        wish: Wish,
        outcome: Result<Answer, SdkError>,
        (since, life): (Moment, Duration),
    ) {
        if life.is_zero() {
            return;
        }
        if self.0.len() >= MOST_HELD {
            self.drop_next_to_die();
        }
        let until = since.monotonic.saturating_add(life);
        self.0.insert(wish, Held { outcome, until });
    }

    /// What is held for a wish.
    pub(super) fn find(&self, wish: &Wish, now: Moment) -> Option<Result<Answer, SdkError>> {
        let held = self.0.get(wish)?;
        let left = held.until.checked_sub(now.monotonic)?;
        Some(match &held.outcome {
            Ok(answer) => Ok(answer.clone()),
            Err(error) => Err(error.clone().with_retry_after(left)),
        })
    }

    /// Drops (and so wipes) what has outlived its life.
    pub(super) fn forget_outlived(&mut self, now: Moment) {
        self.0.retain(|_, held| held.until > now.monotonic);
    }

    /// Drops everything: the instance is refused now.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn drop_next_to_die(&mut self) {
        let next = self
            .0
            .iter()
            .min_by_key(|(_, held)| held.until)
            .map(|(wish, _)| wish.clone());
        if let Some(wish) = next {
            self.0.remove(&wish);
        }
    }
}

fn seconds(life: i64) -> Duration {
    Duration::from_secs(u64::try_from(life).unwrap_or_default())
}
