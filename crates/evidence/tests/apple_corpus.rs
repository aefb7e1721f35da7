//! Every App Attest record of the corpus, and every variant of it, gets the verdict that it expects.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    reason = "a test"
)]

mod corpus;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonafide_evidence::android::{Anchors, AttestKeys, ListAge, RecentAuthorities, RevocationList};
use bonafide_evidence::apple::{
    AppAttest, Assertion, ExpectedKeyId, ExpectedPublicKey, Receipt, ReceiptFacts, receipt_of,
    verify_assertion, verify_receipt,
};
use bonafide_evidence::{
    Appraisal, Check, Context, DeviceOverride, EnvironmentPolicy, Evidence, ExpectedChallenge,
    Facts, Measurements, Mode, Policy, Preset, ReferenceValue, Reject, Sightings, Verdict,
    appraise, appraise_release, verify, verify_with_memory,
};
use corpus::{Corpus, Record, Tally, code_table};
use serde_json::json;

type Outcome = Result<(), Vec<&'static str>>;

fn rejected(reject: &Reject) -> Vec<&'static str> {
    vec![reject.code()]
}

fn granted(verdict: Verdict) -> Outcome {
    verdict
        .into_grant()
        .map(drop)
        .map_err(|refusal| refusal.codes().collect())
}

/// The record and each of its variants, with its expectation.
fn cases(record: &Record) -> Vec<(String, Record, String)> {
    let mut cases = vec![(
        record.id().to_owned(),
        Record(record.0.clone()),
        record.text("expect").to_owned(),
    )];
    for variant in record.0["variants"].as_array().into_iter().flatten() {
        let mut changed = record.0.clone();
        for (name, value) in variant["set"].as_object().unwrap() {
            changed[name] = value.clone();
        }
        let case = format!("{} with {}", record.id(), variant["set"]);
        let expect = variant["expect"].as_str().unwrap().to_owned();
        cases.push((case, Record(changed), expect));
    }
    cases
}

/// What the record's policy asks on top of the preset; what it leaves out is not compared.
fn policy(record: &Record) -> Policy {
    let mut policy = Policy::preset(Preset::Default);
    policy.set_mode(Check::Development, Mode::Off);
    policy.set_mode(Check::ValidationCategory, Mode::Off);
    for (member, value) in record.0["policy"].as_object().into_iter().flatten() {
        match member.as_str() {
            "allowed_categories" => {
                let categories = value.as_array().unwrap().iter();
                policy.allowed_validation_categories = categories
                    .map(|c| c.as_u64().unwrap().try_into().unwrap())
                    .collect();
                policy.set_mode(Check::ValidationCategory, Mode::Enforce);
            }
            "require_category" if value == true => {
                policy.set_mode(Check::ValidationCategoryStated, Mode::Enforce);
            }
            "require_category" => {}
            "allowed_bundle_versions" => {
                let versions = value.as_array().unwrap().iter();
                policy.allowed_bundle_versions =
                    versions.map(|v| v.as_str().unwrap().to_owned()).collect();
                policy.set_mode(Check::BundleVersion, Mode::Enforce);
            }
            other => panic!("the walker does not know the policy member {other}"),
        }
    }
    policy.app_attest_environment = match record.0["environment"].as_str() {
        Some("production") => EnvironmentPolicy::Production,
        Some("development") => EnvironmentPolicy::Development,
        _ => EnvironmentPolicy::Any,
    };
    policy
}

fn attestation(
    record: &Record,
    anchors: &Anchors,
    memory: &RecentAuthorities,
    tally: &mut Tally,
) -> Outcome {
    let object = record.base64("object");
    let optional = |member: &str| {
        record.0[member]
            .as_str()
            .map(|text| STANDARD.decode(text).unwrap())
            .unwrap_or_default()
    };
    let (client_data_hash, key_id) = (optional("client_data_hash"), optional("key_id"));
    let app_id = record.0["app_id"].as_str().unwrap_or("none");
    let at = record.0["at"].is_string().then(|| record.at());
    let evidence = Evidence::AppAttest(AppAttest {
        object: &object,
        app_id,
        key_id: ExpectedKeyId::Exactly(&key_id),
    });
    let context = Context {
        now: at.unwrap_or(bonafide_evidence::UnixTime(0)),
        challenge: ExpectedChallenge::Exactly(&client_data_hash),
        anchors,
        revocations: &RevocationList::empty(),
        attest_keys: AttestKeys::Refuse,
    };
    let fresh = verify(&evidence, &context);
    // What is remembered changes no outcome: the first time it may be kept, the second time it is used.
    for _ in 0..2 {
        assert_eq!(verify_with_memory(&evidence, &context, memory), fresh);
    }
    let facts = fresh.map_err(|reject| rejected(&reject))?;
    compare_attestation(record, &facts, tally);
    let json = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<Facts>(&json).unwrap(), facts);
    let appraisal = Appraisal {
        facts: &facts,
        measurements: &Measurements::NONE,
        references: &[ReferenceValue::Apple {
            app_id: app_id.to_owned(),
        }],
        device_override: DeviceOverride::None,
        revocation_list: ListAge::Missing,
        sightings: Sightings::NotKept,
        now: context.now,
    };
    granted(appraise(&appraisal, &policy(record)))
}

fn compare_attestation(record: &Record, facts: &Facts, tally: &mut Tally) {
    let Facts::AppAttest(facts) = facts else {
        panic!("another kind")
    };
    let Some(extensions) = record.0.get("extensions") else {
        return;
    };
    let mut ours = json!({});
    if let Some(version) = &facts.release.bundle_version {
        ours["apple_bundle_version_01"] = json!(version);
    }
    if let Some(category) = facts.release.validation_category {
        ours["apple_validation_category_01"] = json!(hex::encode(category.to_le_bytes()));
    }
    tally.same(&format!("{} extensions", record.id()), &&ours, &extensions);
}

fn assertion(record: &Record, tally: &mut Tally) -> Outcome {
    let object = record.base64("object");
    let facts = verify_assertion(&Assertion {
        object: &object,
        app_id: record.text("app_id"),
        client_data_hash: &record.base64("client_data_hash"),
        public_key: &record.base64("public_key_x963"),
        previous_counter: record.0["previous_counter"]
            .as_u64()
            .unwrap()
            .try_into()
            .unwrap(),
    })
    .map_err(|reject| rejected(&reject))?;
    for (member, ours) in [
        ("counter", facts.counter),
        ("flags", u32::from(facts.flags)),
    ] {
        if let Some(expected) = record.0[member].as_u64() {
            tally.same(
                &format!("{} {member}", record.id()),
                &u64::from(ours),
                &expected,
            );
        }
    }
    granted(appraise_release(&facts.release, &policy(record)))
}

fn receipt(record: &Record, anchors: &Anchors, tally: &mut Tally) -> Outcome {
    let object = record.base64("object");
    let key = record.0["public_key_pem"].as_str().map(|pem| {
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
        pem.contents[pem.contents.len() - 65..].to_vec()
    });
    let facts = verify_receipt(&Receipt {
        object: &object,
        app_id: record.text("app_id"),
        public_key: key
            .as_deref()
            .map_or(ExpectedPublicKey::NotCompared, ExpectedPublicKey::Exactly),
        anchors,
        now: record.at(),
    })
    .map_err(|reject| rejected(&reject))?;
    compare_receipt(record, &facts, tally);
    Ok(())
}

fn compare_receipt(record: &Record, facts: &ReceiptFacts, tally: &mut Tally) {
    let mut ours = serde_json::to_value(facts).unwrap();
    ours["risk_metric"] = facts.risk_metric.map(|metric| metric.to_string()).into();
    for member in [
        "receipt_type",
        "environment",
        "risk_metric",
        "created",
        "not_before",
        "expires",
        "fields",
    ] {
        if let Some(expected) = record.0.get(member) {
            tally.same(
                &format!("{} {member}", record.id()),
                &&ours[member],
                &expected,
            );
        }
    }
}

/// Records of one kind; real ones hang under Apple's root, synthetic ones say under which policy they stand.
fn records(corpus: &Corpus, kind: &str) -> Vec<Record> {
    corpus.records(|record| record["kind"] == kind && record["object"].is_string())
}

#[test]
fn attestations_get_the_expected_verdicts_and_facts() {
    for corpus in Corpus::views("App Attest attestations") {
        let derived = Anchors::none()
            .with_operator(&corpus.shared("derived-apple-test-root.der"))
            .unwrap();
        let apple = Anchors::apple_app_attest();
        let (table, mut tally) = (code_table(), Tally::default());
        let memory = RecentAuthorities::with_capacity(16);
        for record in records(&corpus, "attestation") {
            let anchors = if record.0["policy"].is_object() {
                &derived
            } else {
                &apple
            };
            for (case, record, expect) in cases(&record) {
                let outcome = attestation(&record, anchors, &memory, &mut tally);
                tally.compare(
                    &case,
                    &expect,
                    outcome.as_ref().copied().map_err(Vec::as_slice),
                    &table,
                );
            }
        }
        assert!(!memory.is_empty());
        tally.finish("App Attest attestations");
    }
}

#[test]
fn assertions_get_the_expected_verdicts_and_facts() {
    for corpus in Corpus::views("App Attest assertions") {
        let (table, mut tally) = (code_table(), Tally::default());
        for record in records(&corpus, "assertion") {
            for (case, record, expect) in cases(&record) {
                let outcome = assertion(&record, &mut tally);
                tally.compare(
                    &case,
                    &expect,
                    outcome.as_ref().copied().map_err(Vec::as_slice),
                    &table,
                );
            }
        }
        tally.finish("App Attest assertions");
    }
}

#[test]
fn receipts_get_the_expected_verdicts_and_facts() {
    for corpus in Corpus::views("App Attest receipts") {
        let anchors = Anchors::apple_receipts();
        let (table, mut tally) = (code_table(), Tally::default());
        for record in records(&corpus, "receipt") {
            for (case, record, expect) in cases(&record) {
                // A special case is decided by a rule of its name: refused.
                let expect = expect.replace("special:", "reject:");
                let outcome = receipt(&record, &anchors, &mut tally);
                tally.compare(
                    &case,
                    &expect,
                    outcome.as_ref().copied().map_err(Vec::as_slice),
                    &table,
                );
            }
        }
        tally.finish("App Attest receipts");
    }
}

/// An attestation carries its receipt; what is in it is what Apple would sign.
#[test]
fn receipts_inside_attestations_are_about_the_attested_key() {
    for corpus in Corpus::views("receipts inside attestations") {
        let anchors = Anchors::apple_receipts();
        let mut genuine = 0;
        for record in records(&corpus, "attestation") {
            if record.0["receipt_cms_ok"] != true {
                continue;
            }
            let object = record.base64("object");
            let bytes = receipt_of(&object).unwrap();
            let look = |public_key| {
                verify_receipt(&Receipt {
                    object: bytes,
                    app_id: record.text("app_id"),
                    public_key,
                    anchors: &anchors,
                    now: record.at(),
                })
            };
            let facts = look(ExpectedPublicKey::NotCompared);
            assert!(facts.is_ok(), "{}: {facts:?}", record.id());
            assert_eq!(
                look(ExpectedPublicKey::Exactly(&[4; 65])),
                Err(Reject::KeyIdMismatch)
            );
            genuine += 1;
        }
        println!("{genuine} receipts inside attestations");
    }
}
