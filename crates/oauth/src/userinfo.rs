//! Claims about the user (OIDC Core §5.3), which must speak of the user who logged in.
//!
//! Plain JSON, or a JWT that is verified like an ID token; a signed answer where plain JSON is expected is refused by its
//! content type rather than believed unread.

use serde::Deserialize;

use crate::discovery::{DiscoveryReject, ServerMetadata};
use crate::http::{HttpRequest, HttpResponse};
use crate::jose::{JoseReject, Unverified};
use crate::jwks::{Jwks, KeyReject};
use crate::resource;
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
    /// A signed answer that is no acceptable JWS.
    #[error(transparent)]
    Jose(#[from] JoseReject),
    /// A signed answer that no key vouches for.
    #[error(transparent)]
    Key(#[from] KeyReject),
    /// A signed answer by another server or for another client.
    #[error("the signed user information is not from this server for this client")]
    PartiesMismatch,
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
            Self::Jose(reject) => reject.code(),
            Self::Key(reject) => reject.code(),
            Self::PartiesMismatch => "userinfo-parties-mismatch",
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

/// OIDC Core §5.3.2; both are compulsory here, since without them any JWT of the server's would do.
#[derive(Deserialize)]
struct Parties {
    iss: String,
    aud: Audience,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn contains(&self, client_id: &str) -> bool {
        match self {
            Self::One(audience) => audience == client_id,
            Self::Several(audiences) => audiences.iter().any(|audience| audience == client_id),
        }
    }
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
        let request = HttpRequest::fetch(url, MOST_RESPONSE_BYTES)
            .accepting("application/json, application/jwt");
        Ok(request.with_header("authorization", self.authorization()))
    }

    /// Judges the answer.
    pub fn receive_userinfo(&self, response: &HttpResponse) -> Result<UserInfo, UserInfoReject> {
        admit(response)?;
        self.same_user(response::json(response)?)
    }

    /// Judges a signed answer (`application/jwt`). With [`UserInfoReject::wants_fresh_keys`], fetch the server's keys once
    /// more and call again.
    pub fn receive_signed_userinfo(
        &self,
        response: &HttpResponse,
        jwks: &Jwks,
    ) -> Result<UserInfo, UserInfoReject> {
        admit(response)?;
        if response.media_type().as_deref() != Some("application/jwt") {
            return Err(ResponseReject::ContentType.into());
        }
        let text = std::str::from_utf8(&response.body).map_err(|_| ResponseReject::Malformed)?;
        let token = Unverified::parse(text.trim_ascii(), &self.algorithms)?;
        jwks.verify(&token)?;
        let malformed = |_| ResponseReject::Malformed;
        let parties: Parties = serde_json::from_slice(&token.payload).map_err(malformed)?;
        if parties.iss != self.issuer.as_str() || !parties.aud.contains(&self.client_id) {
            return Err(UserInfoReject::PartiesMismatch);
        }
        self.same_user(serde_json::from_slice(&token.payload).map_err(malformed)?)
    }

    fn same_user(&self, body: UserInfoBody) -> Result<UserInfo, UserInfoReject> {
        let identity = self
            .identity
            .as_ref()
            .ok_or(UserInfoReject::IdentityUnknown)?;
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

impl UserInfoReject {
    /// Whether fetching the server's keys once more may help.
    pub fn wants_fresh_keys(&self) -> bool {
        *self == Self::Key(KeyReject::Unknown)
    }
}

/// A refusal stands in the body as JSON, or in the header as for any resource.
fn admit(response: &HttpResponse) -> Result<(), UserInfoReject> {
    if let Some(refusal) = resource::refusal(response) {
        return Err(UserInfoReject::Refused(refusal));
    }
    match response::judge(response, MOST_RESPONSE_BYTES)? {
        Answer::Success => Ok(()),
        Answer::Refused(refusal) => Err(UserInfoReject::Refused(refusal)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::response::tests::{html_response, json_response};
    use crate::testing::{self, ISSUER, Signer};

    fn jwt(status: u16, body: &str) -> HttpResponse {
        let header = ("content-type".to_owned(), "application/jwt".to_owned());
        HttpResponse::new(status, vec![header], body.as_bytes().to_vec())
    }

    #[test]
    fn a_signed_answer_is_believed_by_signature_server_and_client() {
        let signer = Signer::es256("1");
        let good = json!({"iss": ISSUER, "aud": "books", "sub": "user-1", "name": "Ada"});
        let with = |member: &str, value: serde_json::Value| {
            let mut claims = good.clone();
            claims[member] = value;
            jwt(200, &signer.sign(&claims))
        };
        let forged = signer.sign(&good);
        let stranger = Signer::es256("1").sign(&good);
        for (response, code) in [
            (jwt(200, &forged), "accept"),
            (with("aud", json!(["other", "books"])), "accept"),
            (jwt(200, &stranger), "token-signature-invalid"),
            (
                jwt(200, &Signer::es256("2").sign(&good)),
                "token-key-unknown",
            ),
            (
                jwt(
                    200,
                    &signer.sign_with_header(&json!({"alg": "none"}), &good),
                ),
                "token-algorithm-refused",
            ),
            (
                with("iss", json!("https://evil.example")),
                "userinfo-parties-mismatch",
            ),
            (with("aud", json!("other")), "userinfo-parties-mismatch"),
            (with("aud", json!(null)), "response-malformed"),
            (with("sub", json!("user-2")), "userinfo-subject-mismatch"),
            (json_response(200, &good), "response-content-type"),
            (jwt(500, &forged), "response-status"),
            (jwt(200, "\u{fc}"), "token-malformed"),
        ] {
            let tokens = testing::tokens();
            let outcome = tokens.receive_signed_userinfo(&response, &signer.jwks());
            let found = outcome
                .as_ref()
                .map_or_else(UserInfoReject::code, |_| "accept");
            assert_eq!(found, code);
            let unknown = code == "token-key-unknown";
            assert_eq!(
                outcome.is_err_and(|reject| reject.wants_fresh_keys()),
                unknown
            );
        }
        let tokens = testing::tokens();
        let unread = tokens.receive_userinfo(&jwt(200, &forged)).unwrap_err();
        assert_eq!(unread.code(), "response-content-type", "never unread");
    }

    #[test]
    fn a_refusal_in_the_header_is_one() {
        let mut bare = HttpResponse::new(401, vec![], vec![]);
        let reject = testing::tokens().receive_userinfo(&bare).unwrap_err();
        assert_eq!(reject.code(), "response-status");
        let header = "DPoP error=\"use_dpop_nonce\"".to_owned();
        bare.headers.push(("WWW-Authenticate".to_owned(), header));
        let reject = testing::tokens().receive_userinfo(&bare).unwrap_err();
        assert_eq!(reject.code(), "server-use-dpop-nonce");
    }

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
