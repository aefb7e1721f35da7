//! Logout at the provider: the browser ends the session, and only our own state counts as the answer.

use std::collections::BTreeMap;

use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::seal::{Record as _, SealKey};
use bonafide_oauth::{OAuthError, RedirectUri, Tokens, logout::Logout};

use crate::peer;
use crate::world::{How, Login, World, login};

const BASIC: Login = login("c-basic", How::Basic);
const GOODBYE: &str = "https://app.example.com/goodbye";

async fn log_in(
    world: &mut World,
    cookies: &mut BTreeMap<String, String>,
) -> Result<Tokens, OAuthError> {
    let begun = world.begin(BASIC).await?;
    let issuer = &world.peer.issuer;
    let arrived = peer::browse_as(cookies, &world.http, issuer, begun.url.as_str()).await;
    let exchange = begun.pending.receive(&arrived)?.exchange(&world.server)?;
    world.finish(exchange, BASIC).await
}

#[tokio::test]
async fn the_browser_is_signed_out_and_comes_back_with_our_state() {
    let mut world = world_or_skip!();
    let mut cookies = BTreeMap::new();
    let tokens = log_in(&mut world, &mut cookies).await.unwrap();
    let signed_in = cookies.clone();
    let uri = RedirectUri::parse(GOODBYE).unwrap();
    let logout = tokens
        .end_session(&world.server, &uri, &mut SystemEntropy)
        .unwrap();
    // The process dies while the browser is away.
    let sealed = logout.seal(&SealKey::new([3; 32]), &mut SystemEntropy);
    let logout = Logout::open(&SealKey::new([3; 32]), &sealed.unwrap()).unwrap();
    let issuer = &world.peer.issuer;
    let start = logout.url.expose();
    let arrived = peer::browse_as(&mut cookies, &world.http, issuer, start).await;
    assert_eq!(logout.receive(&arrived), Ok(()));
    let forged = format!("{GOODBYE}?state=other");
    assert_eq!(
        logout.receive(&forged).unwrap_err().code(),
        "redirect-state-mismatch"
    );
    assert_ne!(cookies, signed_in, "the session cookie is another one");
}
