//! Environment and clock, read here. Nothing else in the command line looks at them.
#![expect(clippy::disallowed_methods, reason = "the edge of the program")]

use std::path::PathBuf;

use bonafide_wire::secret::SecretText;

/// What the environment says.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// `BONAFIDE_PROFILE`
    pub(crate) profile: Option<String>,
    /// `BONAFIDE_URL`: the service, and where the session was opened.
    pub(crate) url: Option<String>,
    /// `BONAFIDE_ACCOUNT`
    pub(crate) account: Option<String>,
    /// `BONAFIDE_SESSION`: the session that `bonafide role` opened.
    pub(crate) session: Option<SecretText>,
    /// `BONAFIDE_CREDENTIAL`: a management credential, for machines.
    pub(crate) credential: Option<SecretText>,
    /// `BONAFIDE_CREDENTIAL_FILE`: where one is.
    pub(crate) credential_file: Option<PathBuf>,
    /// Where the configuration file is, if the user has a home.
    pub(crate) config_file: Option<PathBuf>,
}

/// Reads it.
pub(crate) fn read() -> Environment {
    Environment {
        profile: text("BONAFIDE_PROFILE"),
        url: text("BONAFIDE_URL"),
        account: text("BONAFIDE_ACCOUNT"),
        session: secret("BONAFIDE_SESSION"),
        credential: secret("BONAFIDE_CREDENTIAL"),
        credential_file: text("BONAFIDE_CREDENTIAL_FILE").map(PathBuf::from),
        config_file: config_file(),
    }
}

/// Seconds since 1970, for ends that a person gives as a span.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

fn config_file() -> Option<PathBuf> {
    if let Some(path) = text("BONAFIDE_CONFIG") {
        return Some(PathBuf::from(path));
    }
    let base = text("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(text("HOME")?).join(".config")))?;
    Some(base.join("bonafide").join("config.toml"))
}

fn secret(name: &str) -> Option<SecretText> {
    text(name).map(SecretText::new)
}

fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
