//! `bonafide role ROLE`: a session with a role, as shell commands to be evaluated.

use std::io::IsTerminal as _;

use bonafide_wire::admin::{self, SessionView};
use clap::ValueEnum;

use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::render::{self, moment};

/// `bonafide role`
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    long_about = "Opens a session with a role and prints the shell commands that put it into the environment. \
        It ends after an hour. The session's opening stands in the audit log.\n\n\
        Without a session, commands that need no more than `developer` open one for themselves; what \
        needs `admin` asks for this command first.",
    after_long_help = "Examples:\n  eval \"$(bonafide role admin)\"\n  bonafide role viewer --shell fish | source"
)]
pub(crate) struct Args {
    /// The role wanted; at most the credential's
    role: RoleName,
    /// Whose syntax to print
    #[arg(long, value_enum, default_value_t)]
    shell: Syntax,
}

/// The roles.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RoleName {
    /// Reads configuration, devices and verdicts
    Viewer,
    /// Registers apps and builds, sets device overrides
    Developer,
    /// Everything
    Admin,
    /// Reads the audit log too, changes nothing
    Auditor,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Syntax {
    #[default]
    Sh,
    Fish,
    Powershell,
}

impl From<RoleName> for admin::Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Developer => Self::Developer,
            RoleName::Admin => Self::Admin,
            RoleName::Auditor => Self::Auditor,
        }
    }
}

/// Opens it.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let connection = context.connection()?;
    let credential = context.credential()?;
    let session = connection
        .open_session(&credential, args.role.into())
        .await?;
    render::say(&format!(
        "role {} at {} until {}",
        session.role.as_str(),
        connection.url(),
        moment(session.expires_at)
    ));
    if context.console.is_json() {
        let json = serde_json::to_string_pretty(&session)
            .map_err(|error| Failure::new(Exit::Refused, error.to_string()))?;
        render::line(&json)?;
        return Ok(Exit::Done);
    }
    if std::io::stdout().is_terminal() {
        render::warn(
            "the session is printed below; `eval \"$(bonafide role …)\"` puts it into the environment instead",
        );
    }
    render::line(&exports(args.shell, connection.url(), &session))?;
    Ok(Exit::Done)
}

/// The values have no quotes: one is a parsed URL, the other base64url.
fn exports(syntax: Syntax, url: &str, session: &SessionView) -> String {
    let session = session.session.expose();
    match syntax {
        Syntax::Sh => format!("export BONAFIDE_URL='{url}'\nexport BONAFIDE_SESSION='{session}'"),
        Syntax::Fish => {
            format!("set -gx BONAFIDE_URL '{url}'\nset -gx BONAFIDE_SESSION '{session}'")
        }
        Syntax::Powershell => {
            format!("$env:BONAFIDE_URL = '{url}'\n$env:BONAFIDE_SESSION = '{session}'")
        }
    }
}
