//! Why a call brought no answer, told apart by what the caller may do next. Nothing here names a URL or a value.

/// Calls to other servers cannot be made at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// One of the operator's authorities is no certificate.
    #[error("certificate {0} of the upstream authorities cannot be read")]
    Root(usize),
    /// The operator's proxy is no URL.
    #[error("the upstream proxy {0} is not a URL")]
    Proxy(String),
    /// The library failed.
    #[error("outbound TLS cannot be set up")]
    Client,
}

/// Why a call brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// No connection, or no TLS with that host: nothing was sent.
    #[error("the upstream cannot be reached: {0}")]
    Unreachable(String),
    /// The call was sent and no whole answer came in time: whether it was done is unknown.
    #[error("the upstream did not answer in time")]
    TimedOut,
    /// The connection broke after the call was sent: whether it was done is unknown.
    #[error("the upstream broke off: {0}")]
    Interrupted(String),
    /// It answered with a redirect, which is never followed.
    #[error("the upstream answered with a redirect ({status})")]
    Redirected {
        /// HTTP status.
        status: u16,
    },
    /// Its answer is longer than the call allows.
    #[error("the upstream's answer is longer than {most} bytes")]
    TooLarge {
        /// The bound.
        most: usize,
    },
    /// Our own call cannot be sent.
    #[error("{0} cannot be sent")]
    NotSendable(&'static str),
}

/// A failure before there was an answer.
pub(super) fn of(error: &reqwest::Error) -> UpstreamError {
    if error.is_connect() {
        UpstreamError::Unreachable(cause(error))
    } else if error.is_timeout() {
        UpstreamError::TimedOut
    } else {
        UpstreamError::Interrupted(cause(error))
    }
}

/// A failure while the answer was read.
pub(super) fn of_body(error: &reqwest::Error) -> UpstreamError {
    if error.is_timeout() {
        UpstreamError::TimedOut
    } else {
        UpstreamError::Interrupted(cause(error))
    }
}

/// The innermost reason; it names neither URL nor value.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn core::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if innermost.is::<reqwest::Error>() {
        return "the connection failed".to_owned();
    }
    innermost.to_string()
}
