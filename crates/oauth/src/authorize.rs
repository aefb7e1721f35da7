//! The authorization request: what the browser is sent to ask the user.
//!
//! Always `response_type=code`, PKCE S256, `state`, and `nonce` where an ID token is asked for. Decides which extra
//! parameters are tolerable; what the user answers is [`crate::redirect`]'s business.

use url::Url;

use crate::discovery::ServerMetadata;
use crate::entropy::{self, Entropy, EntropyFailed};
use crate::jose::Algorithm;
use crate::pending::PendingAuthorization;
use crate::pkce::Verifier;
use crate::redirect_uri::RedirectUri;

/// Who asks. The client id is public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// As registered with the server.
    pub client_id: String,
    /// As registered with the server.
    pub redirect_uri: RedirectUri,
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorizationWish {
    /// Scopes, in order. With `openid` an ID token is demanded later.
    pub scope: Vec<String>,
    /// Further parameters (`prompt`, `login_hint`, `access_type`, …); none that this engine sets itself.
    pub extra: Vec<(String, String)>,
}

/// A request under way: open the URL in the system browser, keep the record.
#[derive(Debug)]
pub struct Authorization {
    /// For the system browser, never for a web view.
    pub url: Url,
    /// What the redirect will be judged by.
    pub pending: PendingAuthorization,
}

/// A request that must not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizeReject {
    /// An extra parameter that belongs to this engine.
    #[error("an extra parameter would override one that the engine sets")]
    ParameterReserved,
    /// No unpredictable state, no request.
    #[error(transparent)]
    Entropy(#[from] EntropyFailed),
    /// The server signs ID tokens with nothing that we verify.
    #[error("the server signs ID tokens with no algorithm that is verified here")]
    NoCommonAlgorithm,
}

impl AuthorizeReject {
    /// Stable text.
    pub fn code(self) -> &'static str {
        match self {
            Self::ParameterReserved => "authorize-parameter-reserved",
            Self::Entropy(EntropyFailed) => "entropy-failed",
            Self::NoCommonAlgorithm => "authorize-no-common-algorithm",
        }
    }
}

const RESERVED: [&str; 13] = [
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
    "nonce",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// Begins an authorization.
pub fn begin(
    server: &ServerMetadata,
    client: &Client,
    wish: &AuthorizationWish,
    entropy: &mut dyn Entropy,
) -> Result<Authorization, AuthorizeReject> {
    if wish
        .extra
        .iter()
        .any(|(name, _)| RESERVED.contains(&name.as_str()))
    {
        return Err(AuthorizeReject::ParameterReserved);
    }
    let algorithms = Algorithm::agreed(server.id_token_signing_alg_values_supported.as_deref());
    let wants_id_token = wish.scope.iter().any(|scope| scope == "openid");
    if wants_id_token && algorithms.is_empty() {
        return Err(AuthorizeReject::NoCommonAlgorithm);
    }
    let pending = PendingAuthorization {
        issuer: server.issuer.clone(),
        issuer_in_response: server.authorization_response_iss_parameter_supported,
        client_id: client.client_id.clone(),
        redirect_uri: client.redirect_uri.clone(),
        scope: wish.scope.clone(),
        algorithms,
        state: entropy::text(entropy)?.into(),
        nonce: entropy::text(entropy)?.into(),
        verifier: Verifier::draw(entropy)?,
    };
    Ok(Authorization {
        url: url(server, wish, &pending),
        pending,
    })
}

fn url(server: &ServerMetadata, wish: &AuthorizationWish, pending: &PendingAuthorization) -> Url {
    let mut url = server.authorization_endpoint.clone();
    let mut query = url.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", &pending.client_id)
        .append_pair("redirect_uri", pending.redirect_uri.as_str())
        .append_pair("scope", &wish.scope.join(" "))
        .append_pair("state", pending.state.expose())
        .append_pair("code_challenge", &pending.verifier.challenge())
        .append_pair("code_challenge_method", "S256");
    if pending.wants_id_token() {
        query.append_pair("nonce", pending.nonce.expose());
    }
    for (name, value) in &wish.extra {
        query.append_pair(name, value);
    }
    drop(query);
    url
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::entropy::fixed::Counting;
    use crate::testing;

    #[test]
    fn every_request_carries_state_and_an_s256_challenge() {
        let authorization = testing::begin();
        let query: BTreeMap<_, _> = authorization.url.query_pairs().into_owned().collect();
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["code_challenge_method"], "S256");
        assert_eq!(
            query["code_challenge"],
            authorization.pending.verifier.challenge()
        );
        assert_eq!(query["scope"], "openid email");
        assert_eq!(query["prompt"], "select_account");
        assert_ne!(query["state"], query["nonce"]);
        assert!(
            !authorization
                .url
                .as_str()
                .contains(authorization.pending.verifier.secret().expose()),
            "the verifier stays here"
        );
    }

    #[test]
    fn extra_parameters_cannot_override_the_engines_own() {
        for name in RESERVED {
            let wish = AuthorizationWish {
                scope: vec![],
                extra: vec![(name.to_owned(), "x".to_owned())],
            };
            let reject = begin(
                &testing::server(),
                &testing::client(),
                &wish,
                &mut Counting::default(),
            );
            assert_eq!(
                reject.err(),
                Some(AuthorizeReject::ParameterReserved),
                "{name}"
            );
        }
    }

    #[test]
    fn a_server_that_only_signs_with_what_we_refuse_is_refused_before_the_user_is_bothered() {
        let mut server = testing::server();
        server.id_token_signing_alg_values_supported =
            Some(vec!["none".to_owned(), "HS256".to_owned()]);
        let wish = testing::wish();
        let reject = begin(&server, &testing::client(), &wish, &mut Counting::default());
        assert_eq!(reject.err(), Some(AuthorizeReject::NoCommonAlgorithm));
    }

    #[test]
    fn without_randomness_there_is_no_request() {
        struct Dry;
        impl Entropy for Dry {
            fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyFailed> {
                Err(EntropyFailed)
            }
        }
        let reject = begin(
            &testing::server(),
            &testing::client(),
            &testing::wish(),
            &mut Dry,
        );
        assert_eq!(
            reject.err().map(AuthorizeReject::code),
            Some("entropy-failed")
        );
    }
}
