//! Failures as problem documents: the one place where an error gets its code and status.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bonafide_wire::problem::{Problem, ProblemCode};

use crate::app::{AppError, UpstreamFault};
use crate::keys::challenge::ChallengeReject;
use crate::store::StoreError;

/// Media type of problem documents.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// How long a client waits while the store is away, seconds.
const STORE_RETRY: u32 = 5;

/// A failure on its way out. It becomes bytes in [`super::frame`], which knows the request's id.
#[derive(Debug)]
pub struct Failure(Box<Problem>);

impl Failure {
    /// A failure with this code and nothing else.
    pub fn new(code: ProblemCode) -> Self {
        Self(Box::new(Problem::new(code)))
    }

    /// The document.
    pub fn problem(&self) -> &Problem {
        &self.0
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        Self::from(problem_of(error))
    }
}

fn problem_of(error: AppError) -> Problem {
    use ProblemCode as Code;
    match error {
        AppError::UnknownAccount => Problem::new(Code::UnknownAccount),
        AppError::AccountDamaged => Problem::new(Code::AccountDamaged)
            .with_detail("the operator finds the fault under /readyz of the admin listener"),
        AppError::NotFound(what) => {
            Problem::new(Code::NotFound).with_detail(format!("there is no such {what}"))
        }
        AppError::Malformed(errors) => Problem {
            errors,
            ..Problem::new(Code::MalformedRequest)
        },
        AppError::Challenge(ChallengeReject::Invalid) => Problem::new(Code::ChallengeInvalid),
        AppError::Challenge(ChallengeReject::Expired) => Problem::new(Code::ChallengeExpired),
        AppError::ChallengeUsed => Problem::new(Code::ChallengeUsed),
        AppError::TicketInvalid => Problem::new(Code::TicketInvalid),
        AppError::TicketExpired => Problem::new(Code::TicketExpired),
        AppError::ProofInvalid => Problem::new(Code::ProofInvalid),
        AppError::CounterNotGreater => Problem::new(Code::CounterNotGreater),
        AppError::EvidenceRejected {
            support_id,
            findings,
        } => Problem {
            support_id: Some(support_id),
            findings,
            ..Problem::new(Code::EvidenceRejected)
        },
        AppError::ResponseKeyInvalid => Problem::new(Code::ResponseKeyInvalid),
        AppError::Unauthenticated => Problem::new(Code::Unauthenticated),
        AppError::Forbidden { needed } => Problem::new(Code::Forbidden)
            .with_detail(format!("this needs the role {}", needed.as_str())),
        AppError::Validation(errors) => Problem {
            errors,
            ..Problem::new(Code::ValidationFailed)
        },
        AppError::Conflict(why) => Problem::new(Code::Conflict).with_detail(why),
        AppError::PreconditionFailed => Problem::new(Code::PreconditionFailed),
        AppError::PreconditionRequired => Problem::new(Code::PreconditionRequired)
            .with_detail("read the object first and send its ETag as If-Match"),
        AppError::NotServiceWide => Problem::new(Code::Forbidden)
            .with_detail("this concerns the whole service; the credential is for one account"),
        AppError::RateLimited { retry_after } => Problem {
            retry_after: Some(retry_after),
            ..Problem::new(Code::RateLimited)
        },
        AppError::UnknownUpstream => Problem::new(Code::UnknownUpstream),
        AppError::RungNotAllowed => Problem::new(Code::RungNotAllowed),
        AppError::RedirectUriNotAllowed => Problem::new(Code::RedirectUriNotAllowed),
        AppError::InstanceKeyInvalid => Problem::new(Code::InstanceKeyInvalid),
        AppError::RefreshTokenInvalid => Problem::new(Code::RefreshTokenInvalid),
        AppError::RelayInProgress => Problem {
            retry_after: Some(1),
            ..Problem::new(Code::RelayInProgress)
        },
        AppError::Upstream(fault) => upstream_problem(&fault),
        AppError::Store(error) => store_problem(error),
        AppError::Key(error) => internal(&error),
        AppError::Internal(why) => internal(&why),
    }
}

/// What went wrong there is for the log and the operator; the words name no value.
fn upstream_problem(fault: &UpstreamFault) -> Problem {
    tracing::warn!(%fault, "an upstream failed");
    let (code, retry_after) = match fault {
        UpstreamFault::Unavailable { retry_after, .. } => {
            (ProblemCode::UpstreamUnavailable, Some(*retry_after))
        }
        UpstreamFault::TimedOut => (ProblemCode::UpstreamTimedOut, Some(STORE_RETRY)),
        UpstreamFault::Misbehaved(_) => (ProblemCode::UpstreamMisbehaved, Some(STORE_RETRY)),
    };
    Problem {
        retry_after,
        ..Problem::new(code).with_detail(fault.to_string())
    }
}

fn store_problem(error: StoreError) -> Problem {
    match error {
        StoreError::Unavailable(why) => {
            tracing::error!(why, "the store is unavailable");
            Problem {
                retry_after: Some(STORE_RETRY),
                ..Problem::new(ProblemCode::StoreUnavailable)
            }
        }
        StoreError::Conflict(why) => Problem::new(ProblemCode::Conflict).with_detail(why),
        StoreError::Damaged(_) => internal(&error),
    }
}

/// The operator's log says what; the caller learns only that it is our fault.
fn internal(error: &dyn core::fmt::Display) -> Problem {
    tracing::error!(%error, "internal error");
    Problem::new(ProblemCode::Internal)
}

/// A problem waiting in a response's extensions for its request id.
#[derive(Debug, Clone)]
pub(super) struct Pending(Box<Problem>);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(Pending(self.0));
        response
    }
}

/// Writes the document of a failed response; what failed without one (the router's own answers) gets one.
pub(super) fn finish(mut response: Response, request_id: &str) -> Response {
    let status = response.status();
    let pending = response.extensions_mut().remove::<Pending>();
    let spoken = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|media| media == "application/json");
    let fine = !status.is_client_error() && !status.is_server_error();
    if pending.is_none() && (fine || spoken) {
        return response;
    }
    let mut problem = pending.map_or_else(|| of_status(status), |pending| *pending.0);
    problem.instance = Some(request_id.to_owned());
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut finished = (
        StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        [
            (header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ],
        body,
    )
        .into_response();
    let headers = finished.headers_mut();
    if let Some(seconds) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.code == ProblemCode::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(allow) = response.headers_mut().remove(header::ALLOW) {
        headers.insert(header::ALLOW, allow);
    }
    finished
}

/// The router and its extractors answer with a bare status.
fn of_status(status: StatusCode) -> Problem {
    Problem::new(match status {
        StatusCode::NOT_FOUND => ProblemCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ProblemCode::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::PayloadTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemCode::UnsupportedMediaType,
        StatusCode::UNAUTHORIZED => ProblemCode::Unauthenticated,
        StatusCode::SERVICE_UNAVAILABLE => ProblemCode::Unavailable,
        other if other.is_client_error() => ProblemCode::MalformedRequest,
        _ => ProblemCode::Internal,
    })
}
