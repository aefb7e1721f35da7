//! How the client proves who it is, as an input of the one call that needs it.
//!
//! A step prepares an [`AuthenticatedCall`]: method, URL and body can be seen, nothing is sent. The caller
//! then obtains a [`ClientAuthentication`], asynchronously and just in time, and [`AuthenticatedCall::with`]
//! makes the request. A second try is made from the same call with a *new* authentication, because servers burn
//! what they have seen. Where a secret comes from, this module does not know.

use std::borrow::Cow;

use url::Url;
use zeroize::Zeroizing;

use crate::dpop::{self, Binding, DpopKey, Proof, ProofSeed, UnsignedProof};

use crate::encoding::{base64_standard, form, form_encoded};
use crate::entropy::EntropyFailed;
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
    /// `private_key_jwt` or `client_secret_jwt` (RFC 7523): see [`crate::assertion`].
    Assertion(Assertion),
    /// An attested client with a proof of its own: see [`crate::attestation`].
    Attestation {
        /// From the client attester.
        attestation: SecretText,
        /// By the attested key, for this request.
        proof: SecretText,
    },
    /// An attested client whose DPoP proof stands for the proof of possession (combined mode): the DPoP key is the
    /// attested one.
    AttestationByDpop {
        /// From the client attester.
        attestation: SecretText,
    },
}

/// A signed client assertion, and how its server calls the method.
#[derive(Debug)]
pub enum Assertion {
    /// Signed by a private key.
    PrivateKey(SecretText),
    /// Authenticated by a shared secret.
    SharedSecret(SecretText),
}

impl Assertion {
    fn text(&self) -> &SecretText {
        match self {
            Self::PrivateKey(text) | Self::SharedSecret(text) => text,
        }
    }
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl ClientAuthentication {
    /// Whether it proves nothing without a DPoP proof beside it.
    fn relies_on_proof(&self) -> bool {
        matches!(self, Self::AttestationByDpop { .. })
    }

    /// The name in `token_endpoint_auth_methods_supported`.
    pub fn method_name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretBasic(_) => "client_secret_basic",
            Self::SecretPost(_) => "client_secret_post",
            Self::Assertion(Assertion::PrivateKey(_)) => "private_key_jwt",
            Self::Assertion(Assertion::SharedSecret(_)) => "client_secret_jwt",
            Self::Attestation { .. } => "attest_jwt_client_auth",
            Self::AttestationByDpop { .. } => "attest_jwt_client_auth_dpop",
        }
    }
}

/// An authentication that proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationReject {
    /// An empty secret would be sent.
    #[error("the client secret is empty")]
    SecretEmpty,
    /// The tokens are to obey a key, or the attestation relies on one, and there is no proof of it.
    #[error("the request needs a DPoP proof")]
    DpopProofMissing,
    /// The proof is by another key than the one the login began with.
    #[error("the DPoP proof is by another key than the one this login is bound to")]
    DpopKeyMismatch,
    /// A proof although the tokens are to be plain bearer tokens.
    #[error("a DPoP proof does not belong to a login of bearer tokens")]
    DpopProofUnexpected,
}

impl AuthenticationReject {
    /// Stable text.
    pub fn code(self) -> &'static str {
        match self {
            Self::SecretEmpty => "authentication-secret-empty",
            Self::DpopProofMissing => "authentication-dpop-proof-missing",
            Self::DpopKeyMismatch => "authentication-dpop-key-mismatch",
            Self::DpopProofUnexpected => "authentication-dpop-proof-unexpected",
        }
    }
}

/// A call that wants the client authenticated; complete but for that.
#[derive(Debug, Clone)]
pub struct AuthenticatedCall {
    url: Url,
    client_id: String,
    binding: Binding,
    fields: Vec<(Cow<'static, str>, SecretText)>,
}

impl AuthenticatedCall {
    pub(crate) fn new(url: &Url, client_id: &str, fields: Vec<(&'static str, SecretText)>) -> Self {
        Self {
            url: url.clone(),
            client_id: client_id.to_owned(),
            binding: Binding::Bearer,
            fields: fields
                .into_iter()
                .map(|(name, value)| (Cow::Borrowed(name), value))
                .collect(),
        }
    }

    pub(crate) fn bound(mut self, binding: &Binding) -> Self {
        self.binding = binding.clone();
        self
    }

    pub(crate) fn with_fields(
        mut self,
        fields: impl IntoIterator<Item = (String, SecretText)>,
    ) -> Self {
        let fields = fields
            .into_iter()
            .map(|(name, value)| (Cow::Owned(name), value));
        self.fields.extend(fields);
        self
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

    /// A field of the body, before authentication adds to it.
    pub fn field(&self, name: &str) -> Option<&SecretText> {
        let mut fields = self.fields.iter();
        fields
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// Whether it goes with a DPoP proof: the login is bound to a key, or the authentication relies on one.
    pub fn needs_proof(&self, authentication: &ClientAuthentication) -> bool {
        authentication.relies_on_proof() || self.binding != Binding::Bearer
    }

    /// The body, before authentication adds to it.
    pub fn body(&self) -> SecretText {
        form(self.pairs())
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_ref(), value.expose()))
    }

    /// A DPoP proof for this call, to be signed by the key that the login is bound to.
    pub fn prove(
        &self,
        key: &DpopKey,
        seed: ProofSeed<'_>,
    ) -> Result<UnsignedProof, EntropyFailed> {
        dpop::prove(key, (self.method(), &self.url), None, seed)
    }

    /// The request, authenticated, of a login whose tokens are bearer tokens.
    pub fn with(
        &self,
        authentication: &ClientAuthentication,
    ) -> Result<HttpRequest, AuthenticationReject> {
        if authentication.relies_on_proof() || self.binding != Binding::Bearer {
            return Err(AuthenticationReject::DpopProofMissing);
        }
        self.authenticated(authentication)
    }

    /// The request, authenticated, of a login whose tokens obey a key, or of a client whose authentication does.
    pub fn with_proof(
        &self,
        authentication: &ClientAuthentication,
        proof: &Proof,
    ) -> Result<HttpRequest, AuthenticationReject> {
        match &self.binding {
            Binding::Bearer if !authentication.relies_on_proof() => {
                Err(AuthenticationReject::DpopProofUnexpected)
            }
            Binding::Dpop(thumbprint) if *thumbprint != proof.thumbprint => {
                Err(AuthenticationReject::DpopKeyMismatch)
            }
            Binding::Bearer | Binding::Dpop(_) => Ok(self
                .authenticated(authentication)?
                .with_header("dpop", proof.jwt.clone())),
        }
    }

    fn authenticated(
        &self,
        authentication: &ClientAuthentication,
    ) -> Result<HttpRequest, AuthenticationReject> {
        let client_id = ("client_id", self.client_id.as_str());
        match authentication {
            ClientAuthentication::None => Ok(self.post([client_id])),
            ClientAuthentication::SecretBasic(secret) => {
                let value = self.basic(present(secret)?);
                Ok(self.post([]).with_header("authorization", value))
            }
            ClientAuthentication::SecretPost(secret) => {
                Ok(self.post([client_id, ("client_secret", present(secret)?.expose())]))
            }
            ClientAuthentication::Assertion(assertion) => Ok(self.post([
                client_id,
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", assertion.text().expose()),
            ])),
            ClientAuthentication::Attestation { attestation, proof } => Ok(self
                .post([client_id])
                .with_header("oauth-client-attestation", attestation.clone())
                .with_header("oauth-client-attestation-pop", proof.clone())),
            ClientAuthentication::AttestationByDpop { attestation } => Ok(self
                .post([client_id])
                .with_header("oauth-client-attestation", attestation.clone())),
        }
    }

    /// A pushed authorization request names the client itself, so the id is not said twice.
    fn post<'a, const N: usize>(&'a self, more: [(&'a str, &'a str); N]) -> HttpRequest {
        let said = |name: &str| self.fields.iter().any(|(known, _)| known == name);
        let more = more.into_iter().filter(|(name, _)| !said(name));
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
    use crate::entropy::fixed::Counting;
    use crate::testing::{InstanceKey, NOW};

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
    fn assertions_go_in_the_body_and_attestations_in_headers() {
        let assertion = Assertion::PrivateKey(SecretText::new("a.b.c"));
        assert_eq!(
            sent("x", &ClientAuthentication::Assertion(assertion)).1,
            "grant_type=authorization_code&client_id=x&client_assertion_type=urn%3Aietf%3Aparams\
             %3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=a.b.c"
        );
        let attested = ClientAuthentication::Attestation {
            attestation: SecretText::new("at"),
            proof: SecretText::new("pop"),
        };
        let request = call("x").with(&attested).unwrap();
        for (name, value) in [
            ("OAuth-Client-Attestation", "at"),
            ("OAuth-Client-Attestation-PoP", "pop"),
        ] {
            assert_eq!(request.header(name).unwrap().expose(), value);
        }
    }

    #[test]
    fn a_bound_login_needs_a_proof_by_its_own_key_and_a_bearer_login_none() {
        let (own, other) = (InstanceKey::new(), InstanceKey::new());
        let bearer = call("x");
        let bound = call("x").bound(&Binding::Dpop(own.public().thumbprint()));
        let prove = |key: &InstanceKey| {
            let mut entropy = Counting::default();
            let seed = ProofSeed {
                nonce: None,
                now: NOW,
                entropy: &mut entropy,
            };
            key.prove(bound.prove(&key.public(), seed).unwrap())
        };
        let combined = ClientAuthentication::AttestationByDpop {
            attestation: SecretText::new("at"),
        };
        let request = bound.with_proof(&combined, &prove(&own)).unwrap();
        assert!(request.header("dpop").is_some());
        assert!(request.header("oauth-client-attestation").is_some());
        assert!(request.header("oauth-client-attestation-pop").is_none());
        assert!(bearer.needs_proof(&combined) && bound.needs_proof(&ClientAuthentication::None));
        assert!(!bearer.needs_proof(&ClientAuthentication::None));

        assert!(
            bearer.with_proof(&combined, &prove(&own)).is_ok(),
            "a revocation, say"
        );

        let none = ClientAuthentication::None;
        for (outcome, reject) in [
            (bound.with(&none), AuthenticationReject::DpopProofMissing),
            (
                bearer.with(&combined),
                AuthenticationReject::DpopProofMissing,
            ),
            (
                bound.with_proof(&none, &prove(&other)),
                AuthenticationReject::DpopKeyMismatch,
            ),
            (
                bearer.with_proof(&none, &prove(&own)),
                AuthenticationReject::DpopProofUnexpected,
            ),
        ] {
            assert_eq!(outcome.err(), Some(reject));
        }
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
        let field = |name| call.field(name).map(|value| value.expose().to_owned());
        assert_eq!(field("grant_type").as_deref(), Some("authorization_code"));
        assert_eq!(field("client_id"), None);
    }

    #[test]
    fn an_authentication_does_not_print() {
        let authentication = ClientAuthentication::SecretPost(SecretText::new("canary"));
        assert!(!format!("{authentication:?}").contains("canary"));
    }
}
