//! The client authentication of one call: obtained just before it, dropped just after, made anew for a second try.
//!
//! Servers burn what they have seen, so nothing here is ever sent twice. The audience of what the service mints is the
//! service's choice; what the instance's own key signs is for the issuer alone.

use bonafide_oauth::authentication::Assertion;
use bonafide_oauth::dpop::{DpopKey, Proof, ProofSeed};
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::freshness::Freshness;
use bonafide_oauth::jwt::UnsignedJwt;
use bonafide_oauth::{
    AuthenticatedCall, ClientAuthentication, HttpResponse, OAuthError, SecretText, ServerMetadata,
    UnixTime, assertion, attestation,
};
use bonafide_wire::device::{SecretJson, SecretUse};
use bonafide_wire::ids::{Host, UpstreamName};
use bonafide_wire::upstream::{RelayOrder, TokenTypeHint};
use std::sync::{Mutex, PoisonError};
use url::Url;

use super::error::{LoginError, LoginFault};
use super::ladder::{Choice, Means};
use super::settings::Target;
use crate::adaptor::client::ProtectedClient;
use crate::error::SdkError;
use crate::fault::{Fault, ReplyFault};
use crate::host::{AttesterError, KeyPurpose, KeyRing};
use crate::machine::{Errand, ErrandOrder};
use crate::released::Relayed;

/// What calls of one login share.
pub(super) struct Caller<'a> {
    pub(super) client: &'a ProtectedClient,
    pub(super) freshness: &'a Mutex<Freshness>,
    pub(super) target: &'a Target,
    pub(super) server: &'a ServerMetadata,
    pub(super) choice: &'a Choice,
}

/// What the call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// Tokens, or a pushed request.
    Grant,
    /// The end of a login. A server that wants no authentication for that is not shown a secret.
    Revocation,
}

impl Caller<'_> {
    pub(super) fn now(&self) -> UnixTime {
        UnixTime(self.client.bonafide().seconds())
    }

    fn keys(&self) -> &dyn KeyRing {
        &*self.client.bonafide().hosts().keys
    }

    /// Sends a call, authenticated anew.
    pub(super) async fn send(
        &self,
        call: &AuthenticatedCall,
        occasion: Occasion,
    ) -> Result<HttpResponse, LoginError> {
        let response = match (self.choice.means, occasion) {
            (Means::Relay, _) => self.send_by_relay(call).await?,
            (Means::SecretBasic | Means::SecretPost, Occasion::Revocation) => {
                let bare = call.with(&ClientAuthentication::None)?;
                let response = self.client.exchange(&bare).await?;
                if response.status != 401 {
                    return Ok(response);
                }
                self.send_directly(call).await?
            }
            _ => self.send_directly(call).await?,
        };
        self.learn(call.url(), &response);
        Ok(response)
    }

    async fn send_directly(&self, call: &AuthenticatedCall) -> Result<HttpResponse, LoginError> {
        self.fetch_challenge().await?;
        let authentication = self.authentication(call).await?;
        let request = if call.needs_proof(&authentication) {
            call.with_proof(&authentication, &self.prove(call).await?)?
        } else {
            call.with(&authentication)?
        };
        drop(authentication);
        Ok(self.client.exchange(&request).await?)
    }

    async fn authentication(
        &self,
        call: &AuthenticatedCall,
    ) -> Result<ClientAuthentication, LoginError> {
        match self.choice.means {
            Means::Relay => Ok(ClientAuthentication::None),
            Means::AttestedByDpop => Ok(ClientAuthentication::AttestationByDpop {
                attestation: self.attestation().await?,
            }),
            Means::AttestedByProof => Ok(ClientAuthentication::Attestation {
                attestation: self.attestation().await?,
                proof: self.proof_of_possession(call).await?,
            }),
            Means::OwnKey => {
                let text = self.own_assertion(call).await?;
                Ok(ClientAuthentication::Assertion(Assertion::PrivateKey(text)))
            }
            Means::AssertionByKey => {
                let text = self.minted().await?;
                Ok(ClientAuthentication::Assertion(Assertion::PrivateKey(text)))
            }
            Means::AssertionBySecret => {
                let text = self.minted().await?;
                Ok(ClientAuthentication::Assertion(Assertion::SharedSecret(
                    text,
                )))
            }
            Means::SecretBasic => Ok(ClientAuthentication::SecretBasic(self.secret(call).await?)),
            Means::SecretPost => Ok(ClientAuthentication::SecretPost(self.secret(call).await?)),
        }
    }

    async fn attestation(&self) -> Result<SecretText, LoginError> {
        let upstream = self.target.named()?;
        let purpose = KeyPurpose::instance_at(upstream);
        let key = self.keys().public_key(&purpose).await.map_err(key_fault)?;
        let bonafide = self.client.bonafide();
        let credential = bonafide.client_attestation(upstream, &key).await?;
        Ok(SecretText::new(credential.expose()))
    }

    async fn minted(&self) -> Result<SecretText, LoginError> {
        let bonafide = self.client.bonafide();
        let credential = bonafide.client_assertion(self.target.named()?).await?;
        Ok(SecretText::new(credential.expose()))
    }

    /// The secret, for this one call and this one host.
    async fn secret(&self, call: &AuthenticatedCall) -> Result<SecretText, LoginError> {
        let host = call.url().host_str().unwrap_or_default();
        let host = Host::parse(host).map_err(|_| mismatch())?;
        let name = self.target.secret.as_ref();
        let name = name.ok_or(LoginFault::UpstreamUnknown)?;
        let secret = self.client.bonafide().secret(name, &host).await?;
        if !secret.allows(SecretUse::Oauth) {
            return Err(LoginFault::SecretUseNotAllowed.into());
        }
        Ok(SecretText::new(secret.expose()))
    }

    async fn proof_of_possession(
        &self,
        call: &AuthenticatedCall,
    ) -> Result<SecretText, LoginError> {
        let challenge = self.freshness(|fresh| {
            fresh
                .challenge(&self.server.token_endpoint)
                .map(str::to_owned)
        });
        let moment = (challenge.as_deref(), self.now());
        let client_id = call.client_id();
        let unsigned = attestation::prove(self.server, client_id, moment, &mut SystemEntropy)?;
        self.sign(&unsigned).await
    }

    /// Signed by the instance's own key, for the issuer, for a minute.
    async fn own_assertion(&self, call: &AuthenticatedCall) -> Result<SecretText, LoginError> {
        let key = dpop_key(self.keys(), self.target.named()?).await?;
        let assertion = assertion::Assertion {
            server: self.server,
            audience: assertion::AudiencePolicy::Issuer,
            client_id: call.client_id(),
            now: self.now(),
        };
        let unsigned = assertion.for_key(&key.thumbprint(), &mut SystemEntropy);
        let unsigned = unsigned.map_err(|_| bonafide_oauth::entropy::EntropyFailed)?;
        self.sign(&unsigned).await
    }

    async fn sign(&self, unsigned: &UnsignedJwt) -> Result<SecretText, LoginError> {
        let signature = self.signature(unsigned.signing_input()).await?;
        let signed = unsigned.signed_der(&signature);
        signed.map_err(|_| key_fault(AttesterError::Failed))
    }

    async fn signature(&self, message: &[u8]) -> Result<Vec<u8>, LoginError> {
        let purpose = KeyPurpose::instance_at(self.target.named()?);
        let signature = self.keys().sign(&purpose, message).await;
        signature.map_err(key_fault)
    }

    /// A DPoP proof for a call to the authorization server.
    async fn prove(&self, call: &AuthenticatedCall) -> Result<Proof, LoginError> {
        let key = dpop_key(self.keys(), self.target.named()?).await?;
        let nonce = self.nonce(call.url());
        let unsigned = call.prove(&key, self.seed(nonce.as_deref(), &mut SystemEntropy))?;
        let signature = self.signature(unsigned.signing_input()).await?;
        let proof = unsigned.signed_der(&signature);
        proof.map_err(|_| key_fault(AttesterError::Failed))
    }

    /// A DPoP proof for a request to a resource.
    pub(super) async fn prove_to_resource(
        &self,
        call: &bonafide_oauth::resource::ResourceCall,
    ) -> Result<Proof, LoginError> {
        let key = dpop_key(self.keys(), self.target.named()?).await?;
        let nonce = self.nonce(call.url());
        let unsigned = call.prove(&key, self.seed(nonce.as_deref(), &mut SystemEntropy))?;
        let signature = self.signature(unsigned.signing_input()).await?;
        let proof = unsigned.signed_der(&signature);
        proof.map_err(|_| key_fault(AttesterError::Failed))
    }

    fn seed<'a>(&self, nonce: Option<&'a str>, entropy: &'a mut SystemEntropy) -> ProofSeed<'a> {
        ProofSeed {
            nonce,
            now: self.now(),
            entropy,
        }
    }

    fn nonce(&self, url: &Url) -> Option<String> {
        self.freshness(|fresh| fresh.nonce(url).map(str::to_owned))
    }

    fn freshness<T>(&self, of: impl FnOnce(&mut Freshness) -> T) -> T {
        of(&mut self
            .freshness
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers what an answer brings.
    pub(super) fn learn(&self, url: &Url, response: &HttpResponse) {
        self.freshness(|fresh| fresh.learn(url, response));
    }

    /// Asks for a challenge, and the nonce beside it, where the server gives them out and none is known yet: so that what
    /// is good once is not spent on a first try that must fail.
    async fn fetch_challenge(&self) -> Result<(), LoginError> {
        let endpoint = &self.server.token_endpoint;
        let missing = self.freshness(|fresh| match self.choice.means {
            Means::AttestedByProof => fresh.challenge(endpoint).is_none(),
            _ => self.choice.bound && fresh.nonce(endpoint).is_none(),
        });
        if !missing || self.server.challenge_endpoint.is_none() {
            return Ok(());
        }
        let request = attestation::challenge(self.server)?;
        let response = self.client.exchange(&request).await?;
        self.freshness(|fresh| attestation::receive_challenge(&request.url, &response, fresh))?;
        Ok(())
    }

    async fn send_by_relay(&self, call: &AuthenticatedCall) -> Result<HttpResponse, LoginError> {
        let dpop = if call.needs_proof(&ClientAuthentication::None) {
            let proof = self.prove(call).await?;
            Some(bonafide_wire::secret::SecretText::new(
                proof.header().expose().to_owned(),
            ))
        } else {
            None
        };
        let errand = Errand {
            upstream: self.target.named()?.clone(),
            order: ErrandOrder::Order(order(call)?),
            dpop,
        };
        Ok(answer(self.client.bonafide().relay(errand).await?))
    }
}

/// The public key of the instance at a server.
pub(super) async fn dpop_key(
    keys: &dyn KeyRing,
    upstream: &UpstreamName,
) -> Result<DpopKey, LoginError> {
    let purpose = KeyPurpose::instance_at(upstream);
    let point = keys.public_key(&purpose).await.map_err(key_fault)?;
    DpopKey::from_point(&point).map_err(|_| key_fault(AttesterError::Failed))
}

/// The relay's answer as the server gave it.
pub(super) fn answer(relayed: Relayed) -> HttpResponse {
    let headers = relayed.headers.into_iter();
    HttpResponse::new(
        relayed.status,
        headers
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        relayed.body.expose().as_bytes().to_vec(),
    )
}

/// The same call as an order for the service.
fn order(call: &AuthenticatedCall) -> Result<RelayOrder, LoginError> {
    let field = |name| {
        let value = call.field(name).map(SecretText::expose);
        value.map(str::to_owned).ok_or_else(mismatch)
    };
    let secret = |name| field(name).map(SecretJson::from);
    if call.field("token").is_some() {
        let access = field("token_type_hint")? == TokenTypeHint::AccessToken.as_str();
        return Ok(RelayOrder::Revoke {
            token: secret("token")?,
            token_type_hint: if access {
                TokenTypeHint::AccessToken
            } else {
                TokenTypeHint::RefreshToken
            },
        });
    }
    match field("grant_type")?.as_str() {
        "authorization_code" => Ok(RelayOrder::AuthorizationCode {
            code: secret("code")?,
            redirect_uri: field("redirect_uri")?,
            code_verifier: secret("code_verifier")?,
        }),
        "refresh_token" => Ok(RelayOrder::RefreshToken {
            refresh_token: secret("refresh_token")?,
            scope: None,
        }),
        _ => Err(mismatch()),
    }
}

fn key_fault(error: AttesterError) -> LoginError {
    SdkError::from(Fault::InstanceKey(error)).into()
}

fn mismatch() -> LoginError {
    SdkError::from(Fault::Reply(ReplyFault::Mismatch)).into()
}

/// The client id that the service registered for this instance.
pub(super) fn registered_client(relayed: Relayed) -> Result<String, LoginError> {
    #[derive(serde::Deserialize)]
    struct Registration {
        client_id: String,
    }
    let response = answer(relayed);
    if !(200..300).contains(&response.status) {
        let refusal = bonafide_oauth::revoke::receive(&response);
        return Err(match refusal {
            Err(reject) => LoginError::OAuth(OAuthError::Token(reject)),
            Ok(()) => LoginFault::RegistrationMalformed.into(),
        });
    }
    serde_json::from_slice::<Registration>(&response.body)
        .ok()
        .map(|registration| registration.client_id)
        .filter(|id| !id.is_empty() && id.len() <= 256 && id.bytes().all(|b| b.is_ascii_graphic()))
        .ok_or(LoginError::Login(LoginFault::RegistrationMalformed))
}
