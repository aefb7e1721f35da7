//! The token endpoint: a code for tokens.
//!
//! `redirect_uri` and `code_verifier` always go along. The answer is judged by status, size and type before
//! its JSON is read; an HTML page from a gateway never becomes an OAuth error. The ID token inside is not
//! believed here: that is [`crate::tokens::UnverifiedTokens::verify`].

use serde::Deserialize;

use crate::authentication::AuthenticatedCall;
use crate::discovery::ServerMetadata;
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
    pub(crate) refresh_token: Option<SecretText>,
    pub(crate) known: Option<IdTokenClaims>,
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
            call: AuthenticatedCall::new(&server.token_endpoint, &pending.client_id, fields),
            grant: Grant {
                scope: pending.scope,
                refresh_token: None,
                known: None,
                expectation: Expectation {
                    issuer: pending.issuer,
                    client_id: pending.client_id,
                    algorithms: pending.algorithms,
                    nonce: pending.nonce,
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

    /// Judges the answer.
    pub fn receive(
        &self,
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
        &self,
        response: &HttpResponse,
        now: UnixTime,
    ) -> Result<UnverifiedTokens, TokenReject> {
        if let Answer::Refused(refusal) = response::judge(response, MOST_RESPONSE_BYTES)? {
            return Err(TokenReject::Refused(refusal));
        }
        let body: TokenBody = response::json(response)?;
        if !body.token_type.eq_ignore_ascii_case("Bearer") {
            return Err(TokenReject::TokenTypeUnsupported);
        }
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
            known: self.known.clone(),
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
