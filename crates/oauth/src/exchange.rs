//! The token endpoint: a code for tokens.
//!
//! `redirect_uri` and `code_verifier` always go along. The answer is judged by status, size and type before
//! its JSON is read; an HTML page from a gateway never becomes an OAuth error. The ID token inside is not
//! believed here: that is [`crate::tokens::UnverifiedTokens::verify`].

use serde::Deserialize;

use crate::authentication::AuthenticatedCall;
use crate::discovery::ServerMetadata;
use crate::dpop::Binding;
use crate::freshness::{Demand, Demands};
use crate::http::HttpResponse;
use crate::id_token::{Expectation, IdTokenClaims, Occasion};
use crate::redirect::Authorized;
use crate::response::{self, Answer, MOST_RESPONSE_BYTES, Refusal, ResponseReject};
use crate::secret::SecretText;
use crate::time::{UnixTime, server_time};
use crate::tokens::UnverifiedTokens;

/// An exchange that yields no tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenReject {
    /// The code came from another server than the one the exchange would go to (mix-up).
    #[error("the code belongs to another server")]
    ServerMismatch,
    /// No tokens to refresh with.
    #[error("there is no refresh token")]
    RefreshTokenMissing,
    /// No answer.
    #[error(transparent)]
    Response(#[from] ResponseReject),
    /// The server said no.
    #[error("the authorization server refused: {0}")]
    Refused(Refusal),
    /// `token_type` is not one we can use.
    #[error("the server issued a token of a type that is not supported")]
    TokenTypeUnsupported,
    /// A bearer token, although the login is bound to a key.
    #[error("the server issued a bearer token although the login is bound to a key")]
    BindingIgnored,
    /// A fresh nonce or challenge must be signed; authenticate the call anew and send it once more.
    #[error("the server demands a fresh value to be signed")]
    Demanded(Demand),
    /// The same demand again: a loop.
    #[error("the server goes on demanding fresh values")]
    DemandRepeated(Demand),
}

impl TokenReject {
    /// Stable text.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ServerMismatch => "token-server-mismatch",
            Self::RefreshTokenMissing => "refresh-token-missing",
            Self::Response(reject) => reject.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::TokenTypeUnsupported => "token-type-unsupported",
            Self::BindingIgnored => "token-binding-ignored",
            Self::Demanded(demand) => demand.code(),
            Self::DemandRepeated(_) => "demand-repeated",
        }
    }

    /// A refusal, or the first demand of its kind.
    pub(crate) fn of(refusal: Refusal, response: &HttpResponse, demands: &mut Demands) -> Self {
        match Demand::of(&refusal, response) {
            None => Self::Refused(refusal),
            Some(demand) if demands.admit(demand) => Self::Demanded(demand),
            Some(demand) => Self::DemandRepeated(demand),
        }
    }

    /// Whether the stored tokens are dead. Only the server's `invalid_grant` says so; a client that failed to
    /// authenticate (`invalid_client`) may do better next time.
    pub fn ends_session(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.error == "invalid_grant")
    }

    /// Whether trying again later may help.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Response(reject) if reject.retryable())
    }
}

/// A code exchange: authenticate [`Self::call`], send it, give the answer to [`Self::receive`].
#[derive(Debug)]
pub struct CodeExchange {
    call: AuthenticatedCall,
    grant: Grant,
}

/// What the answer will be judged by.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) expectation: Expectation,
    pub(crate) scope: Vec<String>,
    pub(crate) binding: Binding,
    pub(crate) refresh_token: Option<SecretText>,
    pub(crate) known: Option<IdTokenClaims>,
    pub(crate) known_id_token: Option<SecretText>,
    pub(crate) demands: Demands,
}

impl Authorized {
    /// Prepares the exchange. Nothing is authenticated yet.
    pub fn exchange(self, server: &ServerMetadata) -> Result<CodeExchange, TokenReject> {
        let pending = self.pending;
        if server.issuer != pending.issuer {
            return Err(TokenReject::ServerMismatch);
        }
        let fields = vec![
            ("grant_type", SecretText::new("authorization_code")),
            ("code", self.code),
            (
                "redirect_uri",
                SecretText::new(pending.redirect_uri.as_str()),
            ),
            ("code_verifier", pending.verifier.secret().clone()),
        ];
        let occasion = if pending.wants_id_token() {
            Occasion::Login
        } else {
            Occasion::NotAsked
        };
        Ok(CodeExchange {
            call: AuthenticatedCall::new(&server.token_endpoint, &pending.client_id, fields)
                .bound(&pending.binding),
            grant: Grant {
                scope: pending.scope,
                binding: pending.binding,
                refresh_token: None,
                known: None,
                known_id_token: None,
                demands: Demands::default(),
                expectation: Expectation {
                    issuer: pending.issuer,
                    client_id: pending.client_id,
                    algorithms: pending.algorithms,
                    nonce: pending.nonce,
                    max_age: pending.max_age,
                    occasion,
                },
            },
        })
    }
}

impl CodeExchange {
    /// The call to authenticate and send.
    pub fn call(&self) -> &AuthenticatedCall {
        &self.call
    }

    /// Judges the answer. After [`TokenReject::Demanded`] authenticate [`Self::call`] anew, and send it once more.
    pub fn receive(
        &mut self,
        response: &HttpResponse,
        now: UnixTime,
    ) -> Result<UnverifiedTokens, TokenReject> {
        self.grant.receive(response, now)
    }
}

#[derive(Deserialize)]
struct TokenBody {
    access_token: SecretText,
    token_type: String,
    expires_in: Option<u32>,
    refresh_token: Option<SecretText>,
    id_token: Option<SecretText>,
    scope: Option<String>,
}

impl Grant {
    pub(crate) fn receive(
        &mut self,
        response: &HttpResponse,
        now: UnixTime,
    ) -> Result<UnverifiedTokens, TokenReject> {
        if let Answer::Refused(refusal) = response::judge(response, MOST_RESPONSE_BYTES)? {
            return Err(TokenReject::of(refusal, response, &mut self.demands));
        }
        let body: TokenBody = response::json(response)?;
        self.check_type(&body.token_type)?;
        if !is_header_safe(&body.access_token) {
            return Err(ResponseReject::Malformed.into());
        }
        let scope = body.scope.map_or_else(
            || self.scope.clone(),
            |scope| scope.split_ascii_whitespace().map(str::to_owned).collect(),
        );
        Ok(UnverifiedTokens {
            access_token: body.access_token,
            refresh_token: body.refresh_token.or_else(|| self.refresh_token.clone()),
            id_token: body.id_token,
            scope,
            expires_at: body.expires_in.map(|seconds| now.plus(i64::from(seconds))),
            server_now: server_time(response, now),
            expectation: self.expectation.clone(),
            binding: self.binding.clone(),
            known: self.known.clone(),
            known_id_token: self.known_id_token.clone(),
        })
    }

    /// A server that ignores the proof would hand out tokens that obey anybody.
    fn check_type(&self, token_type: &str) -> Result<(), TokenReject> {
        if token_type.eq_ignore_ascii_case(self.binding.scheme()) {
            return Ok(());
        }
        let downgraded =
            self.binding != Binding::Bearer && token_type.eq_ignore_ascii_case("Bearer");
        Err(if downgraded {
            TokenReject::BindingIgnored
        } else {
            TokenReject::TokenTypeUnsupported
        })
    }
}

/// An access token that would break out of its header is none (RFC 6750 §2.1).
fn is_header_safe(token: &SecretText) -> bool {
    !token.is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::authentication::ClientAuthentication;
    use crate::id_token::IdTokenReject;
    use crate::response::tests::{html_response, json_response};
    use crate::testing::{self, NOW, Signer};
    use crate::time::UnixTime;

    fn exchange() -> CodeExchange {
        testing::authorized().exchange(&testing::server()).unwrap()
    }

    fn bound_exchange() -> CodeExchange {
        let mut exchange = exchange();
        exchange.grant.binding = Binding::Dpop("thumb".to_owned());
        exchange
    }

    fn body() -> Value {
        json!({
            "access_token": "access-1", "token_type": "Bearer", "expires_in": 3599,
            "refresh_token": "refresh-1", "scope": "openid email", "id_token": "a.b.c",
        })
    }

    fn with(member: &str, value: Value) -> HttpResponse {
        let mut body = body();
        body[member] = value;
        json_response(200, &body)
    }

    fn without(member: &str) -> HttpResponse {
        let mut body = body();
        body.as_object_mut().unwrap().remove(member);
        json_response(200, &body)
    }

    #[test]
    fn the_request_carries_code_verifier_and_redirect_uri() {
        let exchange = exchange();
        let secret = ClientAuthentication::SecretPost(SecretText::new("s"));
        let request = exchange.call().with(&secret).unwrap();
        let body: Vec<_> = url::form_urlencoded::parse(request.body.expose().as_bytes())
            .into_owned()
            .collect();
        let names: Vec<_> = body.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "grant_type",
                "code",
                "redirect_uri",
                "code_verifier",
                "client_id",
                "client_secret"
            ]
        );
        assert_eq!(body[1].1, "4/0Acode");
        assert_eq!(request.url, testing::server().token_endpoint);
    }

    #[test]
    fn a_code_never_goes_to_another_server_than_the_one_that_gave_it() {
        let mut other = testing::server();
        other.issuer = crate::discovery::Issuer::parse("https://evil.example").unwrap();
        let reject = testing::authorized().exchange(&other).err();
        assert_eq!(reject, Some(TokenReject::ServerMismatch));
    }

    #[test]
    fn refuses_an_answer_that_breaks_one_rule() {
        let large = with("padding", json!("x".repeat(70_000)));
        for (response, code, retryable) in [
            (html_response(502), "response-status", true),
            (html_response(307), "response-redirects", false),
            (html_response(200), "response-content-type", false),
            (large, "response-too-large", false),
            (without("access_token"), "response-malformed", false),
            (without("token_type"), "response-malformed", false),
            (with("access_token", json!("")), "response-malformed", false),
            (
                with("access_token", json!("a\r\nx: y")),
                "response-malformed",
                false,
            ),
            (with("access_token", json!(1)), "response-malformed", false),
            (with("expires_in", json!(-1)), "response-malformed", false),
            (
                with("token_type", json!("mac")),
                "token-type-unsupported",
                false,
            ),
            (
                json_response(400, &json!({"error": "invalid_grant"})),
                "server-invalid-grant",
                false,
            ),
            (
                json_response(401, &json!({"error": "invalid_client"})),
                "server-invalid-client",
                false,
            ),
        ] {
            let reject = exchange().receive(&response, NOW).err().unwrap();
            assert_eq!((reject.code(), reject.retryable()), (code, retryable));
        }
    }

    #[test]
    fn a_bound_login_accepts_bound_tokens_only() {
        let mut bound = bound_exchange();
        let tokens = bound.receive(&with("token_type", json!("dpop")), NOW);
        assert_eq!(tokens.unwrap().binding, Binding::Dpop("thumb".to_owned()));
        for (mut exchange, token_type, reject) in [
            (bound_exchange(), "Bearer", TokenReject::BindingIgnored),
            (bound_exchange(), "mac", TokenReject::TokenTypeUnsupported),
            (exchange(), "DPoP", TokenReject::TokenTypeUnsupported),
        ] {
            let answer = exchange.receive(&with("token_type", json!(token_type)), NOW);
            assert_eq!(answer.err(), Some(reject), "{token_type}");
        }
    }

    #[test]
    fn a_demand_is_met_once_for_each_kind_and_then_it_is_a_loop() {
        let demand = |error: &str| {
            let mut response = json_response(400, &json!({ "error": error }));
            for name in ["DPoP-Nonce", "OAuth-Client-Attestation-Challenge"] {
                response.headers.push((name.to_owned(), "fresh".to_owned()));
            }
            response
        };
        let mut exchange = bound_exchange();
        for (error, code) in [
            ("use_dpop_nonce", "server-use-dpop-nonce"),
            (
                "use_attestation_challenge",
                "server-use-attestation-challenge",
            ),
            ("use_dpop_nonce", "demand-repeated"),
            ("use_attestation_challenge", "demand-repeated"),
        ] {
            let reject = exchange.receive(&demand(error), NOW).err().unwrap();
            assert_eq!((reject.code(), reject.ends_session()), (code, false));
        }
        let mute = json_response(400, &json!({"error": "use_dpop_nonce"}));
        let reject = bound_exchange().receive(&mute, NOW).err().unwrap();
        assert!(
            matches!(reject, TokenReject::Refused(_)),
            "no nonce came along"
        );
    }

    #[test]
    fn only_invalid_grant_ends_a_session() {
        for (error, ends) in [
            ("invalid_grant", true),
            ("invalid_client", false),
            ("temporarily_unavailable", false),
        ] {
            let response = json_response(400, &json!({ "error": error }));
            let reject = exchange().receive(&response, NOW).err().unwrap();
            assert_eq!(reject.ends_session(), ends, "{error}");
        }
    }

    #[test]
    fn what_the_server_leaves_out_is_as_asked_or_unknown() {
        let silent = exchange().receive(&without("scope"), NOW).unwrap();
        assert_eq!(silent.scope, ["openid", "email"]);
        let endless = exchange().receive(&without("expires_in"), NOW).unwrap();
        assert_eq!(endless.expires_at, None);
        assert!(
            exchange()
                .receive(&with("token_type", json!("bEARER")), NOW)
                .is_ok()
        );
    }

    #[test]
    fn an_id_token_that_was_asked_for_must_come() {
        let tokens = exchange().receive(&without("id_token"), NOW).unwrap();
        assert_eq!(
            tokens.verify(&crate::jwks::Jwks::default()).err(),
            Some(IdTokenReject::Missing)
        );
    }

    #[test]
    fn a_phone_whose_clock_is_off_by_a_day_logs_in_by_the_servers_clock() {
        let signer = Signer::es256("1");
        let id_token = signer.sign(&testing::login_claims());
        let mut response = with("id_token", json!(id_token));
        response.headers.push((
            "Date".to_owned(),
            "Wed, 25 Nov 2026 11:00:00 GMT".to_owned(),
        ));
        for local in [NOW.plus(-86_400), NOW, NOW.plus(86_400)] {
            let tokens = exchange().receive(&response, local).unwrap();
            let tokens = tokens.verify(&signer.jwks()).unwrap();
            assert!(
                tokens.fresh(local.plus(3500), 60),
                "life is counted on our clock"
            );
        }
        response.headers.pop();
        let wrong = exchange().receive(&response, NOW.plus(86_400)).unwrap();
        assert_eq!(
            wrong.verify(&signer.jwks()).err(),
            Some(IdTokenReject::Expired)
        );
        assert_eq!(NOW, UnixTime(1_795_604_400));
    }
}
