//! Independent programs are asked about the real cases of the corpus: npm's `node-app-attest` and Debian's
//! `ruby-android-key-attestation`. Where they say something else, `docs/reference/evidence-differences.md` says
//! why; a difference that is not explained there fails.
//!
//! `cargo xtask peers` installs them. Without them, or without a corpus, this is skipped, loudly.
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

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonafide_evidence::android::{Anchors, AttestKeys, RevocationList};
use bonafide_evidence::apple::{
    AppAttest, Assertion, Environment, ExpectedKeyId, verify_assertion,
};
use bonafide_evidence::{Context, Evidence, ExpectedChallenge, Facts, Reject, verify};
use corpus::{Corpus, Record};
use serde_json::{Value, json};

/// `accepted`, or the code that refused.
type Verdict = Result<(), String>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a peer said to each question, in their order.
fn ask(mut peer: Command, questions: &[Value]) -> Vec<Verdict> {
    let mut child = peer
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = questions
        .iter()
        .map(|question| question.to_string() + "\n")
        .collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let answers: Vec<Verdict> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let answer: Value = serde_json::from_str(line).unwrap();
            if answer["accepted"] == true {
                Ok(())
            } else {
                Err(answer["why"].as_str().unwrap().to_owned())
            }
        })
        .collect();
    assert_eq!(answers.len(), questions.len(), "the peer gave up");
    answers
}

/// Rows `| peer | ours | theirs | why |` of the page.
fn explained() -> BTreeSet<(String, String, String)> {
    let page = root().join("docs/reference/evidence-differences.md");
    let text = fs::read_to_string(page).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let cell = |at: usize| cells[at].trim().trim_matches('`').to_owned();
        (cell(0), cell(1), cell(2))
    })
    .collect()
}

/// Compares, and counts each kind of difference.
fn compare(peer: &str, cases: &[(String, Verdict)], theirs: &[Verdict]) {
    let explained = explained();
    let mut differences: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut same = 0;
    let mut strange = Vec::new();
    for ((case, ours), theirs) in cases.iter().zip(theirs) {
        if ours.is_ok() == theirs.is_ok() {
            same += 1;
            continue;
        }
        let word = |verdict: &Verdict| verdict.clone().err().unwrap_or("accepted".to_owned());
        let (ours, theirs) = (word(ours), word(theirs));
        if !explained.contains(&(peer.to_owned(), ours.clone(), theirs.clone())) {
            strange.push(format!("{case}: ours {ours}, theirs {theirs}"));
        }
        *differences.entry((ours, theirs)).or_default() += 1;
    }
    println!(
        "{peer}: {} cases, {same} with the same verdict",
        cases.len()
    );
    for ((ours, theirs), count) in &differences {
        println!("  {count} times ours {ours}, theirs {theirs}");
    }
    assert!(strange.is_empty(), "not explained:\n{}", strange.join("\n"));
}

fn code<T>(outcome: Result<T, Reject>) -> Result<T, String> {
    outcome.map_err(|reject| reject.code().to_owned())
}

/// The record and its variants.
fn variants(record: &Record) -> Vec<Record> {
    let mut cases = vec![Record(record.0.clone())];
    for variant in record.0["variants"].as_array().into_iter().flatten() {
        let mut changed = record.0.clone();
        for (name, value) in variant["set"].as_object().unwrap() {
            changed[name] = value.clone();
        }
        changed["id"] = format!("{} with {}", record.id(), variant["set"]).into();
        cases.push(Record(changed));
    }
    cases
}

fn attestation(record: &Record) -> Verdict {
    let (object, key_id) = (record.base64("object"), record.base64("key_id"));
    let hash = record.base64("client_data_hash");
    let context = Context {
        now: record.at(),
        challenge: ExpectedChallenge::Exactly(&hash),
        anchors: &Anchors::apple_app_attest(),
        revocations: &RevocationList::empty(),
        attest_keys: AttestKeys::Refuse,
    };
    let evidence = Evidence::AppAttest(AppAttest {
        object: &object,
        app_id: record.text("app_id"),
        key_id: ExpectedKeyId::Exactly(&key_id),
    });
    let Facts::AppAttest(facts) = code(verify(&evidence, &context))? else {
        panic!("another kind")
    };
    let wanted = match record.text("environment") {
        "production" => Environment::Production,
        _ => Environment::Development,
    };
    if facts.environment == wanted {
        Ok(())
    } else {
        Err("environment-not-accepted".to_owned())
    }
}

fn assertion(record: &Record) -> Verdict {
    code(verify_assertion(&Assertion {
        object: &record.base64("object"),
        app_id: record.text("app_id"),
        client_data_hash: &record.base64("client_data_hash"),
        public_key: &record.base64("public_key_x963"),
        previous_counter: record.0["previous_counter"]
            .as_u64()
            .unwrap()
            .try_into()
            .unwrap(),
    }))
    .map(drop)
}

#[test]
fn node_app_attest_says_the_same_or_the_difference_is_explained() {
    let Some(corpus) = Corpus::open("node-app-attest") else {
        return;
    };
    let home = root().join("target/peers/app-attest");
    if !home.join("node_modules/node-app-attest").exists() {
        println!("SKIPPED node-app-attest: not installed; `cargo xtask peers` does it");
        return;
    }
    let script = home.join("judge.mjs");
    fs::copy(root().join("tests/peers/app-attest/judge.mjs"), &script).unwrap();
    let mut cases = Vec::new();
    let mut questions = Vec::new();
    let is_ours = |r: &Value| r["repo"].is_string() && r["client_data_hash"].is_string();
    for record in corpus.records(is_ours).iter().flat_map(variants) {
        let verdict = match record.text("kind") {
            "attestation" => attestation(&record),
            "assertion" => assertion(&record),
            _ => continue,
        };
        cases.push((record.id().to_owned(), verdict));
        questions.push(record.0);
    }
    let mut node = Command::new("node");
    node.arg(script);
    let answers = ask(node, &questions);
    compare("node-app-attest", &cases, &answers);
}

/// Google's current roots and the older certificates of the same key: a peer that pins certificates needs the one
/// that counted when the chain was made.
fn google_roots(corpus: &Corpus) -> String {
    let current = corpus.shared("roots/google/roots.json");
    let mut roots: Vec<String> = serde_json::from_slice(&current).unwrap();
    roots.extend((0..3).map(|number| {
        let der = corpus.shared(&format!("roots/google/grapheneos_google_root_{number}.der"));
        let text = STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }));
    json!(roots).to_string()
}

#[test]
fn ruby_android_key_attestation_says_the_same_or_the_difference_is_explained() {
    let Some(corpus) = Corpus::open("ruby-android-key-attestation") else {
        return;
    };
    let mut probe = Command::new("ruby");
    probe
        .args(["-e", "require 'android_key_attestation'"])
        .stderr(Stdio::null());
    if !probe.status().is_ok_and(|status| status.success()) {
        println!(
            "SKIPPED ruby-android-key-attestation: not installed; `cargo xtask peers` does it"
        );
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let roots = home.path().join("roots.json");
    fs::write(&roots, google_roots(&corpus)).unwrap();
    let mut cases = Vec::new();
    let mut questions = Vec::new();
    let is_ours = |r: &Value| r["chain"].is_array() && r["repo"].is_string() && r["at"].is_string();
    for record in corpus.records(|r| is_ours(r) && r["challenge"].is_string()) {
        let (chain, challenge) = (record.base64_list("chain"), record.base64("challenge"));
        let context = Context {
            now: record.at(),
            challenge: ExpectedChallenge::Exactly(&challenge),
            anchors: &Anchors::google(),
            revocations: &RevocationList::empty(),
            attest_keys: AttestKeys::Refuse,
        };
        let verdict = code(verify(&Evidence::AndroidKey { chain: &chain }, &context));
        cases.push((record.id().to_owned(), verdict.map(drop)));
        let asked = ["chain", "challenge", "at"].map(|member| (member, record.0[member].clone()));
        questions.push(json!(BTreeMap::from(asked)));
    }
    let mut ruby = Command::new("ruby");
    ruby.arg(root().join("tests/peers/key-attestation/judge.rb"))
        .arg(&roots);
    let answers = ask(ruby, &questions);
    compare("ruby-android-key-attestation", &cases, &answers);
}
