//! The OAuth engine against an unmodified oidc-provider: every client authentication it knows, pushed requests, bound
//! tokens, refresh and revocation. Skipped where the peer is not installed (`cargo xtask peers`).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod peer;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use bonafide_oauth::assertion::{self, AudiencePolicy};
use bonafide_oauth::authentication::Assertion;
use bonafide_oauth::authorize::{self, Authorization, AuthorizationWish, Client};
use bonafide_oauth::dpop::{Binding, DpopKey, Proof, ProofSeed, UnsignedProof};
use bonafide_oauth::encoding::base64url;
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::exchange::TokenReject;
use bonafide_oauth::freshness::Freshness;
use bonafide_oauth::{
    AuthenticatedCall, ClientAuthentication, HttpRequest, HttpResponse, Issuer, Jwks, Method,
    OAuthError, RedirectUri, SecretText, ServerMetadata, Tokens, UnixTime, UnverifiedTokens,
    attestation, dpop, jwks, par, registration, revoke,
};
use bonafide_sdk::adaptor::SystemClock;
use bonafide_sdk::host::Clock as _;
use serde_json::{Value, json};

use peer::Peer;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A P-256 key with the two signature forms.
struct Key {
    fixed: EcdsaKeyPair,
    der: EcdsaKeyPair,
}

impl Key {
    fn new() -> Self {
        let random = SystemRandom::new();
        let saved = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        let saved = saved.unwrap();
        let load = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, saved.as_ref()).unwrap();
        Self {
            fixed: load(&ECDSA_P256_SHA256_FIXED_SIGNING),
            der: load(&ECDSA_P256_SHA256_ASN1_SIGNING),
        }
    }

    fn point(&self) -> &[u8] {
        self.fixed.public_key().as_ref()
    }

    fn dpop(&self) -> DpopKey {
        DpopKey::from_point(self.point()).unwrap()
    }

    fn jwk(&self) -> Value {
        let (x, y) = (
            base64url(&self.point()[1..33]),
            base64url(&self.point()[33..]),
        );
        let kid = jwks::thumbprint_p256(&x, &y);
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "alg": "ES256"})
    }

    fn sign(&self, input: &[u8]) -> Vec<u8> {
        let signature = self.fixed.sign(&SystemRandom::new(), input).unwrap();
        signature.as_ref().to_vec()
    }

    /// As a phone's key store would.
    fn prove(&self, proof: UnsignedProof) -> Proof {
        let signature = self
            .der
            .sign(&SystemRandom::new(), proof.signing_input())
            .unwrap();
        proof.signed_der(signature.as_ref()).unwrap()
    }

    fn jwt(&self, header: &Value, claims: &Value) -> SecretText {
        let input = format!(
            "{}.{}",
            base64url(header.to_string()),
            base64url(claims.to_string())
        );
        let signature = base64url(self.sign(input.as_bytes()));
        SecretText::new(format!("{input}.{signature}"))
    }
}

type Outcome = Result<UnverifiedTokens, TokenReject>;

fn code_of(outcome: &Outcome) -> &'static str {
    outcome
        .as_ref()
        .map_or_else(TokenReject::code, |_| "accept")
}

/// How a client of the peer authenticates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
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
struct Login {
    client: &'static str,
    how: How,
    bound: bool,
    pushed: bool,
}

struct World {
    peer: Peer,
    http: reqwest::Client,
    server: ServerMetadata,
    client_key: Key,
    attester: Key,
    instance: Key,
    freshness: Freshness,
}

fn now() -> UnixTime {
    UnixTime(SystemClock::new().wall())
}

impl World {
    async fn new() -> Option<Self> {
        let (client_key, attester) = (Key::new(), Key::new());
        let keys = json!({
            "clientJwk": client_key.jwk(), "attesterJwk": attester.jwk(), "secret": SECRET,
        });
        let peer = Peer::start(&keys)?;
        let http = peer::http();
        let issuer = Issuer::parse(&peer.issuer).unwrap();
        let answer = send(&http, &issuer.documents()[0]).await;
        let server = ServerMetadata::receive(&issuer, &answer).unwrap();
        Some(Self {
            peer,
            http,
            server,
            client_key,
            attester,
            instance: Key::new(),
            freshness: Freshness::default(),
        })
    }

    /// Made anew for each request, as the contract of the engine wants it.
    async fn authentication(&mut self, login: Login) -> ClientAuthentication {
        let assertion = assertion::Assertion {
            server: &self.server,
            audience: AudiencePolicy::Issuer,
            client_id: login.client,
            now: now(),
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
                let kid = self.client_key.jwk()["kid"].as_str().unwrap().to_owned();
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

    fn attestation(&self, client: &str) -> SecretText {
        let kid = &self.attester.jwk()["kid"];
        let mut key = self.instance.jwk();
        key.as_object_mut()
            .unwrap()
            .retain(|name, _| ["kty", "crv", "x", "y"].contains(&name.as_str()));
        let header = json!({"alg": "ES256", "typ": "oauth-client-attestation+jwt", "kid": kid});
        let claims = json!({
            "iss": "https://attester.example", "sub": client, "iat": now().0, "exp": now().0 + 300,
            "cnf": {"jwk": key},
        });
        self.attester.jwt(&header, &claims)
    }

    async fn attested(&mut self, login: Login) -> ClientAuthentication {
        let endpoint = self.server.token_endpoint.clone();
        if self.freshness.challenge(&endpoint).is_none() {
            let request = attestation::challenge(&self.server).unwrap();
            let answer = send(&self.http, &request).await;
            attestation::receive_challenge(&request.url, &answer, &mut self.freshness).unwrap();
        }
        let challenge = self.freshness.challenge(&endpoint);
        let entropy = &mut SystemEntropy;
        let jwt = attestation::prove(&self.server, login.client, (challenge, now()), entropy);
        let jwt = jwt.unwrap();
        let proof = jwt
            .signed_fixed(&self.instance.sign(jwt.signing_input()))
            .unwrap();
        ClientAuthentication::Attestation {
            attestation: self.attestation(login.client),
            proof,
        }
    }

    /// Authenticates a call and sends it.
    async fn call(&mut self, call: &AuthenticatedCall, login: Login) -> HttpResponse {
        let authentication = self.authentication(login).await;
        let request = if login.bound {
            let proof = self.proof(call);
            call.with_proof(&authentication, &proof).unwrap()
        } else {
            call.with(&authentication).unwrap()
        };
        let answer = send(&self.http, &request).await;
        self.freshness.learn(&request.url, &answer);
        answer
    }

    fn proof(&self, call: &AuthenticatedCall) -> Proof {
        let mut entropy = SystemEntropy;
        let seed = ProofSeed {
            nonce: self.freshness.nonce(call.url()),
            now: now(),
            entropy: &mut entropy,
        };
        self.instance
            .prove(call.prove(&self.instance.dpop(), seed).unwrap())
    }

    async fn begin(&mut self, login: Login) -> Result<Authorization, OAuthError> {
        let redirect = match login.how {
            How::Public => "http://127.0.0.1:50000/callback",
            _ => "https://app.example.com/oauth2/callback",
        };
        let client = Client {
            client_id: login.client.to_owned(),
            redirect_uri: RedirectUri::parse(redirect).unwrap(),
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
        let entropy = &mut SystemEntropy;
        if !login.pushed {
            return Ok(authorize::begin(&self.server, &client, &wish, entropy)?);
        }
        let mut push = par::begin(&self.server, &client, &wish, entropy)?;
        let answer = self.call(push.call(), login).await;
        match push.receive(&answer) {
            Err(TokenReject::Demanded(_)) => {
                let answer = self.call(push.call(), login).await;
                Ok(push.receive(&answer)?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// One exchange of a fresh code, authenticated as told.
    async fn redeem(&mut self, login: Login, authentication: &ClientAuthentication) -> Outcome {
        let begun = self.begin(login).await.unwrap();
        let arrived = peer::browse(&self.http, &self.peer.issuer, begun.url.as_str()).await;
        let authorized = begun.pending.receive(&arrived).unwrap();
        let mut exchange = authorized.exchange(&self.server).unwrap();
        let request = exchange.call().with(authentication).unwrap();
        let answer = send(&self.http, &request).await;
        self.freshness.learn(&request.url, &answer);
        exchange.receive(&answer, now())
    }

    /// The whole login; one more try where the server demands something fresh.
    async fn log_in(&mut self, login: Login) -> Result<Tokens, OAuthError> {
        let begun = self.begin(login).await?;
        let arrived = peer::browse(&self.http, &self.peer.issuer, begun.url.as_str()).await;
        let mut exchange = begun.pending.receive(&arrived)?.exchange(&self.server)?;
        let mut answer = self.call(exchange.call(), login).await;
        let mut outcome = exchange.receive(&answer, now());
        while let Err(TokenReject::Demanded(_)) = outcome {
            answer = self.call(exchange.call(), login).await;
            outcome = exchange.receive(&answer, now());
        }
        self.verify(&outcome?).await
    }

    async fn verify(&self, unverified: &UnverifiedTokens) -> Result<Tokens, OAuthError> {
        let keys = send(&self.http, &self.server.keys()?).await;
        Ok(unverified.verify(&Jwks::receive(&keys)?)?)
    }

    async fn refresh(&mut self, tokens: &Tokens, login: Login) -> Result<Tokens, OAuthError> {
        let mut refresh = tokens.refresh(&self.server)?;
        let answer = self.call(refresh.call(), login).await;
        let mut outcome = refresh.receive(&answer, now());
        if let Err(TokenReject::Demanded(_)) = outcome {
            let answer = self.call(refresh.call(), login).await;
            outcome = refresh.receive(&answer, now());
        }
        self.verify(&outcome?).await
    }

    async fn revoke(&mut self, tokens: &Tokens, login: Login) {
        let call = tokens.revoke(&self.server).unwrap();
        let authentication = self.authentication(login).await;
        let request = if login.how == How::AttestedByDpop {
            call.with_proof(&authentication, &self.proof(&call))
        } else {
            call.with(&authentication)
        };
        revoke::receive(&send(&self.http, &request.unwrap()).await).unwrap();
    }

    async fn email(&mut self, tokens: &Tokens, login: Login) -> Option<String> {
        let mut answer = self.ask_userinfo(tokens, login).await;
        if login.bound && answer.status == 401 {
            answer = self.ask_userinfo(tokens, login).await;
        }
        tokens.receive_userinfo(&answer).unwrap().email
    }

    async fn ask_userinfo(&mut self, tokens: &Tokens, login: Login) -> HttpResponse {
        let mut request = tokens.userinfo(&self.server).unwrap();
        if login.bound {
            let mut entropy = SystemEntropy;
            let seed = ProofSeed {
                nonce: self.freshness.nonce(&request.url),
                now: now(),
                entropy: &mut entropy,
            };
            let target = (request.method, &request.url);
            let key = self.instance.dpop();
            let proof = dpop::prove_to_resource(&key, target, tokens.access_token(), seed);
            request = request.with_proof(&self.instance.prove(proof.unwrap()));
        }
        let answer = send(&self.http, &request).await;
        self.freshness.learn(&request.url, &answer);
        answer
    }
}

async fn send(http: &reqwest::Client, request: &HttpRequest) -> HttpResponse {
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Delete => reqwest::Method::DELETE,
    };
    let mut builder = http.request(method, request.url.clone());
    for (name, value) in &request.headers {
        builder = builder.header(*name, value.expose());
    }
    let answer = builder
        .body(request.body.expose().to_owned())
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let headers = answer
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    HttpResponse::new(status, headers, answer.bytes().await.unwrap().to_vec())
}

const fn login(client: &'static str, how: How) -> Login {
    Login {
        client,
        how,
        bound: false,
        pushed: false,
    }
}

const LOGINS: [Login; 12] = [
    login("c-public", How::Public),
    login("c-basic", How::Basic),
    login("c-post", How::Post),
    login("c-csjwt", How::SecretJwt),
    login("c-pkjwt", How::KeyJwt),
    login("c-attest", How::Attested),
    Login {
        pushed: true,
        ..login("c-basic", How::Basic)
    },
    Login {
        pushed: true,
        ..login("c-pkjwt", How::KeyJwt)
    },
    Login {
        bound: true,
        ..login("c-pkjwt-dpop", How::KeyJwt)
    },
    Login {
        bound: true,
        pushed: true,
        ..login("c-pkjwt-dpop", How::KeyJwt)
    },
    Login {
        bound: true,
        ..login("c-attest", How::Attested)
    },
    Login {
        bound: true,
        pushed: true,
        ..login("c-attest-dpop", How::AttestedByDpop)
    },
];

macro_rules! world_or_skip {
    () => {
        match World::new().await {
            Some(world) => world,
            None => {
                println!("SKIPPED oidc_provider: not installed (cargo xtask peers)");
                return;
            }
        }
    };
}

#[tokio::test]
async fn every_client_logs_in_reads_refreshes_and_leaves() {
    let mut world = world_or_skip!();
    for login in LOGINS {
        let tokens = world.log_in(login).await;
        let tokens = tokens.unwrap_or_else(|error| panic!("{login:?}: {error} ({})", error.code()));
        assert_eq!(tokens.identity().unwrap().subject, "alice", "{login:?}");
        let email = world.email(&tokens, login).await;
        assert_eq!(email.as_deref(), Some("alice@example.com"), "{login:?}");
        let renewed = world.refresh(&tokens, login).await.unwrap();
        assert!(
            !renewed
                .access_token()
                .matches(tokens.access_token().expose())
        );
        world.revoke(&renewed, login).await;
        let dead = world.refresh(&renewed, login).await.unwrap_err();
        assert_eq!(dead.code(), "server-invalid-grant", "{login:?}");
    }
}

#[tokio::test]
async fn a_stolen_code_is_worth_nothing_to_another_instance() {
    let mut world = world_or_skip!();
    let login = Login {
        bound: true,
        ..login("c-pkjwt-dpop", How::KeyJwt)
    };
    let begun = world.begin(login).await.unwrap();
    let arrived = peer::browse(&world.http, &world.peer.issuer, begun.url.as_str()).await;
    let mut exchange = begun
        .pending
        .receive(&arrived)
        .unwrap()
        .exchange(&world.server)
        .unwrap();
    // The thief has code, verifier and client key, but not the instance's key: his proof names another one.
    let owner = std::mem::replace(&mut world.instance, Key::new());
    let authentication = world.authentication(login).await;
    let thief = world.proof(exchange.call());
    assert!(
        exchange.call().with_proof(&authentication, &thief).is_err(),
        "our engine refuses"
    );
    let authentication = world.authentication(login).await;
    let owners = owner.prove(
        exchange
            .call()
            .prove(&owner.dpop(), seed(&mut SystemEntropy))
            .unwrap(),
    );
    let mut request = exchange
        .call()
        .with_proof(&authentication, &owners)
        .unwrap();
    request.headers.retain(|(name, _)| *name != "dpop");
    let first = send(&world.http, &request.clone().with_proof(&thief)).await;
    world.freshness.learn(&request.url, &first);
    let thief = world.proof(exchange.call());
    let authentication = world.authentication(login).await;
    let mut request = exchange
        .call()
        .with_proof(&authentication, &owners)
        .unwrap();
    request.headers.retain(|(name, _)| *name != "dpop");
    let answer = send(&world.http, &request.with_proof(&thief)).await;
    let reject = exchange.receive(&answer, now()).unwrap_err();
    assert_eq!(
        reject.code(),
        "server-invalid-grant",
        "and so does the server"
    );
}

fn seed(entropy: &mut SystemEntropy) -> ProofSeed<'_> {
    ProofSeed {
        nonce: None,
        now: now(),
        entropy,
    }
}

#[tokio::test]
async fn secrets_and_assertions_that_break_one_rule_are_refused() {
    let mut world = world_or_skip!();
    let basic = login("c-basic", How::Basic);
    let wrong =
        ClientAuthentication::SecretBasic(SecretText::new("another-secret-of-32-characters!"));
    for (authentication, code) in [
        (&wrong, "server-invalid-client"),
        (&ClientAuthentication::None, "server-invalid-client"),
    ] {
        assert_eq!(code_of(&world.redeem(basic, authentication).await), code);
    }

    let by_key = login("c-pkjwt", How::KeyJwt);
    let once = world.authentication(by_key).await;
    assert_eq!(code_of(&world.redeem(by_key, &once).await), "accept");
    let again = world.redeem(by_key, &once).await;
    assert_eq!(
        code_of(&again),
        "server-invalid-client",
        "a jti is good once"
    );

    let issuer = std::mem::replace(
        &mut world.server.issuer,
        Issuer::parse("https://other.example").unwrap(),
    );
    let foreign = world.authentication(by_key).await;
    world.server.issuer = issuer;
    let outcome = world.redeem(by_key, &foreign).await;
    assert_eq!(
        code_of(&outcome),
        "server-invalid-client",
        "an assertion for another server"
    );
}

#[tokio::test]
async fn attestations_that_break_one_rule_are_refused() {
    let mut world = world_or_skip!();
    let attested = login("c-attest", How::Attested);
    for challenge in [None, Some("made-up")] {
        let entropy = &mut SystemEntropy;
        let jwt =
            attestation::prove(&world.server, "c-attest", (challenge, now()), entropy).unwrap();
        let proof = jwt
            .signed_fixed(&world.instance.sign(jwt.signing_input()))
            .unwrap();
        let attestation = world.attestation("c-attest");
        let unchallenged = ClientAuthentication::Attestation { attestation, proof };
        let outcome = world.redeem(attested, &unchallenged).await;
        assert_eq!(
            code_of(&outcome),
            "server-use-attestation-challenge",
            "{challenge:?}"
        );
    }

    let once = world.authentication(attested).await;
    assert_eq!(code_of(&world.redeem(attested, &once).await), "accept");
    let again = world.redeem(attested, &once).await;
    assert_eq!(
        code_of(&again),
        "server-invalid-client",
        "a proof is good once"
    );

    let own = world.attestation("c-attest");
    let owner = std::mem::replace(&mut world.instance, Key::new());
    let ClientAuthentication::Attestation { proof, .. } = world.authentication(attested).await
    else {
        panic!("attested");
    };
    let borrowed = ClientAuthentication::Attestation {
        attestation: own,
        proof,
    };
    let outcome = world.redeem(attested, &borrowed).await;
    assert_eq!(
        code_of(&outcome),
        "server-invalid-client",
        "another instance's attestation"
    );

    world.instance = owner;
    let honest = std::mem::replace(&mut world.attester, Key::new());
    let rogue = world.authentication(attested).await;
    world.attester = honest;
    let outcome = world.redeem(attested, &rogue).await;
    assert_eq!(
        code_of(&outcome),
        "server-invalid-client",
        "a rogue attester"
    );
}

#[tokio::test]
async fn a_refresh_token_of_an_attested_client_obeys_its_instance() {
    let mut world = world_or_skip!();
    let attested = login("c-attest", How::Attested);
    let tokens = world.log_in(attested).await.unwrap();
    let owner = std::mem::replace(&mut world.instance, Key::new());
    let stolen = world.refresh(&tokens, attested).await.unwrap_err();
    assert_eq!(stolen.code(), "server-invalid-grant");
    world.instance = owner;
    assert!(world.refresh(&tokens, attested).await.is_ok());
}

#[tokio::test]
async fn an_instance_registers_itself_by_a_statement_for_its_key_and_is_gone_when_deleted() {
    let world = world_or_skip!();
    let uris = [RedirectUri::parse("https://app.example.com/oauth2/callback").unwrap()];
    let token = SecretText::new("may-register");
    let statement = |signer: &Key, key: &Key| {
        let claims = json!({"jkt": key.dpop().thumbprint(), "iat": now().0});
        signer.jwt(&json!({"alg": "ES256"}), &claims)
    };
    let key = world.instance.dpop();
    let mut registered = None;
    for (statement, code) in [
        (
            statement(&Key::new(), &world.instance),
            "server-invalid-software-statement",
        ),
        (
            statement(&world.attester, &Key::new()),
            "server-invalid-software-statement",
        ),
        (statement(&world.attester, &world.instance), "accept"),
    ] {
        let wish = registration::Wish {
            redirect_uris: &uris,
            key: &key,
            software_statement: &statement,
            initial_access_token: Some(&token),
        };
        let request = registration::begin(&world.server, &wish).unwrap();
        let answer = send(&world.http, &request).await;
        let outcome = registration::receive(&world.server, &wish, &answer);
        assert_eq!(
            outcome
                .as_ref()
                .map_or_else(registration::RegistrationReject::code, |_| "accept"),
            code
        );
        registered = outcome.ok();
    }
    let client = registered.unwrap();
    let id: &'static str = client.client_id().to_owned().leak();
    let mut world = world;
    // From now on the instance's own key is the client's.
    std::mem::swap(&mut world.client_key, &mut world.instance);
    let own = login(id, How::KeyJwt);
    let tokens = world.log_in(own).await.unwrap();
    assert_eq!(tokens.identity().unwrap().subject, "alice");
    let deleted = send(&world.http, &client.delete().unwrap()).await;
    assert_eq!(deleted.status, 204);
    let gone = world.refresh(&tokens, own).await.unwrap_err();
    assert_eq!(gone.code(), "server-invalid-client");
}
