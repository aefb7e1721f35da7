//! What can go wrong with a login, under one type with one stable code each. The code is API, the text is for people.

use core::fmt;

use bonafide_oauth::OAuthError;
use bonafide_oauth::authentication::AuthenticationReject;
use bonafide_oauth::authorize::AuthorizeReject;
use bonafide_oauth::discovery::DiscoveryReject;
use bonafide_oauth::entropy::EntropyFailed;
use bonafide_oauth::exchange::TokenReject;
use bonafide_oauth::id_token::IdTokenReject;
use bonafide_oauth::redirect::RedirectReject;
use bonafide_oauth::response::ResponseReject;
use bonafide_oauth::seal::RecordReject;

use super::ladder::LadderReject;
use crate::error::SdkError;

/// A login that did not come about, or a request that could not be made under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginError {
    /// The SDK did not protect, prove, release or send.
    Sdk(SdkError),
    /// An OAuth step was refused.
    OAuth(OAuthError),
    /// No rung works.
    Ladder(LadderReject),
    /// The session itself.
    Login(LoginFault),
}

/// What is wrong with the session itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginFault {
    /// The account has no such upstream.
    UpstreamUnknown,
    /// There is no login.
    NotLoggedIn,
    /// Somebody is logged in: log out first.
    AlreadyLoggedIn,
    /// No login waits for a redirect.
    NotBegun,
    /// The server ended the login.
    SessionEnded,
    /// The vault did not keep it.
    NotKept,
    /// The secret may not be used for OAuth.
    SecretUseNotAllowed,
    /// A method that no access token goes with.
    MethodUnsupported,
    /// The resource server demands a fresh nonce again and again.
    ResourceDemands,
    /// What came from the relay is no registration.
    RegistrationMalformed,
}

impl LoginFault {
    /// All of them, for the reference page.
    pub const ALL: [Self; 10] = [
        Self::UpstreamUnknown,
        Self::NotLoggedIn,
        Self::AlreadyLoggedIn,
        Self::NotBegun,
        Self::SessionEnded,
        Self::NotKept,
        Self::SecretUseNotAllowed,
        Self::MethodUnsupported,
        Self::ResourceDemands,
        Self::RegistrationMalformed,
    ];

    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::UpstreamUnknown => "unknown-upstream",
            Self::NotLoggedIn => "not-logged-in",
            Self::AlreadyLoggedIn => "already-logged-in",
            Self::NotBegun => "login-not-begun",
            Self::SessionEnded => "session-ended",
            Self::NotKept => "login-not-kept",
            Self::SecretUseNotAllowed => "secret-use-not-allowed",
            Self::MethodUnsupported => "resource-method-unsupported",
            Self::ResourceDemands => "demand-repeated",
            Self::RegistrationMalformed => "registration-malformed",
        }
    }

    /// For people.
    pub fn message(self) -> &'static str {
        match self {
            Self::UpstreamUnknown => "the account has no such authorization server",
            Self::NotLoggedIn => "nobody is logged in",
            Self::AlreadyLoggedIn => "somebody is logged in; log out first",
            Self::NotBegun => "no login waits for an answer of the browser",
            Self::SessionEnded => "the authorization server ended the login; log in again",
            Self::NotKept => "the login could not be kept on this device",
            Self::SecretUseNotAllowed => {
                "the client secret is not released for OAuth; its uses must contain `oauth`"
            }
            Self::MethodUnsupported => "no access token goes with this HTTP method",
            Self::ResourceDemands => "the API goes on demanding fresh proofs",
            Self::RegistrationMalformed => "the registration of this instance cannot be read",
        }
    }
}

impl LoginError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Sdk(error) => error.code(),
            Self::OAuth(error) => error.code(),
            Self::Ladder(reject) => reject.code(),
            Self::Login(fault) => fault.code(),
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Sdk(error) => error.retryable(),
            Self::OAuth(error) => error.retryable(),
            Self::Ladder(_) | Self::Login(_) => false,
        }
    }

    /// Whether an address that arrived may be somebody else's: the login goes on waiting for its own.
    pub fn may_be_forged(&self) -> bool {
        matches!(self, Self::OAuth(OAuthError::Redirect(reject)) if !reject.ends_login())
    }

    /// The SDK's error, where it is one: support id, findings, when to try again.
    pub fn sdk(&self) -> Option<&SdkError> {
        match self {
            Self::Sdk(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the code of a login is dead: the server, or the check of who logged in, said so.
    pub(super) fn spends_code(&self) -> bool {
        match self {
            Self::OAuth(OAuthError::Token(reject)) => {
                !matches!(reject, TokenReject::Response(response) if response.retryable())
            }
            Self::OAuth(OAuthError::IdToken(_) | OAuthError::Record(_)) => true,
            _ => false,
        }
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sdk(error) => error.fmt(f),
            Self::OAuth(error) => write!(f, "{error} ({})", error.code()),
            Self::Ladder(reject) => write!(f, "{reject} ({})", reject.code()),
            Self::Login(fault) => write!(f, "{} ({})", fault.message(), fault.code()),
        }
    }
}

impl core::error::Error for LoginError {}

impl From<SdkError> for LoginError {
    fn from(error: SdkError) -> Self {
        Self::Sdk(error)
    }
}

impl From<LoginFault> for LoginError {
    fn from(fault: LoginFault) -> Self {
        Self::Login(fault)
    }
}

impl From<LadderReject> for LoginError {
    fn from(reject: LadderReject) -> Self {
        Self::Ladder(reject)
    }
}

/// Without randomness nothing can be asked, and nothing kept.
impl From<EntropyFailed> for LoginError {
    fn from(failed: EntropyFailed) -> Self {
        Self::OAuth(OAuthError::Record(failed.into()))
    }
}

macro_rules! from_oauth {
    ($($reject:ty),+ $(,)?) => {
        $(impl From<$reject> for LoginError {
            fn from(reject: $reject) -> Self {
                Self::OAuth(reject.into())
            }
        })+
    };
}

from_oauth!(
    AuthenticationReject,
    AuthorizeReject,
    DiscoveryReject,
    IdTokenReject,
    RecordReject,
    RedirectReject,
    ResponseReject,
    TokenReject,
);
