//! `bonafide registration`: the builds and signing certificates that count as the app.

use std::path::PathBuf;

use bonafide_wire::admin::{NewRegistration, Reference, RegistrationView, Role};
use bonafide_wire::ids::{AppId, PackageName, RegistrationId};
use clap::Subcommand;

use crate::ask::Consent;
use crate::certificate::Certificate;
use crate::client::Route;
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
    /// Register a signing certificate: every build signed with it counts
    #[command(
        after_long_help = "Example:\n  bonafide registration add --certificate release.pem --package com.example.books"
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
pub(crate) struct AddArgs {
    /// A signing certificate, PEM or DER
    #[arg(long, value_name = "FILE", requires = "package")]
    certificate: PathBuf,
    /// The Android package that the certificate signs
    #[arg(long, value_name = "NAME")]
    package: PackageName,
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
    let certificate = Certificate::read(&args.certificate)?;
    render::warn(&format!(
        "every build of {} signed by {} will count; register builds one by one where you can",
        args.package, certificate.subject
    ));
    let new = NewRegistration {
        app: args.app,
        reference: Reference::Certificate {
            package: args.package,
            signer: certificate.sha256,
        },
        label: args.label.unwrap_or(certificate.subject),
        expires_at: args
            .expire_after
            .map(|span| environment::now() + i64::from(span.0)),
    };
    let client = context.client(Role::Developer).await?;
    let made: RegistrationView = client
        .post(&Route::account(["registrations"]), &new)
        .await?;
    render::say("in force");
    context
        .console
        .data(&made, |made| table(std::slice::from_ref(made)))
}

fn table(registrations: &[RegistrationView]) -> Table {
    Table::list(
        "nothing is registered yet; `bonafide registration add FILE.apk` registers a build",
        &[
            "registration",
            "app",
            "package",
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
            entry.reference.package().to_string(),
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
    }
}

fn start(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
