//! `bonafide audit`: who did what, and whether the record was tampered with.

use bonafide_wire::admin::{AuditEventView, AuditVerification, Role};
use clap::Subcommand;

use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::listing::Window;
use crate::render::{self, Table, moment, or_dash};

/// `bonafide audit …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// List the newest audit events, in the order in which they happened
    List {
        /// Of the whole service, instead of the present account
        #[arg(long)]
        service_wide: bool,
        #[command(flatten)]
        window: Window,
    },
    /// Recompute the hash chain over the whole log
    #[command(
        long_about = "Recomputes the hash chain over the whole log. Exit 0: intact; 1: a row was changed, removed \
            or reordered. Keep the printed head elsewhere: a log that was cut off and rebuilt has another one."
    )]
    Verify,
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Role::Auditor).await?;
    match verb {
        Verb::List {
            service_wide,
            window,
        } => {
            let route = if service_wide {
                Route::service(["audit"])
            } else {
                Route::account(["audit"])
            };
            // The log is served from its beginning; what a reader wants is its end.
            let events: Vec<AuditEventView> = client.list(&route, usize::MAX).await?;
            let newest = events.len().saturating_sub(window.most());
            let events = events.get(newest..).unwrap_or_default();
            context.console.data(events, table)?;
            Ok(Exit::Done)
        }
        Verb::Verify => {
            let verification: AuditVerification =
                client.get(&Route::service(["audit", "verify"])).await?;
            context.console.data(&verification, detail)?;
            if verification.intact {
                return Ok(Exit::Done);
            }
            render::warn("the audit log does not hold; keep the data directory as it is");
            Ok(Exit::Refused)
        }
    }
}

fn table(events: &[AuditEventView]) -> Table {
    Table::list(
        "no events",
        &["#", "at", "account", "actor", "action", "object"],
    )
    .rows(events, |event| {
        [
            event.sequence.to_string(),
            moment(event.at),
            or_dash(event.account.as_ref()),
            event.actor.clone(),
            event.action.clone(),
            event.object.clone(),
        ]
    })
}

fn detail(verification: &AuditVerification) -> Table {
    let word = if verification.intact {
        "intact"
    } else {
        "BROKEN"
    };
    Table::object()
        .member("log", word)
        .member("events", verification.events.to_string())
        .member("head", bonafide_wire::bytes::encode(&verification.head.0))
        .member("broken at", or_dash(verification.broken_at.as_ref()))
}
