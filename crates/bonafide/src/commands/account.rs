//! `bonafide account`: the tenants of a service.

use bonafide_wire::admin::{AccountView, NewAccount, Role};
use bonafide_wire::ids::AccountId;
use clap::Subcommand;

use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::listing::Window;
use crate::render::{self, Table, moment};

/// `bonafide account …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Make an account with keys and a policy of its own
    #[command(after_long_help = "Example:\n  bonafide account add acme --name \"Acme Books\"")]
    Add {
        /// Its id, part of every URL: lower-case letters, digits and inner hyphens
        id: AccountId,
        /// Its name, for people [default: the id]
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
    },
    /// List the accounts
    List {
        #[command(flatten)]
        window: Window,
    },
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    let route = Route::service(["accounts"]);
    match verb {
        Verb::Add { id, name } => {
            let client = context.client(Role::Admin).await?;
            let name = name.unwrap_or_else(|| id.to_string());
            let made: AccountView = client.post(&route, &NewAccount { id, name }).await?;
            render::say(&format!(
                "account {} is there; work in it with --account",
                made.id
            ));
            context
                .console
                .data(&made, |made| table(std::slice::from_ref(made)))?;
        }
        Verb::List { window } => {
            let client = context.client(Role::Viewer).await?;
            let accounts: Vec<AccountView> = client.list(&route, window.most()).await?;
            context.console.data(&accounts, |all| table(all))?;
        }
    }
    Ok(Exit::Done)
}

fn table(accounts: &[AccountView]) -> Table {
    Table::list("no accounts", &["account", "name", "created"]).rows(accounts, |account| {
        [
            account.id.to_string(),
            account.name.clone(),
            moment(account.created_at),
        ]
    })
}
