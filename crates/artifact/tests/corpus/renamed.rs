//! The same walk over the same bytes under names that mean nothing: neither the crate nor these tests know a file by its
//! name, its folder or its place in the list.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::folder::Corpus;

#[test]
fn the_walk_comes_out_the_same_under_names_that_mean_nothing() {
    let Some(corpus) = Corpus::open("renamed corpus") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let artifacts = folder.path().join("artifacts");
    std::fs::create_dir(&artifacts).expect("created");
    let names = rename(&corpus, &artifacts);
    println!("renamed corpus: {} files", names.len());
    let own = std::env::current_exe().expect("this test");
    let output = Command::new(own)
        .args(["--skip", "under_names_that_mean_nothing", "--nocapture"])
        .env("BONAFIDE_CORPUS", folder.path())
        .output()
        .expect("run");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(!told.contains("SKIPPED"), "{told}");
    for walker in ["apk", "idsig", "ipa", "v3.2"] {
        assert!(told.contains(&format!("{walker} corpus: ")), "{told}");
    }
}

/// Links every file under a number, in an order that is not the list's, and rewrites the lists to match.
fn rename(corpus: &Corpus, into: &Path) -> BTreeMap<String, String> {
    let mut entries = corpus.entries.clone();
    let path = |entry: &Value| entry["path"].as_str().expect("a path").to_owned();
    entries.sort_by_key(|entry| Sha256::digest(path(entry)));
    let mut names = BTreeMap::new();
    for (number, entry) in entries.iter_mut().enumerate() {
        let (old, new) = (path(entry), format!("{number:04}"));
        let (from, to) = (corpus.file(&old), into.join(&new));
        std::fs::hard_link(&from, &to)
            .or_else(|_| std::fs::copy(&from, &to).map(drop))
            .expect("linked or copied");
        entry["path"] = json!(new);
        for telling in ["source", "expected"] {
            entry.as_object_mut().expect("an object").remove(telling);
        }
        names.insert(old, new);
    }
    let expected: BTreeMap<&String, Vec<Value>> = corpus
        .expected
        .iter()
        .filter_map(|(path, list)| Some((names.get(path)?, list.clone())))
        .map(|(name, list)| (name, list.into_iter().map(without_names).collect()))
        .collect();
    write(&into.join("oracle.json"), &json!({ "entries": entries }));
    write(&into.join("expected.json"), &json!(expected));
    names
}

/// What is asserted, without the words that name files.
fn without_names(mut assertion: Value) -> Value {
    for telling in ["test", "base", "what", "note"] {
        assertion
            .as_object_mut()
            .expect("an object")
            .remove(telling);
    }
    assertion
}

fn write(path: &Path, value: &Value) {
    std::fs::write(path, value.to_string()).expect("written");
}
