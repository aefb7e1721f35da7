//! One phone with the engine, in front of the shared peer.

use std::sync::Arc;

use bonafide_oauth::assertion::{self, AudiencePolicy};
use bonafide_oauth::authentication::Assertion;
use bonafide_oauth::authorize::{self, Authorization, AuthorizationWish, Client};
use bonafide_oauth::dpop::{Binding, Proof, ProofSeed};
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::exchange::{CodeExchange, TokenReject};
use bonafide_oauth::freshness::Freshness;
use bonafide_oauth::resource::{ResourceCall, ResourceReject};
use bonafide_oauth::{
    AuthenticatedCall, ClientAuthentication, HttpRequest, HttpResponse, Issuer, Jwks, Method,
    OAuthError, RedirectUri, SecretText, ServerClock, ServerMetadata, Tokens, UnixTime,
    UnverifiedTokens, attestation, par, revoke,
};
use serde_json::json;

use crate::native_host::{self, Key};
use crate::peer::{self, Peer, SECRET};

pub(crate) type Outcome = Result<UnverifiedTokens, TokenReject>;

pub(crate) fn code_of(outcome: &Outcome) -> &'static str {
    outcome
        .as_ref()
        .map_or_else(TokenReject::code, |_| "accept")
}

/// How a client of the peer authenticates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum How {
    Public,
    Basic,
    Post,
    SecretJwt,
    KeyJwt,
    Attested,
    AttestedByDpop,
}

/// A login of one client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Login {
    pub(crate) client: &'static str,
    pub(crate) how: How,
    pub(crate) redirect: &'static str,
    pub(crate) bound: bool,
    pub(crate) pushed: bool,
}

pub(crate) const CLAIMED_HTTPS: &str = "https://app.example.com/oauth2/callback";
pub(crate) const LOOPBACK: &str = "http://127.0.0.1:50000/callback";
pub(crate) const CUSTOM_SCHEME: &str = "com.example.books:/oauth2redirect";

pub(crate) const fn login(client: &'static str, how: How) -> Login {
    Login {
        client,
        how,
        redirect: match how {
            How::Public => LOOPBACK,
            _ => CLAIMED_HTTPS,
        },
        bound: false,
        pushed: false,
    }
}

pub(crate) struct World {
    pub(crate) peer: &'static Peer,
    pub(crate) http: reqwest::Client,
    pub(crate) server: ServerMetadata,
    pub(crate) client_key: Arc<Key>,
    pub(crate) attester: Arc<Key>,
    pub(crate) instance: Arc<Key>,
    pub(crate) freshness: Freshness,
    /// The server's clock, as far as it is known.
    pub(crate) clock: ServerClock,
    /// By how many seconds the phone's clock is wrong.
    pub(crate) skew: i64,
    /// Who attests instead of the test's own attester: client id and attestation.
    pub(crate) attested: Option<(String, SecretText)>,
    /// Every request, as it was sent.
    pub(crate) sent: Vec<HttpRequest>,
}

impl World {
    pub(crate) async fn new() -> Option<Self> {
        Self::with_clock_off_by(0).await
    }

    pub(crate) async fn with_clock_off_by(skew: i64) -> Option<Self> {
        let peer = Peer::shared()?;
        let keys = [Arc::clone(&peer.client_key), Arc::new(Key::new())];
        Some(Self::at(peer, keys, skew).await)
    }

    /// The same phone after a restart, with the keys that its hardware kept.
    pub(crate) async fn of_restarted(issuer: &str, client_key: Key, instance: Key) -> Self {
        let keys = [client_key, instance].map(Arc::new);
        let peer = Box::leak(Box::new(Peer::of_another_process(issuer, &keys[0])));
        Self::at(peer, keys, 0).await
    }

    async fn at(peer: &'static Peer, [client_key, instance]: [Arc<Key>; 2], skew: i64) -> Self {
        let http = native_host::http();
        let issuer = Issuer::parse(&peer.issuer).unwrap();
        let request = issuer.documents().remove(0);
        let answer = native_host::send(&http, &request).await;
        let mut world = Self {
            peer,
            http,
            server: ServerMetadata::receive(&issuer, &answer).unwrap(),
            client_key,
            attester: Arc::clone(&peer.attester),
            instance,
            freshness: Freshness::default(),
            clock: ServerClock::default(),
            skew,
            attested: None,
            sent: Vec::new(),
        };
        world.clock.learn(&answer, world.local());
        world
    }

    /// The phone's clock.
    pub(crate) fn local(&self) -> UnixTime {
        native_host::now().plus(self.skew)
    }

    /// The server's, for what the phone signs.
    pub(crate) fn now(&self) -> UnixTime {
        self.clock.now(self.local())
    }

    pub(crate) async fn send(&mut self, request: &HttpRequest) -> HttpResponse {
        self.sent.push(request.clone());
        let answer = native_host::send(&self.http, request).await;
        self.freshness.learn(&request.url, &answer);
        self.clock.learn(&answer, self.local());
        answer
    }

    /// Made anew for each request, as the contract of the engine wants it.
    pub(crate) async fn authentication(&mut self, login: Login) -> ClientAuthentication {
        let assertion = assertion::Assertion {
            server: &self.server,
            audience: AudiencePolicy::Issuer,
            client_id: login.client,
            now: self.now(),
        };
        match login.how {
            How::Public => ClientAuthentication::None,
            How::Basic => ClientAuthentication::SecretBasic(SecretText::new(SECRET)),
            How::Post => ClientAuthentication::SecretPost(SecretText::new(SECRET)),
            How::SecretJwt => {
                let secret = SecretText::new(SECRET);
                let text = assertion.with_secret(&secret, &mut SystemEntropy).unwrap();
                ClientAuthentication::Assertion(Assertion::SharedSecret(text))
            }
            How::KeyJwt => {
                let kid = self.client_key.kid();
                let jwt = assertion.for_key(&kid, &mut SystemEntropy).unwrap();
                let signature = self.client_key.sign(jwt.signing_input());
                let text = jwt.signed_fixed(&signature).unwrap();
                ClientAuthentication::Assertion(Assertion::PrivateKey(text))
            }
            How::Attested => self.attested(login).await,
            How::AttestedByDpop => ClientAuthentication::AttestationByDpop {
                attestation: self.attestation(login.client),
            },
        }
    }

    pub(crate) fn attestation(&self, client: &str) -> SecretText {
        if let Some((attested, attestation)) = &self.attested
            && attested == client
        {
            return attestation.clone();
        }
        let now = self.now();
        let claims = json!({
            "iss": "https://attester.example", "sub": client, "iat": now.0, "exp": now.0 + 300,
            "cnf": {"jwk": self.instance.bare_jwk()},
        });
        let kid = self.attester.kid();
        let header = json!({"alg": "ES256", "typ": "oauth-client-attestation+jwt", "kid": kid});
        self.attester.jwt(&header, &claims)
    }

    async fn attested(&mut self, login: Login) -> ClientAuthentication {
        self.need_challenge().await;
        ClientAuthentication::Attestation {
            attestation: self.attestation(login.client),
            proof: self.possession(login.client),
        }
    }

    /// Fetched once; after that each answer brings the next.
    pub(crate) async fn need_challenge(&mut self) {
        if self
            .freshness
            .challenge(&self.server.token_endpoint)
            .is_none()
        {
            let request = attestation::challenge(&self.server).unwrap();
            let answer = self.send(&request).await;
            attestation::receive_challenge(&request.url, &answer, &mut self.freshness).unwrap();
        }
    }

    /// By the instance's key, over the newest challenge.
    pub(crate) fn possession(&self, client: &str) -> SecretText {
        let challenge = self.freshness.challenge(&self.server.token_endpoint);
        self.possession_over(client, challenge)
    }

    pub(crate) fn possession_over(&self, client: &str, challenge: Option<&str>) -> SecretText {
        let seed = (challenge, self.now());
        let jwt = attestation::prove(&self.server, client, seed, &mut SystemEntropy).unwrap();
        let signature = self.instance.sign(jwt.signing_input());
        jwt.signed_fixed(&signature).unwrap()
    }

    /// Authenticates a call and sends it.
    pub(crate) async fn call(&mut self, call: &AuthenticatedCall, login: Login) -> HttpResponse {
        let authentication = self.authentication(login).await;
        let request = if login.bound {
            let proof = self.proof(call);
            call.with_proof(&authentication, &proof).unwrap()
        } else {
            call.with(&authentication).unwrap()
        };
        self.send(&request).await
    }

    pub(crate) fn proof(&self, call: &AuthenticatedCall) -> Proof {
        let mut entropy = SystemEntropy;
        let seed = ProofSeed {
            nonce: self.freshness.nonce(call.url()),
            now: self.now(),
            entropy: &mut entropy,
        };
        self.instance
            .prove(call.prove(&self.instance.dpop(), seed).unwrap())
    }

    pub(crate) async fn begin(&mut self, login: Login) -> Result<Authorization, OAuthError> {
        let client = Client {
            client_id: login.client.to_owned(),
            redirect_uri: RedirectUri::parse(login.redirect).unwrap(),
        };
        let wish = AuthorizationWish {
            scope: ["openid", "email", "offline_access"]
                .map(str::to_owned)
                .to_vec(),
            binding: if login.bound {
                Binding::Dpop(self.instance.dpop().thumbprint())
            } else {
                Binding::Bearer
            },
            extra: vec![("prompt".to_owned(), "consent".to_owned())],
        };
        self.begin_with(login, &client, &wish).await
    }

    pub(crate) async fn begin_with(
        &mut self,
        login: Login,
        client: &Client,
        wish: &AuthorizationWish,
    ) -> Result<Authorization, OAuthError> {
        if !login.pushed {
            return Ok(authorize::begin(
                &self.server,
                client,
                wish,
                &mut SystemEntropy,
            )?);
        }
        let mut push = par::begin(&self.server, client, wish, &mut SystemEntropy)?;
        loop {
            let answer = self.call(push.call(), login).await;
            match push.receive(&answer) {
                Err(TokenReject::Demanded(_)) => {}
                outcome => return Ok(outcome?),
            }
        }
    }

    /// Through sign-in and consent to a code of this login.
    pub(crate) async fn agreed(&mut self, login: Login) -> Result<CodeExchange, OAuthError> {
        let begun = self.begin(login).await?;
        self.browse(&begun).await
    }

    pub(crate) async fn browse(&self, begun: &Authorization) -> Result<CodeExchange, OAuthError> {
        let arrived = peer::browse(&self.http, &self.peer.issuer, begun.url.as_str()).await;
        Ok(begun.pending.receive(&arrived)?.exchange(&self.server)?)
    }

    /// One exchange of a fresh code, authenticated as told.
    pub(crate) async fn redeem(
        &mut self,
        login: Login,
        authentication: &ClientAuthentication,
    ) -> Outcome {
        let mut exchange = self.agreed(login).await.unwrap();
        let request = exchange.call().with(authentication).unwrap();
        let answer = self.send(&request).await;
        exchange.receive(&answer, self.local())
    }

    /// The whole login; one more try where the server demands something fresh.
    pub(crate) async fn log_in(&mut self, login: Login) -> Result<Tokens, OAuthError> {
        let exchange = self.agreed(login).await?;
        self.finish(exchange, login).await
    }

    pub(crate) async fn finish(
        &mut self,
        mut exchange: CodeExchange,
        login: Login,
    ) -> Result<Tokens, OAuthError> {
        loop {
            let answer = self.call(exchange.call(), login).await;
            match exchange.receive(&answer, self.local()) {
                Err(TokenReject::Demanded(_)) => {}
                outcome => return self.verify(&outcome?).await,
            }
        }
    }

    pub(crate) async fn verify(
        &mut self,
        unverified: &UnverifiedTokens,
    ) -> Result<Tokens, OAuthError> {
        let keys = self.keys().await?;
        Ok(unverified.verify(&keys)?)
    }

    pub(crate) async fn keys(&mut self) -> Result<Jwks, OAuthError> {
        let request = self.server.keys()?;
        Ok(Jwks::receive(&self.send(&request).await)?)
    }

    pub(crate) async fn refresh(
        &mut self,
        tokens: &Tokens,
        login: Login,
    ) -> Result<Tokens, OAuthError> {
        let mut refresh = tokens.refresh(&self.server)?;
        loop {
            let answer = self.call(refresh.call(), login).await;
            match refresh.receive(&answer, self.local()) {
                Err(TokenReject::Demanded(_)) => {}
                outcome => return self.verify(&outcome?).await,
            }
        }
    }

    pub(crate) async fn revoke(&mut self, tokens: &Tokens, login: Login) {
        let call = tokens.revoke(&self.server).unwrap();
        let authentication = self.authentication(login).await;
        let request = if login.how == How::AttestedByDpop {
            call.with_proof(&authentication, &self.proof(&call))
        } else {
            call.with(&authentication)
        };
        let answer = self.send(&request.unwrap()).await;
        revoke::receive(&answer).unwrap();
    }

    /// What userinfo says, asked as any resource is; a nonce is met once.
    pub(crate) async fn userinfo(
        &mut self,
        tokens: &Tokens,
    ) -> Result<HttpResponse, ResourceReject> {
        let url = self.server.userinfo_endpoint.clone().unwrap();
        let mut call = tokens.resource(Method::Get, &url).unwrap();
        loop {
            let mut request = tokens.userinfo(&self.server).unwrap();
            if *tokens.binding() != Binding::Bearer {
                request = request.with_proof(&self.resource_proof(&call));
            }
            let answer = self.send(&request).await;
            match call.receive(&answer) {
                Err(ResourceReject::Demanded(_)) => {}
                outcome => return outcome.map(|()| answer),
            }
        }
    }

    fn resource_proof(&self, call: &ResourceCall) -> Proof {
        let mut entropy = SystemEntropy;
        let seed = ProofSeed {
            nonce: self.freshness.nonce(call.url()),
            now: self.now(),
            entropy: &mut entropy,
        };
        let proof = self
            .instance
            .prove(call.prove(&self.instance.dpop(), seed).unwrap());
        assert!(call.headers_with_proof(&proof).is_ok());
        proof
    }
}
