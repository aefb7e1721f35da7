//! Split sets: a base APK and its splits, in an archive (`.apks`, `.xapk`, `.apkm`) or several files.
//!
//! Decides whether all parts are one app: each verifies alone, and all agree on package, version and, for every Android
//! level, on the signer and its history. Whatever an archive's own table of contents says is not believed.

use std::io;

use sha2::{Digest, Sha256};

use crate::apk::content_digest::file_sha256;
use crate::finding::{Check, Code, Finding, broken, settle};
use crate::inspection::{Inspection, Kind, Part, Sha256Digest, SignedRange, Verdict};
use crate::source::Source;
use crate::zip::{Allowance, Archive, Entry, expand_to_vec};
use crate::{Options, inspect_apk};

const MAX_PARTS: usize = 512;
/// A deflated part has to be expanded in memory; stored ones, which tools write, cost nothing.
const MAX_DEFLATED_PART: u64 = 512 << 20;

/// Inspects all APKs inside an archive.
pub(crate) fn inspect_archive(
    source: &dyn Source,
    archive: &Archive,
    options: &Options,
    mut findings: Vec<Finding>,
) -> io::Result<Inspection> {
    let parts: Vec<&Entry> = archive
        .entries
        .iter()
        .filter(|entry| entry.name.ends_with(b".apk"))
        .collect();
    let mut allowance = Allowance::for_file(source.size());
    let mut set = Set::default();
    if parts.len() > MAX_PARTS {
        findings.push(Finding::new(
            Code::ZipBudget,
            format!("{} parts", parts.len()),
        ));
    }
    for entry in parts.iter().take(MAX_PARTS) {
        let inspected = inspect_entry(source, entry, options, &mut allowance);
        if let Some(inspection) = settle(inspected, &mut findings)? {
            set.add(entry.display_name(), inspection);
        }
    }
    let whole = file_sha256(source)?;
    Ok(set.conclude(source.size(), whole, findings))
}

/// Inspects several files as one set. The digest of the whole is over the parts' digests, sorted.
pub(crate) fn inspect_files(
    files: &[(String, &dyn Source)],
    options: &Options,
) -> io::Result<Inspection> {
    let mut set = Set::default();
    let mut size = 0_u64;
    let mut findings = Vec::new();
    if files.len() > MAX_PARTS {
        findings.push(Finding::new(
            Code::ZipBudget,
            format!("{} parts", files.len()),
        ));
    }
    for (name, file) in files.iter().take(MAX_PARTS) {
        size = size.saturating_add(file.size());
        let mut parts = Vec::new();
        match settle(Archive::open(*file, &mut parts), &mut parts)? {
            Some(archive) => set.add(name.clone(), inspect_apk(*file, &archive, options, parts)?),
            None => findings.extend(parts),
        }
    }
    let mut digests: Vec<[u8; 32]> = set
        .parts
        .iter()
        .map(|(_, part)| part.artifact_sha256.0)
        .collect();
    digests.sort_unstable();
    let whole = Sha256Digest(Sha256::digest(digests.concat()).into());
    Ok(set.conclude(size, whole, findings))
}

fn inspect_entry(
    source: &dyn Source,
    entry: &Entry,
    options: &Options,
    allowance: &mut Allowance,
) -> Check<Inspection> {
    let mut findings = Vec::new();
    if entry.is_stored() {
        if entry.compressed != entry.uncompressed {
            return broken(Code::ZipEntryUnreadable, entry.display_name());
        }
        let window = Window {
            source,
            offset: entry.data_offset(),
            size: entry.compressed,
        };
        let archive = Archive::open(&window, &mut findings)?;
        return Ok(inspect_apk(&window, &archive, options, findings)?);
    }
    let bytes = expand_to_vec(source, entry, allowance, MAX_DEFLATED_PART)?;
    let archive = Archive::open(&bytes, &mut findings)?;
    Ok(inspect_apk(&bytes, &archive, options, findings)?)
}

/// A part of another source.
struct Window<'a> {
    source: &'a dyn Source,
    offset: u64,
    size: u64,
}

impl Source for Window<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let length = u64::try_from(into.len()).unwrap_or(u64::MAX);
        if offset.checked_add(length).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.source
            .read_at(self.offset.saturating_add(offset), into)
    }
}

#[derive(Default)]
struct Set {
    parts: Vec<(String, Inspection)>,
}

impl Set {
    fn add(&mut self, name: String, inspection: Inspection) {
        self.parts.push((name, inspection));
    }

    fn conclude(self, size: u64, whole: Sha256Digest, mut findings: Vec<Finding>) -> Inspection {
        let mut inspection = Inspection::empty(Kind::SplitSet, size, whole);
        for (name, part) in &self.parts {
            let app = part.app.as_ref();
            inspection.parts.push(Part {
                name: name.clone(),
                split: app.and_then(|app| app.split.clone()),
                sha256: part.artifact_sha256,
                verdict: part.verdict(),
            });
            findings.extend(
                part.findings
                    .iter()
                    .map(|finding| finding.clone().within(name)),
            );
            if part.verdict() != Verdict::Verified {
                findings.push(Finding::new(Code::SplitNotVerified, name.clone()));
            }
        }
        match self.base(&mut findings) {
            Some(base) => {
                self.compare(base, &mut findings);
                inspection.app.clone_from(&base.app);
                inspection.schemes.clone_from(&base.schemes);
                inspection.signed.clone_from(&base.signed);
                inspection.levels.clone_from(&base.levels);
                inspection.certificates.clone_from(&base.certificates);
                inspection.source_stamp.clone_from(&base.source_stamp);
            }
            None if self.parts.is_empty() => findings.push(Finding::new(Code::SplitSetEmpty, "")),
            None => {}
        }
        inspection.with_findings(findings)
    }

    /// The only part without a split name. Standalone APKs that `bundletool` puts beside the splits for old devices are
    /// whole apps of their own: they must agree, but are not bases of the set.
    fn base(&self, findings: &mut Vec<Finding>) -> Option<&Inspection> {
        let has_splits = self
            .parts
            .iter()
            .any(|(name, _)| name.starts_with("splits/"));
        let is_base = |(name, part): &&(String, Inspection)| {
            let alternative = name.starts_with("standalones/") || name.starts_with("universal");
            part.app.as_ref().is_some_and(|app| app.split.is_none()) && !(has_splits && alternative)
        };
        let bases: Vec<_> = self.parts.iter().filter(is_base).collect();
        match bases.as_slice() {
            [(_, base)] => Some(base),
            [] => {
                if !self.parts.is_empty() {
                    findings.push(Finding::new(Code::SplitBase, "no base APK"));
                }
                None
            }
            several => {
                findings.push(Finding::new(
                    Code::SplitBase,
                    format!("{} base APKs", several.len()),
                ));
                None
            }
        }
    }

    fn compare(&self, base: &Inspection, findings: &mut Vec<Finding>) {
        let mut names = std::collections::BTreeSet::new();
        for (name, part) in &self.parts {
            let (Some(app), Some(wanted)) = (&part.app, &base.app) else {
                continue;
            };
            let code = if app.package != wanted.package {
                Code::SplitOtherPackage
            } else if app.version_code != wanted.version_code {
                Code::SplitOtherVersion
            } else if !agree(&part.signed, &base.signed) {
                Code::SplitOtherSigner
            } else if app
                .split
                .as_ref()
                .is_some_and(|split| !names.insert(split.clone()))
            {
                Code::SplitDuplicate
            } else {
                continue;
            };
            findings.push(Finding::new(code, name.clone()));
        }
    }
}

/// Whether two lists of ranges name the same signers on every level that both cover.
fn agree(one: &[SignedRange], other: &[SignedRange]) -> bool {
    let at = |ranges: &[SignedRange], level: u32| {
        let found = ranges.iter().find(|range| range.api.contains(level));
        found.map(|range| {
            let mut current = range.current.clone();
            current.sort_unstable();
            (current, range.history.clone())
        })
    };
    let starts = one.iter().chain(other).map(|range| range.api.from);
    let both: Vec<_> = starts
        .filter_map(|level| Some((at(one, level)?, at(other, level)?)))
        .collect();
    !both.is_empty() && both.iter().all(|(mine, theirs)| mine == theirs)
}
