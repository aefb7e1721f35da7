//! What breaks one rule is refused by the peer, with the code that our engine has for it.

use std::sync::Arc;

use bonafide_oauth::authentication::Assertion;
use bonafide_oauth::dpop::{Binding, ProofSeed};
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::exchange::{CodeExchange, TokenReject};
use bonafide_oauth::{ClientAuthentication, HttpRequest, Method, SecretText};
use serde_json::json;

use crate::clients::{bound, pushed};
use crate::native_host::Key;
use crate::world::{CLAIMED_HTTPS, How, Login, World, code_of, login};

const BASIC: Login = login("c-basic", How::Basic);
const BY_KEY: Login = login("c-pkjwt", How::KeyJwt);

#[tokio::test]
async fn secrets_that_are_wrong_or_missing() {
    let mut world = world_or_skip!();
    let wrong = SecretText::new("another-secret-of-32-characters!");
    for authentication in [
        ClientAuthentication::SecretBasic(wrong.clone()),
        ClientAuthentication::SecretPost(wrong),
        ClientAuthentication::None,
    ] {
        let outcome = world.redeem(BASIC, &authentication).await;
        assert_eq!(code_of(&outcome), "server-invalid-client");
    }
}

/// An assertion by the client's key with one claim of another value.
fn assertion(world: &World, member: &str, value: serde_json::Value) -> ClientAuthentication {
    let now = world.now().0;
    let mut claims = json!({
        "iss": "c-pkjwt", "sub": "c-pkjwt", "aud": world.server.issuer.as_str(),
        "jti": format!("{now}-{member}-{value}"), "iat": now, "exp": now + 60,
    });
    claims[member] = value;
    let header = json!({"alg": "ES256", "kid": world.client_key.kid()});
    let text = world.client_key.jwt(&header, &claims);
    ClientAuthentication::Assertion(Assertion::PrivateKey(text))
}

#[tokio::test]
async fn assertions_for_another_server_expired_or_used_before() {
    let mut world = world_or_skip!();
    let token_endpoint = world.server.token_endpoint.to_string();
    let issuer = world.server.issuer.as_str().to_owned();
    let past = world.now().0 - 120;
    for (member, value, code) in [
        (
            "aud",
            json!("https://other.example"),
            "server-invalid-client",
        ),
        ("exp", json!(past), "server-invalid-client"),
        ("iss", json!("c-basic"), "server-invalid-client"),
        // What RFC 7523bis forbids and this peer accepts: why `aud` is a setting of each server.
        ("aud", json!(token_endpoint), "accept"),
        ("aud", json!([issuer, token_endpoint]), "accept"),
    ] {
        let authentication = assertion(&world, member, value.clone());
        let outcome = world.redeem(BY_KEY, &authentication).await;
        assert_eq!(code_of(&outcome), code, "{member} = {value}");
    }
    let once = world.authentication(BY_KEY).await;
    assert_eq!(code_of(&world.redeem(BY_KEY, &once).await), "accept");
    let again = world.redeem(BY_KEY, &once).await;
    assert_eq!(
        code_of(&again),
        "server-invalid-client",
        "a jti is good once"
    );
}

fn with_field(request: &mut HttpRequest, name: &str, value: &str) {
    let fields = url_decoded(request.body.expose());
    let mut form = reqwest::Url::parse("http://form/").unwrap();
    form.query_pairs_mut()
        .extend_pairs(fields.into_iter().filter(|(known, _)| known != name))
        .append_pair(name, value);
    request.body = SecretText::new(form.query().unwrap());
}

fn url_decoded(form: &str) -> Vec<(String, String)> {
    let url = reqwest::Url::parse(&format!("http://form/?{form}")).unwrap();
    url.query_pairs().into_owned().collect()
}

#[tokio::test]
async fn codes_with_another_verifier_or_redirect_or_a_second_time() {
    let mut world = world_or_skip!();
    for (name, value) in [
        (
            "code_verifier",
            "a-verifier-of-forty-three-characters-or-more",
        ),
        ("redirect_uri", "https://app.example.com/elsewhere"),
    ] {
        let mut exchange = world.agreed(BASIC).await.unwrap();
        let authentication = world.authentication(BASIC).await;
        let mut request = exchange.call().with(&authentication).unwrap();
        with_field(&mut request, name, value);
        let answer = world.send(&request).await;
        let reject = exchange.receive(&answer, world.local()).unwrap_err();
        assert_eq!(reject.code(), "server-invalid-grant", "{name}");
    }
    let mut exchange = world.agreed(BASIC).await.unwrap();
    let answer = world.call(exchange.call(), BASIC).await;
    let tokens = exchange.receive(&answer, world.local()).unwrap();
    let tokens = world.verify(&tokens).await.unwrap();
    assert!(world.userinfo(&tokens).await.is_ok());
    let answer = world.call(exchange.call(), BASIC).await;
    let again = exchange.receive(&answer, world.local()).unwrap_err();
    assert_eq!(again.code(), "server-invalid-grant");
    let dead = world.userinfo(&tokens).await.unwrap_err();
    assert!(
        dead.wants_fresh_token(),
        "what the first use brought is void"
    );
}

#[tokio::test]
async fn authorization_requests_without_pkce_or_to_an_unregistered_address() {
    let mut world = world_or_skip!();
    let begun = world.begin(BASIC).await.unwrap();
    let without: Vec<(String, String)> = begun
        .url
        .query_pairs()
        .into_owned()
        .filter(|(name, _)| !name.starts_with("code_challenge"))
        .collect();
    let mut url = begun.url.clone();
    url.query_pairs_mut().clear().extend_pairs(without);
    let answer = world.http.get(url.as_str()).send().await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap();
    assert!(location.starts_with(CLAIMED_HTTPS));
    let reject = begun.pending.receive(location).unwrap_err();
    assert_eq!(
        reject.code(),
        "server-invalid-request",
        "with state and iss"
    );
    assert!(reject.ends_login());

    let elsewhere = begun
        .url
        .as_str()
        .replace("app.example.com", "evil.example");
    let answer = world.http.get(elsewhere).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.headers().get("location"), None);
}

/// The thief has code, verifier and client key, but not the instance's key.
async fn redeem_with_a_thiefs_proof(
    world: &mut World,
    exchange: &mut CodeExchange,
    login: Login,
) -> TokenReject {
    let owner = Arc::clone(&world.instance);
    let thief = Arc::new(Key::new());
    loop {
        world.instance = Arc::clone(&thief);
        let proof = world.proof(exchange.call());
        let authentication = world.authentication(login).await;
        let refused = exchange.call().with_proof(&authentication, &proof);
        assert!(refused.is_err(), "our engine does not send it");
        let mut entropy = SystemEntropy;
        let seed = ProofSeed {
            nonce: None,
            now: world.now(),
            entropy: &mut entropy,
        };
        let owners = owner.prove(exchange.call().prove(&owner.dpop(), seed).unwrap());
        let authentication = world.authentication(login).await;
        let mut request = exchange
            .call()
            .with_proof(&authentication, &owners)
            .unwrap();
        request.headers.retain(|(name, _)| *name != "dpop");
        let answer = world.send(&request.with_proof(&proof)).await;
        match exchange.receive(&answer, world.local()) {
            Err(TokenReject::Demanded(_)) => {}
            outcome => return outcome.unwrap_err(),
        }
    }
}

#[tokio::test]
async fn a_stolen_code_is_worth_nothing_to_another_instance() {
    let mut world = world_or_skip!();
    for login in [
        bound(login("c-pkjwt-dpop", How::KeyJwt)),
        bound(pushed(login("c-pkjwt-dpop", How::KeyJwt))),
        bound(login("c-attest", How::Attested)),
        bound(pushed(login("c-attest", How::Attested))),
    ] {
        world.instance = Arc::new(Key::new());
        let mut exchange = world.agreed(login).await.unwrap();
        let reject = redeem_with_a_thiefs_proof(&mut world, &mut exchange, login).await;
        assert_eq!(reject.code(), "server-invalid-grant", "{login:?}");
    }
}

#[tokio::test]
async fn a_bound_token_is_no_bearer_token() {
    let mut world = world_or_skip!();
    let login = bound(login("c-pkjwt-dpop", How::KeyJwt));
    let tokens = world.log_in(login).await.unwrap();
    assert!(matches!(tokens.binding(), Binding::Dpop(_)));
    let url = world.server.userinfo_endpoint.clone().unwrap();
    let call = tokens.resource(Method::Get, &url).unwrap();
    assert!(call.headers().is_err(), "our engine does not send it");
    let bearer = format!("Bearer {}", tokens.access_token().expose());
    let asked = world.http.get(url).header("authorization", bearer);
    assert_eq!(asked.send().await.unwrap().status(), 401);
    // Nor is it of use with another key's proof.
    let owner = std::mem::replace(&mut world.instance, Arc::new(Key::new()));
    let foreign = call.prove(
        &world.instance.dpop(),
        ProofSeed {
            nonce: world.freshness.nonce(call.url()),
            now: world.now(),
            entropy: &mut SystemEntropy,
        },
    );
    let foreign = world.instance.prove(foreign.unwrap());
    assert!(call.headers_with_proof(&foreign).is_err());
    let request = world
        .http
        .get(call.url().as_str())
        .header("authorization", tokens.authorization().expose())
        .header("dpop", foreign.header().expose());
    assert_eq!(request.send().await.unwrap().status(), 401);
    world.instance = owner;
    assert!(world.userinfo(&tokens).await.is_ok());
}
