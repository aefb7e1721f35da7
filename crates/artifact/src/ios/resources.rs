//! `_CodeSignature/CodeResources`: the seal over every file of a bundle.
//!
//! Decides which files are missing, changed or not sealed at all: three different stories.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Check, Code, Finding, OrBroken};
use crate::plist::Plist;
use crate::public_key::Hash;

/// What the seal says of one file.
struct Seal<'a> {
    /// Kind of hash and its value; `None` for symbolic links, which are refused before.
    hash: Option<(Hash, &'a [u8])>,
    optional: bool,
}

/// Files that no seal covers, by Apple's own standing rules: the code and its seal, and what the code directory seals.
const STANDING: [&str; 5] = [
    "Info.plist",
    "PkgInfo",
    "CodeResources",
    "ResourceRules.plist",
    "_CodeSignature/CodeResources",
];

/// Compares the seal with the files that are there. `hash_of` gives a file's digest.
pub(crate) fn check(
    list: &[u8],
    files: &BTreeSet<String>,
    executable: &str,
    hash_of: &mut dyn FnMut(&str, Hash) -> Check<Vec<u8>>,
) -> Check<Vec<Finding>> {
    let list = Plist::parse(list).or_broken(Code::AppleResourcesMalformed, "")?;
    let seals = seals(&list).or_broken(Code::AppleResourcesMalformed, "no files")?;
    let mut findings = Vec::new();
    for (path, seal) in &seals {
        let there = files.contains(*path);
        match (there, seal.hash) {
            (false, _) if !seal.optional => {
                findings.push(Finding::new(Code::AppleResourceMissing, *path));
            }
            (true, Some((hash, expected))) if hash_of(path, hash)? != expected => {
                findings.push(Finding::new(Code::AppleResourceModified, *path));
            }
            _ => {}
        }
    }
    for path in files {
        let name = path.rsplit('/').next().unwrap_or_default();
        let standing =
            STANDING.contains(&path.as_str()) || path == executable || name == ".DS_Store";
        if !standing && !seals.contains_key(path.as_str()) {
            findings.push(Finding::new(Code::AppleResourceUnsealed, path.as_str()));
        }
    }
    Ok(findings)
}

/// `files2` with SHA-256 where it is, else the old `files` with SHA-1.
fn seals(list: &Plist) -> Option<BTreeMap<&str, Seal<'_>>> {
    let files = list
        .dictionary("files2")
        .or_else(|| list.dictionary("files"))?;
    let mut seals = BTreeMap::new();
    for (path, value) in files {
        let seal = match value {
            Plist::Data(data) => Seal {
                hash: Some((Hash::Sha1, data)),
                optional: false,
            },
            Plist::Dictionary(_) => {
                let new = value.data("hash2").map(|data| (Hash::Sha256, data));
                let hash = new.or_else(|| value.data("hash").map(|data| (Hash::Sha1, data)));
                // A link has no hash, and links are refused before. Nested code sealed by its own directory's hash alone
                // does not occur in apps for phones.
                if hash.is_none() && value.get("symlink").is_none() {
                    return None;
                }
                Seal {
                    hash,
                    optional: value.flag("optional"),
                }
            }
            _ => return None,
        };
        seals.insert(path.as_str(), seal);
    }
    Some(seals)
}
