//! Where the browser hands the answer back: loopback, claimed https or a custom scheme (RFC 8252 §7).
//!
//! Decides which URIs a native app may use and whether a URL that arrived is one. What its parameters
//! say is [`crate::redirect`]'s business.

use url::{Host, Url};

/// How an app receives the redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectKind {
    /// `http://127.0.0.1:{port}/…`, `http://[::1]:{port}/…` or `http://localhost:{port}/…`.
    Loopback,
    /// `https://` on a host that the platform has verified to be ours.
    ClaimedHttps,
    /// A reversed domain name as scheme: `com.example.app:/…`.
    CustomScheme,
}

/// A redirect URI, byte for byte as registered and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    kind: RedirectKind,
}

/// A URI that a native app must not use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriReject {
    /// No absolute URI.
    #[error("the redirect URI is not an absolute URI")]
    Malformed,
    /// A query, a fragment or a user name in it.
    #[error("a redirect URI has no query, fragment or user name")]
    Adorned,
    /// `http` anywhere but on loopback.
    #[error("a plain http redirect URI must point to loopback")]
    NotLoopback,
    /// A scheme that is not a reversed domain name.
    #[error("a custom redirect scheme is a reversed domain name, such as com.example.app")]
    Scheme,
}

impl RedirectUriReject {
    /// Stable text.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "redirect-uri-malformed",
            Self::Adorned => "redirect-uri-adorned",
            Self::NotLoopback => "redirect-uri-not-loopback",
            Self::Scheme => "redirect-uri-scheme",
        }
    }
}

impl RedirectUri {
    /// Reads and classifies one.
    pub fn parse(text: &str) -> Result<Self, RedirectUriReject> {
        let url = Url::parse(text).map_err(|_| RedirectUriReject::Malformed)?;
        let adorned = text.contains(['?', '#', '@', ' ', '\\']);
        if adorned || !url.username().is_empty() {
            return Err(RedirectUriReject::Adorned);
        }
        let kind = match url.scheme() {
            "https" => RedirectKind::ClaimedHttps,
            "http" if is_loopback(&url) => RedirectKind::Loopback,
            "http" => return Err(RedirectUriReject::NotLoopback),
            scheme if scheme.contains('.') => RedirectKind::CustomScheme,
            _ => return Err(RedirectUriReject::Scheme),
        };
        Ok(Self {
            text: text.to_owned(),
            kind,
        })
    }

    /// The text as registered.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How it is received.
    pub fn kind(&self) -> RedirectKind {
        self.kind
    }

    /// The query of a URL that arrived at this URI; `None` when it arrived elsewhere.
    pub(crate) fn query_of<'a>(&self, arrived: &'a str) -> Option<&'a str> {
        let without_fragment = arrived.split('#').next()?;
        let (target, query) = without_fragment
            .split_once('?')
            .unwrap_or((without_fragment, ""));
        (target == self.text).then_some(query)
    }
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_kinds_of_native_redirects_are_known() {
        for (text, kind) in [
            ("http://127.0.0.1:49152/callback", RedirectKind::Loopback),
            ("http://[::1]:49152/callback", RedirectKind::Loopback),
            ("http://localhost:8080/", RedirectKind::Loopback),
            (
                "https://example.com/oauth2redirect",
                RedirectKind::ClaimedHttps,
            ),
            (
                "com.example.books:/oauth2redirect",
                RedirectKind::CustomScheme,
            ),
        ] {
            assert_eq!(
                RedirectUri::parse(text).map(|uri| uri.kind()),
                Ok(kind),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_each_fault_by_its_name() {
        for (text, reject) in [
            ("/callback", RedirectUriReject::Malformed),
            ("https://example.com/?a=1", RedirectUriReject::Adorned),
            ("https://example.com/#a", RedirectUriReject::Adorned),
            ("https://user@example.com/", RedirectUriReject::Adorned),
            ("http://example.com/", RedirectUriReject::NotLoopback),
            (
                "http://127.0.0.1.example.com/",
                RedirectUriReject::NotLoopback,
            ),
            ("books:/callback", RedirectUriReject::Scheme),
            ("javascript:alert(1)", RedirectUriReject::Scheme),
        ] {
            assert_eq!(RedirectUri::parse(text), Err(reject), "{text}");
        }
    }

    #[test]
    fn only_the_exact_uri_has_arrived() {
        let uri = RedirectUri::parse("http://127.0.0.1:5000/callback").unwrap();
        assert_eq!(
            uri.query_of("http://127.0.0.1:5000/callback?a=1#x"),
            Some("a=1")
        );
        for elsewhere in [
            "http://127.0.0.1:5001/callback?a=1",
            "http://127.0.0.1:5000/callback/?a=1",
            "http://localhost:5000/callback?a=1",
            "https://127.0.0.1:5000/callback?a=1",
        ] {
            assert_eq!(uri.query_of(elsewhere), None, "{elsewhere}");
        }
    }
}
