//! `bonafide anchor`: whose evidence an account accepts beside the platforms' own, always as development.

use std::path::PathBuf;

use bonafide_wire::admin::{AnchorView, PutAnchor, Role};
use bonafide_wire::ids::AnchorName;
use bonafide_wire::platform::AnchoredEvidence;
use clap::{Subcommand, ValueEnum};

use crate::ask::Consent;
use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::listing::Window;
use crate::render::{self, Table, moment};

/// `bonafide anchor …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Accept evidence that ends at this root, marked development
    #[command(
        long_about = "Accepts evidence whose chain ends at this certificate's key, for example a simulator's. Such \
            evidence is marked `development` in verdicts, tokens and listings, and the policy refuses the \
            mark until it is told otherwise:\n\n  bonafide policy set development observe\n\n\
            An account for production should have no anchor.",
        after_long_help = "Examples:\n  bonafide anchor add simulator root.pem\n  \
            bonafide anchor add virtual-iphone iphone-root.pem --for app-attest"
    )]
    Add {
        /// Its name
        name: AnchorName,
        /// One certificate, PEM
        #[arg(value_name = "FILE")]
        certificate: PathBuf,
        /// Which evidence may end there
        #[arg(long = "for", value_name = "KIND", value_enum, default_value_t)]
        evidence: Kind,
    },
    /// List the anchors
    List {
        #[command(flatten)]
        window: Window,
    },
    /// Remove an anchor; its devices are refused from then on
    Remove {
        /// Its name
        name: AnchorName,
        #[command(flatten)]
        consent: Consent,
    },
}

/// The kinds of evidence that end at an anchor.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum Kind {
    /// Android Key Attestation
    #[default]
    AndroidKey,
    /// Apple App Attest
    AppAttest,
}

impl From<Kind> for AnchoredEvidence {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::AndroidKey => Self::AndroidKey,
            Kind::AppAttest => Self::AppAttest,
        }
    }
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Add {
            name,
            certificate,
            evidence,
        } => {
            let certificate_pem = std::fs::read_to_string(&certificate)
                .map_err(|error| Failure::file(&certificate, &error))?;
            let put = PutAnchor {
                evidence: evidence.into(),
                certificate_pem,
            };
            let client = context.client(Role::Admin).await?;
            let made: AnchorView = client.put(&route(&name), &put).await?;
            render::warn(
                "whoever holds this root's key can make evidence that this account authenticates",
            );
            context
                .console
                .data(&made, |made| table(std::slice::from_ref(made)))?;
        }
        Verb::List { window } => {
            let client = context.client(Role::Viewer).await?;
            let anchors: Vec<AnchorView> = client
                .list(&Route::account(["anchors"]), window.most())
                .await?;
            context.console.data(&anchors, |anchors| table(anchors))?;
        }
        Verb::Remove { name, consent } => {
            consent.require(
                &format!("devices under anchor {name} will be refused"),
                name.as_str(),
            )?;
            let client = context.client(Role::Admin).await?;
            client.delete(&route(&name)).await?;
            render::say(&format!("anchor {name} is gone"));
        }
    }
    Ok(Exit::Done)
}

fn route(name: &AnchorName) -> Route {
    Route::account(["anchors", name.as_str()])
}

fn table(anchors: &[AnchorView]) -> Table {
    Table::list(
        "no development anchors: only the platforms' own roots count",
        &["anchor", "evidence", "key (sha-256)", "added by", "added"],
    )
    .rows(anchors, |anchor| {
        [
            anchor.name.to_string(),
            anchor.evidence.as_str().to_owned(),
            anchor.spki_sha256.clone(),
            anchor.added_by.clone(),
            moment(anchor.added_at),
        ]
    })
}
