//! Logs: JSON lines, one access line per request, levels by flag. Secrets are types that do not print.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The log could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the log filter {filter:?} cannot be used: {problem}")]
pub struct TelemetryError {
    filter: String,
    problem: String,
}

/// Sends the process's log to stderr as JSON lines; `filter` like `info` or `info,bonafide_server=debug`.
pub fn log_to_stderr(filter: &str) -> Result<(), TelemetryError> {
    let fail = |problem: String| TelemetryError {
        filter: filter.to_owned(),
        problem,
    };
    let levels = EnvFilter::try_new(filter).map_err(|error| fail(error.to_string()))?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(levels)
        .with_writer(std::io::stderr)
        .finish()
        .try_init()
        .map_err(|error| fail(error.to_string()))
}
