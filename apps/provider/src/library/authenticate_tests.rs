//! What each way of authenticating a client is worth here: the good one, and each rule broken alone.

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::super::clients::{ClientMethod, KeySource, LibraryClient};
use super::super::jws::PublicKey;
use super::super::testing::Key;
use super::super::{ISSUER, LibraryOptions, State};
use super::authenticate;
use crate::http::form::Form;
use crate::library::Library;
use crate::secret::{ClientSecret, base64url};

const NOW: i64 = 1_795_604_400;
const SHARED: &str = "a-shared-secret-of-32-bytes-or-more";

struct World {
    library: Library,
    client: Key,
    attester: Key,
    instance: Key,
}

impl World {
    fn new() -> Self {
        let (client, attester) = (Key::new(), Key::new());
        let keys = |key: &Key| KeySource::Fixed(json!({"keys": [key.jwk()]}));
        let secret = || ClientSecret::new(SHARED);
        let clients = vec![
            LibraryClient::books("keyed", ClientMethod::PrivateKeyJwt(keys(&client))),
            LibraryClient::books("shared", ClientMethod::SecretJwt(secret())),
            LibraryClient::books("secret", ClientMethod::Secret(secret())),
            LibraryClient::books("attested", ClientMethod::Attested),
        ];
        let library = Library::new(LibraryOptions {
            clients,
            attesters: keys(&attester),
            statements: KeySource::none(),
        });
        Self {
            library,
            client,
            attester,
            instance: Key::new(),
        }
    }

    fn judge(&self, headers: &HeaderMap, form: &Form, proven: Option<&Key>) -> (String, bool) {
        let proven = proven.and_then(|key| PublicKey::from_jwk(&key.jwk()));
        let mut state = self.library.lock();
        match authenticate(&mut state, (headers, form), proven.as_ref(), NOW) {
            Ok(who) => (who.client_id, who.instance.is_some()),
            Err(refusal) => (refusal.error.to_owned(), false),
        }
    }

    fn challenge(&self) -> String {
        let mut state = self.library.lock();
        let State { credentials, .. } = &mut *state;
        credentials.newest_challenge(NOW)
    }

    fn assertion(&self, change: impl FnOnce(&mut Value, &mut Value)) -> Form {
        let mut header = json!({"alg": "ES256"});
        let mut claims = json!({
            "iss": "keyed", "sub": "keyed", "aud": ISSUER, "jti": "1", "iat": NOW, "exp": NOW + 60,
        });
        change(&mut header, &mut claims);
        asserted(&self.client.sign(&header, &claims))
    }

    /// The headers of an attested call.
    fn attested(&self, change: impl FnOnce(&mut Value, &mut Value)) -> HeaderMap {
        let mut attestation = json!({
            "sub": "attested", "iat": NOW, "exp": NOW + 600, "cnf": {"jwk": self.instance.jwk()},
        });
        let mut pop = json!({
            "aud": ISSUER, "jti": "1", "iat": NOW, "challenge": self.challenge(),
        });
        change(&mut attestation, &mut pop);
        let typ = |typ: &str| json!({"alg": "ES256", "typ": typ});
        let attestation = self
            .attester
            .sign(&typ("oauth-client-attestation+jwt"), &attestation);
        let pop = self
            .instance
            .sign(&typ("oauth-client-attestation-pop+jwt"), &pop);
        headers(&[
            ("oauth-client-attestation", &attestation),
            ("oauth-client-attestation-pop", &pop),
        ])
    }
}

fn form(fields: &[(&str, &str)]) -> Form {
    let fields = fields.iter();
    fields
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn asserted(assertion: &str) -> Form {
    form(&[
        ("client_assertion_type", super::ASSERTION_TYPE),
        ("client_assertion", assertion),
    ])
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect()
}

fn client(id: &str) -> Form {
    form(&[("client_id", id)])
}

#[test]
fn a_client_proves_itself_in_its_own_way_and_in_no_other() {
    let world = World::new();
    let none = HeaderMap::new();
    for (id, outcome) in [
        ("secret", "secret"),
        ("keyed", "invalid_client"),
        ("shared", "invalid_client"),
        ("attested", "invalid_client"),
        ("nobody", "invalid_client"),
    ] {
        let form = form(&[("client_id", id), ("client_secret", SHARED)]);
        assert_eq!(world.judge(&none, &form, None).0, outcome, "{id}");
    }
    let wrong = form(&[("client_id", "secret"), ("client_secret", "x")]);
    assert_eq!(world.judge(&none, &wrong, None).0, "invalid_client");
    assert_eq!(
        world.judge(&none, &client("secret"), None).0,
        "invalid_client"
    );
    let mut both = world.assertion(|_, _| ());
    both.insert("client_secret".to_owned(), SHARED.to_owned());
    assert_eq!(world.judge(&none, &both, None).0, "invalid_request");
}

#[test]
fn an_assertion_is_good_once_and_breaks_by_one_rule() {
    type Change = fn(&mut Value, &mut Value);
    let world = World::new();
    let none = HeaderMap::new();
    let good = world.assertion(|_, _| ());
    assert_eq!(world.judge(&none, &good, None).0, "keyed");
    assert_eq!(world.judge(&none, &good, None).0, "invalid_client", "again");
    let changes: [Change; 9] = [
        |header, _| header["alg"] = json!("HS256"),
        |_, claims| claims["iss"] = json!("x"),
        |_, claims| claims["sub"] = json!("shared"),
        |_, claims| claims["aud"] = json!("https://login.library.example/token"),
        |_, claims| claims["aud"] = json!([ISSUER, "https://login.library.example/token"]),
        |_, claims| claims["exp"] = json!(NOW),
        |_, claims| claims["exp"] = json!(NOW + 301),
        |_, claims| claims["jti"] = json!(""),
        |_, claims| claims["sub"] = json!("nobody"),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let form = world.assertion(|header, claims| {
            claims["jti"] = json!(format!("n{number}"));
            change(header, claims);
        });
        assert_eq!(
            world.judge(&none, &form, None).0,
            "invalid_client",
            "{number}"
        );
    }
}

#[test]
fn a_shared_secret_authenticates_an_assertion_and_is_not_sent() {
    let world = World::new();
    let claims = json!({
        "iss": "shared", "sub": "shared", "aud": [ISSUER], "jti": "1", "exp": NOW + 60,
    });
    let input = format!(
        "{}.{}",
        base64url(json!({"alg": "HS256"}).to_string()),
        base64url(claims.to_string())
    );
    for (secret, outcome) in [(SHARED, "shared"), ("another", "invalid_client")] {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
        let tag = aws_lc_rs::hmac::sign(&key, input.as_bytes());
        let form = asserted(&format!("{input}.{}", base64url(tag.as_ref())));
        assert_eq!(world.judge(&HeaderMap::new(), &form, None).0, outcome);
    }
}

#[test]
fn an_attested_instance_proves_its_key_by_a_pop_or_by_its_dpop_proof() {
    let world = World::new();
    let form = client("attested");
    let good = world.attested(|_, _| ());
    assert_eq!(
        world.judge(&good, &form, None),
        ("attested".to_owned(), true)
    );
    let again = world.judge(&good, &form, None).0;
    assert_eq!(again, "invalid_client", "a PoP is good once");

    let mut combined = world.attested(|_, _| ());
    combined.remove("oauth-client-attestation-pop");
    let stranger = Key::new();
    for (proven, outcome) in [
        (Some(&world.instance), "attested"),
        (Some(&stranger), "invalid_client"),
        (None, "invalid_client"),
    ] {
        assert_eq!(world.judge(&combined, &form, proven).0, outcome);
    }
}

#[test]
fn an_attestation_or_its_proof_breaks_by_one_rule() {
    type Change = fn(&mut Value, &mut Value);
    let world = World::new();
    let changes: [(Change, &str); 8] = [
        (|it, _| it["sub"] = json!("other"), "invalid_client"),
        (|it, _| it["exp"] = json!(NOW), "invalid_client"),
        (|it, _| it["iat"] = json!(NOW + 61), "invalid_client"),
        (|it, _| it["iat"] = Value::Null, "invalid_client"),
        (
            |it, _| it["cnf"]["jwk"] = Key::new().jwk(),
            "invalid_client",
        ),
        (|_, pop| pop["aud"] = json!([ISSUER]), "invalid_client"),
        (|_, pop| pop["iat"] = json!(NOW - 301), "invalid_client"),
        (
            |_, pop| pop["challenge"] = json!("old"),
            "use_attestation_challenge",
        ),
    ];
    for (number, (change, outcome)) in changes.into_iter().enumerate() {
        let headers = world.attested(|attestation, pop| {
            pop["jti"] = json!(format!("n{number}"));
            change(attestation, pop);
        });
        let judged = world.judge(&headers, &client("attested"), None);
        assert_eq!(judged.0, outcome, "{number}");
    }
    let mut rogue = World::new();
    rogue.instance = Key::new();
    let headers = rogue.attested(|_, _| ());
    let judged = world.judge(&headers, &client("attested"), None);
    assert_eq!(judged.0, "invalid_client", "another attester");
}
