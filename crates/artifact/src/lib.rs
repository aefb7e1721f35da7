#![doc = include_str!("../README.md")]
#![deny(clippy::indexing_slicing)]
#![expect(
    dead_code,
    reason = "parts that v4, source stamps and iOS apps stand on"
)]

mod apk;
mod certificate;
mod code;
mod cursor;
mod der;
mod finding;
mod inspection;
mod jar;
mod manifest;
mod pkcs7;
mod public_key;
mod source;
mod zip;

use std::io;

pub use finding::{ApiRange, Code, Finding, LATEST_API, Severity};
pub use inspection::{
    AppFacts, CertificateSummary, Identity, Inspection, Kind, Level, Scheme, Sha256Digest,
    SignedRange, SourceStamp, Verdict,
};
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
        return Ok(Inspection::of_broken_archive(source, findings)?);
    };
    match kind_of(&archive) {
        Kind::Apk => Ok(apk::inspect(source, &archive, options, findings)?),
        kind => {
            findings.push(Finding::new(Code::KindNotChecked, ""));
            let mut inspection = Inspection::of_broken_archive(source, findings)?;
            inspection.kind = kind;
            Ok(inspection)
        }
    }
}

impl Inspection {
    fn of_broken_archive(source: &dyn Source, findings: Vec<Finding>) -> io::Result<Self> {
        Ok(Self {
            kind: Kind::Apk,
            artifact_sha256: apk::content_digest::file_sha256(source)?,
            size: source.size(),
            app: None,
            schemes: Vec::new(),
            signed: Vec::new(),
            certificates: Vec::new(),
            levels: Vec::new(),
            source_stamp: None,
            findings,
        })
    }
}

/// Tells the kind by what only that kind has. A wrong guess cannot make anything verify: each kind has all of its own rules.
fn kind_of(archive: &Archive) -> Kind {
    let has = |test: fn(&[u8]) -> bool| archive.entries.iter().any(|entry| test(&entry.name));
    if archive.find("AndroidManifest.xml").is_some() {
        Kind::Apk
    } else if has(|name| name.starts_with(b"Payload/")) {
        Kind::Ipa
    } else if has(|name| name == b"BundleConfig.pb" || name == b"base/manifest/AndroidManifest.xml")
    {
        Kind::Aab
    } else if has(|name| name.ends_with(b".apk")) {
        Kind::SplitSet
    } else {
        Kind::Apk
    }
}
