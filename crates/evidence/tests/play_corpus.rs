//! Every Play Integrity record of the corpus gets the verdict that it expects, and so does each step of a
//! sequence, with one store of nonces for each.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a test"
)]

mod corpus;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bonafide_evidence::android::{Anchors, AttestKeys, ListAge, RevocationList};
use bonafide_evidence::play::{Binding, Freshness, PlayIntegrity, PlayKeys, PlayToken};
use bonafide_evidence::{
    Appraisal, Check, Context, DeviceOverride, Evidence, ExpectedChallenge, Facts, Measurements,
    Mode, Policy, Preset, ReferenceValue, Sha256Digest, Sightings, UnixTime, appraise, verify,
};
use corpus::{Corpus, Record, Tally, code_table};
use serde_json::Value;

fn keys(corpus: &Corpus) -> PlayKeys {
    let file: Value = serde_json::from_slice(&corpus.shared("play-test-keys.json")).unwrap();
    let key = |name: &str| STANDARD.decode(file[name].as_str().unwrap()).unwrap();
    PlayKeys::new(
        &key("decryption_key_b64"),
        &key("verification_key_spki_b64"),
    )
    .unwrap()
}

fn words(value: &Value) -> BTreeSet<String> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap().to_owned())
        .collect()
}

/// What is null or empty is not asked.
fn policy(members: &Value) -> Policy {
    let mut policy = Policy::preset(Preset::Default);
    for (name, value) in members.as_object().unwrap() {
        let asked = !value.is_null() && value != &Value::Array(Vec::new());
        let check = match name.as_str() {
            "device" => {
                value
                    .as_str()
                    .unwrap()
                    .clone_into(&mut policy.play.device_label);
                continue;
            }
            "app" => {
                policy.play.app_verdicts = words(value);
                continue;
            }
            "allow_testing" => {
                let mode = if value == true {
                    Mode::Off
                } else {
                    Mode::Enforce
                };
                policy.set_mode(Check::Development, mode);
                continue;
            }
            "min_version_code" => {
                policy.min_version_code = value.as_u64().unwrap_or(0);
                continue;
            }
            "licence" => Check::PlayLicence,
            "max_activity_level" if asked => {
                policy.play.max_activity_level = value.as_u64().unwrap().try_into().unwrap();
                Check::PlayActivity
            }
            "min_sdk" if asked => {
                policy.play.min_sdk_version = value.as_u64().unwrap().try_into().unwrap();
                Check::PlaySdk
            }
            "recall_block" if asked => {
                policy.play.blocked_recall_bits = words(value);
                Check::PlayRecall
            }
            "play_protect_block" if asked => {
                policy.play.blocked_play_protect = words(value);
                Check::PlayProtect
            }
            "apps_detected_block" if asked => {
                policy.play.blocked_apps = words(value);
                Check::PlayApps
            }
            "package" | "digests" | "nonce" | "request_hash" | "max_age_ms" | "max_future_ms" => {
                continue;
            }
            other if asked => panic!("the walker does not know the policy member {other}"),
            _ => continue,
        };
        policy.set_mode(check, if asked { Mode::Enforce } else { Mode::Off });
    }
    policy
}

fn outcome(record: &Record, token: &str, keys: &PlayKeys) -> Result<(), Vec<&'static str>> {
    let asked = &record.0["policy"];
    let text = |name: &str| asked[name].as_str().unwrap_or_default();
    let milliseconds = |name: &str| asked[name].as_i64().unwrap();
    let now_ms = record.0["now_ms"].as_i64().unwrap();
    let freshness = Freshness {
        max_age_ms: milliseconds("max_age_ms"),
        max_future_ms: milliseconds("max_future_ms"),
        now_ms,
    };
    let binding = match record.text("mode") {
        "classic" => Binding::Nonce(text("nonce")),
        "standard" => Binding::RequestHash(text("request_hash")),
        other => panic!("mode {other}"),
    };
    let token = PlayToken::Sealed { token, keys };
    let package = text("package");
    let evidence = Evidence::PlayIntegrity(PlayIntegrity {
        token,
        binding,
        package,
        freshness,
    });
    let context = Context {
        now: UnixTime(now_ms / 1000),
        challenge: ExpectedChallenge::NotCompared,
        anchors: &Anchors::none(),
        revocations: &RevocationList::empty(),
        attest_keys: AttestKeys::Refuse,
    };
    let facts = verify(&evidence, &context).map_err(|reject| vec![reject.code()])?;
    let json = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<Facts>(&json).unwrap(), facts);
    let digest =
        |text: &String| Sha256Digest(URL_SAFE_NO_PAD.decode(text).unwrap().try_into().unwrap());
    let reference = ReferenceValue::Certificate {
        package: package.to_owned(),
        signers: words(&asked["digests"]).iter().map(digest).collect(),
    };
    let appraisal = Appraisal {
        facts: &facts,
        measurements: &Measurements::NONE,
        references: &[reference],
        device_override: DeviceOverride::None,
        revocation_list: ListAge::Missing,
        sightings: Sightings::NotKept,
        now: context.now,
    };
    let verdict = appraise(&appraisal, &policy(asked));
    verdict
        .into_grant()
        .map(drop)
        .map_err(|refusal| refusal.codes().collect())
}

#[test]
fn tokens_get_the_expected_verdicts() {
    for corpus in Corpus::views("Play Integrity tokens") {
        let keys = keys(&corpus);
        let (table, mut tally) = (code_table(), Tally::default());
        for record in corpus.records(|r| r["token"].is_string() && r["policy"].is_object()) {
            let outcome = outcome(&record, record.text("token"), &keys);
            let outcome = outcome.as_ref().copied().map_err(Vec::as_slice);
            tally.compare(record.id(), record.text("expect"), outcome, &table);
        }
        tally.finish("Play Integrity tokens");
    }
}

#[test]
fn sequences_get_the_expected_verdicts_step_by_step() {
    for corpus in Corpus::views("Play Integrity sequences") {
        let keys = keys(&corpus);
        let mut tally = Tally::default();
        for record in corpus.records(|r| r["steps"].is_array()) {
            // The caller's duty: the nonce, not the token's text, is consumed, and by a success only.
            let mut consumed = BTreeSet::new();
            for (at, step) in record.0["steps"].as_array().unwrap().iter().enumerate() {
                let fresh = outcome(&record, step["token"].as_str().unwrap(), &keys).is_ok();
                let binding = &record.0["policy"]["nonce"];
                let accepted = fresh && consumed.insert(binding.as_str().unwrap_or_default());
                let expected = step["expect"] == "accept";
                tally.cases += 1;
                tally.same(&format!("{} step {at}", record.id()), &accepted, &expected);
            }
        }
        tally.finish("Play Integrity sequences");
    }
}

/// A verdict that Google decoded is judged like one that was opened here.
#[test]
fn a_decoded_verdict_is_the_same_evidence() {
    let json = br#"{"requestDetails": {"requestPackageName": "p", "timestampMillis": 5000, "requestHash": "h"},
        "appIntegrity": {"appRecognitionVerdict": "PLAY_RECOGNIZED"}}"#;
    let evidence = |json| {
        Evidence::PlayIntegrity(PlayIntegrity {
            token: PlayToken::Decoded(json),
            binding: Binding::RequestHash("h"),
            package: "p",
            freshness: Freshness::at(UnixTime(5)),
        })
    };
    let context = Context {
        now: UnixTime(5),
        challenge: ExpectedChallenge::NotCompared,
        anchors: &Anchors::none(),
        revocations: &RevocationList::empty(),
        attest_keys: AttestKeys::Refuse,
    };
    let facts = verify(&evidence(json), &context).unwrap();
    assert_eq!(facts.public_key().unwrap_err().code(), "no-key-attested");
    assert!(verify(&evidence(&vec![b' '; 64 * 1024 + 1]), &context).is_err());
}
