//! `bonafide revocation-list`: Google's list of attestation keys that no longer count, as the service has it.

use bonafide_wire::admin::{RevocationListView, Role};
use clap::Subcommand;

use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::render::{Table, moment, or_dash};

/// `bonafide revocation-list …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Show where the list comes from, how old it is, and how the last attempt to renew it went
    #[command(
        long_about = "Shows where the list comes from, how old it is, and how the last attempt to renew it went. \
            Ends with 1 where there is no list or the last attempt failed, so that a monitor can ask. \
            What becomes of devices while the list is old, the policy says: `revocation-list-stale` and \
            `revocation-list-age`."
    )]
    Show,
    /// Ask for a newer list now
    Refresh,
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    let view: RevocationListView = match verb {
        Verb::Show => {
            let client = context.client(Role::Viewer).await?;
            client.get(&Route::service(["revocation-list"])).await?
        }
        Verb::Refresh => {
            let client = context.client(Role::Admin).await?;
            let route = Route::service(["revocation-list", "refresh"]);
            client.post(&route, &serde_json::json!({})).await?
        }
    };
    context.console.data(&view, table)?;
    let good = view.confirmed_at.is_some() && view.last_failure.is_none();
    Ok(if good { Exit::Done } else { Exit::Refused })
}

fn table(view: &RevocationListView) -> Table {
    let at = |at: Option<i64>| at.map_or_else(|| "-".to_owned(), moment);
    let age = view.age_seconds.map(|seconds| {
        let hours = seconds.div_euclid(3600);
        let minutes = seconds.rem_euclid(3600).div_euclid(60);
        format!("{hours} h {minutes} min")
    });
    Table::object()
        .member("source", or_dash(view.source.as_ref()))
        .member("entries", view.entries.to_string())
        .member("confirmed", at(view.confirmed_at))
        .member("age", or_dash(age.as_ref()))
        .member("last attempt", at(view.last_attempt_at))
        .member("last failure", or_dash(view.last_failure.as_ref()))
}
