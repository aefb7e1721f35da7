//! What an authorization server says about itself (RFC 8414, OpenID Connect Discovery), read strictly.
//!
//! Decides that a document belongs to the issuer that was asked for, byte for byte, and that its endpoints are URLs the
//! service may call. It knows nothing of accounts.

use bonafide_wire::admin::UpstreamEndpoints;
use bonafide_wire::ids::{EndpointUrl, Issuer};
use serde::Deserialize;

use crate::upstream::{Answer, Call, Outbound, UpstreamError};

/// Largest document, bytes.
const MOST_BYTES: usize = 256 * 1024;
const NOT_FOUND: [u16; 2] = [404, 410];

/// The members that mean something here; the others are the app's business.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    pub(super) token_endpoint: Option<String>,
    pub(super) revocation_endpoint: Option<String>,
    pub(super) registration_endpoint: Option<String>,
    pub(super) pushed_authorization_request_endpoint: Option<String>,
    pub(super) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    pub(super) dpop_signing_alg_values_supported: Vec<String>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// A document that was found and believed.
#[derive(Debug, Clone)]
pub(super) struct Discovered {
    pub(super) metadata: Metadata,
    pub(super) url: EndpointUrl,
    pub(super) endpoints: UpstreamEndpoints,
}

/// Why nothing was discovered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DiscoveryFailure {
    /// Neither place has a document.
    #[error(
        "there are no metadata at its well-known URLs; give the endpoints if the server has none"
    )]
    Nothing,
    /// The document is about another server.
    #[error("its metadata say that they are of {0}; the issuer must be the same byte for byte")]
    OtherIssuer(String),
    /// The document cannot be used.
    #[error("its metadata cannot be used: {0}")]
    Unusable(&'static str),
    /// No answer.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

/// Asks the server, at the place of RFC 8414 first, then at that of OpenID Connect.
pub(super) async fn discover(
    outbound: &Outbound,
    issuer: &Issuer,
) -> Result<Discovered, DiscoveryFailure> {
    for url in well_known(issuer) {
        let call = Call::get(url.as_str()).at_most(MOST_BYTES);
        let answer = match outbound.call(call).await {
            // A server that redirects there has no document there.
            Err(UpstreamError::Redirected { .. }) => continue,
            answer => answer?,
        };
        if NOT_FOUND.contains(&answer.status) {
            continue;
        }
        return read(issuer, &url, &answer);
    }
    Err(DiscoveryFailure::Nothing)
}

/// RFC 8414 §3.1 puts the well-known name between host and path, OpenID Connect behind the path.
fn well_known(issuer: &Issuer) -> Vec<EndpointUrl> {
    let text = issuer.as_str().trim_end_matches('/');
    let scheme = text.find("://").map_or(0, |at| at.saturating_add(3));
    let path = text
        .get(scheme..)
        .and_then(|rest| rest.find('/'))
        .map_or(text.len(), |at| scheme.saturating_add(at));
    let (origin, path) = text.split_at_checked(path).unwrap_or((text, ""));
    [
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}{path}/.well-known/openid-configuration"),
    ]
    .into_iter()
    .filter_map(|url| EndpointUrl::parse(url).ok())
    .collect()
}

fn read(
    issuer: &Issuer,
    url: &EndpointUrl,
    answer: &Answer,
) -> Result<Discovered, DiscoveryFailure> {
    if answer.status != 200 {
        return Err(DiscoveryFailure::Unusable(
            "the server answered another status than 200",
        ));
    }
    if !answer.is_json() {
        return Err(DiscoveryFailure::Unusable("they are not JSON"));
    }
    let metadata: Metadata = serde_json::from_slice(&answer.body)
        .map_err(|_| DiscoveryFailure::Unusable("they are not of the documented shape"))?;
    if metadata.issuer != issuer.as_str() {
        let said: String = metadata.issuer.chars().take(200).collect();
        return Err(DiscoveryFailure::OtherIssuer(said));
    }
    let token = metadata
        .token_endpoint
        .as_deref()
        .ok_or(DiscoveryFailure::Unusable("they name no token endpoint"))?;
    let endpoints = UpstreamEndpoints {
        token: endpoint(issuer, token)?,
        revocation: optional(issuer, metadata.revocation_endpoint.as_deref())?,
        registration: optional(issuer, metadata.registration_endpoint.as_deref())?,
    };
    Ok(Discovered {
        url: url.clone(),
        endpoints,
        metadata,
    })
}

/// A server behind HTTPS has no endpoints without.
fn endpoint(issuer: &Issuer, text: &str) -> Result<EndpointUrl, DiscoveryFailure> {
    let fits = !issuer.as_str().starts_with("https://") || text.starts_with("https://");
    EndpointUrl::parse(text)
        .ok()
        .filter(|_| fits)
        .ok_or(DiscoveryFailure::Unusable("an endpoint is no https URL"))
}

fn optional(issuer: &Issuer, text: Option<&str>) -> Result<Option<EndpointUrl>, DiscoveryFailure> {
    text.map(|text| endpoint(issuer, text)).transpose()
}

impl Metadata {
    /// How clients may authenticate; RFC 8414 §2 says what silence means.
    pub(super) fn auth_methods(&self) -> Vec<String> {
        self.token_endpoint_auth_methods_supported
            .clone()
            .unwrap_or_else(|| vec!["client_secret_basic".to_owned()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_standards_places_are_asked() {
        let places = |issuer: &str| -> Vec<String> {
            let issuer = Issuer::parse(issuer).unwrap();
            well_known(&issuer)
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(
            places("https://as.example"),
            [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            places("https://as.example/realms/acme/"),
            [
                "https://as.example/.well-known/oauth-authorization-server/realms/acme",
                "https://as.example/realms/acme/.well-known/openid-configuration"
            ]
        );
    }
}
