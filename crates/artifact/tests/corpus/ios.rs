//! Every IPA of the corpus against the checker that its folder carries, and against what its makers intended.

use std::collections::BTreeMap;

use bonafide_artifact::{Inspection, Kind, Options, Severity, Verdict, inspect};
use serde_json::Value;

use crate::folder::Corpus;

#[test]
fn ipas_are_what_the_oracle_says() {
    let Some(corpus) = Corpus::open("ipa corpus") else {
        return;
    };
    let (mut verified, mut refused, mut faults) = (0, 0, Vec::new());
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in corpus.entries.iter().filter(|entry| is_app(&entry["ios"])) {
        let oracle = &entry["ios"];
        let bytes = corpus.bytes(entry);
        let inspection = inspect(&bytes, &Options::default()).ok();
        let verdict = inspection.as_ref().map(Inspection::verdict);
        let good = oracle["ok"] == true;
        let intended = corpus
            .assertions(entry)
            .iter()
            .find_map(|a| a["intent"].as_str());
        if intended.is_some_and(|intent| intent.starts_with("accept") != good) {
            faults.push(format!("{}: oracle and intent differ", entry["path"]));
        }
        if (verdict == Some(Verdict::Verified)) != good {
            let findings = inspection.as_ref().map(Inspection::findings);
            faults.push(format!(
                "{}: {:?}, oracle {} {findings:?}",
                entry["path"], verdict, oracle["problems"]
            ));
            continue;
        }
        if good {
            verified += 1;
            let inspection = inspection.as_ref().expect("verified");
            compare_facts(entry, oracle, inspection, &mut faults);
        } else {
            refused += 1;
            let findings = inspection.iter().flat_map(Inspection::findings);
            for finding in findings.filter(|finding| finding.severity() == Severity::Reject) {
                *rules.entry(finding.code().as_str()).or_default() += 1;
            }
        }
    }
    println!("ipa corpus: {verified} verified, {refused} refused by {rules:?}");
    assert!(verified + refused > 0, "the corpus has no IPA");
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// An app, and not a bare provisioning profile.
fn is_app(oracle: &Value) -> bool {
    oracle.is_object()
        && (oracle["ok"].is_boolean() || oracle["error"].is_string())
        && oracle["profile_only"].is_null()
}

fn compare_facts(entry: &Value, oracle: &Value, inspection: &Inspection, faults: &mut Vec<String>) {
    let identity = inspection.identity().expect("verified has an identity");
    let ios = inspection.ios().expect("an app");
    let mut cdhashes: BTreeMap<&str, &[String]> = BTreeMap::new();
    for slice in &ios.slices {
        cdhashes.insert(&slice.arch, &slice.cdhashes);
    }
    let same = [
        ("kind", inspection.kind() == Kind::Ipa),
        ("bundle id", oracle["bundle_id"] == identity.package()),
        ("app id", oracle["app_id"].as_str() == ios.app_id.as_deref()),
        (
            "team id",
            oracle["team_id"].is_null() || oracle["team_id"].as_str() == ios.team_id.as_deref(),
        ),
        (
            "get-task-allow",
            oracle["get_task_allow"] == ios.get_task_allow,
        ),
        ("build", oracle["build"].as_str() == ios.build.as_deref()),
        (
            "environment",
            oracle["appattest_env"].as_str() == ios.app_attest_environment.as_deref(),
        ),
        (
            "cdhashes",
            oracle["cdhashes"] == serde_json::json!(cdhashes),
        ),
        (
            "nothing that a phone attests",
            identity.attested_signers().is_empty(),
        ),
    ];
    for (what, same) in same {
        if !same {
            faults.push(format!("{}: {what}: {ios:?}", entry["path"]));
        }
    }
}
