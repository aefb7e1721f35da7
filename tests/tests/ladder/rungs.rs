//! Each rung from login to logout: what the servers saw, what the wire carried, what is on record.

use bonafide_sdk::Rung;
use bonafide_sdk::adaptor::{Means, RungWish};

use crate::world::{LIBRARY_API, World};

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

/// Somebody else's client, who believes the stand-ins and knows where they are.
fn reqwest_of(world: &World) -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .resolve("api.library.example", world.provider.addr())
        .build()
        .unwrap()
}
