//! Failures of the HTTP stack as our own, without the URL that `reqwest` would print.

use std::error::Error;
use std::io;

use bonafide_trust::ConnectionReject;

use super::tls;
use crate::error::SdkError;
use crate::fault::{Fault, RequestFault};
use crate::host::TransportError;

/// Why a connection to a server was refused, if it was our verifier that refused.
fn reject(error: &reqwest::Error) -> Option<ConnectionReject> {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return tls::reject_of(tls);
        }
        // `io::Error` shows the error inside it, but not as its source.
        next = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

pub(super) fn of_api(error: &reqwest::Error) -> SdkError {
    if let Some(reject) = reject(error) {
        return Fault::Connection(reject).into();
    }
    let fault = if error.is_timeout() {
        RequestFault::TimedOut
    } else if error.is_connect() {
        RequestFault::Unreachable
    } else if error.is_builder() {
        RequestFault::Client
    } else {
        RequestFault::Interrupted
    };
    Fault::Request(fault).into()
}

pub(super) fn of_service(error: &reqwest::Error) -> TransportError {
    if reject(error).is_some() {
        TransportError::Untrusted
    } else if error.is_timeout() {
        TransportError::TimedOut
    } else {
        TransportError::Unreachable
    }
}
