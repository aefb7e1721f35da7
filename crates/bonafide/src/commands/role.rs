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
    render::line(&exports(args.shell, connection.url(), &session)?)?;
    Ok(Exit::Done)
}

/// The shell will run this text, and the session in it is what a service answered: whoever answers in its place
/// must not get a command in.
fn exports(syntax: Syntax, url: &str, session: &SessionView) -> Result<String, Failure> {
    let session = session.session.expose();
    let is_session = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
    if session.is_empty() || !session.bytes().all(is_session) {
        let what = "the service answered with something that is no session; nothing was printed";
        return Err(Failure::new(Exit::Refused, what));
    }
    if !url.bytes().all(|b| b.is_ascii_graphic() && b != b'\'') {
        let what = format!("the URL {url} cannot be quoted for a shell");
        return Err(Failure::usage(what));
    }
    Ok(match syntax {
        Syntax::Sh => format!("export BONAFIDE_URL='{url}'\nexport BONAFIDE_SESSION='{session}'"),
        Syntax::Fish => {
            format!("set -gx BONAFIDE_URL '{url}'\nset -gx BONAFIDE_SESSION '{session}'")
        }
        Syntax::Powershell => {
            format!("$env:BONAFIDE_URL = '{url}'\n$env:BONAFIDE_SESSION = '{session}'")
        }
    })
}

#[cfg(test)]
mod tests {
    use bonafide_wire::secret::SecretText;

    use super::*;

    const URL: &str = "https://admin.example.com";

    fn printed(url: &str, session: &str) -> Result<String, Exit> {
        let session = SessionView {
            session: SecretText::new(session.to_owned()),
            role: admin::Role::Admin,
            account: None,
            expires_at: 0,
        };
        exports(Syntax::Sh, url, &session).map_err(|failure| failure.exit)
    }

    #[test]
    fn a_session_is_exported() {
        let expected =
            "export BONAFIDE_URL='https://admin.example.com'\nexport BONAFIDE_SESSION='bfs_aZ0-_'";
        assert_eq!(printed(URL, "bfs_aZ0-_").as_deref(), Ok(expected));
    }

    #[test]
    fn what_is_no_session_or_cannot_be_quoted_reaches_no_shell() {
        for session in ["", "bfs_'; id; '", "bfs_$(id)", "bfs_\n", "bfs_\u{2019}"] {
            assert!(printed(URL, session).is_err(), "{session:?}");
        }
        assert!(printed("https://admin.example.com/'", "bfs_a").is_err());
    }
}
