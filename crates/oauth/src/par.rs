//! Pushed authorization requests (RFC 9126): the request goes to the server directly, authenticated; the browser carries a
//! reference.
//!
//! What is asked is the same as in [`crate::authorize`]; who asks is known before the user is bothered.

use serde::Deserialize;

use crate::authentication::AuthenticatedCall;
use crate::authorize::{self, Authorization, AuthorizationWish, AuthorizeReject, Client};
use crate::discovery::ServerMetadata;
use crate::entropy::Entropy;
use crate::exchange::TokenReject;
use crate::freshness::Demands;
use crate::http::HttpResponse;
use crate::pending::PendingAuthorization;
use crate::response::{self, Answer, MOST_RESPONSE_BYTES, ResponseReject};
use crate::secret::SecretText;
use url::Url;

/// A push under way: authenticate [`Self::call`], send it, give the answer to [`Self::receive`].
#[derive(Debug)]
pub struct Push {
    call: AuthenticatedCall,
    authorization_endpoint: Url,
    pending: PendingAuthorization,
    demands: Demands,
}

/// Begins an authorization by pushing it.
pub fn begin(
    server: &ServerMetadata,
    client: &Client,
    wish: &AuthorizationWish,
    entropy: &mut dyn Entropy,
) -> Result<Push, AuthorizeReject> {
    let endpoint = server
        .pushed_authorization_request_endpoint
        .as_ref()
        .ok_or(AuthorizeReject::CannotBePushed)?;
    let pending = authorize::pend(server, client, wish, entropy)?;
    let fields = authorize::parameters(wish, &pending)
        .into_iter()
        .map(|(name, value)| (name, SecretText::new(value)));
    Ok(Push {
        call: AuthenticatedCall::new(endpoint, &client.client_id, Vec::new())
            .bound(&wish.binding)
            .with_fields(fields),
        authorization_endpoint: server.authorization_endpoint.clone(),
        pending,
        demands: Demands::default(),
    })
}

#[derive(Deserialize)]
struct PushBody {
    request_uri: String,
}

impl Push {
    /// The call to authenticate and send.
    pub fn call(&self) -> &AuthenticatedCall {
        &self.call
    }

    /// Judges the answer. After [`TokenReject::Demanded`] authenticate [`Self::call`] anew, and send it once more.
    pub fn receive(&mut self, response: &HttpResponse) -> Result<Authorization, TokenReject> {
        if let Answer::Refused(refusal) = response::judge(response, MOST_RESPONSE_BYTES)? {
            return Err(TokenReject::of(refusal, response, &mut self.demands));
        }
        let body: PushBody = response::json(response)?;
        let printable = body.request_uri.bytes().all(|byte| byte.is_ascii_graphic());
        if body.request_uri.is_empty() || body.request_uri.len() > 1024 || !printable {
            return Err(ResponseReject::Malformed.into());
        }
        let mut url = self.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("client_id", &self.pending.client_id)
            .append_pair("request_uri", &body.request_uri);
        Ok(Authorization {
            url,
            pending: self.pending.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::authentication::ClientAuthentication;
    use crate::entropy::fixed::Counting;
    use crate::response::tests::{html_response, json_response};
    use crate::testing;

    fn server() -> ServerMetadata {
        let mut server = testing::server();
        server.pushed_authorization_request_endpoint =
            Some(Url::parse("https://as.example/par").unwrap());
        server.require_pushed_authorization_requests = true;
        server
    }

    fn push() -> Push {
        let mut entropy = Counting::default();
        begin(
            &server(),
            &testing::client(),
            &testing::wish(),
            &mut entropy,
        )
        .unwrap()
    }

    #[test]
    fn the_request_is_in_the_push_and_the_browser_carries_only_the_reference() {
        let mut push = push();
        let secret = ClientAuthentication::SecretPost(SecretText::new("s"));
        let request = push.call().with(&secret).unwrap();
        assert_eq!(request.url.path(), "/par");
        let sent: Vec<_> = url::form_urlencoded::parse(request.body.expose().as_bytes())
            .map(|(name, _)| name.into_owned())
            .collect();
        assert_eq!(
            sent,
            [
                "response_type",
                "client_id",
                "redirect_uri",
                "scope",
                "state",
                "code_challenge",
                "code_challenge_method",
                "nonce",
                "prompt",
                "client_secret"
            ]
        );
        let answer = json_response(
            201,
            &json!({"request_uri": "urn:ietf:params:oauth:request_uri:6esc", "expires_in": 60}),
        );
        let authorization = push.receive(&answer).unwrap();
        assert_eq!(
            authorization.url.as_str(),
            "https://as.example/authorize?client_id=books\
             &request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A6esc"
        );
    }

    #[test]
    fn refuses_an_answer_that_breaks_one_rule() {
        for (response, code) in [
            (html_response(502), "response-status"),
            (html_response(201), "response-content-type"),
            (json_response(201, &json!({})), "response-malformed"),
            (
                json_response(201, &json!({"request_uri": ""})),
                "response-malformed",
            ),
            (
                json_response(201, &json!({"request_uri": "a b"})),
                "response-malformed",
            ),
            (
                json_response(401, &json!({"error": "invalid_client"})),
                "server-invalid-client",
            ),
        ] {
            assert_eq!(push().receive(&response).err().unwrap().code(), code);
        }
    }

    #[test]
    fn a_server_without_the_endpoint_cannot_be_pushed_to() {
        let mut entropy = Counting::default();
        let server = testing::server();
        let reject = begin(&server, &testing::client(), &testing::wish(), &mut entropy).err();
        assert_eq!(reject, Some(AuthorizeReject::CannotBePushed));
    }
}
