//! `bonafide sdk`: what an app must compile in.

use bonafide_wire::admin::{Role, SdkConfigView};
use clap::Subcommand;

use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::render;

/// `bonafide sdk …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Print the config string: service, account, and whom to believe. Not a secret
    #[command(
        after_long_help = "Example:\n  bonafide sdk config > app/src/main/assets/bonafide.config"
    )]
    Config,
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    let Verb::Config = verb;
    let client = context.client(Role::Viewer).await?;
    let sdk: SdkConfigView = client.get(&Route::account(["sdk-config"])).await?;
    if context.console.is_json() {
        context.console.data(&sdk, |_| render::Table::object())?;
    } else {
        render::line(&sdk.config)?;
    }
    Ok(Exit::Done)
}
