//! A real browser walks the peer's own sign-in and consent pages, for the top rung: an attested client, its request pushed, its
//! tokens bound to the instance's key. What comes back to loopback is worth tokens.

use bonafide_books::loopback::Loopback;
use bonafide_oauth::authorize::{AuthorizationWish, Client};
use bonafide_oauth::dpop::Binding;

use crate::chromium::{self, Driver, tools};
use crate::clients::{bound, pushed};
use crate::world::{How, Login, World, login};

/// Nothing but loopback exists; the peer's pages ask for a font from elsewhere.
const NOWHERE: &str = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromium_signs_in_and_agrees_for_an_attested_client() {
    let mut world = world_or_skip!();
    let (chromium, chromedriver) = match tools() {
        Ok(found) => found,
        Err(missing) => {
            println!("SKIPPED oidc_provider in Chromium: {missing} is not installed");
            return;
        }
    };
    let attested = login("c-attest-native", How::Attested);
    for login in [attested, bound(pushed(attested))] {
        let loopback = Loopback::listen().await.unwrap();
        let profile = tempfile::tempdir().unwrap();
        let flags = chromium::arguments(profile.path(), NOWHERE);
        let driver = Driver::start(&chromium, &chromedriver, &flags).await;
        let tokens = walk(&mut world, login, &loopback, &driver).await;
        driver.quit().await;
        let answer = world.userinfo(&tokens).await.unwrap();
        let user = tokens.receive_userinfo(&answer).unwrap();
        assert_eq!(
            user.email.as_deref(),
            Some("chromium@example.com"),
            "{login:?}"
        );
        assert!(world.refresh(&tokens, login).await.is_ok());
    }
}

async fn walk(
    world: &mut World,
    login: Login,
    loopback: &Loopback,
    driver: &Driver,
) -> bonafide_oauth::Tokens {
    let client = Client {
        client_id: login.client.to_owned(),
        redirect_uri: loopback.redirect_uri().clone(),
    };
    let binding = if login.bound {
        Binding::Dpop(world.instance.dpop().thumbprint())
    } else {
        Binding::Bearer
    };
    let wish = AuthorizationWish {
        scope: ["openid", "email"].map(str::to_owned).to_vec(),
        binding,
        extra: vec![],
    };
    let begun = world.begin_with(login, &client, &wish).await.unwrap();
    let pages = async {
        driver.open(begun.url.as_str()).await;
        driver.type_into("input[name=login]", "chromium").await;
        driver.type_into("input[name=password]", "any").await;
        driver.click("button[type=submit]").await;
        driver.find("input[name=prompt][value=consent]").await;
        driver.click("button[type=submit]").await;
        let goodbye = "//p[.='You may close this page and return to the app.']";
        driver.find_by("xpath", goodbye).await;
    };
    let (answer, ()) = tokio::join!(loopback.answer(&begun.pending), pages);
    let authorized = answer.unwrap().unwrap();
    let exchange = authorized.exchange(&world.server).unwrap();
    world.finish(exchange, login).await.unwrap()
}
