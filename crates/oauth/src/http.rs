//! Plain requests and responses: what a step wants sent, and what came back.
//!
//! The host sends them with whatever HTTP stack it has, **never follows redirects**, and stops reading at
//! [`HttpRequest::response_limit`]. Values may be secret, so nothing here prints them. The module knows no
//! endpoint and judges nothing.

use std::fmt;

use url::Url;
use zeroize::Zeroizing;

use crate::dpop::Proof;
use crate::secret::SecretText;

/// The methods OAuth needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// DELETE: of a registration, or at a resource.
    Delete,
    /// PUT, at a resource.
    Put,
    /// PATCH, at a resource.
    Patch,
}

impl Method {
    /// As it stands in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

/// A request to send once, as it is.
#[derive(Clone)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Names in lower case; values may be secret.
    pub headers: Vec<(&'static str, SecretText)>,
    /// The body; empty for GET.
    pub body: SecretText,
    /// Stop reading the response's body after so many bytes; one more than that is refused anyway.
    pub response_limit: usize,
}

impl HttpRequest {
    pub(crate) fn fetch(url: Url, response_limit: usize) -> Self {
        Self {
            method: Method::Get,
            url,
            headers: vec![("accept", SecretText::new("application/json"))],
            body: SecretText::new(""),
            response_limit,
        }
    }

    pub(crate) fn post_form(url: Url, form: &SecretText, response_limit: usize) -> Self {
        Self {
            method: Method::Post,
            url,
            headers: vec![
                ("accept", SecretText::new("application/json")),
                (
                    "content-type",
                    SecretText::new("application/x-www-form-urlencoded"),
                ),
            ],
            body: form.clone(),
            response_limit,
        }
    }

    pub(crate) fn post_json(url: Url, body: &serde_json::Value, response_limit: usize) -> Self {
        Self {
            method: Method::Post,
            url,
            headers: vec![
                ("accept", SecretText::new("application/json")),
                ("content-type", SecretText::new("application/json")),
            ],
            body: SecretText::new(body.to_string()),
            response_limit,
        }
    }

    /// With another wish for the answer's type than plain JSON.
    pub(crate) fn accepting(mut self, types: &'static str) -> Self {
        self.headers.retain(|(name, _)| *name != "accept");
        self.with_header("accept", SecretText::new(types))
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: SecretText) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With a DPoP proof that was made for it.
    #[must_use]
    pub fn with_proof(self, proof: &Proof) -> Self {
        self.with_header("dpop", proof.header().clone())
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&SecretText> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| *name).collect();
        formatter
            .debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("origin", &self.url.origin().ascii_serialization())
            .field("path", &self.url.path())
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

/// What came back.
#[derive(Clone)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Names in any case.
    pub headers: Vec<(String, String)>,
    /// As much of the body as the request's limit allowed, plus at least one byte when there was more.
    pub body: Zeroizing<Vec<u8>>,
}

impl HttpResponse {
    /// A response.
    pub fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        Self {
            status,
            headers,
            body: Zeroizing::new(body),
        }
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The media type, without parameters, in lower case.
    pub fn media_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        let essence = value.split(';').next().unwrap_or_default().trim();
        Some(essence.to_ascii_lowercase())
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("media_type", &self.media_type())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_responses_do_not_print_what_they_carry() {
        let url = Url::parse("https://as.example/token?secret=canary").unwrap();
        let request = HttpRequest::post_form(url, &SecretText::new("client_secret=canary"), 10)
            .with_header("authorization", SecretText::new("Basic canary"));
        let response = HttpResponse::new(200, vec![], b"canary".to_vec());
        let printed = format!("{request:?} {response:?}");
        assert!(!printed.contains("canary"), "{printed}");
    }

    #[test]
    fn media_types_lose_parameters_and_case() {
        let header = vec![(
            "Content-Type".to_owned(),
            "Application/JSON; charset=utf-8".to_owned(),
        )];
        let response = HttpResponse::new(200, header, vec![]);
        assert_eq!(response.media_type().as_deref(), Some("application/json"));
    }
}
