//! The cases: what the provider does, and the code that the login ends in. Names in the first tables are those of the OpenID
//! Foundation's client tests (without their plan's prefix); the others are ours.

use serde_json::{Value, json};

use crate::provider::{CLIENT, Key, NOW, Provider, Query, answer};

/// Its name, what it does to a good provider, and `accept` or the code of the refusal.
pub(crate) type Case = (&'static str, fn(&mut Provider), &'static str);

fn remove(value: &mut Value, member: &str) {
    value.as_object_mut().unwrap().remove(member).unwrap();
}

fn set(name: &'static str, value: &'static str) -> Box<dyn Fn(&mut Query) + Send> {
    Box::new(move |answer| {
        answer.insert(name.to_owned(), value.to_owned());
    })
}

fn drop_parameter(name: &'static str) -> Box<dyn Fn(&mut Query) + Send> {
    Box::new(move |answer| {
        answer.remove(name);
    })
}

/// The server, or the user, says no; and one parameter of the answer is another.
fn denied(name: &'static str, value: &'static str) -> Box<dyn Fn(&mut Query) + Send> {
    Box::new(move |answer| {
        answer.remove("code");
        answer.insert("error".to_owned(), "access_denied".to_owned());
        answer.insert(name.to_owned(), value.to_owned());
    })
}

fn twice(parameter: &'static str) -> Box<dyn Fn(String) -> String + Send> {
    Box::new(move |landed| format!("{landed}&{parameter}=other"))
}

/// What is right.
pub(crate) const RIGHT: &[Case] = &[
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
    (
        "token_type of a bearer token in capitals",
        |p| p.token_body["token_type"] = json!("BEARER"),
        "accept",
    ),
    ("userinfo-signed", |p| p.userinfo_signed = true, "accept"),
    (
        "c_hash wrong, in a flow that does not look at it",
        |p| p.claims["c_hash"] = json!("AAAAAAAAAAAAAAAAAAAAAA"),
        "accept",
    ),
];

/// A token that is not signed as agreed.
pub(crate) const SIGNATURES: &[Case] = &[
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
        "signed user information for another client",
        |p| {
            p.userinfo_signed = true;
            p.userinfo["aud"] = json!("other");
        },
        "userinfo-parties-mismatch",
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

const MALFORMED: &str = "id-token-claims-malformed";
/// A claim that is wrong or missing.
pub(crate) const CLAIMS: &[Case] = &[
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

/// Documents and redirects of somebody else.
pub(crate) const FOREIGN: &[Case] = &[
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
        |p| p.redirect = denied("state", "other"),
        "redirect-state-mismatch",
    ),
    (
        "error redirect with a foreign iss",
        |p| p.redirect = denied("iss", "https://evil.example"),
        "redirect-issuer-mismatch",
    ),
    (
        "error redirect of ours",
        |p| p.redirect = denied("scope", "openid"),
        "server-access-denied",
    ),
    (
        "code twice",
        |p| p.landed = twice("code"),
        "redirect-parameter-repeated",
    ),
    (
        "state twice",
        |p| p.landed = twice("state"),
        "redirect-parameter-repeated",
    ),
    (
        "iss twice",
        |p| p.landed = twice("iss"),
        "redirect-parameter-repeated",
    ),
    (
        "ensure-jarm: the answer as a JWT that nobody asked for",
        |p| {
            p.redirect = Box::new(|answer| {
                answer.clear();
                answer.insert("response".to_owned(), "a.b.c".to_owned());
            });
        },
        "redirect-state-missing",
    ),
    (
        "code and error",
        |p| p.redirect = set("error", "access_denied"),
        "redirect-ambiguous",
    ),
];

/// Answers of the token endpoint that are none.
pub(crate) const ANSWERS: &[Case] = &[
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
