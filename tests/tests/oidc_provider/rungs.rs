//! The ladder, rung by rung, with nothing played by a test: Bonafide as a process, a phone with evidence, an unmodified
//! oidc-provider that trusts Bonafide's published keys.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonafide_oauth::authentication::Assertion;
use bonafide_oauth::exchange::TokenReject;
use bonafide_oauth::{ClientAuthentication, SecretText, Tokens};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{ChallengePurpose, SecretOutcome, SecretWish};
use bonafide_wire::ids::{Host, SecretName};
use bonafide_wire::upstream::ClientAuthenticationWish;
use serde_json::{Value, json};

use crate::clients::{bound, pushed};
use crate::native_host::Key;
use crate::peer::SECRET;
use crate::phone::{DevicePhone, upstream};
use crate::service::{SECRET_HOST, Service};
use crate::world::{How, Login, World, code_of, login};

impl World {
    /// What an operator of the peer does once: believe the keys that Bonafide publishes.
    pub(crate) async fn trust(&self, service: &Service) {
        self.operate("attesters", &service.attester_keys().await)
            .await;
    }

    pub(crate) async fn operate(&self, what: &str, jwks: &Value) {
        let url = format!("{}/operator/{what}", self.peer.issuer);
        let answer = self.http.put(url).json(jwks).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }
}

/// An upstream at the peer: for this client, by these rungs, authenticated so.
pub(crate) fn upstream_at(
    world: &World,
    client: &str,
    rungs: &[&str],
    authentication: &Value,
) -> Value {
    json!({
        "issuer": world.peer.issuer, "client_id": client, "rungs": rungs,
        "authentication": authentication, "audience": {"kind": "issuer"}, "apps": null,
        "redirect_uris": [crate::world::CLAIMED_HTTPS], "keep_refresh_tokens": null,
        "registration_secret": null, "endpoints": null,
    })
}

fn attested(
    name: &str,
) -> impl FnOnce(&DevicePhone<'_>, &Base64Url) -> ClientAuthenticationWish + '_ {
    move |phone, challenge| ClientAuthenticationWish::AttestedClient {
        upstream: upstream(name),
        key: phone.instance_key(name, challenge),
    }
}

#[tokio::test]
async fn rung_1_the_attested_client_in_both_modes() {
    let mut world = world_or_skip!();
    let service = Service::start().await;
    for (name, login) in [
        ("plain", login("c-attest", How::Attested)),
        ("bound", bound(pushed(login("c-attest", How::Attested)))),
        (
            "combined",
            bound(pushed(login("c-attest-dpop", How::AttestedByDpop))),
        ),
    ] {
        let put = upstream_at(&world, login.client, &["attested-client"], &Value::Null);
        service
            .admin("PUT", &format!("upstreams/{name}"), put)
            .await;
        world.trust(&service).await;
        let mut phone = service.phone().await;
        world.instance = Arc::clone(&phone.instance);
        let attestation = phone.client_authentication(attested(name)).await.unwrap();
        world.attested = Some((login.client.to_owned(), SecretText::new(attestation)));
        let tokens = world.log_in(login).await;
        let tokens = tokens.unwrap_or_else(|e| panic!("{login:?}: {e}\n{}", world.peer.reasons()));
        assert_eq!(tokens.identity().unwrap().subject, "alice");
        // A new attestation over the same key goes on with the login.
        let attestation = phone.client_authentication(attested(name)).await.unwrap();
        world.attested = Some((login.client.to_owned(), SecretText::new(attestation)));
        assert!(world.refresh(&tokens, login).await.is_ok());
        // Another instance with the first one's attestation has no key for it.
        world.instance = Arc::new(Key::new());
        if login.how == How::Attested && !login.bound {
            world.need_challenge().await;
            let stolen = world.authentication(login).await;
            let outcome = world.redeem(login, &stolen).await;
            assert_eq!(code_of(&outcome), "server-invalid-client");
        }
        world.attested = None;
    }
}

#[tokio::test]
async fn what_is_wished_without_right_is_withheld() {
    let world = world_or_skip!();
    let service = Service::start().await;
    let attesting = upstream_at(&world, "c-attest", &["attested-client"], &Value::Null);
    service.admin("PUT", "upstreams/attesting", attesting).await;
    let mut phone = service.phone().await;
    let other = service.phone().await;
    let stale = phone.challenge(ChallengePurpose::Attestation).await;
    let assertion = |name: &'static str| {
        move |_: &DevicePhone<'_>, _: &_| ClientAuthenticationWish::ClientAssertion {
            upstream: upstream(name),
        }
    };
    let unknown = phone.client_authentication(assertion("nowhere")).await;
    assert_eq!(unknown, Err("unknown-upstream"));
    let not_allowed = phone.client_authentication(assertion("attesting")).await;
    assert_eq!(not_allowed, Err("rung-not-allowed"));
    let over_an_old_challenge =
        phone.client_authentication(|phone, _| ClientAuthenticationWish::AttestedClient {
            upstream: upstream("attesting"),
            key: phone.instance_key("attesting", &stale),
        });
    assert_eq!(over_an_old_challenge.await, Err("instance-key-invalid"));
    let of_another_device =
        phone.client_authentication(|_, challenge| ClientAuthenticationWish::AttestedClient {
            upstream: upstream("attesting"),
            key: other.instance_key("attesting", challenge),
        });
    assert_eq!(of_another_device.await, Err("instance-key-invalid"));
    let for_another_upstream =
        phone.client_authentication(
            |phone, challenge| ClientAuthenticationWish::AttestedClient {
                upstream: upstream("attesting"),
                key: phone.instance_key("elsewhere", challenge),
            },
        );
    assert_eq!(for_another_upstream.await, Err("instance-key-invalid"));
    let enrolled = service.clone_of_the_app().enrol().await;
    assert_eq!(
        enrolled.unwrap_err().code.as_str(),
        "attestation-refused",
        "a clone gets no ticket, and without one it can wish for nothing"
    );
}

/// Redeems with a fresh assertion for each try, as the phone gets them: one at a time.
async fn minted_login(
    world: &mut World,
    phone: &mut DevicePhone<'_>,
    (name, login): (&str, Login),
) -> Result<Tokens, TokenReject> {
    let mut exchange = world.agreed(login).await.unwrap();
    let minted = phone
        .client_authentication(|_, _| ClientAuthenticationWish::ClientAssertion {
            upstream: upstream(name),
        })
        .await
        .unwrap();
    let minted = Assertion::PrivateKey(SecretText::new(minted));
    let authentication = ClientAuthentication::Assertion(minted);
    let answer = world
        .send(&exchange.call().with(&authentication).unwrap())
        .await;
    let tokens = exchange.receive(&answer, world.local())?;
    // Once is all it is good for.
    let again = world.redeem(login, &authentication).await;
    assert_eq!(code_of(&again), "server-invalid-client");
    Ok(world.verify(&tokens).await.unwrap())
}

#[tokio::test]
async fn rung_4_assertions_minted_by_key_and_by_secret() {
    let mut world = world_or_skip!();
    let service = Service::start().await;
    service.put_secret("hmac", SECRET).await;
    let by_key = upstream_at(
        &world,
        "c-minted-1",
        &["minted-assertion"],
        &json!({"method": "private_key_jwt"}),
    );
    let made = service.admin("PUT", "upstreams/by-key", by_key).await;
    let jwk = &made["authentication"]["jwk"];
    world
        .operate("clients/c-minted-1/jwks", &json!({ "keys": [jwk] }))
        .await;
    let by_secret = upstream_at(
        &world,
        "c-csjwt",
        &["minted-assertion"],
        &json!({"method": "client_secret_jwt", "secret": "hmac"}),
    );
    service.admin("PUT", "upstreams/by-secret", by_secret).await;
    let mut phone = service.phone().await;
    for (name, login) in [
        ("by-key", login("c-minted-1", How::KeyJwt)),
        ("by-secret", login("c-csjwt", How::SecretJwt)),
    ] {
        let tokens = minted_login(&mut world, &mut phone, (name, login)).await;
        let tokens = tokens.unwrap_or_else(|e| panic!("{name}: {e}\n{}", world.peer.reasons()));
        assert_eq!(tokens.identity().unwrap().subject, "alice", "{name}");
    }
    assert_secret_stayed(&service, &phone);
}

#[tokio::test]
async fn rung_5_the_delivered_secret() {
    let mut world = world_or_skip!();
    let service = Service::start().await;
    service.put_secret("client_secret", SECRET).await;
    let mut phone = service.phone().await;
    let wish = SecretWish {
        name: SecretName::parse("client_secret").unwrap(),
        host: Host::parse(SECRET_HOST).unwrap(),
    };
    let reply = phone.attest(vec![wish], |_, _| vec![]).await.unwrap();
    let Some(SecretOutcome::Released { value, .. }) = reply.secrets.into_iter().next() else {
        panic!("released");
    };
    for (client, authentication) in [
        (
            "c-basic",
            ClientAuthentication::SecretBasic(SecretText::new(value.0.expose())),
        ),
        (
            "c-post",
            ClientAuthentication::SecretPost(SecretText::new(value.0.expose())),
        ),
    ] {
        let outcome = world
            .redeem(login(client, How::Basic), &authentication)
            .await;
        assert_eq!(code_of(&outcome), "accept", "{client}");
    }
    assert_secret_stayed(&service, &phone);
}

/// The secret is nowhere in clear: not in what the phone heard, not in a log line, not on the disk.
pub(crate) fn assert_secret_stayed(service: &Service, phone: &DevicePhone<'_>) {
    let log = service.log();
    assert!(log.len() > 1000, "there is a log to look into");
    let encoded = STANDARD.encode(format!("c-basic:{SECRET}"));
    for needle in [SECRET, encoded.as_str()] {
        assert!(!contains(&phone.heard(), needle), "the phone heard it");
        assert!(!log.contains(needle), "it is in the log");
        for (path, bytes) in service.data() {
            assert!(!contains(&bytes, needle), "in clear in {}", path.display());
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}
