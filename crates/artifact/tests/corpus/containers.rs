//! Split sets and bundles of the corpus, by what their makers intended.

use std::collections::BTreeMap;

use bonafide_artifact::{Kind, Options, Verdict, inspect};

use crate::folder::Corpus;

#[test]
fn split_sets_and_bundles_are_what_was_intended() {
    let Some(corpus) = Corpus::open("split sets and bundles") else {
        return;
    };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for entry in corpus
        .entries
        .iter()
        .filter(|e| e["summary"].is_null() && e["ios"].is_null())
    {
        let intents = corpus
            .assertions(entry)
            .iter()
            .filter_map(|a| a["intent"].as_str());
        for intent in
            intents.filter(|intent| intent.starts_with("accept") || intent.starts_with("reject"))
        {
            let inspection = inspect(&corpus.bytes(entry), &Options::default());
            let verified = inspection
                .as_ref()
                .is_ok_and(|i| i.verdict() == Verdict::Verified);
            if verified != intent.starts_with("accept") {
                faults.push(format!("{}: {intent}, but {inspection:?}", entry["path"]));
                continue;
            }
            let Ok(inspection) = inspection else { continue };
            *seen
                .entry(format!(
                    "{:?} {}",
                    inspection.kind(),
                    intent.starts_with("accept")
                ))
                .or_default() += 1;
            let (Some(identity), Kind::Aab) = (inspection.identity(), inspection.kind()) else {
                continue;
            };
            let signer = identity
                .current_signers()
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            if !identity.is_upload_key()
                || !identity.attested_signers().is_empty()
                || !intent.ends_with(&signer)
            {
                faults.push(format!("{}: {identity:?}", entry["path"]));
            }
        }
    }
    println!("split sets and bundles: {seen:?}");
    assert!(!seen.is_empty(), "the corpus has none");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
