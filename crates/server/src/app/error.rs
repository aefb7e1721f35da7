//! Why a use case gave no answer. A refusal by policy is not here: it is an answer (law 3).

use bonafide_wire::admin::Role;
use bonafide_wire::ids::SupportId;
use bonafide_wire::problem::FieldError;

use crate::keys::KeyError;
use crate::keys::challenge::ChallengeReject;
use crate::store::StoreError;
use crate::upstream::UpstreamError;

/// A use case's error: what the caller did wrong, or what we did. `http/problem.rs` maps it, once.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// No such account.
    #[error("no such account")]
    UnknownAccount,
    /// The account is there, but what is stored of it cannot be used.
    #[error("what is stored of the account cannot be used")]
    AccountDamaged,
    /// No such object.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The request is not of the documented shape.
    #[error("malformed request")]
    Malformed(Vec<FieldError>),
    /// The challenge is foreign, altered, or late.
    #[error(transparent)]
    Challenge(#[from] ChallengeReject),
    /// The challenge enrolled a key before.
    #[error("the challenge has been used")]
    ChallengeUsed,
    /// The ticket cannot be opened for this account.
    #[error("the ticket cannot be opened")]
    TicketInvalid,
    /// The ticket outlived its enrolment.
    #[error("the ticket has expired")]
    TicketExpired,
    /// The proof of possession does not verify.
    #[error("the proof of possession does not verify")]
    ProofInvalid,
    /// The assertion's counter is not above the last one.
    #[error("the assertion's counter is not above the last one")]
    CounterNotGreater,
    /// The platform evidence failed authentication.
    #[error("the platform evidence was rejected")]
    EvidenceRejected {
        /// Finds the record.
        support_id: SupportId,
        /// The reject's code, only with rejection reasons on (W-12).
        findings: Option<Vec<String>>,
    },
    /// The response key is no point of its curve.
    #[error("the response key is not usable")]
    ResponseKeyInvalid,
    /// No credential or session, or not a good one.
    #[error("authentication is required")]
    Unauthenticated,
    /// The role does not allow it.
    #[error("the role {needed:?} is needed")]
    Forbidden {
        /// The narrowest role that would do.
        needed: Role,
    },
    /// Values break rules.
    #[error("a value breaks a rule")]
    Validation(Vec<FieldError>),
    /// It exists already, or the state forbids it.
    #[error("{0}")]
    Conflict(String),
    /// `If-Match` does not match.
    #[error("the object has changed meanwhile")]
    PreconditionFailed,
    /// `If-Match` is missing.
    #[error("If-Match is required")]
    PreconditionRequired,
    /// The session is good for one account only.
    #[error("this needs a service-wide credential")]
    NotServiceWide,
    /// Too many requests of one kind.
    #[error("too many requests")]
    RateLimited {
        /// Seconds to wait.
        retry_after: u32,
    },
    /// The account has no such upstream, or not for this app.
    #[error("no such upstream")]
    UnknownUpstream,
    /// The account does not allow this rung there.
    #[error("this upstream does not allow this rung")]
    RungNotAllowed,
    /// Not one of the upstream's redirect URIs.
    #[error("the redirect URI is not allowed")]
    RedirectUriNotAllowed,
    /// The instance key does not prove possession, or is the enrolled key.
    #[error("the instance key is not usable")]
    InstanceKeyInvalid,
    /// The refresh token was not kept for this device and upstream.
    #[error("the refresh token is not one of ours")]
    RefreshTokenInvalid,
    /// The same relay request is under way.
    #[error("the request is under way")]
    RelayInProgress,
    /// Another server gave no usable answer.
    #[error(transparent)]
    Upstream(#[from] UpstreamFault),
    /// The store did nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key operation failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Our own data does not fit together.
    #[error("{0}")]
    Internal(String),
}

/// What another server's failure means for whoever asked us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamFault {
    /// Nothing was done there; ask again after so many seconds.
    #[error("the upstream is unavailable: {why}")]
    Unavailable {
        /// For the log and for operators.
        why: String,
        /// Seconds to wait.
        retry_after: u32,
    },
    /// Whether it was done is unknown.
    #[error("the upstream did not answer in time")]
    TimedOut,
    /// No authorization server answers like that.
    #[error("the upstream's answer is not usable: {0}")]
    Misbehaved(String),
}

/// How long to wait where the upstream did not say, seconds.
pub(super) const UPSTREAM_RETRY: u32 = 5;

impl From<UpstreamError> for AppError {
    fn from(error: UpstreamError) -> Self {
        Self::Upstream(match error {
            UpstreamError::Unreachable(why) => UpstreamFault::Unavailable {
                why,
                retry_after: UPSTREAM_RETRY,
            },
            UpstreamError::TimedOut | UpstreamError::Interrupted(_) => UpstreamFault::TimedOut,
            UpstreamError::Redirected { .. } | UpstreamError::TooLarge { .. } => {
                UpstreamFault::Misbehaved(error.to_string())
            }
            UpstreamError::NotSendable(_) => return Self::Internal(error.to_string()),
        })
    }
}

impl AppError {
    /// One broken rule of a request.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Validation(vec![FieldError {
            pointer: pointer.into(),
            message: message.into(),
        }])
    }
}

impl From<serde_json::Error> for AppError {
    /// Writing our own types as JSON.
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(format!("a document cannot be written: {error}"))
    }
}
