//! `bonafide registration`: the builds and signing certificates that count as the app.

use std::path::{Path, PathBuf};

use bonafide_artifact::{Identity, Inspection, Kind, Options, Severity, Sha256Digest};
use bonafide_wire::admin::{NewRegistration, Reference, RegistrationView, Role};
use bonafide_wire::ids::{AppId, PackageName, RegistrationId};
use clap::Subcommand;

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
    /// Register a build, or a signing certificate
    #[command(
        long_about = "Registers what counts as the app. With FILE, the file is verified here and its identity (package, \
            version code, signers, digest) is registered: this build and no other. With --certificate, every build of \
            the package that the certificate signed counts: wider, and an explicit choice.\n\n\
            Returns when the registration is in force.",
        after_long_help = "Examples:\n  bonafide registration add app-release.apk\n  \
            bonafide registration add app-debug.apk --expire-after 1d --label \"alice's build\"\n  \
            bonafide registration add --certificate release.pem --package com.example.books"
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
#[command(group(clap::ArgGroup::new("what").required(true).args(["file", "certificate"])))]
pub(crate) struct AddArgs {
    /// An APK
    file: Option<PathBuf>,
    /// A signing certificate, PEM or DER, instead of a build
    #[arg(long, value_name = "FILE", requires = "package")]
    certificate: Option<PathBuf>,
    /// The Android package that the certificate signs
    #[arg(long, value_name = "NAME", requires = "certificate")]
    package: Option<PackageName>,
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
    let references = match (args.file, args.certificate, args.package) {
        (Some(file), ..) => builds(&file)?,
        (None, Some(certificate), Some(package)) => vec![signed_by(&certificate, package)?],
        _ => {
            return Err(Failure::usage(
                "name a FILE, or --certificate and --package",
            ));
        }
    };
    let client = context.client(Role::Developer).await?;
    let mut made: Vec<RegistrationView> = Vec::new();
    for named in references {
        let details = &args.details;
        let new = NewRegistration {
            app: details.app.clone(),
            reference: named.reference,
            label: details.label.clone().unwrap_or(named.label),
            expires_at: details
                .expire_after
                .map(|span| environment::now() + i64::from(span.0)),
        };
        made.push(
            client
                .post(&Route::account(["registrations"]), &new)
                .await?,
        );
    }
    render::say("in force");
    context.console.data(&made, |made| table(made))
}

/// What is to count, and what people call it.
struct Named {
    reference: Reference,
    label: String,
}

/// The identity that a file proves; one reference for each set of signers that phones can report.
fn builds(file: &Path) -> Result<Vec<Named>, Failure> {
    let inspection = artifact::inspect(file, &Options::default())?;
    let Some(identity) = inspection.identity() else {
        return Err(refusal(file, &inspection));
    };
    if identity.kind() != Kind::Apk {
        return Err(Failure::usage(format!(
            "{} is not what a phone installs; register the APK made from it",
            file.display()
        )));
    }
    let package = PackageName::parse(identity.package())
        .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    warn_of(&inspection, &identity);
    let version = identity.app().version_name.clone().unwrap_or_default();
    let reference = |signers: Vec<Sha256Digest>| Named {
        reference: Reference::Build {
            package: package.clone(),
            version_code: identity.version_code(),
            signers: signers.iter().map(ToString::to_string).collect(),
            artifact_sha256: identity.artifact_sha256().to_string(),
        },
        label: version.clone(),
    };
    Ok(identity
        .attested_signers()
        .into_iter()
        .map(reference)
        .collect())
}

fn refusal(file: &Path, inspection: &Inspection) -> Failure {
    let reasons: Vec<String> = inspection
        .findings()
        .iter()
        .filter(|finding| finding.severity() >= Severity::NotChecked)
        .map(|finding| format!("\n  {}: {}", finding.code(), finding.detail()))
        .collect();
    Failure::new(
        Exit::Refused,
        format!(
            "{} is not verified, so nothing was registered{}",
            file.display(),
            reasons.concat()
        ),
    )
    .hint(format!("bonafide artifact inspect {}", file.display()))
}

fn warn_of(inspection: &Inspection, identity: &Identity) {
    if identity.app().debuggable {
        render::warn("this build lets a debugger in; policy still refuses an attached one");
    }
    let debug = inspection
        .certificates()
        .iter()
        .any(|certificate| certificate.subject.contains("Android Debug"));
    if debug {
        render::warn(
            "signed with a debug key, which every development machine makes for itself; --expire-after ends it by itself",
        );
    } else {
        render::say(
            "if Google Play signs this app (Play App Signing), phones report Play's certificate: take it from the \
             Play Console and register it with --certificate",
        );
    }
}

fn signed_by(certificate: &Path, package: PackageName) -> Result<Named, Failure> {
    let certificate = Certificate::read(certificate)?;
    render::warn(&format!(
        "every build of {package} signed by {} will count; register builds one by one where you can",
        certificate.subject
    ));
    Ok(Named {
        label: certificate.subject,
        reference: Reference::Certificate {
            package,
            signer: certificate.sha256,
        },
    })
}

fn table(registrations: &[RegistrationView]) -> Table {
    Table::list(
        "nothing is registered yet; `bonafide registration add FILE.apk` registers a build",
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
