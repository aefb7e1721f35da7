//! A provider that breaks one rule per case. Names in the first tables are those of the OpenID Foundation's client tests
//! (without their plan's prefix); the others are ours. Each case ends in exactly the code that is written beside it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod provider;
mod restart;

use bonafide_oauth::authorize::{self, AuthorizationWish, Client};
use bonafide_oauth::dpop::Binding;
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::{
    ClientAuthentication, Issuer, Jwks, OAuthError, RedirectUri, SecretText, ServerMetadata,
    Tokens, UnixTime, UnverifiedTokens,
};
use serde_json::{Value, json};

use provider::{CLIENT, ISSUER, Key, NOW, Provider, answer};

const REDIRECT: &str = "http://127.0.0.1:5000/callback";

/// The whole login as a host would drive it; keys are fetched once more when a key is unknown, and never again.
fn log_in(provider: &mut Provider) -> Result<(Tokens, ServerMetadata), OAuthError> {
    let issuer = Issuer::parse(ISSUER)?;
    let answered = provider.answer(&issuer.documents()[0]);
    let server = ServerMetadata::receive(&issuer, &answered)?;
    let client = Client {
        client_id: CLIENT.to_owned(),
        redirect_uri: RedirectUri::parse(REDIRECT)?,
    };
    let wish = AuthorizationWish {
        scope: vec!["openid".to_owned(), "email".to_owned()],
        binding: Binding::Bearer,
        extra: vec![],
    };
    let begun = authorize::begin(&server, &client, &wish, &mut SystemEntropy)?;
    let landed = provider.authorize(&begun.url);
    let mut exchange = begun.pending.receive(&landed)?.exchange(&server)?;
    let secret = ClientAuthentication::SecretBasic(SecretText::new("secret"));
    let answered = provider.answer(&exchange.call().with(&secret)?);
    let unverified = exchange.receive(&answered, UnixTime(NOW))?;
    let tokens = verify(provider, &server, &unverified)?;
    let answered = provider.answer(&tokens.userinfo(&server)?);
    tokens.receive_userinfo(&answered)?;
    Ok((tokens, server))
}

fn verify(
    provider: &mut Provider,
    server: &ServerMetadata,
    unverified: &UnverifiedTokens,
) -> Result<Tokens, OAuthError> {
    let keys = Jwks::receive(&provider.answer(&server.keys()?))?;
    match unverified.verify(&keys) {
        Err(reject) if reject.wants_fresh_keys() => {
            let keys = Jwks::receive(&provider.answer(&server.keys()?))?;
            Ok(unverified.verify(&keys)?)
        }
        outcome => Ok(outcome?),
    }
}

/// `accept`, or the code of the refusal.
fn outcome(misbehave: impl FnOnce(&mut Provider)) -> &'static str {
    let mut provider = Provider::good();
    misbehave(&mut provider);
    log_in(&mut provider).map_or_else(|error| error.code(), |_| "accept")
}

type Case = (&'static str, fn(&mut Provider), &'static str);

fn hold(cases: &[Case]) {
    for (name, misbehave, expected) in cases {
        assert_eq!(outcome(misbehave), *expected, "{name}");
    }
}

fn remove(value: &mut Value, member: &str) {
    value.as_object_mut().unwrap().remove(member).unwrap();
}

#[test]
fn what_is_right_is_accepted() {
    hold(&[
        ("happy-path", |_| (), "accept"),
        (
            "idtoken-sig-rs256",
            |p| p.use_key(Key::rsa("r-1")),
            "accept",
        ),
        (
            "kid-absent-single-jwks",
            |p| remove(&mut p.header, "kid"),
            "accept",
        ),
        (
            "valid-aud-as-array",
            |p| p.claims["aud"] = json!([CLIENT]),
            "accept",
        ),
        (
            "missing-athash",
            |p| remove(&mut p.claims, "at_hash"),
            "accept",
        ),
        (
            "token-endpoint-response-without-expires_in",
            |p| remove(&mut p.token_body, "expires_in"),
            "accept",
        ),
        (
            "no-scope-in-token-endpoint-response",
            |p| remove(&mut p.token_body, "scope"),
            "accept",
        ),
        (
            "token-type-case-insensitivity",
            |p| p.token_body["token_type"] = json!("bEaReR"),
            "accept",
        ),
        (
            "signing-key-rotation",
            |p| {
                p.published_later = Some(p.published.clone());
                p.published = vec![];
            },
            "accept",
        ),
    ]);
}

const SIGNATURES: &[Case] = &[
    (
        "idtoken-sig-none",
        |p| p.header = json!({"alg": "none"}),
        "token-algorithm-refused",
    ),
    (
        "invalid-null-alg",
        |p| p.header = json!({"alg": null}),
        "token-malformed",
    ),
    (
        "invalid-sig-es256",
        |p| p.break_signature = true,
        "token-signature-invalid",
    ),
    (
        "invalid-sig-rs256",
        |p| {
            p.use_key(Key::rsa("r-1"));
            p.break_signature = true;
        },
        "token-signature-invalid",
    ),
    (
        "invalid-sig-hs256",
        |p| p.header["alg"] = json!("HS256"),
        "token-algorithm-refused",
    ),
    (
        "invalid-alternate-alg",
        |p| p.discovery["id_token_signing_alg_values_supported"] = json!(["RS256"]),
        "token-algorithm-refused",
    ),
    (
        "kid-absent-multiple-jwks",
        |p| {
            remove(&mut p.header, "kid");
            p.publish_also(&Key::ec("k-2"));
        },
        "token-key-ambiguous",
    ),
    (
        "kid unknown, twice",
        |p| p.header["kid"] = json!("other"),
        "token-key-unknown",
    ),
    (
        "encrypted-idtoken",
        |p| p.token_body["id_token"] = json!("a.b.c.d.e"),
        "token-encrypted",
    ),
    (
        "a critical extension",
        |p| p.header["crit"] = json!(["exp"]),
        "token-extension-refused",
    ),
    (
        "an access token in place of the ID token",
        |p| p.header["typ"] = json!("at+jwt"),
        "token-type-refused",
    ),
];

#[test]
fn a_token_that_is_not_signed_as_agreed_is_refused() {
    hold(SIGNATURES);
}

const MALFORMED: &str = "id-token-claims-malformed";
const CLAIMS: &[Case] = &[
    (
        "invalid-iss",
        |p| p.claims["iss"] = json!("https://evil.example"),
        "id-token-issuer-mismatch",
    ),
    (
        "invalid-missing-iss",
        |p| remove(&mut p.claims, "iss"),
        MALFORMED,
    ),
    (
        "invalid-aud",
        |p| p.claims["aud"] = json!("other"),
        "id-token-audience-mismatch",
    ),
    (
        "invalid-missing-aud",
        |p| remove(&mut p.claims, "aud"),
        MALFORMED,
    ),
    (
        "invalid-secondary-aud",
        |p| p.claims["aud"] = json!([CLIENT, "other"]),
        "id-token-audience-untrusted",
    ),
    ("missing-sub", |p| remove(&mut p.claims, "sub"), MALFORMED),
    ("missing-iat", |p| remove(&mut p.claims, "iat"), MALFORMED),
    (
        "invalid-missing-exp",
        |p| remove(&mut p.claims, "exp"),
        MALFORMED,
    ),
    (
        "invalid-expired-exp",
        |p| p.claims["exp"] = json!(NOW - 300),
        "id-token-expired",
    ),
    (
        "iat-is-week-in-past",
        |p| p.claims["iat"] = json!(NOW - 7 * 86_400),
        "id-token-issued-too-long-ago",
    ),
    (
        "invalid-nonce",
        |p| p.claims["nonce"] = json!("other"),
        "id-token-nonce-mismatch",
    ),
    (
        "invalid-missing-nonce",
        |p| remove(&mut p.claims, "nonce"),
        "id-token-nonce-mismatch",
    ),
    (
        "at_hash wrong",
        |p| p.claims["at_hash"] = json!("AAAAAAAAAAAAAAAAAAAAAA"),
        "id-token-access-token-mismatch",
    ),
    (
        "azp trick",
        |p| {
            p.claims["aud"] = json!("other");
            p.claims["azp"] = json!(CLIENT);
        },
        "id-token-audience-mismatch",
    ),
    (
        "azp of another client",
        |p| p.claims["azp"] = json!("other"),
        "id-token-authorized-party-mismatch",
    ),
    (
        "userinfo-invalid-sub",
        |p| p.userinfo["sub"] = json!("user-2"),
        "userinfo-subject-mismatch",
    ),
];

#[test]
fn a_claim_that_is_wrong_or_missing_is_refused() {
    hold(CLAIMS);
}

fn set(name: &'static str, value: &'static str) -> Box<dyn Fn(&mut provider::Query)> {
    Box::new(move |answer| {
        answer.insert(name.to_owned(), value.to_owned());
    })
}

fn drop_parameter(name: &'static str) -> Box<dyn Fn(&mut provider::Query)> {
    Box::new(move |answer| {
        answer.remove(name);
    })
}

#[test]
fn documents_and_redirects_of_somebody_else_are_refused() {
    hold(&[
        (
            "discovery-issuer-mismatch",
            |p| p.discovery["issuer"] = json!("https://evil.example"),
            "discovery-issuer-mismatch",
        ),
        (
            "invalid-authorization-response-iss",
            |p| p.redirect = set("iss", "https://evil.example"),
            "redirect-issuer-mismatch",
        ),
        (
            "remove-authorization-response-iss",
            |p| p.redirect = drop_parameter("iss"),
            "redirect-issuer-missing",
        ),
        (
            "ensure-authorization-response-with-invalid-state-fails",
            |p| p.redirect = set("state", "other"),
            "redirect-state-mismatch",
        ),
        (
            "ensure-authorization-response-with-invalid-missing-state-fails",
            |p| p.redirect = drop_parameter("state"),
            "redirect-state-missing",
        ),
        (
            "error redirect with a foreign state",
            |p| {
                p.redirect = Box::new(|answer| {
                    answer.remove("code");
                    answer.insert("error".to_owned(), "access_denied".to_owned());
                    answer.insert("state".to_owned(), "other".to_owned());
                });
            },
            "redirect-state-mismatch",
        ),
        (
            "code and error",
            |p| p.redirect = set("error", "access_denied"),
            "redirect-ambiguous",
        ),
    ]);
}

const ANSWERS: &[Case] = &[
    (
        "HTML 502",
        |p| p.token_answer = Some(answer(502, "text/html", "<h1>Bad Gateway</h1>")),
        "response-status",
    ),
    (
        "HTML 200",
        |p| p.token_answer = Some(answer(200, "text/html", "<h1>Welcome</h1>")),
        "response-content-type",
    ),
    (
        "redirect on the token endpoint",
        |p| p.token_answer = Some(answer(307, "text/html", "")),
        "response-redirects",
    ),
    (
        "huge bodies",
        |p| {
            let huge = " ".repeat(10 * 1024 * 1024);
            p.token_answer = Some(answer(200, "application/json", &huge));
        },
        "response-too-large",
    ),
    (
        "huge discovery document",
        |p| p.discovery["padding"] = json!("x".repeat(300_000)),
        "response-too-large",
    ),
    (
        "huge key set",
        |p| p.published = vec![json!("x".repeat(300_000))],
        "response-too-large",
    ),
    (
        "an error with status 200",
        |p| {
            let body = r#"{"error":"invalid_grant"}"#;
            p.token_answer = Some(answer(200, "application/json", body));
        },
        "response-malformed",
    ),
    (
        "invalid_grant",
        |p| {
            let body = r#"{"error":"invalid_grant"}"#;
            p.token_answer = Some(answer(400, "application/json", body));
        },
        "server-invalid-grant",
    ),
    (
        "no ID token",
        |p| p.token_body["id_token"] = Value::Null,
        "id-token-missing",
    ),
];

#[test]
fn answers_of_the_token_endpoint_that_are_none_are_refused() {
    hold(ANSWERS);
}

#[test]
fn clocks_that_are_a_day_apart_do_not_matter_as_long_as_the_server_tells_its_own() {
    for (date, offset) in [
        ("Thu, 26 Nov 2026 11:00:00 GMT", 86_400),
        ("Tue, 24 Nov 2026 11:00:00 GMT", -86_400),
    ] {
        let shift = |provider: &mut Provider| {
            provider.claims["iat"] = json!(NOW + offset);
            provider.claims["exp"] = json!(NOW + offset + 3600);
        };
        let told = outcome(|provider| {
            shift(provider);
            provider.date = Some(date);
        });
        assert_eq!(told, "accept", "{date}");
        let untold = outcome(shift);
        let expected = if offset > 0 {
            "id-token-issued-in-future"
        } else {
            "id-token-expired"
        };
        assert_eq!(untold, expected, "{date}");
    }
}

#[test]
fn a_refresh_of_another_user_is_refused_and_invalid_client_does_not_end_the_session() {
    let mut provider = Provider::good();
    let (tokens, server) = log_in(&mut provider).unwrap();
    let mut refresh = tokens.refresh(&server).unwrap();
    let secret = ClientAuthentication::SecretBasic(SecretText::new("secret"));
    for (member, value, code) in [
        ("sub", json!("user-1"), "accept"),
        ("sub", json!("user-2"), "id-token-subject-changed"),
        ("nonce", json!("other"), "id-token-nonce-mismatch"),
    ] {
        let mut claims = provider.claims.clone();
        claims[member] = value;
        let kept = std::mem::replace(&mut provider.claims, claims);
        let answered = provider.answer(&refresh.call().with(&secret).unwrap());
        let unverified = refresh.receive(&answered, UnixTime(NOW)).unwrap();
        let found = verify(&mut provider, &server, &unverified);
        assert_eq!(found.map_or_else(|error| error.code(), |_| "accept"), code);
        provider.claims = kept;
    }
    for (error, ends) in [("invalid_client", false), ("invalid_grant", true)] {
        let body = json!({ "error": error }).to_string();
        let reject = refresh
            .receive(&answer(400, "application/json", &body), UnixTime(NOW))
            .unwrap_err();
        assert_eq!(reject.ends_session(), ends, "{error}");
    }
}

#[test]
fn keys_are_fetched_again_once_and_only_for_an_unknown_key() {
    for (misbehave, fetches) in [
        (
            (|p| p.header["kid"] = json!("other")) as fn(&mut Provider),
            2,
        ),
        (|p| p.break_signature = true, 1),
        (|_| (), 1),
    ] {
        let mut provider = Provider::good();
        misbehave(&mut provider);
        drop(log_in(&mut provider));
        assert_eq!(provider.key_fetches, fetches);
    }
}
