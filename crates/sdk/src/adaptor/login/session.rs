//! The login of one app at one authorization server: begun, finished after the browser (or after the process died
//! meanwhile), used, refreshed by one flight for everybody, and ended.

use core::fmt;
use std::sync::Arc;

use bonafide_oauth::authorize::{self, AuthorizationWish, Client};
use bonafide_oauth::dpop::Binding;
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::exchange::TokenReject;
use bonafide_oauth::seal::Record as _;
use bonafide_oauth::{IdTokenClaims, RedirectUri, SecretText, Tokens, par, revoke};
use url::Url;

use super::credential::Occasion;
use super::error::{LoginError, LoginFault};
use super::inner::{Inner, Next, Reception};
use super::ladder::{Choice, InstanceKeys, choose};
use super::record::Stage;
use super::settings::{LoginSettings, LoginStage};
use crate::adaptor::client::ProtectedClient;
use crate::adaptor::request::{ProtectedRequest, ProtectedResponse};

/// Most refreshes that one caller waits for.
const MOST_FLIGHTS: usize = 4;

/// A login that waits for the browser.
#[derive(Debug)]
pub struct BegunLogin {
    /// For the system browser, never for a web view.
    pub url: Url,
    /// By which rung, and why no better one.
    pub choice: Choice,
}

/// How far the login is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nobody is logged in.
    LoggedOut,
    /// The browser has been sent away and is to come back here: [`OAuthSession::finish`].
    AwaitingBrowser {
        /// As it was given to [`OAuthSession::begin`].
        redirect_uri: String,
    },
    /// The browser came back, the tokens did not: [`OAuthSession::complete`].
    AwaitingTokens,
    /// Somebody is.
    LoggedIn,
}

/// One login. Everything it needs to go on after the process died is in the vault, sealed.
pub struct OAuthSession(Arc<Inner>);

pub(super) type Told<'a> = &'a mut (dyn FnMut(LoginStage) + Send);

impl fmt::Debug for OAuthSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthSession")
            .field("authority", &self.0.settings.authority)
            .finish_non_exhaustive()
    }
}

/// A resting refresh holds what holds it; whoever drops the session takes it along.
impl Drop for OAuthSession {
    fn drop(&mut self) {
        let resting = self.0.lock().flight.take();
        drop(resting);
    }
}

impl ProtectedClient {
    /// The login of this app at an authorization server. Nothing is sent until it is used.
    pub fn login(&self, settings: LoginSettings) -> OAuthSession {
        OAuthSession(Arc::new(Inner::new(self.clone(), settings)))
    }
}

impl OAuthSession {
    /// How far the login is. Asks nobody.
    pub async fn standing(&self) -> Result<Standing, LoginError> {
        self.0.load().await?;
        let state = self.0.lock();
        Ok(match &state.record.stage {
            Stage::Idle => Standing::LoggedOut,
            Stage::Asked(pending) => Standing::AwaitingBrowser {
                redirect_uri: pending.redirect_uri().as_str().to_owned(),
            },
            Stage::Agreed(_) => Standing::AwaitingTokens,
            Stage::LoggedIn(_) => Standing::LoggedIn,
        })
    }

    /// Who is logged in, where `openid` was asked for.
    pub async fn identity(&self) -> Result<Option<IdTokenClaims>, LoginError> {
        self.0.load().await?;
        let state = self.0.lock();
        Ok(state
            .session
            .tokens()
            .and_then(|tokens| tokens.identity().cloned()))
    }

    /// The rung of the present login.
    pub async fn choice(&self) -> Result<Option<Choice>, LoginError> {
        self.0.load().await?;
        Ok(self.0.lock().record.choice.clone())
    }

    /// Begins a login: chooses the rung, and gives the address for the system browser. A login that was under way is
    /// forgotten.
    pub async fn begin(&self, redirect_uri: &str) -> Result<BegunLogin, LoginError> {
        let inner = &self.0;
        let _one_at_a_time = inner.changing.lock().await;
        inner.load().await?;
        if inner.lock().session.tokens().is_some() {
            return Err(LoginFault::AlreadyLoggedIn.into());
        }
        let redirect_uri =
            RedirectUri::parse(redirect_uri).map_err(|reject| LoginError::OAuth(reject.into()))?;
        let target = inner.target().await?;
        let server = inner.server(&target).await?;
        let key = inner.instance_key(&target).await?;
        let keys = match key {
            Some(_) => InstanceKeys::Present,
            None => InstanceKeys::Absent,
        };
        let choice = choose(&target, &server, inner.settings.rung, keys)?;
        let client = Client {
            client_id: inner.client_id(&target, &choice).await?,
            redirect_uri,
        };
        let wish = AuthorizationWish {
            scope: inner.settings.scope.clone(),
            binding: match key {
                Some(thumbprint) if choice.bound => Binding::Dpop(thumbprint),
                _ => Binding::Bearer,
            },
            extra: inner.settings.extra.clone(),
        };
        let caller = inner.caller(&target, &server, &choice);
        let authorization = if choice.pushed {
            let mut push = par::begin(&server, &client, &wish, &mut SystemEntropy)?;
            loop {
                let response = caller.send(push.call(), Occasion::Grant).await?;
                match push.receive(&response) {
                    Err(TokenReject::Demanded(_)) => {}
                    outcome => break outcome?,
                }
            }
        } else {
            authorize::begin(&server, &client, &wish, &mut SystemEntropy)?
        };
        inner
            .keep(
                Stage::Asked(Box::new(authorization.pending)),
                Some(choice.clone()),
            )
            .await?;
        Ok(BegunLogin {
            url: authorization.url,
            choice,
        })
    }

    /// Finishes a login with the address that the browser came back with: [`Self::receive`], then [`Self::complete`].
    pub async fn finish(&self, arrived: &str) -> Result<Option<IdTokenClaims>, LoginError> {
        self.receive(arrived).await?;
        self.complete().await
    }

    /// Judges the address that the browser came back with, and keeps the code before anything is sent: who dies now can
    /// complete the login later. An address that [may be forged](LoginError::may_be_forged) ends nothing: keep waiting.
    pub async fn receive(&self, arrived: &str) -> Result<(), LoginError> {
        let inner = &self.0;
        let _one_at_a_time = inner.changing.lock().await;
        inner.load().await?;
        let pending = inner.pending()?;
        match pending.receive(arrived) {
            Ok(authorized) => {
                let agreed = Stage::Agreed(authorized.to_record());
                inner.keep(agreed, None).await
            }
            Err(reject) => {
                if reject.ends_login() {
                    inner.keep(Stage::Idle, None).await?;
                }
                Err(reject.into())
            }
        }
    }

    /// Completes a login whose browser came back, but whose process died, or whose network failed, before the tokens came.
    pub async fn complete(&self) -> Result<Option<IdTokenClaims>, LoginError> {
        self.complete_telling(&mut |_| ()).await
    }

    /// The same, telling each stage.
    pub async fn complete_telling(
        &self,
        told: Told<'_>,
    ) -> Result<Option<IdTokenClaims>, LoginError> {
        let _one_at_a_time = self.0.changing.lock().await;
        self.0.load().await?;
        self.0.complete(told).await
    }

    /// Forgets a login that is under way.
    pub async fn abandon(&self) -> Result<(), LoginError> {
        let _one_at_a_time = self.0.changing.lock().await;
        self.0.load().await?;
        if self.0.lock().session.tokens().is_some() {
            return Ok(());
        }
        self.0.keep(Stage::Idle, None).await
    }

    /// An access token that is good for a while; renewed where it is not, once for all who ask meanwhile.
    pub async fn access_token(&self) -> Result<SecretText, LoginError> {
        let tokens = self.tokens(None).await?;
        Ok(tokens.access_token().clone())
    }

    /// Sends a request to an API with the access token, and with a proof where the token obeys a key. A token that the API
    /// refuses is renewed once.
    pub async fn send(&self, request: ProtectedRequest) -> Result<ProtectedResponse, LoginError> {
        let tokens = self.tokens(None).await?;
        match self.0.send_with(&tokens, &request).await? {
            Reception::Answered(response) => Ok(response),
            Reception::TokenRefused(_) => {
                let tokens = self.tokens(Some(tokens.access_token())).await?;
                match self.0.send_with(&tokens, &request).await? {
                    Reception::Answered(response) | Reception::TokenRefused(response) => {
                        Ok(response)
                    }
                }
            }
        }
    }

    /// Forgets the login here, then tells the server to forget it too. Forgetting here never fails for the network.
    pub async fn logout(&self) -> Result<(), LoginError> {
        let inner = &self.0;
        let _one_at_a_time = inner.changing.lock().await;
        inner.load().await?;
        let (tokens, choice) = {
            let state = inner.lock();
            (state.session.tokens().cloned(), state.record.choice.clone())
        };
        inner.keep(Stage::Idle, None).await?;
        let (Some(tokens), Some(choice)) = (tokens, choice) else {
            return Ok(());
        };
        let target = inner.target().await?;
        let server = inner.server(&target).await?;
        let caller = inner.caller(&target, &server, &choice);
        let call = tokens.revoke(&server)?;
        let response = caller.send(&call, Occasion::Revocation).await?;
        Ok(revoke::receive(&response)?)
    }

    /// Tokens that are good for a while, and not those that were refused.
    async fn tokens(&self, refused: Option<&SecretText>) -> Result<Tokens, LoginError> {
        let inner = &self.0;
        inner.load().await?;
        if inner.lock().session.tokens().is_none() {
            return Err(LoginFault::NotLoggedIn.into());
        }
        let target = inner.target().await?;
        let server = inner.server(&target).await?;
        for _ in 0..MOST_FLIGHTS {
            match inner.access(&server, refused)? {
                Next::Ready(tokens) => return Ok(*tokens),
                Next::Wait(landed) => landed.await?,
            }
        }
        Err(LoginFault::SessionEnded.into())
    }
}
