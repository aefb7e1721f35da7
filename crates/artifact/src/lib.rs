#![doc = include_str!("../README.md")]
#![deny(clippy::indexing_slicing)]

mod apk;
mod bundle;
mod certificate;
mod code;
mod cursor;
mod der;
mod diff;
mod finding;
mod inspection;
mod ios;
mod jar;
mod manifest;
mod pkcs7;
mod plist;
#[cfg(feature = "post-quantum")]
mod post_quantum;
mod public_key;
mod source;
mod split_set;
mod zip;

use std::io;

pub use diff::{Difference, EntryChange, EntryDifference, FactDifference, diff};
pub use finding::{ApiRange, Code, Finding, LATEST_API, Severity};
pub use inspection::{
    AppFacts, CertificateSummary, Identity, Inspection, Kind, Level, Part, Scheme, Sha256Digest,
    SignedRange, SourceStamp, Verdict,
};
pub use ios::facts::{IosFacts, ProfileFacts, ProfileKind, SliceFacts};
pub use source::{FileSource, Source};

use crate::zip::Archive;

/// What to ask of an artifact.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Lowest Android level to judge. Default: the manifest's, but at least 24, below which only v1 signatures count.
    pub min_sdk: Option<u32>,
    /// Highest Android level to judge. Default: all later ones.
    pub max_sdk: Option<u32>,
    /// The `.idsig` file that came with an APK, if it is to be verified too.
    pub v4_signature: Option<Vec<u8>>,
}

/// The bytes cannot be judged at all: they could not be read, or are no archive.
#[derive(Debug)]
pub enum Unreadable {
    /// Reading failed.
    Io(io::Error),
    /// The bytes are not an archive of any kind.
    NotAnArchive,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Io(_) => "the artifact could not be read",
            Self::NotAnArchive => "not an archive of any kind",
        })
    }
}

impl std::error::Error for Unreadable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::NotAnArchive => None,
        }
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Inspects one artifact: what it is, who signed it for which Android levels, and whether all of that holds.
///
/// Whatever the bytes are, this neither panics nor allocates by their word.
///
/// # Errors
/// Only if the bytes cannot be read or are no archive; a bad artifact is a verdict, not an error.
pub fn inspect(source: &dyn Source, options: &Options) -> Result<Inspection, Unreadable> {
    if !zip::resembles_archive(source)? {
        return Err(Unreadable::NotAnArchive);
    }
    let mut findings = Vec::new();
    let archive = finding::settle(Archive::open(source, &mut findings), &mut findings)?;
    let Some(archive) = archive else {
        let digest = apk::content_digest::file_sha256(source)?;
        return Ok(Inspection::empty(Kind::Apk, source.size(), digest).with_findings(findings));
    };
    Ok(match kind_of(&archive) {
        Kind::Apk => inspect_apk(source, &archive, options, findings)?,
        Kind::Aab => bundle::inspect(source, &archive, findings)?,
        Kind::SplitSet => split_set::inspect_archive(source, &archive, options, findings)?,
        Kind::Ipa => ios::inspect(source, &archive, findings)?,
    })
}

/// Inspects several APK files as one split set: a base and its splits, as `adb pull` brings them.
///
/// # Errors
/// Only if bytes cannot be read.
pub fn inspect_split_set(
    parts: &[(String, &dyn Source)],
    options: &Options,
) -> Result<Inspection, Unreadable> {
    Ok(split_set::inspect_files(parts, options)?)
}

pub(crate) use apk::inspect as inspect_apk;

/// Tells the kind by what only that kind has. A wrong guess cannot make anything verify: each kind has all of its own rules.
fn kind_of(archive: &Archive) -> Kind {
    let has = |test: fn(&[u8]) -> bool| archive.entries.iter().any(|entry| test(&entry.name));
    if archive.find("AndroidManifest.xml").is_some() {
        Kind::Apk
    } else if has(|name| name.starts_with(b"Payload/")) {
        Kind::Ipa
    } else if has(|name| name == b"BundleConfig.pb" || name == bundle::MANIFEST.as_bytes()) {
        Kind::Aab
    } else if has(|name| name.ends_with(b".apk")) {
        Kind::SplitSet
    } else {
        Kind::Apk
    }
}

/// The parsers, one by one, for fuzzing. Built only under `cargo fuzz`.
#[cfg(fuzzing)]
#[expect(missing_docs, reason = "not part of the API")]
pub mod fuzzing {
    use crate::finding::Finding;
    use crate::inspection::Scheme;

    pub fn zip(bytes: &[u8]) {
        let Ok(archive) = crate::zip::Archive::open(&bytes, &mut Vec::new()) else {
            return;
        };
        let mut allowance = crate::zip::Allowance::for_file(crate::Source::size(&bytes));
        for entry in &archive.entries {
            let expanded = crate::zip::expand_to_vec(&bytes, entry, &mut allowance, 1 << 20);
            drop(expanded);
        }
    }

    pub fn manifest(bytes: &[u8]) {
        drop(crate::manifest::parse(bytes, &mut Vec::<Finding>::new()));
    }

    pub fn signers(bytes: &[u8]) {
        for scheme in [Scheme::V2, Scheme::V3] {
            crate::apk::fuzz_signers(scheme, bytes);
        }
    }

    pub fn pkcs7(bytes: &[u8]) {
        let Some(data) = crate::pkcs7::SignedData::parse(bytes) else {
            return;
        };
        for signer in &data.signers {
            if let Some(certificate) = data.certificate_of(signer) {
                let _ = signer.verifies(certificate, b"content");
                drop(certificate.summary());
            }
            drop(signer.attributes());
        }
    }

    pub fn executable(bytes: &[u8]) {
        crate::ios::fuzz_executable(bytes);
    }

    pub fn profile(bytes: &[u8]) {
        drop(crate::plist::Plist::parse(bytes));
        crate::ios::fuzz_profile(bytes);
    }
}
