//! A request to an API as the app states it, placeholders in place of secrets, and the answer to it.
//!
//! It refuses what cannot be protected: URLs that are not https or carry user info, and headers that the
//! client sets itself.

use core::fmt;
use std::collections::BTreeMap;

use bonafide_wire::secret::SecretText;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::error::SdkError;
use crate::fault::{Fault, RequestFault};

/// The header that carries the attestation token.
pub(super) const TOKEN_HEADER: HeaderName = HeaderName::from_static("bonafide-token");
const FORM: &str = "application/x-www-form-urlencoded";
/// Set by the client, or able to change where a request ends.
const RESERVED: [&str; 6] = [
    "bonafide-token",
    "connection",
    "content-length",
    "host",
    "te",
    "transfer-encoding",
];

/// What becomes of redirects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirects {
    /// Followed, each hop decided anew, nothing carried over to another origin (W-17).
    #[default]
    Follow,
    /// Returned as they are.
    Return,
}

/// A request to an API.
#[derive(Clone)]
pub struct ProtectedRequest {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
    pub(super) bound_to: Option<Zeroizing<Vec<u8>>>,
    pub(super) redirects: Redirects,
    /// The URL came from a server, so that no placeholder in it is ours.
    pub(super) redirected: bool,
}

impl ProtectedRequest {
    /// A request without headers and body.
    pub fn new(method: Method, url: &str) -> Result<Self, SdkError> {
        let url = Url::parse(url).map_err(|_| Fault::Request(RequestFault::Url))?;
        Self::to_url(method, url)
    }

    /// The same to a URL that is parsed already.
    pub fn to_url(method: Method, url: Url) -> Result<Self, SdkError> {
        let plain = url.username().is_empty() && url.password().is_none();
        if url.scheme() != "https" || !url.has_host() || !plain {
            return Err(Fault::Request(RequestFault::Url).into());
        }
        Ok(Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Zeroizing::new(Vec::new()),
            bound_to: None,
            redirects: Redirects::Follow,
            redirected: false,
        })
    }

    /// `GET url`
    pub fn get(url: &str) -> Result<Self, SdkError> {
        Self::new(Method::GET, url)
    }

    /// `POST url`
    pub fn post(url: &str) -> Result<Self, SdkError> {
        Self::new(Method::POST, url)
    }

    /// Adds a header. Its value may be `{{bonafide:NAME}}`, or a scheme word and that.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, SdkError> {
        let fault = || SdkError::from(Fault::Request(RequestFault::Header));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| fault())?;
        if RESERVED.contains(&name.as_str()) {
            return Err(fault());
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| fault())?;
        value.set_sensitive(true);
        self.headers.append(name, value);
        Ok(self)
    }

    /// A form as the body. A field's value may be `{{bonafide:NAME}}`.
    #[must_use]
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            form.append_pair(name, value);
        }
        self.body = Zeroizing::new(form.finish().into_bytes());
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
        self
    }

    /// Bytes as the body. Where the content type is a form's, its fields may be placeholders.
    pub fn body(self, content_type: &str, bytes: Vec<u8>) -> Result<Self, SdkError> {
        let mut request = self.header("content-type", content_type)?;
        request.body = Zeroizing::new(bytes);
        Ok(request)
    }

    /// Binds the attestation token to this data, say the `Authorization` value: the token carries its SHA-256.
    #[must_use]
    pub fn bind_token_to(mut self, data: &[u8]) -> Self {
        self.bound_to = Some(Zeroizing::new(data.to_vec()));
        self
    }

    /// What becomes of redirects.
    #[must_use]
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(super) fn is_form(&self) -> bool {
        self.headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(FORM))
    }
}

impl fmt::Debug for ProtectedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedRequest")
            .field("method", &self.method)
            .field("host", &self.host())
            .finish_non_exhaustive()
    }
}

/// An API's answer.
pub struct ProtectedResponse {
    pub(super) status: u16,
    pub(super) url: Url,
    pub(super) headers: BTreeMap<String, Vec<String>>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl ProtectedResponse {
    /// HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Where the answer came from, after redirects.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The first value of a header; names in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.first().map(String::as_str)
    }

    /// All headers; names in lower case. Values that are not text are left out.
    pub fn headers(&self) -> &BTreeMap<String, Vec<String>> {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body, which wipes itself when dropped.
    pub fn into_body(self) -> Zeroizing<Vec<u8>> {
        self.body
    }

    /// The body as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

impl fmt::Debug for ProtectedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedResponse")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A header value that no log prints and no compression table keeps.
pub(super) fn sensitive(value: &SecretText) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}
