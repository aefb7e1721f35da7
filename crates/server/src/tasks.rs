//! Background work: named, supervised, stopped together.
//!
//! A task that ends on its own, or panics, is logged by name and started again after a pause; nothing in
//! the service runs in the background without standing here.

use core::future::Future;
use core::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

const PAUSE: Duration = Duration::from_secs(1);

/// The running background tasks.
#[derive(Debug)]
pub struct Tasks {
    stop: watch::Sender<bool>,
    running: JoinSet<()>,
}

/// Tells a task that it is time to end.
#[derive(Debug, Clone)]
pub struct StopSignal(watch::Receiver<bool>);

impl StopSignal {
    /// Resolves when the service stops.
    pub async fn stopped(&mut self) {
        // An error means that `Tasks` is gone, which is a stop too.
        drop(self.0.wait_for(|stop| *stop).await);
    }

    /// Waits, or ends early with `false` when the service stops.
    pub async fn sleep(&mut self, pause: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = self.stopped() => false,
        }
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            stop: watch::Sender::new(false),
            running: JoinSet::new(),
        }
    }
}

impl Tasks {
    /// A signal for what is not a task of its own (the listeners).
    pub fn signal(&self) -> StopSignal {
        StopSignal(self.stop.subscribe())
    }

    /// Starts a task that runs until the service stops.
    pub fn spawn<F, W>(&mut self, name: &'static str, work: F)
    where
        F: Fn(StopSignal) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let mut signal = self.signal();
        self.running.spawn(async move {
            loop {
                let outcome = tokio::spawn(work(signal.clone())).await;
                if *signal.0.borrow() {
                    return;
                }
                match outcome {
                    Ok(()) => tracing::error!(task = name, "a background task ended early"),
                    Err(error) => tracing::error!(task = name, %error, "a background task failed"),
                }
                if !signal.sleep(PAUSE).await {
                    return;
                }
            }
        });
    }

    /// Tells every task to end and waits for them, at most so long.
    pub async fn stop(mut self, patience: Duration) {
        self.stop.send_replace(true);
        let all = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::error!("background tasks did not end in time and are abandoned");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_started_again() {
        let mut tasks = Tasks::default();
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        tasks.spawn("test", move |mut signal| {
            let start = counted.fetch_add(1, Ordering::SeqCst);
            let sender = sender.clone();
            async move {
                assert!(start > 0, "the first start fails");
                sender.send(start).unwrap();
                signal.stopped().await;
            }
        });
        assert_eq!(receiver.recv().await, Some(1));
        tasks.stop(Duration::from_secs(5)).await;
        assert_eq!(starts.load(Ordering::SeqCst), 2);
    }
}
