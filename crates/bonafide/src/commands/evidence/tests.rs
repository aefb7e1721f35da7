//! The command over a corpus: every Android record through the function behind the command line gives
//! the expected verdict, in PEM and in DER.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonafide_evidence::{Check, Mode, Policy};
use clap::Parser as _;
use serde_json::{Value, json};

use super::*;
use crate::args::{Arguments, Noun};

/// Runs `bonafide evidence verify …` up to the printing.
fn verify(arguments: &[String]) -> Result<Report, Failure> {
    let line = ["bonafide", "evidence", "verify"].map(str::to_owned);
    let parsed = Arguments::try_parse_from(line.iter().chain(arguments)).unwrap();
    let Noun::Evidence(verb) = parsed.noun else {
        panic!("another noun")
    };
    let Verb::Verify(kind) = verb else {
        panic!("another verb")
    };
    judge(&kind)
}

/// The corpus, as the walkers of `bonafide-evidence` find it.
fn vectors() -> Option<PathBuf> {
    let root = std::env::var_os("BONAFIDE_CORPUS")
        .map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(root)
        .join("vectors");
    if vectors.is_dir() {
        return Some(vectors);
    }
    println!("SKIPPED evidence verify: no corpus; set BONAFIDE_CORPUS");
    None
}

fn records(vectors: &Path, is_ours: impl Fn(&Value) -> bool) -> Vec<Value> {
    let folders = fs::read_dir(vectors)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = folders
        .filter(|path| path.is_dir())
        .flat_map(|folder| {
            fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
        })
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        });
    let records: Vec<Value> = files
        .flat_map(|file| {
            let text = fs::read_to_string(file).unwrap();
            text.lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect::<Vec<Value>>()
        })
        .filter(is_ours)
        .collect();
    assert!(
        !records.is_empty(),
        "no such record in {}",
        vectors.display()
    );
    records
}

/// A folder for the files of one command.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The chain as PEM and as concatenated DER.
    fn chains(&self, record: &Value) -> [String; 2] {
        let chain = record["chain"]
            .as_array()
            .unwrap()
            .iter()
            .map(|der| der.as_str().unwrap());
        let mut pem = String::new();
        let mut der = Vec::new();
        for certificate in chain {
            pem.push_str(&block(certificate));
            der.extend(STANDARD.decode(certificate).unwrap());
        }
        [self.file("chain.pem", pem), self.file("chain.der", der)]
    }
}

fn block(base64: &str) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
}

fn options(pairs: &[(&str, &str)]) -> Vec<String> {
    pairs
        .iter()
        .flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()])
        .collect()
}

fn hexadecimal(base64: &str) -> String {
    hex::encode(STANDARD.decode(base64).unwrap())
}

/// The verdict and exit code that a command ended with must be those that `expect` wants.
fn wrong(expect: &str, chain: &str, options: &[String]) -> Option<String> {
    wrong_of("android-key", expect, chain, options)
}

fn wrong_of(kind: &str, expect: &str, file: &str, options: &[String]) -> Option<String> {
    let mut arguments = vec![kind.to_owned(), file.to_owned()];
    arguments.extend_from_slice(options);
    let report = verify(&arguments).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    let accepted = match (report.exit(), json["verdict"].as_str().unwrap()) {
        (Exit::Done, "genuine") => true,
        (Exit::Refused, "refused") => false,
        other => panic!("{other:?}"),
    };
    let right = match expect {
        "either" => true,
        "accept" => accepted,
        reject => reject.starts_with("reject:") && !accepted,
    };
    (!right).then(|| format!("expected {expect}, got {json}"))
}

#[test]
fn every_real_chain_gets_its_verdict_on_the_command_line() {
    let Some(vectors) = vectors() else { return };
    let desk = Desk::new();
    let everything_off: BTreeMap<&str, Mode> = Check::ALL
        .iter()
        .map(|check| (check.as_str(), Mode::Off))
        .collect();
    let authentic_only = desk.file(
        "policy.json",
        json!({ "checks": everything_off }).to_string(),
    );
    let listed = vectors.join("common/google-status-2025-01-08.json");
    let mut failures = Vec::new();
    for record in records(&vectors, |r| r["chain"].is_array() && r["use"] == "verify") {
        let chains = desk.chains(&record);
        for (name, expect) in record["expect"].as_object().unwrap() {
            let at = match name.strip_prefix("default_policy_at_") {
                Some(date) if date != "creation" => format!("{date}T00:00:00Z"),
                _ => record["at"].as_str().unwrap().to_owned(),
            };
            let mut given = options(&[("at", &at)]);
            if let Some(challenge) = record["challenge"].as_str() {
                given.extend(options(&[("challenge", &hexadecimal(challenge))]));
            }
            if name.starts_with("chain_only") {
                given.extend(options(&[("policy", &authentic_only)]));
            }
            if name.contains("_with_revocation_") {
                given.extend(options(&[("revocations", listed.to_str().unwrap())]));
            }
            for chain in &chains {
                let failure = wrong(expect.as_str().unwrap(), chain, &given);
                failures.extend(failure.map(|text| format!("{} {name}: {text}", record["id"])));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_derived_chain_gets_its_verdict_on_the_command_line() {
    let Some(vectors) = vectors() else { return };
    let desk = Desk::new();
    let root = fs::read(vectors.join("common/derived-android-test-root.der")).unwrap();
    let root = desk.file("root.pem", block(&STANDARD.encode(root)));
    let mut failures = Vec::new();
    for record in records(&vectors, |r| {
        r["chain"].is_array() && r["expect"].is_string()
    }) {
        let text = |member: &str| record[member].as_str().unwrap();
        let mut given = options(&[
            ("at", text("at")),
            ("challenge", &hexadecimal(text("challenge"))),
            ("package", text("package")),
            ("signer", text("signing_digest")),
        ]);
        if text("anchors") == "test" {
            given.extend(options(&[("roots", &root)]));
        }
        let policy = &record["policy"];
        if let Some(minimum) = policy["min_version"].as_u64() {
            given.extend(options(&[("min-version-code", &minimum.to_string())]));
        }
        if let Some(months) = policy["max_patch_age_months"].as_u64() {
            given.extend(options(&[("max-patch-age-months", &months.to_string())]));
        }
        if let Some(list) = policy["revocation"].as_str() {
            let list = vectors.join("common").join(list);
            given.extend(options(&[("revocations", list.to_str().unwrap())]));
        }
        for chain in desk.chains(&record) {
            let failure = wrong(text("expect"), &chain, &given);
            failures.extend(failure.map(|text| format!("{}: {text}", record["id"])));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The same for App Attest: the record and each of its variants, on the command line.
#[test]
fn every_app_attest_object_gets_its_verdict_on_the_command_line() {
    let Some(vectors) = vectors() else { return };
    let desk = Desk::new();
    let root = fs::read(vectors.join("common/derived-apple-test-root.der")).unwrap();
    let root = desk.file("apple-root.pem", block(&STANDARD.encode(root)));
    let mut failures = Vec::new();
    for record in records(&vectors, |r| {
        r["kind"].is_string() && r["object"].is_string()
    }) {
        let none = Vec::new();
        let variants = record["variants"].as_array().unwrap_or(&none).iter();
        let changed = variants.map(|variant| {
            let mut changed = record.clone();
            for (name, value) in variant["set"].as_object().unwrap() {
                changed[name] = value.clone();
            }
            changed["expect"] = variant["expect"].clone();
            changed
        });
        for case in std::iter::once(record.clone()).chain(changed) {
            let raw = STANDARD.decode(case["object"].as_str().unwrap()).unwrap();
            let object = desk.file("object", raw);
            let text = desk.file("object.txt", case["object"].as_str().unwrap());
            let (kind, given) = app_attest_line(&case, &root);
            let expect = case["expect"]
                .as_str()
                .unwrap()
                .replace("special:", "reject:");
            for object in [&object, &text] {
                let failure = wrong_of(kind, &expect, object, &given);
                failures.extend(failure.map(|text| format!("{}: {text}", case["id"])));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn app_attest_line(case: &Value, root: &str) -> (&'static str, Vec<String>) {
    let mut given = vec![];
    let mut option = |name: &str, value: Option<String>| {
        given.extend(
            value
                .map(|value| options(&[(name, &value)]))
                .unwrap_or_default(),
        );
    };
    let text = |member: &str| case[member].as_str().map(str::to_owned);
    let hexadecimal = |member: &str| case[member].as_str().map(hexadecimal);
    option("app-id", text("app_id").or(Some("none".to_owned())));
    option("at", text("at"));
    let kind = match case["kind"].as_str().unwrap() {
        "attestation" => {
            option(
                "client-data-hash",
                hexadecimal("client_data_hash").or(Some(String::new())),
            );
            option("key-id", text("key_id"));
            option("environment", text("environment"));
            option("roots", case["policy"].is_object().then(|| root.to_owned()));
            "app-attest"
        }
        "assertion" => {
            option("client-data-hash", hexadecimal("client_data_hash"));
            option("public-key", hexadecimal("public_key_x963"));
            option(
                "previous-counter",
                Some(case["previous_counter"].to_string()),
            );
            "app-attest-assertion"
        }
        "receipt" => {
            option(
                "public-key",
                case["public_key_pem"].as_str().map(point_of_pem),
            );
            "app-attest-receipt"
        }
        other => panic!("another kind: {other}"),
    };
    let policy = &case["policy"];
    let listed = |member: &str| policy[member].as_array().cloned().unwrap_or_default();
    for category in listed("allowed_categories") {
        option("allowed-category", Some(category.to_string()));
    }
    for version in listed("allowed_bundle_versions") {
        option(
            "allowed-bundle-version",
            Some(version.as_str().unwrap().to_owned()),
        );
    }
    if policy["require_category"] == true {
        given.push("--require-category".to_owned());
    }
    (kind, given)
}

/// The uncompressed point at the end of a P-256 public key.
fn point_of_pem(pem: &str) -> String {
    let base64: String = pem.lines().filter(|line| !line.starts_with("--")).collect();
    let der = STANDARD.decode(base64).unwrap();
    hex::encode(&der[der.len() - 65..])
}

/// The same for Play Integrity, with the record's policy in a file.
#[test]
fn every_play_token_gets_its_verdict_on_the_command_line() {
    let Some(vectors) = vectors() else { return };
    let desk = Desk::new();
    let keys = vectors.join("common/play-test-keys.json");
    let mut failures = Vec::new();
    for record in records(&vectors, |r| {
        r["token"].is_string() && r["policy"].is_object()
    }) {
        let asked = &record["policy"];
        let now = record["now_ms"].as_i64().unwrap() / 1000;
        let at = UnixTime(now).to_string();
        let policy = desk.file("policy.json", play_policy(asked).to_string());
        let mut given = options(&[
            ("at", &at),
            ("keys", keys.to_str().unwrap()),
            ("package", asked["package"].as_str().unwrap()),
            ("policy", &policy),
        ]);
        for signer in asked["digests"].as_array().unwrap() {
            given.extend(options(&[("signer", signer.as_str().unwrap())]));
        }
        for (member, option) in [("nonce", "nonce"), ("request_hash", "request-hash")] {
            if let Some(text) = asked[member].as_str() {
                given.extend(options(&[(option, text)]));
            }
        }
        let token = desk.file("token", record["token"].as_str().unwrap());
        let expect = record["expect"].as_str().unwrap();
        let failure = wrong_of("play-integrity", expect, &token, &given);
        failures.extend(failure.map(|text| format!("{}: {text}", record["id"])));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What is null or empty is not asked.
fn play_policy(asked: &Value) -> Value {
    let mut checks = json!({ "measurement-complete": "off" });
    let mut play = json!({ "app_verdicts": asked["app"], "device_label": asked["device"] });
    for (member, check, ours) in [
        ("licence", "play-licence", ""),
        ("max_activity_level", "play-activity", "max_activity_level"),
        ("min_sdk", "play-sdk", "min_sdk_version"),
        ("recall_block", "play-recall", "blocked_recall_bits"),
        ("play_protect_block", "play-protect", "blocked_play_protect"),
        ("apps_detected_block", "play-apps", "blocked_apps"),
    ] {
        let value = &asked[member];
        let is_asked = !value.is_null() && value != &json!([]);
        checks[check] = if is_asked { "enforce" } else { "off" }.into();
        if is_asked && !ours.is_empty() {
            play[ours] = value.clone();
        }
    }
    if asked["allow_testing"] == true {
        checks["development"] = "off".into();
    }
    let minimum = asked["min_version_code"].as_u64().unwrap_or(0);
    json!({ "checks": checks, "play": play, "min_version_code": minimum })
}

#[test]
fn what_cannot_be_read_is_a_usage_error_and_an_empty_chain_is_a_refusal() {
    let desk = Desk::new();
    let verify = |chain: &str, more: &[(&str, &str)]| {
        let mut arguments = vec!["android-key".to_owned(), chain.to_owned()];
        arguments.extend(options(more));
        verify(&arguments)
            .map(|report| report.exit())
            .map_err(|failure| failure.exit)
    };
    let empty = desk.file("empty.pem", "");
    let rubbish = desk.file("rubbish", "rubbish");
    let broken = desk.file(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    );
    assert_eq!(verify(&empty, &[]), Ok(Exit::Refused));
    for chain in ["/nowhere/chain.pem", &rubbish, &broken] {
        assert_eq!(verify(chain, &[]), Err(Exit::Usage), "{chain}");
    }
    for option in ["roots", "revocations", "policy"] {
        assert_eq!(
            verify(&empty, &[(option, &rubbish)]),
            Err(Exit::Usage),
            "{option}"
        );
    }
}

#[test]
fn what_is_left_out_is_said() {
    let desk = Desk::new();
    let empty = desk.file("empty.pem", "");
    let report = verify(&["android-key".to_owned(), empty, "--explain".to_owned()]).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    let codes: Vec<_> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        [
            "chain-too-short",
            "package-not-compared",
            "signer-not-compared",
            "version-not-compared",
            "patch-age-not-compared",
            "revocations-not-compared",
            "challenge-not-compared",
        ]
    );
    let first = &json["explanation"][0];
    assert_eq!(first["name"], "too-many-certificates");
    let broken = &json["explanation"][3];
    assert_eq!(broken["outcome"], "BROKEN: the chain is too short");
    assert_eq!(json["explanation"][4]["outcome"], "not reached");
    assert_eq!(json["explanation"][22]["outcome"], "not compared");
}

#[test]
fn a_policy_file_is_what_the_service_stores() {
    let policy = serde_json::to_string(&Policy::default()).unwrap();
    let desk = Desk::new();
    let file = desk.file("policy.json", policy);
    assert_eq!(input::policy(Path::new(&file)).unwrap(), Policy::default());
}

fn listed(arguments: &[&str]) -> Result<Exit, Failure> {
    let line = ["bonafide", "evidence", "anchors"].into_iter();
    let parsed = Arguments::try_parse_from(line.chain(arguments.iter().copied())).unwrap();
    let Noun::Evidence(Verb::Anchors(args)) = parsed.noun else {
        panic!("another verb")
    };
    anchors::list(
        &args,
        crate::render::Console::new(crate::render::Output::Json),
    )
}

#[test]
fn anchors_are_listed_and_published_software_keys_are_refused_by_name() {
    assert_eq!(listed(&[]).unwrap(), Exit::Done);
    let Some(vectors) = vectors() else { return };
    let root = |name: &str| {
        let path = vectors.join("common/roots").join(name);
        path.to_str().unwrap().to_owned()
    };
    let apple = root("apple/takimoto3_Apple_App_Attestation_Root_CA.pem");
    assert_eq!(listed(&["--roots", &apple]).unwrap(), Exit::Done);
    let software = root("google/software-never-trust/aosp_software_roots.pem");
    let refused = listed(&["--roots", &software]).unwrap_err();
    assert!(
        refused.message.contains("AOSP software attestation"),
        "{}",
        refused.message
    );
}
