//! `bonafide api`: the hosts that an app talks to under protection.

use bonafide_wire::admin::{ApiView, PutApi, Role, TokenMode};
use bonafide_wire::ids::Host;
use clap::Subcommand;

use crate::ask::Consent;
use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::listing::Window;
use crate::render::{self, Table, moment};

/// `bonafide api …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Protect a host
    #[command(
        long_about = "Protects a host: the app connects to it only over a channel that the trust bundle allows, \
            and sends it an attestation token, unless the host is not yours (--no-token). In force at once; \
            apps learn it with their next trust bundle.",
        after_long_help = "Examples:\n  bonafide api add api.example.com\n  \
            bonafide api add oauth2.googleapis.com --no-token"
    )]
    Add {
        /// A lower-case DNS name, without port
        host: Host,
        /// The API is not yours: protected channel and secrets, no attestation token
        #[arg(long)]
        no_token: bool,
    },
    /// List the protected hosts
    List {
        #[command(flatten)]
        window: Window,
    },
    /// Stop protecting a host: no tokens, no secrets, no trust decision for it
    Remove {
        /// The host
        host: Host,
        #[command(flatten)]
        consent: Consent,
    },
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Add { host, no_token } => {
            let token = if no_token {
                TokenMode::NoToken
            } else {
                TokenMode::Token
            };
            let client = context.client(Role::Admin).await?;
            let api: ApiView = client
                .put(&Route::account(["apis", host.as_str()]), &PutApi { token })
                .await?;
            context
                .console
                .data(&api, |api| table(std::slice::from_ref(api)))?;
        }
        Verb::List { window } => {
            let client = context.client(Role::Viewer).await?;
            let apis: Vec<ApiView> = client
                .list(&Route::account(["apis"]), window.most())
                .await?;
            context.console.data(&apis, |apis| table(apis))?;
        }
        Verb::Remove { host, consent } => {
            consent.require(
                &format!("{host} will get neither tokens nor secrets"),
                host.as_str(),
            )?;
            let client = context.client(Role::Admin).await?;
            client
                .delete(&Route::account(["apis", host.as_str()]))
                .await?;
            render::say(&format!("{host} is not protected any more"));
        }
    }
    Ok(Exit::Done)
}

fn table(apis: &[ApiView]) -> Table {
    Table::list(
        "no protected hosts yet; `bonafide api add HOST` adds one",
        &["host", "attestation token", "added"],
    )
    .rows(apis, |api| {
        let token = match api.token {
            TokenMode::Token => "yes",
            TokenMode::NoToken => "no",
        };
        [api.host.to_string(), token.to_owned(), moment(api.added_at)]
    })
}
