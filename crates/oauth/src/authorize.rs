//! The authorization request: what the browser is sent to ask the user.
//!
//! Always `response_type=code`, PKCE S256, `state`, and `nonce` where an ID token is asked for. Decides which extra
//! parameters are tolerable; what the user answers is [`crate::redirect`]'s business.

use url::Url;

use crate::discovery::ServerMetadata;
use crate::dpop::Binding;
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
    /// Whom the tokens shall obey.
    pub binding: Binding,
    /// Further parameters (`prompt`, `login_hint`, `access_type`, …); none that this engine sets itself. `max_age` is held
    /// against the ID token's `auth_time`.
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
    /// The server refuses requests that were not pushed (RFC 9126).
    #[error("the server demands that authorization requests are pushed")]
    MustBePushed,
    /// The server has nowhere to push to.
    #[error("the server takes no pushed authorization requests")]
    CannotBePushed,
    /// `max_age` that is no number of seconds.
    #[error("max_age is a number of seconds")]
    MaxAgeMalformed,
    /// The tokens shall obey a key, and the server does not know how.
    #[error("the server does not bind tokens to keys (DPoP with ES256)")]
    DpopUnsupported,
}

impl AuthorizeReject {
    /// Stable text.
    pub fn code(self) -> &'static str {
        match self {
            Self::ParameterReserved => "authorize-parameter-reserved",
            Self::Entropy(EntropyFailed) => "entropy-failed",
            Self::NoCommonAlgorithm => "authorize-no-common-algorithm",
            Self::MustBePushed => "authorize-must-be-pushed",
            Self::CannotBePushed => "authorize-cannot-be-pushed",
            Self::MaxAgeMalformed => "authorize-max-age-malformed",
            Self::DpopUnsupported => "authorize-dpop-unsupported",
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

/// Begins an authorization in the browser's address. A server that demands pushed requests wants
/// [`crate::par::begin`].
pub fn begin(
    server: &ServerMetadata,
    client: &Client,
    wish: &AuthorizationWish,
    entropy: &mut dyn Entropy,
) -> Result<Authorization, AuthorizeReject> {
    if server.require_pushed_authorization_requests {
        return Err(AuthorizeReject::MustBePushed);
    }
    let pending = pend(server, client, wish, entropy)?;
    let mut url = server.authorization_endpoint.clone();
    url.query_pairs_mut()
        .extend_pairs(parameters(wish, &pending));
    Ok(Authorization { url, pending })
}

/// Draws what the answer will be judged by.
pub(crate) fn pend(
    server: &ServerMetadata,
    client: &Client,
    wish: &AuthorizationWish,
    entropy: &mut dyn Entropy,
) -> Result<PendingAuthorization, AuthorizeReject> {
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
    if wish.binding != Binding::Bearer && !server.speaks_dpop() {
        return Err(AuthorizeReject::DpopUnsupported);
    }
    let pending = PendingAuthorization {
        max_age: max_age(wish)?,
        issuer: server.issuer.clone(),
        issuer_in_response: server.authorization_response_iss_parameter_supported,
        client_id: client.client_id.clone(),
        redirect_uri: client.redirect_uri.clone(),
        scope: wish.scope.clone(),
        algorithms,
        binding: wish.binding.clone(),
        state: entropy::text(entropy)?.into(),
        nonce: entropy::text(entropy)?.into(),
        verifier: Verifier::draw(entropy)?,
    };
    Ok(pending)
}

fn max_age(wish: &AuthorizationWish) -> Result<Option<u32>, AuthorizeReject> {
    wish.extra
        .iter()
        .find(|(name, _)| name == "max_age")
        .map(|(_, value)| value.parse().map_err(|_| AuthorizeReject::MaxAgeMalformed))
        .transpose()
}

/// The parameters of an authorization request, in order.
pub(crate) fn parameters(
    wish: &AuthorizationWish,
    pending: &PendingAuthorization,
) -> Vec<(String, String)> {
    let mut parameters: Vec<(&str, String)> = vec![
        ("response_type", "code".to_owned()),
        ("client_id", pending.client_id.clone()),
        ("redirect_uri", pending.redirect_uri.as_str().to_owned()),
        ("scope", wish.scope.join(" ")),
        ("state", pending.state.expose().to_owned()),
        ("code_challenge", pending.verifier.challenge()),
        ("code_challenge_method", "S256".to_owned()),
    ];
    if pending.wants_id_token() {
        parameters.push(("nonce", pending.nonce.expose().to_owned()));
    }
    if let Binding::Dpop(thumbprint) = &pending.binding {
        parameters.push(("dpop_jkt", thumbprint.clone()));
    }
    parameters
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .chain(wish.extra.iter().cloned())
        .collect()
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
                extra: vec![(name.to_owned(), "x".to_owned())],
                ..AuthorizationWish::default()
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
    fn max_age_is_a_number_and_is_remembered() {
        for (value, expected) in [
            ("300", Ok(Some(300))),
            ("0", Ok(Some(0))),
            ("soon", Err(AuthorizeReject::MaxAgeMalformed)),
            ("-1", Err(AuthorizeReject::MaxAgeMalformed)),
        ] {
            let wish = AuthorizationWish {
                extra: vec![("max_age".to_owned(), value.to_owned())],
                ..testing::wish()
            };
            let mut entropy = Counting::default();
            let begun = begin(&testing::server(), &testing::client(), &wish, &mut entropy);
            assert_eq!(
                begun.map(|begun| begun.pending.max_age),
                expected,
                "{value}"
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
    fn a_bound_login_says_so_and_only_to_a_server_that_understands() {
        let mut server = testing::server();
        let wish = AuthorizationWish {
            binding: Binding::Dpop("thumb".to_owned()),
            ..testing::wish()
        };
        let begin = |server: &ServerMetadata| {
            begin(server, &testing::client(), &wish, &mut Counting::default())
        };
        assert_eq!(begin(&server).err(), Some(AuthorizeReject::DpopUnsupported));
        server.dpop_signing_alg_values_supported = Some(vec!["ES256".to_owned()]);
        let query: BTreeMap<_, _> = begin(&server)
            .unwrap()
            .url
            .query_pairs()
            .into_owned()
            .collect();
        assert_eq!(query["dpop_jkt"], "thumb");
        server.require_pushed_authorization_requests = true;
        assert_eq!(begin(&server).err(), Some(AuthorizeReject::MustBePushed));
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
