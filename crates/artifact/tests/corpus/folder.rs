//! Reads a folder of artifacts with the verdicts of reference tools: `$BONAFIDE_CORPUS/artifacts`.
//!
//! Nothing here depends on what a file is called: what a file should be is in the folder's JSON files, and what it is
//! like is in its first bytes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The folder and what its JSON files say.
pub(crate) struct Corpus {
    root: PathBuf,
    pub(crate) entries: Vec<Value>,
    pub(crate) expected: BTreeMap<String, Vec<Value>>,
}

impl Corpus {
    /// `None`, and one loud line, if there is no such folder. An empty one fails.
    pub(crate) fn open(walker: &str) -> Option<Self> {
        let root = std::env::var_os("BONAFIDE_CORPUS")
            .map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(root)
            .join("artifacts");
        if !root.is_dir() {
            println!(
                "SKIPPED {walker}: no corpus; set BONAFIDE_CORPUS to a folder with artifacts/ in it"
            );
            return None;
        }
        let oracle = read_json(&root.join("oracle.json"));
        let entries = oracle["entries"]
            .as_array()
            .expect("oracle.json has entries")
            .clone();
        assert!(!entries.is_empty(), "the corpus has no entry");
        let expected = match read_json(&root.join("expected.json")) {
            Value::Object(map) => map
                .into_iter()
                .map(|(path, list)| (path, list.as_array().expect("a list").clone()))
                .collect(),
            other => panic!("expected.json is no object: {other}"),
        };
        Some(Self {
            root,
            entries,
            expected,
        })
    }

    /// Where the file of an entry is.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The bytes of an entry, which must be the ones that the oracles saw.
    pub(crate) fn bytes(&self, entry: &Value) -> Vec<u8> {
        let path = entry["path"].as_str().expect("a path");
        let bytes =
            std::fs::read(self.file(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let digest = hex::encode(Sha256::digest(&bytes));
        assert_eq!(
            Some(digest.as_str()),
            entry["sha256"].as_str(),
            "{path} has changed"
        );
        bytes
    }

    /// What is asserted about an entry.
    pub(crate) fn assertions(&self, entry: &Value) -> &[Value] {
        let path = entry["path"].as_str().expect("a path");
        self.expected.get(path).map_or(&[], Vec::as_slice)
    }
}

fn read_json(path: &std::path::Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A list of strings in JSON, sorted.
pub(crate) fn strings(value: &Value) -> Vec<String> {
    let mut strings: Vec<String> = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect();
    strings.sort();
    strings
}

/// The rules that the documentation justifies refusing for, although the reference accepts.
pub(crate) fn justified_refusals() -> Vec<String> {
    let page = include_str!("../../../../docs/reference/artifact-refusals.md");
    page.lines()
        .filter_map(|line| {
            line.strip_prefix("## `")?
                .split('`')
                .next()
                .map(str::to_owned)
        })
        .collect()
}
