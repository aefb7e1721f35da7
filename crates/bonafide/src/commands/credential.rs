//! `bonafide credential`: who may manage, with at most which role.

use bonafide_wire::admin::{CreatedCredential, CredentialView, NewCredential, Role};
use bonafide_wire::ids::CredentialId;
use clap::Subcommand;

use crate::ask::Consent;
use crate::client::Route;
use crate::commands::role::RoleName;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::listing::Window;
use crate::render::{self, Table, moment, or_dash};

/// `bonafide credential …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Make a credential; its secret is printed this one time
    #[command(
        after_long_help = "Examples:\n  bonafide credential add ci --role developer > ci.credential\n  \
            bonafide credential add alice --role admin --service-wide"
    )]
    Add {
        /// Who or what will use it
        name: String,
        /// The widest role it may take
        #[arg(long, value_enum)]
        role: RoleName,
        #[command(flatten)]
        reach: Reach,
    },
    /// List the credentials
    List {
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        window: Window,
    },
    /// End a credential and its sessions
    Remove {
        /// Its id
        id: CredentialId,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        consent: Consent,
    },
}

/// Where credentials are good.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Reach {
    /// In every account and for the service itself, instead of the present account
    #[arg(long)]
    service_wide: bool,
}

impl Reach {
    fn route(self) -> Route {
        if self.service_wide {
            Route::service(["credentials"])
        } else {
            Route::account(["credentials"])
        }
    }
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Role::Admin).await?;
    match verb {
        Verb::Add { name, role, reach } => {
            let new = NewCredential {
                name,
                role: role.into(),
            };
            let made: CreatedCredential = client.post(&reach.route(), &new).await?;
            render::say(&format!(
                "credential {} ({}): this is the one time its secret is shown",
                made.credential.id, made.credential.name
            ));
            if context.console.is_json() {
                context.console.data(&made, |_| Table::object())?;
            } else {
                render::line(made.secret.expose())?;
            }
        }
        Verb::List { reach, window } => {
            let all: Vec<CredentialView> = client.list(&reach.route(), window.most()).await?;
            context.console.data(&all, |all| table(all))?;
        }
        Verb::Remove { id, reach, consent } => {
            consent.require(
                &format!("credential {id} and its sessions will end"),
                id.as_str(),
            )?;
            client.delete(&reach.route().below(id.as_str())).await?;
            render::say(&format!("credential {id} has ended"));
        }
    }
    Ok(Exit::Done)
}

fn table(credentials: &[CredentialView]) -> Table {
    Table::list(
        "no credentials",
        &["id", "name", "role", "account", "created"],
    )
    .rows(credentials, |credential| {
        [
            credential.id.to_string(),
            credential.name.clone(),
            credential.role.as_str().to_owned(),
            or_dash(credential.account.as_ref()),
            moment(credential.created_at),
        ]
    })
}
