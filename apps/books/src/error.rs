//! What went wrong, as a reader is told it and as an operator finds it again.
//!
//! Every error has a stable code; a refused instance has a support id. Texts say what to do, never what was secret.

use std::fmt;

use bonafide_oauth::OAuthError;
use bonafide_oauth::redirect::RedirectReject;
use bonafide_sdk::adaptor::{LoginError, LoginFault};
use bonafide_sdk::{Fault, SdkError};

use crate::browser::BrowserError;
use crate::login::LoginStep;

/// What the reader wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To start the app.
    Start,
    /// To find books.
    Search,
    /// To log in, and how far it came.
    Login(LoginStep),
    /// To see the favourites.
    Favorites,
    /// To see a cover.
    Cover,
    /// To log out.
    Logout,
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => formatter.write_str("Books did not start"),
            Self::Search => formatter.write_str("search failed"),
            Self::Login(step) => write!(formatter, "login failed while {step}"),
            Self::Favorites => formatter.write_str("favorites failed"),
            Self::Cover => formatter.write_str("a cover failed"),
            Self::Logout => formatter.write_str("logout failed"),
        }
    }
}

/// Why it did not work.
#[derive(Debug)]
pub enum Trouble {
    /// The SDK did not protect, release or send.
    Sdk(SdkError),
    /// The login, or a request under it.
    Login(LoginError),
    /// The browser could not be opened.
    Browser(BrowserError),
    /// Nobody came back from the browser in time.
    BrowserTimedOut,
    /// The Books API answered with this status.
    Api(u16),
    /// The Books API's answer cannot be read.
    ApiMalformed,
    /// Files in the state directory.
    Storage(std::io::Error),
    /// A setting.
    Setting(&'static str),
}

/// An action that failed.
#[derive(Debug)]
pub struct BooksError {
    /// What was wanted.
    pub action: Action,
    /// Why it did not work.
    pub trouble: Trouble,
}

impl Trouble {
    /// In the course of an action.
    pub(crate) fn during(self, action: Action) -> BooksError {
        BooksError {
            action,
            trouble: self,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Sdk(error) => error.code(),
            Self::Login(error) => error.code(),
            Self::Browser(_) => "browser-failed",
            Self::BrowserTimedOut => "browser-timed-out",
            Self::Api(_) => "books-api-refused",
            Self::ApiMalformed => "books-api-malformed",
            Self::Storage(_) => "storage-failed",
            Self::Setting(_) => "setting-wrong",
        }
    }
}

impl BooksError {
    /// Stable text.
    pub fn code(&self) -> &'static str {
        self.trouble.code()
    }

    /// What a refused reader reads out to support.
    pub fn support_id(&self) -> Option<String> {
        self.sdk()?.support_id().map(ToString::to_string)
    }

    /// Codes of findings, where the account shows rejection reasons.
    pub fn findings(&self) -> &[String] {
        self.sdk().map_or(&[], SdkError::findings)
    }

    /// Whether trying again later may help.
    pub fn retryable(&self) -> bool {
        match &self.trouble {
            Trouble::Sdk(error) => error.retryable(),
            Trouble::Login(error) => error.retryable(),
            Trouble::BrowserTimedOut => true,
            Trouble::Api(status) => *status >= 500,
            _ => false,
        }
    }

    fn sdk(&self) -> Option<&SdkError> {
        match &self.trouble {
            Trouble::Sdk(error) => Some(error),
            Trouble::Login(error) => error.sdk(),
            _ => None,
        }
    }
}

impl fmt::Display for BooksError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.action, self.trouble)
    }
}

impl std::error::Error for BooksError {}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sdk(error) => describe_sdk(error, formatter),
            Self::Login(error) => describe_login(error, formatter),
            Self::Browser(error) => write!(formatter, "{error}"),
            Self::BrowserTimedOut => {
                formatter.write_str("nobody came back from the browser; log in again")
            }
            Self::Api(status) => write!(formatter, "the Books API answered with status {status}"),
            Self::ApiMalformed => formatter.write_str("the Books API's answer cannot be read"),
            Self::Storage(error) => write!(formatter, "a file of the app failed: {error}"),
            Self::Setting(text) => formatter.write_str(text),
        }
    }
}

/// Refused: what to do and what to read out. Unreachable: try again. Untrusted: nothing was sent.
fn describe_sdk(error: &SdkError, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    if error.is_refusal() {
        formatter.write_str(
            "this copy of Books, or this device, could not be verified as genuine; \
             install Books from its store, or ask support",
        )?;
        if let Some(id) = error.support_id() {
            write!(formatter, " and tell them the support id {id}")?;
        }
        if !error.findings().is_empty() {
            write!(formatter, " ({})", error.findings().join(", "))?;
        }
        return Ok(());
    }
    match error.fault() {
        Fault::Transport(_) | Fault::Request(_) if error.retryable() => {
            write!(formatter, "no connection ({}); try again", error.code())
        }
        Fault::Connection(_) => write!(
            formatter,
            "somebody may be listening on this network: the connection is not trusted ({}), \
             and nothing was sent",
            error.code()
        ),
        _ => write!(formatter, "{error}"),
    }
}

fn describe_login(error: &LoginError, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        LoginError::Sdk(error) => describe_sdk(error, formatter),
        LoginError::OAuth(OAuthError::Redirect(RedirectReject::Refused(refusal)))
            if refusal.error == "access_denied" =>
        {
            formatter.write_str("the authorization was cancelled")
        }
        LoginError::Login(LoginFault::NotLoggedIn) => {
            formatter.write_str("log in first (`books login`)")
        }
        LoginError::Login(LoginFault::SessionEnded) => {
            formatter.write_str("the provider ended the session; log in again (`books login`)")
        }
        other => write!(formatter, "{other}"),
    }
}

impl From<SdkError> for Trouble {
    fn from(error: SdkError) -> Self {
        Self::Sdk(error)
    }
}

impl From<LoginError> for Trouble {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Sdk(error) => Self::Sdk(error),
            other => Self::Login(other),
        }
    }
}
