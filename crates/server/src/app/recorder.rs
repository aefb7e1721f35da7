//! Verdicts on their way to the store, through a bounded queue: recording never slows an answer down.
//!
//! When the store is slower than the verdicts, the newest are dropped and counted; the count is logged.
//! Audit rows never take this way, they are written before the answer leaves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::store::{Store, VerdictRecord};
use crate::tasks::StopSignal;

const QUEUE: usize = 4096;
const BATCH: usize = 256;

/// The queue's two ends.
#[derive(Debug)]
pub struct Recorder {
    sender: mpsc::Sender<VerdictRecord>,
    /// Taken by the one task that drains it, given back when that task is started again.
    receiver: Mutex<Option<mpsc::Receiver<VerdictRecord>>>,
    dropped: AtomicU64,
}

impl Default for Recorder {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
            dropped: AtomicU64::new(0),
        }
    }
}

impl Recorder {
    /// Queues a verdict.
    pub fn record(&self, record: VerdictRecord) {
        if self.sender.try_send(record).is_err() {
            let dropped = self
                .dropped
                .fetch_add(1, Ordering::Relaxed)
                .saturating_add(1);
            if dropped.is_power_of_two() {
                tracing::error!(dropped, "verdicts were not recorded: the store is too slow");
            }
        }
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
