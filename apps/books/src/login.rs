//! Login: discovery, browser, secret just in time, exchange, ID token.
//!
//! The client secret is asked for after the code has come and dropped before the answer is read. It is never
//! stored, and the flow has no variable that outlives the one request.

use std::fmt;
use std::time::Duration;

use bonafide_oauth::authorize::{self, Authorization, AuthorizationWish, Client};
use bonafide_oauth::dpop::Binding;
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::{
    AuthenticatedCall, Authorized, ClientAuthentication, HttpResponse, Issuer, Jwks, OAuthError,
    SecretText, ServerMetadata, Tokens, UnixTime, UnverifiedTokens,
};
use bonafide_sdk::adaptor::ProtectedClient;
use bonafide_sdk::{Host, SecretName, SecretUse};

use crate::browser::Browser;
use crate::error::Trouble;
use crate::loopback::Loopback;
use crate::setup::Provider;

/// How far a login has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginStep {
    /// Fetching the provider's metadata.
    Discovering,
    /// Waiting for the reader in the browser.
    Authorizing,
    /// Asking the service for the client secret.
    FetchingSecret,
    /// Trading the code for tokens.
    Exchanging,
    /// Verifying who logged in.
    Verifying,
}

impl fmt::Display for LoginStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Discovering => "discovering the provider's configuration",
            Self::Authorizing => "asking for your authorization in the browser",
            Self::FetchingSecret => "verifying this app for the client secret",
            Self::Exchanging => "exchanging the code",
            Self::Verifying => "verifying who logged in",
        })
    }
}

const SCOPES: [&str; 4] = [
    "openid",
    "email",
    "profile",
    "https://www.googleapis.com/auth/books",
];

/// What the steps share.
pub(crate) struct Login<'a> {
    pub(crate) client: &'a ProtectedClient,
    pub(crate) provider: &'a Provider,
    pub(crate) patience: Duration,
}

impl Login<'_> {
    fn now(&self) -> UnixTime {
        UnixTime(self.client.bonafide().seconds())
    }

    /// OIDC's place first, RFC 8414's second; the first error is the one to tell.
    pub(crate) async fn discover(&self) -> Result<ServerMetadata, Trouble> {
        let issuer = Issuer::parse(&self.provider.issuer).map_err(OAuthError::from)?;
        let mut first = None;
        for request in issuer.documents() {
            let response = self.client.exchange(&request).await?;
            match ServerMetadata::receive(&issuer, &response) {
                Ok(server) => return Ok(server),
                Err(reject) => first = first.or(Some(reject)),
            }
        }
        Err(first.map_or(Trouble::Setting("the issuer's URL"), Trouble::from))
    }

    /// Sends the reader to the browser and waits for the answer.
    pub(crate) async fn authorize(
        &self,
        server: &ServerMetadata,
        browser: &dyn Browser,
    ) -> Result<Authorized, Trouble> {
        let loopback = Loopback::listen().await.map_err(Trouble::Storage)?;
        let client = Client {
            client_id: self.provider.client_id.clone(),
            redirect_uri: loopback.redirect_uri().clone(),
        };
        let wish = AuthorizationWish {
            scope: SCOPES.map(str::to_owned).to_vec(),
            binding: Binding::Bearer,
            extra: vec![
                ("access_type".to_owned(), "offline".to_owned()),
                ("prompt".to_owned(), "select_account consent".to_owned()),
            ],
        };
        let Authorization { url, pending } =
            authorize::begin(server, &client, &wish, &mut SystemEntropy)?;
        let opened = async {
            browser.open(&url).await.map_err(Trouble::Browser)?;
            // Shown; the answer arrives at the listener.
            std::future::pending::<Result<Authorized, Trouble>>().await
        };
        let answered = async {
            let answer = loopback.answer(&pending).await.map_err(Trouble::Storage)?;
            answer.map_err(Trouble::from)
        };
        tokio::select! {
            answer = answered => answer,
            failed = opened => failed,
            () = tokio::time::sleep(self.patience) => Err(Trouble::BrowserTimedOut),
        }
    }

    /// The secret, for this one call and this one host.
    pub(crate) async fn authentication(
        &self,
        server: &ServerMetadata,
        call: &AuthenticatedCall,
    ) -> Result<ClientAuthentication, Trouble> {
        let host = call.url().host_str().unwrap_or_default();
        let host = Host::parse(host).map_err(|_| Trouble::Setting("the token endpoint's host"))?;
        let name = SecretName::parse(&self.provider.secret_name)
            .map_err(|_| Trouble::Setting("the secret's name"))?;
        let secret = self.client.bonafide().secret(&name, &host).await?;
        if !secret.allows(SecretUse::Oauth) {
            return Err(Trouble::SecretUseNotAllowed);
        }
        let secret = SecretText::new(secret.expose());
        let post = server
            .token_endpoint_auth_methods_supported
            .as_ref()
            .is_some_and(|methods| methods.iter().any(|method| method == "client_secret_post"));
        Ok(if post {
            ClientAuthentication::SecretPost(secret)
        } else {
            ClientAuthentication::SecretBasic(secret)
        })
    }

    /// Sends a call that was just authenticated; the authentication ends here.
    pub(crate) async fn send(
        &self,
        call: &AuthenticatedCall,
        authentication: ClientAuthentication,
    ) -> Result<HttpResponse, Trouble> {
        let request = call.with(&authentication)?;
        drop(authentication);
        Ok(self.client.exchange(&request).await?)
    }

    /// Verifies the ID token; on an unknown key the server's keys are fetched once more.
    pub(crate) async fn verify(
        &self,
        server: &ServerMetadata,
        unverified: &UnverifiedTokens,
    ) -> Result<Tokens, Trouble> {
        if !unverified.needs_keys() {
            return Ok(unverified.verify(&Jwks::default())?);
        }
        match unverified.verify(&self.keys(server).await?) {
            Err(reject) if reject.wants_fresh_keys() => {
                Ok(unverified.verify(&self.keys(server).await?)?)
            }
            outcome => Ok(outcome?),
        }
    }

    async fn keys(&self, server: &ServerMetadata) -> Result<Jwks, Trouble> {
        let response = self.client.exchange(&server.keys()?).await?;
        Ok(Jwks::receive(&response)?)
    }

    /// New tokens for old ones; the secret is fetched just in time again.
    pub(crate) async fn refresh(&self, tokens: &Tokens) -> Result<Tokens, Trouble> {
        let server = self.discover().await?;
        let mut refresh = tokens.refresh(&server)?;
        let authentication = self.authentication(&server, refresh.call()).await?;
        let response = self.send(refresh.call(), authentication).await?;
        let unverified = match refresh.receive(&response, self.now()) {
            Err(reject) if reject.ends_session() => return Err(Trouble::SessionEnded),
            outcome => outcome?,
        };
        self.verify(&server, &unverified).await
    }

    /// The whole of it, telling each step.
    pub(crate) async fn run(
        &self,
        browser: &dyn Browser,
        told: &mut (dyn FnMut(LoginStep) + Send),
    ) -> Result<Tokens, Trouble> {
        told(LoginStep::Discovering);
        let server = self.discover().await?;
        told(LoginStep::Authorizing);
        let authorized = self.authorize(&server, browser).await?;
        let mut exchange = authorized.exchange(&server)?;
        told(LoginStep::FetchingSecret);
        let authentication = self.authentication(&server, exchange.call()).await?;
        told(LoginStep::Exchanging);
        let response = self.send(exchange.call(), authentication).await?;
        let unverified = exchange.receive(&response, self.now())?;
        told(LoginStep::Verifying);
        self.verify(&server, &unverified).await
    }
}
