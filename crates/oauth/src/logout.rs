//! RP-initiated logout (OpenID Connect): the browser ends the user's session at the provider.
//!
//! The answer is judged like a redirect of a login: only our own state at our own URI counts. A logout under way survives the
//! process like a login does.

use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::{Zeroize as _, Zeroizing};

use crate::discovery::{DiscoveryReject, ServerMetadata};
use crate::entropy::{self, Entropy, EntropyFailed};
use crate::redirect::{RedirectReject, parameters_of};
use crate::redirect_uri::RedirectUri;
use crate::seal::{Record, RecordReject};
use crate::secret::SecretText;
use crate::tokens::Tokens;

/// A logout under way: open the URL in the system browser.
#[derive(Debug)]
pub struct Logout {
    /// For the system browser. Holds the ID token as a hint, so it does not belong in a log.
    pub url: SecretText,
    redirect_uri: RedirectUri,
    state: SecretText,
}

/// A logout that cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogoutReject {
    /// The server has no such endpoint, or is another one.
    #[error(transparent)]
    Discovery(#[from] DiscoveryReject),
    /// No state, no logout.
    #[error(transparent)]
    Entropy(#[from] EntropyFailed),
    /// There is no ID token to say whose session shall end.
    #[error("without an ID token the provider does not know whose session to end")]
    IdentityUnknown,
}

impl LogoutReject {
    /// Stable text.
    pub fn code(self) -> &'static str {
        match self {
            Self::Discovery(reject) => reject.code(),
            Self::Entropy(EntropyFailed) => "entropy-failed",
            Self::IdentityUnknown => "logout-identity-unknown",
        }
    }
}

impl Tokens {
    /// Begins a logout at the provider.
    pub fn end_session(
        &self,
        server: &ServerMetadata,
        redirect_uri: &RedirectUri,
        entropy: &mut dyn Entropy,
    ) -> Result<Logout, LogoutReject> {
        if server.issuer != self.issuer {
            return Err(DiscoveryReject::IssuerMismatch.into());
        }
        let endpoint = server
            .end_session_endpoint
            .as_ref()
            .ok_or(DiscoveryReject::EndpointMissing("end_session_endpoint"))?;
        let hint = self
            .id_token
            .as_ref()
            .ok_or(LogoutReject::IdentityUnknown)?;
        let state = SecretText::new(entropy::text(entropy)?);
        let mut url: Url = endpoint.clone();
        url.query_pairs_mut()
            .append_pair("id_token_hint", hint.expose())
            .append_pair("client_id", &self.client_id)
            .append_pair("post_logout_redirect_uri", redirect_uri.as_str())
            .append_pair("state", state.expose());
        Ok(Logout {
            url: SecretText::new(String::from(url)),
            redirect_uri: redirect_uri.clone(),
            state,
        })
    }
}

impl Logout {
    /// Judges the URL that the browser came back with.
    pub fn receive(&self, arrived: &str) -> Result<(), RedirectReject> {
        let parameters = parameters_of(arrived, &self.redirect_uri)?;
        let state = parameters
            .get("state")
            .ok_or(RedirectReject::StateMissing)?;
        if self.state.matches(state) {
            Ok(())
        } else {
            Err(RedirectReject::StateMismatch)
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogoutRecord {
    url: String,
    redirect_uri: String,
    state: String,
}

impl Drop for LogoutRecord {
    fn drop(&mut self) {
        self.url.zeroize();
        self.state.zeroize();
    }
}

impl Record for Logout {
    const PURPOSE: &'static str = "bonafide-oauth-logout-1";

    fn to_record(&self) -> Zeroizing<Vec<u8>> {
        let record = LogoutRecord {
            url: self.url.expose().to_owned(),
            redirect_uri: self.redirect_uri.as_str().to_owned(),
            state: self.state.expose().to_owned(),
        };
        Zeroizing::new(serde_json::to_vec(&record).unwrap_or_default())
    }

    fn from_record(bytes: &[u8]) -> Result<Self, RecordReject> {
        let record: LogoutRecord =
            serde_json::from_slice(bytes).map_err(|_| RecordReject::Malformed)?;
        Ok(Self {
            url: SecretText::new(record.url.as_str()),
            redirect_uri: RedirectUri::parse(&record.redirect_uri)
                .map_err(|_| RecordReject::Malformed)?,
            state: SecretText::new(record.state.as_str()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::fixed::Counting;
    use crate::testing::{self, REDIRECT};

    fn logout() -> Logout {
        let mut server = testing::server();
        server.end_session_endpoint = Some(Url::parse("https://as.example/end").unwrap());
        let uri = RedirectUri::parse(REDIRECT).unwrap();
        testing::tokens()
            .end_session(&server, &uri, &mut Counting::default())
            .unwrap()
    }

    #[test]
    fn the_hint_goes_in_the_url_and_the_url_does_not_print() {
        let logout = logout();
        assert!(logout.url.expose().contains("id_token_hint=id-1"));
        assert!(!format!("{logout:?}").contains("id-1"));
    }

    #[test]
    fn survives_the_death_of_the_process() {
        let logout = logout();
        let back = Logout::from_record(&logout.to_record()).unwrap();
        let arrived = format!("{REDIRECT}?state={}", logout.state.expose());
        assert_eq!(back.receive(&arrived), Ok(()));
        for broken in [&b"{}"[..], b"", b"[]"] {
            let reject = Logout::from_record(broken).err();
            assert_eq!(reject, Some(RecordReject::Malformed));
        }
    }

    #[test]
    fn only_our_own_state_at_our_own_uri_ends_it() {
        let logout = logout();
        let state = logout.state.expose();
        assert_eq!(logout.receive(&format!("{REDIRECT}?state={state}")), Ok(()));
        for (arrived, reject) in [
            (
                format!("{REDIRECT}?state=other"),
                RedirectReject::StateMismatch,
            ),
            (REDIRECT.to_owned(), RedirectReject::StateMissing),
            (
                format!("{REDIRECT}/?state={state}"),
                RedirectReject::Elsewhere,
            ),
        ] {
            assert_eq!(logout.receive(&arrived), Err(reject));
        }
    }

    #[test]
    fn needs_endpoint_server_and_identity() {
        let uri = RedirectUri::parse(REDIRECT).unwrap();
        let mut server = testing::server();
        let mut tokens = testing::tokens();
        let code = |tokens: &Tokens, server: &ServerMetadata| {
            let outcome = tokens.end_session(server, &uri, &mut Counting::default());
            outcome.err().map(LogoutReject::code)
        };
        assert_eq!(code(&tokens, &server), Some("discovery-endpoint-missing"));
        server.end_session_endpoint = Some(Url::parse("https://as.example/end").unwrap());
        tokens.id_token = None;
        assert_eq!(code(&tokens, &server), Some("logout-identity-unknown"));
        server.issuer = crate::discovery::Issuer::parse("https://evil.example").unwrap();
        assert_eq!(code(&tokens, &server), Some("discovery-issuer-mismatch"));
    }
}
