//! Negatives by mutation for Play Integrity: a good token with exactly one rule broken gives exactly that
//! refusal.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod mint;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bonafide_evidence::play::{Binding, PlayKeyError, PlayKeys};
use bonafide_evidence::{Reject, rules};
use mint::play::{Blueprint, DECRYPTION, NOW_MS, new_key, payload, spki};
use serde_json::json;

type Mutation = (Reject, fn(&mut Blueprint));

const MUTATIONS: &[Mutation] = &[
    (Reject::TokenFormat, |b| b.token = |token| token + "."),
    (Reject::TokenFormat, |b| b.token = |token| token + "="),
    (Reject::TokenFormat, |b| {
        b.token = |token| token.replacen('.', "", 1);
    }),
    (Reject::TokenFormat, |b| {
        b.token = |token| token + &"A".repeat(64 * 1024);
    }),
    (Reject::JweAlgorithm, |b| {
        b.jwe_header = r#"{"alg":"A128KW","enc":"A256GCM"}"#.into();
    }),
    (Reject::JweAlgorithm, |b| {
        b.jwe_header = r#"{"alg":"A256KW","enc":"A128GCM"}"#.into();
    }),
    (Reject::JweAlgorithm, |b| {
        b.jwe_header = r#"{"alg":"A256KW","enc":"A256GCM","zip":"DEF"}"#.into();
    }),
    (Reject::JweAlgorithm, |b| {
        b.jwe_header = r#"{"alg":"A256KW","enc":"A256GCM","crit":["exp"]}"#.into();
    }),
    (Reject::JweUndecryptable, |b| {
        b.jwe_header = r#"{"alg":"A256KW","enc":"A256GCM","alg":"A256KW"}"#.into();
    }),
    (Reject::JweUndecryptable, |b| b.wrapping = [5; 32]),
    (Reject::JweUndecryptable, |b| {
        // A shorter tag over the same bytes: a library that takes it can be fooled in 256 tries.
        b.token = |token| {
            let (rest, tag) = token.rsplit_once('.').unwrap();
            let tag = URL_SAFE_NO_PAD.decode(tag).unwrap();
            format!("{rest}.{}", URL_SAFE_NO_PAD.encode(&tag[..15]))
        };
    }),
    (Reject::JwsMalformed, |b| {
        b.jws_header = r#"{"alg":"ES256","alg":"ES256"}"#.into();
    }),
    (Reject::JwsAlgorithm, |b| {
        b.jws_header = r#"{"alg":"none"}"#.into();
    }),
    (Reject::JwsAlgorithm, |b| {
        b.jws_header = r#"{"alg":"HS256"}"#.into();
    }),
    (Reject::JwsAlgorithm, |b| {
        b.jws_header = r#"{"alg":"ES256","b64":false}"#.into();
    }),
    (Reject::JwsSignatureInvalid, |b| b.signed_by = new_key()),
    (Reject::VerdictMalformed, |b| b.payload = String::from("[]")),
    (Reject::VerdictMalformed, |b| b.payload = String::from("{}")),
    (Reject::VerdictMalformed, |b| {
        b.payload.insert_str(1, r#""x":{"a":1,"a":1},"#);
    }),
    (Reject::VerdictMalformed, |b| {
        b.set("/appIntegrity/certificateSha256Digest", json!(["AAAA"]));
    }),
    (Reject::VerdictMalformed, |b| {
        b.set(
            "/deviceIntegrity/deviceRecognitionVerdict",
            json!("MEETS_DEVICE_INTEGRITY"),
        );
    }),
    (Reject::VerdictMalformed, |b| {
        b.set("/appIntegrity/versionCode", json!("seven"));
    }),
    (Reject::RequestDetailsMissing, |b| {
        b.remove("", "requestDetails");
    }),
    (Reject::RequestPackageMismatch, |b| {
        b.set(
            "/requestDetails/requestPackageName",
            json!("com.example.book"),
        );
    }),
    (Reject::RequestBindingMismatch, |b| {
        b.set("/requestDetails/nonce", json!("nonce-nonce"));
    }),
    (Reject::RequestBindingMismatch, |b| {
        b.remove("/requestDetails", "nonce");
    }),
    (Reject::RequestBindingMismatch, |b| {
        b.binding = Binding::RequestHash("nonce-nonce-nonce");
    }),
    (Reject::RequestBindingMismatch, |b| {
        b.binding = Binding::Either("nonce-nonce");
    }),
    (Reject::RequestBindingMismatch, |b| {
        // Both, even if both are right, is neither kind of request.
        b.binding = Binding::Either("nonce-nonce-nonce");
        let mut payload = payload();
        payload["requestDetails"]["requestHash"] = json!("nonce-nonce-nonce");
        b.payload = payload.to_string();
    }),
    (Reject::RequestBindingMismatch, |b| {
        let mut payload = payload();
        payload["requestDetails"]["requestHash"] = json!("hash");
        b.payload = payload.to_string();
    }),
    (Reject::VerdictNotFresh, |b| {
        b.set("/requestDetails/timestampMillis", json!(NOW_MS - 600_001));
    }),
    (Reject::VerdictNotFresh, |b| {
        b.set("/requestDetails/timestampMillis", json!(NOW_MS + 60_001));
    }),
    (Reject::VerdictNotFresh, |b| {
        b.set("/requestDetails/timestampMillis", json!("+1793491200000"));
    }),
    (Reject::VerdictNotFresh, |b| {
        b.set("/requestDetails/timestampMillis", json!(true));
    }),
    (Reject::VerdictNotFresh, |b| {
        b.set("/requestDetails/timestampMillis", json!(1.5));
    }),
    (Reject::VerdictNotFresh, |b| {
        b.remove("/requestDetails", "timestampMillis");
    }),
];

#[test]
fn a_good_token_gives_its_facts() {
    let facts = Blueprint::good().verdict().unwrap();
    assert_eq!(facts.app_verdict.as_deref(), Some("PLAY_RECOGNIZED"));
    assert_eq!(facts.application.unwrap().version, Some(7));
    for timestamp in [
        json!(NOW_MS - 600_000),
        json!((NOW_MS + 60_000).to_string()),
    ] {
        let mut blueprint = Blueprint::good();
        blueprint.set("/requestDetails/timestampMillis", timestamp);
        assert!(blueprint.verdict().is_ok());
    }
}

#[test]
fn one_text_may_be_bound_by_either_kind_of_request() {
    let mut blueprint = Blueprint::good();
    blueprint.binding = Binding::Either("nonce-nonce-nonce");
    assert!(blueprint.verdict().is_ok());
    let mut payload = payload();
    let request = payload["requestDetails"].as_object_mut().unwrap();
    let text = request.remove("nonce").unwrap();
    request.insert("requestHash".to_owned(), text);
    blueprint.payload = payload.to_string();
    assert!(blueprint.verdict().is_ok());
}

#[test]
fn each_broken_rule_gives_its_own_refusal() {
    for (reject, break_it) in MUTATIONS {
        let mut blueprint = Blueprint::good();
        break_it(&mut blueprint);
        assert_eq!(
            blueprint.verdict(),
            Err(reject.clone()),
            "{}",
            reject.code()
        );
    }
    let covered: BTreeSet<&str> = MUTATIONS.iter().map(|(reject, _)| reject.code()).collect();
    let all: BTreeSet<&str> = rules::PLAY_INTEGRITY.iter().map(|rule| rule.code).collect();
    assert_eq!(covered, all);
}

#[test]
fn no_changed_character_survives() {
    let blueprint = Blueprint::good();
    let token = blueprint.mint();
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(blueprint.ask(&changed).is_err(), "character {at}");
        assert!(blueprint.ask(&token[..at]).is_err(), "{at} characters");
    }
}

#[test]
fn keys_are_not_mixed_up_and_never_printed() {
    let key = new_key();
    let keys = PlayKeys::new(&DECRYPTION, &spki(&key)).unwrap();
    assert_eq!(format!("{keys:?}"), "PlayKeys([redacted])");
    let swapped = PlayKeys::new(&spki(&key), &DECRYPTION);
    assert_eq!(swapped.map(drop), Err(PlayKeyError::Decryption));
    let short = PlayKeys::new(&DECRYPTION, &spki(&key)[1..]);
    assert_eq!(short.map(drop), Err(PlayKeyError::Verification));
}
