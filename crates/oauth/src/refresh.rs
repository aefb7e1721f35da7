//! The token endpoint: a refresh token for new tokens, of the same user.
//!
//! A refresh token that is not replaced stays. The identity goes on: an ID token of another user is refused
//! (OIDC Core §12.2). Running one refresh at a time is the caller's business.

use crate::authentication::AuthenticatedCall;
use crate::discovery::ServerMetadata;
use crate::exchange::{Grant, TokenReject};
use crate::freshness::Demands;
use crate::http::HttpResponse;
use crate::id_token::{Expectation, Occasion};
use crate::secret::SecretText;
use crate::time::UnixTime;
use crate::tokens::{Tokens, UnverifiedTokens};

/// A refresh: authenticate [`Self::call`], send it, give the answer to [`Self::receive`].
#[derive(Debug)]
pub struct Refresh {
    call: AuthenticatedCall,
    grant: Grant,
}

impl Tokens {
    /// Prepares a refresh. Nothing is authenticated yet.
    pub fn refresh(&self, server: &ServerMetadata) -> Result<Refresh, TokenReject> {
        if server.issuer != self.issuer {
            return Err(TokenReject::ServerMismatch);
        }
        let refresh_token = self
            .refresh_token
            .clone()
            .ok_or(TokenReject::RefreshTokenMissing)?;
        let fields = vec![
            ("grant_type", SecretText::new("refresh_token")),
            ("refresh_token", refresh_token),
        ];
        let occasion = match &self.identity {
            Some(identity) => Occasion::Refresh {
                subject: identity.subject.clone(),
            },
            None => Occasion::NotAsked,
        };
        Ok(Refresh {
            call: AuthenticatedCall::new(&server.token_endpoint, &self.client_id, fields)
                .bound(&self.binding),
            grant: Grant {
                scope: self.scope.clone(),
                binding: self.binding.clone(),
                refresh_token: self.refresh_token.clone(),
                known: self.identity.clone(),
                known_id_token: self.id_token.clone(),
                demands: Demands::default(),
                expectation: Expectation {
                    issuer: self.issuer.clone(),
                    client_id: self.client_id.clone(),
                    algorithms: self.algorithms.clone(),
                    nonce: self.nonce.clone(),
                    max_age: None,
                    occasion,
                },
            },
        })
    }
}

impl Refresh {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id_token::IdTokenReject;
    use crate::jwks::Jwks;
    use crate::response::tests::json_response;
    use crate::testing::{self, NOW, Signer};

    fn answer(more: &serde_json::Value) -> HttpResponse {
        let mut body =
            json!({"access_token": "access-2", "token_type": "Bearer", "expires_in": 60});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        json_response(200, &body)
    }

    #[test]
    fn keeps_what_the_server_does_not_replace() {
        let tokens = testing::tokens();
        let mut refresh = tokens.refresh(&testing::server()).unwrap();
        let kept = refresh.receive(&answer(&json!({})), NOW).unwrap();
        assert!(!kept.needs_keys());
        let kept = kept.verify(&Jwks::default()).unwrap();
        assert_eq!(kept.access_token.expose(), "access-2");
        assert_eq!(kept.refresh_token.as_ref().unwrap().expose(), "refresh-1");
        assert_eq!(kept.identity, tokens.identity);

        let rotated = answer(&json!({"refresh_token": "refresh-2"}));
        let rotated = refresh.receive(&rotated, NOW).unwrap();
        let rotated = rotated.verify(&Jwks::default()).unwrap();
        assert_eq!(rotated.refresh_token.unwrap().expose(), "refresh-2");
    }

    #[test]
    fn another_user_or_another_login_is_refused() {
        let signer = Signer::es256("1");
        let mut refresh = testing::tokens().refresh(&testing::server()).unwrap();
        for (member, value, reject) in [
            ("sub", json!("user-2"), IdTokenReject::SubjectChanged),
            ("nonce", json!("other"), IdTokenReject::NonceMismatch),
            (
                "iss",
                json!("https://evil.example"),
                IdTokenReject::IssuerMismatch,
            ),
        ] {
            let mut claims = testing::login_claims();
            claims[member] = value;
            let response = answer(&json!({"id_token": signer.sign(&claims)}));
            let tokens = refresh.receive(&response, NOW).unwrap();
            assert_eq!(
                tokens.verify(&signer.jwks()).err(),
                Some(reject),
                "{member}"
            );
        }
    }

    #[test]
    fn refuses_to_begin_without_token_or_with_another_server() {
        let mut tokens = testing::tokens();
        let mut other = testing::server();
        other.issuer = crate::discovery::Issuer::parse("https://evil.example").unwrap();
        assert_eq!(
            tokens.refresh(&other).err(),
            Some(TokenReject::ServerMismatch)
        );
        tokens.refresh_token = None;
        assert_eq!(
            tokens.refresh(&testing::server()).err(),
            Some(TokenReject::RefreshTokenMissing)
        );
    }
}
