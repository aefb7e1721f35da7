//! When trust metadata are fetched, and what callers get while that fails: what is held, never less.

use core::time::Duration;
use std::sync::Arc;

use bonafide_trust::{Bundle, Freshness, TrustedSet, Updated};

use super::{Action, Answer, CallId, Failure, Moment, TrustAnswer, Urgency};
use crate::error::SdkError;
use crate::fault::Fault;
use crate::host::Record;
use crate::machine::holdings::REFUSAL_LIFE;
use crate::released::Trust;

/// Metadata that nobody hinted at are looked for this often, while they are used.
const LOOK_EVERY: Duration = Duration::from_mins(5);

#[derive(Debug)]
pub(super) struct TrustState {
    set: TrustedSet,
    /// The set's bundle, shared with callers.
    bundle: Option<Arc<Bundle>>,
    etag: Option<String>,
    looked_at: Option<Duration>,
    failed: Option<(SdkError, Duration)>,
    /// The newest version that the service spoke of since the last look.
    hint: u64,
    fetching: bool,
    waiting: Vec<(CallId, Urgency)>,
}

impl TrustState {
    pub(super) fn new(set: TrustedSet) -> Self {
        Self {
            bundle: set.bundle().cloned().map(Arc::new),
            set,
            etag: None,
            looked_at: None,
            failed: None,
            hint: 0,
            fetching: false,
            waiting: Vec::new(),
        }
    }

    /// The same callers, over a set from the vault.
    pub(super) fn with_set(&mut self, set: TrustedSet) -> Self {
        Self {
            waiting: core::mem::take(&mut self.waiting),
            ..Self::new(set)
        }
    }

    pub(super) fn asked(&mut self, call: CallId, urgency: Urgency) {
        self.waiting.push((call, urgency));
    }

    /// The service spoke of a version.
    pub(super) fn hinted(&mut self, version: u64) {
        self.hint = self.hint.max(version);
    }

    pub(super) fn proceed(&mut self, now: (Moment, i64), actions: &mut Vec<Action>) {
        let waiting = core::mem::take(&mut self.waiting);
        for (call, urgency) in waiting {
            match self.answer(urgency, now) {
                Some(answer) => actions.push(Action::Answer { call, answer }),
                None => self.waiting.push((call, urgency)),
            }
        }
        if !self.waiting.is_empty() && !self.fetching {
            self.fetching = true;
            actions.push(Action::FetchTrust {
                etag: self.etag.clone(),
            });
        }
    }

    /// What can be said without asking the service.
    fn answer(&self, urgency: Urgency, now: (Moment, i64)) -> Option<Result<Answer, SdkError>> {
        let resting = self
            .failed
            .as_ref()
            .filter(|(_, until)| *until > now.0.monotonic);
        let held = self.bundle.as_ref();
        match (urgency, resting, held) {
            (Urgency::Usual, Some((error, until)), None) => {
                let left = until.saturating_sub(now.0.monotonic);
                Some(Err(error.clone().with_retry_after(left)))
            }
            (Urgency::Usual, Some(_), Some(bundle)) => Some(Ok(self.trust(bundle, now.1))),
            (Urgency::Usual, None, Some(bundle)) if self.is_recent(bundle, now) => {
                Some(Ok(self.trust(bundle, now.1)))
            }
            (Urgency::Now, _, _) | (Urgency::Usual, None, _) => None,
        }
    }

    fn is_recent(&self, bundle: &Bundle, now: (Moment, i64)) -> bool {
        self.hint <= bundle.version
            && bundle.freshness(now.1) == Freshness::Fresh
            && self
                .looked_at
                .is_some_and(|at| now.0.monotonic.saturating_sub(at) < LOOK_EVERY)
    }

    fn trust(&self, bundle: &Arc<Bundle>, seconds: i64) -> Answer {
        Answer::Trust(Trust {
            bundle: Arc::clone(bundle),
            freshness: bundle.freshness(seconds),
            problem: self.failed.as_ref().map(|(error, _)| error.clone()),
        })
    }

    pub(super) fn fetched(
        &mut self,
        outcome: Result<TrustAnswer, Failure>,
        now: (Moment, i64),
        actions: &mut Vec<Action>,
    ) {
        self.fetching = false;
        let outcome = outcome
            .map_err(|failure| failure.error)
            .and_then(|answer| self.take(answer, now.1, actions));
        match &outcome {
            Ok(()) => {
                self.looked_at = Some(now.0.monotonic);
                self.hint = 0;
                self.failed = None;
            }
            Err(error) => {
                let rest = error.retry_after().unwrap_or(REFUSAL_LIFE);
                let until = now.0.monotonic.saturating_add(rest);
                self.failed = Some((error.clone(), until));
            }
        }
        for (call, _) in core::mem::take(&mut self.waiting) {
            let answer = match (&self.bundle, &outcome) {
                (Some(bundle), _) => Ok(self.trust(bundle, now.1)),
                (None, Err(error)) => Err(error.clone()),
                // A 304 to somebody who holds nothing.
                (None, Ok(())) => Err(Fault::Reply(crate::fault::ReplyFault::Malformed).into()),
            };
            actions.push(Action::Answer { call, answer });
        }
    }

    fn take(
        &mut self,
        answer: TrustAnswer,
        seconds: i64,
        actions: &mut Vec<Action>,
    ) -> Result<(), SdkError> {
        let TrustAnswer::Document { bytes, etag } = answer else {
            return Ok(());
        };
        let updated = self.set.update(&bytes, seconds).map_err(Fault::Trust)?;
        self.etag = etag;
        if updated == Updated::Newer {
            self.bundle = self.set.bundle().cloned().map(Arc::new);
            if let Some(bytes) = self.set.save() {
                actions.push(Action::Save {
                    record: Record::Trust,
                    bytes,
                });
            }
        }
        Ok(())
    }
}
