//! Why two artifacts are not the same: what they are, who signed, and which entries differ.
//!
//! Explains, and decides nothing: entries are compared by the sizes and checksums that their archives state, which is
//! enough to find out what a build changed and not enough to trust either file. Trust is what `inspect` is for.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use crate::finding::settle;
use crate::inspection::Inspection;
use crate::source::Source;
use crate::zip::{Archive, Entry};
use crate::{Options, Unreadable, inspect};

/// What differs between two artifacts.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// Whether the two files are the same, byte for byte.
    pub identical: bool,
    /// Statements about the whole that differ.
    pub facts: Vec<FactDifference>,
    /// Entries that differ, by name.
    pub entries: Vec<EntryDifference>,
    /// How many entries are in both and agree.
    pub same_entries: usize,
}

/// One statement that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FactDifference {
    /// What it is about, in kebab-case.
    pub what: &'static str,
    /// In the first artifact.
    pub first: String,
    /// In the second.
    pub second: String,
}

/// One entry that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryDifference {
    /// The entry's name.
    pub name: String,
    /// How it differs.
    pub change: EntryChange,
    /// Its size in the first artifact.
    pub first_size: Option<u64>,
    /// Its size in the second.
    pub second_size: Option<u64>,
}

/// How an entry differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryChange {
    /// Only the first has it.
    Removed,
    /// Only the second has it.
    Added,
    /// Its content is another.
    Content,
    /// Its content is the same, packed differently.
    Packing,
}

/// Compares two artifacts.
///
/// # Errors
/// If one of them cannot be read or is no archive.
pub fn diff(
    first: &dyn Source,
    second: &dyn Source,
    options: &Options,
) -> Result<Difference, Unreadable> {
    let (one, two) = (inspect(first, options)?, inspect(second, options)?);
    let (entries, same_entries) = compare_entries(&entries(first)?, &entries(second)?);
    Ok(Difference {
        identical: one.artifact_sha256 == two.artifact_sha256,
        facts: compare_facts(&one, &two),
        entries,
        same_entries,
    })
}

fn compare_facts(one: &Inspection, two: &Inspection) -> Vec<FactDifference> {
    let (one, two) = (statements(one), statements(two));
    let pairs = one.into_iter().zip(two);
    pairs
        .filter(|((_, first), (_, second))| first != second)
        .map(|((what, first), (_, second))| FactDifference {
            what,
            first,
            second,
        })
        .collect()
}

fn statements(inspection: &Inspection) -> Vec<(&'static str, String)> {
    let app = inspection.app.clone().unwrap_or_default();
    let number =
        |value: Option<u64>| value.map_or_else(|| "none".to_owned(), |value| value.to_string());
    let list = |values: Vec<String>| {
        if values.is_empty() {
            "none".to_owned()
        } else {
            values.join(", ")
        }
    };
    let schemes = inspection
        .schemes
        .iter()
        .map(|scheme| scheme.as_str().to_owned())
        .collect();
    let ios = inspection.ios.as_ref();
    vec![
        ("kind", format!("{:?}", inspection.kind)),
        ("verdict", format!("{:?}", inspection.verdict())),
        ("package", app.package),
        ("version-code", number(app.version_code)),
        ("version-name", app.version_name.unwrap_or_default()),
        ("split", app.split.unwrap_or_default()),
        ("min-sdk", number(app.min_sdk.map(u64::from))),
        ("target-sdk", number(app.target_sdk.map(u64::from))),
        ("shared-user-id", app.shared_user_id.unwrap_or_default()),
        ("debuggable", app.debuggable.to_string()),
        ("test-only", app.test_only.to_string()),
        ("schemes", list(schemes)),
        (
            "signers",
            list(
                inspection
                    .signers()
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            ),
        ),
        (
            "lineage",
            list(
                inspection
                    .lineage()
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            ),
        ),
        (
            "app-id",
            ios.and_then(|ios| ios.app_id.clone()).unwrap_or_default(),
        ),
        (
            "build",
            ios.and_then(|ios| ios.build.clone()).unwrap_or_default(),
        ),
        ("size", inspection.size.to_string()),
    ]
}

/// The archive's entries, or none if it is broken: `inspect` has said so already.
fn entries(source: &dyn Source) -> io::Result<Vec<Entry>> {
    let mut findings = Vec::new();
    let archive = settle(Archive::open(source, &mut findings), &mut findings)?;
    Ok(archive.map(|archive| archive.entries).unwrap_or_default())
}

fn compare_entries(first: &[Entry], second: &[Entry]) -> (Vec<EntryDifference>, usize) {
    let mut both: BTreeMap<&[u8], (Option<&Entry>, Option<&Entry>)> = BTreeMap::new();
    for entry in first {
        both.entry(&entry.name).or_default().0 = Some(entry);
    }
    for entry in second {
        both.entry(&entry.name).or_default().1 = Some(entry);
    }
    let total = both.len();
    let mut differences: Vec<EntryDifference> = both
        .into_values()
        .filter_map(|(one, two)| {
            Some(EntryDifference {
                name: one.or(two)?.display_name(),
                change: change(one, two)?,
                first_size: one.map(|entry| entry.uncompressed),
                second_size: two.map(|entry| entry.uncompressed),
            })
        })
        .collect();
    differences.sort_by_key(|difference| difference.change);
    let same = total.saturating_sub(differences.len());
    (differences, same)
}

fn change(one: Option<&Entry>, two: Option<&Entry>) -> Option<EntryChange> {
    match (one, two) {
        (Some(_), None) => Some(EntryChange::Removed),
        (None, Some(_)) => Some(EntryChange::Added),
        (Some(one), Some(two))
            if (one.crc32, one.uncompressed) != (two.crc32, two.uncompressed) =>
        {
            Some(EntryChange::Content)
        }
        (Some(one), Some(two)) if (one.method, one.compressed) != (two.method, two.compressed) => {
            Some(EntryChange::Packing)
        }
        _ => None,
    }
}
