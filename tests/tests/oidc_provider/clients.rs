//! What is right is accepted: each client, each kind of redirect, any clock.

use bonafide_oauth::authorize::{AuthorizationWish, Client};
use bonafide_oauth::dpop::Binding;
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::session::{Access, Landing, RefreshFailure, Session};
use bonafide_oauth::{OAuthError, RedirectUri, Tokens, authorize};

use crate::world::{CUSTOM_SCHEME, How, Login, World, login};

pub(crate) const LOGINS: [Login; 16] = [
    login("c-public", How::Public),
    Login {
        redirect: CUSTOM_SCHEME,
        ..login("c-public", How::Public)
    },
    login("c-basic", How::Basic),
    login("c-post", How::Post),
    login("c-csjwt", How::SecretJwt),
    login("c-pkjwt", How::KeyJwt),
    login("c-attest", How::Attested),
    pushed(login("c-basic", How::Basic)),
    pushed(login("c-post", How::Post)),
    pushed(login("c-csjwt", How::SecretJwt)),
    pushed(login("c-pkjwt", How::KeyJwt)),
    bound(login("c-pkjwt-dpop", How::KeyJwt)),
    bound(pushed(login("c-pkjwt-dpop", How::KeyJwt))),
    bound(login("c-attest", How::Attested)),
    bound(pushed(login("c-attest", How::Attested))),
    bound(pushed(login("c-attest-dpop", How::AttestedByDpop))),
];

pub(crate) const fn pushed(login: Login) -> Login {
    Login {
        pushed: true,
        ..login
    }
}

pub(crate) const fn bound(login: Login) -> Login {
    Login {
        bound: true,
        ..login
    }
}

async fn whole_life(world: &mut World, login: Login) -> Result<(), OAuthError> {
    let tokens = world.log_in(login).await?;
    assert_eq!(tokens.identity().unwrap().subject, "alice", "{login:?}");
    let answer = world.userinfo(&tokens).await.unwrap();
    let user = tokens.receive_userinfo(&answer)?;
    assert_eq!(user.email.as_deref(), Some("alice@example.com"));
    let renewed = world.refresh(&tokens, login).await?;
    let old = tokens.access_token().expose();
    assert!(!renewed.access_token().matches(old), "{login:?}");
    world.revoke(&renewed, login).await;
    let dead = world.refresh(&renewed, login).await.unwrap_err();
    assert_eq!(dead.code(), "server-invalid-grant", "{login:?}");
    Ok(())
}

#[tokio::test]
async fn every_client_logs_in_reads_refreshes_and_leaves() {
    let mut world = world_or_skip!();
    for login in LOGINS {
        if let Err(error) = whole_life(&mut world, login).await {
            let why = world.peer.reasons();
            panic!("{login:?}: {error} ({})\n{why}", error.code());
        }
    }
}

/// Proofs and assertions are dated by the server's clock, ID tokens judged by it.
#[tokio::test]
async fn a_phone_whose_clock_is_off_by_a_day_does_all_of_it() {
    for skew in [-86_400, 86_400] {
        let mut world = world_or_skip!(World::with_clock_off_by(skew).await);
        for login in [
            login("c-pkjwt", How::KeyJwt),
            bound(pushed(login("c-attest-dpop", How::AttestedByDpop))),
        ] {
            whole_life(&mut world, login).await.unwrap();
        }
        // Dated by the phone's own clock the same request is refused: the offset is what does it.
        world.clock = bonafide_oauth::ServerClock::default();
        let assertion = world.authentication(login("c-pkjwt", How::KeyJwt)).await;
        let refused = world
            .redeem(login("c-pkjwt", How::KeyJwt), &assertion)
            .await;
        let expected = if skew < 0 {
            "server-invalid-client"
        } else {
            "accept"
        };
        // A date ahead of the server's is not refused by this peer, as long as it has not expired.
        assert_eq!(crate::world::code_of(&refused), expected, "{skew}");
    }
}

#[tokio::test]
async fn a_signed_answer_about_the_user_is_verified() {
    let mut world = world_or_skip!();
    let signed = login("c-signed", How::Basic);
    let tokens = world.log_in(signed).await.unwrap();
    let answer = world.userinfo(&tokens).await.unwrap();
    assert_eq!(answer.media_type().as_deref(), Some("application/jwt"));
    let keys = world.keys().await.unwrap();
    let user = tokens.receive_signed_userinfo(&answer, &keys).unwrap();
    assert_eq!(user.email.as_deref(), Some("alice@example.com"));
    let unread = tokens.receive_userinfo(&answer).unwrap_err();
    assert_eq!(unread.code(), "response-content-type");
}

#[tokio::test]
async fn max_age_brings_the_time_of_the_login() {
    let mut world = world_or_skip!();
    let basic = login("c-basic", How::Basic);
    let client = Client {
        client_id: basic.client.to_owned(),
        redirect_uri: RedirectUri::parse(basic.redirect).unwrap(),
    };
    let wish = AuthorizationWish {
        scope: vec!["openid".to_owned()],
        binding: Binding::Bearer,
        extra: vec![("max_age".to_owned(), "30".to_owned())],
    };
    let begun = authorize::begin(&world.server, &client, &wish, &mut SystemEntropy).unwrap();
    let exchange = world.browse(&begun).await.unwrap();
    let tokens = world.finish(exchange, basic).await.unwrap();
    let at = tokens.identity().unwrap().authenticated_at.unwrap();
    assert!((world.now().0 - at).abs() < 30);
}

#[tokio::test]
async fn a_refresh_token_that_rotates_survives_many_callers_because_one_refreshes() {
    let mut world = world_or_skip!();
    let basic = login("c-basic", How::Basic);
    let tokens = world.log_in(basic).await.unwrap();
    let mut session = Session::new(Some(tokens));
    let later = world.local().plus(290);
    for _ in 0..3 {
        let mut flying = None;
        for _ in 0..5 {
            match session.access(&world.server, later, 60).unwrap() {
                Access::Refresh(flight, refresh) => flying = Some((flight, refresh)),
                Access::Wait => assert!(flying.is_some(), "the first one flies"),
                other => panic!("{other:?}"),
            }
        }
        let (flight, mut refresh) = flying.unwrap();
        let answer = world.call(refresh.call(), basic).await;
        let unverified = refresh.receive(&answer, world.local()).unwrap();
        let fresh: Tokens = world.verify(&unverified).await.unwrap();
        assert_eq!(session.land(flight, Ok(fresh)), Landing::Renewed);
    }
    // Two side by side instead: the second comes with a used token, and the server ends the login.
    let one = session.tokens().unwrap().clone();
    world.refresh(&one, basic).await.unwrap();
    let Access::Refresh(flight, mut refresh) = session.access(&world.server, later, 60).unwrap()
    else {
        panic!("nobody flies");
    };
    let answer = world.call(refresh.call(), basic).await;
    let reject = refresh.receive(&answer, world.local()).unwrap_err();
    let landed = session.land(flight, Err(RefreshFailure::Token(&reject)));
    assert_eq!(
        (reject.code(), landed),
        ("server-invalid-grant", Landing::Ended)
    );
}
