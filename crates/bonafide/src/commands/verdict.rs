//! `bonafide verdict`: why an instance was allowed or refused, by the support id that its user read out.

use bonafide_wire::admin::{Role, VerdictView};
use bonafide_wire::ids::SupportId;
use clap::Subcommand;

use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::listing::Window;
use crate::render::{Table, joined, moment, or_dash};

/// `bonafide verdict …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// List recorded verdicts, newest first
    List {
        /// Only those that were not allowed
        #[arg(long)]
        refused: bool,
        #[command(flatten)]
        window: Window,
    },
    /// Show one verdict with all its findings
    #[command(after_long_help = "Example:\n  bonafide verdict show K7Q2-9MXP")]
    Show {
        /// What the refused user read out; case and the hyphen do not matter
        #[arg(value_name = "SUPPORT-ID", value_parser = read_support_id)]
        support_id: SupportId,
    },
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Role::Viewer).await?;
    match verb {
        Verb::List { refused, window } => {
            let route = Route::account(["verdicts"]);
            let most = if refused { usize::MAX } else { window.most() };
            let mut verdicts: Vec<VerdictView> = client.list(&route, most).await?;
            verdicts.retain(|verdict| !refused || verdict.outcome != "allow");
            verdicts.truncate(window.most());
            context
                .console
                .data(&verdicts, |verdicts| table(verdicts))?;
        }
        Verb::Show { support_id } => {
            let route = Route::account(["verdicts", support_id.as_str()]);
            let verdict: VerdictView = client.get(&route).await?;
            context.console.data(&verdict, detail)?;
        }
    }
    Ok(Exit::Done)
}

/// Reads a support id as it was heard: Crockford's alphabet has no I, L and O.
fn read_support_id(text: &str) -> Result<SupportId, String> {
    let heard: String = text
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    let (first, second) = heard
        .split_at_checked(4)
        .ok_or("a support id has eight characters, like K7Q2-9MXP")?;
    SupportId::parse(format!("{first}-{second}")).map_err(|error| error.to_string())
}

fn table(verdicts: &[VerdictView]) -> Table {
    Table::list(
        "no verdicts recorded yet",
        &[
            "support id",
            "at",
            "request",
            "outcome",
            "app",
            "device",
            "findings",
        ],
    )
    .rows(verdicts, |verdict| {
        let findings: Vec<&str> = verdict
            .findings
            .iter()
            .filter(|finding| finding.severity != "info")
            .map(|finding| finding.code.as_str())
            .collect();
        [
            verdict.support_id.to_string(),
            moment(verdict.at),
            verdict.request.clone(),
            verdict.outcome.clone(),
            or_dash(verdict.app.as_ref()),
            or_dash(verdict.device_id.as_ref()),
            joined(&findings),
        ]
    })
}

fn detail(verdict: &VerdictView) -> Table {
    let table = Table::object()
        .member("support id", verdict.support_id.as_str())
        .member("at", moment(verdict.at))
        .member("request", verdict.request.as_str())
        .member("outcome", verdict.outcome.as_str())
        .member("code", or_dash(verdict.code.as_ref()))
        .member("device", or_dash(verdict.device_id.as_ref()))
        .member("app", or_dash(verdict.app.as_ref()))
        .member("policy version", verdict.policy_version.to_string());
    verdict.findings.iter().fold(table, |table, finding| {
        let name = format!("finding ({})", finding.severity);
        table.member(&name, format!("{}: {}", finding.code, finding.detail))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_support_id_may_be_typed_as_it_was_heard() {
        for text in ["K7Q2-9MX0", "k7q2-9mxo", "k7q29mxO", " k7q2 9mx0 "] {
            assert_eq!(
                read_support_id(text).unwrap().as_str(),
                "K7Q2-9MX0",
                "{text}"
            );
        }
        for text in ["", "K7Q", "K7Q2-9MX", "K7Q2-9MXPP", "K7Q2-9MXU"] {
            assert!(read_support_id(text).is_err(), "{text}");
        }
    }
}
