//! The access log as in production, JSON at `info`, into the void.

use tracing_subscriber::util::SubscriberInitExt as _;

/// Sets it up, once.
pub(crate) fn capture() {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(tracing::Level::INFO)
        .with_writer(std::io::sink)
        .finish()
        .try_init()
        .ok();
}
