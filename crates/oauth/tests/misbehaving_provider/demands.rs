//! Servers that demand fresh values: met once with everything made anew, never in a loop.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use bonafide_oauth::assertion::{self, AudiencePolicy};
use bonafide_oauth::authentication::Assertion;
use bonafide_oauth::authorize::{self, AuthorizationWish, Client};
use bonafide_oauth::dpop::{Binding, DpopKey, ProofSeed};
use bonafide_oauth::encoding::read_base64url;
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::exchange::{CodeExchange, TokenReject};
use bonafide_oauth::freshness::Freshness;
use bonafide_oauth::{
    ClientAuthentication, HttpRequest, HttpResponse, Issuer, RedirectUri, SecretText,
    ServerMetadata, UnixTime, attestation,
};
use serde_json::{Value, json};

use crate::provider::{CLIENT, ISSUER, NOW, Provider, answer};

/// What the client authenticates by.
#[derive(PartialEq, Eq)]
enum Means {
    Assertion,
    Attestation,
}

struct Phone {
    key: EcdsaKeyPair,
    server: ServerMetadata,
    freshness: Freshness,
    means: Means,
}

impl Phone {
    fn public(&self) -> DpopKey {
        DpopKey::from_point(self.key.public_key().as_ref()).unwrap()
    }

    fn sign(&self, input: &[u8]) -> Vec<u8> {
        let signature = self.key.sign(&SystemRandom::new(), input).unwrap();
        signature.as_ref().to_vec()
    }

    fn authentication(&self) -> ClientAuthentication {
        let entropy = &mut SystemEntropy;
        if self.means == Means::Attestation {
            let challenge = self.freshness.challenge(&self.server.token_endpoint);
            let seed = (challenge, UnixTime(NOW));
            let jwt = attestation::prove(&self.server, CLIENT, seed, entropy).unwrap();
            let proof = jwt.signed_fixed(&self.sign(jwt.signing_input())).unwrap();
            let attestation = SecretText::new("a.b.c");
            return ClientAuthentication::Attestation { attestation, proof };
        }
        let assertion = assertion::Assertion {
            server: &self.server,
            audience: AudiencePolicy::Issuer,
            client_id: CLIENT,
            now: UnixTime(NOW),
        };
        let jwt = assertion.for_key("k", entropy).unwrap();
        let text = jwt.signed_fixed(&self.sign(jwt.signing_input())).unwrap();
        ClientAuthentication::Assertion(Assertion::PrivateKey(text))
    }

    fn request(&self, exchange: &CodeExchange) -> HttpRequest {
        let mut entropy = SystemEntropy;
        let seed = ProofSeed {
            nonce: self.freshness.nonce(exchange.call().url()),
            now: UnixTime(NOW),
            entropy: &mut entropy,
        };
        let proof = exchange.call().prove(&self.public(), seed).unwrap();
        let signature = self.sign(proof.signing_input());
        let proof = proof.signed_fixed(&signature).unwrap();
        exchange
            .call()
            .with_proof(&self.authentication(), &proof)
            .unwrap()
    }

    /// As the contract has it: again for each demand, until the engine says that it is a loop.
    fn exchange(&mut self, provider: &mut Provider) -> &'static str {
        let client = Client {
            client_id: CLIENT.to_owned(),
            redirect_uri: RedirectUri::parse("http://127.0.0.1:5000/callback").unwrap(),
        };
        let wish = AuthorizationWish {
            scope: vec!["openid".to_owned()],
            binding: Binding::Dpop(self.public().thumbprint()),
            extra: vec![],
        };
        let begun = authorize::begin(&self.server, &client, &wish, &mut SystemEntropy).unwrap();
        let landed = provider.authorize(&begun.url);
        let authorized = begun.pending.receive(&landed).unwrap();
        let mut exchange = authorized.exchange(&self.server).unwrap();
        loop {
            let request = self.request(&exchange);
            let answered = provider.answer(&request);
            self.freshness.learn(&request.url, &answered);
            match exchange.receive(&answered, UnixTime(NOW)) {
                Err(TokenReject::Demanded(_)) => {}
                Err(reject) => return reject.code(),
                Ok(_) => return "accept",
            }
        }
    }
}

fn phone(provider: &mut Provider, means: Means) -> Phone {
    let issuer = Issuer::parse(ISSUER).unwrap();
    let answered = provider.answer(&issuer.documents()[0]);
    Phone {
        key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
        server: ServerMetadata::receive(&issuer, &answered).unwrap(),
        freshness: Freshness::default(),
        means,
    }
}

fn demand(error: &str, fresh: Option<(&str, &str)>) -> HttpResponse {
    let body = json!({ "error": error }).to_string();
    let mut response = answer(400, "application/json", &body);
    if let Some((name, value)) = fresh {
        response.headers.push((name.to_owned(), value.to_owned()));
    }
    response
}

fn nonce(value: &str) -> HttpResponse {
    demand("use_dpop_nonce", Some(("DPoP-Nonce", value)))
}

fn challenge(value: &str) -> HttpResponse {
    let header = "OAuth-Client-Attestation-Challenge";
    demand("use_attestation_challenge", Some((header, value)))
}

fn good() -> Provider {
    let mut provider = Provider::good();
    provider.token_body["token_type"] = json!("dPoP");
    provider
}

/// `happy-path` with and without a nonce, `rs-dpop-auth-scheme-case-insensitivity`, loops, demands that bring nothing.
#[test]
fn each_kind_of_demand_is_met_once_and_a_loop_ends() {
    let fresh = || demand("use_fresh_attestation", None);
    for (first, then, code, requests) in [
        (vec![], None, "accept", 1),
        (vec![nonce("n-1")], None, "accept", 2),
        (vec![challenge("c-1")], None, "accept", 2),
        (vec![fresh()], None, "accept", 2),
        (
            vec![challenge("c-1"), nonce("n-1"), fresh()],
            None,
            "accept",
            4,
        ),
        (vec![], Some(nonce("n-1")), "demand-repeated", 2),
        (vec![], Some(challenge("c-1")), "demand-repeated", 2),
        (vec![], Some(fresh()), "demand-repeated", 2),
        (
            vec![nonce("n-1"), challenge("c-1"), nonce("n-2")],
            Some(challenge("c-2")),
            "demand-repeated",
            3,
        ),
        (
            vec![],
            Some(demand("use_dpop_nonce", None)),
            "server-use-dpop-nonce",
            1,
        ),
        (
            vec![],
            Some(demand("use_attestation_challenge", None)),
            "server-use-attestation-challenge",
            1,
        ),
    ] {
        let mut provider = good();
        provider.token_first = first;
        provider.token_answer = then;
        let found = phone(&mut provider, Means::Attestation).exchange(&mut provider);
        assert_eq!((found, provider.token_requests.len()), (code, requests));
    }
}

fn claims(jwt: &str) -> Value {
    let payload = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&read_base64url(payload).unwrap()).unwrap()
}

fn header_claims(request: &HttpRequest, name: &str) -> Value {
    claims(request.header(name).unwrap().expose())
}

/// `jti burned`: the server remembers what it saw in the refused try.
#[test]
fn nothing_that_was_signed_for_one_try_is_sent_in_the_next() {
    let mut provider = good();
    provider.token_first = vec![nonce("n-1")];
    assert_eq!(
        phone(&mut provider, Means::Assertion).exchange(&mut provider),
        "accept"
    );
    let [first, second] = provider.token_requests.as_slice() else {
        panic!("two tries");
    };
    let assertion = |request: &HttpRequest| {
        let body = request.body.expose().to_owned();
        let mut fields = url::form_urlencoded::parse(body.as_bytes()).into_owned();
        let (_, jwt) = fields.find(|(name, _)| name == "client_assertion").unwrap();
        claims(&jwt)["jti"].clone()
    };
    assert_ne!(assertion(first), assertion(second));
    let proof = |request: &HttpRequest| header_claims(request, "dpop");
    assert_ne!(proof(first)["jti"], proof(second)["jti"]);
    assert_eq!(proof(first).get("nonce"), None);
    assert_eq!(proof(second)["nonce"], "n-1");
}

/// `stale challenge header`: whatever the server last said is what it gets.
#[test]
fn the_newest_challenge_is_signed_be_it_older_than_the_one_before() {
    let mut provider = good();
    let mut phone = phone(&mut provider, Means::Attestation);
    let endpoint = phone.server.token_endpoint.clone();
    phone.freshness.learn(&endpoint, &challenge("fetched"));
    provider.token_first = vec![challenge("stale")];
    assert_eq!(phone.exchange(&mut provider), "accept");
    let signed = |request: &HttpRequest| {
        header_claims(request, "oauth-client-attestation-pop")["challenge"].clone()
    };
    let sent: Vec<Value> = provider.token_requests.iter().map(signed).collect();
    assert_eq!(sent, ["fetched", "stale"]);
}

#[test]
fn a_bearer_token_for_a_bound_login_is_refused() {
    let mut provider = good();
    provider.token_body["token_type"] = json!("Bearer");
    let found = phone(&mut provider, Means::Assertion).exchange(&mut provider);
    assert_eq!(found, "token-binding-ignored");
}
