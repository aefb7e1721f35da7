//! `bonafide token verify`: what a back end would be told about an attestation token.

use std::path::PathBuf;

use bonafide_wire::admin::{Role, SdkConfigView};
use bonafide_wire::config_string::SdkConfig;
use bonafide_wire::device::TokenCheckReply;
use bonafide_wire::ids::Host;
use clap::Subcommand;

use crate::ask;
use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::render::{Table, moment, or_dash};

/// `bonafide token …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Ask the service whether an attestation token is good for an API
    #[command(
        long_about = "Asks the service whether an attestation token is good for an API now, as a back end without a \
            JWT library would. The token comes from a prompt, standard input or a file. It is not consumed. \
            Exit 0: active; 1: not.",
        after_long_help = "Example:\n  bonafide token verify --audience api.example.com < token.jwt"
    )]
    Verify {
        /// The protected API that received it
        #[arg(long, value_name = "HOST")]
        audience: Host,
        /// The data that it must be bound to, for example the `Authorization` value
        #[arg(long, value_name = "FILE")]
        bound_to: Option<PathBuf>,
        /// Read the token from this file (`-`: standard input)
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
    },
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    let Verb::Verify {
        audience,
        bound_to,
        from_file,
    } = verb;
    let binding = match bound_to {
        None => None,
        Some(path) => {
            let data = std::fs::read(&path).map_err(|error| Failure::file(&path, &error))?;
            Some(bonafide_wire::bytes::encode(sha256(&data)))
        }
    };
    let config = sdk_config(context).await?;
    let token = ask::secret("attestation token", from_file.as_deref())?;
    let question = serde_json::json!({
        "token": token.expose().trim(),
        "audience": audience,
        "binding": binding,
    });
    let url = config.url("tokens/verify");
    let reply: TokenCheckReply = context.connection()?.ask_device(&url, &question).await?;
    context.console.data(&reply, table)?;
    Ok(if reply.active {
        Exit::Done
    } else {
        Exit::Refused
    })
}

/// The account's config string, read.
pub(super) async fn sdk_config(context: &Context) -> Result<SdkConfig, Failure> {
    let client = context.client(Role::Viewer).await?;
    let sdk: SdkConfigView = client.get(&Route::account(["sdk-config"])).await?;
    SdkConfig::parse(&sdk.config).map_err(|error| Failure::new(Exit::Refused, error.to_string()))
}

fn sha256(data: &[u8]) -> aws_lc_rs::digest::Digest {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, data)
}

fn table(reply: &TokenCheckReply) -> Table {
    let word = if reply.active { "active" } else { "not active" };
    let table = Table::object()
        .member("token", word)
        .member("code", or_dash(reply.code.as_ref()));
    let Some(claims) = &reply.claims else {
        return table;
    };
    let kind = if claims.development {
        "development"
    } else {
        "hardware"
    };
    table
        .member("issuer", claims.iss.as_str())
        .member("audience", claims.aud.as_str())
        .member("device", claims.sub.as_str())
        .member("app", claims.app.as_str())
        .member("evidence", kind)
        .member("issued", moment(claims.iat))
        .member("expires", moment(claims.exp))
}
