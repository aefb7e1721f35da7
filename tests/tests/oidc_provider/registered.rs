//! An instance with a registration of its own: by a software statement for its key, and gone when deleted.

use std::sync::Arc;

use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::registration::{self, RegisteredClient, RegistrationReject};
use bonafide_oauth::seal::{Record as _, SealKey};
use bonafide_oauth::{HttpRequest, RedirectUri, SecretText};
use serde_json::{Value, json};

use crate::clients::{bound, pushed};
use crate::native_host::Key;
use crate::world::{CLAIMED_HTTPS, How, World, login};

fn statement(world: &World, signer: &Key, key: &Key) -> SecretText {
    let claims = json!({"jkt": key.dpop().thumbprint(), "iat": world.now().0});
    signer.jwt(&json!({"alg": "ES256"}), &claims)
}

async fn register(
    world: &mut World,
    statement: &SecretText,
    alter: impl FnOnce(&mut HttpRequest),
) -> Result<RegisteredClient, RegistrationReject> {
    let uris = [RedirectUri::parse(CLAIMED_HTTPS).unwrap()];
    let (key, token) = (world.instance.dpop(), SecretText::new("may-register"));
    let wish = registration::Wish {
        redirect_uris: &uris,
        key: &key,
        software_statement: statement,
        initial_access_token: Some(&token),
    };
    let mut request = registration::begin(&world.server, &wish).unwrap();
    alter(&mut request);
    let answer = world.send(&request).await;
    registration::receive(&world.server, &wish, &answer)
}

fn without_statement(request: &mut HttpRequest) {
    let mut body: Value = serde_json::from_str(request.body.expose()).unwrap();
    body.as_object_mut().unwrap().remove("software_statement");
    request.body = SecretText::new(body.to_string());
}

#[tokio::test]
async fn an_instance_registers_itself_by_a_statement_for_its_key_and_is_gone_when_deleted() {
    let mut world = world_or_skip!();
    let (attester, instance) = (Arc::clone(&world.attester), Arc::clone(&world.instance));
    let forged = statement(&world, &Key::new(), &instance);
    let anothers = statement(&world, &attester, &Key::new());
    let own = statement(&world, &attester, &instance);
    for (statement, alter, code) in [
        (
            &forged,
            (|_| ()) as fn(&mut HttpRequest),
            "server-invalid-software-statement",
        ),
        (&anothers, |_| (), "server-invalid-software-statement"),
        (&own, without_statement, "server-invalid-client-metadata"),
        (
            &own,
            |request| request.headers.retain(|(name, _)| *name != "authorization"),
            "server-invalid-token",
        ),
    ] {
        let outcome = register(&mut world, statement, alter).await;
        assert_eq!(outcome.unwrap_err().code(), code);
    }
    let client = register(&mut world, &own, |_| ()).await.unwrap();
    let id: &'static str = client.client_id().to_owned().leak();
    // From now on the instance's own key is the client's.
    world.client_key = Arc::clone(&world.instance);
    let own = login(id, How::KeyJwt);
    for login in [own, pushed(own), bound(pushed(own))] {
        let tokens = world.log_in(login).await.unwrap();
        assert_eq!(tokens.identity().unwrap().subject, "alice");
    }
    let tokens = world.log_in(own).await.unwrap();
    let thief = std::mem::replace(&mut world.client_key, Arc::new(Key::new()));
    let stolen = world.refresh(&tokens, own).await.unwrap_err();
    assert_eq!(stolen.code(), "server-invalid-client", "another key");
    world.client_key = thief;

    // The app restarts before it is uninstalled.
    let sealed = client.seal(&SealKey::new([5; 32]), &mut SystemEntropy);
    let client = RegisteredClient::open(&SealKey::new([5; 32]), &sealed.unwrap()).unwrap();
    let deleted = world.send(&client.delete().unwrap()).await;
    assert_eq!(deleted.status, 204);
    let gone = world.refresh(&tokens, own).await.unwrap_err();
    assert_eq!(gone.code(), "server-invalid-client");
}
