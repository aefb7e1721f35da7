//! Rung 2: the code goes to Bonafide, which adds the client's secret and asks the peer. What a listener, another instance or a
//! rude upstream gets is looked for byte by byte.

use std::sync::Arc;

use bonafide_oauth::exchange::{CodeExchange, TokenReject};
use bonafide_oauth::{AuthenticatedCall, ClientAuthentication, OAuthError, Tokens, revoke};
use bonafide_wire::problem::Problem;
use bonafide_wire::upstream::{
    RelayOrder, RelayPayload, RelayReply, SealedRelayReply, TokenTypeHint,
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::clients::bound;
use crate::native_host::Key;
use crate::peer::SECRET;
use crate::phone::DevicePhone;
use crate::relay_phone::{Relayed, as_response};
use crate::rungs::{assert_secret_stayed, upstream_at};
use crate::service::Service;
use crate::world::{CLAIMED_HTTPS, How, Login, World, login};

const BASIC: Login = login("c-basic", How::Basic);
const CANARY: &str = SECRET;

/// A field of a call's form.
fn field(call: &AuthenticatedCall, name: &str) -> String {
    call.field(name).unwrap().expose().to_owned()
}

fn code_order(exchange: &CodeExchange) -> RelayOrder {
    let call = exchange.call();
    RelayOrder::AuthorizationCode {
        code: field(call, "code").into(),
        redirect_uri: field(call, "redirect_uri"),
        code_verifier: field(call, "code_verifier").into(),
    }
}

fn refresh_order(call: &AuthenticatedCall) -> RelayOrder {
    RelayOrder::RefreshToken {
        refresh_token: field(call, "refresh_token").into(),
        scope: None,
    }
}

/// What becomes of refresh tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RefreshTokens {
    HandedOut,
    Kept,
}

async fn with_upstream(world: &World, method: &str, tokens: RefreshTokens) -> Service {
    let service = Service::start().await;
    service.put_secret("as_secret", CANARY).await;
    let authentication = json!({"method": method, "secret": "as_secret"});
    let mut put = upstream_at(world, "c-basic", &["relay"], &authentication);
    put["keep_refresh_tokens"] = json!(tokens == RefreshTokens::Kept);
    service.admin("PUT", "upstreams/peer", put).await;
    service
}

/// Asks once; a demand for a nonce is the engine's to meet with another request.
async fn relay(
    world: &mut World,
    phone: &mut DevicePhone<'_>,
    (action, call): (&str, &AuthenticatedCall),
    order: RelayOrder,
) -> Result<RelayReply, Problem> {
    let bound = call.needs_proof(&ClientAuthentication::None);
    let proof = bound.then(|| world.proof(call).header().expose().to_owned());
    let relayed = phone
        .relay_request((action, "peer"), proof, |_, _| order)
        .await;
    let reply = phone.send_relay(&relayed).await?;
    phone.ticket = reply.ticket.clone();
    world.freshness.learn(call.url(), &as_response(&reply));
    Ok(reply)
}

async fn redeem(
    world: &mut World,
    phone: &mut DevicePhone<'_>,
    mut exchange: CodeExchange,
) -> Result<Tokens, OAuthError> {
    loop {
        let call = exchange.call().clone();
        let reply = relay(world, phone, ("token", &call), code_order(&exchange)).await;
        match exchange.receive(&as_response(&reply.unwrap()), world.local()) {
            Err(TokenReject::Demanded(_)) => {}
            outcome => return world.verify(&outcome?).await,
        }
    }
}

async fn refresh(
    world: &mut World,
    phone: &mut DevicePhone<'_>,
    tokens: &Tokens,
) -> Result<Tokens, OAuthError> {
    let mut refresh = tokens.refresh(&world.server)?;
    loop {
        let call = refresh.call().clone();
        let reply = relay(world, phone, ("token", &call), refresh_order(&call)).await;
        match refresh.receive(&as_response(&reply.unwrap()), world.local()) {
            Err(TokenReject::Demanded(_)) => {}
            outcome => return world.verify(&outcome?).await,
        }
    }
}

async fn whole_life(world: &mut World, phone: &mut DevicePhone<'_>, login: Login) {
    let exchange = world.agreed(login).await.unwrap();
    let tokens = redeem(world, phone, exchange).await.unwrap();
    assert_eq!(tokens.identity().unwrap().subject, "alice");
    assert!(world.userinfo(&tokens).await.is_ok());
    let renewed = refresh(world, phone, &tokens).await.unwrap();
    assert!(world.userinfo(&renewed).await.is_ok());
    let call = renewed.revoke(&world.server).unwrap();
    let order = RelayOrder::Revoke {
        token: field(&call, "token").into(),
        token_type_hint: TokenTypeHint::RefreshToken,
    };
    let reply = relay(world, phone, ("revoke", &call), order).await.unwrap();
    revoke::receive(&as_response(&reply)).unwrap();
    let dead = refresh(world, phone, &renewed).await.unwrap_err();
    assert_eq!(dead.code(), "server-invalid-grant");
}

#[tokio::test]
async fn a_whole_life_by_relay_with_refresh_tokens_handed_out_or_kept() {
    let mut world = world_or_skip!();
    for (method, tokens) in [
        ("client_secret_basic", RefreshTokens::HandedOut),
        ("client_secret_post", RefreshTokens::Kept),
    ] {
        let service = with_upstream(&world, method, tokens).await;
        let mut phone = service.phone().await;
        world.instance = Arc::clone(&phone.instance);
        whole_life(&mut world, &mut phone, BASIC).await;
        whole_life(&mut world, &mut phone, bound(BASIC)).await;
        assert_secret_stayed(&service, &phone);
    }
}

#[tokio::test]
async fn a_captured_relay_request_gains_nothing() {
    let mut world = world_or_skip!();
    let service = with_upstream(&world, "client_secret_basic", RefreshTokens::Kept).await;
    let mut phone = service.phone().await;
    let thief = service.phone().await;
    let mut exchange = world.agreed(BASIC).await.unwrap();
    let order = code_order(&exchange);
    let captured = phone
        .relay_request(("token", "peer"), None, |_, _| order)
        .await;
    let bytes = serde_json::to_vec(&captured.request).unwrap();
    let (status, first) = phone.post_bytes(&captured.route, bytes.clone()).await;
    assert_eq!(status, 200);
    let sealed: SealedRelayReply = serde_json::from_slice(&first).unwrap();
    let reply = captured.open(&sealed).unwrap();
    assert!(!reply.body.0.expose().contains(CANARY));
    let tokens = exchange
        .receive(&as_response(&reply), world.local())
        .unwrap();
    let tokens = world.verify(&tokens).await.unwrap();
    phone.ticket = reply.ticket.clone();

    // Sent again by whoever has the bytes: the same sealed answer, and the peer is not asked again (it would have revoked
    // the tokens of a code that comes twice, RFC 6749 §4.1.2).
    let (status, again) = thief.post_bytes(&captured.route, bytes).await;
    assert_eq!((status, &again), (200, &first));
    let stranger = thief
        .relay_request(("token", "peer"), None, |_, _| code_order(&exchange))
        .await;
    assert!(stranger.open(&sealed).is_none());
    assert!(world.userinfo(&tokens).await.is_ok(), "the login lives");

    // Under the thief's own ticket and key: the challenge is spent.
    let resigned = Relayed::of(
        &captured,
        thief.signed_relay(captured.request.payload.as_slice().to_vec()),
    );
    let reject = thief.send_relay(&resigned).await.unwrap_err();
    assert_eq!(reject.code.as_str(), "challenge-used");
    // Under the owner's ticket but the thief's key, or altered: no proof.
    let mut mixed = thief.signed_relay(captured.request.payload.as_slice().to_vec());
    mixed.ticket = captured.request.ticket.clone();
    let reject = thief.send_relay(&Relayed::of(&captured, mixed)).await;
    assert_eq!(reject.unwrap_err().code.as_str(), "proof-invalid");
    let mut altered: RelayPayload =
        serde_json::from_slice(captured.request.payload.as_slice()).unwrap();
    altered.sdk.name = "thief".to_owned();
    let mut request = captured.request.clone();
    request.payload = bonafide_wire::bytes::Base64Url(serde_json::to_vec(&altered).unwrap());
    let reject = thief.send_relay(&Relayed::of(&captured, request)).await;
    assert_eq!(reject.unwrap_err().code.as_str(), "proof-invalid");

    // A kept refresh token is worth nothing to another instance.
    assert!(reply.refresh_token_kept);
    let call = tokens.refresh(&world.server).unwrap();
    let stolen = thief
        .relay_request(("token", "peer"), None, |_, _| refresh_order(call.call()))
        .await;
    let reject = thief.send_relay(&stolen).await.unwrap_err();
    assert_eq!(reject.code.as_str(), "refresh-token-invalid");
    assert!(refresh(&mut world, &mut phone, &tokens).await.is_ok());
    assert_secret_stayed(&service, &thief);
    assert_secret_stayed(&service, &phone);
}

#[tokio::test]
async fn a_relay_order_stays_within_what_the_operator_wrote_down() {
    let mut world = world_or_skip!();
    let service = with_upstream(&world, "client_secret_basic", RefreshTokens::HandedOut).await;
    let put = upstream_at(&world, "c-attest", &["attested-client"], &json!(null));
    service.admin("PUT", "upstreams/other", put).await;
    let phone = service.phone().await;
    let exchange = world.agreed(BASIC).await.unwrap();
    let elsewhere = RelayOrder::AuthorizationCode {
        code: field(exchange.call(), "code").into(),
        redirect_uri: "https://evil.example/callback".to_owned(),
        code_verifier: field(exchange.call(), "code_verifier").into(),
    };
    for (route, order, code) in [
        (
            ("token", "nowhere"),
            code_order(&exchange),
            "unknown-upstream",
        ),
        (
            ("token", "other"),
            code_order(&exchange),
            "rung-not-allowed",
        ),
        (("token", "peer"), elsewhere, "redirect-uri-not-allowed"),
        (
            ("revoke", "peer"),
            code_order(&exchange),
            "malformed-request",
        ),
    ] {
        let relayed = phone.relay_request(route, None, |_, _| order).await;
        let reject = phone.send_relay(&relayed).await.unwrap_err();
        assert_eq!(reject.code.as_str(), code, "{route:?}");
    }
    // Signed for one upstream, sent to the route of another.
    let mut crossed = phone
        .relay_request(("token", "peer"), None, |_, _| code_order(&exchange))
        .await;
    crossed.route = "relay/other/token".to_owned();
    let reject = phone.send_relay(&crossed).await.unwrap_err();
    assert_eq!(reject.code.as_str(), "malformed-request");
    // None of it reached the peer: the code is still good.
    let mut phone = phone;
    assert!(redeem(&mut world, &mut phone, exchange).await.is_ok());
}

/// What an upstream does that is none.
type Rude = &'static str;

async fn rude_upstream(said: Rude) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 8192];
            drop(stream.read(&mut bytes).await);
            if said == "silence" {
                std::future::pending::<()>().await;
            }
            drop(stream.write_all(said.as_bytes()).await);
            drop(stream.shutdown().await);
        }
    });
    (origin, serving)
}

const HTML_502: Rude =
    "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<h1>";
const HTML_200: Rude =
    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<h1>";
const MOVED: Rude =
    "HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:9/token\r\ncontent-length: 0\r\n\r\n";
const NO_OBJECT: Rude =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]";
const BROKEN_OFF: Rude =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n{";

#[tokio::test]
async fn upstreams_that_are_down_slow_or_lying_end_in_typed_problems() {
    let world = world_or_skip!();
    let service = with_upstream(&world, "client_secret_basic", RefreshTokens::HandedOut).await;
    let phone = service.phone().await;
    for (said, code, status) in [
        ("down", "upstream-unavailable", 503),
        (HTML_502, "upstream-unavailable", 503),
        (HTML_200, "upstream-misbehaved", 502),
        (MOVED, "upstream-misbehaved", 502),
        (NO_OBJECT, "upstream-misbehaved", 502),
        (BROKEN_OFF, "upstream-timed-out", 504),
        ("silence", "upstream-timed-out", 504),
    ] {
        let (origin, serving) = rude_upstream(said).await;
        if said == "down" {
            serving.abort();
            drop(serving.await);
        }
        let mut put = upstream_at(
            &world,
            "c-basic",
            &["relay"],
            &json!({"method": "client_secret_basic", "secret": "as_secret"}),
        );
        put["issuer"] = json!(origin);
        put["endpoints"] = json!({
            "token": format!("{origin}/token"), "revocation": null, "registration": null,
        });
        service.admin("PUT", "upstreams/rude", put).await;
        let order = RelayOrder::AuthorizationCode {
            code: "code-1".to_owned().into(),
            redirect_uri: CLAIMED_HTTPS.to_owned(),
            code_verifier: "v".repeat(43).into(),
        };
        let relayed = phone
            .relay_request(("token", "rude"), None, |_, _| order)
            .await;
        let reject = phone.send_relay(&relayed).await.unwrap_err();
        assert_eq!(
            (reject.code.as_str(), reject.status),
            (code, status),
            "{said:?}"
        );
    }
    assert_secret_stayed(&service, &phone);
}

/// Rung 3: the service registers the instance at the peer, by a software statement over its key.
#[tokio::test]
async fn rung_3_the_service_registers_the_instance_and_deletes_it() {
    let mut world = world_or_skip!();
    let service = Service::start().await;
    service.put_secret("may_register", "may-register").await;
    let mut put = upstream_at(&world, "books-app", &["own-registration"], &json!(null));
    put["registration_secret"] = json!("may_register");
    service.admin("PUT", "upstreams/own", put).await;
    world.trust(&service).await;
    let phone = service.phone().await;
    let relayed = phone
        .relay_request(("register", "own"), None, |phone, challenge| {
            RelayOrder::Register {
                key: phone.instance_key("own", challenge),
            }
        })
        .await;
    let reply = phone.send_relay(&relayed).await.unwrap();
    let body: serde_json::Value = serde_json::from_str(reply.body.0.expose()).unwrap();
    let id: &'static str = body["client_id"].as_str().unwrap().to_owned().leak();
    assert!(
        body.get("registration_access_token").is_none(),
        "only the service can delete it"
    );
    world.instance = Arc::clone(&phone.instance);
    world.client_key = Arc::clone(&phone.instance);
    let own = login(id, How::KeyJwt);
    let tokens = world.log_in(own).await;
    let tokens = tokens.unwrap_or_else(|e| panic!("{e}\n{}", world.peer.reasons()));
    assert_eq!(tokens.identity().unwrap().subject, "alice");
    world.client_key = Arc::new(Key::new());
    let stolen = world.refresh(&tokens, own).await.unwrap_err();
    assert_eq!(stolen.code(), "server-invalid-client");
}
