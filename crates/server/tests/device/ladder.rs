//! The other rungs: client attestations, minted assertions, an instance's own registration.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use aws_lc_rs::{constant_time, hmac};
use axum::http::Method;
use bonafide_server::app::upkeep;
use bonafide_server::config::{ClientAuthentication, Revocation, Upstream};
use bonafide_server::store::{ObjectKind, Window};
use bonafide_wire::admin::AssertionAudience;
use bonafide_wire::bytes::{self, Base64Url};
use bonafide_wire::device::Withheld;
use bonafide_wire::ids::{DeviceId, SecretName, UpstreamName};
use bonafide_wire::problem::ProblemCode;
use bonafide_wire::token::{Jwk, JwkSet};
use bonafide_wire::upstream::{
    ClientAuthenticationOutcome, ClientAuthenticationWish, InstanceKey, RelayOrder, Rung,
    instance_key_bytes,
};
use serde_json::{Value, json};

use crate::upstream::{FakeUpstream, REDIRECT, Say, upstream_name};
use crate::world::{CANARY, Instance, NOW, World, read};

struct Key(EcdsaKeyPair);

impl Key {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    fn point(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.0.sign(&SystemRandom::new(), message).unwrap();
        signature.as_ref().to_vec()
    }

    fn proven(&self, world: &World, device: &DeviceId, challenge: &[u8]) -> InstanceKey {
        let message = instance_key_bytes(&world.account, device, &upstream_name(), challenge);
        InstanceKey {
            public_key: Base64Url(self.point()),
            proof: Base64Url(self.sign(&message)),
        }
    }
}

/// Header and claims of a compact JWS.
fn decoded(jws: &str) -> (Value, Value) {
    let mut parts = jws.split('.');
    let mut part = || serde_json::from_slice(&bytes::decode(parts.next().unwrap()).unwrap());
    (part().unwrap(), part().unwrap())
}

fn verifies(jws: &str, point: &[u8]) -> bool {
    let (input, signature) = jws.rsplit_once('.').unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(input.as_bytes(), &bytes::decode(signature).unwrap())
        .is_ok()
}

async fn attester_keys(world: &World) -> Vec<Jwk> {
    let set: JwkSet = read(world.get(&world.url("attester/jwks.json")).await).await;
    set.keys
}

async fn ready(change: impl FnOnce(&mut Upstream)) -> (World, FakeUpstream, Instance, DeviceId) {
    let world = World::new().await;
    let fake = FakeUpstream::start().await;
    let mut object = fake.object();
    change(&mut object);
    world.set_upstream(&object).await;
    let mut phone = world.genuine();
    let device = world.enrol(&mut phone).await.device_id;
    (world, fake, phone, device)
}

/// What becomes of wishes that may depend on the request's challenge.
async fn wished(
    world: &World,
    phone: &mut Instance,
    wishes: impl FnOnce(&[u8]) -> Vec<ClientAuthenticationWish>,
) -> Vec<ClientAuthenticationOutcome> {
    let (mut payload, key) = world.asking(phone).await;
    payload.client_authentications = wishes(payload.challenge.as_slice());
    let reply = world.attest_with(phone, &payload, &key).await;
    reply.client_authentications
}

fn issued(outcomes: &[ClientAuthenticationOutcome]) -> (&str, i64) {
    match outcomes {
        [
            ClientAuthenticationOutcome::Issued {
                value, expires_at, ..
            },
        ] => (value.0.expose(), *expires_at),
        other => panic!("{other:?}"),
    }
}

fn withheld(outcomes: &[ClientAuthenticationOutcome]) -> Vec<Withheld> {
    let reasons = outcomes.iter().map(|outcome| match outcome {
        ClientAuthenticationOutcome::Withheld { reason, .. } => *reason,
        ClientAuthenticationOutcome::Issued { .. } => panic!("{outcome:?}"),
    });
    reasons.collect()
}

fn assertion() -> ClientAuthenticationWish {
    ClientAuthenticationWish::ClientAssertion {
        upstream: upstream_name(),
    }
}

fn attested(upstream: &str, key: InstanceKey) -> ClientAuthenticationWish {
    ClientAuthenticationWish::AttestedClient {
        upstream: UpstreamName::parse(upstream).unwrap(),
        key,
    }
}

#[tokio::test]
async fn an_attestation_names_the_client_and_the_instances_own_key_for_five_minutes() {
    let attests = |object: &mut Upstream| object.rungs = vec![Rung::AttestedClient];
    let (world, _fake, mut phone, device) = ready(attests).await;
    let key = Key::new();
    let outcomes = wished(&world, &mut phone, |challenge| {
        vec![attested("google", key.proven(&world, &device, challenge))]
    })
    .await;
    let (jws, expires_at) = issued(&outcomes);
    let (header, claims) = decoded(jws);
    let [attester] = attester_keys(&world).await.try_into().unwrap();
    assert_eq!(
        header,
        json!({ "alg": "ES256", "typ": "oauth-client-attestation+jwt", "kid": attester.kid })
    );
    assert!(verifies(jws, &attester.to_point()));
    let own = Jwk::from_point(&key.point()).unwrap();
    assert_eq!(
        claims,
        json!({
            "iss": "https://attest.example.com/v1/acme", "sub": "books client", "iat": NOW,
            "exp": NOW + 300,
            "cnf": { "jwk": { "kty": "EC", "crv": "P-256", "x": own.x, "y": own.y } },
        })
    );
    assert_eq!(expires_at, NOW + 300);
    // Nothing that an API believes: the attester's key is none of those that sign attestation tokens.
    let set: JwkSet = read(world.get(&world.url("jwks.json")).await).await;
    assert!(set.keys.iter().all(|key| key.kid != attester.kid));
    let rows = audited(&world).await;
    assert!(rows.contains(&"client-attestation.issued google".to_owned()));
}

#[tokio::test]
async fn a_key_that_is_not_the_instances_own_for_this_server_is_attested_for_nobody() {
    let attests = |object: &mut Upstream| object.rungs = vec![Rung::AttestedClient];
    let (world, fake, mut phone, device) = ready(attests).await;
    let mut second = fake.object();
    second.rungs = vec![Rung::AttestedClient];
    let write = world.put(ObjectKind::Upstream, "second", &second);
    world.write(vec![write]).await;
    let (key, other) = (Key::new(), Key::new());
    let another_device = DeviceId::from_bytes([9; 16]);
    let invalid = vec![Withheld::InstanceKeyInvalid];
    let by = |proven: InstanceKey| vec![attested("google", proven)];
    let outcomes = wished(&world, &mut phone, |challenge| {
        let mut proven = key.proven(&world, &device, challenge);
        proven.public_key = Base64Url(other.point());
        by(proven)
    });
    assert_eq!(withheld(&outcomes.await), invalid, "proof of another key");
    let outcomes = wished(&world, &mut phone, |_| {
        by(key.proven(&world, &device, b"old"))
    });
    assert_eq!(withheld(&outcomes.await), invalid, "over another challenge");
    let outcomes = wished(&world, &mut phone, |challenge| {
        by(key.proven(&world, &another_device, challenge))
    });
    assert_eq!(withheld(&outcomes.await), invalid, "of another device");
    let outcomes = wished(&world, &mut phone, |challenge| {
        vec![attested("second", key.proven(&world, &device, challenge))]
    });
    assert_eq!(withheld(&outcomes.await), invalid, "for another upstream");
    // The enrolled key itself, with a good signature.
    let (alias, phone_copy) = (phone.key.clone().unwrap(), phone.clone());
    let enrolled = enrolled_point(&world, &phone);
    let outcomes = wished(&world, &mut phone, |challenge| {
        let message = instance_key_bytes(&world.account, &device, &upstream_name(), challenge);
        let proof = phone_copy
            .phone
            .sign(phone_copy.app, &alias, &message)
            .unwrap();
        by(InstanceKey {
            public_key: Base64Url(enrolled.clone()),
            proof: Base64Url(proof),
        })
    });
    assert_eq!(withheld(&outcomes.await), invalid, "the enrolled key");
    let outcomes = wished(&world, &mut phone, |challenge| {
        let proven = key.proven(&world, &device, challenge);
        vec![
            attested("google", proven),
            attested("nobody", key.proven(&world, &device, challenge)),
        ]
    });
    let expected = vec![Withheld::InstanceKeyInvalid, Withheld::UnknownUpstream];
    assert_eq!(
        withheld(&outcomes.await),
        expected,
        "one key for two servers"
    );
}

fn enrolled_point(world: &World, phone: &Instance) -> Vec<u8> {
    crate::relay::point(world, phone)
}

#[tokio::test]
async fn an_assertion_is_for_one_server_a_minute_and_one_use_and_the_device_chooses_nothing() {
    let (world, fake, mut phone, _) = ready(|object| {
        object.rungs = vec![Rung::MintedAssertion];
    })
    .await;
    assert_eq!(
        withheld(&wished(&world, &mut phone, |_| vec![assertion()]).await),
        [Withheld::NotConfigured],
        "by Basic there is nothing to mint"
    );
    let key = world
        .service
        .keys()
        .client_key(&world.account, &upstream_name(), None)
        .unwrap()
        .unwrap();
    let jwk: Jwk = serde_json::from_value(key.jwk.clone()).unwrap();
    let mut object = fake.object();
    object.rungs = vec![Rung::MintedAssertion];
    object.authentication = Some(ClientAuthentication::PrivateKeyJwt { key });
    let explicit = AssertionAudience::Explicit {
        value: "urn:as".to_owned(),
    };
    let token_endpoint = format!("{}/token", fake.issuer);
    let audiences = [
        (AssertionAudience::Issuer, fake.issuer.as_str()),
        (AssertionAudience::TokenEndpoint, token_endpoint.as_str()),
        (explicit, "urn:as"),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for (audience, expected) in audiences {
        object.audience = audience;
        world.set_upstream(&object).await;
        let outcomes = wished(&world, &mut phone, |_| vec![assertion()]).await;
        let (jws, expires_at) = issued(&outcomes);
        assert!(verifies(jws, &jwk.to_point()));
        let (header, mut claims) = decoded(jws);
        assert_eq!(
            header,
            json!({ "alg": "ES256", "typ": "JWT", "kid": jwk.kid })
        );
        let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
        assert!(seen.insert(jti.as_str().unwrap().to_owned()), "a jti twice");
        assert_eq!(
            claims,
            json!({
                "iss": "books client", "sub": "books client", "aud": expected, "iat": NOW,
                "exp": NOW + 60,
            })
        );
        assert_eq!(expires_at, NOW + 60);
    }
    let rows = audited(&world).await;
    let minted = rows
        .iter()
        .filter(|row| *row == "client-assertion.minted google");
    assert_eq!(minted.count(), 3);
}

#[tokio::test]
async fn a_client_secret_jwt_needs_a_long_secret_and_never_shows_it() {
    let mints = |object: &mut Upstream| {
        object.rungs = vec![Rung::MintedAssertion];
        object.authentication = Some(ClientAuthentication::ClientSecretJwt {
            secret: SecretName::parse("client_secret").unwrap(),
        });
    };
    let (world, _fake, mut phone, _) = ready(mints).await;
    assert!(CANARY.len() < 32);
    let outcomes = wished(&world, &mut phone, |_| vec![assertion()]).await;
    assert_eq!(withheld(&outcomes), [Withheld::NotConfigured]);
    let long = "a-client-secret-of-more-than-32-bytes";
    world.set_secret(long, 2).await;
    let outcomes = wished(&world, &mut phone, |_| vec![assertion()]).await;
    let (jws, _) = issued(&outcomes);
    let (input, mac) = jws.rsplit_once('.').unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, long.as_bytes());
    let expected = hmac::sign(&key, input.as_bytes());
    let mac = bytes::decode(mac).unwrap();
    assert!(constant_time::verify_slices_are_equal(expected.as_ref(), &mac).is_ok());
    assert_eq!(decoded(jws).0, json!({ "alg": "HS256", "typ": "JWT" }));
}

#[tokio::test]
async fn wishes_beyond_the_apps_upstreams_and_rungs_are_withheld() {
    let (world, _fake, mut phone, device) = ready(|_| {}).await;
    let key = Key::new();
    let outcomes = wished(&world, &mut phone, |challenge| {
        vec![
            assertion(),
            attested("google", key.proven(&world, &device, challenge)),
            attested("nobody", key.proven(&world, &device, challenge)),
        ]
    })
    .await;
    let reasons = [
        Withheld::RungNotAllowed,
        Withheld::RungNotAllowed,
        Withheld::UnknownUpstream,
    ];
    assert_eq!(withheld(&outcomes), reasons);
}

const REGISTERED: &str = r#"{"client_id":"instance-1","token_endpoint_auth_method":"private_key_jwt","client_secret":"never",
    "registration_access_token":"rat-canary","registration_client_uri":"ISSUER/register/instance-1"}"#;

fn registered_by(fake: &FakeUpstream) -> Say {
    Say::json(201, REGISTERED.replace("ISSUER", &fake.issuer))
}

impl World {
    async fn registering(
        &self,
        phone: &mut Instance,
        device: &DeviceId,
        key: &Key,
    ) -> (u16, Value) {
        let placeholder = RelayOrder::Register {
            key: key.proven(self, device, b""),
        };
        let (mut payload, opening) = self.ordering(phone, placeholder).await;
        payload.request = RelayOrder::Register {
            key: key.proven(self, device, payload.challenge.as_slice()),
        };
        let request = self.relay_signed(phone, &payload);
        let body = crate::world::bytes_of(self.post("relay/google/register", &request).await).await;
        let reply = self.relay_open(&body, &request, &opening);
        let plain = serde_json::to_string(&reply).unwrap();
        assert!(!plain.contains("rat-canary") && !plain.contains("never"));
        phone.ticket = reply.ticket;
        let body = serde_json::from_str(reply.body.0.expose()).unwrap();
        (reply.status, body)
    }
}

#[tokio::test]
async fn an_instance_is_registered_once_by_a_statement_about_its_key() {
    let registers = |object: &mut Upstream| {
        object.rungs = vec![Rung::OwnRegistration];
        object.registration_secret = SecretName::parse("client_secret").ok();
    };
    let (world, fake, mut phone, device) = ready(registers).await;
    fake.says(registered_by(&fake));
    let key = Key::new();
    let expected = json!({
        "client_id": "instance-1", "token_endpoint_auth_method": "private_key_jwt",
    });
    for _ in 0..2 {
        let told = world.registering(&mut phone, &device, &key).await;
        assert_eq!(told, (201, expected.clone()));
    }
    let [heard] = fake.heard().try_into().unwrap();
    assert_eq!(
        heard.header("authorization"),
        Some(&*format!("Bearer {CANARY}"))
    );
    let sent: Value = serde_json::from_str(&heard.body).unwrap();
    let statement = sent["software_statement"].as_str().unwrap();
    let [attester] = attester_keys(&world).await.try_into().unwrap();
    assert!(verifies(statement, &attester.to_point()));
    let claims = decoded(statement).1;
    let own = Jwk::from_point(&key.point()).unwrap();
    for said in [&sent, &claims] {
        assert_eq!(said["jwks"]["keys"][0]["x"], json!(own.x));
        assert_eq!(said["redirect_uris"], json!([REDIRECT]));
        assert_eq!(said["token_endpoint_auth_method"], "private_key_jwt");
        assert_eq!(said["software_id"], "books");
    }
    assert_eq!(claims["iss"], "https://attest.example.com/v1/acme");
    assert_eq!(claims["exp"], NOW + 300);
    // A reinstall of the app's data: another key, so another client, and the old one is deleted first.
    let told = world.registering(&mut phone, &device, &Key::new()).await;
    assert_eq!(told.0, 201);
    let [deleted, made] = fake.heard().try_into().unwrap();
    assert_eq!(
        (deleted.method, deleted.path.as_str()),
        (Method::DELETE, "/register/instance-1")
    );
    assert_eq!(made.path, "/register");
}

#[tokio::test]
async fn the_client_of_a_revoked_device_is_deleted_at_its_server() {
    let registers = |object: &mut Upstream| object.rungs = vec![Rung::OwnRegistration];
    let (world, fake, mut phone, device) = ready(registers).await;
    fake.says(registered_by(&fake));
    world.registering(&mut phone, &device, &Key::new()).await;
    fake.heard();
    upkeep::end_revoked(&world.service).await.unwrap();
    assert_eq!(fake.heard().len(), 0, "nobody is revoked");
    let revoked = world.put(
        ObjectKind::Revocation,
        device.as_str(),
        &Revocation { at: NOW },
    );
    world.write(vec![revoked]).await;
    // The server is down at first; the next turn succeeds, and then there is nothing left to do.
    fake.says(Say::json(503, "{}"));
    upkeep::end_revoked(&world.service).await.unwrap();
    fake.says(Say::json(204, ""));
    for _ in 0..2 {
        upkeep::end_revoked(&world.service).await.unwrap();
    }
    let [tried, deleted] = fake.heard().try_into().unwrap();
    for heard in [tried, deleted] {
        assert_eq!(
            (heard.method.clone(), heard.path.as_str()),
            (Method::DELETE, "/register/instance-1")
        );
        assert_eq!(heard.header("authorization"), Some("Bearer rat-canary"));
    }
    let rows = audited(&world).await;
    assert!(rows.contains(&"instance-client.deleted google".to_owned()));
}

#[tokio::test]
async fn a_registration_that_could_turn_against_the_instance_is_not_taken() {
    let registers = |object: &mut Upstream| object.rungs = vec![Rung::OwnRegistration];
    let (world, fake, phone, device) = ready(registers).await;
    let order = |challenge: &[u8], key: &Key| RelayOrder::Register {
        key: key.proven(&world, &device, challenge),
    };
    let key = Key::new();
    let told = world
        .not_relayed(&phone, order(b"another challenge", &key))
        .await;
    assert_eq!(told.code, ProblemCode::InstanceKeyInvalid);
    assert_eq!(fake.heard().len(), 0);
    for (what, body) in [
        (
            "another authentication",
            r#"{"client_id":"x","token_endpoint_auth_method":"none"}"#,
        ),
        ("no client", "{}"),
    ] {
        fake.says(Say::json(201, body));
        let (mut payload, _) = world.ordering(&phone, order(b"", &key)).await;
        payload.request = order(payload.challenge.as_slice(), &key);
        let request = world.relay_signed(&phone, &payload);
        let told = crate::world::problem(world.post("relay/google/register", &request).await).await;
        assert_eq!(told.code, ProblemCode::UpstreamMisbehaved, "{what}");
    }
}

async fn audited(world: &World) -> Vec<String> {
    let window = Window {
        after: None,
        limit: 200,
    };
    let store = world.service.store();
    let rows = store.audit(Some(&world.account), window).await.unwrap();
    let rows = rows.items.into_iter();
    rows.map(|row| format!("{} {}", row.action, row.object))
        .collect()
}
