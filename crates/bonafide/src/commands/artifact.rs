//! `bonafide artifact`: what an app file is and who signed it, offline.
//!
//! Opens files and prints; every decision is `bonafide-artifact`'s.

mod progress;
mod view;

use std::fs::File;
use std::path::{Path, PathBuf};

use bonafide_artifact::{
    CertificateSummary, Finding, Inspection, IosFacts, Kind, Level, Options, Part, Scheme,
    Sha256Digest, SignedRange, Source, SourceStamp, Unreadable, Verdict,
};
use clap::Subcommand;
use serde::Serialize;

use self::progress::Watched;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::render;

/// `bonafide artifact …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Verify an app file: what it is, who signed it, for which Android versions
    #[command(
        after_long_help = "Exit codes: 0 verified, 1 rejected or not checked, 2 unreadable.\n\n\
            Examples:\n  bonafide artifact inspect app.apk\n  \
            bonafide artifact inspect app.apk --min-sdk 28 --output json"
    )]
    Inspect(InspectArgs),
    /// Say what differs between two app files: why does this build not match?
    #[command(after_long_help = "Exit codes: 0 the same file, 1 different, 2 unreadable.")]
    Diff(DiffArgs),
}

/// `bonafide artifact diff`
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// The one
    first: PathBuf,
    /// The other
    second: PathBuf,
    #[command(flatten)]
    range: RangeArgs,
}

/// `bonafide artifact inspect`
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// The file, or a folder with the APKs of one split set
    file: PathBuf,
    #[command(flatten)]
    range: RangeArgs,
    /// The `.idsig` file that belongs to the APK
    #[arg(long, value_name = "FILE")]
    v4_signature: Option<PathBuf>,
}

/// Which Android levels are asked about.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct RangeArgs {
    /// Lowest Android API level to judge [default: the manifest's, at least 24]
    #[arg(long, value_name = "N")]
    min_sdk: Option<u32>,
    /// Highest Android API level to judge [default: all later ones]
    #[arg(long, value_name = "N")]
    max_sdk: Option<u32>,
}

/// Does it.
pub(crate) fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Inspect(args) => run_inspect(&args, context),
        Verb::Diff(args) => run_diff(&args, context),
    }
}

impl RangeArgs {
    fn options(self) -> Options {
        let mut options = Options::default();
        (options.min_sdk, options.max_sdk) = (self.min_sdk, self.max_sdk);
        options
    }
}

fn run_diff(args: &DiffArgs, context: &Context) -> Result<Exit, Failure> {
    let (first, second) = (open(&args.first)?, open(&args.second)?);
    let difference = bonafide_artifact::diff(&first, &second, &args.range.options())
        .map_err(|error| unreadable(&args.first, error))?;
    if context.console.is_json() {
        context
            .console
            .data(&difference, |_| render::Table::object())?;
    } else {
        render::line(&view::compare(&difference))?;
    }
    Ok(if difference.identical {
        Exit::Done
    } else {
        Exit::Refused
    })
}

fn run_inspect(args: &InspectArgs, context: &Context) -> Result<Exit, Failure> {
    let mut options = args.range.options();
    if let Some(path) = &args.v4_signature {
        let idsig = std::fs::read(path).map_err(|error| Failure::file(path, &error))?;
        options.v4_signature = Some(idsig);
    }
    let inspection = inspect(&args.file, &options)?;
    if context.console.is_json() {
        context
            .console
            .data(&Report::of(&inspection), |_| render::Table::object())?;
    } else {
        render::line(&view::describe(
            &args.file.display().to_string(),
            &inspection,
        ))?;
    }
    Ok(match inspection.verdict() {
        Verdict::Verified => Exit::Done,
        Verdict::Rejected | Verdict::NotChecked => Exit::Refused,
    })
}

/// Opens and inspects a file or a folder.
pub(crate) fn inspect(path: &Path, options: &Options) -> Result<Inspection, Failure> {
    let inspected = if path.is_dir() {
        inspect_folder(path, options)?
    } else {
        bonafide_artifact::inspect(&open(path)?, options)
    };
    inspected.map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: Unreadable) -> Failure {
    match error {
        Unreadable::Io(error) => Failure::file(path, &error),
        Unreadable::NotAnArchive => Failure::usage(format!("{}: {error}", path.display()))
            .hint("an app file is an .apk, .aab, .apks, .xapk or .ipa"),
    }
}

fn open(path: &Path) -> Result<Watched, Failure> {
    File::open(path)
        .and_then(Watched::new)
        .map_err(|error| Failure::file(path, &error))
}

/// All `.apk` files of a folder are one split set.
fn inspect_folder(
    folder: &Path,
    options: &Options,
) -> Result<Result<Inspection, Unreadable>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|error| Failure::file(folder, &error))?;
    let mut parts = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Failure::file(folder, &error))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("apk"))
        {
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            parts.push((name.unwrap_or_default(), open(&path)?));
        }
    }
    if parts.is_empty() {
        return Err(Failure::usage(format!(
            "{}: no .apk file in this folder",
            folder.display()
        )));
    }
    parts.sort_by(|one, other| one.0.cmp(&other.0));
    let sources: Vec<(String, &dyn Source)> = parts
        .iter()
        .map(|(name, source)| (name.clone(), source as &dyn Source))
        .collect();
    Ok(bonafide_artifact::inspect_split_set(&sources, options))
}

/// The JSON of one inspection. Its members are API.
#[derive(Serialize)]
struct Report<'a> {
    verdict: Verdict,
    kind: Kind,
    package: Option<&'a str>,
    version_code: Option<u64>,
    version_name: Option<&'a str>,
    schemes: &'a [Scheme],
    signers: &'a [Sha256Digest],
    lineage: &'a [Sha256Digest],
    attested_signers: Vec<Vec<Sha256Digest>>,
    artifact_sha256: Sha256Digest,
    size: u64,
    min_sdk: Option<u32>,
    target_sdk: Option<u32>,
    split: Option<&'a str>,
    signed: &'a [SignedRange],
    levels: &'a [Level],
    certificates: &'a [CertificateSummary],
    source_stamp: Option<&'a SourceStamp>,
    parts: &'a [Part],
    ios: Option<&'a IosFacts>,
    findings: &'a [Finding],
}

impl<'a> Report<'a> {
    fn of(inspection: &'a Inspection) -> Self {
        let app = inspection.app();
        let identity = inspection.identity();
        Self {
            verdict: inspection.verdict(),
            kind: inspection.kind(),
            package: app.map(|app| app.package.as_str()),
            version_code: app.and_then(|app| app.version_code),
            version_name: app.and_then(|app| app.version_name.as_deref()),
            schemes: inspection.schemes(),
            signers: inspection.signers(),
            lineage: inspection.lineage(),
            attested_signers: identity.map(|it| it.attested_signers()).unwrap_or_default(),
            artifact_sha256: inspection.artifact_sha256(),
            size: inspection.size(),
            min_sdk: app.and_then(|app| app.min_sdk),
            target_sdk: app.and_then(|app| app.target_sdk),
            split: app.and_then(|app| app.split.as_deref()),
            signed: inspection.signed(),
            levels: inspection.levels(),
            certificates: inspection.certificates(),
            source_stamp: inspection.source_stamp(),
            parts: inspection.parts(),
            ios: inspection.ios(),
            findings: inspection.findings(),
        }
    }
}
