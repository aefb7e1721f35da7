//! Every APK of the corpus against the reference verifier of Android 14 and against what is asserted about it.
//!
//! No false accept at all. A false reject only by a rule that `docs/reference/artifact-refusals.md` justifies.

use std::collections::BTreeMap;

use crate::folder::{Corpus, justified_refusals, strings};
use bonafide_artifact::{Code, Inspection, Options, Severity, Source, Verdict, inspect};
use serde_json::Value;

/// A stamp's verdict is its own: it holds or not, and the app's verdict stays.
#[test]
fn agrees_about_every_source_stamp() {
    let Some(corpus) = Corpus::open("source stamps") else {
        return;
    };
    let (mut questions, mut faults) = (0, Vec::new());
    for entry in &corpus.entries {
        let bytes = std::cell::LazyCell::new(|| corpus.bytes(entry));
        for assertion in corpus
            .assertions(entry)
            .iter()
            .filter(|a| a["mode"] == "stamp")
        {
            let holds = match assertion["expect"].as_str().unwrap_or_default() {
                "stamp-ok" | "verified" => true,
                "stamp-status" => assertion["issue"] == "STAMP_VERIFIED",
                "stamp-fail" => false,
                _ => continue,
            };
            questions += 1;
            let level = |name: &str| assertion[name].as_u64().and_then(|l| u32::try_from(l).ok());
            let inspection = inspect(&*bytes, &options(level("min"), level("max")));
            let held = inspection.is_ok_and(|inspection| inspection.source_stamp().is_some());
            if held != holds {
                faults.push(format!("{}: {assertion} but {held}", entry["path"]));
            }
        }
    }
    println!("source stamps: {questions} questions");
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// What one line of the oracles demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    Verify,
    Refuse,
}

#[derive(Default)]
struct Tally {
    questions: usize,
    agreed: usize,
    refusals: BTreeMap<String, usize>,
    faults: Vec<String>,
}

#[test]
fn agrees_with_the_reference_on_every_apk() {
    let Some(corpus) = Corpus::open("apk corpus") else {
        return;
    };
    let mut tally = Tally::default();
    let mut apks = 0;
    for entry in &corpus.entries {
        if entry["summary"].is_null() {
            continue;
        }
        apks += 1;
        let bytes = corpus.bytes(entry);
        compare_with_reference(entry, &bytes, &mut tally);
        for assertion in corpus.assertions(entry) {
            compare_with_assertion(entry, assertion, &bytes, &mut tally);
        }
    }
    println!(
        "apk corpus: {apks} files, {} questions, {} agreed, refused by rule: {:?}",
        tally.questions, tally.agreed, tally.refusals
    );
    assert!(apks > 0, "the corpus has no APK");
    assert!(
        tally.faults.is_empty(),
        "{} faults:\n{}",
        tally.faults.len(),
        tally.faults.join("\n")
    );
}

/// The reference at API levels 24, 28 and 33, or else at the manifest's own.
fn compare_with_reference(entry: &Value, bytes: &dyn Source, tally: &mut Tally) {
    let summary = &entry["summary"];
    let demand = |verified: &Value| {
        if verified.as_bool() == Some(true) {
            Demand::Verify
        } else {
            Demand::Refuse
        }
    };
    if let Some(levels) = summary["verified_at_min_sdk"].as_object() {
        for (level, verified) in levels {
            let options = options(level.parse().ok(), None);
            let inspection = ask(bytes, &options, tally, demand(verified), entry);
            compare_identity(entry, inspection.as_ref(), tally);
        }
    } else {
        let min = entry["identity"]["aapt10"]["minSdk"].as_u64().unwrap_or(1);
        let named = entry["identity"]["aapt10"]["minSdk"].is_string();
        let min = if named { None } else { u32::try_from(min).ok() };
        let inspection = ask(
            bytes,
            &options(min, None),
            tally,
            demand(&summary["verified"]),
            entry,
        );
        compare_identity(entry, inspection.as_ref(), tally);
    }
}

fn compare_with_assertion(entry: &Value, assertion: &Value, bytes: &dyn Source, tally: &mut Tally) {
    if assertion["mode"] != "apk" {
        return;
    }
    let intent = assertion["intent"].as_str().unwrap_or_default();
    let demand = match assertion["expect"].as_str().unwrap_or_default() {
        "verified" | "v31-true" | "warning" => Demand::Verify,
        "fail" | "exception" | "policy-reject" => Demand::Refuse,
        "intent" if intent.starts_with("accept") => Demand::Verify,
        // "unless only a stamp": the stamp never decides about the app, see the stamp walker.
        "intent" if intent.starts_with("reject") && entry["summary"]["verified"] != true => {
            Demand::Refuse
        }
        _ => return,
    };
    let level = |name: &str| {
        assertion[name]
            .as_u64()
            .and_then(|level| u32::try_from(level).ok())
    };
    ask(
        bytes,
        &options(level("min"), level("max")),
        tally,
        demand,
        entry,
    );
}

fn options(min: Option<u32>, max: Option<u32>) -> Options {
    let mut options = Options::default();
    (options.min_sdk, options.max_sdk) = (min, max);
    options
}

/// Inspects and compares the verdict. The result is there if both verify.
fn ask(
    bytes: &dyn Source,
    options: &Options,
    tally: &mut Tally,
    demand: Demand,
    entry: &Value,
) -> Option<Inspection> {
    tally.questions += 1;
    let started = std::time::Instant::now();
    let inspection = inspect(bytes, options).ok();
    let path = entry["path"].as_str().unwrap_or_default();
    if started.elapsed().as_secs() >= 10 {
        tally
            .faults
            .push(format!("{path}: took {:?}", started.elapsed()));
    }
    let verified = inspection
        .as_ref()
        .is_some_and(|i| i.verdict() == Verdict::Verified);
    match (demand, verified) {
        (Demand::Verify, true) => {
            tally.agreed += 1;
            return inspection;
        }
        (Demand::Refuse, false) => tally.agreed += 1,
        // The reference library throws when it reads the stamp; the app itself is sound.
        (Demand::Refuse, true) if threw_at_stamp(entry, inspection.as_ref()) => tally.agreed += 1,
        (Demand::Refuse, true) => tally
            .faults
            .push(format!("FALSE ACCEPT {path} {options:?}")),
        (Demand::Verify, false) => count_refusal(inspection.as_ref(), path, tally),
    }
    None
}

/// The first level of Android 17. The reference is Android 14's: it knows nothing of what is looked at only from there on.
const ANDROID_17: u32 = 37;

/// Whether everything that speaks against the file concerns Android 17 and later.
fn concerns_only_android_17(inspection: &Inspection) -> bool {
    let heavy = inspection.findings().iter();
    let mut heavy = heavy.filter(|finding| finding.severity() >= Severity::NotChecked);
    heavy.all(|finding| finding.api().is_some_and(|api| api.from >= ANDROID_17))
}

fn threw_at_stamp(entry: &Value, inspection: Option<&Inspection>) -> bool {
    let stamp = |inspection: &Inspection| {
        inspection
            .findings()
            .iter()
            .any(|finding| finding.code() == Code::SourceStampInvalid)
    };
    entry["summary"]["exception"].is_string() && inspection.is_some_and(stamp)
}

fn count_refusal(inspection: Option<&Inspection>, path: &str, tally: &mut Tally) {
    let justified = justified_refusals();
    if inspection.is_some_and(concerns_only_android_17) {
        assert!(
            justified.iter().any(|known| known == "hybrid-signers"),
            "the page tells of v3.2"
        );
        *tally.refusals.entry("android-17".to_owned()).or_default() += 1;
        return;
    }
    let rules: Vec<&str> = inspection
        .into_iter()
        .flat_map(Inspection::findings)
        .filter(|finding| finding.severity() >= Severity::NotChecked)
        .map(|finding| finding.code().as_str())
        .collect();
    match rules
        .iter()
        .find(|rule| justified.iter().any(|known| known == *rule))
    {
        Some(rule) => *tally.refusals.entry((*rule).to_owned()).or_default() += 1,
        None => tally
            .faults
            .push(format!("unjustified refusal of {path}: {rules:?}")),
    }
}

/// Signers, history, package and version are the oracle's.
fn compare_identity(entry: &Value, inspection: Option<&Inspection>, tally: &mut Tally) {
    let (Some(inspection), true) = (inspection, entry["summary"]["verified"] == true) else {
        return;
    };
    let path = entry["path"].as_str().unwrap_or_default();
    let hex = |digests: &[bonafide_artifact::Sha256Digest]| -> Vec<String> {
        digests.iter().map(ToString::to_string).collect()
    };
    let mut signers = hex(inspection.signers());
    signers.sort();
    if signers != strings(&entry["summary"]["signer_certs"]) {
        tally.faults.push(format!("{path}: signers {signers:?}"));
    }
    let lineage = hex(inspection.lineage());
    let known: Vec<String> =
        serde_json::from_value(entry["summary"]["lineage"].clone()).unwrap_or_default();
    if lineage != known {
        tally.faults.push(format!("{path}: lineage {lineage:?}"));
    }
    let identity = inspection.identity().expect("verified has an identity");
    compare_attested(&identity, &known, path, tally);
    let reader = &entry["identity"]["aapt10"];
    if reader["package"]
        .as_str()
        .is_some_and(|package| package != identity.package())
    {
        tally
            .faults
            .push(format!("{path}: package {}", identity.package()));
    }
    // aapt 10 prints the lower half only.
    let lower = identity.version_code() & 0xffff_ffff;
    if reader["versionCode"]
        .as_u64()
        .is_some_and(|code| code != lower)
    {
        tally
            .faults
            .push(format!("{path}: version code {}", identity.version_code()));
    }
}

/// Key Attestation reports the oldest certificate of a history, else all signers.
fn compare_attested(
    identity: &bonafide_artifact::Identity,
    lineage: &[String],
    path: &str,
    tally: &mut Tally,
) {
    let attested = identity.attested_signers();
    let newest = attested
        .last()
        .map(|set| set.iter().map(ToString::to_string).collect::<Vec<_>>());
    let right = match (lineage.first(), newest) {
        (Some(oldest), Some(newest)) => newest == [oldest.clone()],
        (None, Some(newest)) => newest.len() == identity.current_signers().len(),
        (_, None) => false,
    };
    if !right {
        tally.faults.push(format!("{path}: attested {attested:?}"));
    }
}

/// v3.2 has no oracle: what the corpus's makers intended on Android 16 and on Android 17.
#[test]
fn v32_blocks_are_what_was_intended() {
    let Some(corpus) = Corpus::open("v3.2 corpus") else {
        return;
    };
    let (mut questions, mut faults) = (0, Vec::new());
    for entry in &corpus.entries {
        let intents = corpus.assertions(entry).iter();
        for intent in intents.filter_map(|assertion| assertion["intent"].as_str()) {
            let Some((before, after)) = intent.split_once("; sdk37 (PQC flag on): ") else {
                continue;
            };
            questions += 1;
            let bytes = corpus.bytes(entry);
            let path = &entry["path"];
            let before_verified = verdict(&bytes, None, Some(36)) == Verdict::Verified;
            // Where Android 17's code skips the block it already refuses it; Android 16 does not have that code.
            if before_verified == before.contains("reject") && !before.contains("skipped") {
                faults.push(format!(
                    "{path}: {before}, but verified is {before_verified}"
                ));
            }
            let wanted = wanted_on_android_17(after);
            let found = verdict(&bytes, Some(ANDROID_17), None);
            if found != wanted {
                faults.push(format!("{path}: {after}, but {found:?}"));
            }
        }
    }
    println!("v3.2 corpus: {questions} files");
    assert!(questions > 0, "the corpus has no v3.2 block");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn wanted_on_android_17(intent: &str) -> Verdict {
    if intent.contains("reject") && cfg!(feature = "post-quantum") {
        Verdict::Rejected
    } else if cfg!(feature = "post-quantum") || !intent.contains("v3.2") {
        Verdict::Verified
    } else {
        Verdict::NotChecked
    }
}

fn verdict(bytes: &dyn Source, min: Option<u32>, max: Option<u32>) -> Verdict {
    let inspection = inspect(bytes, &options(min, max)).expect("an archive");
    inspection.verdict()
}
