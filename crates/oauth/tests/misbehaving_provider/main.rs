//! A provider that breaks one rule per case (`cases.rs`). Each case ends in exactly the code that is written beside it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod cases;
mod demands;
mod provider;
mod restart;

use bonafide_oauth::authorize::{self, AuthorizationWish, Client};
use bonafide_oauth::dpop::Binding;
use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::id_token::IdTokenReject;
use bonafide_oauth::jwks::KeyRing;
use bonafide_oauth::{
    Authorization, ClientAuthentication, Issuer, Jwks, OAuthError, RedirectUri, SecretText,
    ServerMetadata, Tokens, UnixTime, UnverifiedTokens,
};
use serde_json::json;

use cases::Case;
use provider::{CLIENT, ISSUER, NOW, Provider, answer};

const REDIRECT: &str = "http://127.0.0.1:5000/callback";

/// The whole login as a host would drive it; keys are fetched once more when a key is unknown, and never again.
fn log_in(provider: &mut Provider) -> Result<(Tokens, ServerMetadata), OAuthError> {
    let (begun, server) = begin(provider, "openid email")?;
    let landed = provider.authorize(&begun.url);
    let tokens = exchange(provider, &server, &begun, &landed)?;
    let answered = provider.answer(&tokens.userinfo(&server)?);
    if answered.media_type().as_deref() == Some("application/jwt") {
        let keys = Jwks::receive(&provider.answer(&server.keys()?))?;
        tokens.receive_signed_userinfo(&answered, &keys)?;
    } else {
        tokens.receive_userinfo(&answered)?;
    }
    Ok((tokens, server))
}

fn begin(
    provider: &mut Provider,
    scope: &str,
) -> Result<(Authorization, ServerMetadata), OAuthError> {
    let issuer = Issuer::parse(ISSUER)?;
    let answered = provider.answer(&issuer.documents()[0]);
    let server = ServerMetadata::receive(&issuer, &answered)?;
    let client = Client {
        client_id: CLIENT.to_owned(),
        redirect_uri: RedirectUri::parse(REDIRECT)?,
    };
    let wish = AuthorizationWish {
        scope: scope.split(' ').map(str::to_owned).collect(),
        binding: Binding::Bearer,
        extra: vec![],
    };
    let begun = authorize::begin(&server, &client, &wish, &mut SystemEntropy)?;
    Ok((begun, server))
}

fn exchange(
    provider: &mut Provider,
    server: &ServerMetadata,
    begun: &Authorization,
    landed: &str,
) -> Result<Tokens, OAuthError> {
    let mut exchange = begun.pending.receive(landed)?.exchange(server)?;
    let secret = ClientAuthentication::SecretBasic(SecretText::new("secret"));
    let answered = provider.answer(&exchange.call().with(&secret)?);
    let unverified = exchange.receive(&answered, UnixTime(NOW))?;
    verify(provider, server, &unverified)
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

fn hold(cases: &[Case]) {
    for (name, misbehave, expected) in cases {
        assert_eq!(outcome(misbehave), *expected, "{name}");
    }
}

#[test]
fn what_is_right_is_accepted() {
    hold(cases::RIGHT);
}

#[test]
fn a_token_that_is_not_signed_as_agreed_is_refused() {
    hold(cases::SIGNATURES);
}

#[test]
fn a_claim_that_is_wrong_or_missing_is_refused() {
    hold(cases::CLAIMS);
}

#[test]
fn documents_and_redirects_of_somebody_else_are_refused() {
    hold(cases::FOREIGN);
}

#[test]
fn answers_of_the_token_endpoint_that_are_none_are_refused() {
    hold(cases::ANSWERS);
}

/// `nonce-unless-code-flow`, and hybrid flows with their hashes, are cases that cannot arise: every request asks for a code, and
/// every request for an ID token carries a nonce.
#[test]
fn only_codes_are_asked_for_and_identity_only_with_a_nonce() {
    let mut provider = Provider::good();
    for (scope, nonce) in [("openid email", true), ("email", false)] {
        provider.claims["nonce"] = json!("of somebody else");
        let (begun, server) = begin(&mut provider, scope).unwrap();
        let asked: provider::Query = begun.url.query_pairs().into_owned().collect();
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked.contains_key("nonce"), nonce, "{scope}");
        let landed = provider.authorize(&begun.url);
        let outcome = exchange(&mut provider, &server, &begun, &landed);
        let code = outcome.map_or_else(
            |error| error.code(),
            |tokens| {
                assert!(tokens.identity().is_none(), "not asked, not believed");
                "accept"
            },
        );
        let expected = if nonce {
            "id-token-nonce-mismatch"
        } else {
            "accept"
        };
        assert_eq!(code, expected, "{scope}");
    }
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

/// `signing-key-rotation-just-before-signing`: the keys in memory are the old ones.
#[test]
fn a_key_that_is_new_since_the_last_login_is_fetched_once_a_minute_at_most() {
    let mut provider = Provider::good();
    let mut ring = KeyRing::default();
    for (now, new_key, code, fetches) in [
        (NOW, None, "accept", 1),
        (NOW + 10, Some("k-2"), "accept", 2),
        (NOW + 20, None, "accept", 2),
        (NOW + 30, Some("k-3"), "token-key-unknown", 2),
        (NOW + 70, None, "accept", 3),
    ] {
        if let Some(id) = new_key {
            provider.use_key(provider::Key::ec(id));
        }
        let (begun, server) = begin(&mut provider, "openid").unwrap();
        let landed = provider.authorize(&begun.url);
        let mut exchange = begun
            .pending
            .receive(&landed)
            .unwrap()
            .exchange(&server)
            .unwrap();
        let secret = ClientAuthentication::SecretBasic(SecretText::new("secret"));
        let answered = provider.answer(&exchange.call().with(&secret).unwrap());
        let unverified = exchange.receive(&answered, UnixTime(NOW)).unwrap();
        let mut fetch = |ring: &mut KeyRing| {
            let keys = Jwks::receive(&provider.answer(&server.keys().unwrap())).unwrap();
            ring.put(keys, UnixTime(now));
        };
        if ring.is_stale(UnixTime(now)) {
            fetch(&mut ring);
        }
        let mut outcome = unverified.verify(ring.keys());
        if outcome
            .as_ref()
            .is_err_and(|reject| reject.wants_fresh_keys())
            && ring.may_refetch(UnixTime(now))
        {
            fetch(&mut ring);
            outcome = unverified.verify(ring.keys());
        }
        let found = outcome.map_or_else(IdTokenReject::code, |_| "accept");
        assert_eq!((found, provider.key_fetches), (code, fetches), "{now}");
    }
}
