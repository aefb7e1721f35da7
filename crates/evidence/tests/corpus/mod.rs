//! Reads a corpus of evidence with expected verdicts: `$BONAFIDE_CORPUS/vectors/*/*.jsonl`.
//!
//! Which file a record is in and what it is called decide nothing: walkers pick records by what is in
//! them, so that any corpus of the same layout can be walked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonafide_evidence::{Sha256Digest, UnixTime};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with `vectors/` in it.
pub struct Corpus {
    vectors: PathBuf,
    /// Of a view, which goes when its walker is done.
    _home: Option<TempDir>,
}

/// One record.
pub struct Record(pub Value);

impl Corpus {
    /// The corpus, or one loud line about its absence.
    pub fn open(walker: &str) -> Option<Self> {
        let root = std::env::var_os("BONAFIDE_CORPUS").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
            PathBuf::from,
        );
        // A relative path is meant from the workspace's root, where cargo was called.
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(root);
        let vectors = root.join("vectors");
        if vectors.is_dir() {
            return Some(Self {
                vectors,
                _home: None,
            });
        }
        println!(
            "SKIPPED {walker}: no corpus; set BONAFIDE_CORPUS to a folder with vectors/ in it"
        );
        None
    }

    /// The corpus, and a view of it in which nothing says what a record is but the record: other folders and
    /// files, every kind mixed, another order, names without a meaning. Whoever brings a corpus of his own brings
    /// one like that.
    #[allow(dead_code, reason = "not every test walks views")]
    pub fn views(walker: &str) -> Vec<Self> {
        let Some(corpus) = Self::open(walker) else {
            return Vec::new();
        };
        let view = corpus.elsewhere();
        vec![corpus, view]
    }

    fn elsewhere(&self) -> Self {
        let home = tempfile::tempdir().unwrap();
        let vectors = home.path().join("vectors");
        copy(&self.vectors.join("common"), &vectors.join("common"));
        let mut records = self.records(|_| true);
        // An order that has nothing to do with where a record came from.
        records.sort_by_cached_key(|Record(value)| Sha256Digest::of(value.to_string().as_bytes()));
        let folders = ["9", "unseen"].map(|name| vectors.join(name));
        let mut texts = [const { String::new() }; 6];
        for (number, Record(mut value)) in records.into_iter().enumerate() {
            value["id"] = format!("case-{number:06}").into();
            for told in ["file", "note", "source", "tags"] {
                value.as_object_mut().unwrap().remove(told);
            }
            texts[number % 6] += &(value.to_string() + "\n");
        }
        for (number, text) in texts.iter().enumerate() {
            let folder = &folders[number % 2];
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join(format!("{number}.jsonl")), text).unwrap();
        }
        Self {
            vectors,
            _home: Some(home),
        }
    }

    /// Every record of which `is_ours` is true; none is a failure.
    pub fn records(&self, is_ours: impl Fn(&Value) -> bool) -> Vec<Record> {
        let mut records = Vec::new();
        for folder in sorted(&self.vectors)
            .into_iter()
            .filter(|path| path.is_dir())
        {
            for file in sorted(&folder) {
                if file
                    .extension()
                    .is_some_and(|extension| extension == "jsonl")
                {
                    records.extend(read(&file).into_iter().filter(|record| is_ours(&record.0)));
                }
            }
        }
        assert!(
            !records.is_empty(),
            "no record of this kind below {}",
            self.vectors.display()
        );
        records
    }

    /// A file that records refer to.
    pub fn shared(&self, name: &str) -> Vec<u8> {
        let path = self.vectors.join("common").join(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in sorted(from) {
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).unwrap();
        }
    }
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    entries
}

fn read(file: &Path) -> Vec<Record> {
    let text = fs::read_to_string(file).unwrap();
    let records: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| Record(serde_json::from_str(line).unwrap()))
        .collect();
    assert!(!records.is_empty(), "{} is empty", file.display());
    records
}

impl Record {
    pub fn id(&self) -> &str {
        self.text("id")
    }

    pub fn text(&self, member: &str) -> &str {
        self.0[member]
            .as_str()
            .unwrap_or_else(|| panic!("{}: no {member}", self.0["id"]))
    }

    pub fn base64(&self, member: &str) -> Vec<u8> {
        STANDARD.decode(self.text(member)).unwrap()
    }

    #[allow(dead_code, reason = "not every kind has lists")]
    pub fn base64_list(&self, member: &str) -> Vec<Vec<u8>> {
        let items = self.0[member].as_array().unwrap();
        items
            .iter()
            .map(|item| STANDARD.decode(item.as_str().unwrap()).unwrap())
            .collect()
    }

    pub fn at(&self) -> UnixTime {
        UnixTime::parse_rfc3339(self.text("at")).unwrap()
    }
}

/// Which of our codes stand for a code of the corpus: the last column of the tables in
/// `docs/reference/evidence-codes.md`, the one place where that is written.
pub fn code_table() -> BTreeMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/evidence-codes.md");
    let text = fs::read_to_string(path).unwrap();
    let mut table = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let codes = cells
            .last()
            .unwrap()
            .split(',')
            .map(|code| code.trim().to_owned());
        table.insert(cells[0].trim_matches('`').to_owned(), codes.collect());
    }
    table
}

/// Counts what came out, and tells everything that differs before it fails.
#[derive(Default)]
pub struct Tally {
    pub cases: usize,
    pub same_code: usize,
    pub other_code: Vec<String>,
    pub failures: Vec<String>,
}

impl Tally {
    /// Compares one outcome, our codes of refusal, with one expectation. The bit is the contract; codes
    /// are compared and counted.
    pub fn compare(
        &mut self,
        case: &str,
        expect: &str,
        refusal: Result<(), &[&str]>,
        table: &BTreeMap<String, Vec<String>>,
    ) {
        self.cases += 1;
        let wrong = match (expect, refusal) {
            ("either", _) | ("accept", Ok(())) | ("reject:any", Err(_)) => false,
            ("accept", Err(_)) | (_, Ok(())) => true,
            (reject, Err(codes)) => {
                let wanted = reject.strip_prefix("reject:").expect("a known expectation");
                let says = |code: &&str| {
                    let row = table
                        .get(*code)
                        .unwrap_or_else(|| panic!("{code} is not documented"));
                    row.iter().any(|mapped| mapped == wanted)
                };
                if codes.iter().any(says) {
                    self.same_code += 1;
                } else {
                    self.other_code
                        .push(format!("{case}: expected {wanted}, got {codes:?}"));
                }
                false
            }
        };
        if wrong {
            self.failures
                .push(format!("{case}: expected {expect}, got {refusal:?}"));
        }
    }

    /// Facts must be equal.
    pub fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, ours: &T, theirs: &T) {
        if ours != theirs {
            self.failures
                .push(format!("{what}: ours {ours:?}, expected {theirs:?}"));
        }
    }

    pub fn finish(self, name: &str) {
        println!(
            "{name}: {} verdicts, {} wrong; {} refusals with the expected code, {} with another",
            self.cases,
            self.failures.len(),
            self.same_code,
            self.other_code.len()
        );
        for line in &self.other_code {
            println!("  other code: {line}");
        }
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
    }
}
