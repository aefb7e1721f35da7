//! Each rung from login to logout: what the servers saw, what the wire carried, what is on record.

use bonafide_sdk::adaptor::{Means, RungWish};
use bonafide_sdk::{Errand, ErrandOrder, RelayOrder, Rung, UpstreamName};

use crate::world::{CANARY, LIBRARY_API, World};

/// Favourites, an hour later again, then logout.
async fn use_it(world: &World, app: &bonafide_books::BooksApp) {
    assert_eq!(app.favorites().await.unwrap().len(), 5);
    world.provider.expire_access_tokens();
    let (one, other) = tokio::join!(app.favorites(), app.favorites());
    assert_eq!((one.unwrap().len(), other.unwrap().len()), (5, 5));
    app.logout().await.unwrap();
    let error = app.favorites().await.unwrap_err();
    assert_eq!(error.code(), "not-logged-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn rung_1_an_attested_client_has_no_secret_and_its_tokens_obey_its_key() {
    let world = World::new().await;
    world
        .add_library("books-attested", &[Rung::AttestedClient])
        .await;
    let app = world.app("books-attested", RungWish::Best);
    assert_eq!(world.login(&app).await, Rung::AttestedClient);
    let choice = app.choice().await.unwrap();
    assert_eq!((choice.means, choice.bound), (Means::AttestedByDpop, true));
    assert_eq!(world.answered("/par"), [201], "no second try was needed");
    assert_eq!(world.answered("/token"), [200]);

    let stolen = app.session().access_token().await.unwrap();
    let thief = reqwest_of(&world);
    let url = format!("{LIBRARY_API}/mylibrary/bookshelves/0/volumes");
    let answer = thief.get(url).bearer_auth(stolen.expose()).send().await;
    assert_eq!(answer.unwrap().status(), 401, "useless without the key");

    use_it(&world, &app).await;
    assert_eq!(world.answered("/token"), [200, 200], "one refresh for both");
    assert_eq!(world.answered("/revoke"), [200]);
    assert_eq!(
        world.audited("client-attestation.issued").await,
        1,
        "good for minutes, asked for once"
    );
    world.nothing_leaked();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rung_4_each_request_gets_an_assertion_of_its_own() {
    for client in ["books-keys", "books-shared"] {
        let world = World::new().await;
        world.add_library(client, &[Rung::MintedAssertion]).await;
        let app = world.app(client, RungWish::Best);
        assert_eq!(world.login(&app).await, Rung::MintedAssertion);
        assert_eq!(
            (world.answered("/par"), world.answered("/token")),
            (vec![201], vec![200])
        );
        use_it(&world, &app).await;
        // Pushed, exchanged, refreshed, revoked.
        assert_eq!(world.audited("client-assertion.minted").await, 4);
        world.nothing_leaked();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rung_5_the_secret_passes_through_the_phone_sealed_and_on_record() {
    let world = World::new().await;
    world.add_google(&[Rung::DeliveredSecret]).await;
    let app = world.app("google", RungWish::Best);
    assert_eq!(world.login(&app).await, Rung::DeliveredSecret);
    use_it(&world, &app).await;
    assert_eq!(world.answered("/token"), [200, 200]);
    assert!(world.audited("secret.released").await > 0);
    world.nothing_leaked();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rung_2_the_relay_keeps_the_secret_and_the_refresh_token() {
    let world = World::new().await;
    world.add_google(&[Rung::Relay]).await;
    let app = world.app("google", RungWish::Best);
    assert_eq!(world.login(&app).await, Rung::Relay);
    assert_eq!(world.answered("/token"), [200]);
    use_it(&world, &app).await;
    assert_eq!(world.answered("/token"), [200, 200]);
    assert_eq!(world.audited("secret.released").await, 0);
    // What the service passes on of a refusal holds nothing of its own either.
    let errand = Errand {
        upstream: UpstreamName::parse("google").unwrap(),
        order: ErrandOrder::Order(RelayOrder::AuthorizationCode {
            code: "4/0Amade-up".to_owned().into(),
            redirect_uri: "http://127.0.0.1:50000/oauth2redirect".to_owned(),
            code_verifier: "x".repeat(43).into(),
        }),
        dpop: None,
    };
    let relayed = app.bonafide().relay(errand).await.unwrap();
    assert_eq!(relayed.status, 400);
    assert!(!relayed.body.expose().contains(CANARY));
    world.nothing_leaked();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rung_3_each_instance_is_a_client_of_its_own() {
    let world = World::new().await;
    world
        .add_library("books-keys", &[Rung::OwnRegistration])
        .await;
    let app = world.app("books-keys", RungWish::Best);
    assert_eq!(world.login(&app).await, Rung::OwnRegistration);
    assert_eq!(world.answered("/register"), [201]);
    use_it(&world, &app).await;
    assert_eq!(world.login(&app).await, Rung::OwnRegistration);
    assert_eq!(
        world.answered("/register"),
        [201],
        "once for the installation"
    );
    let other = world.app_on_another_phone("books-keys");
    assert_eq!(world.login(&other).await, Rung::OwnRegistration);
    assert_eq!(world.answered("/register"), [201, 201]);
    world.nothing_leaked();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_rung_is_taken_and_one_that_is_insisted_on_is_taken_or_refused() {
    use Rung::{AttestedClient, DeliveredSecret, Relay};
    let world = World::new().await;
    world
        .add_google(&[AttestedClient, Relay, DeliveredSecret])
        .await;
    let app = world.app("google", RungWish::Best);
    assert_eq!(world.login(&app).await, Relay);
    let choice = app.choice().await.unwrap();
    assert_eq!(
        choice.to_string(),
        "rung 2, relay (attested-client: the server does not speak it)"
    );
    app.logout().await.unwrap();
    let app = world.app("google", RungWish::Only(DeliveredSecret));
    assert_eq!(world.login(&app).await, DeliveredSecret);
    app.logout().await.unwrap();
    for (rung, code) in [
        (AttestedClient, "rung-not-spoken"),
        (Rung::MintedAssertion, "rung-not-allowed"),
    ] {
        let app = world.app("google", RungWish::Only(rung));
        let refused = app.login(&world.reader(), &mut |_| ()).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
    let app = world.app("nowhere", RungWish::Best);
    let refused = app.login(&world.reader(), &mut |_| ()).await.unwrap_err();
    assert_eq!(refused.code(), "unknown-upstream");
    world.stop().await;
}

/// Somebody else's client, who believes the stand-ins and knows where they are.
fn reqwest_of(world: &World) -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .resolve("api.library.example", world.provider.addr())
        .build()
        .unwrap()
}
