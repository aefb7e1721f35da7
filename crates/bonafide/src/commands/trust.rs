//! `bonafide trust`: which certificates an app may believe, changed over the air.

use std::path::PathBuf;

use bonafide_trust::{Bundle, ManagedRoots, TrustedSet};
use bonafide_wire::admin::{ManagedRootsView, PutTrustRoot, Role, TokenMode, TrustRootView};
use bonafide_wire::ids::AnchorName;
use clap::{Subcommand, ValueEnum};

use crate::ask::Consent;
use crate::client::Route;
use crate::commands::token::sdk_config;
use crate::context::Context;
use crate::environment;
use crate::error::{Exit, Failure};
use crate::listing::Window;
use crate::render::{self, Table, moment};

/// `bonafide trust …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Switch managed trust roots on or off, or show which
    #[command(
        long_about = "With managed trust roots on, a protected host is believed only through a root of the account's \
            trust bundle, whatever the device's store says: an authority that somebody installed on a phone \
            counts for nothing. The roots are those of the Mozilla programme with its constraints, and the \
            account's own (`bonafide trust root`).",
        after_long_help = "Example:\n  bonafide trust managed-roots on"
    )]
    ManagedRoots {
        /// Leave it out to see the present state
        #[arg(value_enum)]
        state: Option<Switch>,
    },
    /// Show the trust bundle that apps are given, verified as an app would
    #[command(
        long_about = "Fetches the trust bundle from the device listener and verifies it as an app does: signatures \
            down from the config string's root key, account, expiry. Exit 1 if an app would refuse it."
    )]
    Show,
    /// The account's own roots, beside the managed ones
    #[command(subcommand)]
    Root(RootVerb),
}

/// `bonafide trust root …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum RootVerb {
    /// Add a root, for example your company's own authority
    #[command(after_long_help = "Example:\n  bonafide trust root add company company-ca.pem")]
    Add {
        /// Its name
        name: AnchorName,
        /// One certificate of an authority, PEM
        #[arg(value_name = "FILE")]
        certificate: PathBuf,
    },
    /// List the account's own roots
    List {
        #[command(flatten)]
        window: Window,
    },
    /// Remove a root: apps stop believing it with their next trust bundle
    Remove {
        /// Its name
        name: AnchorName,
        #[command(flatten)]
        consent: Consent,
    },
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// On
    On,
    /// Off
    Off,
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::ManagedRoots { state } => managed_roots(state, context).await?,
        Verb::Show => show(context).await?,
        Verb::Root(verb) => root(verb, context).await?,
    }
    Ok(Exit::Done)
}

async fn managed_roots(state: Option<Switch>, context: &Context) -> Result<(), Failure> {
    let route = Route::account(["managed-roots"]);
    let view: ManagedRootsView = match state {
        None => context.client(Role::Viewer).await?.get(&route).await?,
        Some(state) => {
            let wanted = ManagedRootsView {
                enabled: state == Switch::On,
            };
            let client = context.client(Role::Admin).await?;
            client.put(&route, &wanted).await?
        }
    };
    context.console.data(&view, |view| {
        Table::object().member(
            "managed trust roots",
            if view.enabled { "on" } else { "off" },
        )
    })
}

async fn show(context: &Context) -> Result<(), Failure> {
    let config = sdk_config(context).await?;
    let connection = context.connection()?;
    let reply = connection.read_device(&config.url("trust-bundle")).await?;
    let mut held = TrustedSet::new(config.account, config.trust_root);
    held.update(&reply, environment::now()).map_err(|reject| {
        Failure::new(
            Exit::Refused,
            format!(
                "an app would refuse this trust bundle: {reject} ({})",
                reject.code()
            ),
        )
    })?;
    let bundle = held
        .bundle()
        .ok_or_else(|| Failure::new(Exit::Refused, "the service has no trust bundle"))?;
    context.console.data(bundle, bundle_table)
}

fn bundle_table(bundle: &Bundle) -> Table {
    let managed = match bundle.managed_roots {
        ManagedRoots::On => format!("on, {} roots", bundle.roots.len()),
        ManagedRoots::Off => "off: the device's store decides".to_owned(),
    };
    let table = Table::object()
        .member("account", bundle.account.as_str())
        .member("version", bundle.version.to_string())
        .member("issued", moment(bundle.issued_at))
        .member("expires", moment(bundle.expires_at))
        .member("managed trust roots", managed);
    bundle.apis.iter().fold(table, |table, api| {
        let token = match api.token {
            TokenMode::Token => "attestation token",
            TokenMode::NoToken => "no token",
        };
        let pins = api.pins.len();
        table.member(api.host.as_str(), format!("{token}, {pins} pins"))
    })
}

async fn root(verb: RootVerb, context: &Context) -> Result<(), Failure> {
    match verb {
        RootVerb::Add { name, certificate } => {
            let certificate_pem = std::fs::read_to_string(&certificate)
                .map_err(|error| Failure::file(&certificate, &error))?;
            let client = context.client(Role::Admin).await?;
            let made: TrustRootView = client
                .put(&root_route(&name), &PutTrustRoot { certificate_pem })
                .await?;
            context
                .console
                .data(&made, |made| root_table(std::slice::from_ref(made)))
        }
        RootVerb::List { window } => {
            let client = context.client(Role::Viewer).await?;
            let route = Route::account(["trust-roots"]);
            let roots: Vec<TrustRootView> = client.list(&route, window.most()).await?;
            context.console.data(&roots, |roots| root_table(roots))
        }
        RootVerb::Remove { name, consent } => {
            consent.require(
                &format!("apps will stop believing certificates under root {name}"),
                name.as_str(),
            )?;
            let client = context.client(Role::Admin).await?;
            client.delete(&root_route(&name)).await?;
            render::say(&format!("root {name} is gone"));
            Ok(())
        }
    }
}

fn root_route(name: &AnchorName) -> Route {
    Route::account(["trust-roots", name.as_str()])
}

fn root_table(roots: &[TrustRootView]) -> Table {
    Table::list(
        "no roots of the account's own",
        &["root", "subject", "key (sha-256)", "added by", "added"],
    )
    .rows(roots, |root| {
        [
            root.name.to_string(),
            root.subject.clone(),
            root.spki_sha256.clone(),
            root.added_by.clone(),
            moment(root.added_at),
        ]
    })
}
