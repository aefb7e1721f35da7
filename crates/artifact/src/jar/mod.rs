//! JAR signing, the first scheme (v1): `META-INF/MANIFEST.MF`, `*.SF` and `*.RSA|DSA|EC`.
//!
//! Decides whether all entries outside of `META-INF` are covered by one set of signers, by the rules of the Android
//! levels asked about. Everything that costs (inflating, hashing, verifying signatures) is done once in
//! [`Jar::read`]; [`judge`](Jar::judge) then answers for any range of levels. It protects entries only, not the archive:
//! that is why newer schemes exist, and why nobody is asked about levels below 24 by default.

mod algorithms;
mod attributes;
mod block;
mod judge;

use std::collections::BTreeMap;
use std::io;

use crate::apk::content_digest::in_parallel;
use crate::finding::{Check, Code, Finding, OrBroken, broken, settle};
use crate::jar::attributes::{Digest, Section, Sections};
use crate::jar::block::SignerFacts;
pub(crate) use crate::jar::judge::Judgement;
use crate::public_key::Hash;
use crate::source::Source;
use crate::zip::{Allowance, Archive, Entry, expand, expand_to_vec};

const MANIFEST: &[u8] = b"META-INF/MANIFEST.MF";
/// Manifests of huge apps reach some megabytes.
const MAX_FILE_BYTES: u64 = 16 << 20;
const MAX_SIGNERS: usize = 10;

/// A signature file with its block.
#[derive(Debug)]
pub(crate) struct JarSigner {
    /// The block's name without `META-INF/`.
    name: String,
    /// The bytes of the `.SF` file, cut into sections.
    file: Sections,
    /// What each `SignerInfo` of the block amounts to.
    infos: Vec<SignerFacts>,
}

/// A JAR-signed archive, with all costly work done.
#[derive(Debug)]
pub(crate) struct Jar {
    manifest: Sections,
    /// The manifest's sections by entry name.
    sections: BTreeMap<Vec<u8>, Section>,
    signers: Vec<JarSigner>,
    /// What each entry that must be signed really digests to.
    entries: Vec<(Vec<u8>, Vec<Digest>)>,
    findings: Vec<Finding>,
}

impl Jar {
    /// Whether anybody has signed this way at all.
    pub(crate) fn is_present(archive: &Archive) -> bool {
        archive
            .entries
            .iter()
            .any(|entry| block_stem(&entry.name).is_some())
    }

    /// Reads, hashes and verifies what there is.
    pub(crate) fn read(source: &dyn Source, archive: &Archive) -> Check<Self> {
        let mut allowance = Allowance::for_file(source.size());
        let mut findings = Vec::new();
        let entry = archive
            .entries
            .iter()
            .find(|entry| entry.name == MANIFEST)
            .or_broken(Code::NoSignature, "no META-INF/MANIFEST.MF")?;
        let bytes = expand_to_vec(source, entry, &mut allowance, MAX_FILE_BYTES)?;
        let manifest =
            Sections::parse(bytes).or_broken(Code::JarManifestMalformed, "no main section")?;
        let sections = named_sections(&manifest, archive)?;
        let signers = read_signers(source, archive, &mut allowance, &mut findings)?;
        let entries = hash_entries(source, archive, &sections, &mut allowance)?;
        remark_unprotected(archive, &signers, &mut findings);
        Ok(Self {
            manifest,
            sections,
            signers,
            entries,
            findings,
        })
    }
}

/// The digest of `META-INF/MANIFEST.MF`, which a source stamp covers in place of a v1 signature.
pub(crate) fn manifest_sha256(
    source: &dyn Source,
    archive: &Archive,
    allowance: &mut Allowance,
) -> Check<Option<Vec<u8>>> {
    let Some(entry) = archive.entries.iter().find(|entry| entry.name == MANIFEST) else {
        return Ok(None);
    };
    let bytes = expand_to_vec(source, entry, allowance, MAX_FILE_BYTES)?;
    Ok(Some(Hash::Sha256.digest(&bytes)))
}

/// The manifest's sections by name. A second section of one name, or one without an entry, would let a reader choose.
fn named_sections(manifest: &Sections, archive: &Archive) -> Check<BTreeMap<Vec<u8>, Section>> {
    let known: std::collections::BTreeSet<&[u8]> = archive
        .entries
        .iter()
        .map(|entry| entry.name.as_slice())
        .collect();
    let mut sections = BTreeMap::new();
    for section in manifest.individual() {
        let name = section
            .value("Name")
            .or_broken(Code::JarManifestMalformed, "a section without a name")?;
        if section.has_duplicates() {
            return broken(
                Code::JarManifestMalformed,
                format!("{name}: an attribute comes twice"),
            );
        }
        if !known.contains(name.as_bytes()) {
            return broken(Code::JarEntryMissing, name);
        }
        if sections
            .insert(name.clone().into_bytes(), section.clone())
            .is_some()
        {
            return broken(Code::JarManifestMalformed, format!("{name}: two sections"));
        }
    }
    Ok(sections)
}

fn read_signers(
    source: &dyn Source,
    archive: &Archive,
    allowance: &mut Allowance,
    findings: &mut Vec<Finding>,
) -> Check<Vec<JarSigner>> {
    let mut signers = Vec::new();
    for entry in &archive.entries {
        let Some(stem) = block_stem(&entry.name) else {
            continue;
        };
        let file_name = [stem, b".SF"].concat();
        let Some(file) = archive.entries.iter().find(|other| other.name == file_name) else {
            findings.push(Finding::new(
                Code::JarBlockWithoutFile,
                entry.display_name(),
            ));
            continue;
        };
        if signers.len() == MAX_SIGNERS {
            return broken(Code::TooManySigners, "v1");
        }
        let block = expand_to_vec(source, entry, allowance, MAX_FILE_BYTES)?;
        let file = expand_to_vec(source, file, allowance, MAX_FILE_BYTES)?;
        let name = entry
            .display_name()
            .trim_start_matches("META-INF/")
            .to_owned();
        let infos = block::verify(&block, &file).map_err(|finding| {
            Finding::new(finding.code(), format!("{name}: {}", finding.detail()))
        })?;
        let file = Sections::parse(file).or_broken(Code::JarFileMalformed, &name)?;
        signers.push(JarSigner { name, file, infos });
    }
    Ok(signers)
}

/// The name without its extension, if this is a signature block.
fn block_stem(name: &[u8]) -> Option<&[u8]> {
    let inside = name.starts_with(b"META-INF/");
    [&b".RSA"[..], b".DSA", b".EC"]
        .iter()
        .find_map(|end| name.strip_suffix(*end))
        .filter(|_| inside)
}

/// Entries that a signature must cover: all but directories and whatever is below `META-INF/`.
fn must_be_signed(entry: &Entry) -> bool {
    !entry.name.starts_with(b"META-INF/") && !entry.is_directory()
}

/// Inflates every entry once and computes each digest that its section names.
fn hash_entries(
    source: &dyn Source,
    archive: &Archive,
    sections: &BTreeMap<Vec<u8>, Section>,
    allowance: &mut Allowance,
) -> Check<Vec<(Vec<u8>, Vec<Digest>)>> {
    let entries: Vec<&Entry> = archive
        .entries
        .iter()
        .filter(|entry| must_be_signed(entry))
        .collect();
    let total = entries
        .iter()
        .fold(0_u64, |sum, entry| sum.saturating_add(entry.uncompressed));
    allowance
        .take(total)
        .or_broken(Code::ZipBudget, "the entries expand too far")?;
    let hashed = in_parallel(&entries, |entry, _| {
        let wanted = sections
            .get(&entry.name)
            .map(Section::digest_kinds)
            .unwrap_or_default();
        let mut findings = Vec::new();
        let digests = settle(hash_entry(source, entry, &wanted), &mut findings)?;
        Ok((digests, findings.pop()))
    })?;
    let mut result = Vec::new();
    for (entry, (digests, finding)) in entries.into_iter().zip(hashed) {
        match (digests, finding) {
            (Some(digests), None) => result.push((entry.name.clone(), digests)),
            (_, Some(finding)) => return Err(finding.into()),
            (None, None) => return broken(Code::ZipEntryUnreadable, entry.display_name()),
        }
    }
    Ok(result)
}

fn hash_entry(source: &dyn Source, entry: &Entry, wanted: &[Hash]) -> Check<Vec<Digest>> {
    let mut sink = Hashers(wanted.iter().map(|hash| hash.hasher()).collect());
    expand(source, entry, &mut sink)?;
    let digests = sink.0.into_iter().map(|hasher| hasher.finalize().to_vec());
    Ok(wanted.iter().copied().zip(digests).collect())
}

pub(crate) struct Hashers(pub(crate) Vec<Box<dyn sha2::digest::DynDigest>>);

impl io::Write for Hashers {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for hasher in &mut self.0 {
            hasher.update(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Files below `META-INF/` that belong to no signature can be changed by anybody.
fn remark_unprotected(archive: &Archive, signers: &[JarSigner], findings: &mut Vec<Finding>) {
    for entry in &archive.entries {
        let Some(inside) = entry.name.strip_prefix(b"META-INF/") else {
            continue;
        };
        let stem = inside
            .rsplitn(2, |byte| *byte == b'.')
            .last()
            .unwrap_or_default();
        let owned = signers.iter().any(|signer| {
            signer
                .name
                .rsplit_once('.')
                .is_some_and(|(known, _)| known.as_bytes() == stem)
        });
        if !owned && !entry.is_directory() && entry.name != MANIFEST {
            findings.push(Finding::new(
                Code::JarUnprotectedEntry,
                entry.display_name(),
            ));
        }
    }
}
