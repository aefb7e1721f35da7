//! What an authorization server says of itself (OpenID Connect Discovery 1.0, RFC 8414).
//!
//! The document must name exactly the issuer that was asked for, its endpoints must be https (plain http on
//! loopback only below an issuer that is itself plain), and a server that lists its PKCE methods without
//! S256 is refused. Which server to trust is the caller's choice.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::http::{HttpRequest, HttpResponse};
use crate::redirect_uri::is_loopback;
use crate::response::{self, MOST_DOCUMENT_BYTES, ResponseReject};

/// The identifier of an authorization server: its text is compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Issuer(String);

/// A text that identifies no server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an issuer is an https URL without query or fragment (http on loopback only)")]
pub struct IssuerReject;

impl Issuer {
    /// Reads an issuer identifier.
    pub fn parse(text: &str) -> Result<Self, IssuerReject> {
        let url = Url::parse(text).map_err(|_| IssuerReject)?;
        let plain = text.contains(['?', '#', '@']) || text.len() > 1024;
        if plain || !is_safe(&url) || !(is_https(&url) || is_loopback(&url)) {
            return Err(IssuerReject);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_plain(&self) -> bool {
        self.0.starts_with("http://")
    }

    /// Where its documents may be, in the order to try: OpenID Connect appends, RFC 8414 inserts.
    pub fn documents(&self) -> Vec<HttpRequest> {
        let base = self.0.trim_end_matches('/');
        let appended = Url::parse(&format!("{base}/.well-known/openid-configuration"));
        let inserted = Url::parse(base).map(|mut url| {
            let path = url.path().trim_end_matches('/').to_owned();
            url.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
            url
        });
        [appended, inserted]
            .into_iter()
            .flatten()
            .map(|url| HttpRequest::fetch(url, MOST_DOCUMENT_BYTES))
            .collect()
    }
}

impl TryFrom<String> for Issuer {
    type Error = IssuerReject;
    fn try_from(text: String) -> Result<Self, IssuerReject> {
        Self::parse(&text)
    }
}

impl From<Issuer> for String {
    fn from(issuer: Issuer) -> Self {
        issuer.0
    }
}

/// The part of the metadata that this engine uses. Public knowledge; may be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerMetadata {
    /// Equal to the issuer that was asked for.
    pub issuer: Issuer,
    /// Where the browser goes.
    pub authorization_endpoint: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token_endpoint: Url,
    /// The keys that sign ID tokens.
    #[serde(default)]
    pub jwks_uri: Option<Url>,
    /// Claims about the user.
    #[serde(default)]
    pub userinfo_endpoint: Option<Url>,
    /// RFC 7009.
    #[serde(default)]
    pub revocation_endpoint: Option<Url>,
    /// RP-initiated logout.
    #[serde(default)]
    pub end_session_endpoint: Option<Url>,
    /// RFC 9126.
    #[serde(default)]
    pub pushed_authorization_request_endpoint: Option<Url>,
    /// Whether the server refuses authorization requests that were not pushed.
    #[serde(default)]
    pub require_pushed_authorization_requests: bool,
    /// RFC 7591.
    #[serde(default)]
    pub registration_endpoint: Option<Url>,
    /// Where attestation challenges come from.
    #[serde(default)]
    pub challenge_endpoint: Option<Url>,
    /// What may sign DPoP proofs; absent: no DPoP.
    #[serde(default)]
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
    /// Whether `iss` must be in every authorization response (RFC 9207).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
    /// Absent: not said. Present: must list `S256`.
    #[serde(default)]
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// How a client may authenticate; `client_secret_basic` when absent (RFC 8414 §2).
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// What may sign ID tokens.
    #[serde(default)]
    pub id_token_signing_alg_values_supported: Option<Vec<String>>,
}

/// Metadata that must not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryReject {
    /// No readable document.
    #[error(transparent)]
    Response(#[from] ResponseReject),
    /// The document speaks for somebody else.
    #[error("the discovery document names another issuer than the one asked")]
    IssuerMismatch,
    /// An endpoint without TLS.
    #[error("an endpoint in the discovery document is not https")]
    EndpointInsecure,
    /// The server says it cannot do S256.
    #[error("the server does not support PKCE with S256")]
    PkceUnsupported,
    /// The endpoint that a step needs is not announced.
    #[error("the server has no {0}")]
    EndpointMissing(&'static str),
}

impl DiscoveryReject {
    /// Stable text.
    pub fn code(self) -> &'static str {
        match self {
            Self::Response(reject) => reject.code(),
            Self::IssuerMismatch => "discovery-issuer-mismatch",
            Self::EndpointInsecure => "discovery-endpoint-insecure",
            Self::PkceUnsupported => "discovery-pkce-unsupported",
            Self::EndpointMissing(_) => "discovery-endpoint-missing",
        }
    }
}

impl ServerMetadata {
    /// Judges a discovery document that `issuer` was asked for.
    pub fn receive(issuer: &Issuer, response: &HttpResponse) -> Result<Self, DiscoveryReject> {
        let metadata: Self = response::document(response)?;
        metadata.check(issuer)?;
        Ok(metadata)
    }

    fn check(&self, issuer: &Issuer) -> Result<(), DiscoveryReject> {
        if self.issuer != *issuer {
            return Err(DiscoveryReject::IssuerMismatch);
        }
        let required = [&self.authorization_endpoint, &self.token_endpoint];
        let optional = [
            &self.jwks_uri,
            &self.userinfo_endpoint,
            &self.revocation_endpoint,
            &self.end_session_endpoint,
            &self.pushed_authorization_request_endpoint,
            &self.challenge_endpoint,
            &self.registration_endpoint,
        ];
        let mut endpoints = required
            .into_iter()
            .chain(optional.into_iter().filter_map(Option::as_ref));
        if !endpoints.all(|url| is_endpoint(issuer, url)) {
            return Err(DiscoveryReject::EndpointInsecure);
        }
        match &self.code_challenge_methods_supported {
            Some(methods) if !methods.iter().any(|method| method == "S256") => {
                Err(DiscoveryReject::PkceUnsupported)
            }
            _ => Ok(()),
        }
    }

    /// Whether the server binds tokens to ES256 keys (RFC 9449).
    pub fn speaks_dpop(&self) -> bool {
        lists(self.dpop_signing_alg_values_supported.as_ref(), "ES256")
    }

    /// Whether the server lets clients authenticate so; `client_secret_basic` where it says nothing.
    pub fn accepts(&self, method: &str) -> bool {
        match &self.token_endpoint_auth_methods_supported {
            None => method == "client_secret_basic",
            listed => lists(listed.as_ref(), method),
        }
    }

    /// The request for the server's signing keys.
    pub fn keys(&self) -> Result<HttpRequest, DiscoveryReject> {
        let url = self
            .jwks_uri
            .clone()
            .ok_or(DiscoveryReject::EndpointMissing("jwks_uri"))?;
        let request = HttpRequest::fetch(url, MOST_DOCUMENT_BYTES);
        Ok(request.accepting("application/json, application/jwk-set+json"))
    }
}

fn lists(listed: Option<&Vec<String>>, wanted: &str) -> bool {
    listed.is_some_and(|listed| listed.iter().any(|name| name == wanted))
}

/// Whether credentials may go there: https, or plain on loopback below an issuer that is plain itself.
pub(crate) fn is_endpoint(issuer: &Issuer, url: &Url) -> bool {
    is_safe(url) && (is_https(url) || (issuer.is_plain() && is_loopback(url)))
}

fn is_https(url: &Url) -> bool {
    url.scheme() == "https"
}

fn is_safe(url: &Url) -> bool {
    let web = matches!(url.scheme(), "https" | "http");
    web && url.host().is_some() && url.username().is_empty() && url.fragment().is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::response::tests::json_response;

    fn document() -> Value {
        json!({
            "issuer": "https://as.example/tenant",
            "authorization_endpoint": "https://as.example/tenant/authorize",
            "token_endpoint": "https://as.example/tenant/token",
            "jwks_uri": "https://as.example/tenant/jwks",
            "code_challenge_methods_supported": ["S256", "plain"],
            "something_new": {"a": [1]},
        })
    }

    fn receive(document: &Value) -> Result<ServerMetadata, DiscoveryReject> {
        let issuer = Issuer::parse("https://as.example/tenant").unwrap();
        ServerMetadata::receive(&issuer, &json_response(200, document))
    }

    #[test]
    fn looks_in_both_places() {
        let issuer = Issuer::parse("https://as.example/tenant").unwrap();
        let places: Vec<_> = issuer
            .documents()
            .into_iter()
            .map(|request| request.url.to_string())
            .collect();
        assert_eq!(
            places,
            [
                "https://as.example/tenant/.well-known/openid-configuration",
                "https://as.example/.well-known/oauth-authorization-server/tenant",
            ]
        );
        // RFC 8414 §3.1, an issuer without a path
        let issuer = Issuer::parse("https://example.com").unwrap();
        assert_eq!(
            issuer.documents()[1].url.as_str(),
            "https://example.com/.well-known/oauth-authorization-server"
        );
    }

    #[test]
    fn accepts_the_document_of_the_issuer_asked_for() {
        let metadata = receive(&document()).unwrap();
        assert_eq!(metadata.issuer.as_str(), "https://as.example/tenant");
        let mut silent = document();
        silent
            .as_object_mut()
            .unwrap()
            .remove("code_challenge_methods_supported");
        assert!(receive(&silent).is_ok(), "silence about PKCE is no refusal");
    }

    #[test]
    fn refuses_a_document_that_breaks_one_rule() {
        for (member, value, code) in [
            (
                "issuer",
                json!("https://evil.example"),
                "discovery-issuer-mismatch",
            ),
            (
                "issuer",
                json!("https://as.example/tenant/"),
                "discovery-issuer-mismatch",
            ),
            ("issuer", json!("ftp://as.example"), "response-malformed"),
            (
                "token_endpoint",
                json!("http://as.example/token"),
                "discovery-endpoint-insecure",
            ),
            (
                "token_endpoint",
                json!("http://127.0.0.1/token"),
                "discovery-endpoint-insecure",
            ),
            (
                "authorization_endpoint",
                json!("javascript:x"),
                "discovery-endpoint-insecure",
            ),
            (
                "jwks_uri",
                json!("http://as.example/jwks"),
                "discovery-endpoint-insecure",
            ),
            (
                "revocation_endpoint",
                json!("https://a@as.example/"),
                "discovery-endpoint-insecure",
            ),
            (
                "code_challenge_methods_supported",
                json!(["plain"]),
                "discovery-pkce-unsupported",
            ),
            ("token_endpoint", Value::Null, "response-malformed"),
        ] {
            let mut broken = document();
            broken[member] = value.clone();
            let code_found = receive(&broken).err().map(DiscoveryReject::code);
            assert_eq!(code_found, Some(code), "{member} = {value}");
        }
    }

    #[test]
    fn what_a_server_does_not_say_is_as_the_standards_say() {
        let silent = receive(&document()).unwrap();
        assert!(silent.accepts("client_secret_basic") && !silent.accepts("client_secret_post"));
        assert!(!silent.speaks_dpop());
        let mut telling = document();
        telling["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt"]);
        telling["dpop_signing_alg_values_supported"] = json!(["RS256", "ES256"]);
        let telling = receive(&telling).unwrap();
        assert!(telling.accepts("private_key_jwt") && !telling.accepts("client_secret_basic"));
        assert!(telling.speaks_dpop());
    }

    #[test]
    fn issuers_are_https_or_on_loopback() {
        for good in [
            "https://accounts.google.com",
            "http://127.0.0.1:3000",
            "http://localhost/a",
        ] {
            assert!(Issuer::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "accounts.google.com",
            "http://accounts.google.com",
            "https://as.example?x",
            "https://as.example#x",
            "https://me@as.example",
        ] {
            assert_eq!(Issuer::parse(bad), Err(IssuerReject), "{bad}");
        }
    }
}
