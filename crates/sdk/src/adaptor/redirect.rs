//! What the next hop of a redirect is (W-17): the same request within an origin, a bare one outside it.

use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE};
use url::Url;
use zeroize::Zeroizing;

use super::request::{ProtectedRequest, Redirects};
use crate::error::SdkError;
use crate::fault::{Fault, RequestFault};

/// The next request, or `None` where the answer is not to be followed.
pub(super) fn next(
    request: &ProtectedRequest,
    status: u16,
    location: Option<&[u8]>,
) -> Result<Option<ProtectedRequest>, SdkError> {
    if request.redirects == Redirects::Return || !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = location else {
        return Ok(None);
    };
    let target = core::str::from_utf8(location)
        .ok()
        .and_then(|location| request.url.join(location).ok())
        .ok_or_else(|| SdkError::from(Fault::Request(RequestFault::Redirect)))?;
    let method = method(&request.method, status);
    let keeps_body = method == request.method;
    if same_origin(&request.url, &target) {
        let mut next = request.clone();
        // Checked again like the app's own: https, no user info.
        next.url = ProtectedRequest::to_url(method.clone(), target)
            .map_err(|_| SdkError::from(Fault::Request(RequestFault::Redirect)))?
            .url;
        next.method = method;
        next.redirected = true;
        if !keeps_body {
            next.body = Zeroizing::new(Vec::new());
            for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE] {
                next.headers.remove(name);
            }
        }
        return Ok(Some(next));
    }
    if keeps_body && !matches!(method, Method::GET | Method::HEAD) {
        return Err(Fault::Request(RequestFault::RedirectWithBody).into());
    }
    let mut bare = ProtectedRequest::to_url(method, target)
        .map_err(|_| SdkError::from(Fault::Request(RequestFault::Redirect)))?;
    bare.redirected = true;
    Ok(Some(bare))
}

fn method(method: &Method, status: u16) -> Method {
    match (status, method) {
        (303, &Method::HEAD) => Method::HEAD,
        (303, _) | (301 | 302, &Method::POST) => Method::GET,
        _ => method.clone(),
    }
}

fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host() == b.host()
        && a.port_or_known_default() == b.port_or_known_default()
}
