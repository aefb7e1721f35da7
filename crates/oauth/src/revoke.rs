//! Revocation (RFC 7009): the server forgets the login.
//!
//! The refresh token is revoked where there is one, else the access token. A success has no body that matters.

use crate::authentication::AuthenticatedCall;
use crate::discovery::{DiscoveryReject, ServerMetadata};
use crate::exchange::TokenReject;
use crate::http::HttpResponse;
use crate::response::{self, Answer, MOST_RESPONSE_BYTES};
use crate::secret::SecretText;
use crate::tokens::Tokens;

impl Tokens {
    /// Prepares the revocation of this login. Google wants no authentication here; most servers do.
    pub fn revoke(&self, server: &ServerMetadata) -> Result<AuthenticatedCall, DiscoveryReject> {
        if server.issuer != self.issuer {
            return Err(DiscoveryReject::IssuerMismatch);
        }
        let endpoint = server
            .revocation_endpoint
            .as_ref()
            .ok_or(DiscoveryReject::EndpointMissing("revocation_endpoint"))?;
        let (token, hint) = match &self.refresh_token {
            Some(token) => (token, "refresh_token"),
            None => (&self.access_token, "access_token"),
        };
        let fields = vec![
            ("token", token.clone()),
            ("token_type_hint", SecretText::new(hint)),
        ];
        Ok(AuthenticatedCall::new(endpoint, &self.client_id, fields))
    }
}

/// Judges the answer. A token that the server does not know (any more) is revoked as well.
pub fn receive(response: &HttpResponse) -> Result<(), TokenReject> {
    match response::judge(response, MOST_RESPONSE_BYTES)? {
        Answer::Success => Ok(()),
        Answer::Refused(refusal) if refusal.error == "invalid_token" => Ok(()),
        Answer::Refused(refusal) => Err(TokenReject::Refused(refusal)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::authentication::ClientAuthentication;
    use crate::response::tests::{html_response, json_response};
    use crate::testing;

    fn body(tokens: &Tokens) -> String {
        let call = tokens.revoke(&testing::server()).unwrap();
        let request = call.with(&ClientAuthentication::None).unwrap();
        request.body.expose().to_owned()
    }

    #[test]
    fn revokes_the_refresh_token_where_there_is_one() {
        let mut tokens = testing::tokens();
        assert_eq!(
            body(&tokens),
            "token=refresh-1&token_type_hint=refresh_token&client_id=books"
        );
        tokens.refresh_token = None;
        assert_eq!(
            body(&tokens),
            "token=access-1&token_type_hint=access_token&client_id=books"
        );
    }

    #[test]
    fn needs_the_endpoint_of_the_same_server() {
        let tokens = testing::tokens();
        let mut server = testing::server();
        server.revocation_endpoint = None;
        let reject = tokens.revoke(&server).err().map(DiscoveryReject::code);
        assert_eq!(reject, Some("discovery-endpoint-missing"));
        server.issuer = crate::discovery::Issuer::parse("https://evil.example").unwrap();
        assert_eq!(
            tokens.revoke(&server).err(),
            Some(DiscoveryReject::IssuerMismatch)
        );
    }

    #[test]
    fn knows_success_when_it_sees_it() {
        assert_eq!(receive(&HttpResponse::new(200, vec![], vec![])), Ok(()));
        let unknown = json_response(400, &json!({"error": "invalid_token"}));
        assert_eq!(receive(&unknown), Ok(()));
        for (response, code) in [
            (html_response(502), "response-status"),
            (
                json_response(401, &json!({"error": "invalid_client"})),
                "server-invalid-client",
            ),
        ] {
            assert_eq!(receive(&response).err().unwrap().code(), code);
        }
    }
}
