//! W-13: what a token says, and the two routes that check one.

use bonafide_wire::bytes::{self, Base64Url};
use bonafide_wire::device::{TokenCheckReply, TokenOutcome};
use bonafide_wire::token::{EarStatus, JwkSet, UnverifiedToken};

use crate::world::{Instance, NOW, TOKEN_API, World, read};

async fn issued(world: &World, phone: &mut Instance, binding: Option<Base64Url>) -> String {
    let (mut payload, key) = world.asking(phone).await;
    payload.tokens[0].binding = binding;
    payload.secrets.clear();
    let reply = world.attest_with(phone, &payload, &key).await;
    match reply.tokens.into_iter().next() {
        Some(TokenOutcome::Issued { token, .. }) => token.0.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

async fn check(world: &World, route: &str, body: serde_json::Value) -> TokenCheckReply {
    read(world.post(route, &body).await).await
}

#[tokio::test]
async fn a_token_says_who_for_whom_how_long_and_verifies_by_the_published_keys() {
    let world = World::new().await;
    let mut phone = world.genuine();
    let device = world.enrol(&mut phone).await.device_id;
    let token = issued(&world, &mut phone, None).await;
    assert!(token.len() < 1024);
    let parsed = UnverifiedToken::parse(&token).unwrap();
    let jwks: JwkSet = read(world.get(&world.url("jwks.json")).await).await;
    let key = jwks.keys.iter().find(|key| key.kid == parsed.header.kid);
    let signed = parsed.signing_input.as_bytes();
    assert!(bonafide_wire::envelope::verifies(
        &key.unwrap().to_point(),
        signed,
        &parsed.signature
    ));
    let claims = parsed.claims().unwrap();
    assert_eq!(claims.iss, "https://attest.example.com/v1/acme");
    assert_eq!(claims.aud, TOKEN_API);
    assert_eq!(claims.sub, device.as_str());
    assert_eq!((claims.iat, claims.exp), (NOW, NOW + 300));
    assert!(claims.nbf <= claims.iat);
    assert_eq!(claims.app, "books");
    // The simulator: allowed, and marked wherever it shows.
    assert_eq!(claims.ear_status, EarStatus::Warning);
    assert!(claims.development && !claims.degraded);
    assert!(claims.cnf.is_some());
}

#[tokio::test]
async fn the_check_names_the_first_thing_that_is_wrong() {
    let world = World::new().await;
    let mut phone = world.genuine();
    world.enrol(&mut phone).await;
    let plain = issued(&world, &mut phone, None).await;
    let hash = Base64Url(vec![7; 32]);
    let bound = issued(&world, &mut phone, Some(hash.clone())).await;
    let mut forged = plain.clone().into_bytes();
    *forged.last_mut().unwrap() ^= 4;
    let forged = String::from_utf8(forged).unwrap();
    let other = bytes::encode([8; 32]);
    let cases = [
        (&plain, TOKEN_API, None, None),
        (&bound, TOKEN_API, Some(hash.to_string()), None),
        (&bound, TOKEN_API, None, Some("binding-mismatch")),
        (
            &bound,
            TOKEN_API,
            Some(other.clone()),
            Some("binding-mismatch"),
        ),
        (&plain, TOKEN_API, Some(other), Some("binding-mismatch")),
        (&plain, "other.example", None, Some("audience-mismatch")),
        (&forged, TOKEN_API, None, Some("token-invalid")),
        (&"a.b.c".to_owned(), TOKEN_API, None, Some("token-invalid")),
    ];
    for (token, audience, binding, code) in cases {
        let mut body = serde_json::json!({ "token": token, "audience": audience });
        if let Some(binding) = binding {
            body["binding"] = binding.into();
        }
        let reply = check(&world, "tokens/verify", body).await;
        assert_eq!(reply.code.as_deref(), code);
        assert_eq!(reply.active, code.is_none());
        assert_eq!(reply.claims.is_some(), reply.active);
    }
    world.advance(300);
    let body = serde_json::json!({ "token": plain, "audience": TOKEN_API });
    let reply = check(&world, "tokens/verify", body).await;
    assert_eq!(reply.code.as_deref(), Some("token-expired"));
}

#[tokio::test]
async fn a_token_is_consumed_once_also_in_a_race() {
    let world = World::new().await;
    let mut phone = world.genuine();
    world.enrol(&mut phone).await;
    let token = issued(&world, &mut phone, None).await;
    let body = serde_json::json!({ "token": token, "audience": TOKEN_API });
    let racing = (0..16).map(|_| check(&world, "tokens/consume", body.clone()));
    let replies = futures_util::future::join_all(racing).await;
    let active = replies.iter().filter(|reply| reply.active).count();
    assert_eq!(active, 1);
    assert!(
        replies
            .iter()
            .filter(|reply| !reply.active)
            .all(|reply| reply.code.as_deref() == Some("token-consumed"))
    );
}
