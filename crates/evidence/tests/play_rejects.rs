//! Negatives by mutation for Play Integrity: a good token with exactly one rule broken gives exactly that
//! refusal.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    missing_docs,
    reason = "a test"
)]

use std::collections::BTreeSet;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bonafide_evidence::android::{Anchors, AttestKeys, RevocationList};
use bonafide_evidence::play::{
    Binding, Freshness, PlayFacts, PlayIntegrity, PlayKeyError, PlayKeys, PlayToken,
};
use bonafide_evidence::{
    Context, Evidence, ExpectedChallenge, Facts, Reject, UnixTime, rules, verify,
};
use serde_json::{Value, json};

const NOW: UnixTime = UnixTime(1_793_491_200);
const NOW_MS: i64 = NOW.0 * 1000;
const DECRYPTION: [u8; 32] = [6; 32];
const CONTENT_KEY: [u8; 32] = [8; 32];

/// A good token in parts.
struct Blueprint {
    jwe_header: &'static str,
    jws_header: &'static str,
    payload: String,
    signed_by: EcdsaKeyPair,
    key: EcdsaKeyPair,
    wrapping: [u8; 32],
    token: fn(String) -> String,
    binding: Binding<'static>,
}

fn new_key() -> EcdsaKeyPair {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).unwrap()
}

fn payload() -> Value {
    json!({
        "requestDetails": {
            "requestPackageName": "com.example.books",
            "timestampMillis": NOW_MS.to_string(),
            "nonce": "nonce-nonce-nonce",
        },
        "appIntegrity": {
            "appRecognitionVerdict": "PLAY_RECOGNIZED",
            "packageName": "com.example.books",
            "certificateSha256Digest": [URL_SAFE_NO_PAD.encode([7; 32])],
            "versionCode": "7",
        },
        "deviceIntegrity": {"deviceRecognitionVerdict": ["MEETS_DEVICE_INTEGRITY"]},
        "accountDetails": {"appLicensingVerdict": "LICENSED"},
    })
}

/// DER before the point of a P-256 key.
fn spki(key: &EcdsaKeyPair) -> Vec<u8> {
    let header = hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200").unwrap();
    [&header, key.public_key().as_ref()].concat()
}

impl Blueprint {
    fn good() -> Self {
        let key = new_key();
        let again = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            key.to_pkcs8v1().unwrap().as_ref(),
        );
        Self {
            jwe_header: r#"{"alg":"A256KW","enc":"A256GCM"}"#,
            jws_header: r#"{"alg":"ES256"}"#,
            payload: payload().to_string(),
            signed_by: again.unwrap(),
            key,
            wrapping: DECRYPTION,
            token: |token| token,
            binding: Binding::Nonce("nonce-nonce-nonce"),
        }
    }

    /// Changes one member of the verdict.
    fn set(&mut self, path: &str, value: Value) {
        let mut payload = payload();
        *payload.pointer_mut(path).unwrap() = value;
        self.payload = payload.to_string();
    }

    fn remove(&mut self, object: &str, member: &str) {
        let mut payload = payload();
        payload
            .pointer_mut(object)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(member)
            .unwrap();
        self.payload = payload.to_string();
    }

    fn mint(&self) -> String {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let message = format!(
            "{}.{}",
            text(self.jws_header.as_bytes()),
            text(self.payload.as_bytes())
        );
        let signature = self
            .signed_by
            .sign(&SystemRandom::new(), message.as_bytes())
            .unwrap();
        let mut sealed = format!("{message}.{}", text(signature.as_ref())).into_bytes();
        let protected = text(self.jwe_header.as_bytes());
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &CONTENT_KEY).unwrap());
        let iv = [9; 12];
        let tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(iv),
                Aad::from(protected.as_bytes()),
                &mut sealed,
            )
            .unwrap();
        let mut wrapped = [0; 40];
        AesKek::new(&AES_256, &self.wrapping)
            .unwrap()
            .wrap(&CONTENT_KEY, &mut wrapped)
            .unwrap();
        let parts = [&wrapped[..], &iv, &sealed, tag.as_ref()].map(text);
        (self.token)(format!("{protected}.{}", parts.join(".")))
    }

    fn verdict(&self) -> Result<PlayFacts, Reject> {
        self.ask(&self.mint())
    }

    fn ask(&self, token: &str) -> Result<PlayFacts, Reject> {
        let keys = PlayKeys::new(&DECRYPTION, &spki(&self.key)).unwrap();
        let evidence = Evidence::PlayIntegrity(PlayIntegrity {
            token: PlayToken::Sealed { token, keys: &keys },
            binding: self.binding,
            package: "com.example.books",
            freshness: Freshness::at(NOW),
        });
        let context = Context {
            now: NOW,
            challenge: ExpectedChallenge::NotCompared,
            anchors: &Anchors::none(),
            revocations: &RevocationList::empty(),
            attest_keys: AttestKeys::Refuse,
        };
        let Facts::PlayIntegrity(facts) = verify(&evidence, &context)? else {
            panic!("another kind")
        };
        Ok(facts)
    }
}

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
        b.jwe_header = r#"{"alg":"A128KW","enc":"A256GCM"}"#;
    }),
    (Reject::JweAlgorithm, |b| {
        b.jwe_header = r#"{"alg":"A256KW","enc":"A128GCM"}"#;
    }),
    (Reject::JweAlgorithm, |b| {
        b.jwe_header = r#"{"alg":"A256KW","enc":"A256GCM","zip":"DEF"}"#;
    }),
    (Reject::JweAlgorithm, |b| {
        b.jwe_header = r#"{"alg":"A256KW","enc":"A256GCM","crit":["exp"]}"#;
    }),
    (Reject::JweUndecryptable, |b| {
        b.jwe_header = r#"{"alg":"A256KW","enc":"A256GCM","alg":"A256KW"}"#;
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
        b.jws_header = r#"{"alg":"ES256","alg":"ES256"}"#;
    }),
    (Reject::JwsAlgorithm, |b| {
        b.jws_header = r#"{"alg":"none"}"#;
    }),
    (Reject::JwsAlgorithm, |b| {
        b.jws_header = r#"{"alg":"HS256"}"#;
    }),
    (Reject::JwsAlgorithm, |b| {
        b.jws_header = r#"{"alg":"ES256","b64":false}"#;
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
