//! All that can go wrong in the engine, under one type with one stable code each.
//!
//! The code is API; the text is for people. What an app shows is the app's business.

use crate::authentication::AuthenticationReject;
use crate::authorize::AuthorizeReject;
use crate::discovery::{DiscoveryReject, IssuerReject};
use crate::exchange::TokenReject;
use crate::id_token::IdTokenReject;
use crate::logout::LogoutReject;
use crate::redirect::RedirectReject;
use crate::redirect_uri::RedirectUriReject;
use crate::registration::RegistrationReject;
use crate::response::ResponseReject;
use crate::seal::RecordReject;
use crate::userinfo::UserInfoReject;

/// A step that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OAuthError {
    /// The issuer's text.
    #[error(transparent)]
    Issuer(#[from] IssuerReject),
    /// The redirect URI's text.
    #[error(transparent)]
    RedirectUri(#[from] RedirectUriReject),
    /// Discovery.
    #[error(transparent)]
    Discovery(#[from] DiscoveryReject),
    /// The server's keys.
    #[error(transparent)]
    Keys(#[from] ResponseReject),
    /// The authorization request.
    #[error(transparent)]
    Authorize(#[from] AuthorizeReject),
    /// The redirect.
    #[error(transparent)]
    Redirect(#[from] RedirectReject),
    /// The client authentication.
    #[error(transparent)]
    Authentication(#[from] AuthenticationReject),
    /// The token endpoint.
    #[error(transparent)]
    Token(#[from] TokenReject),
    /// The ID token.
    #[error(transparent)]
    IdToken(#[from] IdTokenReject),
    /// User information.
    #[error(transparent)]
    UserInfo(#[from] UserInfoReject),
    /// Logout at the provider.
    #[error(transparent)]
    Logout(#[from] LogoutReject),
    /// Registration.
    #[error(transparent)]
    Registration(#[from] RegistrationReject),
    /// A kept record.
    #[error(transparent)]
    Record(#[from] RecordReject),
}

impl OAuthError {
    /// Stable text.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Issuer(IssuerReject) => "issuer-malformed",
            Self::RedirectUri(reject) => reject.code(),
            Self::Discovery(reject) => reject.code(),
            Self::Keys(reject) => reject.code(),
            Self::Authorize(reject) => reject.code(),
            Self::Redirect(reject) => reject.code(),
            Self::Authentication(reject) => reject.code(),
            Self::Token(reject) => reject.code(),
            Self::IdToken(reject) => reject.code(),
            Self::UserInfo(reject) => reject.code(),
            Self::Logout(reject) => reject.code(),
            Self::Registration(reject) => reject.code(),
            Self::Record(reject) => reject.code(),
        }
    }

    /// Whether the same step may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Discovery(DiscoveryReject::Response(reject)) | Self::Keys(reject) => {
                reject.retryable()
            }
            Self::Token(reject) => reject.retryable(),
            Self::UserInfo(UserInfoReject::Response(reject)) => reject.retryable(),
            _ => false,
        }
    }
}
