//! `bonafide login` and `logout`: a management credential into a profile, and out of it.

use std::path::PathBuf;

use bonafide_wire::admin::Role;
use bonafide_wire::device::SecretJson;

use crate::ask;
use crate::client::Connection;
use crate::context::{Context, account_of, parse_url};
use crate::error::{Exit, Failure};
use crate::profile::{Profile, Profiles};
use crate::render;

/// `bonafide login`
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Checks a management credential against the service and stores it in a profile.\n\n\
        The credential comes from a prompt, from standard input or from a file, never from the command \
        line. `bonafide serve` prints the first one at its first start.",
    after_long_help = "Examples:\n  bonafide login\n  bonafide --profile prod --url https://bonafide.example:8701 \
        login --ca ca.pem\n  bonafide login --from-file root-credential"
)]
pub(crate) struct Args {
    /// Read the credential from this file (`-`: standard input)
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// PEM file with the authority that signed the admin listener's certificate
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// `bonafide logout`
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Removes the profile from the configuration file. The credential itself goes on being \
        valid: `bonafide credential remove` ends it for everybody."
)]
pub(crate) struct LogoutArgs {}

/// Checks and stores.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let file = context.config_file()?;
    let mut profiles = Profiles::load(file)?;
    let name = context.profile_name().to_owned();
    let before = profiles.profiles.remove(&name).unwrap_or_default();
    let meant = context.target(&before);
    let profile = Profile {
        ca: args.ca.or(meant.ca),
        ..meant
    };
    let url = parse_url(profile.url.as_deref().unwrap_or_default())?;
    let connection = Connection::new(url, account_of(&profile)?, profile.ca.as_deref())?;
    let credential = ask::secret("management credential", args.from_file.as_deref())?;
    let session = connection.open_session(&credential, Role::Viewer).await?;
    profiles.profiles.insert(
        name.clone(),
        Profile {
            account: profile
                .account
                .or_else(|| session.account.map(|account| account.to_string())),
            credential: Some(SecretJson(credential)),
            ..profile
        },
    );
    profiles.save(file)?;
    render::say(&format!(
        "profile {name}: logged in to {}, stored in {}",
        connection.url(),
        file.display()
    ));
    Ok(Exit::Done)
}

/// Forgets.
pub(crate) fn forget(_args: &LogoutArgs, context: &Context) -> Result<Exit, Failure> {
    let file = context.config_file()?;
    let mut profiles = Profiles::load(file)?;
    let name = context.profile_name();
    if profiles.profiles.remove(name).is_none() {
        return Err(Failure::new(Exit::NotFound, format!("no profile {name}")));
    }
    profiles.save(file)?;
    render::say(&format!(
        "profile {name} is gone; its credential is still valid until `bonafide credential remove`"
    ));
    Ok(Exit::Done)
}
