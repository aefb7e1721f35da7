//! A process that dies between the steps of a login: what it sealed is enough to go on.

use bonafide_oauth::authorize::{self, AuthorizationWish, Client};
use bonafide_oauth::dpop::Binding;
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::seal::{Record, SealKey};
use bonafide_oauth::{
    Authorized, ClientAuthentication, Issuer, Jwks, PendingAuthorization, RedirectUri, SecretText,
    ServerMetadata, Tokens, UnixTime,
};

use crate::provider::{CLIENT, ISSUER, NOW, Provider};

/// Seals, forgets, opens: what is left of a process is bytes on a disk.
fn die<R: Record>(alive: &R) -> R {
    let key = || SealKey::new([9; 32]);
    let disk = alive.seal(&key(), &mut SystemEntropy).unwrap();
    let canary = alive.to_record();
    let plain = canary
        .windows(16)
        .any(|part| disk.windows(16).any(|other| other == part));
    assert!(!plain, "nothing of the record is readable on the disk");
    R::open(&key(), &disk).unwrap()
}

#[test]
fn a_login_goes_on_after_the_process_died_at_each_step() {
    let mut provider = Provider::good();
    let issuer = Issuer::parse(ISSUER).unwrap();
    let server =
        ServerMetadata::receive(&issuer, &provider.answer(&issuer.documents()[0])).unwrap();
    let client = Client {
        client_id: CLIENT.to_owned(),
        redirect_uri: RedirectUri::parse("com.example.books:/oauth2redirect").unwrap(),
    };
    let wish = AuthorizationWish {
        scope: vec!["openid".to_owned()],
        binding: Binding::Bearer,
        extra: vec![],
    };
    let begun = authorize::begin(&server, &client, &wish, &mut SystemEntropy).unwrap();
    let landed = provider.authorize(&begun.url);

    let pending: PendingAuthorization = die(&begun.pending);
    let authorized: Authorized = die(&pending.receive(&landed).unwrap());
    let mut exchange = authorized.exchange(&server).unwrap();
    let secret = ClientAuthentication::SecretPost(SecretText::new("secret"));
    let answered = provider.answer(&exchange.call().with(&secret).unwrap());
    let unverified = exchange.receive(&answered, UnixTime(NOW)).unwrap();
    let keys = Jwks::receive(&provider.answer(&server.keys().unwrap())).unwrap();
    let tokens: Tokens = die(&unverified.verify(&keys).unwrap());
    assert!(tokens.refreshable() && tokens.fresh(UnixTime(NOW), 60));
}
