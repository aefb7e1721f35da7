//! How the client proves who it is, as an input of the one call that needs it.
//!
//! A step prepares an [`AuthenticatedCall`]: method, URL and body can be seen, nothing is sent. The caller
//! then obtains a [`ClientAuthentication`], asynchronously and just in time, and [`AuthenticatedCall::with`]
//! makes the request. A second try is made from the same call with a *new* authentication, because servers burn
//! what they have seen. Where a secret comes from, this module does not know.

use url::Url;
use zeroize::Zeroizing;

use crate::encoding::{base64_standard, form, form_encoded};
use crate::http::{HttpRequest, Method};
use crate::response::MOST_RESPONSE_BYTES;
use crate::secret::SecretText;

/// What authenticates the client in one request. Made just before it, dropped just after.
#[derive(Debug)]
pub enum ClientAuthentication {
    /// A public client: `client_id` only.
    None,
    /// RFC 6749 §2.3.1, in the `Authorization` header.
    SecretBasic(SecretText),
    /// RFC 6749 §2.3.1, in the body.
    SecretPost(SecretText),
}

impl ClientAuthentication {
    /// The name in `token_endpoint_auth_methods_supported`.
    pub fn method_name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretBasic(_) => "client_secret_basic",
            Self::SecretPost(_) => "client_secret_post",
        }
    }
}

/// An authentication that proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationReject {
    /// An empty secret would be sent.
    #[error("the client secret is empty")]
    SecretEmpty,
}

impl AuthenticationReject {
    /// Stable text.
    pub fn code(self) -> &'static str {
        match self {
            Self::SecretEmpty => "authentication-secret-empty",
        }
    }
}

/// A call that wants the client authenticated; complete but for that.
#[derive(Debug, Clone)]
pub struct AuthenticatedCall {
    url: Url,
    client_id: String,
    fields: Vec<(&'static str, SecretText)>,
}

impl AuthenticatedCall {
    pub(crate) fn new(url: &Url, client_id: &str, fields: Vec<(&'static str, SecretText)>) -> Self {
        Self {
            url: url.clone(),
            client_id: client_id.to_owned(),
            fields,
        }
    }

    /// Always POST.
    pub fn method(&self) -> Method {
        Method::Post
    }

    /// Where it will go.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Who calls.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The body, before authentication adds to it.
    pub fn body(&self) -> SecretText {
        form(self.pairs())
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|(name, value)| (*name, value.expose()))
    }

    /// The request, authenticated.
    pub fn with(
        &self,
        authentication: &ClientAuthentication,
    ) -> Result<HttpRequest, AuthenticationReject> {
        match authentication {
            ClientAuthentication::None => Ok(self.post([("client_id", self.client_id.as_str())])),
            ClientAuthentication::SecretBasic(secret) => {
                let value = self.basic(present(secret)?);
                Ok(self.post([]).with_header("authorization", value))
            }
            ClientAuthentication::SecretPost(secret) => Ok(self.post([
                ("client_id", self.client_id.as_str()),
                ("client_secret", present(secret)?.expose()),
            ])),
        }
    }

    fn post<'a, const N: usize>(&'a self, more: [(&'a str, &'a str); N]) -> HttpRequest {
        let body = form(self.pairs().chain(more));
        HttpRequest::post_form(self.url.clone(), &body, MOST_RESPONSE_BYTES)
    }

    /// Id and secret are form-encoded *before* base64 (RFC 6749 §2.3.1).
    fn basic(&self, secret: &SecretText) -> SecretText {
        let id = form_encoded(&self.client_id);
        let secret = form_encoded(secret.expose());
        let pair = Zeroizing::new(format!("{}:{}", id.as_str(), secret.as_str()));
        let encoded = base64_standard(pair.as_bytes());
        SecretText::new(format!("Basic {}", encoded.as_str()))
    }
}

fn present(secret: &SecretText) -> Result<&SecretText, AuthenticationReject> {
    if secret.is_empty() {
        Err(AuthenticationReject::SecretEmpty)
    } else {
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(client_id: &str) -> AuthenticatedCall {
        let url = Url::parse("https://as.example/token").unwrap();
        let fields = vec![("grant_type", SecretText::new("authorization_code"))];
        AuthenticatedCall::new(&url, client_id, fields)
    }

    fn sent(client_id: &str, authentication: &ClientAuthentication) -> (Option<String>, String) {
        let request = call(client_id).with(authentication).unwrap();
        let header = request.header("authorization");
        (
            header.map(|value| value.expose().to_owned()),
            request.body.expose().to_owned(),
        )
    }

    #[test]
    fn each_method_shows_itself_in_one_place_only() {
        let secret = || SecretText::new("7Fjfp0ZBr1KtDRbnfVdmIw");
        // The Basic value is the example of RFC 6749 §2.3.1.
        assert_eq!(
            sent("s6BhdRkqt3", &ClientAuthentication::SecretBasic(secret())),
            (
                Some("Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3".to_owned()),
                "grant_type=authorization_code".to_owned()
            )
        );
        assert_eq!(
            sent("s6BhdRkqt3", &ClientAuthentication::SecretPost(secret())),
            (
                None,
                "grant_type=authorization_code&client_id=s6BhdRkqt3\
                 &client_secret=7Fjfp0ZBr1KtDRbnfVdmIw"
                    .to_owned()
            )
        );
        assert_eq!(
            sent("s6BhdRkqt3", &ClientAuthentication::None),
            (
                None,
                "grant_type=authorization_code&client_id=s6BhdRkqt3".to_owned()
            )
        );
    }

    #[test]
    fn basic_encodes_id_and_secret_before_joining_them() {
        let (header, _) = sent(
            "a:b",
            &ClientAuthentication::SecretBasic(SecretText::new("c d+\u{e9}")),
        );
        let expected = base64_standard(b"a%3Ab:c+d%2B%C3%A9");
        assert_eq!(header, Some(format!("Basic {}", expected.as_str())));
    }

    #[test]
    fn an_empty_secret_is_not_sent() {
        for authentication in [
            ClientAuthentication::SecretBasic(SecretText::new("")),
            ClientAuthentication::SecretPost(SecretText::new("")),
        ] {
            let reject = call("x").with(&authentication).err();
            assert_eq!(reject, Some(AuthenticationReject::SecretEmpty));
        }
    }

    #[test]
    fn the_caller_sees_method_url_and_body_before_it_authenticates() {
        let call = call("x");
        assert_eq!(call.method(), Method::Post);
        assert_eq!(call.url().as_str(), "https://as.example/token");
        assert_eq!(call.body().expose(), "grant_type=authorization_code");
    }

    #[test]
    fn an_authentication_does_not_print() {
        let authentication = ClientAuthentication::SecretPost(SecretText::new("canary"));
        assert!(!format!("{authentication:?}").contains("canary"));
    }
}
