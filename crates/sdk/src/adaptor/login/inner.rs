//! The workings of a login: what is held, what is kept, and the requests in between. Decides which failure ends a login;
//! what an app may call is [`super::session`]'s.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bonafide_oauth::dpop::Binding;
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::exchange::TokenReject;
use bonafide_oauth::freshness::Freshness;
use bonafide_oauth::refresh::Refresh;
use bonafide_oauth::resource::ResourceReject;
use bonafide_oauth::seal::{Record as _, SealKey};
use bonafide_oauth::session::{Access, Flight, Landing, RefreshFailure, Session};
use bonafide_oauth::{
    Authorized, HttpResponse, IdTokenClaims, Jwks, Method, OAuthError, PendingAuthorization,
    SecretText, ServerMetadata, Tokens, UnixTime, UnverifiedTokens,
};
use futures_util::FutureExt as _;
use futures_util::future::Shared;

use super::credential::{Caller, Occasion, dpop_key, registered_client};
use super::error::{LoginError, LoginFault};
use super::ladder::{Choice, Means};
use super::record::{LoginRecord, Stage};
use super::session::Told;
use super::settings::{LoginSettings, LoginStage, Target};
use crate::adaptor::client::ProtectedClient;
use crate::adaptor::request::{ProtectedRequest, ProtectedResponse};
use crate::host::{AttesterError, BoxFuture, LoginId, Record};
use crate::machine::{Errand, ErrandOrder};

/// An access token with less life than this is renewed before use.
const MARGIN_SECONDS: i64 = 60;

/// A refresh under way, for everybody who waits.
pub(super) type Landed = Shared<BoxFuture<'static, Result<(), LoginError>>>;

pub(super) struct Inner {
    pub(super) client: ProtectedClient,
    pub(super) settings: LoginSettings,
    pub(super) freshness: Mutex<Freshness>,
    pub(super) state: Mutex<State>,
    /// Held while a login begins, finishes or ends: one at a time.
    pub(super) changing: tokio::sync::Mutex<()>,
}

pub(super) struct State {
    pub(super) loaded: bool,
    pub(super) record: LoginRecord,
    pub(super) session: Session,
    pub(super) flight: Option<Landed>,
    pub(super) server: Option<ServerMetadata>,
}

/// What a caller does next.
pub(super) enum Next {
    Ready(Box<Tokens>),
    Wait(Landed),
}

/// How an API took a token.
pub(super) enum Reception {
    Answered(ProtectedResponse),
    TokenRefused(ProtectedResponse),
}

impl Inner {
    pub(super) fn new(client: ProtectedClient, settings: LoginSettings) -> Self {
        Self {
            client,
            settings,
            freshness: Mutex::default(),
            state: Mutex::new(State {
                loaded: false,
                record: LoginRecord::default(),
                session: Session::new(None),
                flight: None,
                server: None,
            }),
            changing: tokio::sync::Mutex::new(()),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> UnixTime {
        UnixTime(self.client.bonafide().seconds())
    }

    pub(super) fn caller<'a>(
        &'a self,
        target: &'a Target,
        server: &'a ServerMetadata,
        choice: &'a Choice,
    ) -> Caller<'a> {
        Caller {
            client: &self.client,
            freshness: &self.freshness,
            target,
            server,
            choice,
        }
    }

    fn vault_record(&self) -> Record {
        Record::Login(LoginId::of(&self.settings.authority.identity()))
    }

    /// Without a key to seal with, a login ends with the process.
    async fn sealing_key(&self) -> Result<Option<SealKey>, LoginError> {
        match self.client.bonafide().hosts().keys.sealing_key().await {
            Ok(key) => Ok(Some(SealKey::new(*key))),
            Err(AttesterError::Unsupported) => Ok(None),
            Err(_) => Err(LoginFault::NotKept.into()),
        }
    }

    /// What the vault kept; damage, or another phone's record, is no login.
    pub(super) async fn load(&self) -> Result<(), LoginError> {
        if self.lock().loaded {
            return Ok(());
        }
        let vault = &self.client.bonafide().hosts().vault;
        let sealed = vault.load(self.vault_record()).await.ok().flatten();
        let record = match (self.sealing_key().await?, sealed) {
            (Some(key), Some(sealed)) => LoginRecord::open(&key, &sealed).unwrap_or_default(),
            _ => LoginRecord::default(),
        };
        let mut state = self.lock();
        if !state.loaded {
            state.loaded = true;
            let tokens = match &record.stage {
                Stage::LoggedIn(tokens) => Some((**tokens).clone()),
                _ => None,
            };
            state.session.set(tokens);
            state.record = record;
        }
        Ok(())
    }

    /// Goes to a stage, here and in the vault. The choice stays where none is given.
    pub(super) async fn keep(
        &self,
        stage: Stage,
        choice: Option<Choice>,
    ) -> Result<(), LoginError> {
        {
            let mut held = self.lock();
            let tokens = match &stage {
                Stage::LoggedIn(tokens) => Some((**tokens).clone()),
                _ => None,
            };
            held.session.set(tokens);
            held.record.stage = stage;
            if choice.is_some() {
                held.record.choice = choice;
            }
        }
        self.save().await
    }

    async fn save(&self) -> Result<(), LoginError> {
        let Some(key) = self.sealing_key().await? else {
            return Ok(());
        };
        let sealed = self.lock().record.seal(&key, &mut SystemEntropy)?;
        let vault = &self.client.bonafide().hosts().vault;
        let stored = vault.store(self.vault_record(), Some(sealed)).await;
        stored.map_err(|_| LoginFault::NotKept.into())
    }

    pub(super) async fn target(&self) -> Result<Target, LoginError> {
        let trust = self.client.bonafide().trust().await?;
        self.settings.authority.target(trust.bundle())
    }

    /// The thumbprint of the instance's key at the server, where the device has keys and the account knows the server.
    pub(super) async fn instance_key(&self, target: &Target) -> Result<Option<String>, LoginError> {
        let Some(upstream) = &target.upstream else {
            return Ok(None);
        };
        match dpop_key(&*self.client.bonafide().hosts().keys, upstream).await {
            Ok(key) => Ok(Some(key.thumbprint())),
            Err(error) if error.code() == "instance-keys-unsupported" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Who asks: the app's client, or on rung 3 this instance's own, which the service registers.
    pub(super) async fn client_id(
        &self,
        target: &Target,
        choice: &Choice,
    ) -> Result<String, LoginError> {
        if choice.means != Means::OwnKey {
            return Ok(target.client_id.clone());
        }
        if let Some(own) = self.lock().record.own_client.clone() {
            return Ok(own);
        }
        let errand = Errand {
            upstream: target.named()?.clone(),
            order: ErrandOrder::Register,
            dpop: None,
        };
        let relayed = self.client.bonafide().relay(errand).await?;
        let own = registered_client(relayed)?;
        self.lock().record.own_client = Some(own.clone());
        self.save().await?;
        Ok(own)
    }

    /// The server's metadata: OIDC's place first, RFC 8414's second; the first error is the one to tell.
    pub(super) async fn server(&self, target: &Target) -> Result<ServerMetadata, LoginError> {
        let issuer = target.issuer()?;
        let known = self.lock().server.clone();
        if let Some(known) = known.filter(|known| known.issuer == issuer) {
            return Ok(known);
        }
        let mut first = None;
        for request in issuer.documents() {
            let response = self.client.exchange(&request).await?;
            match ServerMetadata::receive(&issuer, &response) {
                Ok(server) => {
                    self.lock().server = Some(server.clone());
                    return Ok(server);
                }
                Err(reject) => first = first.or(Some(reject)),
            }
        }
        Err(first.map_or_else(|| LoginFault::UpstreamUnknown.into(), LoginError::from))
    }

    pub(super) fn pending(&self) -> Result<PendingAuthorization, LoginError> {
        match &self.lock().record.stage {
            Stage::Asked(pending) => Ok((**pending).clone()),
            _ => Err(LoginFault::NotBegun.into()),
        }
    }

    /// Trades the code for tokens. A code that is dead is forgotten; what failed for another reason can be tried again.
    pub(super) async fn complete(
        &self,
        told: Told<'_>,
    ) -> Result<Option<IdTokenClaims>, LoginError> {
        let (authorized, choice) = {
            let state = self.lock();
            match (&state.record.stage, &state.record.choice) {
                (Stage::Agreed(bytes), Some(choice)) => (bytes.clone(), choice.clone()),
                _ => return Err(LoginFault::NotBegun.into()),
            }
        };
        match self.exchange(&authorized, &choice, told).await {
            Ok(tokens) => {
                let identity = tokens.identity().cloned();
                self.keep(Stage::LoggedIn(Box::new(tokens)), None).await?;
                Ok(identity)
            }
            Err(error) => {
                if error.spends_code() {
                    self.keep(Stage::Idle, None).await?;
                }
                Err(error)
            }
        }
    }

    async fn exchange(
        &self,
        authorized: &[u8],
        choice: &Choice,
        told: Told<'_>,
    ) -> Result<Tokens, LoginError> {
        let target = self.target().await?;
        let server = self.server(&target).await?;
        let caller = self.caller(&target, &server, choice);
        let mut exchange = Authorized::from_record(authorized)?.exchange(&server)?;
        told(LoginStage::Proving);
        let unverified = loop {
            let response = caller.send(exchange.call(), Occasion::Grant).await?;
            told(LoginStage::Exchanging);
            match exchange.receive(&response, self.now()) {
                Err(TokenReject::Demanded(_)) => {}
                outcome => break outcome?,
            }
        };
        told(LoginStage::Verifying);
        self.verify(&server, &unverified).await
    }

    /// Verifies the ID token; on an unknown key the server's keys are fetched once more.
    async fn verify(
        &self,
        server: &ServerMetadata,
        unverified: &UnverifiedTokens,
    ) -> Result<Tokens, LoginError> {
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

    async fn keys(&self, server: &ServerMetadata) -> Result<Jwks, LoginError> {
        let response = self.client.exchange(&server.keys()?).await?;
        Ok(Jwks::receive(&response)?)
    }

    /// Tokens, or the refresh to wait for; the first who needs one starts it.
    pub(super) fn access(
        self: &Arc<Self>,
        server: &ServerMetadata,
        refused: Option<&SecretText>,
    ) -> Result<Next, LoginError> {
        let now = self.now();
        let mut state = self.lock();
        let access = match refused {
            None => state.session.access(server, now, MARGIN_SECONDS),
            Some(refused) => state.session.replace(refused, server, now),
        };
        let (flight, refresh) = match access {
            Ok(Access::Ready(tokens)) => return Ok(Next::Ready(tokens)),
            Ok(Access::LoggedOut) => return Err(LoginFault::NotLoggedIn.into()),
            Ok(Access::Wait) => match &state.flight {
                Some(landed) => return Ok(Next::Wait(landed.clone())),
                None => return Err(LoginFault::SessionEnded.into()),
            },
            Ok(Access::Refresh(flight, refresh)) => (flight, Some(refresh)),
            // Nothing to renew it with: the login is over.
            Err(TokenReject::RefreshTokenMissing) => {
                state.session.set(None);
                state.record.stage = Stage::Idle;
                return Ok(Next::Wait(self.ending()));
            }
            Err(reject) => return Err(reject.into()),
        };
        let inner = Arc::clone(self);
        let server = server.clone();
        let landing: BoxFuture<'static, _> =
            Box::pin(async move { inner.fly(&server, flight, refresh).await });
        let landed = landing.shared();
        state.flight = Some(landed.clone());
        Ok(Next::Wait(landed))
    }

    /// Forgets a login that cannot be renewed.
    fn ending(self: &Arc<Self>) -> Landed {
        let inner = Arc::clone(self);
        let ending: BoxFuture<'static, _> = Box::pin(async move {
            inner.keep(Stage::Idle, None).await?;
            Err(LoginFault::SessionEnded.into())
        });
        ending.shared()
    }

    async fn fly(
        &self,
        server: &ServerMetadata,
        flight: Flight,
        refresh: Option<Box<Refresh>>,
    ) -> Result<(), LoginError> {
        let outcome = match refresh {
            Some(mut refresh) => self.refreshed(server, &mut refresh).await,
            None => Err(LoginFault::SessionEnded.into()),
        };
        let (landing, tokens) = {
            let mut state = self.lock();
            state.flight = None;
            let judged = match &outcome {
                Ok(tokens) => Ok(tokens.clone()),
                Err(error) => Err(failure(error)),
            };
            let landing = state.session.land(flight, judged);
            (landing, state.session.tokens().cloned())
        };
        match (landing, tokens) {
            (Landing::Renewed, Some(tokens)) => {
                self.keep(Stage::LoggedIn(Box::new(tokens)), None).await
            }
            (Landing::Ended, _) => {
                self.keep(Stage::Idle, None).await?;
                Err(LoginFault::SessionEnded.into())
            }
            _ => outcome.map(drop),
        }
    }

    async fn refreshed(
        &self,
        server: &ServerMetadata,
        refresh: &mut Refresh,
    ) -> Result<Tokens, LoginError> {
        let target = self.target().await?;
        let choice = self.lock().record.choice.clone();
        let choice = choice.ok_or(LoginFault::NotLoggedIn)?;
        let caller = self.caller(&target, server, &choice);
        let unverified = loop {
            let response = caller.send(refresh.call(), Occasion::Grant).await?;
            match refresh.receive(&response, self.now()) {
                Err(TokenReject::Demanded(_)) => {}
                outcome => break outcome?,
            }
        };
        self.verify(server, &unverified).await
    }

    pub(super) async fn send_with(
        &self,
        tokens: &Tokens,
        request: &ProtectedRequest,
    ) -> Result<Reception, LoginError> {
        let method = method_of(request)?;
        let mut call = tokens.resource(method, &request.url)?;
        let (target, choice) = (self.target().await?, self.lock().record.choice.clone());
        let choice = choice.ok_or(LoginFault::NotLoggedIn)?;
        let server = self.server(&target).await?;
        let caller = self.caller(&target, &server, &choice);
        loop {
            let headers = match tokens.binding() {
                Binding::Bearer => call.headers()?,
                Binding::Dpop(_) => {
                    call.headers_with_proof(&caller.prove_to_resource(&call).await?)?
                }
            };
            let response = self.client.send(dressed(request, &headers)?).await?;
            let seen = seen(&response);
            caller.learn(&request.url, &seen);
            match call.receive(&seen) {
                Err(ResourceReject::Demanded(_)) => {}
                Err(ResourceReject::DemandRepeated(_)) => {
                    return Err(LoginFault::ResourceDemands.into());
                }
                Err(ResourceReject::TokenRefused) => return Ok(Reception::TokenRefused(response)),
                // What the API says besides is the app's to read.
                Ok(()) | Err(ResourceReject::Refused(_)) => {
                    return Ok(Reception::Answered(response));
                }
            }
        }
    }
}

fn failure(error: &LoginError) -> RefreshFailure<'_> {
    match error {
        LoginError::OAuth(OAuthError::Token(reject)) => RefreshFailure::Token(reject),
        LoginError::OAuth(OAuthError::IdToken(reject)) => RefreshFailure::IdToken(*reject),
        _ => RefreshFailure::Unsent,
    }
}

fn method_of(request: &ProtectedRequest) -> Result<Method, LoginError> {
    match request.method.as_str() {
        "GET" => Ok(Method::Get),
        "POST" => Ok(Method::Post),
        "DELETE" => Ok(Method::Delete),
        "PUT" => Ok(Method::Put),
        "PATCH" => Ok(Method::Patch),
        _ => Err(LoginFault::MethodUnsupported.into()),
    }
}

/// With the access token; an attestation token that goes along is bound to it, unless the app bound it to something else.
fn dressed(
    request: &ProtectedRequest,
    headers: &[(&'static str, SecretText)],
) -> Result<ProtectedRequest, LoginError> {
    let mut request = request.clone();
    for (name, value) in headers {
        request = request.header(name, value.expose())?;
        if *name == "authorization" && request.bound_to.is_none() {
            request = request.bind_token_to(value.expose().as_bytes());
        }
    }
    Ok(request)
}

/// Status and headers, as the OAuth engine judges them.
fn seen(response: &ProtectedResponse) -> HttpResponse {
    let headers = response.headers().iter().flat_map(|(name, values)| {
        let pair = move |value: &String| (name.clone(), value.clone());
        values.iter().map(pair)
    });
    HttpResponse::new(response.status(), headers.collect(), Vec::new())
}
