//! An APK: which signatures count on which Android level, and whether they hold.
//!
//! Decides the verdict per Android level and for the whole range asked about. The order of schemes is Android's: the
//! newest that a level knows and that is present decides alone there. The parts (archive, signing block, signers,
//! digests, manifest) have modules of their own; this one only puts them in order.

mod algorithm;
pub(crate) mod content_digest;
mod evaluate;
mod hybrid;
mod levels;
mod lineage;
mod rotation;
mod signer;
mod signing_block;
mod source_stamp;
mod v4;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::apk::algorithm::Algorithm;
use crate::apk::content_digest::{ContentDigest, Sections};
use crate::apk::evaluate::evaluate;
use crate::apk::levels::{levels, signed_ranges};
use crate::apk::signer::Signer;
use crate::apk::signing_block::{ID_SOURCE_STAMP, ID_V2, ID_V3, ID_V31, ID_V32, SigningBlock};
use crate::apk::source_stamp::Covered;
use crate::certificate::Certificate;
use crate::finding::{ApiRange, Check, Code, Finding, LATEST_API, Stop, settle};
use crate::inspection::{Inspection, Kind, Scheme, Sha256Digest, SourceStamp};
use crate::jar::{self, Jar};
use crate::manifest::{self, Manifest};
use crate::source::Source;
use crate::zip::{Allowance, Archive, expand_to_vec};
use crate::{Options, inspection};

const MANIFEST_NAME: &str = "AndroidManifest.xml";
/// The level from which v2 counts. Below it only v1 does, and v1 cannot protect: by default nobody is asked about it.
const DEFAULT_FLOOR: u32 = 24;

/// One signature scheme that is present: its signers, or why they are none.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) signers: Vec<Signer>,
    /// What is true of the scheme on every level where it counts.
    pub(crate) findings: Vec<Finding>,
}

impl Outcome {
    pub(crate) fn holds(&self) -> bool {
        inspection::Verdict::of(&self.findings) != inspection::Verdict::Rejected
    }
}

/// Everything about an APK that does not depend on the range of Android levels.
#[derive(Debug, Default)]
pub(crate) struct Apk {
    pub(crate) manifest: Manifest,
    pub(crate) schemes: BTreeMap<Scheme, Outcome>,
    /// The levels that a v3.2 block claims, if there is one that claims any. Whether its signers hold is in `schemes`.
    pub(crate) hybrid: Option<ApiRange>,
    /// The JAR signature, if one counts on any level and could be read.
    pub(crate) jar: Option<Jar>,
    /// Why it could not be read.
    pub(crate) jar_findings: Vec<Finding>,
    /// There is a signing block, but it is broken: whatever else there is, nobody knows what it was meant to say.
    pub(crate) block_is_broken: bool,
}

/// Inspects an APK whose archive has been opened.
pub(crate) fn inspect(
    source: &dyn Source,
    archive: &Archive,
    options: &Options,
    mut findings: Vec<Finding>,
) -> io::Result<Inspection> {
    let mut apk = Apk::default();
    let manifest = read_manifest(source, archive, &mut findings);
    let manifest = settle(manifest, &mut findings)?;
    let app = manifest.as_ref().map(|manifest| manifest.app.clone());
    apk.manifest = manifest.unwrap_or_default();
    if archive.odd_start {
        findings.extend(janus(source)?);
    }
    let block = SigningBlock::find(source, archive, &mut findings);
    let block = settle(block, &mut findings)?;
    apk.block_is_broken = block.is_none();
    let block = block.flatten();
    let sections = match &block {
        Some(block) => {
            authenticate(block, &mut apk)?;
            let directory = (archive.directory_offset, archive.end_offset);
            Some(Sections::new(
                source,
                (block.offset, block.size),
                directory,
            )?)
        }
        None => None,
    };
    let digests = content_digest::compute(source, sections.as_ref(), &wanted_digests(&apk))?;
    for outcome in apk.schemes.values_mut() {
        compare_digests(outcome, &digests.content, sections.as_ref());
    }
    if let Some(idsig) = &options.v4_signature {
        let findings = v4::verify(source, idsig, &apk)?;
        apk.schemes.insert(
            Scheme::V4,
            Outcome {
                signers: Vec::new(),
                findings,
            },
        );
    }
    let range = range_asked(options, &apk.manifest);
    if evaluate::v1_counts(&apk, range) && Jar::is_present(archive) {
        apk.jar = settle(Jar::read(source, archive), &mut apk.jar_findings)?;
    }
    let stamp = match &block {
        Some(block) => read_stamp(source, archive, block, (&apk, range), &mut findings),
        None => Ok(None),
    };
    let stamp = settle(stamp, &mut findings)?.flatten();
    let mut inspection = conclude(source, &apk, (app, digests.file), range, findings);
    inspection.source_stamp = stamp;
    Ok(inspection)
}

fn conclude(
    source: &dyn Source,
    apk: &Apk,
    (app, artifact_sha256): (Option<inspection::AppFacts>, Sha256Digest),
    range: ApiRange,
    mut findings: Vec<Finding>,
) -> Inspection {
    let whole_file = findings.clone();
    if range.from > range.to {
        findings.push(Finding::new(
            Code::RangeUnsupported,
            format!("{} to {}", range.from, range.to),
        ));
    }
    let evaluated = evaluate(apk, range);
    findings.extend(evaluated.findings);
    let signed = signed_ranges(apk, range);
    let certificates = taking_part(apk, evaluated.v1);
    findings.extend(certificates.iter().flat_map(weaknesses));
    let mut inspection = Inspection::empty(Kind::Apk, source.size(), artifact_sha256);
    inspection.app = app;
    inspection.schemes = evaluated.schemes;
    inspection.signed = signed;
    inspection.certificates = certificates.iter().map(Certificate::summary).collect();
    inspection.levels = levels(apk, range, &whole_file);
    inspection.with_findings(findings)
}

/// The levels asked about: by default from the first one where a whole-file signature can count, unless the caller asks
/// about older ones only.
fn range_asked(options: &Options, manifest: &Manifest) -> ApiRange {
    let to = options.max_sdk.unwrap_or(LATEST_API);
    let floor = if to < DEFAULT_FLOOR { 1 } else { DEFAULT_FLOOR };
    ApiRange::new(
        options
            .min_sdk
            .unwrap_or_else(|| manifest.min_sdk().max(floor)),
        to,
    )
}

fn read_manifest(
    source: &dyn Source,
    archive: &Archive,
    findings: &mut Vec<Finding>,
) -> Check<Manifest> {
    let Some(entry) = archive.find(MANIFEST_NAME) else {
        return crate::finding::broken(Code::ManifestMissing, "");
    };
    let bytes = expand_to_vec(
        source,
        entry,
        &mut Allowance::for_file(source.size()),
        manifest::MAX_MANIFEST_BYTES,
    )?;
    manifest::parse(&bytes, findings)
}

/// Verifies the source stamp, if the archive announces one. Faults in it are findings, nothing more.
fn read_stamp(
    source: &dyn Source,
    archive: &Archive,
    block: &SigningBlock,
    (apk, range): (&Apk, ApiRange),
    findings: &mut Vec<Finding>,
) -> Check<Option<SourceStamp>> {
    let Some(entry) = archive.find(source_stamp::CERTIFICATE_ENTRY) else {
        return Ok(None);
    };
    let Some(value) = block.pair(ID_SOURCE_STAMP) else {
        findings.push(Finding::new(Code::SourceStampMissing, ""));
        return Ok(None);
    };
    let mut allowance = Allowance::for_file(source.size());
    let announced = match expand_to_vec(source, entry, &mut allowance, 64) {
        Err(Stop::Unreadable(error)) => return Err(error.into()),
        Err(Stop::Broken(finding)) => {
            findings.push(Finding::new(Code::SourceStampInvalid, finding.detail()));
            return Ok(None);
        }
        Ok(bytes) => bytes,
    };
    let covered = stamp_covers(
        apk,
        range,
        jar::manifest_sha256(source, archive, &mut allowance)?,
    );
    match source_stamp::verify(value, &announced, &covered) {
        Ok(stamp) => Ok(Some(stamp)),
        Err(finding) => {
            findings.push(finding);
            Ok(None)
        }
    }
}

fn stamp_covers(apk: &Apk, range: ApiRange, manifest_sha256: Option<Vec<u8>>) -> Covered {
    let mut covered = Covered::default();
    for (scheme, outcome) in apk
        .schemes
        .iter()
        .filter(|(_, outcome)| !outcome.signers.is_empty())
    {
        let signed = outcome.signers.iter().flat_map(|signer| &signer.digests);
        let digests = signed.filter_map(|(id, digest)| {
            Some((
                source_stamp::digest_id(Algorithm::by_id(*id)?.content),
                digest.clone(),
            ))
        });
        covered
            .schemes
            .push((*scheme, source_stamp::signed_form(digests.collect())));
    }
    let manifest = manifest_sha256.map(source_stamp::signed_manifest);
    if covered.schemes.is_empty() || range.from < DEFAULT_FLOOR {
        covered
            .schemes
            .extend(manifest.map(|bytes| (Scheme::V1, bytes)));
    } else {
        covered.manifest = manifest;
    }
    covered
}

/// CVE-2017-13156: old Android ran a DEX file to which a whole APK had been appended. Android Studio's own tools write
/// a nameless local header at the start, so only the first four bytes are compared, not the first entry's place.
fn janus(source: &dyn Source) -> io::Result<Option<Finding>> {
    let mut first = [0; 4];
    source.read_at(0, &mut first)?;
    let what = if &first == b"dex\n" {
        "starts with a DEX file".to_owned()
    } else {
        format!("starts with {first:02x?}")
    };
    Ok(Some(Finding::new(Code::JanusPrefix, what)))
}

fn authenticate(block: &SigningBlock, apk: &mut Apk) -> io::Result<()> {
    for (scheme, id) in [
        (Scheme::V2, ID_V2),
        (Scheme::V3, ID_V3),
        (Scheme::V31, ID_V31),
        (Scheme::V32, ID_V32),
    ] {
        let Some(value) = block.pair(id) else {
            continue;
        };
        let mut outcome = Outcome::default();
        if scheme == Scheme::V32 {
            let claimed = signer::claimed_ranges(scheme, value).and_then(|all| hybrid::range(&all));
            apk.hybrid = settle(claimed, &mut outcome.findings)?;
        }
        if scheme != Scheme::V32 || cfg!(feature = "post-quantum") && apk.hybrid.is_some() {
            let signers = authenticate_scheme(scheme, value, &mut outcome.findings);
            outcome.signers = settle(signers, &mut outcome.findings)?.unwrap_or_default();
        }
        apk.schemes.insert(scheme, outcome);
    }
    Ok(())
}

fn authenticate_scheme(
    scheme: Scheme,
    value: &[u8],
    findings: &mut Vec<Finding>,
) -> Check<Vec<Signer>> {
    let mut signers = signer::authenticate_all(scheme, value, findings)?;
    if scheme != Scheme::V2 {
        rotation::read_lineages(&mut signers, findings)?;
    }
    if scheme == Scheme::V32 {
        hybrid::check_pair(&signers, findings);
    } else if signers.iter().any(Signer::is_post_quantum) {
        findings.push(Finding::new(Code::PostQuantumAlone, scheme.as_str()));
    }
    Ok(signers)
}

fn wanted_digests(apk: &Apk) -> BTreeSet<ContentDigest> {
    let signers = apk.schemes.values().flat_map(|outcome| &outcome.signers);
    signers
        .flat_map(|signer| &signer.verified)
        .map(|algorithm| algorithm.content)
        .collect()
}

/// Compares what was signed with what the file has.
fn compare_digests(
    outcome: &mut Outcome,
    actual: &BTreeMap<ContentDigest, Vec<u8>>,
    sections: Option<&Sections>,
) {
    for signer in &outcome.signers {
        for algorithm in &signer.verified {
            let place = format!(
                "{} algorithm 0x{:04x}",
                signer.scheme.as_str(),
                algorithm.id
            );
            let unaligned = algorithm.content == ContentDigest::Verity
                && sections.is_some_and(|sections| !sections.is_page_aligned());
            let signed = signer.digests.iter().find(|(id, _)| *id == algorithm.id);
            let code = match (signed, actual.get(&algorithm.content)) {
                _ if unaligned => Code::VerityNotAligned,
                (Some((_, signed)), Some(actual)) if signed == actual => {
                    compare_others(signer, algorithm, actual, &mut outcome.findings);
                    continue;
                }
                _ => Code::ContentDigestWrong,
            };
            outcome.findings.push(Finding::new(code, place));
        }
    }
}

/// Another algorithm with the same content digest must agree: two signed digests of one kind cannot both be right.
fn compare_others(
    signer: &Signer,
    verified: &Algorithm,
    actual: &[u8],
    findings: &mut Vec<Finding>,
) {
    for (id, digest) in &signer.digests {
        let same_kind =
            Algorithm::by_id(*id).is_some_and(|other| other.content == verified.content);
        if same_kind && digest != actual {
            let place = format!("{} algorithm 0x{id:04x}", signer.scheme.as_str());
            findings.push(Finding::new(Code::ContentDigestWrong, place));
        }
    }
}

/// All certificates that decide something, each once.
fn taking_part(apk: &Apk, v1: Vec<Certificate>) -> Vec<Certificate> {
    let signers = apk.schemes.values().flat_map(|outcome| &outcome.signers);
    let mut certificates: Vec<Certificate> = Vec::new();
    for certificate in signers.flat_map(rotation::history).cloned().chain(v1) {
        if !certificates.contains(&certificate) {
            certificates.push(certificate);
        }
    }
    certificates
}

pub(crate) fn weaknesses(certificate: &Certificate) -> Vec<Finding> {
    let mut findings = Vec::new();
    let key = crate::public_key::PublicKey::parse(&certificate.public_key_info);
    if let Some(key) = key.filter(crate::public_key::PublicKey::is_weak) {
        findings.push(Finding::new(
            Code::WeakKey,
            format!("{} of {}", key.describe(), certificate.sha256()),
        ));
    }
    if certificate.is_android_debug() {
        findings.push(Finding::new(
            Code::DebugCertificate,
            certificate.sha256().to_string(),
        ));
    }
    findings
}

#[cfg(fuzzing)]
pub(crate) fn fuzz_signers(scheme: Scheme, bytes: &[u8]) {
    let mut findings = Vec::new();
    if let Ok(mut signers) = signer::authenticate_all(scheme, bytes, &mut findings) {
        drop(rotation::read_lineages(&mut signers, &mut findings));
    }
}
