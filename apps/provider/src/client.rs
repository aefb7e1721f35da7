//! The registered client: which redirect URIs are its own, and which secrets prove it now.
//!
//! Secrets are kept as SHA-256 digests, so that no dump of this process's state shows one that was registered.

use std::time::Duration;

use subtle::ConstantTimeEq as _;

use crate::options::RegisteredClient;
use crate::secret::{ClientSecret, sha256};

/// How long the old secret stays good after a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// It is dead at once.
    None,
    /// Both are good for so long.
    For(Duration),
}

#[derive(Debug)]
struct Accepted {
    digest: Vec<u8>,
    until: Option<i64>,
}

/// The client as the token endpoint knows it.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) name: String,
    redirect_uris: Vec<String>,
    accepted: Vec<Accepted>,
}

impl Client {
    pub(crate) fn new(registered: RegisteredClient) -> Self {
        Self {
            accepted: vec![Accepted::current(&registered.client_secret)],
            id: registered.client_id,
            name: registered.name,
            redirect_uris: registered.redirect_uris,
        }
    }

    pub(crate) fn rotate(&mut self, secret: &ClientSecret, overlap: Overlap, now: i64) {
        match overlap {
            Overlap::None => self.accepted.clear(),
            Overlap::For(span) => {
                let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
                let until = now.saturating_add(seconds);
                for old in &mut self.accepted {
                    old.until = Some(old.until.map_or(until, |earlier| earlier.min(until)));
                }
            }
        }
        self.accepted.push(Accepted::current(secret));
    }

    pub(crate) fn accepts(&self, secret: &str, now: i64) -> bool {
        let digest = sha256(secret.as_bytes());
        self.accepted
            .iter()
            .filter(|accepted| accepted.until.is_none_or(|until| now < until))
            .any(|accepted| bool::from(accepted.digest.ct_eq(&digest)))
    }

    pub(crate) fn owns(&self, redirect_uri: &str) -> bool {
        owns(&self.redirect_uris, redirect_uri)
    }
}

/// Whether a redirect URI is one of these: exactly, but for the port of loopback.
pub(crate) fn owns(registered: &[String], redirect_uri: &str) -> bool {
    let portless = without_loopback_port(redirect_uri);
    registered
        .iter()
        .any(|own| own == redirect_uri || portless.as_deref() == Some(own))
}

impl Accepted {
    fn current(secret: &ClientSecret) -> Self {
        Self {
            digest: sha256(secret.expose().as_bytes()),
            until: None,
        }
    }
}

/// `http://127.0.0.1:49152/path` without its port.
fn without_loopback_port(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix("http://127.0.0.1:")?;
    let (port, path) = rest.split_once('/')?;
    port.parse::<u16>().ok()?;
    Some(format!("http://127.0.0.1/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client::new(RegisteredClient::demo(ClientSecret::new("one")))
    }

    #[test]
    fn a_rotation_kills_the_old_secret_at_once_or_after_the_overlap() {
        let mut client = client();
        client.rotate(
            &ClientSecret::new("two"),
            Overlap::For(Duration::from_secs(10)),
            100,
        );
        for (secret, now, good) in [
            ("one", 109, true),
            ("one", 110, false),
            ("two", 110, true),
            ("three", 100, false),
            ("", 100, false),
        ] {
            assert_eq!(client.accepts(secret, now), good, "{secret} at {now}");
        }
        client.rotate(&ClientSecret::new("three"), Overlap::None, 105);
        assert!(!client.accepts("one", 105) && !client.accepts("two", 105));
        assert!(client.accepts("three", 105));
    }

    #[test]
    fn redirect_uris_are_exact_but_for_the_port_of_loopback() {
        let client = client();
        for (uri, owned) in [
            ("https://example.com/oauth2redirect", true),
            ("http://127.0.0.1/oauth2redirect", true),
            ("http://127.0.0.1:50000/oauth2redirect", true),
            ("http://127.0.0.1:50000/oauth2redirect/", false),
            ("http://127.0.0.1:50000/other", false),
            ("http://127.0.0.1:x/oauth2redirect", false),
            ("http://127.0.0.1:1@evil.example/oauth2redirect", false),
            ("http://localhost:50000/oauth2redirect", false),
            ("https://example.com:444/oauth2redirect", false),
            ("https://EXAMPLE.com/oauth2redirect", false),
        ] {
            assert_eq!(client.owns(uri), owned, "{uri}");
        }
    }

    #[test]
    fn a_dump_shows_no_secret() {
        let client = Client::new(RegisteredClient::demo(ClientSecret::new("GOCSPX-canary")));
        assert!(!format!("{client:?}").contains("canary"));
    }
}
