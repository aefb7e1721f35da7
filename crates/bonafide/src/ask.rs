//! What is asked of the person at the terminal: secrets, which never stand in a command line, and consent.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use bonafide_wire::secret::SecretText;

use crate::error::{Exit, Failure};

/// Consent to what cannot be undone.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Consent {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Consent {
    /// Goes on only if the person types the name of what is at stake, or said `--yes`.
    pub(crate) fn require(self, consequence: &str, name: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(
                Failure::usage(format!("{consequence}; nobody is here to be asked"))
                    .hint("--yes does it without asking"),
            );
        }
        let mut stderr = anstream::stderr();
        let mut typed = String::new();
        write!(stderr, "{consequence}.\nType {name} to go on: ")
            .and_then(|()| stderr.flush())
            .and_then(|()| io::stdin().read_line(&mut typed))
            .map_err(|error| Failure::usage(format!("terminal: {error}")))?;
        if typed.trim() == name {
            Ok(())
        } else {
            Err(Failure::new(Exit::Refused, "not done"))
        }
    }
}

/// A secret from a file, from a pipe, or from a prompt that does not echo.
pub(crate) fn secret(what: &str, file: Option<&Path>) -> Result<SecretText, Failure> {
    let text = match file {
        Some(path) if path != Path::new("-") => {
            fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?
        }
        None if io::stdin().is_terminal() => rpassword::prompt_password(format!("{what}: "))
            .map_err(|error| Failure::usage(format!("terminal: {error}")))?,
        _ => {
            let mut text = String::new();
            io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| Failure::usage(format!("stdin: {error}")))?;
            text
        }
    };
    // Editors and `echo` end a file with a line break that belongs to no secret.
    let value = text.strip_suffix('\n').unwrap_or(&text);
    let value = value.strip_suffix('\r').unwrap_or(value).to_owned();
    let given = SecretText::new(value);
    drop(SecretText::new(text));
    if given.expose().is_empty() {
        return Err(Failure::usage(format!("{what} is empty")));
    }
    Ok(given)
}
