//! `bonafide signing-key`: the keys under which attestation tokens are signed.

use bonafide_wire::admin::{Role, SigningKeyView};
use clap::Subcommand;

use crate::ask::Consent;
use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::listing::Window;
use crate::render::{Table, moment};

/// `bonafide signing-key …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// List the keys and their states
    List {
        #[command(flatten)]
        window: Window,
    },
    /// Begin a rotation: a new key is published, and signs once caches have seen it
    Rotate {
        #[command(flatten)]
        consent: Consent,
    },
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    let route = Route::account(["signing-keys"]);
    match verb {
        Verb::List { window } => {
            let client = context.client(Role::Viewer).await?;
            let keys: Vec<SigningKeyView> = client.list(&route, window.most()).await?;
            context.console.data(&keys, |keys| table(keys))?;
        }
        Verb::Rotate { consent } => {
            let client = context.client(Role::Admin).await?;
            consent.require(
                "a new signing key will be published, and take over once caches have seen it",
                client.account().as_str(),
            )?;
            let key: SigningKeyView = client.post(&route, &serde_json::json!({})).await?;
            context
                .console
                .data(&key, |key| table(std::slice::from_ref(key)))?;
        }
    }
    Ok(Exit::Done)
}

fn table(keys: &[SigningKeyView]) -> Table {
    Table::list("no signing keys", &["key id", "state", "created"]).rows(keys, |key| {
        [key.kid.clone(), key.state.clone(), moment(key.created_at)]
    })
}
