//! Verdicts on their way to the store, through a bounded queue: recording never slows an answer down.
//!
//! When the store is slower than the verdicts, the newest are dropped and counted; the count is logged. Of those
//! about evidence that did not authenticate, only so many a minute are kept.
//! Who reads verdicts waits a moment for those that are under way on this node, so that an operator finds
//! what a user has just been told. Audit rows never take this way, they are written before the answer leaves.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bonafide_wire::ids::AccountId;
use tokio::sync::{mpsc, watch};

use crate::store::{Store, VerdictRecord};
use crate::tasks::StopSignal;

const QUEUE: usize = 4096;
const BATCH: usize = 256;
/// Most verdicts a minute about evidence that did not authenticate. Anybody who reaches the listener makes those
/// for the price of a request, so they must neither fill the disk nor crowd out verdicts about devices.
/// Counted for each account, so that a flood on one hides nothing of another.
const STRANGERS: u32 = 60;
/// Longest that a reader waits; the store may be slow, and an old answer is better than none.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The queue's two ends.
#[derive(Debug)]
pub struct Recorder {
    sender: mpsc::Sender<VerdictRecord>,
    /// Taken by the one task that drains it, given back when that task is started again.
    receiver: Mutex<Option<mpsc::Receiver<VerdictRecord>>>,
    dropped: AtomicU64,
    /// A minute, and how many strangers came to which account in it.
    strangers: Mutex<(i64, BTreeMap<AccountId, u32>)>,
    /// How many were queued, and how many of them have left the queue, since the start.
    queued: AtomicU64,
    done: watch::Sender<u64>,
}

impl Default for Recorder {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
            dropped: AtomicU64::new(0),
            strangers: Mutex::new((i64::MIN, BTreeMap::new())),
            queued: AtomicU64::new(0),
            done: watch::Sender::new(0),
        }
    }
}

impl Recorder {
    /// Queues a verdict.
    pub fn record(&self, record: VerdictRecord) {
        if self.sender.try_send(record).is_ok() {
            self.queued.fetch_add(1, Ordering::SeqCst);
        } else {
            self.count_dropped();
        }
    }

    /// Queues a verdict about evidence that did not authenticate, unless there were many in this minute.
    pub fn record_stranger(&self, record: VerdictRecord) {
        if self.admits_stranger(&record.account, record.verdict.at) {
            self.record(record);
        } else {
            self.count_dropped();
        }
    }

    fn admits_stranger(&self, account: &AccountId, now: i64) -> bool {
        let minute = now.div_euclid(60);
        let mut strangers = self
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if strangers.0 != minute {
            *strangers = (minute, BTreeMap::new());
        }
        let seen = strangers.1.entry(account.clone()).or_default();
        *seen = seen.saturating_add(1);
        *seen <= STRANGERS
    }

    fn count_dropped(&self) {
        let dropped = self
            .dropped
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1);
        if dropped.is_power_of_two() {
            tracing::error!(dropped, "verdicts were not recorded: too many came");
        }
    }

    /// How many verdicts were lost since the start because too many came.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until what was queued before this call is written (or lost), but not for long.
    pub async fn settled(&self) {
        let target = self.queued.load(Ordering::SeqCst);
        let mut done = self.done.subscribe();
        let settled = done.wait_for(|done| *done >= target);
        tokio::time::timeout(LONGEST_WAIT, settled)
            .await
            .map(|_| ())
            .unwrap_or_default();
    }

    /// Writes queued verdicts until told to stop, then what is left.
    pub async fn run(&self, store: &dyn Store, mut stop: StopSignal) {
        let Some(receiver) = self.lock().take() else {
            return;
        };
        // Given back even when this future panics or is dropped half-way.
        let mut queue = Borrowed {
            recorder: self,
            receiver: Some(receiver),
        };
        let Some(receiver) = queue.receiver.as_mut() else {
            return;
        };
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let taken = tokio::select! {
                biased;
                count = receiver.recv_many(&mut batch, BATCH) => count,
                () = stop.stopped() => 0,
            };
            if taken == 0 {
                return;
            }
            if let Err(error) = store.record_verdicts(core::mem::take(&mut batch)).await {
                tracing::error!(%error, lost = taken, "verdicts were not recorded");
            }
            let taken = u64::try_from(taken).unwrap_or(u64::MAX);
            self.done
                .send_modify(|done| *done = done.saturating_add(taken));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Receiver<VerdictRecord>>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Borrowed<'a> {
    recorder: &'a Recorder,
    receiver: Option<mpsc::Receiver<VerdictRecord>>,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        *self.recorder.lock() = self.receiver.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_counted_for_each_account_and_each_minute() {
        let recorder = Recorder::default();
        let account = |name: &str| AccountId::parse(name).unwrap();
        let (flooded, quiet) = (account("flooded"), account("quiet"));
        let admitted = (0..100).filter(|_| recorder.admits_stranger(&flooded, 0));
        assert_eq!(admitted.count(), 60);
        assert!(recorder.admits_stranger(&quiet, 59));
        assert!(!recorder.admits_stranger(&flooded, 59));
        assert!(recorder.admits_stranger(&flooded, 60));
    }
}
