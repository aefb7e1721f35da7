//! The log of the whole test run, at the most talkative level, so that it can be searched for secrets.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use tracing_subscriber::util::SubscriberInitExt as _;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Starts to capture; once for the process, because a subscriber for one thread misses what others registered.
pub(crate) fn capture() {
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish()
            .init();
        log
    });
}

/// What was logged so far.
pub(crate) fn captured() -> Vec<u8> {
    LOG.get().unwrap().0.lock().unwrap().clone()
}
