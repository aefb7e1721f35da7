//! The OAuth engine against an unmodified Canaille (Authlib): a second opinion, where servers differ, on the audience of a
//! client assertion, on methods and on the shape of errors. One peer serves all tests; they are skipped where it is not
//! installed (`cargo xtask peers`).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

#[expect(dead_code, reason = "another test uses the rest")]
#[path = "../native_host/mod.rs"]
mod native_host;
mod peer;

use bonafide_oauth::assertion::{self, AudiencePolicy};
use bonafide_oauth::authentication::Assertion;
use bonafide_oauth::authorize::{self, Authorization, AuthorizationWish, Client};
use bonafide_oauth::dpop::Binding;
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::exchange::CodeExchange;
use bonafide_oauth::id_token::IdTokenReject;
use bonafide_oauth::{
    ClientAuthentication, HttpResponse, Issuer, Jwks, RedirectUri, SecretText, ServerMetadata,
    Tokens, revoke,
};
use serde_json::{Value, json};

use native_host::{Key, now, send};
use peer::{Answer, Peer, browse};

const REDIRECT: &str = "https://app.example.com/oauth2/callback";

/// The world, or the end of the test, said aloud.
macro_rules! world_or_skip {
    () => {
        match Peer::shared() {
            Some(peer) => World::new(peer).await,
            None => {
                println!("SKIPPED canaille: not installed (cargo xtask peers)");
                return;
            }
        }
    };
}

struct World {
    issuer: &'static str,
    http: reqwest::Client,
    server: ServerMetadata,
    key: Key,
}

/// A client as the peer registered it.
struct Registered {
    id: String,
    secret: SecretText,
}

impl World {
    async fn new(peer: &'static Peer) -> Self {
        let http = native_host::http();
        let issuer = Issuer::parse(&peer.issuer).unwrap();
        let mut found = Vec::new();
        for request in issuer.documents() {
            let answer = send(&http, &request).await;
            found.push(ServerMetadata::receive(&issuer, &answer).unwrap());
        }
        assert_eq!(found[0].token_endpoint, found[1].token_endpoint);
        Self {
            issuer: &peer.issuer,
            http,
            server: found.remove(0),
            key: Key::new(),
        }
    }

    /// The operator's part: open registration, no statement.
    async fn register(&self, method: &str) -> Registered {
        let endpoint = self.server.registration_endpoint.clone().unwrap();
        let wish = json!({
            "client_name": "Books", "redirect_uris": [REDIRECT], "scope": "openid email profile",
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "token_endpoint_auth_method": method, "token_endpoint_auth_signing_alg": "ES256",
            "jwks": {"keys": [self.key.jwk()]},
        });
        let answer = self.http.post(endpoint).json(&wish).send().await.unwrap();
        let client: Value = answer.json().await.unwrap();
        let text = |name: &str| client[name].as_str().unwrap_or_default().to_owned();
        Registered {
            id: text("client_id"),
            secret: SecretText::new(text("client_secret")),
        }
    }

    fn begin(&self, client: &Registered) -> Authorization {
        let client = Client {
            client_id: client.id.clone(),
            redirect_uri: RedirectUri::parse(REDIRECT).unwrap(),
        };
        let wish = AuthorizationWish {
            scope: ["openid", "email"].map(str::to_owned).to_vec(),
            binding: Binding::Bearer,
            extra: vec![],
        };
        authorize::begin(&self.server, &client, &wish, &mut SystemEntropy).unwrap()
    }

    async fn agreed(&self, client: &Registered) -> CodeExchange {
        let begun = self.begin(client);
        let url = begun.url.as_str();
        let arrived = browse(&self.http, self.issuer, url, Answer::Accept).await;
        let authorized = begun.pending.receive(&arrived).unwrap();
        authorized.exchange(&self.server).unwrap()
    }

    /// A code that the server never gave: how it refuses tells whether it knew the client.
    fn made_up(&self, client: &Registered) -> CodeExchange {
        let begun = self.begin(client);
        let state = begun.url.query_pairs().find(|(name, _)| name == "state");
        let (_, state) = state.unwrap();
        let iss = self.issuer;
        let arrived = format!("{REDIRECT}?code=made-up&state={state}&iss={iss}");
        let authorized = begun.pending.receive(&arrived).unwrap();
        authorized.exchange(&self.server).unwrap()
    }

    fn assertion(&self, client: &Registered, audience: AudiencePolicy) -> ClientAuthentication {
        let assertion = assertion::Assertion {
            server: &self.server,
            audience,
            client_id: &client.id,
            now: now(),
        };
        let jwt = assertion
            .for_key(&self.key.kid(), &mut SystemEntropy)
            .unwrap();
        let signature = self.key.sign(jwt.signing_input());
        let text = jwt.signed_fixed(&signature).unwrap();
        ClientAuthentication::Assertion(Assertion::PrivateKey(text))
    }

    fn authentication(&self, method: &str, client: &Registered) -> ClientAuthentication {
        match method {
            "none" => ClientAuthentication::None,
            "client_secret_basic" => ClientAuthentication::SecretBasic(client.secret.clone()),
            "client_secret_post" => ClientAuthentication::SecretPost(client.secret.clone()),
            _ => self.assertion(client, AudiencePolicy::TokenEndpoint),
        }
    }

    async fn try_exchange(
        &self,
        exchange: &mut CodeExchange,
        authentication: &ClientAuthentication,
    ) -> Result<Tokens, &'static str> {
        let answer = self.present(exchange, authentication).await;
        let unverified = exchange
            .receive(&answer, now())
            .map_err(|reject| reject.code())?;
        let keys = send(&self.http, &self.server.keys().unwrap()).await;
        let keys = Jwks::receive(&keys).unwrap();
        unverified.verify(&keys).map_err(IdTokenReject::code)
    }

    async fn present(
        &self,
        exchange: &CodeExchange,
        authentication: &ClientAuthentication,
    ) -> HttpResponse {
        send(&self.http, &exchange.call().with(authentication).unwrap()).await
    }
}

#[tokio::test]
async fn the_audience_of_an_assertion_is_a_setting_because_servers_differ() {
    let world = world_or_skip!();
    let client = world.register("private_key_jwt").await;
    // A made-up code is looked at only once the client is known.
    for (audience, code) in [
        (AudiencePolicy::TokenEndpoint, "server-invalid-grant"),
        (AudiencePolicy::Both, "server-invalid-grant"),
        (AudiencePolicy::Issuer, "server-invalid-client"),
    ] {
        let assertion = world.assertion(&client, audience);
        let outcome = world
            .try_exchange(&mut world.made_up(&client), &assertion)
            .await;
        assert_eq!(outcome.err(), Some(code), "{audience:?}");
    }
    let once = world.assertion(&client, AudiencePolicy::TokenEndpoint);
    for code in ["server-invalid-grant", "server-invalid-client"] {
        let outcome = world.try_exchange(&mut world.made_up(&client), &once).await;
        assert_eq!(outcome.err(), Some(code), "a jti is good once");
    }
}

#[tokio::test]
async fn every_method_that_it_knows_logs_in_reads_and_leaves() {
    let world = world_or_skip!();
    for method in [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none",
    ] {
        let client = world.register(method).await;
        assert!(world.server.accepts(method));
        let mut exchange = world.agreed(&client).await;
        let authentication = world.authentication(method, &client);
        let tokens = world.try_exchange(&mut exchange, &authentication).await;
        let tokens = tokens.unwrap_or_else(|code| panic!("{method}: {code}"));
        let request = tokens.userinfo(&world.server).unwrap();
        let user = tokens.receive_userinfo(&send(&world.http, &request).await);
        assert_eq!(user.unwrap().email.as_deref(), Some("alice@example.com"));
        let mut refresh = tokens.refresh(&world.server).unwrap();
        let authentication = world.authentication(method, &client);
        let request = refresh.call().with(&authentication).unwrap();
        let answer = send(&world.http, &request).await;
        assert!(refresh.receive(&answer, now()).is_ok(), "{method}");
        if method == "client_secret_basic" {
            // The one method that this server takes for revocation.
            let call = tokens.revoke(&world.server).unwrap();
            let request = call.with(&world.authentication(method, &client)).unwrap();
            revoke::receive(&send(&world.http, &request).await).unwrap();
        }
    }
}

#[tokio::test]
async fn its_refusals_have_our_codes() {
    let world = world_or_skip!();
    let client = world.register("client_secret_basic").await;
    let right = world.authentication("client_secret_basic", &client);
    let wrong = ClientAuthentication::SecretBasic(SecretText::new("wrong"));
    let stranger = Registered {
        id: "nobody".to_owned(),
        secret: SecretText::new("none"),
    };
    let unknown = world.authentication("client_secret_basic", &stranger);
    let mut exchange = world.agreed(&client).await;
    for (outcome, code) in [
        (
            world.try_exchange(&mut exchange, &wrong).await,
            "server-invalid-client",
        ),
        (
            world
                .try_exchange(&mut exchange, &ClientAuthentication::None)
                .await,
            "server-invalid-client",
        ),
        (
            world
                .try_exchange(&mut world.made_up(&stranger), &unknown)
                .await,
            "server-invalid-client",
        ),
        (
            world
                .try_exchange(&mut world.made_up(&client), &right)
                .await,
            "server-invalid-grant",
        ),
    ] {
        assert_eq!(outcome.err(), Some(code));
    }
    let accepted = world.try_exchange(&mut exchange, &right).await;
    assert_eq!(accepted.err(), None);
    let again = world.try_exchange(&mut exchange, &right).await;
    assert_eq!(again.err(), Some("server-invalid-grant"), "a used code");

    let begun = world.begin(&world.register("client_secret_basic").await);
    let url = begun.url.as_str();
    let arrived = browse(&world.http, world.issuer, url, Answer::Deny).await;
    let denied = begun.pending.receive(&arrived).unwrap_err();
    assert_eq!(
        (denied.code(), denied.ends_login()),
        ("server-access-denied", true)
    );
}
