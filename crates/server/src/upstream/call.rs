//! What is sent to another server and what comes back, in words of our own: `app` knows no HTTP library.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::HeaderMap;
use zeroize::Zeroizing;

/// How long a whole call may take where nothing else was said.
const WITHIN: Duration = Duration::from_secs(10);
/// How large an answer may be where nothing else was said: token answers and metadata are far smaller.
const MOST_BYTES: usize = 256 * 1024;

/// One call.
#[derive(Debug)]
pub struct Call {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, Zeroizing<String>)>,
    pub(super) most_bytes: usize,
    pub(super) within: Duration,
}

pub(super) enum Method {
    Get,
    Post(Zeroizing<Vec<u8>>),
    Delete,
}

impl core::fmt::Debug for Method {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Get => "Get",
            Self::Post(_) => "Post([redacted])",
            Self::Delete => "Delete",
        })
    }
}

impl Call {
    /// Reads a document.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url).header("accept", "application/json")
    }

    /// Posts a form.
    pub fn post_form(url: impl Into<String>, form: Zeroizing<Vec<u8>>) -> Self {
        Self::new(Method::Post(form), url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
    }

    /// Posts a JSON document.
    pub fn post_json(url: impl Into<String>, document: Vec<u8>) -> Self {
        Self::new(Method::Post(Zeroizing::new(document)), url)
            .header("content-type", "application/json")
            .header("accept", "application/json")
    }

    /// Deletes what the URL names.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new(Method::Delete, url)
    }

    fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            most_bytes: MOST_BYTES,
            within: WITHIN,
        }
    }

    /// One more header; its value is wiped afterwards and logged nowhere.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, Zeroizing::new(value.into())));
        self
    }

    /// Another bound for the answer's body.
    #[must_use]
    pub fn at_most(mut self, bytes: usize) -> Self {
        self.most_bytes = bytes;
        self
    }

    /// Another bound for the whole call, connecting included.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }
}

/// A whole answer.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body, within its bound.
    pub body: Zeroizing<Vec<u8>>,
    headers: BTreeMap<String, Vec<String>>,
}

impl core::fmt::Debug for Answer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

impl Answer {
    pub(super) fn new(status: u16, headers: &HeaderMap, body: Zeroizing<Vec<u8>>) -> Self {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in headers {
            if let Ok(text) = value.to_str() {
                let values = all.entry(name.as_str().to_owned()).or_default();
                values.push(text.to_owned());
            }
        }
        Self {
            status,
            body,
            headers: all,
        }
    }

    /// An empty answer with these headers.
    #[cfg(test)]
    pub(crate) fn with_headers<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self {
            status: 200,
            body: Zeroizing::default(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
                .collect(),
        }
    }

    /// A header that was sent exactly once; its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self.headers.get(name)?.as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }

    /// Whether the body is said to be JSON (`application/json`, or any `+json`), whatever its parameters.
    pub fn is_json(&self) -> bool {
        let essence = self
            .header("content-type")
            .and_then(|value| value.split(';').next())
            .map(|essence| essence.trim().to_ascii_lowercase());
        essence.is_some_and(|essence| {
            essence == "application/json"
                || (essence.starts_with("application/") && essence.ends_with("+json"))
        })
    }

    /// Whether the server did what was asked.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// How long the server asks to wait, where it said so in seconds.
    pub fn retry_after(&self) -> Option<u32> {
        self.header("retry-after")?.trim().parse().ok()
    }
}
