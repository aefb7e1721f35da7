//! Every Android record of the corpus gets the verdict that it expects, and the facts that it states.
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

use std::collections::BTreeMap;

use bonafide_evidence::android::{
    AnchorKind, Anchors, AttestKeys, ListAge, Locked, RecentAuthorities, RevocationList,
    UnverifiedKeyDescription,
};
use bonafide_evidence::{
    Appraisal, Check, Context, DeviceOverride, Evidence, ExpectedChallenge, Facts, Measurements,
    Mode, Policy, Preset, ReferenceValue, Sightings, UnixTime, appraise, verify,
    verify_with_memory,
};
use corpus::{Corpus, Record, Tally, code_table};
use serde_json::Value;

fn is_android(record: &Value) -> bool {
    record["chain"].is_array()
}

/// What one run is about.
struct Run<'a> {
    record: &'a Record,
    at: UnixTime,
    anchors: &'a Anchors,
    revocations: &'a RevocationList,
}

impl Run<'_> {
    fn facts(&self) -> Result<Facts, Vec<&'static str>> {
        let chain = self.record.base64_list("chain");
        // One record is of a chain that attests nothing, so no challenge is stated.
        let challenge = self.record.0["challenge"]
            .is_string()
            .then(|| self.record.base64("challenge"));
        let challenge = challenge.as_deref();
        let context = Context {
            now: self.at,
            challenge: challenge.map_or(ExpectedChallenge::NotCompared, ExpectedChallenge::Exactly),
            anchors: self.anchors,
            revocations: self.revocations,
            attest_keys: AttestKeys::Refuse,
        };
        verify(&Evidence::AndroidKey { chain: &chain }, &context)
            .map_err(|reject| vec![reject.code()])
    }

    fn judged(
        &self,
        policy: &Policy,
        references: &[ReferenceValue],
    ) -> Result<(), Vec<&'static str>> {
        let facts = self.facts()?;
        let appraisal = Appraisal {
            facts: &facts,
            measurements: &Measurements::NONE,
            references,
            device_override: DeviceOverride::None,
            revocation_list: ListAge::Missing,
            sightings: Sightings::NotKept,
            now: self.at,
        };
        let verdict = appraise(&appraisal, policy);
        verdict
            .into_grant()
            .map(drop)
            .map_err(|refusal| refusal.codes().collect())
    }
}

/// The corpus's default policy: hardware's word, no word on patches or on which app.
fn hardware_policy() -> Policy {
    let mut policy = Policy::preset(Preset::Default);
    for check in [
        Check::AppId,
        Check::AppRegistration,
        Check::AppVersion,
        Check::PatchAge,
        Check::RevocationListAge,
    ] {
        policy.set_mode(check, Mode::Off);
    }
    policy
}

/// Anchors are keys: the same set, from certificates.
fn published_google_roots(corpus: &Corpus) -> Anchors {
    let roots: Vec<String> =
        serde_json::from_slice(&corpus.shared("roots/google/roots.json")).unwrap();
    roots.iter().fold(Anchors::none(), |anchors, pem| {
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
        anchors.with_operator(&pem.contents).unwrap()
    })
}

#[test]
fn real_chains_get_the_expected_verdicts_and_facts() {
    for corpus in Corpus::views("real Android chains") {
        let records = corpus.records(|r| is_android(r) && r["expect"].is_object());
        let published = published_google_roots(&corpus);
        let pinned = Anchors::google();
        let listed =
            RevocationList::parse(&corpus.shared("google-status-2025-01-08.json")).unwrap();
        let (none, table, mut tally) = (RevocationList::empty(), code_table(), Tally::default());
        for record in &records {
            compare_facts(record, &mut tally);
            for (name, expect) in record.0["expect"].as_object().unwrap() {
                let Some(expect) = expect.as_str() else {
                    continue;
                };
                let revocations = if name.contains("_with_revocation_") {
                    &listed
                } else {
                    &none
                };
                let at = match name.strip_prefix("default_policy_at_") {
                    Some(date) if date != "creation" => {
                        UnixTime::parse_rfc3339(&format!("{date}T00:00:00Z")).unwrap()
                    }
                    _ => record.at(),
                };
                let case = format!("{} {name}", record.id());
                for anchors in [&published, &pinned] {
                    let run = Run {
                        record,
                        at,
                        anchors,
                        revocations,
                    };
                    let outcome = if name.starts_with("chain_only") {
                        run.facts().map(drop)
                    } else {
                        run.judged(&hardware_policy(), &[])
                    };
                    let outcome = outcome.as_ref().copied().map_err(Vec::as_slice);
                    tally.compare(&case, expect, outcome, &table);
                }
            }
        }
        println!("{} records", records.len());
        tally.finish("real Android chains");
    }
}

/// What the record says the description says, whether or not the chain is any good.
fn compare_facts(record: &Record, tally: &mut Tally) {
    let chain = record.base64_list("chain");
    let Some(leaf) = chain.first() else { return };
    let read = UnverifiedKeyDescription::of_certificate(leaf);
    let id = record.id();
    if let Some(expected) = record.0["expect"]["parse_key_description"].as_bool() {
        tally.cases += 1;
        tally.same(&format!("{id} parses"), &read.is_ok(), &expected);
    }
    let Ok(description) = read else { return };
    let ours: BTreeMap<&str, Value> = stated(&description);
    for (member, value) in ours {
        if let Some(expected) = record.0.get(member) {
            tally.same(&format!("{id} {member}"), &value, expected);
        }
    }
}

fn stated(description: &UnverifiedKeyDescription) -> BTreeMap<&'static str, Value> {
    let boot = description.root_of_trust();
    let packages = description.application().map(|application| {
        application
            .packages
            .iter()
            .map(|package| package.name.clone())
            .collect::<Vec<_>>()
    });
    let [os_patch, ..] = description.patch_levels();
    let level = |level| match level {
        bonafide_evidence::android::SecurityLevel::Software => 0,
        bonafide_evidence::android::SecurityLevel::TrustedEnvironment => 1,
        bonafide_evidence::android::SecurityLevel::StrongBox => 2,
    };
    BTreeMap::from([
        (
            "attestation_version",
            description.attestation_version.into(),
        ),
        ("keymint_version", description.keymint_version.into()),
        (
            "security_level",
            vec![
                level(description.attestation_level),
                level(description.keymint_level),
            ]
            .into(),
        ),
        ("packages", packages.unwrap_or_default().into()),
        (
            "device_locked",
            boot.map(|boot| boot.device_locked == Locked::Locked).into(),
        ),
        ("boot_state", boot.map(|boot| boot.state as i32).into()),
        ("os_patch", os_patch.map(|patch| patch.0).into()),
    ])
}

#[test]
fn derived_chains_get_the_expected_verdicts() {
    for corpus in Corpus::views("derived Android chains") {
        let records = corpus.records(|r| is_android(r) && r["expect"].is_string());
        let test_root = corpus.shared("derived-android-test-root.der");
        let test = Anchors::none().with_operator(&test_root).unwrap();
        let google = Anchors::google();
        let (table, mut tally) = (code_table(), Tally::default());
        for record in &records {
            let policy = &record.0["policy"];
            let revocations = policy["revocation"]
                .as_str()
                .map_or(RevocationList::empty(), |name| {
                    RevocationList::parse(&corpus.shared(name)).unwrap()
                });
            let anchors = match record.text("anchors") {
                "test" => &test,
                "google" => &google,
                other => panic!("{}: anchors {other}", record.id()),
            };
            let run = Run {
                record,
                at: record.at(),
                anchors,
                revocations: &revocations,
            };
            let outcome = run.judged(&app_policy(policy), &[reference(record)]);
            let outcome = outcome.as_ref().copied().map_err(Vec::as_slice);
            tally.compare(record.id(), record.text("expect"), outcome, &table);
        }
        tally.finish("derived Android chains");
    }
}

fn app_policy(members: &Value) -> Policy {
    let mut policy = Policy::preset(Preset::Default);
    policy.set_mode(Check::PatchAge, Mode::Off);
    for (member, value) in members.as_object().unwrap() {
        match member.as_str() {
            "min_version" => policy.min_version_code = value.as_u64().unwrap(),
            "max_patch_age_months" => {
                policy.max_patch_age_months = value.as_u64().unwrap().try_into().unwrap();
                policy.set_mode(Check::PatchAge, Mode::Enforce);
            }
            "revocation" => {}
            other => panic!("the walker does not know the policy member {other}"),
        }
    }
    policy
}

fn reference(record: &Record) -> ReferenceValue {
    ReferenceValue::Certificate {
        package: record.text("package").to_owned(),
        signers: vec![record.text("signing_digest").parse().unwrap()],
    }
}

/// Whoever remembers authorities sees the same verdicts, in whatever order chains come.
#[test]
fn a_memory_of_authorities_changes_no_verdict() {
    for corpus in Corpus::views("Android chains with a memory") {
        let test_root = corpus.shared("derived-android-test-root.der");
        let anchors = Anchors::google().with_development(&test_root).unwrap();
        let revocations = RevocationList::empty();
        let memory = RecentAuthorities::with_capacity(16);
        let mut genuine = 0;
        for _round in 0..2 {
            for record in corpus.records(|r| is_android(r) && r["at"].is_string()) {
                let chain = record.base64_list("chain");
                let evidence = Evidence::AndroidKey { chain: &chain };
                let context = Context {
                    now: record.at(),
                    challenge: ExpectedChallenge::NotCompared,
                    anchors: &anchors,
                    revocations: &revocations,
                    attest_keys: AttestKeys::Refuse,
                };
                let plain = verify(&evidence, &context);
                let remembered = verify_with_memory(&evidence, &context, &memory);
                assert_eq!(plain, remembered, "{}", record.id());
                if let Ok(Facts::AndroidKey(facts)) = &plain {
                    genuine += 1;
                    let derived = record.0["anchors"] == "test";
                    assert_eq!(
                        facts.anchor == AnchorKind::Development,
                        derived,
                        "{}",
                        record.id()
                    );
                }
            }
        }
        assert!(genuine > 0);
    }
}
