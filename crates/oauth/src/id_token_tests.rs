//! Each rule of the ID token broken alone.

use serde_json::{Value, json};

use super::*;
use crate::testing::{ISSUER, NOW, Signer};

const ACCESS_TOKEN: &str = "access";

fn expectation(occasion: Occasion) -> Expectation {
    Expectation {
        issuer: Issuer::parse(ISSUER).unwrap(),
        client_id: "books".to_owned(),
        algorithms: Algorithm::ALL.to_vec(),
        nonce: SecretText::new("n-1"),
        max_age: None,
        occasion,
    }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "user-1", "aud": "books", "exp": NOW.0 + 3600, "iat": NOW.0,
        "nonce": "n-1", "email": "reader@example.com", "given_name": "Ada", "unknown": {"a": 1},
    })
}

fn verify(occasion: Occasion, claims: &Value) -> Result<IdTokenClaims, IdTokenReject> {
    let signer = Signer::es256("1");
    let token = SecretText::new(signer.sign(claims));
    expectation(occasion).verify(&token, &SecretText::new(ACCESS_TOKEN), &signer.jwks(), NOW)
}

fn with(member: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[member] = value;
    claims
}

fn without(member: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(member);
    claims
}

#[test]
fn accepts_what_core_allows() {
    let at_hash = base64url(&sha256(ACCESS_TOKEN.as_bytes())[..16]);
    for claims in [
        claims(),
        with("aud", json!(["books"])),
        with("azp", json!("books")),
        with("at_hash", json!(at_hash)),
        with("iat", json!(NOW.0 + 60)),
        with("iat", json!(NOW.0 - 600)),
        with("exp", json!(NOW.0 - 59)),
        with("exp", json!(1_795_608_000.9)),
        with("iat", json!(1_795_604_400.25)),
        with("auth_time", json!(1_795_604_399.903_472)),
        without("email"),
    ] {
        let verified = verify(Occasion::Login, &claims).unwrap();
        assert_eq!(verified.subject, "user-1", "{claims}");
    }
}

#[test]
fn rs256_verifies_too() {
    let signer = Signer::rs256("r");
    let token = SecretText::new(signer.sign(&claims()));
    let verified = expectation(Occasion::Login).verify(
        &token,
        &SecretText::new(ACCESS_TOKEN),
        &signer.jwks(),
        NOW,
    );
    assert_eq!(verified.unwrap().given_name.as_deref(), Some("Ada"));
}

#[test]
fn refuses_a_token_that_breaks_one_rule() {
    for (claims, reject) in [
        (
            with("iss", json!("https://evil.example")),
            IdTokenReject::IssuerMismatch,
        ),
        (
            with("iss", json!("https://as.example/")),
            IdTokenReject::IssuerMismatch,
        ),
        (without("iss"), IdTokenReject::ClaimsMalformed),
        (with("aud", json!("other")), IdTokenReject::AudienceMismatch),
        (with("aud", json!([])), IdTokenReject::AudienceMismatch),
        (without("aud"), IdTokenReject::ClaimsMalformed),
        (
            with("aud", json!(["books", "other"])),
            IdTokenReject::AudienceUntrusted,
        ),
        (
            with("azp", json!("other")),
            IdTokenReject::AuthorizedPartyMismatch,
        ),
        (without("sub"), IdTokenReject::ClaimsMalformed),
        (with("sub", json!("")), IdTokenReject::ClaimsMalformed),
        (without("iat"), IdTokenReject::ClaimsMalformed),
        (without("exp"), IdTokenReject::ClaimsMalformed),
        (with("exp", json!("soon")), IdTokenReject::ClaimsMalformed),
        (with("exp", json!(1e300)), IdTokenReject::ClaimsMalformed),
        (with("exp", json!(u64::MAX)), IdTokenReject::ClaimsMalformed),
        (with("exp", json!(1.5e-9)), IdTokenReject::ClaimsMalformed),
        (with("exp", json!(1_795_604_339.5)), IdTokenReject::Expired),
        (with("exp", json!(NOW.0 - 60)), IdTokenReject::Expired),
        (with("exp", json!(i64::MIN)), IdTokenReject::Expired),
        (
            with("iat", json!(NOW.0 + 61)),
            IdTokenReject::IssuedInFuture,
        ),
        (with("iat", json!(i64::MAX)), IdTokenReject::IssuedInFuture),
        (
            with("iat", json!(NOW.0 - 601)),
            IdTokenReject::IssuedTooLongAgo,
        ),
        (
            with("iat", json!(NOW.0 - 7 * 86400)),
            IdTokenReject::IssuedTooLongAgo,
        ),
        (with("nonce", json!("n-2")), IdTokenReject::NonceMismatch),
        (without("nonce"), IdTokenReject::NonceMismatch),
        (
            with("at_hash", json!("AAAA")),
            IdTokenReject::AccessTokenMismatch,
        ),
    ] {
        let found = verify(Occasion::Login, &claims).err();
        assert_eq!(found, Some(reject), "{claims}");
    }
}

#[test]
fn max_age_is_held_against_the_time_of_the_login() {
    let old = Some(IdTokenReject::AuthenticationTooOld);
    let signer = Signer::es256("1");
    for (claims, reject) in [
        (with("auth_time", json!(NOW.0)), None),
        (with("auth_time", json!(NOW.0 - 360)), None),
        (with("auth_time", json!(NOW.0 - 361)), old),
        (with("auth_time", json!(i64::MIN)), old),
        (claims(), old),
    ] {
        let expectation = Expectation {
            max_age: Some(300),
            ..expectation(Occasion::Login)
        };
        let token = SecretText::new(signer.sign(&claims));
        let access = SecretText::new(ACCESS_TOKEN);
        let found = expectation.verify(&token, &access, &signer.jwks(), NOW);
        assert_eq!(found.err(), reject, "{claims}");
    }
}

#[test]
fn azp_is_no_substitute_for_aud() {
    let mut claims = with("aud", json!("other"));
    claims["azp"] = json!("books");
    let found = verify(Occasion::Login, &claims).err();
    assert_eq!(found, Some(IdTokenReject::AudienceMismatch));
}

#[test]
fn a_refreshed_token_continues_the_same_login() {
    let refresh = || Occasion::Refresh {
        subject: "user-1".to_owned(),
    };
    for (claims, reject) in [
        (claims(), None),
        (without("nonce"), None),
        (
            with("sub", json!("user-2")),
            Some(IdTokenReject::SubjectChanged),
        ),
        (
            with("nonce", json!("n-2")),
            Some(IdTokenReject::NonceMismatch),
        ),
        (
            with("aud", json!("other")),
            Some(IdTokenReject::AudienceMismatch),
        ),
    ] {
        assert_eq!(verify(refresh(), &claims).err(), reject, "{claims}");
    }
}

#[test]
fn signature_comes_before_claims_and_is_never_skipped() {
    let signer = Signer::es256("1");
    let check = |token: String, keys: &Jwks| {
        expectation(Occasion::Login)
            .verify(
                &SecretText::new(token),
                &SecretText::new(ACCESS_TOKEN),
                keys,
                NOW,
            )
            .err()
            .map(IdTokenReject::code)
    };
    let good = signer.sign(&claims());
    let (_, signature) = good.rsplit_once('.').unwrap();
    let forged = signer.sign(&with("sub", json!("admin")));
    let (forged_input, _) = forged.rsplit_once('.').unwrap();
    let none = signer.sign_with_header(&json!({"alg": "none"}), &claims());
    let hmac = signer.sign_with_header(&json!({"alg": "HS256", "kid": "1"}), &claims());
    let as_rsa = signer.sign_with_header(&json!({"alg": "RS256", "kid": "1"}), &claims());
    let other_kid = signer.sign_with_header(&json!({"alg": "ES256", "kid": "2"}), &claims());
    for (token, code) in [
        (
            format!("{forged_input}.{signature}"),
            "token-signature-invalid",
        ),
        (format!("{forged_input}."), "token-signature-invalid"),
        (none, "token-algorithm-refused"),
        (hmac, "token-algorithm-refused"),
        (as_rsa, "token-key-unknown"),
        (other_kid, "token-key-unknown"),
        (signer.sign(&json!([])), "id-token-claims-malformed"),
    ] {
        assert_eq!(check(token, &signer.jwks()), Some(code));
    }
    let stranger = Signer::es256("1");
    assert_eq!(
        check(good, &stranger.jwks()),
        Some("token-signature-invalid")
    );
}

#[test]
fn only_an_unknown_key_is_worth_fetching_the_keys_again() {
    assert!(IdTokenReject::Key(KeyReject::Unknown).wants_fresh_keys());
    assert!(!IdTokenReject::Key(KeyReject::SignatureInvalid).wants_fresh_keys());
    assert!(!IdTokenReject::Expired.wants_fresh_keys());
}
