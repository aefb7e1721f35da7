//! `bonafide registration`: the builds and signing certificates that count as the app.

pub(crate) mod claim;
mod fingerprint;

use std::path::{Path, PathBuf};

use bonafide_artifact::{Code, Inspection, Kind, Options};
use bonafide_wire::admin::{
    AppAttestEnvironment, NewRegistration, Reference, RegistrationView, Role,
};
use bonafide_wire::ids::{AppId, AppleAppId, PackageName, RegistrationId};
use clap::{Subcommand, ValueEnum};

use self::claim::{Named, Refusal};
use self::fingerprint::Fingerprint;

use crate::ask::Consent;
use crate::certificate::Certificate;
use crate::client::Route;
use crate::commands::artifact;
use crate::context::Context;
use crate::environment;
use crate::error::{Exit, Failure};
use crate::listing::Window;
use crate::render::{self, Table, moment};
use crate::span::Span;

/// `bonafide registration …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Register a build, a signing certificate or an iOS app
    #[command(
        long_about = "Registers what counts as the app. With FILE (an APK, a split set as .apks, .xapk or folder, or an \
            IPA), the file is verified here and its identity is registered: this build and no other. On Android that \
            is package, version code, signers and the digest of the installed APK, on iOS the app id, the build and \
            where Apple attests its keys. With --certificate or --signer, every build of the package that the \
            certificate signed counts, with --app-id every build of the iOS app that Apple vouches for: wider, and \
            an explicit choice.\n\n\
            An AAB is refused: it is signed with the upload key, which no phone ever reports. Register the app \
            signing key of the Play Console with --signer, or the APKs that Play made.\n\n\
            Returns when the registration is in force.",
        after_long_help = "Examples:\n  bonafide registration add app-release.apk\n  \
            bonafide registration add app-debug.apk --expire-after 1d --label \"alice's build\"\n  \
            bonafide registration add Books.ipa --app books\n  \
            bonafide registration add --certificate release.pem --package com.example.books\n  \
            bonafide registration add --signer AA:BB:… --package com.example.books\n  \
            bonafide registration add --app-id A1B2C3D4E5.com.example.books"
    )]
    Add(AddArgs),
    /// List the registrations
    List {
        #[command(flatten)]
        window: Window,
    },
    /// Remove a registration; instances that it covered are refused from then on
    Remove {
        /// Its id
        id: RegistrationId,
        #[command(flatten)]
        consent: Consent,
    },
}

/// `bonafide registration add`
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["file", "certificate", "signer", "app_id"])))]
#[command(group(clap::ArgGroup::new("key").args(["certificate", "signer"])))]
pub(crate) struct AddArgs {
    /// An APK, a split set (.apks, .xapk or a folder) or an IPA
    file: Option<PathBuf>,
    /// A signing certificate, PEM or DER, instead of a build
    #[arg(long, value_name = "FILE", requires = "package")]
    certificate: Option<PathBuf>,
    /// The same by its SHA-256, as the Play Console shows it
    #[arg(long, value_name = "SHA256", requires = "package")]
    signer: Option<Fingerprint>,
    /// The Android package that the certificate signs
    #[arg(long, value_name = "NAME", requires = "key")]
    package: Option<PackageName>,
    /// An iOS app, TEAMID.bundle.id, instead of a build
    #[arg(long, value_name = "ID")]
    app_id: Option<AppleAppId>,
    /// Where Apple attests the keys of an IPA [default: what the IPA says]
    #[arg(long, value_name = "WHERE", requires = "file")]
    environment: Option<World>,
    #[command(flatten)]
    details: Details,
}

/// What goes with either.
#[derive(Debug, clap::Args)]
struct Details {
    /// Of which app [default: the app of the package, or a new one]
    #[arg(long, value_name = "ID")]
    app: Option<AppId>,
    /// A note for people
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// It counts no longer after this, for development builds
    #[arg(long, value_name = "SPAN")]
    expire_after: Option<Span>,
}

/// Apple's two worlds.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum World {
    /// App Store, TestFlight, enterprise
    Production,
    /// The sandbox of development builds
    Development,
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Add(args) => add(args, context).await?,
        Verb::List { window } => {
            let client = context.client(Role::Viewer).await?;
            let route = Route::account(["registrations"]);
            let all: Vec<RegistrationView> = client.list(&route, window.most()).await?;
            context.console.data(&all, |all| table(all))?;
        }
        Verb::Remove { id, consent } => {
            consent.require(
                &format!("instances that only {id} covers will be refused"),
                id.as_str(),
            )?;
            let client = context.client(Role::Developer).await?;
            let route = Route::account(["registrations", id.as_str()]);
            client.delete(&route).await?;
            render::say(&format!("registration {id} is gone"));
        }
    }
    Ok(Exit::Done)
}

async fn add(args: AddArgs, context: &Context) -> Result<(), Failure> {
    let details = &args.details;
    let references = named(&args)?;
    let client = context.client(Role::Developer).await?;
    let mut made: Vec<RegistrationView> = Vec::new();
    let mut known = None;
    for named in references {
        let new = NewRegistration {
            app: details.app.clone(),
            reference: named.reference,
            label: details.label.clone().unwrap_or(named.label),
            expires_at: details
                .expire_after
                .map(|span| environment::now() + i64::from(span.0)),
        };
        let route = Route::account(["registrations"]);
        match client.post(&route, &new).await {
            Ok(registration) => made.push(registration),
            // A file with several signers may be registered in part, by a run that was cut off.
            Err(failure) if failure.exit == Exit::Conflict => known = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    match known {
        Some(failure) if made.is_empty() => return Err(failure),
        _ => render::say("in force"),
    }
    context.console.data(&made, |made| table(made))
}

fn named(args: &AddArgs) -> Result<Vec<Named>, Failure> {
    let wide = |what: &str| {
        render::warn(&format!(
            "every build of {what} will count; register builds one by one where you can"
        ));
    };
    let signed_by = |package: &PackageName, subject: String, signer: String| {
        wide(&format!("{package} signed by {subject}"));
        vec![Named {
            label: subject,
            reference: Reference::Certificate {
                package: package.clone(),
                signer,
            },
        }]
    };
    let key = (&args.certificate, &args.signer, &args.package);
    match (&args.file, key, &args.app_id) {
        (Some(file), ..) => builds(file, args.environment.map(World::wire)),
        (None, (Some(certificate), _, Some(package)), _) => {
            let certificate = Certificate::read(certificate)?;
            Ok(signed_by(package, certificate.subject, certificate.sha256))
        }
        (None, (None, Some(Fingerprint(signer)), Some(package)), _) => {
            let subject = format!("{}…", start(signer));
            Ok(signed_by(package, subject, signer.clone()))
        }
        (None, _, Some(app_id)) => {
            wide(&format!("{app_id} that Apple vouches for"));
            Ok(vec![Named {
                label: String::new(),
                reference: Reference::AppleApp {
                    app_id: app_id.clone(),
                },
            }])
        }
        _ => Err(Failure::usage(
            "name a FILE, --certificate or --signer with --package, or --app-id",
        )),
    }
}

impl World {
    fn wire(self) -> AppAttestEnvironment {
        match self {
            Self::Production => AppAttestEnvironment::Production,
            Self::Development => AppAttestEnvironment::Development,
        }
    }
}

/// What a file proves.
fn builds(file: &Path, said: Option<AppAttestEnvironment>) -> Result<Vec<Named>, Failure> {
    let inspection = artifact::inspect(file, &Options::default())?;
    let named = claim::of(&inspection, said).map_err(|refusal| refused(file, refusal))?;
    warn_of(&inspection);
    Ok(named)
}

fn refused(file: &Path, refusal: Refusal) -> Failure {
    let Refusal { code, why, instead } = refusal;
    let file = file.display();
    let message = format!("{file} registers nothing: {why} ({code})");
    Failure::new(Exit::Refused, message)
        .hint(instead.unwrap_or_else(|| format!("bonafide artifact inspect {file}")))
}

fn warn_of(inspection: &Inspection) {
    let found = |code: Code| {
        inspection
            .findings()
            .iter()
            .any(|finding| finding.code() == code)
    };
    if found(Code::Debuggable) {
        render::warn("this build lets a debugger in; policy still refuses an attached one");
    }
    if inspection.kind() == Kind::Ipa {
        return;
    }
    if found(Code::DebugCertificate) {
        render::warn(
            "signed with a debug key, which every development machine makes for itself; --expire-after ends it by itself",
        );
    } else {
        let signers = inspection.signers().iter().map(ToString::to_string);
        render::say(&format!(
            "registered is the key that signed this file, {}. If Google Play signs this app (Play App Signing), this \
             is only the upload key, and phones report Play's: register that one with --signer",
            signers.collect::<Vec<_>>().join(", ")
        ));
    }
}

fn table(registrations: &[RegistrationView]) -> Table {
    Table::list(
        "nothing is registered yet; `bonafide registration add FILE` registers a build",
        &[
            "registration",
            "app",
            "package or app id",
            "counts",
            "ends",
            "added by",
            "added",
            "label",
        ],
    )
    .rows(registrations, |entry| {
        [
            entry.id.to_string(),
            entry.app.to_string(),
            entry.reference.names().to_string(),
            counts(&entry.reference),
            entry.expires_at.map_or_else(|| "-".to_owned(), moment),
            entry.added_by.clone(),
            moment(entry.added_at),
            entry.label.clone(),
        ]
    })
}

fn counts(reference: &Reference) -> String {
    match reference {
        Reference::Build {
            version_code,
            artifact_sha256,
            ..
        } => format!("build {version_code} ({}…)", start(artifact_sha256)),
        Reference::Certificate { signer, .. } => {
            format!("all builds signed by {}…", start(signer))
        }
        Reference::AppleBuild {
            version,
            build,
            environment,
            ..
        } => format!("build {build} of {version} ({} keys)", environment.as_str()),
        Reference::AppleApp { .. } => "all builds that Apple vouches for".to_owned(),
    }
}

fn start(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
