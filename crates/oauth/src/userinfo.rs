//! Claims about the user (OIDC Core §5.3), which must speak of the user who logged in.
//!
//! Plain JSON only; a signed answer is refused by its content type rather than believed unread.

use serde::Deserialize;

use crate::discovery::{DiscoveryReject, ServerMetadata};
use crate::http::{HttpRequest, HttpResponse};
use crate::response::{self, Answer, MOST_RESPONSE_BYTES, Refusal, ResponseReject};
use crate::tokens::Tokens;

/// What the server says of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInfo {
    /// `email`, if given.
    pub email: Option<String>,
    /// `name`, if given.
    pub name: Option<String>,
    /// `given_name`, if given.
    pub given_name: Option<String>,
}

/// An answer that must not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserInfoReject {
    /// The server announces no such endpoint.
    #[error(transparent)]
    Discovery(#[from] DiscoveryReject),
    /// No answer.
    #[error(transparent)]
    Response(#[from] ResponseReject),
    /// The server said no.
    #[error("the authorization server refused: {0}")]
    Refused(Refusal),
    /// `sub` is not the ID token's.
    #[error("the user information speaks of another user")]
    SubjectMismatch,
    /// There is no ID token to compare with.
    #[error("without an ID token nobody can say whom the user information speaks of")]
    IdentityUnknown,
}

impl UserInfoReject {
    /// Stable text.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Discovery(reject) => reject.code(),
            Self::Response(reject) => reject.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::SubjectMismatch => "userinfo-subject-mismatch",
            Self::IdentityUnknown => "userinfo-identity-unknown",
        }
    }
}

#[derive(Deserialize)]
struct UserInfoBody {
    sub: String,
    email: Option<String>,
    name: Option<String>,
    given_name: Option<String>,
}

impl Tokens {
    /// The request, with the access token in its header; a bound token's proof is added by
    /// [`HttpRequest::with_proof`].
    pub fn userinfo(&self, server: &ServerMetadata) -> Result<HttpRequest, UserInfoReject> {
        if server.issuer != self.issuer {
            return Err(DiscoveryReject::IssuerMismatch.into());
        }
        let url = server
            .userinfo_endpoint
            .clone()
            .ok_or(DiscoveryReject::EndpointMissing("userinfo_endpoint"))?;
        let request = HttpRequest::fetch(url, MOST_RESPONSE_BYTES);
        Ok(request.with_header("authorization", self.authorization()))
    }

    /// Judges the answer.
    pub fn receive_userinfo(&self, response: &HttpResponse) -> Result<UserInfo, UserInfoReject> {
        let identity = self
            .identity
            .as_ref()
            .ok_or(UserInfoReject::IdentityUnknown)?;
        if let Answer::Refused(refusal) = response::judge(response, MOST_RESPONSE_BYTES)? {
            return Err(UserInfoReject::Refused(refusal));
        }
        let body: UserInfoBody = response::json(response)?;
        if body.sub != identity.subject {
            return Err(UserInfoReject::SubjectMismatch);
        }
        Ok(UserInfo {
            email: body.email,
            name: body.name,
            given_name: body.given_name,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::response::tests::{html_response, json_response};
    use crate::testing;

    #[test]
    fn the_access_token_goes_in_the_header_only() {
        let request = testing::tokens().userinfo(&testing::server()).unwrap();
        let header = request.header("authorization").unwrap();
        assert_eq!(header.expose(), "Bearer access-1");
        assert_eq!(request.url.query(), None);
    }

    #[test]
    fn believes_only_what_speaks_of_the_same_user() {
        let tokens = testing::tokens();
        let good = json_response(200, &json!({"sub": "user-1", "given_name": "Ada"}));
        assert_eq!(
            tokens
                .receive_userinfo(&good)
                .unwrap()
                .given_name
                .as_deref(),
            Some("Ada")
        );
        for (response, code) in [
            (
                json_response(200, &json!({"sub": "user-2"})),
                "userinfo-subject-mismatch",
            ),
            (json_response(200, &json!({})), "response-malformed"),
            (
                json_response(401, &json!({"error": "invalid_token"})),
                "server-invalid-token",
            ),
            (html_response(200), "response-content-type"),
        ] {
            assert_eq!(
                tokens.receive_userinfo(&response).err().unwrap().code(),
                code
            );
        }
        let mut anonymous = testing::tokens();
        anonymous.identity = None;
        assert_eq!(
            anonymous.receive_userinfo(&good).err(),
            Some(UserInfoReject::IdentityUnknown)
        );
    }
}
