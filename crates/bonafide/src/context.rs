//! What a command stands on: the console, and which service, account and credential are meant.
//!
//! Precedence, from strong to weak: `--url` and `--account`, a profile named by `--profile`, the environment,
//! the profile meant otherwise, the built-in default. A session is only ever sent to the service that opened it.

use std::fs;
use std::path::{Path, PathBuf};

use bonafide_wire::admin::Role;
use bonafide_wire::ids::AccountId;
use bonafide_wire::secret::SecretText;
use url::Url;

use crate::args::Global;
use crate::client::{AdminClient, Connection};
use crate::environment::Environment;
use crate::error::{Exit, Failure};
use crate::profile::{Profile, Profiles, UNNAMED};
use crate::render::Console;

/// The admin URL of a service that was started with nothing said.
pub(crate) const LOCAL_ADMIN: &str = "http://127.0.0.1:8701";

/// One invocation.
#[derive(Debug)]
pub(crate) struct Context {
    /// Where data and talk go.
    pub(crate) console: Console,
    global: Global,
    environment: Environment,
}

impl Context {
    /// What is known before any command runs.
    pub(crate) fn new(console: Console, global: Global, environment: Environment) -> Self {
        Self {
            console,
            global,
            environment,
        }
    }

    /// A client with a session that may do what `role` may.
    ///
    /// `BONAFIDE_SESSION` is used where it belongs. Otherwise a session is opened with the stored
    /// credential, for what needs no more than a developer; an admin's session is opened on purpose.
    pub(crate) async fn client(&self, role: Role) -> Result<AdminClient, Failure> {
        let connection = self.connection()?;
        if let Some(session) = self.session_for(connection.url()) {
            return Ok(AdminClient::new(connection, session.clone()));
        }
        if role == Role::Admin {
            return Err(Failure::new(
                Exit::Auth,
                format!(
                    "this changes {} and needs a session with the role admin",
                    connection.url()
                ),
            )
            .hint("eval \"$(bonafide role admin)\" opens one for an hour"));
        }
        let credential = self.credential()?;
        let session = connection.open_session(&credential, role).await?;
        Ok(AdminClient::new(connection, session.session))
    }

    /// The service meant, without a session.
    pub(crate) fn connection(&self) -> Result<Connection, Failure> {
        let target = self.target(&self.profile()?);
        let url = parse_url(target.url.as_deref().unwrap_or_default())?;
        Connection::new(url, account_of(&target)?, target.ca.as_deref())
    }

    /// Where a profile leads once everybody has spoken; no credential.
    pub(crate) fn target(&self, profile: &Profile) -> Profile {
        let by_profile = self.global.profile.is_some();
        let pick = |flag: &Option<String>, environment: &Option<String>, own: &Option<String>| {
            let weaker = if by_profile {
                [own, environment]
            } else {
                [environment, own]
            };
            flag.iter()
                .chain(weaker.into_iter().flatten())
                .next()
                .cloned()
        };
        let url = pick(&self.global.url, &self.environment.url, &profile.url);
        Profile {
            url: url.or_else(|| Some(LOCAL_ADMIN.to_owned())),
            account: pick(
                &self.global.account,
                &self.environment.account,
                &profile.account,
            ),
            ca: profile.ca.clone(),
            credential: None,
        }
    }

    /// The session of the environment, if it was opened at this service.
    fn session_for(&self, url: &str) -> Option<&SecretText> {
        let opened_at = self.environment.url.as_deref();
        let fits = opened_at.is_none_or(|at| at.trim_end_matches('/') == url);
        self.environment.session.as_ref().filter(|_| fits)
    }

    /// The management credential meant.
    pub(crate) fn credential(&self) -> Result<SecretText, Failure> {
        if let Some(credential) = &self.environment.credential {
            return Ok(credential.clone());
        }
        if let Some(path) = &self.environment.credential_file {
            let text = fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
            return Ok(SecretText::new(text.trim().to_owned()));
        }
        let stored = self.profile()?.credential.map(|credential| credential.0);
        stored.ok_or_else(|| {
            Failure::new(Exit::Auth, "no session and no credential").hint(
                "`bonafide login` stores the credential that `bonafide serve` printed at its first start",
            )
        })
    }

    /// The name of the profile meant.
    pub(crate) fn profile_name(&self) -> &str {
        let named = self.global.profile.as_deref();
        named
            .or(self.environment.profile.as_deref())
            .unwrap_or(UNNAMED)
    }

    /// Where the profiles are.
    pub(crate) fn config_file(&self) -> Result<&Path, Failure> {
        self.environment.config_file.as_deref().ok_or_else(|| {
            Failure::usage("no home directory to keep a profile in")
                .hint("BONAFIDE_CONFIG names a file")
        })
    }

    fn profile(&self) -> Result<Profile, Failure> {
        let path: Option<&PathBuf> = self.environment.config_file.as_ref();
        let mut profiles =
            path.map_or_else(|| Ok(Profiles::default()), |path| Profiles::load(path))?;
        let name = self.profile_name();
        match profiles.profiles.remove(name) {
            Some(profile) => Ok(profile),
            None if name == UNNAMED => Ok(Profile::default()),
            None => Err(Failure::usage(format!("no profile {name}"))
                .hint(format!("bonafide --profile {name} login makes it"))),
        }
    }
}

/// The account that a profile means.
pub(crate) fn account_of(profile: &Profile) -> Result<AccountId, Failure> {
    AccountId::parse(profile.account.as_deref().unwrap_or("default"))
        .map_err(|error| Failure::usage(format!("--account: {error}")))
}

/// Reads a service URL: `https`, or `http` where nobody listens in between.
pub(crate) fn parse_url(text: &str) -> Result<Url, Failure> {
    let url =
        Url::parse(text).map_err(|error| Failure::usage(format!("{text} is no URL: {error}")))?;
    let encrypted = url.scheme() == "https";
    let loopback = url.scheme() == "http"
        && url
            .host_str()
            .is_some_and(|host| ["127.0.0.1", "localhost", "[::1]"].contains(&host));
    if !(encrypted || loopback) {
        return Err(Failure::usage(format!(
            "{text}: the admin listener is spoken to by https, or by http on loopback"
        )));
    }
    if !url.username().is_empty() || url.query().is_some() || url.fragment().is_some() {
        return Err(Failure::usage(format!(
            "{text}: only scheme, host, port and path belong here"
        )));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Output;

    const PRODUCTION: &str = "https://prod.example";
    const STAGING: &str = "https://staging.example";

    /// A shell that has evaluated `bonafide role` at production.
    fn context(flag: Option<&str>, profile: Option<&str>) -> Context {
        let global = Global {
            output: Output::Table,
            profile: profile.map(str::to_owned),
            url: flag.map(str::to_owned),
            account: None,
        };
        let environment = Environment {
            session: Some(SecretText::new("session".to_owned())),
            url: Some(PRODUCTION.to_owned()),
            ..Environment::default()
        };
        Context::new(Console::new(Output::Table), global, environment)
    }

    fn staging() -> Profile {
        Profile {
            url: Some(STAGING.to_owned()),
            ..Profile::default()
        }
    }

    #[test]
    fn the_command_line_outweighs_the_environment_and_that_the_profile() {
        for (flag, profile, url) in [
            (
                Some("https://flag.example"),
                Some("staging"),
                "https://flag.example",
            ),
            (None, Some("staging"), STAGING),
            (None, None, PRODUCTION),
        ] {
            let target = context(flag, profile).target(&staging());
            assert_eq!(target.url.as_deref(), Some(url));
        }
    }

    #[test]
    fn a_session_goes_to_nobody_but_the_service_that_opened_it() {
        let context = context(None, Some("staging"));
        assert!(context.session_for(PRODUCTION).is_some());
        assert!(context.session_for(STAGING).is_none());
    }

    #[test]
    fn a_credential_is_never_sent_in_clear_over_a_network() {
        for good in [
            "https://bonafide.example:8701",
            "http://127.0.0.1:1",
            "http://[::1]:1",
        ] {
            assert!(parse_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://bonafide.example",
            "http://127.0.0.1.example",
            "https://user@bonafide.example",
            "bonafide.example",
        ] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }
}
